"""What a way of choosing loses: regret against an oracle that is not allowed to flatter itself, with intervals.

The best of many noisy arms looks better than it is. So the oracle is picked on one half of a pair's words and scored on
the other (cross-fitting), both ways and over many halvings; what is chosen is scored on the same half. All statistics
are functions of the arms' means in two halves, which are drawn once for all of them.

Intervals are over pairs. A pair's value is measured on its words, so what pairs differ by holds the noise of words,
too; resampling words on top would count that twice. Only where there is a single pair, words are resampled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from linguabridge.paired import Difference, Interval, sign_flip_p

Array = NDArray[np.float64]

HALVINGS = 400  # for a point value
SAMPLES = 2000  # of words, for an interval over those of a single pair
SCORES = (0.0, 1.0)  # what MRR and shares can be; an interval ends there
DIFFERENCES = (-1.0, 1.0)  # what their differences can be, and correlations
PAIR_SAMPLES = 100_000  # of pairs: of few pairs an end is a mean of few values, and must not depend on the seed


@dataclass(frozen=True)
class Halves:
    """Means of one pair's arms in two halves of its words, over many draws.

    Attributes:
        first: shape (draws, arms).
        second: likewise, of the other words.
        share: of all words, those in the first half.
    """

    first: Array
    second: Array
    share: float = 0.5

    @property
    def whole(self) -> Array:
        """Means over all words, shape (draws, arms), without the rounding by which equal ones would differ."""
        return np.asarray(np.round(self.share * self.first + (1 - self.share) * self.second, 9))


def halves(values: Array, draws: int, rng: np.random.Generator, *, resample: bool) -> Halves:
    """Cut a pair's words in halves at random.

    Args:
        values: of shape (arms, words).
        draws: how often.
        rng: of the cuts.
        resample: draw the words of each half with replacement.
    """
    words = values.shape[1]
    order = np.argsort(rng.random((draws, words)), axis=1)
    cut = words // 2
    rows = np.arange(draws)[:, None] * words
    found = []
    for part in (order[:, :cut], order[:, cut:]):
        at = np.take_along_axis(part, rng.integers(part.shape[1], size=part.shape), axis=1) if resample else part
        times = np.bincount((rows + at).ravel(), minlength=draws * words).reshape(draws, words)
        found.append(times @ values.T / part.shape[1])
    return Halves(found[0], found[1], cut / words)


# A statistic of one pair: halves in, a value a draw out.
Statistic = Callable[[Halves], Array]


def gained(picks: Array) -> Statistic:
    """Mean score of what is picked.

    Args:
        picks: probability of picking each arm, shape (arms,).
    """
    return lambda one: np.asarray(one.whole @ picks)


def best(allowed: NDArray[np.bool_]) -> Statistic:
    """Mean score of the oracle among the arms allowed, picked on one half and scored on the other."""

    def value(one: Halves) -> Array:
        rows = np.arange(len(one.first))
        picked = [np.where(allowed, half, -np.inf).argmax(axis=1) for half in (one.first, one.second)]
        return np.asarray((one.second[rows, picked[0]] + one.first[rows, picked[1]]) / 2)

    return value


def decided(bridge: Array, direct: int) -> Statistic:
    """Mean score of bridging only where it did better than direct on the other half.

    Args:
        bridge: probability of picking each arm where one bridges.
        direct: number of the direct arm.
    """

    def value(one: Halves) -> Array:
        total = np.zeros(len(one.first))
        for seen, other in ((one.first, one.second), (one.second, one.first)):
            helps = seen @ bridge > seen[:, direct]
            total += np.where(helps, other @ bridge, other[:, direct])
        return total / 2

    return value


def minus(left: Statistic, right: Statistic) -> Statistic:
    """Difference of two statistics on the same draws."""
    return lambda one: left(one) - right(one)


def picks_of(scores: Array) -> Array:
    """Probability of picking each candidate: the highest score wins, equals share; NaN never wins.

    Args:
        scores: of the candidates, shape (…, candidates).

    Returns:
        The same shape, sum 1 over the candidates. Where no candidate has a score, all share.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    first = known == known.max(axis=-1, keepdims=True)
    return np.asarray(first / first.sum(axis=-1, keepdims=True))


class Draws:
    """Halves of all pairs, made once for all statistics.

    Args:
        values: of each pair, shape (arms, words); arms may differ from pair to pair.
        seed: of the draws.
    """

    def __init__(self, values: Mapping[tuple[str, str], Array], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._seed = seed
        self.pairs = list(values)
        self._halves = {pair: halves(one, HALVINGS, rng, resample=False) for pair, one in values.items()}
        n = len(self.pairs)
        self._shares = drawn_shares(n, rng)
        self._resampled = halves(values[self.pairs[0]], SAMPLES, rng, resample=True) if n == 1 else None

    def mean(
        self, statistics: Mapping[tuple[str, str], Statistic], within: tuple[float, float] = DIFFERENCES
    ) -> Interval:
        """Mean over the pairs, with a 95 % bootstrap interval.

        It is over pairs (:func:`over_pairs`), or over the words of one pair that is alone.

        Args:
            statistics: of each pair.
            within: what they can be.
        """
        return self._mean(self._values(statistics), statistics, within)

    def _values(self, statistics: Mapping[tuple[str, str], Statistic]) -> Array:
        return np.array([self.each(pair, statistics[pair]) for pair in self.pairs])

    def _mean(
        self, values: Array, statistics: Mapping[tuple[str, str], Statistic], within: tuple[float, float]
    ) -> Interval:
        if self._resampled is None:
            return over_pairs(values, self._shares, within)
        drawn = statistics[self.pairs[0]](self._resampled)
        value = float(values.mean())
        low, high = np.clip(value + np.quantile(drawn - drawn.mean(), [0.025, 0.975]), *within)
        return Interval(value, float(low), float(high))

    def difference(self, statistics: Mapping[tuple[str, str], Statistic]) -> Difference:
        """:meth:`mean` of a difference, with the p-value of random signs of the pairs."""
        values = self._values(statistics)
        found = self._mean(values, statistics, DIFFERENCES)
        p = sign_flip_p(np.round(values, 9), self._seed) if len(values) > 1 else None
        return Difference(found.value, found.low, found.high, p)

    def each(self, pair: tuple[str, str], statistic: Statistic) -> float:
        """Value of one pair, over halvings."""
        return float(statistic(self._halves[pair]).mean())


def drawn_shares(n: int, rng: np.random.Generator) -> Array:
    """Draws of n pairs with replacement: how often each is drawn, over n; shape (draws, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=PAIR_SAMPLES) / n


def over_words(differences: Array) -> Array:
    """Ends of 95 % intervals over words, of mean differences: Student's, which draws nothing and has words enough.

    Args:
        differences: of each word, shape (rows, words).

    Returns:
        Shape (2, rows).
    """
    n = differences.shape[-1]
    half = stats.t.ppf(0.975, n - 1) * differences.std(axis=-1, ddof=1) / np.sqrt(n)
    return np.asarray(differences.mean(axis=-1) + np.array([-1, 1])[:, None] * half)


def over_pairs(values: Array, shares: Array, within: tuple[float, float] = (-np.inf, np.inf)) -> Interval:
    """Mean over two pairs or more, with a 95 % bootstrap interval.

    The bootstrap of P values is too narrow by sqrt((P − 1) / P), and by z / t where t has P − 1 degrees of freedom; it
    is widened by both: the expanded percentile interval of Hesterberg (2015, The American Statistician 69(4)).

    Args:
        values: of each pair, shape (P,).
        shares: from :func:`drawn_shares`.
        within: what a value can be; widened ends may lie beyond, and are taken back to it.
    """
    n, value = len(values), float(values.mean())
    wider = stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975) * np.sqrt(n / (n - 1))
    low, high = np.clip(value + wider * np.quantile(shares @ values - value, [0.025, 0.975]), *within)
    return Interval(value, float(low), float(high))


def kendall(left: Array, right: Array) -> Array:
    """Kendall's tau-b of the last axis; NaN where one side is all equal. What is NaN in it ties with everything.

    Args:
        left: shape (…, n).
        right: likewise, broadcast against ``left``.
    """
    i, j = np.triu_indices(left.shape[-1], 1)
    with np.errstate(invalid="ignore"):  # infinite scores of equal sign tie, too
        a, b = (np.nan_to_num(np.sign(one[..., i] - one[..., j])) for one in (left, right))
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
        return np.asarray(np.where(norm > 0, (a * b).sum(-1) / np.where(norm > 0, norm, 1), np.nan))


def agreement(scores: Array, singles: NDArray[np.int64]) -> Statistic:
    """Kendall's τ between scores and measured accuracies, over all words of a draw; 0 where nothing is ordered.

    Args:
        scores: of the candidates.
        singles: numbers of their arms.
    """
    return lambda one: np.nan_to_num(kendall(scores[None, :], one.whole[:, singles]))


def ceiling(singles: NDArray[np.int64]) -> Statistic:
    """Kendall's τ between the accuracies of two halves of the words, both of which are noisy."""
    return lambda one: np.nan_to_num(kendall(one.first[:, singles], one.second[:, singles]))


def within_noise(values: Array) -> NDArray[np.bool_]:
    """Tell which arms are the best, or not shown to be worse than it: by paired intervals (:func:`over_words`).

    Args:
        values: of shape (arms, words).

    Returns:
        Shape (arms,).
    """
    low, _ = over_words(values[values.mean(axis=1).argmax()] - values)
    return np.asarray(low <= 0)
