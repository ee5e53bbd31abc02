"""Paired comparisons against a binomial summed by hand and cases one can work out."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from linguabridge.evaluation.statistics import is_significant
from linguabridge.paired import Contrast, Difference, Interval, compare, mean_interval, share_interval


def mcnemar_by_hand(gained: int, lost: int) -> float:
    """Two-sided exact: all outcomes of n fair coins that are no likelier than what was seen."""
    n = gained + lost
    seen = comb(n, gained)
    return sum(comb(n, k) for k in range(n + 1) if comb(n, k) <= seen) / 2**n


@pytest.mark.parametrize(("gained", "lost"), [(8, 1), (1, 8), (5, 5), (3, 0), (12, 4), (1, 0)])
def test_mcnemar_is_the_exact_binomial_on_items_that_changed(gained: int, lost: int) -> None:
    ranks = np.array([1] * gained + [2] * lost + [1] * 7 + [3] * 9)
    baseline = np.array([4] * gained + [1] * lost + [1] * 7 + [2] * 9)
    assert compare(ranks, baseline, 0).mcnemar == pytest.approx(mcnemar_by_hand(gained, lost))


def test_identical_arms_do_not_differ() -> None:
    ranks = np.array([1, 2, 5, 1, 10])
    found = compare(ranks, ranks, 0)
    assert found.mcnemar == 1
    assert found.detectable == 0
    for interval in (found.mrr, found.p_at_1):
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_differences_are_means_over_items() -> None:
    found = compare(np.array([1, 2, 4, 1]), np.array([2, 2, 1, 10]), 0)
    assert found.mrr.value == pytest.approx((1 / 2 + 0 - 3 / 4 + 9 / 10) / 4)
    assert found.p_at_1.value == pytest.approx(1 / 4)
    assert found.mrr.low < found.mrr.value < found.mrr.high
    assert found.detectable == pytest.approx(2.8 * (found.mrr.high - found.mrr.low) / (2 * 1.96))


def test_swapping_the_arms_mirrors_the_comparison() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 11, 60), rng.integers(1, 11, 60)
    there, back = compare(a, b, 0), compare(b, a, 0)
    assert there.mcnemar == back.mcnemar
    assert there.mrr.value == -back.mrr.value
    assert there.mrr.low == pytest.approx(-back.mrr.high, abs=0.01)


def test_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for seed in range(100):
        interval = mean_interval((rng.random(80) < 0.3).astype(float), seed)
        inside += interval.low <= 0.3 <= interval.high
    assert 88 <= inside <= 99


def test_interval_is_as_wide_as_the_standard_error_says() -> None:
    values = np.random.default_rng(2).normal(size=400)
    interval = mean_interval(values, 0)
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert interval.high - interval.value == pytest.approx(half, rel=0.1)
    assert interval.value - interval.low == pytest.approx(half, rel=0.1)


def test_interval_repeats_with_its_seed() -> None:
    values = np.random.default_rng(3).normal(size=30)
    assert mean_interval(values, 5) == mean_interval(values, 5) != mean_interval(values, 6)


def test_values_all_alike_have_no_width_and_none_is_nan() -> None:
    assert mean_interval(np.array([0.3, 0.3, 0.3]), 0).low == pytest.approx(0.3)
    assert mean_interval(np.array([0.7]), 0).high == 0.7
    assert np.isnan(mean_interval(np.array([]), 0).value)


def test_two_values_have_an_interval() -> None:
    # The mean of two draws from 0 and 1 is 0 or 1 in a quarter of cases each, so 95 % reach from the one to the other.
    interval = mean_interval(np.array([0.0, 1.0]), 0)
    assert (interval.value, interval.low, interval.high) == (0.5, 0, 1)


def test_an_interval_is_the_quantiles_of_ten_thousand_means_or_so() -> None:
    values = np.random.default_rng(4).normal(size=12)
    drawn = np.random.default_rng(9).choice(values, (200_000, 12)).mean(axis=1)
    interval = mean_interval(values, 0)
    for end, share in ((interval.low, 0.025), (interval.high, 0.975)):
        near = np.quantile(drawn, (share - 0.006, share + 0.006))  # four standard errors of 10,000 draws
        assert near[0] < end < near[1]


def test_seeds_and_groups_are_handed_on() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(1, 11, 1500), rng.integers(1, 11, 1500)
    first = (a == 1).astype(float)
    for seed in range(4):
        found = compare(a, b, seed)
        assert found.mrr == mean_interval(1 / a - 1 / b, seed)
        assert found.p_at_1 == mean_interval(first - (b == 1), seed)
        graded, groups = 1 / a[:40], [str(n // 4) for n in range(40)]
        assert share_interval(graded, seed) == mean_interval(graded, seed)
        assert (
            share_interval(graded, seed, groups) == mean_interval(graded, seed, groups) != mean_interval(graded, seed)
        )


def test_one_right_answer_says_little() -> None:
    # Clopper and Pearson: the least share that makes one success of one as likely as 2.5 %.
    assert share_interval(np.array([1.0]), 0).low == pytest.approx(0.025)
    assert share_interval(np.array([0.0]), 0).high == pytest.approx(0.975)


def test_intervals_of_groups_by_hand() -> None:
    two = mean_interval(np.array([0.0, 0.0, 1.0]), 0, ["a", "a", "b"])  # of unequal groups: a ratio of sums
    assert (two.value, two.low, two.high) == (pytest.approx(1 / 3), 0, 1)
    one = mean_interval(np.array([0.0, 1.0, 1.0]), 0, ["a", "a", "a"])
    assert one.low == one.high == one.value
    alike = mean_interval(np.array([0.2, 0.6, 0.4]), 0, ["a", "a", "b"])  # means of groups are the same
    assert alike.low == alike.high == pytest.approx(0.4)


@pytest.mark.parametrize(("p", "sign"), [(0.0499, 1), (0.05, 0), (0.0501, 0)])
def test_a_difference_is_shown_below_five_percent_and_not_at_it(p: float, sign: int) -> None:
    assert Difference(0.2, 0.1, 0.3, p).sign == sign
    one = Contrast(Interval(0.2, 0.1, 0.3), p, p, "exact McNemar", 9, 1, 0.1)
    assert is_significant(one) == bool(sign)
