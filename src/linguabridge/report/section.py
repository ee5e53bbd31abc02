"""What a report consists of, before it becomes a page or figure files. Nothing here knows HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Written:
    """A piece of text from data, with the language it is written in: shown with its direction and fonts.

    Attributes:
        text: as it is; never markup.
        code: BCP 47 code of its language; None where it is not known (a model's answer).
    """

    text: str
    code: str | None = None


class Share(float):
    """A part of a whole, from 0 to 1: shown in per cent, as in sentences."""


Cell = str | float | int | bool | Written | tuple[Written, ...] | None  # numbers are formatted where they are shown


@dataclass(frozen=True)
class Table:
    """Columns and rows.

    Attributes:
        title: what it shows.
        columns: their headings.
        rows: a cell for each column.
        caption: how to read it; may be empty.
        folded: whether it is to be opened first, as few will look at it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Choice:
    """A list from which the reader of a page chooses what a figure shows.

    Attributes:
        signal: the Vega parameter it sets.
        label: in words, for people and screen readers.
        options: value and label of each, in order.
        value: the one chosen at first, which figure files show.
    """

    signal: str
    label: str
    options: tuple[tuple[str, str], ...]
    value: str


@dataclass(frozen=True)
class Figure:
    """A plot, with the table behind it.

    Attributes:
        name: for files and anchors: letters, digits and hyphens, distinct within a section.
        title: what it shows.
        caption: how to read it.
        spec: Vega-Lite, without colours of the page (background, text), which a theme adds.
        table: the same data.
        choices: what the reader can choose.
    """

    name: str
    title: str
    caption: str
    spec: dict[str, Any] = field(repr=False)
    table: Table = field(repr=False)
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Items:
    """Every item in every arm, to browse: sorted, filtered and searched by the reader.

    Attributes:
        title: what they are.
        columns: their headings.
        rows: a cell for each column.
        filters: headings of columns with few values, by which rows can be filtered.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)
    filters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """What one run says.

    Attributes:
        name: for anchors and file names: letters, digits and hyphens, distinct within a report.
        title: "Arabic → Hebrew: through a bridge, or directly".
        summary: in words, a paragraph each, the answer first.
        parts: figures and tables, in order.
        items: to browse; None where a run has none.
        notes: what the figures rest on, a sentence each.
        manifest: model, hashes, versions, settings: label and value.
        command: that makes the run again.
    """

    name: str
    title: str
    summary: tuple[str, ...]
    parts: tuple[Figure | Table, ...]
    items: Items | None
    notes: tuple[str, ...]
    manifest: tuple[tuple[str, str], ...]
    command: str
