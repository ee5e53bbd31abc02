"""All pairs of languages of a spectrum, by a measure of choice, under the tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from linguabridge.report.charts import finished, language_label, measured, rows, table_of
from linguabridge.report.section import Choice, Figure
from linguabridge.report.theme import GREY
from linguabridge.report.tree_figure import IS_SURE, SURE, brackets, fork_tooltip
from linguabridge.spectrum.results import CORRELATION, LABELS, TOKENS, Measure, Spectrum
from linguabridge.words import listed

_FEW = 40  # languages up to which axes name them in full
_MATRIX, _CELL = 560, 30  # pixels: the width of a matrix of few languages, and of one of its cells, at most
_WIDEST = 700  # of a matrix of many


def matrix_figure(result: Spectrum) -> Figure:
    """All pairs by a measure of choice, in the tree's order, under the tree."""
    order, codes = result.tree.order, result.codes
    n, index = len(order), {code: i for i, code in enumerate(codes)}
    found = (*result.measures, *result.controls)
    names = [one.name for one in found]
    # Where there is room, axes name languages in full; else data and axes hold the codes, which are short.
    shown = {code: language_label(code) if n <= _FEW else code for code in order}
    pairs: list[dict[str, Any]] = [
        {"a": shown[a], "b": shown[b], **{one.name: _held(one, index[a], index[b]) for one in found}}
        for i, a in enumerate(order)
        for b in order[i + 1 :]
    ]
    cell = min(_CELL, _MATRIX / n if n <= _FEW else _WIDEST / n)
    side = round(cell * n)
    first = CORRELATION if CORRELATION in names else names[0]
    chosen = alt.param(name="measure", value=first)
    languages = [{"shown": shown[code], "language": language_label(code)} for code in order]
    lines, forks = brackets(result)

    # The data hold each pair once; it is drawn on both sides of the diagonal.
    size = min(11.0, max(4.0, cell * 0.95))

    def axis(angle: float) -> alt.Axis:
        return alt.Axis(
            title=None,
            labelFontSize=size,
            labelAngle=angle,
            labelOverlap=False,
            labelPadding=4,
            ticks=False,
            domain=False,
        )

    scale = alt.Scale(domain=list(shown.values()), paddingInner=0, paddingOuter=0)

    def half(across: str, down: str) -> alt.Chart:
        chart: alt.Chart = (
            alt.Chart(rows("pairs"))
            .transform_calculate(value="datum[measure]")
            .transform_filter("isValid(datum.value)")
            .transform_lookup(lookup="a", from_=alt.LookupData(rows("languages"), "shown", ["language"]), as_=["one"])
            .transform_lookup(lookup="b", from_=alt.LookupData(rows("languages"), "shown", ["language"]), as_=["other"])
            .mark_rect()
            .encode(
                x=alt.X(f"{across}:N", scale=scale, axis=axis(-90)),
                y=alt.Y(f"{down}:N", scale=scale, axis=axis(0)),
                color=alt.Color(
                    "value:Q",
                    scale=alt.Scale(scheme="cividis", zero=False, nice=False),
                    legend=alt.Legend(title=None, orient="right", gradientLength=min(side, 200)),
                ),
                tooltip=[
                    alt.Tooltip("one:N", title="language"),
                    alt.Tooltip("other:N", title="other language"),
                    alt.Tooltip("value:Q", title="value"),
                ],
            )
        )
        return chart

    heat = alt.layer(half("a", "b"), half("b", "a")).properties(width=side, height=side)
    top = alt.layer(
        alt.Chart(rows("lines"))
        .mark_line(color=GREY, strokeWidth=1.2 if n <= _FEW else 0.8, strokeJoin="miter")
        .encode(x=_along(n), y=_up(), detail="branch:N", order="corner:Q"),
        alt.Chart(rows("forks"))
        .transform_filter(IS_SURE)
        .mark_point(filled=True, color=GREY, opacity=1)
        .encode(
            x=_along(n),
            y=_up(),
            size=alt.Size("support:Q", scale=alt.Scale(domain=[SURE, 1], range=[6, 36]), legend=None),
            tooltip=fork_tooltip(),
        ),
    ).properties(width=side, height=70)
    # These are our own words; nothing from data may stand in an expression.
    heading = "{" + ", ".join(f"'{name}': '{LABELS[name]}'" for name in names) + "}[measure]"
    chart = (
        alt.vconcat(top, heat, spacing=2)
        .add_params(chosen)
        .properties(
            title=alt.Title(
                alt.expr(heading),
                subtitle="tree by correlation",
                subtitleFontSize=10,
                fontSize=12,
                fontWeight="normal",
                anchor="start",
            )
        )
        .resolve_scale(x="independent", y="independent")
    )
    spec = finished(chart, pairs=pairs, languages=languages, lines=lines, forks=forks)
    title = "Every pair of languages"
    said = controls_say([one.name for one in result.controls])
    full = {one["shown"]: one["language"] for one in languages}
    labelled = [{**row, "a": full[row["a"]], "b": full[row["b"]]} for row in pairs]
    columns = (("language", "a"), ("other language", "b"), *((LABELS[name], name) for name in names))
    return Figure(
        name="matrix",
        title=title,
        caption=(
            "The lighter a cell, the larger the value of the measure chosen for its two languages; the order of the "
            "languages and the tree above are those of the tree figure. Empty cells have no value; the diagonal, a "
            f"language with itself, is left out.{said and ' ' + said}"
        ),
        spec=spec,
        table=table_of(title, columns, labelled),
        choices=(Choice("measure", "Measure", tuple((name, LABELS[name]) for name in names), first),),
    )


def controls_say(names: Sequence[str]) -> str:
    """What to think of the controls of these names; nothing where there are none."""
    shuffled = [LABELS[name] for name in names if name != TOKENS]
    kinds = [(shuffled, "word order")] if shuffled else []
    kinds += [([LABELS[TOKENS]], "the network")] if TOKENS in names else []
    return " ".join(
        f"What the {listed(labels)} show{'' if len(labels) > 1 else 's'}, too, is there without {what}."
        for labels, what in kinds
    )


def _along(n: int) -> alt.X:
    return alt.X("across:Q", axis=None, scale=alt.Scale(domain=[-0.5, n - 0.5], nice=False, zero=False))


def _up() -> alt.Y:
    return alt.Y("height:Q", axis=None, scale=alt.Scale(nice=False))


def _held(measure: Measure, i: int, j: int) -> float | int | None:
    value = float(measure.overall[i, j])
    return int(value) if value.is_integer() and abs(value) > 1 else measured(value)
