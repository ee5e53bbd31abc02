"""How much a set of neurons changes, and how much more than random ones do: intervals and p-values.

A change is that of a sum over items (words, or lines of text) divided by the sum of their sizes (1 for a word, bytes
for a line). Items are resampled in pairs, changed and intact together; the random draws are resampled with them where a
set is compared with their mean, so that an interval of the difference covers both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.paired import RESAMPLES, Interval

_BATCH = 500  # resamples at a time


@dataclass(frozen=True)
class Changes:
    """Changes of the same items by a set of neurons and by random ones.

    Attributes:
        own: item by item, changed minus intact, shape (items,).
        random: the same for every random draw, shape (draws, items).
        sizes: of the items, shape (items,).
    """

    own: NDArray[np.float64]
    random: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def value(self) -> float:
        """Change by the set."""
        return float(self.own.sum() / self.sizes.sum())

    @property
    def of_draws(self) -> NDArray[np.float64]:
        """Change by each draw, shape (draws,)."""
        found: NDArray[np.float64] = self.random.sum(axis=1) / self.sizes.sum()
        return found

    @property
    def excess(self) -> float:
        """Change by the set minus the mean change by the draws."""
        return self.value - float(self.of_draws.mean())


def change_interval(changes: Changes, seed: int) -> Interval:
    """95 % percentile bootstrap interval of a set's change, over items (Davison and Hinkley, 1997, section 2.4)."""
    samples = _resampled(changes.own[None], changes.sizes, seed)[:, 0]
    return _interval(changes.value, samples)


def excess_interval(changes: Changes, seed: int) -> Interval:
    """95 % percentile bootstrap interval of a set's change minus the mean of the draws', over items and draws."""
    return _interval(changes.excess, _excess(changes, seed))


def difference_interval(first: Changes, second: Changes, seed: int) -> Interval:
    """95 % percentile bootstrap interval of a difference of two excesses.

    Args:
        first: of one kind of items (words).
        second: of another kind of items (lines), drawn on their own; draw d of both is the same set of neurons.
        seed: of the bootstrap.
    """
    # The same seed draws the same draws for both, and the items by their own.
    samples = _excess(first, seed) - _excess(second, seed, stream=1)
    return _interval(first.excess - second.excess, samples)


def p_of_draws(own: float, of_draws: NDArray[np.float64], worse: int) -> tuple[int, float]:
    """How many random draws do at least as much harm, and the one-sided p-value that it gives.

    p = (1 + count) / (1 + draws): the share of sets that do as much harm, the set itself among them (Phipson and Smyth,
    2010).

    Args:
        own: change by the set.
        of_draws: change by each draw, shape (draws,).
        worse: 1 where a positive change is harm, −1 where a negative one is.
    """
    # What lies beyond the ninth decimal is rounding.
    count = int((worse * of_draws.round(9) >= worse * round(own, 9)).sum())
    return count, (1 + count) / (1 + len(of_draws))


def _excess(changes: Changes, seed: int, stream: int = 0) -> NDArray[np.float64]:
    """Bootstrap samples of the excess, shape (resamples,)."""
    n = len(changes.random)
    samples = _resampled(np.concatenate([changes.own[None], changes.random]), changes.sizes, seed, stream)
    drawn = np.random.default_rng([seed, n]).integers(0, n, (RESAMPLES, n))
    means: NDArray[np.float64] = np.take_along_axis(samples[:, 1:], drawn, axis=1).mean(axis=1)
    return samples[:, 0] - means


def _resampled(
    rows: NDArray[np.float64], sizes: NDArray[np.float64], seed: int, stream: int = 0
) -> NDArray[np.float64]:
    """Each row's sum over resampled items divided by that of their sizes; shape (resamples, rows)."""
    rng = np.random.default_rng([seed, len(sizes), stream])
    found = []
    for first in range(0, RESAMPLES, _BATCH):
        drawn = rng.integers(0, len(sizes), (min(_BATCH, RESAMPLES - first), len(sizes)))
        places = drawn + len(sizes) * np.arange(len(drawn))[:, None]
        counts = np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape)
        found.append((counts @ rows.T) / (counts @ sizes)[:, None])
    return np.concatenate(found)


def _interval(value: float, samples: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(samples, (0.025, 0.975))
    return Interval(value, float(low), float(high))
