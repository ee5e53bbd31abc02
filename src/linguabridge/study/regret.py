"""What a way of choosing loses: regret against an oracle that is not allowed to flatter itself, with intervals.

The best of many noisy arms looks better than it is. So the oracle is picked on one half of a pair's words and scored on
the other (cross-fitting), both ways and over many halvings; what is chosen is scored on the same half. All statistics
are functions of the arms' means in two halves, which are drawn once for all of them.

An interval is the wider, end by end, of two. One is over pairs; what pairs differ by holds the noise of their words,
too, so resampling words on top would count that twice. But a few pairs may happen to agree better than their words
allow; so the other is over words, the pairs being what they are. Of a single pair there is only the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from linguabridge.paired import Difference, Interval, sign_flip_p

Array = NDArray[np.float64]

HALVINGS = 400  # for a point value
SAMPLES = 400  # of words, for an interval over those
SAMPLES_OF_ONE = 2000  # where that is all there is
CUTS = 5  # of each sample of words in halves
SCORES = (0.0, 1.0)  # what MRR and shares can be; an interval ends there
DIFFERENCES = (-1.0, 1.0)  # what their differences can be, and correlations
PAIR_SAMPLES = 100_000  # of pairs: of few pairs an end is a mean of few values, and must not depend on the seed


@dataclass(frozen=True, eq=False)  # told apart by identity, so that what is computed of one can be remembered
class Halves:
    """Means of one pair's arms in two halves of its words, over many draws.

    Attributes:
        first: shape (draws, arms).
        second: likewise, of the other words.
        share: of all words, those in the first half; of all draws, or shape (draws, 1).
    """

    first: Array
    second: Array
    share: float | Array = 0.5

    @cached_property
    def whole(self) -> Array:
        """Means over all words, shape (draws, arms), without the rounding by which equal ones would differ."""
        return np.asarray(np.round(self.share * self.first + (1 - self.share) * self.second, 9))


def halves(values: Array, draws: int, rng: np.random.Generator) -> Halves:
    """Cut a pair's words in halves at random.

    Args:
        values: of shape (arms, words).
        draws: how often.
        rng: of the cuts.
    """
    words = values.shape[1]
    first = _in_first_half(draws, words, rng)
    cut = words // 2
    return Halves(first @ values.T / cut, (1 - first) @ values.T / (words - cut), cut / words)


def drawn_halves(values: Array, samples: int, rng: np.random.Generator) -> Halves:
    """Draw a pair's words with replacement, and cut each sample in halves :data:`CUTS` times.

    All copies of a word are in the same half, or what is picked on one half would know the other.

    Args:
        values: of shape (arms, words).
        samples: of words.
        rng: of samples and cuts.

    Returns:
        ``samples`` × :data:`CUTS` draws, those of a sample one after the other.
    """
    words = values.shape[1]
    times = rng.multinomial(words, np.full(words, 1 / words), size=samples).repeat(CUTS, axis=0)
    first = times * _in_first_half(len(times), words, rng)
    second = times - first
    size = first.sum(axis=1, keepdims=True)
    return Halves(first @ values.T / size, second @ values.T / (words - size), size / words)


def _in_first_half(draws: int, words: int, rng: np.random.Generator) -> Array:
    """1 for each word of the first half, shape (draws, words)."""
    first = np.zeros((draws, words))
    np.put_along_axis(first, np.argsort(rng.random((draws, words)), axis=1)[:, : words // 2], 1, axis=1)
    return first


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

    return cache(value)  # every way is compared with it


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
        self._halves = {pair: halves(one, HALVINGS, rng) for pair, one in values.items()}
        n = len(self.pairs)
        self._shares = drawn_shares(n, rng)
        samples = SAMPLES_OF_ONE if n == 1 else SAMPLES
        self._drawn = {pair: drawn_halves(one, samples, rng) for pair, one in values.items()}

    def mean(
        self, statistics: Mapping[tuple[str, str], Statistic], within: tuple[float, float] = DIFFERENCES
    ) -> Interval:
        """Mean over the pairs, with a 95 % bootstrap interval.

        It is over pairs (:func:`over_pairs`) or over words, whichever end lies farther out.

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
        value = float(values.mean())
        drawn = np.array([self._over_samples(pair, statistics[pair]) for pair in self.pairs])
        if len(values) == 1:
            low, high = value + np.quantile(drawn[0] - drawn[0].mean(), [0.025, 0.975])
        else:
            pairs = over_pairs(values, self._shares)
            words = stats.norm.ppf(0.975) * np.sqrt(drawn.var(axis=1, ddof=1).sum()) / len(values)
            low, high = min(pairs.low, value - words), max(pairs.high, value + words)
        low, high = np.clip([low, high], *within)
        return Interval(value, float(low), float(high))

    def _over_samples(self, pair: tuple[str, str], statistic: Statistic) -> Array:
        """Value of one pair on each sample of its words, over cuts."""
        return np.asarray(statistic(self._drawn[pair]).reshape(-1, CUTS).mean(axis=1))

    def over_pairs(self, values: Array, within: tuple[float, float]) -> Interval:
        """Mean of what is known of each pair, in order, with an interval over pairs alone; none of a single pair."""
        if len(values) == 1:
            return Interval(float(values[0]), *within)
        return over_pairs(values, self._shares, within)

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
    spread = np.quantile(shares @ values - value, [0.025, 0.975])
    ends = np.round(value + wider * spread, 12)  # equal values have none
    low, high = np.clip(ends, *within)
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


def attainable(halves_agree: float) -> float:
    """Kendall's τ that scores without noise of their own would have with accuracies on all words.

    From the τ of two halves of the words: as Pearson's r of normal values (sin(π τ / 2), Greiner's relation), stepped
    up to all words (Spearman and Brown), its root, and back. A rule of thumb: bridges are few, and their accuracies
    hardly normal.

    Args:
        halves_agree: τ between the halves; below 0 counts as 0.
    """
    r = np.sin(np.pi / 2 * max(halves_agree, 0.0))
    return float(2 / np.pi * np.arcsin(np.sqrt(2 * r / (1 + r))))


def within_noise(values: Array) -> NDArray[np.bool_]:
    """Tell which arms are the best, or not shown to be worse than it: by paired intervals (:func:`over_words`).

    Args:
        values: of shape (arms, words).

    Returns:
        Shape (arms,).
    """
    low, _ = over_words(values[values.mean(axis=1).argmax()] - values)
    return np.asarray(low <= 0)
