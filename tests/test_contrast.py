"""Contrasts and Holm's correction against enumerations, examples worked by hand, scipy's own tests, and simulations."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from linguabridge import paired
from linguabridge.paired import MCNEMAR, PERMUTATION, contrast, holm, mean_interval, share_interval, sign_flip_p

Scores = NDArray[np.float64]


def differing(differences: Scores) -> tuple[Scores, Scores]:
    """Scores of two arms with these differences."""
    base = np.linspace(0.2, 0.6, len(differences))
    return base + differences, base


def by_enumeration(differences: Scores) -> float:
    """Share of all sign flips whose mean is no nearer to 0 than the one seen."""
    seen = abs(sum(differences))
    flips = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in flips]
    return sum(one >= seen - 1e-9 for one in sums) / len(sums)


# Holm


def test_holm_by_hand() -> None:
    # Four hypotheses: .005 × 4, .01 × 3, then .03 × 2 and .04 × 1, raised to the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # As R's p.adjust(c(.01, .02, .03, .04, .05), "holm") has it: .05 .08 .09 .09 .09.
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


def test_holm_leaves_one_alone_caps_at_one_and_takes_none() -> None:
    assert holm([]) == []
    assert holm([0.03]) == [0.03]
    assert holm([0.6, 0.7, 0.2]) == pytest.approx([1.0, 1.0, 0.6])
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])


def test_holm_decides_as_the_step_down_procedure_does() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        p = rng.random(7) ** 4
        rejected = set()
        for place, i in enumerate(np.argsort(p)):
            if p[i] > 0.05 / (7 - place):
                break
            rejected.add(int(i))
        adjusted = holm(p.tolist())
        assert {i for i, one in enumerate(adjusted) if one <= 0.05} == rejected
        assert all(one >= raw for one, raw in zip(adjusted, p, strict=True))


# p-values


@pytest.mark.parametrize(("gained", "lost"), [(9, 1), (1, 9), (4, 4), (6, 0), (1, 0)])
def test_right_or_wrong_is_the_binomial_test_of_items_that_changed(gained: int, lost: int) -> None:
    scores = np.array([1.0] * gained + [0.0] * lost + [1.0] * 5 + [0.0] * 3)
    baseline = np.array([0.0] * gained + [1.0] * lost + [1.0] * 5 + [0.0] * 3)
    found = contrast(scores, baseline, 0, binary=True)
    assert found.p == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)
    assert (found.test, found.gained, found.lost, found.p_holm) == (MCNEMAR, gained, lost, None)
    assert found.difference.value == pytest.approx((gained - lost) / len(scores))


def test_graded_scores_are_tested_by_every_flip_of_signs() -> None:
    rng = np.random.default_rng(1)
    for differences in (rng.normal(0.1, 0.2, 8), np.array([0.5, 0, 0.5, -0.5, 0.5, 0, 0.25, 0.25]), rng.normal(size=2)):
        found = contrast(*differing(differences), 0, binary=False)
        assert found.p == pytest.approx(by_enumeration(differences), abs=1e-12)
        assert found.test == PERMUTATION
        assert (found.gained, found.lost) == (sum(differences > 0), sum(differences < 0))


def test_many_graded_scores_are_tested_as_scipy_does() -> None:
    differences = np.random.default_rng(2).normal(0.15, 1, 150)
    ours = contrast(*differing(differences), 0, binary=False).p
    theirs = stats.permutation_test(
        (differences,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=9999,
        rng=np.random.default_rng(0),
        batch=1000,
        vectorized=True,
    ).pvalue
    assert 0.01 < theirs < 0.5
    assert ours == pytest.approx(theirs, abs=4 * np.sqrt(theirs / 9999))
    assert ours == pytest.approx(float(stats.ttest_1samp(differences, 0).pvalue), abs=0.02)


def test_exact_and_random_flips_agree_at_their_border() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, 17)
    random = contrast(*differing(differences), 0, binary=False).p
    assert random == pytest.approx(by_enumeration(differences), abs=0.01)


def test_a_p_value_stays_small_after_many_comparisons() -> None:
    found = contrast(*differing(np.full(60, 0.2)), 0, binary=False)
    assert 0 < found.p * 4000 < 0.05


def test_rounding_is_no_difference() -> None:
    third = np.full(20, 1 / 3)
    found = contrast(third + 1e-16, third - 5e-17, 0, binary=False)
    assert (found.gained, found.lost, found.p) == (0, 0, 1)
    assert (found.difference.low, found.difference.high) == (0, 0)


# Little or no data, and what is refused


@pytest.mark.parametrize("binary", [True, False])
def test_no_item_and_one_item_show_nothing(binary: bool) -> None:
    none = contrast(np.array([]), np.array([]), 0, binary=binary)
    assert (none.p, none.gained, none.lost) == (1, 0, 0)
    assert np.isnan([none.difference.value, none.difference.low, none.difference.high, none.detectable]).all()
    one = contrast(np.array([1.0]), np.array([0.0]), 0, binary=binary)
    assert (one.p, one.gained, one.lost) == (1, 1, 0)
    assert (one.difference.low, one.difference.high) == (1, 1)
    assert np.isnan(one.detectable)


def test_arms_alike_tell_of_right_answers_what_was_detectable_and_of_graded_ones_nothing() -> None:
    same = np.array([0.0, 1.0] * 50)
    right, graded = contrast(same, same, 0, binary=True), contrast(same, same, 0, binary=False)
    assert right.p == graded.p == 1
    assert right.difference == graded.difference
    assert (right.difference.value, right.difference.low, right.difference.high) == (0, 0, 0)
    assert np.isnan(graded.detectable)
    # Of 100 items that change for the better at this rate, six or more do in 80 % of cases.
    assert stats.binom.sf(5, 100, right.detectable) == pytest.approx(0.8)
    assert np.isnan(contrast(same[:5], same[:5], 0, binary=True).detectable)


def test_scores_that_cannot_be_compared_are_refused() -> None:
    good = np.array([0.0, 1.0, 1.0])
    for scores, binary in (
        (np.array([0.0, np.nan, 1.0]), False),
        (np.array([0.0, np.inf, 1.0]), False),
        (np.array([0.0, 0.5, 1.0]), True),
        (np.array([0.0, 1.0]), False),
        (np.array([0.0]), False),
    ):
        with pytest.raises(ValueError, match=r"Scores|score"):
            contrast(scores, good, 0, binary=binary)
        with pytest.raises(ValueError, match=r"Scores|score"):
            contrast(good, scores, 0, binary=binary)
    for groups in (["a", "a"], ["a", "a", "b", "b"], []):
        with pytest.raises(ValueError, match="groups"):
            contrast(good, good, 0, binary=True, groups=groups)
        with pytest.raises(ValueError, match="groups"):
            mean_interval(good, 0, groups)


def test_contrast_repeats_with_its_seed() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.random(40), rng.random(40)
    assert contrast(a, b, 5, binary=False) == contrast(a, b, 5, binary=False) != contrast(a, b, 6, binary=False)


# The interval, errors and power


def test_interval_is_that_of_a_naive_bootstrap() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(60), rng.random(60) ** 2
    found = contrast(a, b, 0, binary=False).difference
    means = []
    for _ in range(4000):
        drawn = rng.integers(0, 60, 60)
        means.append(a[drawn].mean() - b[drawn].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == (pytest.approx(low, abs=0.006), pytest.approx(high, abs=0.006))


def test_interval_covers_the_true_difference_about_95_times_in_100() -> None:
    rng = np.random.default_rng(6)
    inside = 0
    for seed in range(150):
        # One of two correlated right-or-wrong arms is .1 better.
        drawn = rng.random(120)
        arm, base = (drawn < 0.5).astype(float), (drawn < 0.4).astype(float)
        change = rng.random(120) < 0.2
        base[change] = rng.random(int(change.sum())) < 0.4
        interval = contrast(arm, base, seed, binary=True).difference
        inside += interval.low <= 0.1 <= interval.high
    assert 135 <= inside <= 149  # 142.5 expected, 2.7 the standard deviation


@pytest.mark.parametrize("binary", [True, False])
def test_false_alarms_are_no_more_than_5_in_100(binary: bool) -> None:
    rng = np.random.default_rng(7)
    p = []
    for seed in range(200):
        a, b = rng.random(15), rng.random(15)  # few, so that the permutations are exact and quick
        p.append(contrast(a.round() if binary else a, b.round() if binary else b, seed, binary=binary).p)
    assert np.mean(np.array(p) < 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    if not binary:
        assert stats.kstest(p, "uniform").pvalue > 0.01


def test_detectable_difference_of_graded_scores_is_found_4_times_in_5() -> None:
    rng = np.random.default_rng(8)
    n, spread = 100, 0.4
    detectable = contrast(*differing(rng.normal(0, spread, n)), 0, binary=False).detectable
    assert detectable == pytest.approx(2.8 * spread / np.sqrt(n), rel=0.2)
    found = [stats.ttest_1samp(rng.normal(2.8 * spread / np.sqrt(n), spread, n), 0).pvalue < 0.05 for _ in range(4000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_detectable_difference_of_right_answers_is_found_4_times_in_5(share: float) -> None:
    """Whether many items change in both directions, or hardly any."""
    rng = np.random.default_rng(9)
    n = 400
    changed = np.zeros(n)
    changed[: int(share * n)] = np.tile([1, -1], n)[: int(share * n)]
    base = (changed < 0).astype(float)
    detectable = contrast(base + changed, base, 0, binary=True).detectable
    # The same share of items changes, but more of them for the better.
    up = (max(share, detectable) + detectable) / 2
    down = max(share, detectable) - up
    power = []
    for _ in range(2000):
        gained, lost, _ = rng.multinomial(n, [up, down, 1 - up - down])
        power.append(stats.binomtest(gained, gained + lost).pvalue < 0.05)
    assert np.mean(power) == pytest.approx(0.8, abs=0.05)


def test_many_items_take_little_time_and_memory() -> None:
    rng = np.random.default_rng(10)
    a, b = rng.random(2500), rng.random(2500)
    start = time.perf_counter()
    contrast(a, b, 0, binary=False)
    assert time.perf_counter() - start < 15  # about 1.5 on an idle core
    tracemalloc.start()
    try:
        contrast(a[:2500], b[:2500], 0, binary=False)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


# Items in groups


def named(sizes: Iterable[int]) -> list[str]:
    """Names of the groups of items, as many of each as it is large."""
    return [f"group {i}" for i, size in enumerate(sizes) for _ in range(size)]


def sums(differences: Scores, groups: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one, group in zip(differences.tolist(), groups, strict=True):
        found[group] = found.get(group, 0.0) + one
    return found


def sandwich(differences: Scores, groups: list[str]) -> float:
    """Standard error of a mean of clustered items, written out: the linearised ratio of sums."""
    mean = differences.mean()
    return float(np.sqrt(sum(one**2 for one in sums(differences - mean, groups).values())) / len(differences))


@pytest.mark.parametrize("binary", [True, False])
def test_groups_of_one_change_nothing(binary: bool) -> None:
    rng = np.random.default_rng(11)
    a, b = rng.random(40), rng.random(40)
    a, b = (a.round(), b.round()) if binary else (a, b)
    alone = named([1] * 40)
    assert contrast(a, b, 3, binary=binary, groups=alone) == contrast(a, b, 3, binary=binary)
    assert contrast(a, b, 3, binary=binary, groups=None) == contrast(a, b, 3, binary=binary)
    assert mean_interval(a, 3, alone) == mean_interval(a, 3)
    none = contrast(np.array([]), np.array([]), 0, binary=binary, groups=[])
    assert (none.p, none.gained, none.lost) == (1, 0, 0)


@pytest.mark.parametrize("binary", [True, False])
def test_groups_are_tested_by_every_flip_of_their_sums(binary: bool) -> None:
    rng = np.random.default_rng(12)
    for _ in range(5):
        groups = named(rng.integers(1, 5, 9))
        a, b = rng.random(len(groups)) ** 0.5, rng.random(len(groups))
        a, b = (a.round(), b.round()) if binary else (a, b)
        found = contrast(a, b, 0, binary=binary, groups=groups)
        assert found.test == PERMUTATION
        assert found.p == pytest.approx(by_enumeration(np.array(list(sums(a - b, groups).values()))), abs=1e-12)
        assert found.difference.value == pytest.approx((a - b).mean())
        assert (found.gained, found.lost) == (sum(a > b), sum(a < b))  # items


def test_groups_need_not_stand_together() -> None:
    rng = np.random.default_rng(13)
    groups = named(rng.integers(1, 5, 30))
    a, b = rng.random(len(groups)), rng.random(len(groups))
    order = rng.permutation(len(groups))
    first = contrast(a, b, 0, binary=False, groups=groups)
    other = contrast(a[order], b[order], 0, binary=False, groups=[groups[i] for i in order])
    assert other.p == pytest.approx(first.p, abs=0.01)
    assert other.difference.low == pytest.approx(first.difference.low, abs=0.01)
    # Names are compared whole: numpy would take the NUL off.
    assert contrast(a[:3], b[:3], 0, binary=False, groups=["a", "a\0", "a "]) == contrast(a[:3], b[:3], 0, binary=False)


def test_interval_of_groups_is_that_of_a_naive_cluster_bootstrap() -> None:
    rng = np.random.default_rng(14)
    sizes = rng.integers(1, 6, 40)
    values = np.repeat(rng.normal(0, 0.5, 40), sizes) + rng.normal(0.2, 0.3, sizes.sum())
    members = np.split(values, np.cumsum(sizes)[:-1])
    means = [np.concatenate([members[i] for i in rng.integers(0, 40, 40)]).mean() for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    found = mean_interval(values, 0, named(sizes))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == (pytest.approx(low, abs=0.015), pytest.approx(high, abs=0.015))
    alone = mean_interval(values, 0)
    assert found.high - found.low > 1.5 * (alone.high - alone.low)
    graded = contrast(values, np.zeros(len(values)), 0, binary=False, groups=named(sizes))
    assert (graded.difference.low, graded.difference.high) == (pytest.approx(found.low), pytest.approx(found.high))
    assert graded.detectable == pytest.approx(2.8 * sandwich(values, named(sizes)), rel=0.05)


def test_a_group_repeated_tells_no_more_than_its_item_once() -> None:
    rng = np.random.default_rng(15)
    a, b = rng.random(12), rng.random(12)
    once = contrast(a, b, 0, binary=False)
    thrice = contrast(np.repeat(a, 3), np.repeat(b, 3), 0, binary=False, groups=named([3] * 12))
    assert thrice.p == once.p
    assert (thrice.difference.low, thrice.difference.high) == (
        pytest.approx(once.difference.low, abs=0.01),
        pytest.approx(once.difference.high, abs=0.01),
    )
    assert thrice.detectable == pytest.approx(once.detectable, rel=0.05)


@pytest.mark.parametrize("binary", [True, False])
def test_one_group_and_groups_alike_show_nothing_of_the_spread(binary: bool) -> None:
    one = contrast(np.array([1.0, 1, 0]), np.zeros(3), 0, binary=binary, groups=["a"] * 3)
    assert (one.p, one.gained, one.lost) == (1, 2, 0)
    assert (one.difference.low, one.difference.high) == (one.difference.value,) * 2
    assert np.isnan(one.detectable)
    alike = contrast(np.tile([1.0, 0, 0], 10), np.zeros(30), 0, binary=binary, groups=named([3] * 10))
    assert alike.p == 2 / 2**10
    assert alike.difference.value == pytest.approx(1 / 3)
    assert (alike.difference.low, alike.difference.high) == (alike.difference.value,) * 2
    # Of 10 groups that all change together at this rate, six or more do in 80 % of cases.
    assert stats.binom.sf(5, 10, alike.detectable) == pytest.approx(0.8) if binary else np.isnan(alike.detectable)
    few = contrast(np.tile([1.0, 0, 0], 5), np.zeros(15), 0, binary=binary, groups=named([3] * 5))
    assert np.isnan(few.detectable)


def bridged(rng: np.random.Generator, n_groups: int, gain: float = 0.0) -> tuple[Scores, Scores, list[str]]:
    """Right answers on groups of three that share a bridge text: of half of the texts good, of half bad.

    The difference of a group has variance 3 × .25 + 3 × .25 = 1.5 where nothing is shared; here the arm's chance is
    .5 ± .354, so that its part is 3 × (.25 − .125) + 9 × .125 = 1.5, and all 2.25.
    """
    quality = 0.5 + np.where(rng.random(n_groups) < 0.5, 1, -1) * np.sqrt(0.125)
    arm = rng.random(3 * n_groups) < np.repeat(quality, 3) + gain
    return arm.astype(float), (rng.random(3 * n_groups) < 0.5).astype(float), named([3] * n_groups)


def test_what_a_group_shares_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items taken for independent give false alarms twice as often as they may; their groups do not."""
    monkeypatch.setattr(paired, "FLIPS", 999)
    monkeypatch.setattr(paired, "RESAMPLES", 999)
    rng = np.random.default_rng(16)
    tried = 1000
    alone, grouped, inside = 0, 0, 0
    for seed in range(tried):
        a, b, groups = bridged(rng, 100)
        alone += contrast(a, b, seed, binary=True).p < 0.05
        found = contrast(a, b, seed, binary=True, groups=groups)
        grouped += found.p < 0.05
        inside += found.difference.low <= 0 <= found.difference.high
    # By the normal approximation 2 × Φ(−1.96 / √1.5) = 11 %, somewhat less as the exact test is discrete.
    assert 0.08 < alone / tried < 0.13
    assert grouped / tried == pytest.approx(0.05, abs=0.02)  # three standard deviations
    assert inside / tried == pytest.approx(0.95, abs=0.025)


def test_interval_of_unequal_groups_covers_the_true_difference_about_95_times_in_100(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paired, "RESAMPLES", 999)
    rng = np.random.default_rng(17)
    tried, inside, alone = 600, 0, 0
    for seed in range(tried):
        sizes = rng.integers(1, 5, 80)
        values = np.repeat(rng.normal(0.1, 0.3, 80), sizes) + rng.normal(0, 0.3, sizes.sum())
        grouped, naive = mean_interval(values, seed, named(sizes)), mean_interval(values, seed)
        inside += grouped.low <= 0.1 <= grouped.high
        alone += naive.low <= 0.1 <= naive.high
    assert inside / tried == pytest.approx(0.945, abs=0.03)
    assert alone / tried < 0.9


def test_detectable_difference_of_groups_is_found_4_times_in_5(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(18)
    a, b, groups = bridged(rng, 300)
    gain = contrast(a, b, 0, binary=True, groups=groups).detectable
    assert gain == pytest.approx(2.8 * sandwich(a - b, groups), rel=0.05)
    assert gain == pytest.approx(2.8 * np.sqrt(2.25 * 300) / 900, rel=0.15)
    monkeypatch.setattr(paired, "FLIPS", 999)
    monkeypatch.setattr(paired, "RESAMPLES", 99)
    # A true difference as large as theory has it.
    drawn = (bridged(rng, 300, 2.8 * np.sqrt(2.25 * 300) / 900) for _ in range(300))
    found = [contrast(a, b, seed, binary=True, groups=some).p < 0.05 for seed, (a, b, some) in enumerate(drawn)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_many_groups_take_little_time() -> None:
    a, b, groups = bridged(np.random.default_rng(19), 824)
    start = time.perf_counter()
    contrast(a, b, 0, binary=True, groups=groups)
    assert time.perf_counter() - start < 10  # under 1 on an idle core


@pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0.0, 1 - 0.025 ** (1 / 40)), (1.0, 0.025 ** (1 / 40), 1.0)])
def test_share_of_none_or_all_has_an_exact_interval(value: float, low: float, high: float) -> None:
    found = share_interval(np.full(40, value), 0)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high))
    grouped = share_interval(np.full(40, value), 0, [str(i // 2) for i in range(40)])
    assert grouped.high - grouped.low > found.high - found.low  # twenty groups say less than forty items


def test_share_between_is_the_bootstraps() -> None:
    values = np.array([0.0, 1.0, 1.0, 0.5] * 5)
    assert share_interval(values, 3) == mean_interval(values, 3)


# Ends, and what there is at them


def by_convolution(units: NDArray[np.int64]) -> float:
    """Share of all sign flips of whole numbers whose sum is no nearer to 0 than the one seen, by adding polynomials."""
    sums = {0: 1}
    for unit in units.tolist():
        grown: dict[int, int] = {}
        for total, ways in sums.items():
            for sign in (unit, -unit):
                grown[total + sign] = grown.get(total + sign, 0) + ways
        sums = grown
    seen = abs(int(units.sum()))
    return sum(ways for total, ways in sums.items() if abs(total) >= seen) / 2 ** len(units)


def test_all_flips_are_gone_through_up_to_sixteen() -> None:
    rng = np.random.default_rng(7)
    for n in (15, 16):
        units = rng.integers(1, 9, n) * rng.choice((-1, 1), n)
        units[:3] = abs(units[:3])
        assert sign_flip_p(units.astype(float), 0) == pytest.approx(by_convolution(units), abs=1e-12)


def test_random_flips_are_about_all_of_them() -> None:
    rng = np.random.default_rng(8)
    for seed in range(3):
        units = rng.integers(1, 9, 40) * np.where(rng.random(40) < 0.65, 1, -1)
        exact = by_convolution(units)
        assert sign_flip_p(units.astype(float), seed) == pytest.approx(exact, abs=4 * np.sqrt(exact / 99_999) + 1e-5)


def test_the_least_p_of_random_flips_counts_the_one_seen() -> None:
    assert sign_flip_p(np.ones(60), 0) == 1 / 100_000


def test_random_signs_are_even() -> None:
    # Only about half of all ways of choosing among 40 alike items have 20 or more; signs that lean would have more.
    units = np.r_[np.ones(20), -np.ones(20)]
    assert sign_flip_p(units, 0) == 1
    drawn = np.concatenate(list(paired._random_flips(40, 0)))
    assert drawn.shape == (99_999, 40)
    assert drawn.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(drawn.size))


def test_right_or_wrong_of_many_items_is_the_binomial_test_to_the_last_digit() -> None:
    gained, lost = 40, 22
    scores, baseline = np.array([1.0] * gained + [0.0] * lost), np.array([0.0] * gained + [1.0] * lost)
    assert contrast(scores, baseline, 0, binary=True).p == stats.binomtest(gained, gained + lost).pvalue


def test_scores_may_be_truth_values() -> None:
    a, b = np.array([True, True, False, True] * 3), np.array([False, True, True, False] * 3)
    assert contrast(a, b, 0, binary=True) == contrast(a.astype(float), b.astype(float), 0, binary=True)


def test_six_items_are_enough_to_say_what_could_be_seen() -> None:
    ones, none = np.ones(6), np.zeros(6)
    assert contrast(ones, none, 0, binary=True).detectable == pytest.approx(0.8 ** (1 / 6))  # all six, in 80 % of cases
    assert np.isnan(contrast(ones[:5], none[:5], 0, binary=True).detectable)


@pytest.mark.parametrize(
    ("scores", "message"),
    [([1.0, np.nan], "A score is not a finite number."), ([1.0, 0.5], "Scores are neither 0 nor 1.")],
)
def test_scores_that_cannot_be_are_said(scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        contrast(np.array(scores), np.zeros(2), 0, binary=True)
