"""Every pair of a study through every bridge: where a bridge helps, and whether the way of choosing finds it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import altair as alt

from linguabridge.check import CHAINED, DIRECT
from linguabridge.report.charts import finished, language_label, language_name, measured, rows, table_of
from linguabridge.report.section import Choice, Figure
from linguabridge.report.study_body import PairMeans, marked_way, several, ways_held
from linguabridge.report.theme import BLUE, GREY, VERMILION
from linguabridge.study.results import Study
from linguabridge.study.settings import VOTED
from linguabridge.words import listed

_WIDE, _CELL, _ROW = 560, 30, 24  # pixels: the most of all columns together, of one, and of a row
_BEST, _PICK = "best single bridge in hindsight", "pick of the way chosen above"
_MIDDLE = "#F7F7F7"


def grid_figure(result: Study, pairs: Sequence[PairMeans]) -> Figure:
    """Pairs × arms, by what each gains over direct."""
    gains = [{arm: one.mrr[arm] - one.mrr[DIRECT] for arm in one.arms if arm != DIRECT} for one in pairs]
    columns = _columns(gains)
    found: list[dict[str, Any]] = [
        {
            "pair": one.title,
            "column": _column(arm),
            "arm": _way(arm),
            "gain": measured(gain),
            "mrr": measured(one.mrr[arm]),
            "direct": measured(one.mrr[DIRECT]),
        }
        for one, some in zip(pairs, gains, strict=True)
        for arm, gain in some.items()
    ]
    ways, first = ways_held(pairs), marked_way(result, pairs)
    marked = [("", _BEST, one.title, one.best) for one in pairs]
    marked += [(way, _PICK, one.title, code) for way in ways for one in pairs for code in one.picked(way)]
    cells = {(row["pair"], row["column"]): row for row in found}
    # A mark lies on its cell, and says what the cell would.
    marks = [{**cells[pair, _column(code)], "chosen_by": way, "mark": mark} for way, mark, pair, code in marked]
    names = {one.title: {_column(arm) for arm in one.arms} for one in pairs}
    empty = [
        {"pair": pair, "column": column} for pair, some in names.items() for column in columns if column not in some
    ]
    most = max((abs(row["gain"] or 0) for row in found), default=0) or 1
    cell = min(_CELL, _WIDE / len(columns))
    axis: dict[str, Any] = {"title": None, "ticks": False, "domain": False, "labelPadding": 4, "labelOverlap": False}
    x = alt.X("column:N", scale=alt.Scale(domain=columns, paddingInner=0), axis=alt.Axis(labelAngle=-90, **axis))
    y = alt.Y(
        "pair:N",
        scale=alt.Scale(domain=list(dict.fromkeys(one.title for one in pairs)), paddingInner=0),
        axis=alt.Axis(**axis),
    )
    tooltip = [
        alt.Tooltip("pair:N", title="pair"),
        alt.Tooltip("arm:N", title="bridges"),
        alt.Tooltip("gain:Q", title="MRR minus direct's"),
        alt.Tooltip("mrr:Q", title="MRR"),
        alt.Tooltip("direct:Q", title="MRR of direct"),
    ]
    heat = (
        alt.Chart(rows())
        .mark_rect()
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "gain:Q",
                scale=alt.Scale(domain=[-most, 0, most], range=[VERMILION, _MIDDLE, BLUE], nice=False),
                legend=alt.Legend(title="MRR minus direct's", orient="right", gradientLength=160, format="+.2f"),
            ),
            tooltip=tooltip,
        )
    )
    chosen = alt.param(name="way", value=first or "")
    kinds = [_BEST, _PICK]
    shape = alt.Shape(
        "mark:N",
        scale=alt.Scale(domain=kinds, range=["circle", "square"]),
        # In grey, which stands out from pages of either colour, where black and white would not.
        legend=alt.Legend(
            title=None,
            orient="top",
            symbolFillColor="transparent",
            symbolStrokeColor=GREY,
            symbolStrokeWidth=2,
            symbolSize=90,
            columns=alt.expr("width < 350 ? 1 : 2"),
        ),
    )
    # Black within white is seen on every colour of a cell.
    in_way = (
        alt.Chart(rows("marks"))
        .transform_filter("datum.chosen_by === '' || datum.chosen_by === way")
        .encode(x=x, y=y, tooltip=tooltip)
    )
    best = in_way.transform_filter("datum.chosen_by === ''").encode(shape=shape)
    pick = in_way.transform_filter("datum.chosen_by !== ''").encode(shape=shape)
    nothing = alt.Chart(rows("empty")).mark_text(text="–", color=GREY, fontSize=11).encode(x=x, y=y)
    side = (min(cell, _ROW) - 7) ** 2
    chart = (
        alt.layer(
            heat,
            nothing,
            pick.mark_point(filled=False, size=side, stroke="white", strokeWidth=4.5, opacity=1),
            pick.mark_point(filled=False, size=side, stroke="black", strokeWidth=1.8, opacity=1),
            best.mark_point(filled=True, size=side / 4, color="black", stroke="white", strokeWidth=1.5, opacity=1),
        )
        .add_params(chosen)
        .properties(width=round(cell * len(columns)), height=_ROW * len({one.title for one in pairs}))
    )
    title = "Where a bridge helps"
    headed = (
        ("pair", "pair"),
        ("bridges", "arm"),
        ("MRR minus direct's", "gain"),
        ("MRR", "mrr"),
        ("MRR of direct", "direct"),
    )
    return Figure(
        name="grid",
        title=title,
        caption=(
            "The mean reciprocal rank of the right word through each bridge minus that of going direct: the bluer, the "
            "more it helps; the redder, the more harm it does. Bridges stand in the order of their mean gain, several "
            "at once at the end (chain: in one prompt; vote: likelihoods of separate prompts summed). A dot marks the "
            "best single bridge on these very words, a square what the way chosen would have taken, a dash a "
            "bridge that is the pair's own language."
        ),
        # Narrower columns would leave no room for the marks.
        spec={**finished(chart, rows=found, marks=marks, empty=empty), "usermeta": {"fixed": True}},
        table=table_of(title, headed, found),
        choices=(Choice("way", "Way of choosing", tuple((way, way) for way in ways), first),) if first else (),
    )


def _columns(gains: Sequence[dict[str, float]]) -> list[str]:
    """Single bridges by their mean gain, the highest first, then several at once."""
    by_column: dict[str, list[float]] = {}
    for some in gains:
        for arm, gain in some.items():
            by_column.setdefault(_column(arm), []).append(gain)
    many = list(dict.fromkeys(name for some in gains for arm in some if (name := several(arm))))
    singles = [name for name in by_column if name not in many]
    return [*sorted(singles, key=lambda name: -fmean(by_column[name])), *sorted(many)]


def _column(arm: str) -> str:
    return several(arm) or language_label(arm)


def _way(arm: str) -> str:
    """``English, French and Spanish (chain of 3)``: which bridges an arm goes through."""
    name = several(arm)
    codes = arm.replace(VOTED, CHAINED).split(CHAINED)
    return f"{listed([language_name(code) for code in codes])} ({name})" if name else language_label(arm)
