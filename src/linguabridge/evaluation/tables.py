"""Tables of an evaluation for the terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from linguabridge import languages
from linguabridge.engines.engine import GENERATED
from linguabridge.evaluation.results import DIRECT, Arm, Result
from linguabridge.evaluation.settings import ORACLE
from linguabridge.evaluation.words import figure
from linguabridge.tables import new_table
from linguabridge.words import p_value

_Column = tuple[str, Callable[[Arm], str]]


def result_table(result: Result) -> Table:
    """All arms of a task on a pair. Columns beyond the comparison are there where they say something."""
    source, target = languages.parse(result.source).name, languages.parse(result.target).name
    table = new_table(f"{result.task}, {source} to {target}: {result.n:,} items")
    table.padding, table.show_edge = (0, 0), False  # nine columns, two of them intervals, leave room for the way in 80
    columns = [*_comparison(result), *_others(result), *_counts(result)]
    table.add_column("way", overflow="fold")
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for arm in result.arms:
        table.add_row(arm.label, *(cell(arm) for _, cell in columns))
    table.caption = _caption(result, [name for name, _ in columns])
    return table


def _comparison(result: Result) -> list[_Column]:
    metric = result.metric

    def value(arm: Arm) -> str:
        one = arm.metrics[metric]
        return f"{figure(one.value, metric)} [{figure(one.low, metric)}, {figure(one.high, metric)}]"

    def gain(arm: Arm) -> str:
        return figure(arm.fair.difference.value, metric, sign=True) if arm.fair else _absent(arm)

    def interval(arm: Arm) -> str:
        if not arm.fair:
            return _absent(arm)
        low, high = arm.fair.difference.low, arm.fair.difference.high
        return f"[{figure(low, metric, sign=True)}, {figure(high, metric, sign=True)}]"

    def p(arm: Arm) -> str:
        if not arm.fair or arm.fair.p_holm is None or arm.name == ORACLE:
            return _absent(arm)
        return p_value(arm.fair.p_holm)

    return [(metric, value), ("gain", gain), ("95 % interval", interval), ("p\n(Holm)", p)]


def _absent(arm: Arm) -> str:
    return "" if arm.name == DIRECT else "–"


def _others(result: Result) -> list[_Column]:
    """Metrics beside the task's own, and figures of the whole corpus."""
    direct = result.arms[0]
    metrics = [name for name in direct.metrics if name != result.metric]
    shown: list[_Column] = [(name, _metric(name)) for name in metrics]
    return shown + [(_of_corpus(name, result), _corpus(name)) for name in direct.corpus]


def _of_corpus(name: str, result: Result) -> str:
    return f"corpus\n{name}" if name == result.metric else name


def _metric(name: str) -> Callable[[Arm], str]:
    return lambda arm: figure(arm.metrics[name].value, name) if name in arm.metrics else "–"


def _corpus(name: str) -> Callable[[Arm], str]:
    return lambda arm: figure(arm.corpus.get(name), name)


def _counts(result: Result) -> list[_Column]:
    shown: list[_Column] = []
    if any(arm.n_copied for arm in result.arms):
        shown.append(("copied", lambda arm: "" if arm.name == DIRECT else str(arm.n_copied)))
    if result.scoring == GENERATED or any(arm.n_unparsed for arm in result.arms):
        shown.append(("un-\nparsed", lambda arm: str(arm.n_unparsed)))
    return shown


def _caption(result: Result, columns: list[str]) -> str:
    meanings = {
        result.metric: "with its 95 % interval",
        "gain": f"{result.metric} minus that of direct, item by item",
        "p (Holm)": "corrected for all comparisons of the run",
        "P@1": "ranked first",
        "exact": "greedy answers that equal a right word",
        f"corpus {result.metric}": "of all answers as one text",
        "copied": "the bridge text already is a right answer; such items are left out of gain, interval and p",
        "unparsed": "answers that could not be read; they count as wrong",
    }
    names = [name.replace("-\n", "").replace("\n", " ") for name in columns]
    said = [f"{name}: {meanings[name]}." for name in names if name in meanings]
    if any(arm.name == ORACLE for arm in result.arms):
        said.append("Best in hindsight: chosen on these very items, so no p.")
    return " ".join(said)
