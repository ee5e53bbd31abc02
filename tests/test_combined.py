"""What is learnt from other pairs: from which pairs and words, and that it is what a plain computation gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import made_up
from linguabridge.choosing.combined import COMBINED, FEATURES, HABIT, left_out, ridge, standard, usefulness
from linguabridge.study.measured import MeasuredPair


@pytest.fixture(scope="module")
def pairs() -> list[MeasuredPair]:
    """Six made-up pairs of which each is asked for concepts of its own, and the reverse of the first."""
    six = [
        replace(one, concepts=tuple(f"{one.source}{one.target}{n}" for n in range(len(one.words))))
        for one in made_up.study().pairs
    ]
    first = six[0]
    return [
        *six,
        replace(first, source=first.target, target=first.source, concepts=tuple(f"r{c}" for c in first.words)),
    ]


def mean_reciprocal(one: MeasuredPair, code: str, kept: list[int]) -> float:
    ranks = one.ranks[one.arms.index(code)]
    return sum(1 / int(ranks[i]) for i in kept) / len(kept)


def test_usefulness_is_mrr_less_that_of_all_candidates(pairs: list[MeasuredPair]) -> None:
    one = pairs[0]
    apart = one.concepts[::2]
    kept = list(range(1, len(one.concepts), 2))
    by_hand = [mean_reciprocal(one, code, kept) for code in one.candidates]
    found = usefulness(one, apart_from=apart)
    np.testing.assert_allclose(found, np.array(by_hand) - np.mean(by_hand))
    assert usefulness(one, apart_from=one.concepts[9:]) is None


def test_habit_is_the_mean_usefulness_in_other_pairs(pairs: list[MeasuredPair]) -> None:
    one, *_, reverse = pairs
    others = [other for other in pairs if other not in (one, reverse)]
    found = left_out(one, pairs)[HABIT]
    for code, value in zip(one.candidates, found, strict=True):
        gains = []
        for other in others:
            if code in other.candidates:
                values = [mean_reciprocal(other, some, list(range(len(other.words)))) for some in other.candidates]
                gains.append(values[other.candidates.index(code)] - np.mean(values))
        assert value == pytest.approx(np.mean(gains))


def test_nothing_is_learnt_from_the_pair_its_reverse_or_its_words(pairs: list[MeasuredPair]) -> None:
    one, *others, reverse = pairs
    before = left_out(one, pairs)
    rng = np.random.default_rng(0)
    changed = [replace(some, ranks=rng.permuted(some.ranks, axis=None)) for some in (one, reverse)]
    # A pair of the rest that shares half of its concepts: only the other half of its words may matter.
    shared = [replace(others[0], concepts=(*one.concepts[:20], *others[0].concepts[20:])), *others[1:]]
    ranks = shared[0].ranks.copy()
    ranks[:, :20] = rng.integers(1, 11, ranks[:, :20].shape)
    spoilt = [replace(shared[0], ranks=ranks), *others[1:]]
    for name in (HABIT, COMBINED):
        np.testing.assert_array_equal(left_out(one, [changed[0], *others, changed[1]])[name], before[name])
        np.testing.assert_array_equal(left_out(one, [one, *shared])[name], left_out(one, [one, *spoilt])[name])
    assert not np.array_equal(left_out(one, [one, *shared])[HABIT], before[HABIT])


def test_combined_is_a_ridge_regression_over_standardised_scores(pairs: list[MeasuredPair]) -> None:
    one, *others, _ = pairs

    def columns(pair: MeasuredPair) -> np.ndarray:
        scores = np.array([pair.scores[name] for name in FEATURES]).T
        deviation = np.nanstd(scores, axis=0)
        return np.nan_to_num((scores - np.nanmean(scores, axis=0)) / np.where(deviation > 0, deviation, 1))

    rows = np.concatenate(list(map(columns, others)))
    gains = np.concatenate([usefulness(other) for other in others])
    # A penalty of 20 is 20 more rows that say "no effect" of one way each.
    penalised = np.concatenate([rows, np.sqrt(20) * np.eye(len(FEATURES))])
    weights = np.linalg.lstsq(penalised, np.concatenate([gains, np.zeros(len(FEATURES))]))[0]
    np.testing.assert_allclose(left_out(one, pairs)[COMBINED], columns(one) @ weights, rtol=1e-8)


def test_without_scores_to_combine_only_the_habit_is_left(pairs: list[MeasuredPair]) -> None:
    poor = [replace(one, scores={"english": one.scores["english"]}) for one in pairs]
    assert set(left_out(poor[0], poor)) == {HABIT}
    assert left_out(pairs[0], pairs[:3]) == {}


def test_scores_are_standardised_within_a_pair_and_silence_is_the_mean() -> None:
    one = made_up.study().pairs[0]
    n = len(one.candidates)
    scores = {"hub": tuple(map(float, range(n))), "bits": (2.0,) * n, "cka": (float("nan"),) * n}
    found = standard(replace(one, scores=scores), ["hub", "bits", "cka"])
    assert found[:, 0].mean() == pytest.approx(0)
    assert found[:, 0].std() == pytest.approx(1)
    assert not found[:, 1:].any()


def test_ridge_is_the_minimum_it_says() -> None:
    rng = np.random.default_rng(0)
    rows, values = rng.normal(size=(30, 4)), rng.normal(size=30)
    found = ridge(rows, values, 3.0)

    def loss(weights: np.ndarray) -> float:
        return float(((rows @ weights - values) ** 2).sum() + 3 * (weights**2).sum())

    for step in rng.normal(size=(50, 4)):
        assert loss(found) < loss(found + 0.1 * step)
