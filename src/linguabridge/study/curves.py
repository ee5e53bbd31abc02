"""How few words suffice: regret by the number of words looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.study.measured import MeasuredPair, Pair
from linguabridge.study.picks import spread
from linguabridge.study.regret import Draws, Statistic, gained, minus, picks_of

HOP_DRAWS, PILOT_DRAWS = 400, 400  # of a few words
HOP_CURVE = (5, 10, 15, 20, 30)
PILOT_CURVE = (5, 10, 20, 30, 50)  # up to a third of the words: the oracle itself is picked on half of them


@dataclass(frozen=True)
class Curve:
    """Regret by the number of words looked at."""

    way: str
    words: tuple[int, ...]
    regret: tuple[float, ...]


def hop_curves(
    pairs: Sequence[MeasuredPair],
    draws: Draws,
    singles: Mapping[Pair, NDArray[np.int64]],
    oracle: Mapping[Pair, Statistic],
    seed: int,
) -> list[Curve]:
    """Regret of choosing by both hops, and by the second alone, on a few of their words, mean over draws of these."""
    rng = np.random.default_rng(seed)
    counted = {(hop > 0).sum(axis=1).min() for one in pairs for hop in (one.first_hop, one.second_hop)}
    words = tuple(n for n in HOP_CURVE if n <= min(counted))
    found: dict[str, list[float]] = {"hops": [], "second-hop": []}
    for n in words:
        lost: dict[str, list[float]] = {way: [] for way in found}
        for one in pairs:
            first, second = (_few(hop, n, rng) for hop in (one.first_hop, one.second_hop))
            for way, scores in (("hops", first * second), ("second-hop", second)):
                picks = picks_of(np.round(scores, 9)).mean(axis=0)  # equal ones differ by rounding
                statistic = minus(oracle[one.pair], gained(spread(one, singles[one.pair], picks)))
                lost[way].append(draws.each(one.pair, statistic))
        for way, some in lost.items():
            found[way].append(float(np.mean(some)))
    return [Curve(way, words, tuple(some)) for way, some in found.items()] if words else []


def _few(hop: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """MRR of each candidate's hop on n of its words, drawn at random; 0 ranks are no words.

    Returns:
        Shape (draws, candidates).
    """
    order = rng.random((HOP_DRAWS, *hop.shape))
    order[:, hop == 0] = np.inf  # last
    drawn = np.argsort(order, axis=2)[..., :n]
    ranks = np.take_along_axis(np.broadcast_to(hop, order.shape), drawn, axis=2)
    return np.asarray((1 / ranks).mean(axis=2))


def pilot_curve(
    pairs: Sequence[MeasuredPair],
    values: Mapping[Pair, NDArray[np.float64]],
    singles: Mapping[Pair, NDArray[np.int64]],
    draws: Draws,
    oracle: Mapping[Pair, Statistic],
    seed: int,
) -> Curve:
    """Regret of trying every bridge on a few words and taking the best, scored on words not tried."""
    rng = np.random.default_rng(seed)
    words = tuple(n for n in PILOT_CURVE if all(3 * n <= one.ranks.shape[1] for one in pairs))
    found = []
    for n in words:
        lost = []
        for one in pairs:
            rows = values[one.pair][singles[one.pair]]
            order = np.argsort(rng.random((PILOT_DRAWS, rows.shape[1])), axis=1)
            seen, other = (rows[:, part].mean(axis=2).T for part in (order[:, :n], order[:, n:]))
            scored = (picks_of(np.round(seen, 9)) * other).sum(axis=1).mean()
            lost.append(draws.each(one.pair, oracle[one.pair]) - float(scored))
        found.append(float(np.mean(lost)))
    return Curve("pilot", words, tuple(found))
