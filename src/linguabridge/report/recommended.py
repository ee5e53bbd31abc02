"""A recommendation as a section of a report: the check, by what the bridge was chosen, and what the neurons say."""

from __future__ import annotations

from typing import Any

from linguabridge import check as checks
from linguabridge.check import Arm, Check
from linguabridge.rebuilt import rebuilt
from linguabridge.recommendation import Recommendation
from linguabridge.report import arms
from linguabridge.report.candidate_figures import (
    chosen_figure,
    layers_figure,
    pair_names,
    ranking_figure,
    sizes_figure,
    span,
)
from linguabridge.report.charts import language_label
from linguabridge.report.names import identifier
from linguabridge.report.provenance import changed, identity, sentences, texts_table, versions
from linguabridge.report.runs import Run
from linguabridge.report.section import Cell, Figure, Items, Section, Share, Table, Written
from linguabridge.settings import Settings
from linguabridge.words import bridges_name, interval, number


def recommended(run: Run) -> Section:
    """What a recommendation says.

    Raises:
        KeyError, TypeError, ValueError: the run's body is none of this version.
    """
    result = _result(run.body)
    source, target = result.source, result.target
    *said, basis = run.body["summary"].split("\n\n")
    check = result.check
    parts: list[Figure | Table] = []
    if check:  # what to do rests on it
        parts += [
            *_check_figures(check, f"{source.name} → {target.name}"),
            _check_table(check, result.route),
        ]
    parts += [
        chosen_figure(result),
        ranking_figure(result),
        _candidates(result),
        layers_figure(result),
        sizes_figure(result),
        _sets(result),
        texts_table(result.profiled),
    ]
    return Section(
        name=identifier(f"recommend-{source.code}-{target.code}"),
        title=f"{source.name} → {target.name}: through a bridge, or directly",
        summary=tuple(said),
        parts=tuple(parts),
        items=_items(result, check) if check else None,
        notes=sentences(basis),
        manifest=(
            ("model", result.model),
            *identity(result.identity),
            *changed(run.body["settings"], Settings()),
            *versions(run.body["versions"]),
        ),
        command=str(run.body.get("command", "")),
    )


def _result(body: dict[str, Any]) -> Recommendation:
    # The lexicon's entries are not in the file, only how many there were; nothing here needs them.
    result: Recommendation = rebuilt(Recommendation, {**body, "pair": {**body["pair"], "entries": []}})
    codes = [one.code for one in result.candidates]
    if not result.ranking.candidates or sorted(result.chosen.scores) != sorted(codes):
        raise ValueError("no candidates, or scores of others")
    return result


def _candidates(result: Recommendation) -> Table:
    first, last = result.ranking.window
    source, target = result.source, result.target
    return Table(
        "What the neurons say of each candidate",
        (
            "bridge",
            "score",
            "95 % interval",
            "first in half-samples",
            f"neurons in layers {first}–{last}",
            f"likeness to {source.name}",
            f"likeness to {target.name}",
        ),
        tuple(
            (
                language_label(one.code),
                one.score,
                interval(one.low, one.high),
                Share(one.best),
                sum(one.neurons),
                *result.similarity[one.code],
            )
            for one in result.ranking.candidates
        ),
        "Likeness is the correlation of activation probabilities; it is no part of the score.",
    )


def _sets(result: Recommendation) -> Table:
    sets, pair = result.sets, pair_names(result)
    sizes = set(sets.top.values())
    tops = [(f"top set of {language_label(code)}", size) for code, size in sets.top.items()]
    return Table(
        "Sets of neurons",
        ("set", "neurons"),
        (
            *([("top set of each language", *sizes)] if len(sizes) == 1 else tops),
            (f"in the top sets of both {pair}", sets.overlap),
            (f"of these, in {span(result)}", sets.overlap_in_window),
            ("of these, active on at least half the probes (anchored)", sets.anchored),
        ),
        f"A top set holds {100 * sets.rate:g} % of all neurons: those that a language's text makes active most often.",
    )


_VERDICTS = {checks.HELPS: arms.HELPS, checks.HURTS: arms.HURTS, checks.UNCLEAR: arms.UNCLEAR}


def _way(arm: Arm) -> str:
    return f"via {bridges_name(arm.bridges)}" if arm.bridges else "direct"


def _check_figures(check: Check, pair: str) -> list[Figure]:
    differences = [
        arms.Difference(
            group=pair,
            arm=_way(arm),
            gain=compared.mrr,
            verdict=_VERDICTS[arm.effect],
            detail=f"{len(arm.items) - arm.n_copied} words, {arm.n_copied} copied left out",
        )
        for arm in check.arms
        if (compared := arm.fair)
    ]
    values = [
        arms.Value(pair, _way(arm), metric, value)
        for arm in check.arms
        for metric, value in (("MRR", arm.mrr), ("P@1", arm.p_at_1), ("exact answers", arm.exact))
    ]
    found = [arms.value_figure("check-values", f"Check on {check.n} held-out words: every way", values)]
    if differences:
        title = f"Check on {check.n} held-out words: does a bridge help?"
        found.insert(0, arms.difference_figure("check", title, "MRR", differences))
    return found


def _check_table(check: Check, route: Arm | None) -> Table:
    table = []
    for arm in check.arms:
        compared = arm.fair
        table.append(
            (
                _way(arm),
                Share(arm.p_at_1.value),
                arm.mrr.value,
                number(compared.mrr.value, sign=True) if compared else None,
                interval(compared.mrr.low, compared.mrr.high, sign=True) if compared else None,
                compared.mcnemar if compared else None,
                Share(arm.exact.value),
                None if arm.first_hop is None else Share(arm.first_hop),
                arm.n_copied if arm.bridge else None,
                arm.n_no_word if arm.bridge else None,
                "this" if arm is route else "",
            )
        )
    return Table(
        f"Check: word translation on {check.n} held-out words, the right one among 10",
        (
            "way",
            "P@1",
            "MRR",
            "gain",
            "95 % interval",
            "McNemar p",
            "exact",
            "right bridge words",
            "copied",
            "no bridge word",
            "to do",
        ),
        tuple(table),
        "P@1: ranked first. gain: MRR minus that of direct. exact: greedy answers that equal a right word. right "
        "bridge words: of those the lexicon can judge. copied: the bridge word already is a right answer; such words "
        "are left out of gain, interval and p. to do: the best of the ways that are shown to help, else direct.",
    )


def _items(result: Recommendation, check: Check) -> Items:
    source, target = result.source.code, result.target.code
    found: list[tuple[Cell, ...]] = [
        (
            _way(arm),
            Written(item.source, source),
            tuple(Written(word, code) for code, word in item.bridge_words.items()) or None,
            tuple(Written(word, target) for word in item.gold),
            item.rank,
            item.rank == 1,
            Written(item.answer),
            item.exact,
            item.copied,
            Written(item.prompt),
        )
        for arm in check.arms
        for item in arm.items
    ]
    return Items(
        "Every word of the check, in every way",
        (
            "way",
            "word",
            "bridge words",
            "right words",
            "rank of the right word",
            "right (ranked first)",
            "greedy answer",
            "answer is right",
            "copied",
            "prompt",
        ),
        tuple(found),
        filters=("way", "right (ranked first)", "answer is right", "copied"),
    )
