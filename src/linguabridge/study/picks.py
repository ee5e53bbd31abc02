"""What is picked of a pair's arms, and the statistics of that for every pair."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from linguabridge.study.measured import MeasuredPair, Pair
from linguabridge.study.regret import Statistic, gained, minus

Picks = Mapping[Pair, NDArray[np.float64]]  # of each pair: probability of picking each arm, shape (arms,)
Statistics = dict[Pair, Statistic]


def spread(one: MeasuredPair, at: NDArray[np.int64], picks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of the arms from those of some of them, whose numbers are ``at``."""
    out = np.zeros(len(one.arms))
    out[at] = picks
    return out


def only(one: MeasuredPair, arm: str) -> NDArray[np.float64]:
    """One arm is always picked."""
    out = np.zeros(len(one.arms))
    out[one.arms.index(arm)] = 1
    return out


def gained_each(picks: Picks) -> Statistics:
    """Mean score of what is picked, of each pair."""
    return {pair: gained(one) for pair, one in picks.items()}


def minus_each(left: Mapping[Pair, Statistic], right: Mapping[Pair, Statistic]) -> Statistics:
    """Difference of two statistics, of each pair."""
    return {pair: minus(left[pair], right[pair]) for pair in left}
