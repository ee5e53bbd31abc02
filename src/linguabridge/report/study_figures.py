"""A study's ways and policies as pictures: what ways lose, what policies gain, and how few words suffice."""

from __future__ import annotations

from typing import Any

import altair as alt

from linguabridge.check import DIRECT
from linguabridge.paired import Interval
from linguabridge.report.charts import Chart, Rows, finished, measured, rows, table_of
from linguabridge.report.section import Choice, Figure, Share
from linguabridge.report.study_body import views
from linguabridge.report.theme import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION
from linguabridge.study.analysis import RANDOM, REFERENCE, Analysis
from linguabridge.study.fixed import BEST_FIXED
from linguabridge.study.policies import CHAIN_OR_HOP, ENGLISH, TRIED, PolicyResult
from linguabridge.study.results import Study
from linguabridge.study.sets import DEVELOPMENT_SET
from linguabridge.study.words import FIXED_IS, SETS, TITLES, best_way
from linguabridge.words import interval, number, share

_STEP = 20  # pixels for a way or a policy
_WIDTH = 400
_POLICIES = 15  # in the figure; the table has all

_FIXED, _RANDOM, _REFERENCE, _OTHERS = "a fixed bridge", "a random bridge", "the published measure", "other ways"
_WAYS = {
    _FIXED: (ORANGE, "square"),
    _RANDOM: (PINK, "triangle-down"),
    _REFERENCE: (VERMILION, "triangle-up"),
    "the best on the pairs for development": (GREEN, "diamond"),
    "the best way": (GREEN, "diamond"),
    _OTHERS: (BLUE, "circle"),
}
_DIRECTLY, _ONE, _CHAIN, _VOTE, _DECIDED = (
    "direct",
    "one bridge",
    "several in one prompt (chain)",
    "several prompts (vote)",
    "one of these, or direct",
)
_KINDS = {
    _DIRECTLY: (ORANGE, "square"),
    _ONE: (BLUE, "circle"),
    _CHAIN: (GREEN, "triangle-up"),
    _VOTE: (PINK, "diamond"),
    _DECIDED: (VERMILION, "cross"),
}
_OR_DIRECT = " or direct"


def regret_figure(result: Study) -> Figure:
    """What each way of choosing one bridge loses, the least on top."""
    best = best_way(result)
    marked = "the best on the pairs for development" if result.analysis(DEVELOPMENT_SET) else "the best way"
    groups = {best: marked, BEST_FIXED: _FIXED, ENGLISH: _FIXED, RANDOM: _RANDOM, REFERENCE: _REFERENCE}
    found: list[dict[str, Any]] = [
        {
            "view": f"v{place}",
            "pairs": SETS[one.name],
            "metric": one.metric,
            "way": way.way,
            "title": TITLES.get(way.way, way.way),
            **_ends("regret", way.regret),
            **_ends("fixed", way.over_fixed),
            **_ends("random", way.over_random),
            "fine": measured(way.fine.value),
            **(_ends("tau", way.tau) if way.tau else {"tau": None, "tau_low": None, "tau_high": None}),
            "fixed_said": _said(way.over_fixed, sign=True),
            "fine_said": share(way.fine.value),
            "tau_said": _said(way.tau) if way.tau else "–",
            "group": groups.get(way.way, _OTHERS),
        }
        for place, (_, one) in enumerate(views(result))
        for way in one.ways
    ]
    tooltip = [
        alt.Tooltip("way:N", title="way"),
        alt.Tooltip("title:N", title="goes by"),
        alt.Tooltip("regret:Q", title="regret"),
        alt.Tooltip("regret_low:Q", title="95 % interval from"),
        alt.Tooltip("regret_high:Q", title="to"),
        alt.Tooltip("fixed_said:N", title="over the fixed bridge"),
        alt.Tooltip("fine_said:N", title="fine"),
        alt.Tooltip("tau_said:N", title="Kendall's τ"),
    ]
    chart = _dots(
        "way", "regret", "group", _WAYS, found, tooltip, "regret, with 95 % interval", "best bridge in hindsight"
    )
    columns = (
        ("pairs", "pairs"),
        ("metric", "metric"),
        ("way", "way"),
        ("regret", "regret"),
        ("from", "regret_low"),
        ("to", "regret_high"),
        ("over fixed", "fixed"),
        ("from", "fixed_low"),
        ("to", "fixed_high"),
        ("over random", "random"),
        ("from", "random_low"),
        ("to", "random_high"),
        ("fine", "fine"),
        ("τ", "tau"),
        ("from", "tau_low"),
        ("to", "tau_high"),
    )
    title = "What each way of choosing one bridge loses"
    return Figure(
        name="regret",
        title=title,
        caption=(
            "Regret: the score lost against the best bridge in hindsight, which is picked on half of the words and "
            "scored on the other; mean over pairs, with its 95 % interval over pairs and words. The less, the better. "
            "Intervals of two ways may overlap although one is surely better, as all are measured on the same words: "
            "the table has what each gains over the fixed bridge."
        ),
        spec=finished(chart, rows=found, zero=_ZERO),
        table=table_of(title, columns, [{**row, "fine": Share(row["fine"])} for row in found]),
        choices=(_choice(result),),
    )


def gain_figure(result: Study) -> Figure:
    """What policies gain over the fixed bridge: direct, one bridge, several, or one of these where it did better."""
    found = [
        {
            "view": f"v{place}",
            "pairs": SETS[one.name],
            "metric": one.metric,
            "policy": policy.policy,
            "kind": kind_of(policy.policy),
            **_ends("gain", policy.over_fixed),
            **_ends("score", policy.score),
            **_ends("direct", policy.over_direct),
            **_ends("regret", policy.regret),
            "direct_said": _said(policy.over_direct, sign=True),
            "regret_said": _said(policy.regret),
            "shown": policy in shown,
        }
        for place, (_, one) in enumerate(views(result))
        for shown in [policies_shown(one)]
        for policy in one.policies
    ]
    tooltip = [
        alt.Tooltip("policy:N", title="policy"),
        alt.Tooltip("gain:Q", title="over the fixed bridge"),
        alt.Tooltip("gain_low:Q", title="95 % interval from"),
        alt.Tooltip("gain_high:Q", title="to"),
        alt.Tooltip("score:Q", title="score"),
        alt.Tooltip("direct_said:N", title="over direct"),
        alt.Tooltip("regret_said:N", title="regret against all arms"),
    ]
    drawn = [row for row in found if row["shown"]]
    chart = _dots("policy", "gain", "kind", _KINDS, drawn, tooltip, "gain, with 95 % interval", "the fixed bridge")
    columns = (
        ("pairs", "pairs"),
        ("metric", "metric"),
        ("policy", "policy"),
        ("over fixed", "gain"),
        ("from", "gain_low"),
        ("to", "gain_high"),
        ("score", "score"),
        ("from", "score_low"),
        ("to", "score_high"),
        ("over direct", "direct"),
        ("from", "direct_low"),
        ("to", "direct_high"),
        ("regret", "regret"),
        ("from", "regret_low"),
        ("to", "regret_high"),
    )
    title = "What there is to gain over the fixed bridge"
    return Figure(
        name="gain",
        title=title,
        caption=(
            "Mean score minus that of the fixed bridge, with its 95 % interval over pairs and words. "
            f"{FIXED_IS} Chain: several bridges in one prompt. Vote: likelihoods of separate prompts summed. Or "
            "direct: bridged only where it did better than direct on the other half of the words. Tried: direct, "
            "English, english-or-hop and three in one prompt tried on the other half, the best taken. Chain-or-hop: "
            "three in one prompt; where English is in the pair, one by right words into the target. "
            "Shown are the best policies of each kind; the table has all."
        ),
        spec=finished(chart, rows=drawn, zero=_ZERO),
        table=table_of(title, columns, found),
        choices=(_choice(result),),
    )


def kind_of(policy: str) -> str:
    """Of which kind a policy is, as the figure names it."""
    if policy.endswith(_OR_DIRECT) or policy in (TRIED, CHAIN_OR_HOP):
        return _DECIDED
    if policy == DIRECT:
        return _DIRECTLY
    return _CHAIN if policy.startswith("chain of ") else _VOTE if policy.startswith("vote of ") else _ONE


def policies_shown(one: Analysis) -> tuple[PolicyResult, ...]:
    """Direct, always English, chains and votes; the best of each kind; then the best of the rest, some 15 in all."""
    always = {DIRECT, ENGLISH, BEST_FIXED, RANDOM, REFERENCE, TRIED, CHAIN_OR_HOP, f"{ENGLISH}{_OR_DIRECT}"}
    chosen = {row.policy for row in one.policies if row.policy in always or kind_of(row.policy) in (_CHAIN, _VOTE)}
    kinds: set[tuple[str, str]] = set()
    for row in one.policies:
        kind = kind_of(row.policy), kind_of(row.policy.removesuffix(_OR_DIRECT))
        if kind not in kinds:
            chosen.add(row.policy)
            kinds.add(kind)
    for row in one.policies:
        if len(chosen) < _POLICIES and kind_of(row.policy) == _ONE:
            chosen.add(row.policy)
    return tuple(row for row in one.policies if row.policy in chosen)


def has_curves(result: Study) -> bool:
    """Whether regret by the number of words is known."""
    return any(curve.words for one in result.analyses for curve in one.curves)


_CURVES = {
    "hops": ("right words in both hops (hops)", BLUE, "circle", [1, 0]),
    "second-hop": ("right words in the second hop (second-hop)", GREEN, "triangle-up", [2, 2]),
    "pilot": ("every bridge tried on the pair's own words (pilot)", VERMILION, "square", [6, 3]),
}


def words_figure(result: Study) -> Figure:
    """Regret by the number of words looked at."""
    found = [
        {
            "view": f"v{place}",
            "pairs": SETS[one.name],
            "metric": one.metric,
            "way": _CURVES[curve.way][0],
            "words": n,
            "regret": measured(value),
        }
        for place, (_, one) in enumerate(views(result))
        for curve in one.curves
        for n, value in zip(curve.words, curve.regret, strict=True)
    ]
    levels = [
        {"view": f"v{place}", "regret": measured(one.way(one.fixed).regret.value), "name": "the fixed bridge"}
        for place, (_, one) in enumerate(views(result))
    ]
    looks = [look for look in _CURVES.values() if any(row["way"] == look[0] for row in found)]
    domain = [look[0] for look in looks]
    legend = alt.Legend(
        title=None, orient="top", symbolStrokeWidth=0, symbolOpacity=1, symbolSize=80, columns=alt.expr(_WRAPPED)
    )
    colour = alt.Color("way:N", scale=alt.Scale(domain=domain, range=[one[1] for one in looks]), legend=legend)
    shape = alt.Shape("way:N", scale=alt.Scale(domain=domain, range=[one[2] for one in looks]), legend=legend)
    dash = alt.StrokeDash("way:N", scale=alt.Scale(domain=domain, range=[one[3] for one in looks]), legend=legend)
    base = (
        alt.Chart(rows())
        .transform_filter(_IN_VIEW)
        .encode(
            x=alt.X("words:Q", title="words looked at", scale=alt.Scale(zero=True), axis=alt.Axis(grid=False)),
            y=alt.Y("regret:Q", title="regret", scale=alt.Scale(zero=True)),
            tooltip=[
                alt.Tooltip("way:N", title="way"),
                alt.Tooltip("words:Q", title="words"),
                alt.Tooltip("regret:Q", title="regret"),
            ],
        )
    )
    level = alt.Chart(rows("levels")).transform_filter(_IN_VIEW).encode(y="regret:Q")
    chart = (
        alt.layer(
            level.mark_rule(strokeDash=[2, 3], color=ORANGE, strokeWidth=1.5),
            level.mark_text(align="right", baseline="bottom", dy=-3, fontSize=11).encode(
                x=alt.value("width"), text="name:N"
            ),
            base.mark_line(strokeWidth=2).encode(color=colour, strokeDash=dash),
            base.mark_point(filled=True, size=70, opacity=1).encode(color=colour, shape=shape),
        )
        .add_params(alt.param(name=_VIEW, value="v0"))
        .properties(width=_WIDTH + 80, height=230)
    )
    title = "How few words suffice"
    columns = (("pairs", "pairs"), ("metric", "metric"), ("way", "way"), ("words", "words"), ("regret", "regret"))
    return Figure(
        name="words",
        title=title,
        caption=(
            "Regret by the number of words that are looked at before a bridge is chosen: in each hop of each bridge, "
            "or tried through every bridge, the best taken and scored on the other words. The dotted line is the fixed "
            f"bridge, which looks at none. {FIXED_IS}"
        ),
        spec=finished(chart, rows=found, levels=levels),
        table=table_of(title, columns, found),
        choices=(_choice(result),),
    )


_VIEW = "view"
_IN_VIEW = f"datum.view === {_VIEW}"
_ZERO = [{"at": 0}]  # one row, so that the line and its name are drawn once
_WRAPPED = "width < 350 ? 1 : 3"


def _choice(result: Study) -> Choice:
    """Which analysis a figure shows."""
    options = tuple((f"v{place}", label) for place, (label, _) in enumerate(views(result)))
    return Choice(_VIEW, "Metric and pairs", options, "v0")


def _dots(
    name: str,
    value: str,
    group: str,
    looks: dict[str, tuple[str, str]],
    found: Rows,
    tooltip: list[alt.Tooltip],
    title: str,
    zero: str,
) -> Chart:
    """A dot and its interval for each row of the analysis chosen, in order, and a named line at zero."""
    domain = [one for one in looks if any(row[group] == one for row in found)]
    # The legend stands above the name of the line at zero.
    legend = alt.Legend(
        title=None,
        orient="top",
        offset=24,
        symbolStrokeWidth=0,
        symbolOpacity=1,
        symbolSize=80,
        columns=alt.expr(_WRAPPED),
    )
    colour = alt.Color(
        f"{group}:N", scale=alt.Scale(domain=domain, range=[looks[one][0] for one in domain]), legend=legend
    )
    shape = alt.Shape(
        f"{group}:N", scale=alt.Scale(domain=domain, range=[looks[one][1] for one in domain]), legend=legend
    )
    y = alt.Y(f"{name}:N", sort=None, title=None, axis=alt.Axis(grid=True, domain=False, tickSize=0, labelPadding=6))
    base = alt.Chart().transform_filter(_IN_VIEW).encode(y=y, tooltip=tooltip)
    x = alt.X(f"{value}_low:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
    line = alt.Chart(rows("zero")).encode(x=alt.datum(0, type="quantitative"))
    return (
        alt.layer(
            line.mark_rule(strokeDash=[4, 3], color=GREY),
            line.mark_text(text=zero, fontSize=11, baseline="bottom", dy=-4).encode(y=alt.value(0)),
            base.mark_rule(strokeWidth=2).encode(x=x, x2=f"{value}_high:Q", color=colour),
            base.mark_point(filled=True, size=80, opacity=1).encode(x=f"{value}:Q", color=colour, shape=shape),
            data=rows(),
        )
        .add_params(alt.param(name=_VIEW, value="v0"))
        .properties(width=_WIDTH, height=alt.Step(_STEP))
    )


def _ends(name: str, value: Interval) -> dict[str, float | int | None]:
    return {name: measured(value.value), f"{name}_low": measured(value.low), f"{name}_high": measured(value.high)}


def _said(value: Interval, *, sign: bool = False) -> str:
    return f"{number(value.value, sign=sign)} {interval(value.low, value.high, sign=sign)}"
