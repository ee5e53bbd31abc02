"""Paired comparisons of two arms on the same items.

Items may come in groups that share something by which their differences are alike: three hypotheses on a premise,
questions on a passage, of which the bridge text is the same. Taken for independent they seem to tell more than they do,
and tests reject too often. So where a group has several items, it is the groups that are resampled (the cluster
bootstrap; Davison and Hinkley, 1997, section 3.8; Cameron, Gelbach and Miller, 2008) and whose signs are flipped. As
any inference on clusters, intervals need some thirty of them to be about right; the flips are exact with few, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 9999
FLIPS = 99_999  # so that a p-value can still be small after a correction for thousands of comparisons
MCNEMAR, PERMUTATION = "exact McNemar", "paired permutation"
_EXACT = 16  # differing items, at most, of which all 2**16 flips of signs are gone through
_BATCH = 500  # resamples at a time: 10 MB for 2,500 items
_DECIMALS = 9  # of differences; what lies beyond is rounding, by which a mean of scores differs from itself
_SIGNIFICANT = 6  # items, all for one arm, from which the exact McNemar test can fall below .05: 2 / 2**6
_POWER = 0.8
LEVEL = 0.05  # below which p must lie for a difference to be called shown
_ERRORS_SEEN = 1.96 + 0.84  # a true difference of as many standard errors is significant (two-sided, 5 %) at that power


def shown(p: float) -> bool:
    """Whether a p-value is small enough for a difference to be called shown: below :data:`LEVEL`, not at it."""
    return p < LEVEL


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Interval):
    """A mean difference with its 95 % interval.

    Attributes:
        p: two-sided p-value of the mean under random signs (:func:`sign_flip_p`), which is exact where values are few
            and intervals only about right; None where there is a single value.
    """

    p: float | None

    @property
    def sign(self) -> int:
        """1 where it is shown to lie above 0, -1 below, 0 where neither is: by the interval and by p."""
        if self.p is not None and not shown(self.p):
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


@dataclass(frozen=True)
class Comparison:
    """One arm against another.

    Attributes:
        mrr: difference of the mean reciprocal ranks, with a paired bootstrap interval over items.
        p_at_1: difference of the shares ranked first, likewise.
        mcnemar: two-sided p-value of the exact McNemar test on "ranked first".
        detectable: the difference of ``mrr`` that as many items would show to be one (two-sided, 5 %) with a power of
            80 %: 2.8 standard errors, the interval being 2 × 1.96 wide.
    """

    mrr: Interval
    p_at_1: Interval
    mcnemar: float
    detectable: float


@dataclass(frozen=True)
class Contrast:
    """One arm against another by the scores of the same items.

    Attributes:
        difference: mean of the items' differences, with a paired bootstrap interval over items, or over groups where
            one has several. One item (one group), or items that all differ alike, give an interval without width; no
            item gives NaN.
        p: two-sided p-value of the hypothesis that the arms are exchangeable, item by item, or group by group; 1 where
            nothing differs.
        p_holm: the same after Holm's correction over all comparisons of a run; None where it is not one of those.
        test: :data:`MCNEMAR` for scores that are right or wrong, each item on its own, else :data:`PERMUTATION`.
        gained: items on which the arm is better.
        lost: items on which it is worse.
        detectable: the difference that as many items would show to be one (two-sided, 5 %, without Holm's correction)
            with a power of 80 %. It is 2.8 standard errors, by the spread seen. Right or wrong answers need at least
            six items that changed for the better alone, so there it is never less than the share of items at which
            six or more change in 80 % of cases. In groups, the standard error is that of groups, and six groups have to
            change; they are taken to change whole, since few changes do not tell. NaN where nothing can be said: fewer
            than six items (groups) of the latter kind, or graded scores that all differ alike, which tell nothing of
            the spread.
    """

    difference: Interval
    p: float
    p_holm: float | None
    test: str
    gained: int
    lost: int
    detectable: float


def mean_interval(values: NDArray[np.floating], seed: int, groups: Sequence[str] | None = None) -> Interval:
    """Mean with a 95 % percentile bootstrap interval over items (Efron and Tibshirani, 1993, chapter 13).

    Args:
        values: of the items, shape (items,).
        seed: of the bootstrap.
        groups: name of each item's group. Where one repeats, whole groups are drawn, and the mean is that of all items
            of the groups drawn: of unequal groups, a ratio of sums (Davison and Hinkley, 1997, section 3.8).

    Raises:
        ValueError: the groups are not as many as the values.
    """
    mean = float(values.mean()) if len(values) else float("nan")
    of_items = _grouped(groups, len(values))
    if of_items is not None:
        return _interval_of_groups(values, mean, of_items, seed)
    if len(values) < 2 or np.ptp(values) == 0:
        return Interval(mean, mean, mean)
    result = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed), batch=1000
    )
    return Interval(mean, float(result.confidence_interval.low), float(result.confidence_interval.high))


def share_interval(values: NDArray[np.floating], seed: int, groups: Sequence[str] | None = None) -> Interval:
    """:func:`mean_interval` of scores between 0 and 1, which is wide also where all are 0, or all 1.

    There a bootstrap sees no spread; the exact interval of a share is given (Clopper and Pearson, 1934), of groups
    where items come in groups.
    """
    found = mean_interval(values, seed, groups)
    n = len(values) if groups is None else len(set(groups))
    if len(values) and np.ptp(values) == 0 and values[0] in (0, 1):
        exact = stats.binomtest(int(values[0]) * n, n).proportion_ci(0.95, "exact")
        return Interval(found.value, float(exact.low), float(exact.high))
    return found


def compare(ranks: NDArray[np.int64], baseline: NDArray[np.int64], seed: int) -> Comparison:
    """Compare two arms by the ranks of the right answers.

    Args:
        ranks: of the arm, shape (items,), 1 for the best.
        baseline: of the other arm, same items in the same order.
        seed: of the bootstrap.
    """
    mrr = mean_interval(1 / ranks - 1 / baseline, seed)
    first = (ranks == 1).astype(float) - (baseline == 1)
    return Comparison(mrr, mean_interval(first, seed), _mcnemar(first), _standard_errors_seen(mrr))


def contrast(
    scores: NDArray[np.floating],
    baseline: NDArray[np.floating],
    seed: int,
    *,
    binary: bool,
    groups: Sequence[str] | None = None,
) -> Contrast:
    """Compare two arms by the scores of their items.

    Args:
        scores: of the arm, shape (items,); the higher the better.
        baseline: of the other arm, same items in the same order.
        seed: of the bootstrap and of the permutations.
        binary: scores are 0 or 1: the exact McNemar test. Otherwise the signs of the items' differences are flipped at
            random, which is what exchanging the arms on an item does to it, and p is the share of flips whose mean
            difference is no nearer to 0 than the one seen: of all flips where at most 16 items differ, else of 99,999
            random ones and the one seen (Phipson and Smyth, 2010).
        groups: name of each item's group, of items that share something; None where each is on its own. Where one
            repeats, the groups are what is resampled, and what is flipped is the sign of a group's summed difference,
            also of scores that are 0 or 1: McNemar's test takes items for independent.

    Raises:
        ValueError: the arms have not the same items, or a score is NaN, or neither 0 nor 1 although ``binary``, or the
            groups are not as many as the items.
    """
    if scores.ndim != 1 or scores.shape != baseline.shape:
        raise ValueError(f"Scores of shape {scores.shape} cannot be paired with {baseline.shape}.")
    if not (np.isfinite(scores).all() and np.isfinite(baseline).all()):
        raise ValueError("A score is not a finite number.")
    if binary and not np.isin([scores, baseline], (0, 1)).all():
        raise ValueError("Scores are neither 0 nor 1.")
    differences = np.subtract(scores, baseline, dtype=np.float64).round(_DECIMALS)
    difference = mean_interval(differences, seed, groups)
    of_items = _grouped(groups, len(scores))
    units = differences if of_items is None else _sums(differences, of_items).round(_DECIMALS)
    exact = binary and of_items is None
    return Contrast(
        difference=difference,
        p=_mcnemar(differences) if exact else sign_flip_p(units, seed),
        p_holm=None,
        test=MCNEMAR if exact else PERMUTATION,
        gained=int((differences > 0).sum()),
        lost=int((differences < 0).sum()),
        detectable=_detectable(difference, len(units), binary=binary),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that, at 5 %, any false finding among all of them is no likelier than 5 % (Holm, 1979).

    The smallest of m is multiplied by m, the next by m − 1 and so on; none becomes smaller than one before it, or
    greater than 1.

    Args:
        p_values: of all comparisons; the result is in their order.
    """
    adjusted = [1.0] * len(p_values)
    least = 0.0
    for place, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = least
    return adjusted


def _grouped(groups: Sequence[str] | None, n: int) -> NDArray[np.intp] | None:
    """Each item's group as a number; None where every item is on its own."""
    if groups is None:
        return None
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups cannot be those of {n} items.")
    numbers: dict[str, int] = {}
    of_items = [numbers.setdefault(group, len(numbers)) for group in groups]
    return None if len(numbers) == n else np.array(of_items, dtype=np.intp)


def _interval_of_groups(values: NDArray[np.floating], mean: float, of_items: NDArray[np.intp], seed: int) -> Interval:
    sums, sizes = _sums(values, of_items), np.bincount(of_items)
    if len(sums) < 2 or np.ptp((sums / sizes).round(_DECIMALS)) == 0:
        return Interval(mean, mean, mean)
    rng = np.random.default_rng(seed)
    means = []
    for first in range(0, RESAMPLES, _BATCH):
        drawn = rng.integers(0, len(sums), (min(_BATCH, RESAMPLES - first), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return Interval(mean, float(low), float(high))


def _sums(values: NDArray[np.floating], of_items: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.bincount(of_items, weights=values).astype(np.float64)


def _mcnemar(differences: NDArray[np.floating]) -> float:
    """Two-sided exact binomial test of the items that changed."""
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def sign_flip_p(differences: NDArray[np.float64], seed: int) -> float:
    """Two-sided p-value of the mean under random signs: exact for up to 16 values that are not 0.

    ``scipy.stats.permutation_test`` gives the same, but sorts its way to each flip: forty times slower on 2,500 items.

    Args:
        differences: each paired, shape (n,).
        seed: of the signs, where they are drawn.
    """
    moved = np.abs(differences[differences != 0])  # the signs of zeros change nothing
    total = moved.sum()
    exact = len(moved) <= _EXACT
    # Of equal sums, one may come out smaller by rounding; they must count as equal.
    least = abs(differences.sum()) - 1e-12 * total
    signs = _all_flips(len(moved)) if exact else _random_flips(len(moved), seed)
    extreme = sum(int((np.abs(2 * (flips @ moved) - total) >= least).sum()) for flips in signs)
    return extreme / 2 ** len(moved) if exact else (extreme + 1) / (FLIPS + 1)


def _all_flips(n: int) -> Iterator[NDArray[np.float64]]:
    """Every way of choosing among n items, a row each."""
    for first in range(0, 2**n, _BATCH):
        numbers = np.arange(first, min(first + _BATCH, 2**n))
        yield ((numbers[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _random_flips(n: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Random ways of choosing among n items, a row each, as many as :data:`FLIPS`."""
    rng = np.random.default_rng(seed)
    for first in range(0, FLIPS, _BATCH):
        drawn = rng.integers(0, 256, (min(_BATCH, FLIPS - first), -(-n // 8)), dtype=np.uint8)
        yield np.unpackbits(drawn, axis=1, count=n).astype(np.float64)


def _detectable(difference: Interval, n: int, *, binary: bool) -> float:
    """The least difference that is found in 80 % of cases, by its interval and the number of items or groups."""
    by_spread = _standard_errors_seen(difference)
    if not binary:
        return by_spread or float("nan")
    if n < _SIGNIFICANT:
        return float("nan")
    # The share q at which a binomial count of n reaches 6 in 80 % of cases; its tail is a beta distribution's.
    return max(by_spread, float(stats.beta.ppf(_POWER, _SIGNIFICANT, n - _SIGNIFICANT + 1)))


def _standard_errors_seen(interval: Interval) -> float:
    return (interval.high - interval.low) / 2 * _ERRORS_SEEN / 1.96
