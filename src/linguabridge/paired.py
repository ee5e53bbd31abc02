"""Paired comparisons of two arms on the same items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 9999


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


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


def mean_interval(values: NDArray[np.floating], seed: int) -> Interval:
    """Mean with a 95 % percentile bootstrap interval over items (Efron and Tibshirani, 1993, chapter 13)."""
    if len(values) < 2 or np.ptp(values) == 0:
        mean = float(values.mean()) if len(values) else float("nan")
        return Interval(mean, mean, mean)
    result = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed), batch=1000
    )
    return Interval(float(values.mean()), float(result.confidence_interval.low), float(result.confidence_interval.high))


def compare(ranks: NDArray[np.int64], baseline: NDArray[np.int64], seed: int) -> Comparison:
    """Compare two arms by the ranks of the right answers.

    Args:
        ranks: of the arm, shape (items,), 1 for the best.
        baseline: of the other arm, same items in the same order.
        seed: of the bootstrap.
    """
    mrr = mean_interval(1 / ranks - 1 / baseline, seed)
    first = mean_interval((ranks == 1).astype(float) - (baseline == 1), seed)
    gained = int(((ranks == 1) & (baseline != 1)).sum())
    lost = int(((ranks != 1) & (baseline == 1)).sum())
    p = float(stats.binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    return Comparison(mrr, first, p, (mrr.high - mrr.low) / 2 * (1.96 + 0.84) / 1.96)
