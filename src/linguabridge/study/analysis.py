"""What a study says: regret of every way of choosing, gain of every policy, and how often "bridge" is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.check import DIRECT
from linguabridge.choosing.combined import left_out
from linguabridge.paired import Difference, Interval
from linguabridge.settings import FIXED_OR_HOP
from linguabridge.study.curves import Curve, hop_curves, pilot_curve
from linguabridge.study.fixed import BEST_FIXED, best_fixed
from linguabridge.study.measured import MeasuredPair, Pair
from linguabridge.study.picks import Picks, gained_each, minus_each, only, spread
from linguabridge.study.policies import ENGLISH, Decisions, PolicyResult, decisions, policies, several_bridges
from linguabridge.study.regret import SCORES, Draws, Statistic, agreement, best, ceiling, gained, picks_of, within_noise

RANDOM, REFERENCE = "random", "reference"


@dataclass(frozen=True)
class WayResult:
    """How a way of choosing one bridge does.

    Attributes:
        way: its name.
        regret: score lost against the best single bridge (cross-fitted oracle).
        over_fixed: score gained over the fixed bridge (:attr:`Analysis.fixed`).
        over_random: score gained over a random candidate.
        over_reference: score gained over the published measure; None where that was not among the ways.
        fine: share of pairs in which what it picks is the best bridge or not shown to be worse, with an interval over
            pairs. The best of many on the same words is flattered, so that equals are missed at times: a lower bound.
        tau: Kendall's τ of its scores with the measured accuracies; None for a way without scores of its own.
    """

    way: str
    regret: Interval
    over_fixed: Difference
    over_random: Difference
    over_reference: Difference | None
    fine: Interval
    tau: Interval | None


@dataclass(frozen=True)
class Analysis:
    """What a set of pairs says.

    Attributes:
        name: of the set.
        pairs: in it.
        metric: ``MRR`` or ``P@1``.
        fixed: the way that all others are compared with: ``best-fixed`` (English, or where it is in the pair the bridge
            that did best on the pairs for development), or ``english`` where a study lacks such pairs.
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
    fixed: str
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
    scores = {one.pair: _scores(one, everything) for one in pairs}
    names = [name for name in scores[pairs[0].pair] if all(name in one for one in scores.values())]
    picks = {
        way: {one.pair: spread(one, singles[one.pair], picks_of(scores[one.pair][way])) for one in pairs}
        for way in names
    }
    oracle = {one.pair: best(_allowed(one, singles[one.pair])) for one in pairs}
    fine = {one.pair: _fine(values[one.pair], singles[one.pair]) for one in pairs}
    opponent = BEST_FIXED if BEST_FIXED in names else ENGLISH
    ways = [_way(way, opponent, pairs, draws, fine, singles, scores, picks, oracle) for way in names]
    ways.sort(key=lambda one: one.regret.value)
    asked = policies(pairs, picks, names)
    everywhere = {one.pair: best(np.ones(len(one.arms), bool)) for one in pairs}
    fixed, direct = gained_each(picks[opponent]), {one.pair: gained(only(one, DIRECT)) for one in pairs}
    sure = {DIRECT: {one.pair: only(one, DIRECT) for one in pairs}, **picks, **several_bridges(pairs, picks)}
    found = [
        PolicyResult(
            policy=policy,
            score=draws.mean(one, SCORES),
            over_fixed=draws.difference(minus_each(one, fixed)),
            over_direct=draws.difference(minus_each(one, direct)),
            regret=draws.mean(minus_each(everywhere, one)),
            exact=_exact(sure[policy], pairs, draws) if policy in sure else None,
        )
        for policy, one in asked.items()
    ]
    found.sort(key=lambda one: -one.score.value)
    return Analysis(
        name=name,
        pairs=tuple(f"{one.source}:{one.target}" for one in pairs),
        metric=metric,
        fixed=opponent,
        direct=draws.mean(direct, SCORES),
        oracle=draws.mean(oracle, SCORES),
        ceiling=draws.mean({one.pair: ceiling(singles[one.pair]) for one in pairs}),
        ways=tuple(ways),
        policies=tuple(found),
        decisions=tuple(
            decisions(label, {one.pair: choice[one.pair] for one in pairs}, values, pairs, seed)
            for label, choice in several_bridges(pairs, picks).items()
        ),
        curves=(
            *hop_curves(pairs, draws, singles, oracle, seed),
            pilot_curve(pairs, values, singles, draws, oracle, seed),
        ),
    )


def _values(one: MeasuredPair, metric: str) -> NDArray[np.float64]:
    return 1 / one.ranks if metric == "MRR" else (one.ranks == 1).astype(float)


def _scores(one: MeasuredPair, everything: Sequence[MeasuredPair]) -> dict[str, NDArray[np.float64]]:
    """What each way gives the candidates, those that learn from other pairs among them."""
    own = {way: np.array(scores, float) for way, scores in one.scores.items()}
    fixed = best_fixed(one, everything)
    return {**own, **left_out(one, everything), **({} if fixed is None else {BEST_FIXED: fixed})}


def _exact(choice: Picks, pairs: Sequence[MeasuredPair], draws: Draws) -> Interval | None:
    """Share of greedy answers that are right, mean over pairs; None where some were not asked for."""
    shares = []
    for one in pairs:
        picked = choice[one.pair] > 0
        shares.append(float(choice[one.pair][picked] @ one.exact[picked].mean(axis=1)))
    return None if np.isnan(shares).any() else draws.over_pairs(np.array(shares), SCORES)


def _allowed(one: MeasuredPair, singles: NDArray[np.int64]) -> NDArray[np.bool_]:
    allowed = np.zeros(len(one.arms), bool)
    allowed[singles] = True
    return allowed


def _way(
    way: str,
    opponent: str,
    pairs: Sequence[MeasuredPair],
    draws: Draws,
    fine: Mapping[Pair, NDArray[np.bool_]],
    singles: Mapping[Pair, NDArray[np.int64]],
    scores: Mapping[Pair, Mapping[str, NDArray[np.float64]]],
    picks: Mapping[str, Picks],
    oracle: Mapping[Pair, Statistic],
) -> WayResult:
    own = gained_each(picks[way])
    ranked = way not in (ENGLISH, RANDOM, FIXED_OR_HOP, BEST_FIXED)  # these do not order all candidates by one measure
    return WayResult(
        way=way,
        regret=draws.mean(minus_each(oracle, own)),
        over_fixed=draws.difference(minus_each(own, gained_each(picks[opponent]))),
        over_random=draws.difference(minus_each(own, gained_each(picks[RANDOM]))),
        over_reference=draws.difference(minus_each(own, gained_each(picks[REFERENCE]))) if REFERENCE in picks else None,
        fine=draws.over_pairs(np.array([picks[way][one.pair] @ fine[one.pair] for one in pairs]), SCORES),
        tau=draws.mean({one.pair: agreement(scores[one.pair][way], singles[one.pair]) for one in pairs})
        if ranked
        else None,
    )


def _fine(values: NDArray[np.float64], singles: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which single bridges are the best of a pair or not shown to be worse; shape (arms,)."""
    out = np.zeros(len(values), bool)
    out[singles] = within_noise(values[singles])
    return out
