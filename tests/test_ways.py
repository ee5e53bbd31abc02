"""Ways of choosing, each against a computation of its own on a tiny model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from linguabridge import languages
from linguabridge.cache import Cache
from linguabridge.choices import make_choices
from linguabridge.choosing import evidence as evidence_module
from linguabridge.choosing.choice import choose
from linguabridge.choosing.evidence import Evidence
from linguabridge.choosing.ways import WAYS, hop_mrr
from linguabridge.dependence import u_centre
from linguabridge.lazy_model import open_model
from linguabridge.lexicons import kept_for_check, load_cldr, load_file, split
from linguabridge.likelihood import option_log_probabilities
from linguabridge.measure import Measurements
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.neuron_ranking import rank_by_neurons
from linguabridge.probing import linear_kernels
from linguabridge.settings import CHOOSE_BY, WAYS_TO_CHOOSE, Settings
from linguabridge.texts import load_text
from test_recommend import write_lexicon

CODES = ("de", "fr", "es", "he")


@pytest.fixture(scope="module")
def evidence(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence_module, "CONCEPTS", 30)  # few, because the tests go through them one by one
        patch.setattr(evidence_module, "HOP_WORDS", 12)
        yield made(tiny_model, tmp_path_factory)


def made(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("ways")
    source, target, *candidates = map(languages.parse, ("en", "sw", *CODES))
    lexicon = load_file(write_lexicon(folder / "own.tsv", languages="en sw de fr es he"), source, target)
    cache = Cache(folder)
    pair = lexicon.pair(source, target)
    drawn = split(pair, probes=40, check=10, seed=0)
    return Evidence(
        measure=Measurements(open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache), cache),
        lexicon=lexicon,
        source=source,
        target=target,
        candidates=tuple(candidates),
        texts={one.code: load_text(None, one, 0, lexicon) for one in (source, target, *candidates)},
        choices=make_choices(drawn.probes, pair.entries, 0),
        settings=Settings(tokens=300, probes=40),
    )


@pytest.fixture
def model(tiny_loaded: Callable[[str], LanguageModel]) -> LanguageModel:
    return tiny_loaded("llama")


def scores(evidence: Evidence, way: str) -> np.ndarray:
    return WAYS[way].score(evidence)


def correlations(evidence: Evidence) -> dict[frozenset[str], float]:
    p = {code: one.positive.sum(0) / one.tokens.sum() for code, one in evidence.reading.items()}
    return {frozenset(two): float(np.corrcoef(p[two[0]], p[two[1]])[0, 1]) for two in itertools.combinations(p, 2)}


def test_the_names_offered_are_the_ways_there_are() -> None:
    assert tuple(WAYS) == WAYS_TO_CHOOSE
    assert CHOOSE_BY in WAYS


def test_correlations_with_both_are_combined_as_named(evidence: Evidence) -> None:
    known = correlations(evidence)
    both = np.array([[known[frozenset((code, end))] for end in ("en", "sw")] for code in CODES])
    np.testing.assert_allclose(scores(evidence, "correlation-min"), both.min(axis=1))
    np.testing.assert_allclose(scores(evidence, "correlation-mean"), both.mean(axis=1))
    np.testing.assert_allclose(scores(evidence, "correlation-harmonic"), stats.hmean(both, axis=1))


def test_overlap_counts_neurons_of_top_sets(evidence: Evidence) -> None:
    top = {code: set(evidence.profile.top(code)) for code in evidence.texts}
    expected = [len(top[code] & top["en"]) + len(top[code] & top["sw"]) for code in CODES]
    np.testing.assert_array_equal(scores(evidence, "overlap"), expected)


def test_tokens_are_shared_as_frequencies(evidence: Evidence) -> None:
    shares = {
        code: dict(zip(one.token_ids.tolist(), (one.token_counts / one.token_counts.sum()).tolist(), strict=True))
        for code, one in evidence.reading.items()
    }

    def common(first: str, second: str) -> float:
        return sum(min(share, shares[second].get(token, 0)) for token, share in shares[first].items())

    expected = [(common(code, "en") + common(code, "sw")) / 2 for code in CODES]
    np.testing.assert_allclose(scores(evidence, "tokens"), expected)


def test_hidden_states_are_compared_on_the_same_concepts(evidence: Evidence, model: LanguageModel) -> None:
    """Debiased CKA written out: HSIC of Song et al. (2012) on mean hidden states, one prompt at a time."""
    codes = sorted((*CODES, "en", "sw"))
    concepts = set.intersection(*(set(load_cldr().names(languages.parse(code))) for code in codes))
    words = evidence.concepts
    assert {len(some) for some in words.values()} == {30}
    held = {
        code: {word for concept, word in load_cldr().names(languages.parse(code)).items() if kept_for_check(concept, 0)}
        for code in codes
    }
    named = {c: w for c, w in load_cldr().names(languages.parse("fr")).items() if c in concepts}
    assert set(words["fr"]) <= {word for concept, word in named.items() if not kept_for_check(concept, 0)}
    assert held["fr"]

    def means(word: str) -> list[np.ndarray]:
        ids = model.encode(word)
        with torch.inference_mode():
            states = model.model(torch.tensor([ids]), output_hidden_states=True).hidden_states[1:]
        kept = [at for at, token in enumerate(ids) if token not in model.special_ids]
        return [state[0, kept].mean(0).double().numpy() for state in states]

    read = {code: [means(word) for word in words[code]] for code in ("fr", "en", "sw")}

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        n = len(k)
        one = np.ones(n)
        cross = one @ k @ m @ one
        return (np.trace(k @ m) + one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (
            n * (n - 3)
        )

    def cka(first: str, second: str) -> float:
        layers = []
        for layer in range(len(read[first][0])):
            x, y = (np.stack([one[layer] for one in read[code]]) for code in (first, second))
            k, m = x @ x.T, y @ y.T
            layers.append(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)))
        return float(np.mean(layers))

    expected = [cka("fr", "en"), cka("fr", "sw")]
    assert evidence.hidden["fr", "en"] == pytest.approx(expected[0], abs=1e-4)
    at = CODES.index("fr")
    assert scores(evidence, "hidden-cka")[at] == pytest.approx(min(expected), abs=1e-4)


def test_the_hub_is_likest_to_all_others(evidence: Evidence) -> None:
    codes = sorted(evidence.texts)
    sums = {code: sum(evidence.hidden[code, one] for one in codes if one != code) for code in codes}
    assert evidence.hub == max(sums, key=lambda code: sums[code])
    known = correlations(evidence)
    expected = [1.0 if code == evidence.hub else known[frozenset((code, evidence.hub))] for code in CODES]
    np.testing.assert_allclose(scores(evidence, "hub"), expected)
    np.testing.assert_allclose(scores(evidence, "central"), [sums[code] / (len(codes) - 1) for code in CODES])


def test_hops_are_translations_among_ten(evidence: Evidence, model: LanguageModel) -> None:
    source, target, one = evidence.source, evidence.target, evidence.candidates[1]
    found = []
    for first, second in ((source, one), (one, target)):
        pair = evidence.lexicon.pair(first, second)
        drawn = split(pair, probes=12, check=0, seed=0).probes
        assert not any(kept_for_check(entry.concept, 0) for entry in drawn)
        ranks = []
        for choice in make_choices(drawn, pair.entries, 0):
            prompt = f'{first.endonym}:"{choice.entry.source}"→{second.endonym}:'
            row = option_log_probabilities(model, [prompt], [[f'"{word}"' for word in choice.options]])[0]
            ranks.append(1 + sum(row[1:] >= row[0]))
        found.append(np.mean(1 / np.array(ranks)))
    at = CODES.index(one.code)
    assert hop_mrr(evidence, first=True)[at] == pytest.approx(found[0])
    assert hop_mrr(evidence, first=False)[at] == pytest.approx(found[1])
    assert scores(evidence, "hops")[at] == pytest.approx(found[0] * found[1])


def test_family_is_nearer_for_kin(evidence: Evidence) -> None:
    found = dict(zip(CODES, scores(evidence, "family"), strict=True))
    assert found["de"] > found["fr"] > found["he"]  # to English; Swahili is kin to none of them
    assert found["he"] == -1


def test_english_is_first_and_the_fixed_ones_follow(evidence: Evidence) -> None:
    assert choose(evidence, "english").first == "fr"  # English is the source
    assert list(choose(evidence, "english").scores)[:2] == ["fr", "es"]
    assert len(choose(evidence, "random").tied()) == len(CODES)


def test_random_is_drawn_by_the_seed(evidence: Evidence) -> None:
    drawn = [choose(replace(evidence, settings=replace(evidence.settings, seed=n)), "random").first for n in range(40)]
    assert set(drawn) == set(CODES)
    assert choose(evidence, "random") == choose(evidence, "random")


def test_a_way_is_the_same_under_any_estimator_and_sets(evidence: Evidence) -> None:
    for asked in (
        {"estimator": "reference"},
        {"estimator": "cka"},
        {"reference": True},
        {"shared_set": "anchored", "bridge_set": "between"},
    ):
        other = replace(evidence, settings=replace(evidence.settings, **asked))
        for way in ("reference", "cka", "cka-length", "cka-between", "cka-anchored"):
            np.testing.assert_array_equal(scores(other, way), scores(evidence, way), err_msg=f"{way} {asked}")


def test_english_or_else_the_second_hop(evidence: Evidence) -> None:
    np.testing.assert_array_equal(scores(evidence, "english-or-hop"), scores(evidence, "second-hop"))
    assert not choose(evidence, "english-or-hop").is_fixed
    assert choose(evidence, "english-or-hop").title == WAYS["second-hop"].title
    others = tuple(map(languages.parse, ("fr", "en", "es")))
    elsewhere = replace(evidence, source=languages.parse("de"), candidates=others)
    assert choose(elsewhere, "english-or-hop").first == "en"
    assert choose(elsewhere, "english-or-hop").is_fixed
    np.testing.assert_array_equal(scores(elsewhere, "english-or-hop"), scores(elsewhere, "english"))


def test_bits_prefer_what_the_model_predicts_best(evidence: Evidence) -> None:
    bits = {code: evidence.bits_per_byte(code) for code in CODES}
    assert choose(evidence, "bits").first == min(bits, key=lambda code: bits[code])


def test_neuron_ways_are_rankings_under_their_settings(evidence: Evidence) -> None:
    for way, changes in (
        ("cka", {}),
        ("reference", {"reference": True}),
        ("cka-between", {"bridge_set": "between"}),
        ("cka-specific", {"bridge_set": "specific"}),
    ):
        settings = replace(evidence.settings, **changes)
        ranking = rank_by_neurons(evidence.neurons(settings), settings)
        by_code = {one.code: one.score for one in ranking.candidates}
        expected = [np.nan if by_code[code] is None else by_code[code] for code in CODES]
        np.testing.assert_allclose(scores(evidence, way), expected, err_msg=way)


def test_a_choice_is_in_order_and_what_says_nothing_comes_last(evidence: Evidence) -> None:
    for way in WAYS:
        chosen = choose(evidence, way)
        values = [score for score in chosen.scores.values() if score is not None]
        assert values == sorted(values, reverse=True), way
        assert set(chosen.scores) == set(CODES)


def test_kernels_of_neurons_and_of_hidden_states_differ(model: LanguageModel) -> None:
    prompts = ["the cat", "le chat est", "a b", "x", "die Katze", "maji"]
    neurons, hidden = (linear_kernels(model, prompts, of=of) for of in ("neurons", "hidden"))
    assert neurons.shape == hidden.shape
    assert not np.allclose(neurons, hidden)
    for kernels in (neurons, hidden):
        np.testing.assert_allclose([np.linalg.norm(one) for one in kernels], 1, rtol=1e-5)
        centred = u_centre(torch.from_numpy(kernels[0].astype(float))).numpy()
        np.testing.assert_allclose(centred, kernels[0], atol=1e-6)  # already
