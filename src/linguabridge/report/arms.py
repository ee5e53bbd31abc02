"""Arms against each other, as pictures: the difference of each to direct, and the values of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from linguabridge.paired import Interval
from linguabridge.report.charts import Rows, chart_spec, measured, rows, table_of
from linguabridge.report.section import Figure
from linguabridge.report.theme import BLUE, GREEN, GREY, ORANGE, PINK, SKY, VERMILION

HELPS, HURTS, UNCLEAR, UNJUDGED = "helps", "does harm", "no clear difference", "not judged"
_VERDICTS = {
    HELPS: (BLUE, "triangle-right"),
    HURTS: (VERMILION, "triangle-left"),
    UNCLEAR: (GREY, "circle"),
    UNJUDGED: (GREY, "diamond"),
}
_METRICS = ((BLUE, "circle"), (ORANGE, "square"), (GREEN, "triangle-up"), (PINK, "diamond"), (SKY, "triangle-down"))
_STEP = 24  # pixels for an arm
_WIDTH = 380
_LONG = 30  # characters of an arm's name from which it is written on two lines
_LINES = (
    f"length(datum.label) > {_LONG} ? split(replace(datum.label, regexp('(.{{14,24}}) '), '$1\\n'), '\\n') "
    ": datum.label"
)


@dataclass(frozen=True)
class Difference:
    """An arm against direct.

    Attributes:
        group: heading of the panel: a pair of languages.
        arm: in words.
        gain: with its interval.
        verdict: of :data:`HELPS`, :data:`HURTS`, :data:`UNCLEAR`, :data:`UNJUDGED`.
        detail: what else the tooltip says.
    """

    group: str
    arm: str
    gain: Interval
    verdict: str
    detail: str


@dataclass(frozen=True)
class Value:
    """A metric of an arm, with its interval; ``group`` and ``arm`` as in :class:`Difference`."""

    group: str
    arm: str
    metric: str
    value: Interval


def difference_figure(name: str, title: str, metric: str, data: Sequence[Difference]) -> Figure:
    """Each arm's difference to direct, with its interval, by its verdict."""
    groups = list(dict.fromkeys(one.group for one in data))
    found = [
        {
            "panel": groups.index(one.group),
            "group": one.group,
            "arm": one.arm,
            "gain": measured(one.gain.value),
            "low": measured(one.gain.low),
            "high": measured(one.gain.high),
            "verdict": one.verdict,
            "detail": one.detail,
        }
        for one in data
    ]
    seen = [verdict for verdict in _VERDICTS if any(one.verdict == verdict for one in data)]
    colour, shape = _looks("verdict", seen, [_VERDICTS[one] for one in seen])
    tooltip = [
        alt.Tooltip("group:N", title="pair"),
        alt.Tooltip("arm:N", title="way"),
        alt.Tooltip("gain:Q", title=f"{metric} minus direct"),
        alt.Tooltip("low:Q", title="95 % interval from"),
        alt.Tooltip("high:Q", title="to"),
        alt.Tooltip("verdict:N", title="verdict"),
        alt.Tooltip("detail:N", title="items"),
    ]

    def layers(axis_title: str | None) -> list[alt.Chart]:
        base = alt.Chart().encode(y=_arms(), tooltip=tooltip)
        x = alt.X("low:Q", title=axis_title, axis=alt.Axis(tickCount=6))
        zero = alt.Chart().mark_rule(strokeDash=[4, 3], color=GREY).encode(x=alt.datum(0, type="quantitative"))
        intervals = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", color=colour)
        points = base.mark_point(filled=True, size=90, opacity=1).encode(x="gain:Q", color=colour, shape=shape)
        return [zero, intervals, points]

    columns = (
        ("pair", "group"),
        ("way", "arm"),
        ("difference", "gain"),
        ("from", "low"),
        ("to", "high"),
        ("verdict", "verdict"),
        ("items", "detail"),
    )
    step = _STEP + 6 if any(len(one.arm) > _LONG for one in data) else _STEP
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Each way's {metric} minus that of going direct, on the same items, with its 95 % interval. Items whose "
            "bridge text already is a right answer are left out. Right of 0, the way is better than direct."
        ),
        spec=_panels(layers, groups, f"{metric}: difference to going direct, with 95 % interval", found, step),
        table=table_of(title, columns, found),
    )


def value_figure(name: str, title: str, data: Sequence[Value]) -> Figure:
    """Each arm's metrics, with their intervals."""
    groups = list(dict.fromkeys(one.group for one in data))
    found = [
        {
            "panel": groups.index(one.group),
            "group": one.group,
            "arm": one.arm,
            "metric": one.metric,
            "value": measured(one.value.value),
            "low": measured(one.value.low),
            "high": measured(one.value.high),
        }
        for one in data
    ]
    metrics = list(dict.fromkeys(one.metric for one in data))
    colour, shape = _looks("metric", metrics, [_METRICS[i % len(_METRICS)] for i in range(len(metrics))])
    tooltip = [
        alt.Tooltip("group:N", title="pair"),
        alt.Tooltip("arm:N", title="way"),
        alt.Tooltip("metric:N", title="metric"),
        alt.Tooltip("value:Q", title="value"),
        alt.Tooltip("low:Q", title="95 % interval from"),
        alt.Tooltip("high:Q", title="to"),
    ]

    def layers(axis_title: str | None) -> list[alt.Chart]:
        offset = alt.YOffset("metric:N", sort=None, scale=alt.Scale(domain=metrics, padding=0.6))
        base = alt.Chart().encode(y=_arms(), yOffset=offset, tooltip=tooltip)
        x = alt.X("low:Q", title=axis_title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
        intervals = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", color=colour)
        points = base.mark_point(filled=True, size=70, opacity=1).encode(x="value:Q", color=colour, shape=shape)
        return [intervals, points]

    columns = (
        ("pair", "group"),
        ("way", "arm"),
        ("metric", "metric"),
        ("value", "value"),
        ("from", "low"),
        ("to", "high"),
    )
    what = metrics[0] if len(metrics) == 1 else "value"
    step = max(_STEP, 12 * len(metrics) + 6)
    return Figure(
        name=name,
        title=title,
        caption=(
            "The mean over items of each metric, with its 95 % interval. Compare ways by their differences: intervals "
            "of two ways on the same items may overlap although one is surely better."
        ),
        spec=_panels(layers, groups, f"{what}, with 95 % interval", found, step),
        table=table_of(title, columns, found),
    )


def _arms() -> alt.Y:
    axis = alt.Axis(grid=True, domain=False, tickSize=0, labelPadding=6, labelExpr=_LINES)
    return alt.Y("arm:N", sort=None, title=None, axis=axis)


def _looks(field: str, domain: list[str], looks: list[tuple[str, str]]) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape of a category, in one legend; none for a single metric."""
    legend = alt.Legend(title=None, orient="top", symbolStrokeWidth=0, symbolOpacity=1, symbolSize=80)
    shown = legend if len(domain) > 1 or field == "verdict" else None
    return (
        alt.Color(f"{field}:N", scale=alt.Scale(domain=domain, range=[one for one, _ in looks]), legend=shown),
        alt.Shape(f"{field}:N", scale=alt.Scale(domain=domain, range=[one for _, one in looks]), legend=shown),
    )


def _panels(
    layers: Callable[[str | None], list[alt.Chart]],
    groups: Sequence[str],
    axis_title: str,
    data: Rows,
    step: int,
) -> dict[str, Any]:
    """A panel for each pair of languages, on one scale; the last has the axis's title.

    Vega-Lite's own facets take the arms of all pairs for one list, and leave room for each in every panel. Altair makes
    one panel, and the others are like it: it takes a tenth of a second for each, and pairs may be a hundred.
    """
    height = alt.Step(step, **{"for": "position"})

    def panel(number: int, group: str) -> dict[str, Any]:
        shown = last if number == len(groups) - 1 else other
        title = {"text": group if len(groups) > 1 else "", "fontSize": 12, "anchor": "start", "frame": "group"}
        return {**shown, "title": title, "transform": [{"filter": f"datum.panel === {number}"}]}

    other, last = (
        chart_spec(alt.layer(*layers(title), data=rows()).properties(width=_WIDTH, height=height))
        for title in (None, axis_title)
    )
    return {
        "$schema": alt.SCHEMA_URL,
        "vconcat": [panel(number, group) for number, group in enumerate(groups)],
        "spacing": 14,
        "resolve": {"scale": {"x": "shared", "color": "shared", "shape": "shared"}},
        "datasets": {"rows": list(data)},
    }
