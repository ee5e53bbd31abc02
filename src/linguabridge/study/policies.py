"""Policies: one bridge, several, or direct where half of the words say so; and how often such a decision is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.check import CHAINED, DIRECT
from linguabridge.paired import Difference, Interval
from linguabridge.settings import FIXED_OR_HOP
from linguabridge.study.measured import MeasuredPair, Pair
from linguabridge.study.picks import Picks, Statistics, gained_each, only
from linguabridge.study.regret import best, decided, gained, over_words
from linguabridge.study.settings import VOTED

ENGLISH = "english"
TRIED, TRIED_CHAIN = "tried", "chain of 3"  # a few ways tried on half of the words, the best taken
CHAIN_OR_HOP = "chain-or-hop"  # three in one prompt; where English is in the pair, one by right words into the target
CHANCES = 1000  # draws of words, to say how often a decision is right


@dataclass(frozen=True)
class PolicyResult:
    """How a policy does that may also go direct or through several bridges.

    Attributes:
        policy: its name.
        score: mean.
        over_fixed: gained over the fixed bridge (:attr:`linguabridge.study.analysis.Analysis.fixed`).
        over_direct: gained over always direct.
        regret: lost against the best of all arms, direct, chains and votes included (cross-fitted oracle).
        exact: share of greedy answers that equal a right word; None for a policy that decides on some of the words, for
            votes, and where none were asked for.
    """

    policy: str
    score: Interval
    over_fixed: Difference
    over_direct: Difference
    regret: Interval
    exact: Interval | None


@dataclass(frozen=True)
class Decisions:
    """How often "bridge" and "don't" are right, where one half of the words decides and the other judges.

    Attributes:
        policy: whose bridge it is about.
        helps: share of pairs in which it helps (its 95 % interval over words, Student's, lies above 0).
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


def several_bridges(pairs: Sequence[MeasuredPair], picks: Mapping[str, Picks]) -> dict[str, Picks]:
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
            found[f"{label} of {n}"] = {one.pair: only(one, longest[one.pair]) for one in pairs}
    if FIXED_OR_HOP in picks and TRIED_CHAIN in found:
        both = found[TRIED_CHAIN], picks[FIXED_OR_HOP]
        found[CHAIN_OR_HOP] = {one.pair: both[one.with_english][one.pair] for one in pairs}
    return found


def policies(pairs: Sequence[MeasuredPair], picks: Mapping[str, Picks], names: Sequence[str]) -> dict[str, Statistics]:
    """Score of direct, of every way and of several bridges; the latter two also with direct as a way out."""
    every: dict[str, Picks] = {**{way: picks[way] for way in names}, **several_bridges(pairs, picks)}
    found = {DIRECT: {one.pair: gained(only(one, DIRECT)) for one in pairs}}
    for label, choice in every.items():
        found[label] = gained_each(choice)
        found[f"{label} or direct"] = {one.pair: decided(choice[one.pair], one.arms.index(DIRECT)) for one in pairs}
    tried = [picks.get(FIXED_OR_HOP), every[ENGLISH], every.get(TRIED_CHAIN)]
    if all(tried):
        found[TRIED] = {
            one.pair: best(only(one, DIRECT) + sum(choice[one.pair] for choice in tried if choice) > 0) for one in pairs
        }
    return found


def decisions(
    label: str, choice: Picks, values: Mapping[Pair, NDArray[np.float64]], pairs: Sequence[MeasuredPair], seed: int
) -> Decisions:
    """How a choice of bridges does against direct, pair by pair.

    Args:
        label: of the policy.
        choice: what it picks.
        values: of each pair, shape (arms, words).
        pairs: of which.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    helps = harms = 0
    said: list[float] = []
    right: list[tuple[bool, bool]] = []
    for one in pairs:
        difference = choice[one.pair] @ values[one.pair] - values[one.pair][one.arms.index(DIRECT)]
        n = len(difference)
        low, high = over_words(difference[None, :])
        helps += int(low[0] > 0)
        harms += int(high[0] < 0)
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
