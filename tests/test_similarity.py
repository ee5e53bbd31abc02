"""Languages × languages from statistics, against loops over neurons and texts resampled by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.profile import BlockedProfile
from linguabridge.spectrum.similarity import (
    correlations,
    jaccard,
    overlaps,
    resampled_correlations,
    shared_counts,
    token_overlap,
)

SPACE = NeuronSpace((5, 3, 8))
K = 4


@pytest.fixture
def tops() -> list[NeuronSet]:
    rng = np.random.default_rng(1)
    return [NeuronSet.of(SPACE, rng.choice(16, size, replace=False)) for size in (6, 6, 9, 3)]


@pytest.fixture
def profiles() -> list[BlockedProfile]:
    rng = np.random.default_rng(2)
    return [profile(rng, blocks) for blocks in (5, 4, 5, 1)]


def profile(rng: np.random.Generator, blocks: int) -> BlockedProfile:
    tokens = rng.integers(20, 40, blocks)
    positive = rng.binomial(tokens[:, None], rng.random(16))
    ids = np.sort(rng.choice(50, 12, replace=False))
    return BlockedProfile(SPACE, positive, positive.sum(0) * 1.0, tokens, ids, rng.integers(1, 9, 12))


def test_overlap_and_jaccard_are_those_of_python_sets(tops: list[NeuronSet]) -> None:
    overall, layers = overlaps(tops)
    indices, layered = jaccard(overall), jaccard(layers)
    for i in range(K):
        for j in range(K):
            a, b = set(tops[i]), set(tops[j])
            assert overall[i, j] == len(a & b)
            assert indices[i, j] == len(a & b) / len(a | b)
            for layer in range(3):
                a_l, b_l = ({n for n in one if n[0] == layer} for one in (a, b))
                assert layers[layer, i, j] == len(a_l & b_l)
                if a_l | b_l:
                    assert layered[layer, i, j] == len(a_l & b_l) / len(a_l | b_l)
                else:
                    assert np.isnan(layered[layer, i, j])


def test_shared_counts_are_those_of_a_loop_over_neurons(tops: list[NeuronSet]) -> None:
    counts = shared_counts(tops)
    for layer in range(3):
        times = [sum((layer, unit) in top for top in tops) for unit in range(SPACE.widths[layer])]
        assert counts.one[layer] == times.count(1)
        assert counts.all[layer] == times.count(K)
        assert counts.some[layer] == times.count(2) + times.count(3)


def test_correlations_are_scipys(profiles: list[BlockedProfile]) -> None:
    overall, layers = correlations([one.whole for one in profiles])
    p = [one.positive.sum(0) / one.tokens.sum() for one in profiles]
    for i in range(K):
        for j in range(K):
            assert overall[i, j] == pytest.approx(stats.pearsonr(p[i], p[j])[0])
            assert layers[2, i, j] == pytest.approx(stats.pearsonr(p[i][8:], p[j][8:])[0])


def test_a_language_whose_neurons_are_all_alike_correlates_with_nothing() -> None:
    flat = BlockedProfile(SPACE, np.full((2, 16), 7), np.zeros(16), np.array([9, 9]), np.arange(3), np.ones(3, int))
    varied = profile(np.random.default_rng(0), 2)
    overall, _ = correlations([flat.whole, varied.whole])
    assert np.isnan(overall[0, 1])
    assert np.isnan(overall[0, 0])
    assert overall[1, 1] == pytest.approx(1)


def test_a_sample_on_which_a_language_does_not_vary_is_like_no_other() -> None:
    flat = BlockedProfile(SPACE, np.full((2, 16), 7), np.zeros(16), np.array([7, 7]), np.arange(3), np.ones(3, int))
    varied = profile(np.random.default_rng(0), 2)
    for found in resampled_correlations([flat, varied], samples=3, seed=0):
        np.testing.assert_allclose(found, np.eye(2), atol=1e-12)


def test_resampling_equals_counting_drawn_blocks_again(profiles: list[BlockedProfile]) -> None:
    found = list(resampled_correlations(profiles, samples=7, seed=3))
    rng = np.random.default_rng(3)
    for matrix in found:
        p = []
        for one in profiles:
            drawn = rng.integers(len(one.tokens), size=len(one.tokens))  # the same draws, in the documented order
            p.append(one.positive[drawn].sum(0) / one.tokens[drawn].sum())
        np.testing.assert_allclose(matrix, np.corrcoef(p), atol=1e-10)


def test_resampling_spreads_as_much_as_new_texts_do() -> None:
    """The spread over bootstrap samples of one text is that over texts drawn anew from the same source."""
    rng = np.random.default_rng(4)
    space = NeuronSpace((300,))
    truth = rng.random((2, 300))

    def text(p: np.ndarray) -> BlockedProfile:
        tokens = np.full(20, 30)
        drift = np.clip(p + rng.normal(0, 0.05, (20, 300)), 0, 1)  # blocks differ, as pieces of text do
        positive = rng.binomial(30, drift)
        return BlockedProfile(space, positive, positive.sum(0) * 1.0, tokens, np.arange(2), np.ones(2, int))

    anew = [correlations([text(p).whole for p in truth])[0][0, 1] for _ in range(200)]
    spreads = [
        np.std([one[0, 1] for one in resampled_correlations([text(p) for p in truth], samples=100, seed=0)])
        for _ in range(10)
    ]
    assert np.mean(spreads) == pytest.approx(np.std(anew), rel=0.25)


def test_token_overlap_is_the_smaller_frequency_summed(profiles: list[BlockedProfile]) -> None:
    found = token_overlap(profiles)
    for i, a in enumerate(profiles):
        for j, b in enumerate(profiles):
            p = dict(zip(a.token_ids.tolist(), a.token_counts / a.token_counts.sum(), strict=True))
            q = dict(zip(b.token_ids.tolist(), b.token_counts / b.token_counts.sum(), strict=True))
            assert found[i, j] == pytest.approx(sum(min(p[t], q[t]) for t in p.keys() & q.keys()))
    assert found.diagonal() == pytest.approx(1)


def test_blocks_sum_to_the_whole(profiles: list[BlockedProfile]) -> None:
    whole = profiles[0].whole
    assert whole.tokens == profiles[0].tokens.sum()
    np.testing.assert_array_equal(whole.positive, profiles[0].positive.sum(0))
