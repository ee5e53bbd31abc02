"""A study as a section of a report: what ways of choosing a bridge lose, and what there is to gain at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from linguabridge.check import DIRECT
from linguabridge.json_values import plain
from linguabridge.paired import Interval
from linguabridge.report.charts import language_label
from linguabridge.report.grid_figure import grid_figure
from linguabridge.report.provenance import changed, identity, sentences, versions
from linguabridge.report.runs import Run
from linguabridge.report.section import Cell, Figure, Section, Share, Table
from linguabridge.report.study_body import PairMeans, read_body, views
from linguabridge.report.study_figures import gain_figure, has_curves, regret_figure, words_figure
from linguabridge.settings import FIXED
from linguabridge.study.analysis import Analysis
from linguabridge.study.results import Study
from linguabridge.study.sets import ALL_SET
from linguabridge.study.settings import DEVELOPMENT, REPORTED, StudySettings, parse_pairs
from linguabridge.study.words import FIXED_IS, SETS, TITLES, counted_pairs
from linguabridge.words import interval, number


def studied(run: Run) -> Section:
    """What a study says.

    Raises:
        KeyError, TypeError, ValueError: the run's body is none of this version.
    """
    result, pairs = read_body(run.body)
    *said, basis = run.body["summary"].split("\n\n")
    main = result.main
    parts: list[Figure | Table] = [
        regret_figure(result),
        _ways(main),
        gain_figure(result),
        _policies(main),
        grid_figure(result, pairs),
        _pairs(result, pairs),
        _decisions(main),
        _all_decisions(result),
    ]
    if has_curves(result):
        parts.append(words_figure(result))
    parts.append(_levels(result))
    return Section(
        name="study",
        title="Study: which way of choosing a bridge loses least",
        summary=tuple(said),
        parts=tuple(parts),
        items=None,
        notes=sentences(basis),
        manifest=(
            ("model", result.model),
            *identity(result.identity),
            *changed(_asked(run.body["settings"]), _usual()),
            *versions(run.body["versions"]),
        ),
        command=str(run.body.get("command", "")),
    )


def _asked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with pairs as they are written for the command."""
    return {**settings, "pairs": [f"{source}:{target}" for source, target in settings["pairs"]]}


def _usual() -> dict[str, Any]:
    return _asked(plain(StudySettings(pairs=parse_pairs((*DEVELOPMENT, *REPORTED)))))


def _ways(one: Analysis) -> Table:
    return Table(
        f"Ways of choosing one bridge, on {counted_pairs(one)} ({one.metric})",
        (
            "way",
            "goes by",
            "regret",
            "95 % interval",
            "over fixed",
            "its interval",
            "over random",
            "interval of that",
            "fine",
            "τ",
            "interval of τ",
        ),
        tuple(
            (
                way.way,
                TITLES.get(way.way, way.way),
                *_shown(way.regret),
                *_shown(way.over_fixed, sign=True),
                *_shown(way.over_random, sign=True),
                Share(way.fine.value),
                *(_shown(way.tau) if way.tau else (None, None)),
            )
            for way in one.ways
        ),
        f"regret: lost against the best bridge in hindsight ({number(one.oracle.value)} on average). over fixed: "
        f"gained over the fixed bridge. {FIXED_IS} over random: gained over "
        "any bridge. fine: pairs whose pick is the best or not shown to be worse. τ: Kendall's, of scores with "
        f"measured accuracies; two halves of the words agree by {number(one.ceiling.value)}.",
    )


def _policies(one: Analysis) -> Table:
    return Table(
        f"Direct, one bridge or several, on {counted_pairs(one)} ({one.metric})",
        (
            "policy",
            "score",
            "95 % interval",
            "over fixed",
            "its interval",
            "over direct",
            "interval of that",
            "regret",
            "interval of regret",
        ),
        tuple(
            (
                row.policy,
                *_shown(row.score),
                *_shown(row.over_fixed, sign=True),
                *_shown(row.over_direct, sign=True),
                *_shown(row.regret),
            )
            for row in one.policies
        ),
        "regret: lost against the best of all arms in hindsight, direct, chains and votes included. chain: several "
        "bridges in one prompt. vote: likelihoods of separate prompts summed. or direct: bridged only where it did "
        "better than direct on the other half of the words.",
        folded=True,
    )


_DECISIONS = ("policy", "helps", "does harm", "says bridge", "bridge right", "don't right")


def _decisions(one: Analysis) -> Table:
    return Table(
        f'How often "bridge" and "don\'t" are right, on {counted_pairs(one)} ({one.metric})',
        _DECISIONS,
        _decided(one),
        "helps, does harm: share of the pairs in which it does so beyond noise. says bridge: how often half of the "
        "words say that it helps. right: how often the other half agrees with what they say.",
    )


def _all_decisions(result: Study) -> Table:
    return Table(
        'How often "bridge" and "don\'t" are right, on all sets of pairs',
        ("pairs", "metric", *_DECISIONS),
        tuple((SETS[one.name], one.metric, *row) for _, one in views(result) for row in _decided(one)),
        folded=True,
    )


def _decided(one: Analysis) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (
            row.policy,
            Share(row.helps),
            Share(row.harms),
            Share(row.said_bridge),
            *(None if value is None else Share(value) for value in (row.right_bridge, row.right_direct)),
        )
        for row in one.decisions
    )


def _pairs(result: Study, pairs: Sequence[PairMeans]) -> Table:
    sets = {pair: one.name for one in result.analyses if one.name != ALL_SET for pair in one.pairs}
    exact = any(one.exact for one in pairs)
    names = ("P@1", "exact") if exact else ("P@1",)
    return Table(
        "Pairs",
        (
            "pair",
            "of the pairs",
            "words",
            "left out as copied",
            "best bridge",
            *(f"{which} {name}" for name in ("MRR", *names) for which in ("direct", "English", "best")),
        ),
        tuple(
            (
                one.title,
                sets.get(f"{one.source}:{one.target}"),
                one.n_words,
                one.n_copied,
                language_label(one.best),
                *_means(one, one.mrr),
                *(
                    None if value is None else Share(value)
                    for means in ((one.p_at_1, one.exact or {}) if exact else (one.p_at_1,))
                    for value in _means(one, means)
                ),
            )
            for one in pairs
        ),
        "English: a dash where it is in the pair. best: the single bridge with the highest MRR, picked on these very "
        "words, which flatters it; regret above is against one picked on other words."
        + (" exact: greedy answers that equal a right word." if exact else ""),
    )


def _means(one: PairMeans, means: Mapping[str, float]) -> tuple[float | None, ...]:
    """Of direct, English and the best bridge."""
    return means.get(DIRECT), means.get(FIXED[0]), means.get(one.best)


def _levels(result: Study) -> Table:
    return Table(
        "What figures are measured against",
        (
            "pairs",
            "metric",
            "number",
            "direct",
            "95 % interval",
            "best bridge",
            "its interval",
            "τ of halves",
            "interval of τ",
        ),
        tuple(
            (
                SETS[one.name],
                one.metric,
                len(one.pairs),
                *_shown(one.direct),
                *_shown(one.oracle),
                *_shown(one.ceiling),
            )
            for _, one in views(result)
        ),
        "best bridge: of each pair in hindsight, picked on half of the words and scored on the other. τ of halves: "
        "Kendall's τ between the accuracies of two halves of the words, which is what noise leaves to reach.",
    )


def _shown(value: Interval, *, sign: bool = False) -> tuple[Cell, ...]:
    """A value and its interval."""
    return number(value.value, sign=True) if sign else value.value, interval(value.low, value.high, sign=sign)
