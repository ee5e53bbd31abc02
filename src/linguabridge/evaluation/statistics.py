"""What may be concluded from a run: the correction over all its comparisons, and verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from linguabridge.evaluation.results import Arm, Result
from linguabridge.evaluation.settings import ORACLE
from linguabridge.paired import Contrast, holm, shown
from linguabridge.settings import FEWEST_FOR_A_VERDICT

Verdict = Literal["helps", "hurts", "unclear"]


def with_holm(results: Sequence[Result]) -> tuple[Result, ...]:
    """Results with p-values corrected over all comparisons of the run (Holm, 1979).

    A comparison is the ``fair`` contrast of an arm, one for each arm of each task on each pair, since those are what
    verdicts rest on. The contrast over all items keeps None where copies are left out: nothing is concluded from it.
    The oracle is no comparison, and keeps None: nothing is concluded from it either (see :func:`verdict`).
    """
    adjusted = iter(holm([one.p for result in results for one in compared(result)]))
    return tuple(replace(result, arms=tuple(_corrected(arm, adjusted) for arm in result.arms)) for result in results)


def compared(result: Result) -> list[Contrast]:
    """The fair contrasts of a result's arms that are judged, in order: all but the oracle's."""
    return [fair for arm in result.arms if (fair := _judged(arm))]


def _judged(arm: Arm) -> Contrast | None:
    """What a verdict on an arm would rest on."""
    return None if arm.name == ORACLE else arm.fair


def _corrected(arm: Arm, adjusted: Iterator[float]) -> Arm:
    fair = _judged(arm)
    if not fair:
        return arm
    fair = replace(fair, p_holm=next(adjusted))
    return replace(arm, without_copies=fair) if arm.n_copied else replace(arm, against_direct=fair)


def verdict(arm: Arm, n: int) -> Verdict:
    """Whether an arm helps, against direct.

    It helps (hurts) where the interval of the fair difference lies above (below) 0, p after Holm's correction is below
    .05, and at least 30 items are left without copies. Direct itself has no verdict, and neither has the oracle: it was
    chosen in hindsight as the best on these very items, so that it gains even where no bridge helps.

    Args:
        arm: of a result that went through :func:`with_holm`.
        n: items of that result.
    """
    fair = _judged(arm)
    if not fair or n - arm.n_copied < FEWEST_FOR_A_VERDICT or not is_significant(fair):
        return "unclear"
    if fair.difference.low > 0:
        return "helps"
    return "hurts" if fair.difference.high < 0 else "unclear"


def is_significant(one: Contrast) -> bool:
    """Whether a difference remains after Holm's correction."""
    return one.p_holm is not None and shown(one.p_holm)


def leaves_out_zero(one: Contrast) -> bool:
    """Whether the interval of a difference lies above 0, or below."""
    return one.difference.low > 0 or one.difference.high < 0
