"""Tables of a spectrum for the terminal."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from linguabridge import languages
from linguabridge.families import are_kin
from linguabridge.spectrum.results import CORRELATION, LABELS, Matrix, Spectrum
from linguabridge.tables import new_table
from linguabridge.words import number, p_value, share

_SHADES = " ·░▒▓█"
_WIDEST = 40  # languages whose matrix still fits a terminal of 120 columns


def heat_map(result: Spectrum) -> Table | None:
    """The correlations as shades, in the tree's order; None for too many languages to fit."""
    order = [result.codes.index(code) for code in result.tree.order]
    if len(order) > _WIDEST:
        return None
    matrix = result.measure(CORRELATION).overall[order][:, order]
    low, high = _range(matrix)
    table = new_table(f"{LABELS[CORRELATION].capitalize()}, from {number(low)} (blank) to {number(high)} (full)")
    table.add_column("")
    short = [code.split("-")[0] for code in result.tree.order]
    wide = max(map(len, short))
    table.add_column(" ".join(code.ljust(wide) for code in short), no_wrap=True)
    for row, code in zip(matrix, result.tree.order, strict=True):
        cells = " ".join(_SHADES[_step(value, low, high)] * wide for value in row)
        table.add_row(f"{languages.parse(code).name} ({code})", cells)
    return table


def neighbours_table(result: Spectrum) -> Table:
    """Each language's nearest neighbours."""
    table = new_table(f"Nearest neighbours by {LABELS[CORRELATION]}")
    for name in ("language", "family", "nearest", "", "support", "kin", "then"):
        figures = name in ("", "support")
        table.add_column(name, justify="right" if figures else "left", no_wrap=figures, overflow="fold")
    for one in result.languages:
        first, *others = result.neighbours[one.code]
        family = result.families[one.code]
        kin = are_kin(family, result.families[first.code])
        table.add_row(
            f"{one.name} ({one.code})",
            family[0] if family else "–",
            languages.parse(first.code).name,
            number(first.similarity),
            share(first.support),
            {True: "kin", False: "no", None: "–"}[kin],
            ", ".join(f"{other.code} {number(other.similarity)}" for other in others),
        )
    table.caption = "support: share of bootstrap samples of the text in which it is the nearest. kin: of one family."
    return table


def mutual_table(result: Spectrum) -> Table:
    """Who is each other's nearest neighbour by each measure and control."""
    table = new_table("Each other's nearest neighbours, by measure (* no kin)")
    table.add_column("measure")
    table.add_column("pairs")
    for measure, pairs in result.mutual_by_measure.items():
        marked = (f"{a}–{b}{'*' if are_kin(result.families[a], result.families[b]) is False else ''}" for a, b in pairs)
        table.add_row(measure, "  ".join(marked))
    table.caption = "Values of hsic are near 0 as a rule, so that chance decides which is the largest."
    return table


def kin_table(result: Spectrum) -> Table:
    """How often the nearest neighbour is of the same family or script, by every measure and control."""
    table = new_table("Nearest neighbours of the same family, of the same script")
    for position, name in enumerate(("measure", "known", "nearest", "chance", "p")):
        table.add_column(name, justify="left" if position < 2 else "right", no_wrap=position >= 2, overflow="fold")
    for one in result.kinship:
        if near := one.neighbours:
            table.add_row(_words(one.measure), one.known, share(near.share), share(near.chance), p_value(near.p))
    table.caption = f"Those that are equally near count in parts. {_controls(result)}"
    return table


def distances_table(result: Spectrum) -> Table:
    """Agreement of distances in the model with known ones, by every measure and control."""
    table = new_table("Distances in the model and known ones")
    for position, name in enumerate(("measure", "known", "Mantel r", "p", "no tokens", "p")):
        table.add_column(name, justify="left" if position < 2 else "right", no_wrap=position >= 2, overflow="fold")
    for one in result.kinship:
        if one.mantel:
            left = (number(one.given_tokens.r), p_value(one.given_tokens.p)) if one.given_tokens else ("", "")
            table.add_row(_words(one.measure), _words(one.known), number(one.mantel.r), p_value(one.mantel.p), *left)
    table.caption = (
        "Mantel r: correlation of distances. no tokens: with the overlap of token frequencies taken out. "
        f"{_controls(result)}"
    )
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")


def _controls(result: Spectrum) -> str:
    return f"Controls: {', '.join(_words(one.name) for one in result.controls)}."


def _range(matrix: Matrix) -> tuple[float, float]:
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    return float(off.min()), float(off.max())


def _step(value: float, low: float, high: float) -> int:
    part = 1.0 if high <= low else (min(value, high) - low) / (high - low)
    return round(part * (len(_SHADES) - 1))
