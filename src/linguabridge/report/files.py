"""Figures as files: SVG, PDF and PNG, drawn without a browser, and the table behind each as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linguabridge.errors import InputError
from linguabridge.folders import write_files
from linguabridge.report.names import distinct
from linguabridge.report.page import check_packages
from linguabridge.report.section import Cell, Figure, Section, Table, Written
from linguabridge.report.theme import LIGHT

_PPI, _SCALE = 300.0, 1.0  # of PNG files: 300 dots an inch where a figure is printed at its own size
# What SVG, being XML, has no place for. vl-convert does not refuse it but ends the whole process.
_UNDRAWABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with one of these a spreadsheet takes a text for a formula


def write_figures(folder: Path, sections: Sequence[Section]) -> list[Path]:
    """Write every figure of a report.

    Args:
        folder: made where it does not exist. Files of the same names are replaced.
        sections: with names that differ.

    Returns:
        The files, in order: SVG, PDF, PNG and CSV of each figure, in light colours.

    Raises:
        InputError: packages of the extra ``report`` are missing, or the folder cannot be written.
    """
    check_packages()
    figures = [(section, one) for section in sections for one in section.parts if isinstance(one, Figure)]
    # Names differ within a section, but "a" and "b-c" make the same one as "a-b" and "c".
    names = distinct(f"{section.name}-{figure.name}" for section, figure in figures)
    drawn: dict[str, bytes] = {}
    for name, (section, figure) in zip(names, figures, strict=True):
        titled = replace(figure, spec=_titled(figure, dict(section.manifest).get("model", "")))
        for kind, content in _contents(titled).items():
            drawn[f"{name}.{kind}"] = content
    try:
        write_files(folder, drawn)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); choose another folder.") from error
    return [folder / name for name in drawn]


def _titled(figure: Figure, model: str) -> dict[str, Any]:
    """A figure's spec with its title, the model, and what is chosen: a file stands alone, where a page says these."""
    chosen = [figure.spec.get("usermeta", {}).get("measure", "")]
    chosen += [dict(choice.options)[choice.value] for choice in figure.choices]
    before = figure.spec.get("title")
    more = before.get("subtitle", "") if isinstance(before, dict) else ""
    said = " · ".join(one for one in (model, *chosen, more) if one)
    return {**figure.spec, "title": {"text": figure.title, "subtitle": said, "anchor": "start", "offset": 12}}


def _contents(figure: Figure) -> dict[str, bytes]:
    import vl_convert

    spec = _drawable(figure.spec)
    # Nothing may be fetched: figures hold their data.
    svg = vl_convert.vegalite_to_svg(spec, config=LIGHT, allowed_base_urls=[])
    pdf = vl_convert.vegalite_to_pdf(spec, config=LIGHT, allowed_base_urls=[])
    png = vl_convert.vegalite_to_png(spec, config=LIGHT, allowed_base_urls=[], scale=_SCALE, ppi=_PPI)
    return {"svg": svg.encode(), "pdf": pdf, "png": png, "csv": csv_of(figure.table).encode()}


def _drawable(value: Any) -> Any:
    """The same, with a sign for what cannot be drawn in every text."""
    if isinstance(value, str):
        return _UNDRAWABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {key: _drawable(one) for key, one in value.items()}
    return [_drawable(one) for one in value] if isinstance(value, list | tuple) else value


def csv_of(table: Table) -> str:
    """A table as CSV, numbers as the figure has them.

    Spreadsheets run texts that begin as formulas do, whoever wrote them; such texts get an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_text(heading) for heading in table.columns])
    writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return text.getvalue()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        return repr(cell)
    if isinstance(cell, Written):
        return _text(cell.text)
    return _text(cell if isinstance(cell, str) else "; ".join(one.text for one in cell))


def _text(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()  # half a character, as a model may write it
    return f"'{text}" if text.startswith(_FORMULA) else text
