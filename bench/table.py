"""Rows of the table, and what repeats come to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        figure: what is measured.
        measured: with its unit.
        spread: least and most over the repeats, or what else belongs beside it.
        goal: set before; empty where there is none.
        met: whether it is met; None where there is no goal, or nothing was measured.
        possible: operations a second that were achieved ÷ those of matrix products alone, and bytes a second that had
            to be moved ÷ those of a copy.
    """

    figure: str
    measured: str
    spread: str = ""
    goal: str = ""
    met: bool | None = None
    possible: str = ""


@dataclass(frozen=True)
class Repeats:
    """A figure measured several times in one run."""

    median: float
    least: float
    most: float
    values: tuple[float, ...]

    def spread(self, form: str = ".3f", unit: str = "") -> str:
        """Least and most in words."""
        return f"{self.least:{form}} to {self.most:{form}}{unit}"


@dataclass(frozen=True)
class NotMeasured:
    """Why a figure is not there."""

    not_measured: str

    def rows(self, figure: str) -> Iterator[Row]:
        """The reason, in place of the figure."""
        yield Row(figure, "not measured", self.not_measured)


def repeats(values: Iterable[float]) -> Repeats:
    """Sum up the values of all repeats, at least one."""
    kept = tuple(values)
    return Repeats(statistics.median(kept), min(kept), max(kept), kept)


def rates(achieved: float, possible: float, moved: float, copied: float) -> str:
    """What was achieved ÷ what is possible: in GFLOP/s, and in GB/s that must be moved ÷ those of a plain copy."""
    operations = f"{achieved:.3g} ÷ {possible:.3g} GFLOP/s = {achieved / possible:.0%}"
    return f"{operations}; {moved:.2g} ÷ {copied:.2g} GB/s = {moved / copied:.0%}"
