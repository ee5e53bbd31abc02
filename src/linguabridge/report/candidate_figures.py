"""Candidates of a recommendation as pictures: their ranking, their scores layer by layer, their numbers of neurons."""

from __future__ import annotations

import altair as alt

from linguabridge.ranking import CandidateScore
from linguabridge.recommendation import Recommendation
from linguabridge.report.charts import finished, language_label, measured, rows, table_of
from linguabridge.report.section import Choice, Figure, Share
from linguabridge.report.theme import BLUE, GREY, ORANGE
from linguabridge.settings import ENOUGH_NEURONS
from linguabridge.words import share

_STEP = 22  # pixels for a candidate
_CHOSEN, _TIED, _REST = "chosen", "scores as high", "other candidates"
_CHOICE = {_CHOSEN: (BLUE, "square"), _TIED: (ORANGE, "diamond"), _REST: (GREY, "circle")}
_LEADER, _OTHER = "among the likely best", "others"


def chosen_figure(result: Recommendation) -> Figure:
    """What the way of choosing says of each candidate, the one chosen on top."""
    chosen = result.chosen
    tied = chosen.tied()
    groups = dict.fromkeys(tied, _TIED) | ({chosen.first: _CHOSEN} if chosen.first else {})
    found = [
        {"bridge": language_label(code), "score": measured(score), "group": groups.get(code, _REST)}
        for code, score in chosen.scores.items()
    ]
    domain = [one for one in _CHOICE if any(row["group"] == one for row in found)]
    looks = [_CHOICE[one] for one in domain]
    legend = alt.Legend(title=None, orient="top", symbolStrokeWidth=0, symbolOpacity=1)
    scored = alt.Chart().encode(
        y=alt.Y(
            "bridge:N",
            scale=alt.Scale(domain=[row["bridge"] for row in found]),  # those without a score, too
            title=None,
            axis=alt.Axis(grid=True, tickSize=0, labelPadding=6, domain=False),
        ),
        tooltip=[alt.Tooltip("bridge:N", title="bridge"), alt.Tooltip("score:Q", title="score")],
    )
    chart = (
        scored.mark_point(filled=True, size=90, opacity=1)
        .encode(
            x=alt.X("score:Q", title="score", scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=6)),
            color=alt.Color(
                "group:N", scale=alt.Scale(domain=domain, range=[colour for colour, _ in looks]), legend=legend
            ),
            shape=alt.Shape(
                "group:N", scale=alt.Scale(domain=domain, range=[shape for _, shape in looks]), legend=legend
            ),
        )
        .properties(width=400, height=alt.Step(_STEP), data=rows())
    )
    silent = any(score is None for score in chosen.scores.values())
    title = f"Chosen by {chosen.title}"
    return Figure(
        name="chosen",
        title=title,
        caption=(
            f"What the way of choosing '{chosen.way}' gives each candidate; the highest score is chosen"
            f"{', the first of those that score alike' if len(tied) > 1 else ''}. Scores are in the way's own unit and "
            f"can be compared only with each other.{' It says nothing of candidates without a dot.' if silent else ''}"
        ),
        spec=finished(chart, rows=found),
        table=table_of(title, (("bridge", "bridge"), ("score", "score"), ("", "group")), found),
    )


def ranking_figure(result: Recommendation) -> Figure:
    """A dot and an interval for each candidate, the best on top."""
    candidates = result.ranking.candidates
    leaders = {one.code for one in result.ranking.leaders}
    found = [
        {
            "bridge": language_label(one.code),
            "score": measured(one.score),
            "low": measured(one.low),
            "high": measured(one.high),
            "best": measured(one.best),
            "first": share(one.best),
            "group": _LEADER if one.code in leaders else _OTHER,
        }
        for one in candidates
    ]
    title = f"What the neurons say: how much each candidate's depend on those that {pair_names(result)} share"
    tooltip = [
        alt.Tooltip("bridge:N", title="bridge"),
        alt.Tooltip("score:Q", title="score"),
        alt.Tooltip("low:Q", title="95 % interval from"),
        alt.Tooltip("high:Q", title="to"),
        alt.Tooltip("first:N", title="first in half-samples"),
    ]
    y = alt.Y("bridge:N", sort=None, title=None, axis=alt.Axis(grid=True, tickSize=0, labelPadding=6, domain=False))
    groups, colours = [_LEADER, _OTHER], [BLUE, GREY]
    colour = alt.Color(
        "group:N",
        scale=alt.Scale(domain=groups, range=colours),
        legend=alt.Legend(title=None, orient="top", symbolStrokeWidth=0, symbolOpacity=1),
    )
    shape = alt.Shape("group:N", scale=alt.Scale(domain=groups, range=["circle", "diamond"]))
    base = alt.Chart().encode(y=y, tooltip=tooltip)
    x = alt.X(
        "low:Q",
        title=f"score in {span(result)}, with 95 % interval",
        scale=alt.Scale(zero=True),
        axis=alt.Axis(tickCount=6),
    )
    intervals = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", color=colour)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(x="score:Q", color=colour, shape=shape)
    often = (
        alt.Chart()
        .mark_text(align="right", fontSize=11)
        .encode(
            y=alt.Y("bridge:N", sort=None, title=None, axis=None),
            x=alt.value(34),
            text="first:N",
        )
        .properties(width=40, height=alt.Step(_STEP), title=alt.Title("first in", fontSize=11, fontWeight="normal"))
    )
    plot = alt.layer(intervals, points).properties(width=400, height=alt.Step(_STEP))
    columns = (
        ("bridge", "bridge"),
        ("score", "score"),
        ("from", "low"),
        ("to", "high"),
        ("share of half-samples in which it is first", "best"),
    )
    return Figure(
        name="ranking",
        title=title,
        caption=(
            f"The score of each candidate's neurons in {span(result)} ({result.ranking.estimator}) with its 95 % "
            f"interval over {result.ranking.n_probes} probe words. At the right, how often a candidate came first in "
            "random halves of the probes; the likely best are the fewest that hold the best one with a probability of "
            "80 %."
        ),
        spec=finished(alt.hconcat(plot, often, data=rows(), spacing=4), rows=found),
        table=table_of(
            title, columns, [{**row, "best": Share(one.best)} for row, one in zip(found, candidates, strict=True)]
        ),
    )


def layers_figure(result: Recommendation) -> Figure:
    """Score by layer: one candidate in front of the others."""
    ranking = result.ranking
    found = [
        {"code": one.code, "bridge": language_label(one.code), "layer": ranking.window[0] + i, "score": measured(score)}
        for one in ranking.candidates
        for i, score in enumerate(_as_many(one, len(ranking.shared)))
    ]
    first = ranking.candidates[0].code
    chosen = alt.param(name="candidate", value=first)
    title = "Where in the model the score comes from"
    base = alt.Chart().encode(
        x=alt.X(
            "layer:Q",
            title="layer",
            axis=alt.Axis(values=list(range(ranking.window[0], ranking.window[1] + 1)), format="d", grid=False),
            scale=alt.Scale(nice=False),
        ),
        y=alt.Y("score:Q", title="score"),
        detail="code:N",
        tooltip=[
            alt.Tooltip("bridge:N", title="bridge"),
            alt.Tooltip("layer:Q", title="layer"),
            alt.Tooltip("score:Q", title="score"),
        ],
    )
    others = base.mark_line(strokeWidth=1, color=GREY, opacity=0.6)
    front = base.transform_filter("datum.code === candidate")
    line = front.mark_line(strokeWidth=3, color=BLUE)
    points = front.mark_point(filled=True, size=60, color=BLUE, opacity=1)
    label = (
        front.transform_filter("isValid(datum.score)")
        .transform_window(rank="row_number()", sort=[alt.SortField("layer", order="descending")])
        .transform_filter("datum.rank === 1")
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(text="bridge:N")
    )
    options = tuple((one.code, language_label(one.code)) for one in ranking.candidates)
    lengths = [len(name) for _, name in options]
    room = 7 * (max(lengths) - min(lengths))  # for the longest name, since a plot keeps its size when another is chosen
    chart = alt.layer(others, line, points, label, data=rows()).add_params(chosen)
    chart = chart.properties(width=440, height=220, padding={"left": 5, "top": 5, "bottom": 5, "right": 5 + room})
    return Figure(
        name="layers",
        title=title,
        caption=(
            "The score in each layer compared: of one candidate in colour, named at its end, of the others in grey. A "
            "line breaks where a layer has no neurons to compare."
        ),
        spec=finished(chart, rows=found),
        table=table_of(title, (("bridge", "bridge"), ("layer", "layer"), ("score", "score")), found),
        choices=(Choice("candidate", "Candidate in colour", options, first),),
    )


def _as_many(one: CandidateScore, n: int) -> tuple[float | None, ...]:
    """Its scores by layer, one for each layer of the window."""
    if not len(one.layers) == len(one.neurons) == n:
        raise ValueError("scores for other layers than those of the window")
    return one.layers


def sizes_figure(result: Recommendation) -> Figure:
    """Number of neurons compared: those of the pair, and those of each candidate."""
    ranking = result.ranking
    shared, own = "shared by the pair", "of the candidate alone"
    sizes = [(pair_names(result), sum(ranking.shared), shared)]
    sizes += [(language_label(one.code), sum(one.neurons), own) for one in ranking.candidates]
    found = [{"set": name, "neurons": size, "kind": kind} for name, size, kind in sizes]
    title = f"Neurons compared in {span(result)}"
    kinds = [shared, own]
    base = alt.Chart().encode(
        y=alt.Y("set:N", sort=None, title=None, axis=alt.Axis(tickSize=0, labelPadding=6)),
        x=alt.X("neurons:Q", title="neurons"),
    )
    bars = base.mark_bar(height={"band": 0.65}).encode(
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE]),
            legend=alt.Legend(title=None, orient="top", columns=alt.expr("width < 250 ? 1 : 2")),
        ),
        tooltip=[
            alt.Tooltip("set:N", title="set"),
            alt.Tooltip("kind:N", title="neurons"),
            alt.Tooltip("neurons:Q", title="number"),
        ],
    )
    numbers = base.mark_text(align="left", dx=4, fontSize=11).encode(text=alt.Text("neurons:Q", format=","))
    chart = alt.layer(bars, numbers, data=rows()).properties(width=400, height=alt.Step(_STEP))
    return Figure(
        name="sizes",
        title=title,
        caption=(
            f"Neurons in the top sets of both {pair_names(result)}, and each candidate's bridge neurons, which are "
            f"compared with them. Scores of fewer than {ENOUGH_NEURONS} neurons are to be taken with care."
        ),
        spec=finished(chart, rows=found),
        table=table_of(title, (("set", "set"), ("neurons", "neurons"), ("kind", "kind")), found),
    )


def span(result: Recommendation) -> str:
    """The layers compared, in words."""
    first, last = result.ranking.window
    return f"layer {first}" if first == last else f"layers {first} to {last}"


def pair_names(result: Recommendation) -> str:
    """Source and target in words."""
    return f"{result.source.name} and {result.target.name}"
