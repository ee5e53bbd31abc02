"""CKA and HSIC of languages on the same concepts, against the estimators for one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from linguabridge.dependence import cka_pairs, u_centre
from linguabridge.languages import parse
from linguabridge.lexicons import load_cldr
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.probing import linear_kernels
from linguabridge.spectrum import parallel
from linguabridge.spectrum.parallel import cka, common_concepts, hsic

SPACE = NeuronSpace((6, 4, 7))


def hsic_of_song(k: np.ndarray, m: np.ndarray) -> float:
    """Unbiased HSIC of two kernels, the three terms of Song et al. (2012), eq. 5, written out."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    terms = (
        np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 * (one @ k @ m @ one) / (n - 2)
    )
    return float(terms / (n * (n - 3)))


def test_linear_cka_is_the_debiased_one_of_a_naive_forward(tiny_loaded) -> None:
    model = tiny_loaded("llama")
    words = {"a": ["one", "two cats", "three", "four dogs", "five", "six"], "b": list("uvwxyz")}
    found = cka([linear_kernels(model, some) for some in words.values()])

    def means(prompt: str) -> list[np.ndarray]:
        """Mean of each layer's activations over a prompt's tokens, by hooks of its own."""
        kept: list[np.ndarray] = []
        ids = model.encode(prompt)
        real = [i for i, token in enumerate(ids) if token not in model.special_ids]
        hooks = [
            layer.mlp.act_fn.register_forward_hook(lambda _m, _i, out: kept.append(out[0, real].mean(0).numpy()))
            for layer in model.model.model.layers
        ]
        with torch.inference_mode():
            model.model(torch.tensor([ids]))
        for hook in hooks:
            hook.remove()
        return kept

    naive = {name: [means(word) for word in some] for name, some in words.items()}
    for layer in range(model.space.n_layers):
        x, y = (np.array([one[layer] for one in naive[name]], dtype=np.float64) for name in "ab")
        k, m = x @ x.T, y @ y.T
        expected = hsic_of_song(k, m) / np.sqrt(hsic_of_song(k, k) * hsic_of_song(m, m))
        assert found[layer, 0, 1] == pytest.approx(expected, abs=1e-3)
        assert found[layer, 0, 0] == pytest.approx(1, abs=1e-5)


def test_cka_does_not_change_with_rotation_and_scale() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5))
    turned = 3 * x @ ortho_group.rvs(5, random_state=1)
    kernels = []
    for one in (x, turned):
        centred = u_centre(torch.from_numpy(one @ one.T)).numpy()
        kernels.append((centred / np.linalg.norm(centred))[None].astype(np.float32))
    assert cka(kernels)[0, 0, 1] == pytest.approx(1, abs=1e-5)


@pytest.fixture
def tops() -> dict[str, NeuronSet]:
    rng = np.random.default_rng(5)
    return {code: NeuronSet.of(SPACE, rng.choice(17, 9, replace=False)) for code in ("ar", "he", "sw", "en")}


def union(tops: dict[str, NeuronSet]) -> NeuronSet:
    first, *others = tops.values()
    for one in others:
        first |= one
    return first


def values(tops: dict[str, NeuronSet], concepts: int = 15) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    common = rng.normal(size=(17, concepts))[union(tops).flat]
    return {code: (common + rng.normal(size=common.shape)).astype(np.float32) for code in tops}


@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_hsic_is_the_mean_over_all_pairs_of_shared_neurons(
    tops: dict[str, NeuronSet], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_languages_at_once", lambda *_: at_once)
    rows, given = union(tops), values(tops)
    overall, layers = hsic(given, rows, tops)
    for i, s in enumerate(tops):
        for j, t in enumerate(tops):
            if i == j:
                assert np.isnan(overall[i, j])
                continue
            pairs: list[float] = []
            for layer in range(3):
                at = np.searchsorted(rows.flat, (tops[s] & tops[t]).layer(layer))
                if len(at):
                    found = cka_pairs(given[s][at], given[t][at])
                    assert layers[layer, i, j] == pytest.approx(found.mean(), abs=1e-5)
                    pairs += found.ravel().tolist()
                else:
                    assert np.isnan(layers[layer, i, j])
            assert overall[i, j] == pytest.approx(np.mean(pairs), abs=1e-5)


def test_hsic_of_independent_values_is_about_zero_whatever_the_sets(tops: dict[str, NeuronSet]) -> None:
    rng = np.random.default_rng(7)
    rows = union(tops)
    found = [
        hsic({code: rng.normal(size=(len(rows), 12)).astype(np.float32) for code in tops}, rows, tops)[0][0, 1]
        for _ in range(60)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))


def test_concepts_are_named_in_every_language_and_the_same_for_all() -> None:
    languages = [parse(code) for code in ("ar", "sw", "zh")]
    words, left_out = common_concepts(languages, most=50, seed=0)
    assert left_out == []
    assert {len(some) for some in words.values()} == {50}
    names = {one.code: load_cldr().names(one) for one in languages}
    concept_of = {name: concept for concept, name in names["zh"].items()}
    for n, word in enumerate(words["zh"]):
        concept = concept_of[word]
        if list(names["zh"].values()).count(word) == 1:
            assert names["ar"][concept] == words["ar"][n]
            assert names["sw"][concept] == words["sw"][n]


def test_a_language_without_names_is_left_out_and_said() -> None:
    words, left_out = common_concepts([parse(code) for code in ("ar", "sw", "zh", "x-foo")], most=50, seed=0)
    assert set(words) == {"ar", "sw", "zh"}
    assert left_out == ["x-foo"]


def test_nothing_is_compared_where_too_few_languages_have_names() -> None:
    words, left_out = common_concepts([parse(code) for code in ("ar", "x-bar", "x-foo")], most=50, seed=0)
    assert words == {}
    assert left_out == ["Arabic", "x-bar", "x-foo"]


def test_kernels_held_at_a_time_fit_in_memory() -> None:
    for neurons, concepts in ((20, 200), (1200, 200), (5, 1000), (1, 10_000)):
        n = parallel._languages_at_once(neurons, concepts)
        kernel = 4 * concepts * (concepts - 1) // 2  # bytes: float32, half of a symmetric matrix
        assert n == 1 or 2 * kernel * (n * neurons + n * n) <= parallel._BYTES
