"""Experiments on tiny random models: arms against a naive reading of what they say they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluated import OPTIONS, lexicon_in, rows, small_settings
from linguabridge.cache import Cache
from linguabridge.evaluation.evaluate import evaluate
from linguabridge.evaluation.results import Evaluation, Row
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.lexicons import load_file, normalise_word
from linguabridge.model import LanguageModel
from linguabridge.prompts import WORD
from linguabridge.recommendation import recommend
from linguabridge.texts import load_text

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lexicon_in(tmp_path_factory.mktemp("lexicon"))


@pytest.fixture(scope="module")
def settings(lexicon: Path) -> EvaluationSettings:
    return small_settings(lexicon)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def found(tiny_model: Folder, cache: Cache, settings: EvaluationSettings) -> Evaluation:
    return evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=settings, cache=cache)


def naive_log_probability(model: LanguageModel, text: str) -> float:
    ids = torch.tensor([model.tokenizer(text).input_ids])
    with torch.no_grad():
        logits = model.model(input_ids=ids, use_cache=False).logits[0].double()
    return sum(float(logits[i].log_softmax(0)[token]) for i, token in enumerate(ids[0, 1:].tolist()))


def naive_answer(model: LanguageModel, prompt: str) -> str:
    ids, new = model.tokenizer(prompt).input_ids, []
    with torch.no_grad():
        while len(new) < 30 and not WORD.reached(model.tokenizer.decode(new, skip_special_tokens=True)):
            logits = model.model(input_ids=torch.tensor([ids + new]), use_cache=False).logits[0, -1]
            new.append(int(logits.argmax()))
            if new[-1] == model.model.generation_config.eos_token_id:
                break
    return WORD.cut(model.tokenizer.decode(new, skip_special_tokens=True))


def rank(row: Row) -> int:
    return 1 + sum(score >= row.option_scores[0] for score in row.option_scores[1:])


def _pair(lexicon: Path, source: str, target: str) -> tuple:
    s, t = parse(source), parse(target)
    return load_file(lexicon, s, t).pair(s, t, keep_identical=True, keep_multiword=True).entries


def test_direct_items_are_ranked_by_the_full_forward_pass(found: Evaluation, tiny_loaded: Callable) -> None:
    model = tiny_loaded("llama")
    for row in rows(found, "direct")[:3]:
        assert row.prompt == f'English:"{row.text}"→Kiswahili:"'
        assert len(row.options) == 10
        assert normalise_word(row.options[0].strip('"')) in {normalise_word(one) for one in row.gold}
        expected = np.array([naive_log_probability(model, row.prompt + option) for option in row.options])
        scores = np.array(row.option_scores)
        np.testing.assert_allclose(scores - scores[0], expected - expected[0], rtol=1e-4, atol=1e-3)
        assert row.score == 1 / rank(row)
        assert row.right == (rank(row) == 1)
        assert row.exact == (naive_answer(model, row.prompt) in row.gold)


def test_bridge_word_is_the_models_own_greedy_answer(found: Evaluation, tiny_loaded: Callable) -> None:
    model = tiny_loaded("llama")
    for row in rows(found, "de")[:4]:
        word = naive_answer(model, f'English:"{row.text}"→Deutsch:"')
        assert row.bridge_texts == ((word,) if word else ())
        assert row.without_bridge == (not word)
        through = f'→Deutsch:"{word}"' if word else ""
        assert row.prompt == f'English:"{row.text}"{through}→Kiswahili:"'


def test_dictionary_puts_the_lexicons_word_in_the_prompt(found: Evaluation, lexicon: Path) -> None:
    words = {entry.source: entry.targets[0] for entry in _pair(lexicon, "en", "de")}
    for row in rows(found, "dictionary:de"):
        assert row.bridge_texts == (words[row.text],)
        assert row.prompt == f'English:"{row.text}"→Deutsch:"{words[row.text]}"→Kiswahili:"'


def test_random_is_the_mean_and_oracle_the_best_of_all_candidates(found: Evaluation) -> None:
    every = {code: [row.score for row in rows(found, f"candidate:{code}")] for code in ("de", "fr", "it")}
    assert [row.score for row in rows(found, "random")] == pytest.approx(np.mean(list(every.values()), axis=0))
    best = max(every, key=lambda code: np.mean(every[code]))
    assert [row.score for row in rows(found, "oracle")] == every[best]
    (result,) = found.results
    arms = {arm.name: arm for arm in result.arms}
    assert arms["oracle"].bridges == (best,)
    assert arms["random"].metrics["MRR"].value == pytest.approx(np.mean(list(every.values())))
    firsts = [[float(row.right or 0) for row in rows(found, f"candidate:{code}")] for code in every]
    assert arms["random"].metrics["P@1"].value == pytest.approx(np.mean(firsts))


def test_chain_asks_for_each_bridge_after_the_one_before(found: Evaluation, tiny_loaded: Callable) -> None:
    model = tiny_loaded("llama")
    (result,) = found.results
    codes = next(arm for arm in result.arms if arm.name == "chain").label.removeprefix("chain ").split(" → ")
    assert len(codes) == 2
    first, second = (parse(code).endonym for code in codes)
    for row in rows(found, "chain")[:3]:
        prompt = f'English:"{row.text}"'
        one = naive_answer(model, f'{prompt}→{first}:"')
        prompt += f'→{first}:"{one}"' if one else ""
        two = naive_answer(model, f'{prompt}→{second}:"')
        prompt += f'→{second}:"{two}"' if two else ""
        assert row.prompt == f'{prompt}→Kiswahili:"'


def test_vote_adds_likelihoods_of_the_best_bridges(found: Evaluation) -> None:
    (result,) = found.results
    codes = next(arm for arm in result.arms if arm.name == "vote").label.removeprefix("vote of ").split(", ")
    parts = [rows(found, f"candidate:{code}") for code in codes]
    for row, *some in zip(rows(found, "vote"), *parts, strict=True):
        total = np.sum([one.option_scores for one in some], axis=0)
        assert row.option_scores == pytest.approx(total)
        assert row.score == 1 / (1 + int((total[1:] >= total[0]).sum()))


def test_differences_to_direct_are_those_of_the_rows(found: Evaluation) -> None:
    (result,) = found.results
    base = np.array([row.score for row in rows(found, "direct")])
    for arm in result.arms[1:]:
        own = np.array([row.score for row in rows(found, arm.name)])
        assert arm.against_direct is not None
        assert arm.against_direct.difference.value == pytest.approx((own - base).mean())
        if arm.name != "random":
            assert arm.n_copied == sum(row.copied for row in rows(found, arm.name))


def test_every_arm_sees_the_same_items_and_options(found: Evaluation) -> None:
    base = [(row.item, row.gold, row.options) for row in rows(found, "direct")]
    assert len(base) == 12
    for arm in {row.arm for row in found.rows} - {"random"}:
        assert [(row.item, row.gold, row.options) for row in rows(found, arm)] == base


def test_test_words_are_disjoint_from_probes_and_from_what_is_profiled(
    found: Evaluation, settings: EvaluationSettings, tiny_model: Folder, cache: Cache
) -> None:
    ranking = recommend(
        "en", "sw", model=str(tiny_model("llama")), options=OPTIONS, settings=settings.recommend, cache=cache
    )
    probes = {entry.concept for entry in ranking.probes.entries}
    words = {normalise_word(word) for entry in ranking.probes.entries for word in (entry.source, *entry.targets)}
    read = {
        normalise_word(line)
        for code in ("en", "sw")
        for line in load_text(
            None, parse(code), 0, load_file(Path(settings.recommend.lexicon), *map(parse, ("en", "sw")))
        ).lines()
    }
    items = rows(found, "direct")
    assert probes.isdisjoint(row.concept for row in items)
    for row in items:
        assert (words | read).isdisjoint(normalise_word(word) for word in (row.text, *row.gold))
    (result,) = found.results
    assert any("disjoint by concept" in note for note in result.notes)


def test_again_says_the_same_and_computes_nothing(
    found: Evaluation, settings: EvaluationSettings, tiny_model: Folder, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = open_model(str(tiny_model("llama")), OPTIONS, cache)
    monkeypatch.setattr(lazy, "_load", lambda: pytest.fail("the model was loaded"))
    assert evaluate([("en", "sw")], model=lazy, settings=settings, cache=cache) == found


def test_what_there_is_so_far_is_told_after_each_result_but_the_last(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache
) -> None:
    recommend = dataclasses.replace(settings.recommend, candidates=("de",))
    given, told = dataclasses.replace(settings, arms=(), recommend=recommend), []
    pairs = [("en", "sw"), ("fr", "it"), ("en", "fr")]
    model = str(tiny_model("llama"))
    found = evaluate(pairs, model=model, options=OPTIONS, settings=given, cache=cache, after=told.append)
    assert [len(one.results) for one in told] == [1, 2]
    for one in told:
        n = len(one.results)
        assert one.settings == found.settings
        assert one.rows == found.rows[: len(one.rows)]
        assert {(row.source, row.target) for row in one.rows} == set(pairs[:n])
        # As a run of these pairs alone would be corrected.
        alone = evaluate(pairs[:n], model=model, options=OPTIONS, settings=given, cache=cache, after=lambda _: None)
        assert one.results == alone.results
    evaluate(pairs[:1], model=model, options=OPTIONS, settings=given, cache=cache, after=pytest.fail)


def test_demonstrations_stand_before_every_question_and_are_no_items(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, lexicon: Path
) -> None:
    given = dataclasses.replace(settings, arms=(), shots=2, shots_language="fr")
    found = evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
    words = {entry.source: entry.targets[0] for entry in _pair(lexicon, "fr", "sw")}
    items = rows(found, "direct")
    one, two, question = items[0].prompt.split("\n")
    for line in (one, two):
        french = line.split('"')[1]
        assert line == f'français:"{french}"→Kiswahili:"{words[french]}"'
        assert words[french] not in {word for row in items for word in row.gold}
    assert question == f'English:"{items[0].text}"→Kiswahili:"'
    assert all(row.prompt.startswith(f"{one}\n{two}\n") for row in found.rows)


def test_byte_normalisation_and_pmi_are_what_they_say(
    settings: EvaluationSettings, tiny_model: Folder, tiny_loaded: Callable, cache: Cache
) -> None:
    model = tiny_loaded("llama")
    for normalise in ("byte", "pmi"):
        given = dataclasses.replace(settings, arms=(), bridges=(), normalise=normalise)
        found = evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
        for row in rows(found, "direct")[:2]:
            whole = np.array([naive_log_probability(model, row.prompt + option) for option in row.options])
            if normalise == "byte":
                start = naive_log_probability(model, row.prompt)
                expected = (whole - start) / [len(option.encode()) for option in row.options]
                np.testing.assert_allclose(row.option_scores, expected, rtol=1e-3, atol=1e-3)
            else:
                alone = [naive_log_probability(model, 'Kiswahili:"' + option) for option in row.options]
                expected, scores = whole - alone, np.array(row.option_scores)
                np.testing.assert_allclose(scores - scores[0], expected - expected[0], rtol=1e-3, atol=1e-3)
