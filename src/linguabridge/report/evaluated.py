"""An evaluation as a section of a report: ways against going direct, by task, and every item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from linguabridge.evaluation.results import DIRECT, Arm, Evaluation, Result
from linguabridge.evaluation.settings import ORACLE, EvaluationSettings
from linguabridge.evaluation.statistics import verdict
from linguabridge.evaluation.words import figure, headline
from linguabridge.rebuilt import rebuilt
from linguabridge.report import arms
from linguabridge.report.charts import language_name
from linguabridge.report.names import distinct, identifier
from linguabridge.report.provenance import changed, identity, versions
from linguabridge.report.runs import Run
from linguabridge.report.section import Cell, Figure, Items, Section, Share, Table, Written
from linguabridge.words import p_value

_VERDICTS = {"helps": arms.HELPS, "hurts": arms.HURTS, "unclear": arms.UNCLEAR}
_TASKS = {
    "bli": "word translation",
    "mrc": "reading comprehension",
    "nli": "inference",
    "topics": "topics",
    "choice": "causal choice",
    "math": "arithmetic",
    "translate": "translation",
}
_UNFINISHED = (
    "This run is not finished: here is what it had found when this report was made, and verdicts may still change."
)


def evaluated(run: Run) -> Section:
    """What an evaluation says.

    Raises:
        KeyError, TypeError, ValueError: the run's body is none of this version.
    """
    results: tuple[Result, ...] = rebuilt(tuple[Result, ...], run.body["results"])
    found = Evaluation(rebuilt(str, run.body["model"]), results, (), rebuilt(dict[str, Any], run.body["settings"]))
    if not results or any(one.arms[0].name != DIRECT for one in results):
        raise ValueError("no results, or none of going direct")
    said = [*_overall(results), *headline(found).split("\n\n")]
    if run.unfinished:
        said.insert(0, _UNFINISHED)
    manifest = run.manifest or {}
    parts: list[Figure | Table] = []
    names = list(dict.fromkeys(one.task for one in results))
    for name, task in zip(distinct(identifier(name) for name in names), names, strict=True):
        parts += _task(name, [one for one in results if one.task == task])
    return Section(
        name=identifier("-".join(["evaluate", *_pair_codes(results)])),
        title=_title(results),
        summary=tuple(said),
        parts=tuple(parts),
        items=_items(run.rows, results) if run.rows else None,
        notes=_notes(results, run),
        manifest=(
            ("model", found.model),
            *identity(found.settings["engine"]),
            *changed(found.settings, EvaluationSettings()),
            ("seed", str(found.settings["recommend"]["seed"])),
            *((("items (SHA-256)", name + ": " + sha256)) for name, sha256 in found.settings["items"].items()),
            *((f"{name} (SHA-256)", sha256) for name, sha256 in manifest.get("sha256", {}).items()),
            *((key, str(manifest[key])) for key in ("started", "ended") if key in manifest),
            *versions(manifest.get("versions", {})),
        ),
        command=str(manifest.get("command", "")),
    )


def _overall(results: Sequence[Result]) -> list[str]:
    """All verdicts in one sentence."""
    found = [verdict(arm, one.n) for one in results for arm in one.arms if arm.fair and arm.name != ORACLE]
    n, helps, hurts = len(found), found.count("helps"), found.count("hurts")
    if not n:
        return []
    if n == 1:
        what = "that a bridge helps" if helps else "that a bridge does harm" if hurts else "no clear difference"
        return [f"The one comparison shows {what}."]
    if not helps and not hurts:
        return [f"In none of {n} comparisons does a bridge show a clear difference."]
    said = [f"{helps} {_show(helps)} that a bridge helps"] if helps else []
    if hurts:
        said.append(f"{hurts} that it does harm" if helps else f"{hurts} {_show(hurts)} that a bridge does harm")
    return [f"Of {n} comparisons, {' and '.join(said)}."]


def _show(count: int) -> str:
    return "shows" if count == 1 else "show"


def in_words(task: str) -> str:
    """``word translation (bli)``; the name alone of a task that is not ours."""
    return f"{_TASKS[task]} ({task})" if task in _TASKS else task


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pair_codes(results: Sequence[Result]) -> tuple[str, ...]:
    """Of the one pair, where there is one."""
    pairs = {(one.source, one.target) for one in results}
    return next(iter(pairs)) if len(pairs) == 1 else ()


def _pair(result: Result) -> str:
    return f"{language_name(result.source)} → {language_name(result.target)}"


def _title(results: Sequence[Result]) -> str:
    pairs = list(dict.fromkeys(map(_pair, results)))
    shown = ", ".join(pairs) if len(pairs) <= 3 else f"{len(pairs)} pairs of languages"
    return f"{shown}: does a bridge help"


def _panel(result: Result) -> str:
    return f"{_pair(result)} ({result.n:,} items)"


def _task(name: str, results: Sequence[Result]) -> list[Figure | Table]:
    """Figures and a table for one task on all its pairs."""
    task, metric = results[0].task, results[0].metric
    differences = [
        arms.Difference(
            group=_panel(result),
            arm=arm.label,
            gain=arm.fair.difference,
            verdict=_verdict(arm, result),
            detail=f"{arm.fair.gained} better, {arm.fair.lost} worse",
        )
        for result in results
        for arm in result.arms
        if arm.fair
    ]
    values = [
        arms.Value(_panel(result), arm.label, metric_name, value)
        for result in results
        for arm in result.arms
        for metric_name, value in arm.metrics.items()
    ]
    parts: list[Figure | Table] = []
    if differences:
        title = f"{_capital(in_words(task))}: does a bridge help?"
        parts.append(arms.difference_figure(f"{name}-difference", title, metric, differences))
    if values:
        parts.append(arms.value_figure(f"{name}-values", f"{_capital(in_words(task))}: every way", values))
    parts.append(_table(results))
    return parts


def _verdict(arm: Arm, result: Result) -> str:
    return arms.UNJUDGED if arm.name == ORACLE else _VERDICTS[verdict(arm, result.n)]


def _table(results: Sequence[Result]) -> Table:
    metric = results[0].metric
    others = list(dict.fromkeys(name for one in results for arm in one.arms for name in arm.metrics if name != metric))
    corpus = list(dict.fromkeys(name for one in results for arm in one.arms for name in arm.corpus))
    arms_of = [(result, arm) for result in results for arm in result.arms]
    # Counts of what happened nowhere, and shares that nothing is known of, would make the table wider for nothing.
    counts: dict[str, tuple[Cell, ...]] = {
        "copied": tuple(arm.n_copied for _, arm in arms_of),
        "no bridge text": tuple(arm.n_without_bridge for _, arm in arms_of),
        "unparsed": tuple(arm.n_unparsed for _, arm in arms_of),
        "right bridge words": tuple(None if arm.first_hop is None else Share(arm.first_hop) for _, arm in arms_of),
    }
    counts = {name: cells for name, cells in counts.items() if any(one is not None and one != 0 for one in cells)}
    meanings = {
        "copied": "copied: items whose bridge text already is a right answer; gain is without them.",
        "no bridge text": "no bridge text: items that went direct.",
        "unparsed": "unparsed: answers that could not be read; they count as wrong.",
        "right bridge words": "right bridge words: of those the lexicon can judge.",
    }
    return Table(
        f"{_capital(in_words(results[0].task))}: every way in figures",
        (
            "pair",
            "items",
            "way",
            metric,
            "95 % interval",
            "gain",
            "its interval",
            "p (Holm)",
            "verdict",
            "better",
            "worse",
            *others,
            *(f"corpus {name}" for name in corpus),
            *counts,
        ),
        tuple(
            (
                _pair(result),
                result.n,
                arm.label,
                *_value(arm, metric),
                *_gain(arm, result),
                *(figure(arm.metrics[name].value, name) if name in arm.metrics else None for name in others),
                *(figure(arm.corpus[name], name) if name in arm.corpus else None for name in corpus),
                *(cells[place] for cells in counts.values()),
            )
            for place, (result, arm) in enumerate(arms_of)
        ),
        " ".join(
            (
                f"gain: {metric} minus that of direct, item by item, with its 95 % interval.",
                "p: corrected for all comparisons of the run (Holm).",
                *(meanings[name] for name in counts),
            )
        ),
    )


def _value(arm: Arm, metric: str) -> tuple[Cell, ...]:
    one = arm.metrics[metric]
    return figure(one.value, metric), f"[{figure(one.low, metric)}, {figure(one.high, metric)}]"


def _gain(arm: Arm, result: Result) -> tuple[Cell, ...]:
    if not arm.fair:
        return (None, None, None, None, None, None)
    low, high = (figure(one, result.metric, sign=True) for one in (arm.fair.difference.low, arm.fair.difference.high))
    return (
        figure(arm.fair.difference.value, result.metric, sign=True),
        f"[{low}, {high}]",
        None if arm.fair.p_holm is None else p_value(arm.fair.p_holm),
        _verdict(arm, result),
        arm.fair.gained,
        arm.fair.lost,
    )


def _notes(results: Sequence[Result], run: Run) -> tuple[str, ...]:
    """Notes by result, each with the task and pair that it is about."""
    found = [f"{result.task}, {_pair(result)}: {note}" for result in results for note in result.notes]
    if run.manifest is None:
        found.append("The items are not beside this summary; give the whole folder of the run to look through them.")
    return tuple(found)


def _items(rows: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> Items:
    labels = {(one.task, one.source, one.target, arm.name): arm.label for one in results for arm in one.arms}
    bridged = any(row["bridges"] for row in rows)
    free = any(row["output"] is not None for row in rows)
    columns = {
        "task": True,
        "pair": True,
        "way": True,
        "item": True,
        "text": True,
        "bridge texts": bridged,
        "right answers": True,
        "answer": True,
        "right": True,
        "score": True,
        "output": free,
        "options": any(row["options"] for row in rows),
        "copied": any(row["copied"] for row in rows),
        "prompt": True,
    }
    shown = [name for name, is_there in columns.items() if is_there]
    found = []
    for row in rows:
        cells = _cells(row, labels)
        found.append(tuple(cells[name] for name in shown))
    return Items(
        "Every item, in every way",
        tuple(shown),
        tuple(found),
        filters=tuple(name for name in ("task", "pair", "way", "right", "copied") if columns[name]),
    )


def _cells(row: Mapping[str, Any], labels: Mapping[tuple[str, str, str, str], str]) -> dict[str, Cell]:
    source, target, arm = row["source"], row["target"], row["arm"]
    label = labels.get((row["task"], source, target, arm))
    # What each single bridge did is in the rows also where arms only sum it up (random, oracle).
    label = label or f"via {', '.join(map(language_name, row['bridges']))} (a candidate)"
    chosen = bool(row["options"])  # then the answer is one of ours, in the target language
    return {
        "task": row["task"],
        "pair": f"{language_name(source)} → {language_name(target)}",
        "way": label if arm != DIRECT else DIRECT,
        "item": Written(row["item"]),
        "text": Written(row["text"], source),
        "bridge texts": tuple(
            Written(text, code) for code, text in zip(row["bridges"], row["bridge_texts"], strict=False)
        ),
        "right answers": tuple(Written(text, target) for text in row["gold"]),
        "answer": None if row["parsed"] is None else Written(row["parsed"], target if chosen else None),
        "right": row["right"],
        "score": row["score"],
        "output": None if row["output"] is None else Written(row["output"]),
        "options": tuple(Written(text, target) for text in row["options"]),
        "copied": row["copied"],
        "prompt": Written(row["prompt"]),
    }
