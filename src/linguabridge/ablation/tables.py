"""Tables of an ablation for the terminal."""

from __future__ import annotations

from rich.table import Table

from linguabridge.ablation.results import ALIKE, RANDOM, Ablation, Change
from linguabridge.ablation.words import arm_name
from linguabridge.tables import new_table
from linguabridge.words import interval, number, p_value

_ROWS = {RANDOM: "  random", ALIKE: "  as active"}


def translation_table(result: Ablation) -> Table:
    """Change of the right word's log-probability by every set, and by its random sets below it."""
    table = new_table(f"Translation of {result.n_words} held-out words: change of the right word's log-probability")
    for name in ("neurons", "size", "change", "95 %", "p", "MRR"):
        table.add_column(name, justify="left" if name == "neurons" else "right")
    for arm in result.arms:
        change = arm.translation
        table.add_row(
            arm_name(result, arm),
            f"{len(arm.neurons):,}",
            number(change.change.value, sign=True),
            interval(change.change.low, change.change.high, sign=True),
            "",
            number(arm.mrr.value, sign=True),
        )
        for control in change.controls:
            table.add_row(
                _ROWS[control.kind],
                "",
                number(control.mean, sign=True),
                interval(control.low, control.high, sign=True),
                p_value(control.p),
                "",
            )
    table.caption = (
        "random: sets of as many neurons in the same layers; as active: and of about the same mean activation; 95 %: "
        "interval of a set's change, range of the random draws. p: random sets that do as much harm. MRR: its change."
    )
    return table


def text_table(result: Ablation) -> Table:
    """Change of bits per byte in every language by every set, and by its random sets below it."""
    table = new_table("Text: change of bits per byte (p)")
    table.add_column("neurons")
    for code in result.texts:
        table.add_column(result.language(code).name, justify="right")
    for arm in result.arms:
        table.add_row(arm_name(result, arm), *(number(text.change.value, sign=True) for text in arm.texts))
        for kind, name in _ROWS.items():
            table.add_row(name, *(_cell(text, kind) for text in arm.texts))
    before = ", ".join(
        f"{result.language(code).name} {number(text.bits_per_byte)} ({text.perplexity:,.0f} by token)"
        for code, text in result.texts.items()
    )
    table.caption = f"More is worse. Perplexity of the intact model in bits per byte: {before}."
    return table


def _cell(text: Change, kind: str) -> str:
    control = text.control(kind)
    return f"{number(control.mean, sign=True)} ({p_value(control.p)})"
