"""What all figures share: charts as specs, and how languages and numbers are shown in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt

from linguabridge import languages
from linguabridge.errors import InputError
from linguabridge.report.section import Table

Rows = Sequence[Mapping[str, Any]]
Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart | alt.VConcatChart

_DIGITS = 4  # of values in figures; more could not be seen, and those of 160 languages would make a page heavy


def language_name(code: str) -> str:
    """English name of a language; the code itself where nobody knows it."""
    try:
        return languages.parse(code).name
    except InputError:
        return code


def language_label(code: str) -> str:
    """``Finnish (fi)``."""
    name = language_name(code)
    return code if name == code else f"{name} ({code})"


def measured(value: float | None) -> float | int | None:
    """A number as figures hold it: four digits; None for what is not defined."""
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def finished(chart: Chart, **data: Rows) -> dict[str, Any]:
    """A chart as Vega-Lite, without a theme.

    Args:
        chart: made of :func:`rows`.
        data: rows by the name under which the chart asks for them. They come in only here, since Altair would check
            each against the whole schema.
    """
    datasets = {name: list(found) for name, found in data.items()}
    return {"$schema": alt.SCHEMA_URL, **chart_spec(chart), "datasets": datasets}


def chart_spec(chart: Chart) -> dict[str, Any]:
    """A chart, or part of one, as Vega-Lite: without schema, theme and data."""
    # Altair has checked its parts already, and Vega-Lite, in tests, takes the whole; checking it again takes long.
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return {key: value for key, value in spec.items() if key not in ("$schema", "config")}


def rows(name: str = "rows") -> alt.NamedData:
    """Data that :func:`finished` brings in under this name."""
    return alt.NamedData(name)


def table_of(title: str, columns: Iterable[tuple[str, str]], data: Rows) -> Table:
    """The table behind a figure: headings, each with the field it shows."""
    headed = tuple(columns)
    return Table(
        title, tuple(heading for heading, _ in headed), tuple(tuple(row[key] for _, key in headed) for row in data)
    )
