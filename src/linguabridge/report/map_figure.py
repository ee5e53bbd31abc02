"""Languages of a spectrum as points on a map."""

from __future__ import annotations

import math

import altair as alt
import numpy as np

from linguabridge.report.charts import finished, language_label, measured, rows, table_of
from linguabridge.report.kinds import families_of, family_looks, known, language_tooltip
from linguabridge.report.labels import placed
from linguabridge.report.section import Figure
from linguabridge.spectrum.results import CORRELATION, LABELS, Matrix, Spectrum

_MANY = 40  # languages from which on points and codes are small, and the map is large
_MAP, _LARGE_MAP = (600.0, 420.0), (720.0, 600.0)  # pixels, at most


def map_figure(result: Spectrum) -> Figure:
    """Languages as points; equal distances on both axes are equal on paper."""
    family, domain = families_of(result)
    many = len(result.codes) > _MANY
    font = 9.0 if many else 11.0
    there = [i for i in range(len(result.codes)) if np.isfinite(result.points[i]).all()]
    codes = [result.codes[i] for i in there]
    x, y = (result.points[there, axis] for axis in (0, 1))
    (width, height), pixels, corner = _room(x, y, _LARGE_MAP if many else _MAP)
    at = [((a - corner[0]) * pixels, (corner[1] - b) * pixels) for a, b in zip(x, y, strict=True)]
    middles = placed(at, codes, (width, height), font)
    found = [
        {
            "x": measured(float(a)),
            "y": measured(float(b)),
            "code": code,
            "language": language_label(code),
            "family": family[code],
            **known(result, code),
            **({"lx": corner[0] + middle[0] / pixels, "ly": corner[1] - middle[1] / pixels} if middle else {}),
        }
        for a, b, code, middle in zip(x, y, codes, middles, strict=True)
    ]
    scales = {
        "x": alt.Scale(domain=[corner[0], corner[0] + width / pixels], nice=False, zero=False),
        "y": alt.Scale(domain=[corner[1] - height / pixels, corner[1]], nice=False, zero=False),
    }
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    base = alt.Chart(rows())
    points = base.mark_point(filled=True, size=45 if many else 70, opacity=1).encode(
        x=alt.X("x:Q", scale=scales["x"], axis=axis, title="first dimension"),
        y=alt.Y("y:Q", scale=scales["y"], axis=axis, title="second dimension"),
        tooltip=language_tooltip(),
        **family_looks(domain),
    )
    named = (
        base.transform_filter("isValid(datum.lx)")
        .mark_text(fontSize=font)
        .encode(x=alt.X("lx:Q", scale=scales["x"]), y=alt.Y("ly:Q", scale=scales["y"]), text="code:N")
    )
    title = "A map of the languages"
    columns = (
        ("language", "language"),
        ("first dimension", "x"),
        ("second dimension", "y"),
        ("family", "groups"),
        ("script", "script"),
    )
    left_out = " Where there is no room a code is left out; the table has every language." if None in middles else ""
    return Figure(
        name="map",
        title=title,
        caption=(
            f"Near on the map is alike to the model, as far as two dimensions can show it: {100 * result.shown:.0f} % "
            f"of the differences. Axes have no meaning of their own.{left_out}"
        ),
        spec=finished(
            alt.layer(points, named).properties(
                width=width, height=height, usermeta={"fixed": True, "measure": LABELS[CORRELATION]}
            ),
            rows=found,
        ),
        table=table_of(title, columns, found),
    )


def _room(x: Matrix, y: Matrix, most: tuple[float, float]) -> tuple[tuple[float, float], float, tuple[float, float]]:
    """Width and height of the map, pixels in one unit of both axes, and its upper left corner in these units."""
    margin = 40.0
    spans = [max(float(np.ptp(values)), 1e-9) for values in (x, y)]
    pixels = min((most[0] - 2 * margin) / spans[0], (most[1] - 2 * margin) / spans[1])
    width, height = (max(220.0, math.ceil(span * pixels + 2 * margin)) for span in spans)
    middle = [(float(values.min()) + float(values.max())) / 2 for values in (x, y)]
    return (width, height), pixels, (middle[0] - width / pixels / 2, middle[1] + height / pixels / 2)
