"""What a study says: regret of every way of choosing, gain of every policy, and how often "bridge" is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.check import CHAINED, DIRECT
from linguabridge.choosing.combined import left_out
from linguabridge.paired import Interval
from linguabridge.settings import FIXED_OR_HOP
from linguabridge.study.measured import MeasuredPair, Pair
from linguabridge.study.regret import (
    SCORES,
    Draws,
    Statistic,
    agreement,
    best,
    ceiling,
    decided,
    gained,
    minus,
    picks_of,
    within_noise,
)
from linguabridge.study.settings import VOTED

ENGLISH, RANDOM, REFERENCE = "english", "random", "reference"
TRIED, TRIED_CHAIN = "tried", "chain of 3"  # a few ways tried on half of the words, the best taken
CHANCES = 1000  # draws of words, to say how often a decision is right
HOP_DRAWS, PILOT_DRAWS = 400, 400  # of a few words, for curves
HOP_CURVE = (5, 10, 15, 20, 30)
PILOT_CURVE = (5, 10, 20, 30, 50)  # up to a third of the words: the oracle itself is picked on half of them


@dataclass(frozen=True)
class WayResult:
    """How a way of choosing one bridge does.

    Attributes:
        way: its name.
        regret: score lost against the best single bridge (cross-fitted oracle).
        over_english: score gained over always English, or French or the next where English is in the pair.
        over_random: score gained over a random candidate.
        over_reference: score gained over the published measure; None where that was not among the ways.
        fine: share of pairs in which what it picks is the best bridge or not shown to be worse. The best of many on the
            same words is flattered, so that equals are missed at times: a lower bound.
        tau: Kendall's τ of its scores with the measured accuracies; None for a way without scores of its own.
    """

    way: str
    regret: Interval
    over_english: Interval
    over_random: Interval
    over_reference: Interval | None
    fine: float
    tau: Interval | None


@dataclass(frozen=True)
class PolicyResult:
    """How a policy does that may also go direct or through several bridges.

    Attributes:
        policy: its name.
        score: mean.
        over_english: gained over always English (French or the next where English is in the pair).
        over_direct: gained over always direct.
        regret: lost against the best of all arms, direct, chains and votes included (cross-fitted oracle).
    """

    policy: str
    score: Interval
    over_english: Interval
    over_direct: Interval
    regret: Interval


@dataclass(frozen=True)
class Decisions:
    """How often "bridge" and "don't" are right, where one half of the words decides and the other judges.

    Attributes:
        policy: whose bridge it is about.
        helps: share of pairs in which it helps (its interval over words lies above 0).
        harms: share in which it does harm.
        said_bridge: share of decisions to bridge.
        right_bridge: share of those after which the other half agrees; None where there are none.
        right_direct: share of the other decisions after which the other half agrees.
    """

    policy: str
    helps: float
    harms: float
    said_bridge: float
    right_bridge: float | None
    right_direct: float | None


@dataclass(frozen=True)
class Curve:
    """Regret by the number of words looked at."""

    way: str
    words: tuple[int, ...]
    regret: tuple[float, ...]


@dataclass(frozen=True)
class Analysis:
    """What a set of pairs says.

    Attributes:
        name: of the set.
        pairs: in it.
        metric: ``MRR`` or ``P@1``.
        direct: mean score of the direct arm.
        oracle: mean score of the best single bridge (cross-fitted).
        ceiling: Kendall's τ between the accuracies of two halves of the words.
        ways: the least regret first.
        policies: the highest score first.
        decisions: about single bridges and chains.
        curves: regret by words looked at.
    """

    name: str
    pairs: tuple[str, ...]
    metric: str
    direct: Interval
    oracle: Interval
    ceiling: Interval
    ways: tuple[WayResult, ...]
    policies: tuple[PolicyResult, ...]
    decisions: tuple[Decisions, ...]
    curves: tuple[Curve, ...]

    def way(self, name: str) -> WayResult:
        """The result of one way."""
        return next(one for one in self.ways if one.way == name)

    def policy(self, name: str) -> PolicyResult:
        """The result of one policy."""
        return next(one for one in self.policies if one.policy == name)


def analyse(
    name: str, pairs: Sequence[MeasuredPair], everything: Sequence[MeasuredPair], *, metric: str = "MRR", seed: int = 0
) -> Analysis:
    """Analyse a set of pairs.

    Args:
        name: of the set.
        pairs: its pairs.
        everything: all measured pairs, on which what learns from other pairs may learn; none that it is scored on.
        metric: ``MRR`` or ``P@1``.
        seed: of the draws.
    """
    values = {one.pair: _values(one, metric) for one in pairs}
    draws = Draws(values, seed)
    singles = {one.pair: np.array([one.arms.index(code) for code in one.candidates]) for one in pairs}
    scores = {one.pair: {**_arrays(one), **left_out(one, everything)} for one in pairs}
    names = [name for name in scores[pairs[0].pair] if all(name in one for one in scores.values())]
    picks = {
        way: {one.pair: _spread(one, singles[one.pair], picks_of(scores[one.pair][way])) for one in pairs}
        for way in names
    }
    oracle = {one.pair: best(_allowed(one, singles[one.pair])) for one in pairs}
    fine = {one.pair: _fine(values[one.pair], singles[one.pair], seed) for one in pairs}
    ways = [_way(way, pairs, draws, fine, singles, scores, picks, oracle) for way in names]
    ways.sort(key=lambda one: one.regret.value)
    policies = _policies(pairs, picks, names)
    everywhere = {one.pair: best(np.ones(len(one.arms), bool)) for one in pairs}
    english, direct = _gained(picks[ENGLISH]), {one.pair: gained(_only(one, DIRECT)) for one in pairs}
    found = [
        PolicyResult(
            policy=policy,
            score=draws.mean(one, SCORES),
            over_english=draws.mean(_minus(one, english)),
            over_direct=draws.mean(_minus(one, direct)),
            regret=draws.mean(_minus(everywhere, one)),
        )
        for policy, one in policies.items()
    ]
    found.sort(key=lambda one: -one.score.value)
    return Analysis(
        name=name,
        pairs=tuple(f"{one.source}:{one.target}" for one in pairs),
        metric=metric,
        direct=draws.mean(direct, SCORES),
        oracle=draws.mean(oracle, SCORES),
        ceiling=draws.mean({one.pair: ceiling(singles[one.pair]) for one in pairs}),
        ways=tuple(ways),
        policies=tuple(found),
        decisions=tuple(
            _decisions(label, {one.pair: choice[one.pair] for one in pairs}, values, pairs, seed)
            for label, choice in _bridges(pairs, picks).items()
        ),
        curves=(
            *_hop_curve(pairs, draws, singles, oracle, seed),
            _pilot_curve(pairs, values, singles, draws, oracle, seed),
        ),
    )


def _values(one: MeasuredPair, metric: str) -> NDArray[np.float64]:
    return 1 / one.ranks if metric == "MRR" else (one.ranks == 1).astype(float)


def _arrays(one: MeasuredPair) -> dict[str, NDArray[np.float64]]:
    return {way: np.array(scores, float) for way, scores in one.scores.items()}


def _allowed(one: MeasuredPair, singles: NDArray[np.int64]) -> NDArray[np.bool_]:
    allowed = np.zeros(len(one.arms), bool)
    allowed[singles] = True
    return allowed


def _spread(one: MeasuredPair, at: NDArray[np.int64], picks: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros(len(one.arms))
    out[at] = picks
    return out


def _only(one: MeasuredPair, arm: str) -> NDArray[np.float64]:
    out = np.zeros(len(one.arms))
    out[one.arms.index(arm)] = 1
    return out


Picks = Mapping[Pair, NDArray[np.float64]]
Statistics = dict[Pair, Statistic]


def _gained(picks: Picks) -> Statistics:
    return {pair: gained(one) for pair, one in picks.items()}


def _minus(left: Mapping[Pair, Statistic], right: Mapping[Pair, Statistic]) -> Statistics:
    return {pair: minus(left[pair], right[pair]) for pair in left}


def _way(
    way: str,
    pairs: Sequence[MeasuredPair],
    draws: Draws,
    fine: Mapping[Pair, NDArray[np.bool_]],
    singles: Mapping[Pair, NDArray[np.int64]],
    scores: Mapping[Pair, Mapping[str, NDArray[np.float64]]],
    picks: Mapping[str, Picks],
    oracle: Mapping[Pair, Statistic],
) -> WayResult:
    own = _gained(picks[way])
    ranked = way not in (ENGLISH, RANDOM, FIXED_OR_HOP)  # these do not order all candidates by one measure
    return WayResult(
        way=way,
        regret=draws.mean(_minus(oracle, own)),
        over_english=draws.mean(_minus(own, _gained(picks[ENGLISH]))),
        over_random=draws.mean(_minus(own, _gained(picks[RANDOM]))),
        over_reference=draws.mean(_minus(own, _gained(picks[REFERENCE]))) if REFERENCE in picks else None,
        fine=float(np.mean([picks[way][one.pair] @ fine[one.pair] for one in pairs])),
        tau=draws.mean({one.pair: agreement(scores[one.pair][way], singles[one.pair]) for one in pairs})
        if ranked
        else None,
    )


def _fine(values: NDArray[np.float64], singles: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Which single bridges are the best of a pair or not shown to be worse; shape (arms,)."""
    out = np.zeros(len(values), bool)
    out[singles] = [within_noise(values, int(arm), singles.tolist(), seed) for arm in singles]
    return out


def _bridges(pairs: Sequence[MeasuredPair], picks: Mapping[str, Picks]) -> dict[str, Picks]:
    """What one may go through without asking which is best: the fixed bridge, and several in one prompt.

    A pair that lacks the third bridge of a chain (source and target are among them) has its chain of two instead.
    """
    found: dict[str, Picks] = {ENGLISH: picks[ENGLISH]}
    for sign, label in ((CHAINED, "chain"), (VOTED, "vote")):
        # Of each pair, its arms of several bridges by their number.
        arms = {one.pair: {arm.count(sign) + 1: arm for arm in one.arms if sign in arm} for one in pairs}
        if not all(arms.values()):
            continue
        for n in sorted({number for some in arms.values() for number in some}):
            longest = {pair: some[max((m for m in some if m <= n), default=min(some))] for pair, some in arms.items()}
            found[f"{label} of {n}"] = {one.pair: _only(one, longest[one.pair]) for one in pairs}
    return found


def _policies(pairs: Sequence[MeasuredPair], picks: Mapping[str, Picks], names: Sequence[str]) -> dict[str, Statistics]:
    every: dict[str, Picks] = {**{way: picks[way] for way in names}, **_bridges(pairs, picks)}
    found = {DIRECT: {one.pair: gained(_only(one, DIRECT)) for one in pairs}}
    for label, choice in every.items():
        found[label] = _gained(choice)
        found[f"{label} or direct"] = {one.pair: decided(choice[one.pair], one.arms.index(DIRECT)) for one in pairs}
    tried = [picks.get(FIXED_OR_HOP), every[ENGLISH], every.get(TRIED_CHAIN)]
    if all(tried):
        found[TRIED] = {
            one.pair: best(_only(one, DIRECT) + sum(choice[one.pair] for choice in tried if choice) > 0)
            for one in pairs
        }
    return found


def _decisions(
    label: str, choice: Picks, values: Mapping[Pair, NDArray[np.float64]], pairs: Sequence[MeasuredPair], seed: int
) -> Decisions:
    rng = np.random.default_rng(seed)
    helps = harms = 0
    said: list[float] = []
    right: list[tuple[bool, bool]] = []
    for one in pairs:
        difference = choice[one.pair] @ values[one.pair] - values[one.pair][one.arms.index(DIRECT)]
        n = len(difference)
        means = difference[rng.integers(n, size=(CHANCES, n))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        helps += low > 0
        harms += high < 0
        order = np.argsort(rng.random((CHANCES, n)), axis=1)
        seen, other = (difference[order[:, : n // 2]].mean(1) > 0, difference[order[:, n // 2 :]].mean(1) > 0)
        said.append(float(seen.mean()))
        right += list(zip(seen.tolist(), other.tolist(), strict=True))
    agreed_bridge = [after for before, after in right if before]
    agreed_direct = [not after for before, after in right if not before]
    return Decisions(
        policy=label,
        helps=helps / len(pairs),
        harms=harms / len(pairs),
        said_bridge=float(np.mean(said)),
        right_bridge=float(np.mean(agreed_bridge)) if agreed_bridge else None,
        right_direct=float(np.mean(agreed_direct)) if agreed_direct else None,
    )


def _hop_curve(
    pairs: Sequence[MeasuredPair],
    draws: Draws,
    singles: Mapping[Pair, NDArray[np.int64]],
    oracle: Mapping[Pair, Statistic],
    seed: int,
) -> list[Curve]:
    """Regret of choosing by hops on a few of their words, mean over draws of these."""
    rng = np.random.default_rng(seed)
    counted = {(hop > 0).sum(axis=1).min() for one in pairs for hop in (one.first_hop, one.second_hop)}
    words = tuple(n for n in HOP_CURVE if n <= min(counted))
    found = []
    for n in words:
        lost = []
        for one in pairs:
            first, second = (_few(hop, n, rng) for hop in (one.first_hop, one.second_hop))
            picks = picks_of(np.round(first * second, 9)).mean(axis=0)  # equal ones differ by rounding
            statistic = minus(oracle[one.pair], gained(_spread(one, singles[one.pair], picks)))
            lost.append(draws.each(one.pair, statistic))
        found.append(float(np.mean(lost)))
    return [Curve("hops", words, tuple(found))] if words else []


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


def _pilot_curve(
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
