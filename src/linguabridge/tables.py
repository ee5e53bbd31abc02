"""Tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from linguabridge.check import Check
from linguabridge.recommend import Recommendation
from linguabridge.words import fair_comparison, number, share

_BARS = " ▁▂▃▄▅▆▇█"


def ranking_table(result: Recommendation) -> Table:
    """All candidates with their reasons."""
    first, last = result.ranking.window
    table = Table(
        title=f"Candidates, by how strongly their neurons depend on the shared ones ({result.ranking.estimator})"
    )
    table.add_column("bridge")
    table.add_column("score", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("best in", justify="right")
    table.add_column(f"layers {first}–{last}")
    table.add_column("neurons", justify="right")
    table.add_column(f"like {result.source.code}", justify="right")
    table.add_column(f"like {result.target.code}", justify="right")
    top = max((v for c in result.ranking.candidates for v in c.layers if v is not None), default=0.0)
    for one in result.ranking.candidates:
        to_source, to_target = result.similarity[one.code]
        table.add_row(
            f"{result.language(one.code).name} ({one.code})",
            number(one.score),
            f"{number(one.low)} to {number(one.high)}" if one.score is not None else "–",
            share(one.best),
            "".join(_bar(value, top) for value in one.layers),
            str(sum(one.neurons)),
            number(to_source),
            number(to_target),
        )
    return table


def check_table(result: Recommendation, check: Check) -> Table:
    """All arms of the check."""
    table = Table(title=f"Check: word translation on {check.n} held-out words, the right one among 10")
    for name in ("way", "ranked first", "MRR", "MRR − direct", "95 % interval", "McNemar p", "exact", "copied"):
        table.add_column(name, justify="left" if name == "way" else "right")
    names = {one.code: one.name for one in (*result.candidates, result.source, result.target)}
    for arm in check.arms:
        compared = fair_comparison(arm) if arm.bridge else None
        table.add_row(
            f"through {names.get(arm.bridge, arm.bridge)}" if arm.bridge else "direct",
            number(arm.p_at_1.value),
            number(arm.mrr.value),
            number(compared.mrr.value, sign=True) if compared else "",
            f"{number(compared.mrr.low, sign=True)} to {number(compared.mrr.high, sign=True)}" if compared else "",
            number(compared.mcnemar) if compared else "",
            number(arm.exact.value),
            str(arm.n_copied) if arm.bridge else "",
        )
    if any(arm.n_copied for arm in check.arms):
        table.caption = "Differences leave out copied words: those whose bridge word already is a right answer."
    return table


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return "·"
    step = round(max(0.0, value) / top * (len(_BARS) - 1)) if top > 0 else 0
    return _BARS[max(1, step)]
