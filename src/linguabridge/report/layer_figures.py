"""A spectrum layer by layer: how it sees families, and how many neurons languages share."""

from __future__ import annotations

from typing import Any

import altair as alt

from linguabridge.report.charts import finished, measured, rows, table_of
from linguabridge.report.section import Choice, Figure
from linguabridge.report.theme import BLUE, GREEN, GREY, ORANGE, SKY
from linguabridge.spectrum.results import CORRELATION, LABELS, Spectrum


def curves_figure(result: Spectrum) -> Figure:
    """How measures see families, layer by layer."""
    found: list[dict[str, Any]] = [
        {"measure": curve.measure, "layer": layer, "within": measured(w), "between": measured(b), "apart": measured(s)}
        for curve in result.curves
        for layer, (w, b, s) in enumerate(zip(curve.within, curve.between, curve.separation, strict=True))
    ]
    names = [one.measure for one in result.curves]
    first = CORRELATION if CORRELATION in names else names[0]
    chosen = alt.param(name="measure", value=first)
    kinds = {"within": "kin (one family)", "between": "no kin (two families)"}
    domain = list(kinds.values())
    legend = alt.Legend(title=None, orient="top", symbolStrokeWidth=0, symbolOpacity=1, symbolSize=70)
    chosen_rows = alt.Chart(rows()).transform_filter("datum.measure === measure")
    x = alt.X(
        "layer:Q", title="layer", axis=alt.Axis(tickMinStep=1, format="d", grid=False), scale=alt.Scale(nice=False)
    )
    means = (
        chosen_rows.transform_fold(["within", "between"], as_=["key", "value"])
        .transform_calculate(kind=f"datum.key === 'within' ? '{kinds['within']}' : '{kinds['between']}'")
        .encode(
            x=x,
            y=alt.Y("value:Q", title="mean over pairs", scale=alt.Scale(zero=False)),
            color=alt.Color("kind:N", scale=alt.Scale(domain=domain, range=[BLUE, ORANGE]), legend=legend),
            tooltip=[
                alt.Tooltip("kind:N", title="pairs"),
                alt.Tooltip("layer:Q", title="layer"),
                alt.Tooltip("value:Q", title="mean"),
            ],
        )
    )
    dashes = alt.StrokeDash("kind:N", scale=alt.Scale(domain=domain, range=[[1, 0], [5, 3]]), legend=legend)
    shapes = alt.Shape("kind:N", scale=alt.Scale(domain=domain, range=["circle", "square"]), legend=legend)
    apart = chosen_rows.encode(
        x=x,
        y=alt.Y("apart:Q", title="separation of families", scale=alt.Scale(zero=False, padding=8)),
        tooltip=[alt.Tooltip("layer:Q", title="layer"), alt.Tooltip("apart:Q", title="separation")],
    )
    upper = alt.layer(
        means.mark_line(strokeWidth=2).encode(strokeDash=dashes),
        means.mark_point(filled=True, size=40, opacity=1).encode(shape=shapes),
    )
    lower = alt.layer(
        alt.Chart(rows()).mark_rule(strokeDash=[4, 3], color=GREY).encode(y=alt.datum(0.5, type="quantitative")),
        apart.mark_line(strokeWidth=2, color=GREEN),
        apart.mark_point(filled=True, size=40, color=GREEN, opacity=1),
    )
    chart = alt.vconcat(
        upper.properties(width=520, height=180), lower.properties(width=520, height=130), spacing=16
    ).add_params(chosen)
    title = "Families, layer by layer"
    labelled = [{**row, "measure": LABELS[row["measure"]]} for row in found]
    columns = (
        ("measure", "measure"),
        ("layer", "layer"),
        ("mean of kin", "within"),
        ("mean of no kin", "between"),
        ("separation", "apart"),
    )
    return Figure(
        name="layers",
        title=title,
        caption=(
            "Above, how alike pairs of kin are and pairs of no kin, in each layer. Below, the probability that a pair "
            "of kin is more alike than a pair of no kin; the dashed line, .5, is chance."
        ),
        spec=finished(chart, rows=found),
        table=table_of(title, columns, labelled),
        choices=(Choice("measure", "Measure", tuple((name, LABELS[name]) for name in names), first),),
    )


def counts_figure(result: Spectrum) -> Figure:
    """Neurons by how many languages have them in their top sets, layer by layer."""
    n = len(result.languages)
    kinds = {"one": "one language", "some": "several languages", "all": f"all {n} languages"}
    found = [
        {"layer": layer, "kind": kinds[name], "rank": rank, "neurons": count}
        for rank, name in enumerate(kinds)
        for layer, count in enumerate(getattr(result.counts, name))
    ]
    title = "Neurons shared between languages"
    chart = (
        alt.Chart(rows())
        .mark_bar()
        .encode(
            x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("neurons:Q", title="neurons in top sets"),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=list(kinds.values()), range=[SKY, BLUE, ORANGE]),
                legend=alt.Legend(title="in the top set of", orient="top", columns=alt.expr("width < 350 ? 2 : 3")),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("layer:O", title="layer"),
                alt.Tooltip("kind:N", title="in the top set of"),
                alt.Tooltip("neurons:Q", title="neurons"),
            ],
        )
        .properties(width=520, height=220)
    )
    return Figure(
        name="shared",
        title=title,
        caption="Neurons that are in any language's top set, by the number of languages in whose top sets they are.",
        spec=finished(chart, rows=found),
        table=table_of(title, (("layer", "layer"), ("in the top set of", "kind"), ("neurons", "neurons")), found),
    )
