"""Tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from linguabridge.words import bridges_name, interval, number, p_value, share

if TYPE_CHECKING:
    from linguabridge.check import Check
    from linguabridge.recommendation import Recommendation

_BARS = " ▁▂▃▄▅▆▇█"


def ranking_table(result: Recommendation) -> Table:
    """All candidates with their reasons."""
    first, last = result.ranking.window
    table = new_table(f"Candidates by dependence of their neurons on the shared ones ({result.ranking.estimator})")
    table.add_column("bridge")
    table.add_column("score", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("best", justify="right")
    table.add_column(f"{first}–{last}")
    table.add_column("size", justify="right")
    table.add_column(f"like {result.source.code}", justify="right")
    table.add_column(f"like {result.target.code}", justify="right")
    top = max((v for c in result.ranking.candidates for v in c.layers if v is not None), default=0.0)
    for one in result.ranking.candidates:
        to_source, to_target = result.similarity[one.code]
        table.add_row(
            f"{result.language(one.code).name} ({one.code})",
            number(one.score),
            interval(one.low, one.high),
            share(one.best),
            "".join(_bar(value, top) for value in one.layers),
            str(sum(one.neurons)),
            number(to_source),
            number(to_target),
        )
    table.caption = (
        f"best: how often first in half-samples of the probes. {first}–{last}: score by layer, a dot where a set is "
        "empty. size: neurons in the bridge set. like: correlation of activation probabilities."
    )
    return table


def check_table(check: Check) -> Table:
    """All arms of the check."""
    table = new_table(f"Check: word translation on {check.n} held-out words, the right one among 10")
    for name in ("way", "P@1", "MRR", "gain", "95 % interval", "McNemar p", "exact", "copied"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for arm in check.arms:
        compared = arm.fair
        table.add_row(
            f"via {bridges_name(arm.bridges)}" if arm.bridges else "direct",
            number(arm.p_at_1.value),
            number(arm.mrr.value),
            number(compared.mrr.value, sign=True) if compared else "",
            interval(compared.mrr.low, compared.mrr.high, sign=True) if compared else "",
            p_value(compared.mcnemar) if compared else "",
            number(arm.exact.value),
            str(arm.n_copied) if arm.bridge else "",
        )
    table.caption = (
        "P@1: ranked first. gain: MRR minus that of direct. exact: greedy answers that equal a right word. copied: the "
        "bridge word already is a right answer; such words are left out of gain, interval and p."
    )
    return table


def new_table(title: str) -> Table:
    """An empty table in the style of all tables here."""
    # No vertical lines and no padding at the edges: eight columns fit a terminal of 80.
    return Table(
        title=title,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title_justify="left",
        caption_justify="left",
    )


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return "·"
    step = round(max(0.0, value) / top * (len(_BARS) - 1)) if top > 0 else 0
    return _BARS[max(1, step)]
