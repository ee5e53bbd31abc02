"""A study as its JSON file holds it: analyses whole, pairs without their ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from linguabridge.check import CHAINED, DIRECT
from linguabridge.rebuilt import rebuilt
from linguabridge.report.charts import language_name
from linguabridge.study.analysis import RANDOM, Analysis
from linguabridge.study.policies import ENGLISH
from linguabridge.study.results import Study
from linguabridge.study.settings import VOTED
from linguabridge.study.words import SETS, best_way

METRICS = ("MRR", "P@1")


@dataclass(frozen=True)
class PairMeans:
    """A pair's results, in means over its words.

    Attributes:
        source: code.
        target: code.
        candidates: codes of the bridges.
        arms: ``direct``, the candidates, chains (``en+fr``) and votes (``en&fr``).
        n_words: asked in every arm.
        n_copied: words left out because a bridge's dictionary word already is a right answer.
        mrr: mean reciprocal rank of each arm.
        p_at_1: share of words that each arm ranks first.
        exact: share of greedy answers that are right, of arms that have answers; None where none was asked for.
        scores: what each way of choosing gives each candidate; None where it says nothing.
    """

    source: str
    target: str
    candidates: tuple[str, ...]
    arms: tuple[str, ...]
    n_words: int
    n_copied: int
    mrr: dict[str, float]
    p_at_1: dict[str, float]
    scores: dict[str, tuple[float | None, ...]] = field(repr=False)
    exact: dict[str, float] | None = None

    @property
    def title(self) -> str:
        """``Arabic → Hebrew``."""
        return f"{language_name(self.source)} → {language_name(self.target)}"

    @property
    def best(self) -> str:
        """Code of the candidate with the highest MRR on these very words."""
        return max(self.candidates, key=lambda code: self.mrr[code])

    def picked(self, way: str) -> tuple[str, ...]:
        """Codes of the candidates that a way puts first; several where they score alike."""
        known = [score for score in self.scores[way] if score is not None]
        # Where a way says nothing of any candidate, all of them are as good to it.
        first = max(known, default=None)
        return tuple(code for code, score in zip(self.candidates, self.scores[way], strict=True) if score == first)


def read_body(body: dict[str, Any]) -> tuple[Study, tuple[PairMeans, ...]]:
    """The study without its pairs, and these in means.

    Raises:
        KeyError, TypeError, ValueError: the body is none of this version.
    """
    result: Study = rebuilt(Study, {**body, "pairs": []})  # no ranks are in the file, and nothing here needs them
    pairs: tuple[PairMeans, ...] = rebuilt(tuple[PairMeans, ...], body["pairs"])
    if not pairs or not result.analyses:
        raise ValueError("no pairs, or no analyses")
    known = {f"{one.source}:{one.target}" for one in pairs}
    for one in result.analyses:
        _check_analysis(one, known)
    for pair in pairs:
        _check_pair(pair)
    return result, pairs


def _check_analysis(one: Analysis, pairs: set[str]) -> None:
    if one.name not in SETS or one.metric not in METRICS or not set(one.pairs) <= pairs:
        raise ValueError(f"the analysis '{one.name}' by {one.metric} is of other pairs")
    if not {ENGLISH, RANDOM, one.fixed} <= {way.way for way in one.ways} or DIRECT not in {
        row.policy for row in one.policies
    }:
        raise ValueError("an analysis without English, a random bridge or direct")
    if any(len(curve.words) != len(curve.regret) for curve in one.curves):
        raise ValueError("a curve of other words")


def _check_pair(one: PairMeans) -> None:
    arms = set(one.arms)
    if not one.candidates or not {DIRECT, *one.candidates} <= arms or {*one.mrr} != arms or {*one.p_at_1} != arms:
        raise ValueError(f"the arms of {one.title} do not agree")
    if not all(map(math.isfinite, (*one.mrr.values(), *one.p_at_1.values()))):
        raise ValueError(f"means of {one.title} that are no numbers")
    if any(len(scores) != len(one.candidates) for scores in one.scores.values()):
        raise ValueError(f"scores for other candidates than those of {one.title}")


def views(result: Study) -> tuple[tuple[str, Analysis], ...]:
    """Every analysis with what it is of, in words: by metric, that which the answer rests on first."""
    main = result.main
    ordered = sorted(result.analyses, key=lambda one: (METRICS.index(one.metric), one.name != main.name))
    return tuple((f"{one.metric}, {SETS[one.name]}", one) for one in ordered)


def marked_way(result: Study, pairs: Sequence[PairMeans]) -> str | None:
    """The way whose picks figures mark at first: the best one, or the best of those whose scores the file holds."""
    known = ways_held(pairs)
    best = best_way(result)
    if best in known:
        return best
    return next((one.way for one in result.analyses[0].ways if one.way in known), None)


def ways_held(pairs: Sequence[PairMeans]) -> list[str]:
    """Ways whose scores the file holds for every pair; random has none of its own."""
    return [way for way in pairs[0].scores if way != RANDOM and all(way in one.scores for one in pairs)]


def several(arm: str) -> str | None:
    """How policies call an arm of several bridges, ``chain of 2``; None for direct and a single bridge."""
    for sign, label in ((CHAINED, "chain"), (VOTED, "vote")):
        if sign in arm:
            return f"{label} of {arm.count(sign) + 1}"
    return None
