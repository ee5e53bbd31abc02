"""A spectrum as a section of a report: who is near whom, in a tree, a matrix and a map, and what that agrees with."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from linguabridge.families import are_kin
from linguabridge.rebuilt import field_types, rebuilt
from linguabridge.report.charts import language_label, language_name
from linguabridge.report.kinds import script_name
from linguabridge.report.layer_figures import counts_figure, curves_figure
from linguabridge.report.map_figure import map_figure
from linguabridge.report.matrix_figure import controls_say, matrix_figure
from linguabridge.report.provenance import changed, identity, texts_table, versions
from linguabridge.report.runs import Run
from linguabridge.report.section import Cell, Section, Share, Table
from linguabridge.report.tree_figure import tree_figure
from linguabridge.spectrum.kinship import share_script
from linguabridge.spectrum.results import LABELS, Matrix, Measure, Spectrum
from linguabridge.spectrum.settings import SpectrumSettings
from linguabridge.spectrum.words import basis
from linguabridge.words import p_value


def related(run: Run) -> Section:
    """What a spectrum says.

    Raises:
        KeyError, TypeError, ValueError: the run's body is none of this version.
    """
    result = _result(run.body)
    n = len(result.languages)
    return Section(
        name="spectrum",
        title=f"How {result.model} relates {n} languages",
        summary=tuple(run.body["summary"].split("\n\n")),
        parts=(
            tree_figure(result),
            matrix_figure(result),
            map_figure(result),
            _neighbours(result),
            _mutual(result),
            _mutual_by_measure(result),
            _kinship(result),
            curves_figure(result),
            counts_figure(result),
            texts_table(result.profiled),
        ),
        items=None,
        notes=tuple(basis(result)),
        manifest=(
            ("model", result.model),
            *identity(result.identity),
            *changed(run.body["settings"], SpectrumSettings()),
            *versions(run.body["versions"]),
        ),
        command=str(run.body.get("command", "")),
    )


def _result(body: dict[str, Any]) -> Spectrum:
    matrices = ("measures", "controls", "points")
    types = field_types(Spectrum)
    fields = {
        f.name: rebuilt(types[f.name], body[f.name]) for f in dataclasses.fields(Spectrum) if f.name not in matrices
    }
    codes = [one.code for one in fields["languages"]]
    points = [rebuilt(tuple[float, float], body["points"][code]) for code in codes]
    result = Spectrum(
        **fields,
        measures=tuple(Measure(name, _square(body["measures"][name], len(codes))) for name in body["measures"]),
        controls=tuple(Measure(name, _square(body["controls"][name], len(codes))) for name in body["controls"]),
        points=np.array(points),
    )
    if sorted(result.tree.order) != sorted(codes) or len(result.tree.branches) != len(codes) - 1:
        raise ValueError("the tree holds other languages")
    if unknown := [one.name for one in (*result.measures, *result.controls) if one.name not in LABELS]:
        raise ValueError(f"unknown measure {unknown[0]}")
    return result


def _square(body: Any, n: int) -> Matrix:
    found: tuple[tuple[float, ...], ...] = rebuilt(tuple[tuple[float, ...], ...], body)
    matrix = np.array(found, dtype=np.float64)
    if matrix.shape != (n, n):
        raise ValueError("a matrix of other languages")
    return matrix


def _neighbours(result: Spectrum) -> Table:
    table: list[tuple[Cell, ...]] = []
    for code in result.codes:
        nearest, *others = result.neighbours[code]
        table.append(
            (
                language_label(code),
                " › ".join(result.families[code]) or None,
                script_name(result.scripts[code]),
                language_label(nearest.code),
                nearest.similarity,
                Share(nearest.support),
                are_kin(result.families[code], result.families[nearest.code]),
                share_script(result.scripts[code], result.scripts[nearest.code]),
                ", ".join(language_label(one.code) for one in others),
            )
        )
    return Table(
        "Nearest neighbours",
        ("language", "family", "script", "nearest", "correlation", "support", "kin", "same script", "then"),
        tuple(table),
        "support: share of the bootstrap samples of the text in which it is the nearest of all. kin: of one family.",
    )


def _mutual(result: Spectrum) -> Table:
    return Table(
        "Each other's nearest neighbours",
        ("language", "other language", "correlation", "support", "kin", "same script"),
        tuple(
            (
                language_label(one.first),
                language_label(one.second),
                one.similarity,
                Share(one.support),
                one.kin,
                one.same_script,
            )
            for one in result.mutual
        ),
        "support: share of the bootstrap samples in which they are each other's nearest neighbours.",
    )


def _mutual_by_measure(result: Spectrum) -> Table:
    return Table(
        "Each other's nearest neighbours, by every measure",
        ("measure", "pairs", "which"),
        tuple(
            (
                LABELS.get(name, name),
                len(pairs),
                ", ".join(f"{language_name(first)}–{language_name(second)}" for first, second in pairs),
            )
            for name, pairs in result.mutual_by_measure.items()
        ),
        controls_say([one.name for one in result.controls if one.name in result.mutual_by_measure]),
    )


def _kinship(result: Spectrum) -> Table:
    table: list[tuple[Cell, ...]] = []
    for one in result.kinship:
        near, mantel, partial = one.neighbours, one.mantel, one.given_tokens
        table.append(
            (
                LABELS.get(one.measure, one.measure),
                LABELS.get(one.known, one.known),
                *((near.n, Share(near.share), Share(near.chance), p_value(near.p)) if near else (None,) * 4),
                *((mantel.n_pairs, mantel.r, p_value(mantel.p)) if mantel else (None,) * 3),
                *((partial.r, p_value(partial.p)) if partial else (None,) * 2),
            )
        )
    return Table(
        "Does the picture agree with what is known of languages?",
        (
            "measure",
            "compared with",
            "languages",
            "own kind nearest",
            "by chance",
            "p",
            "pairs",
            "Mantel r",
            "p of r",
            "r without tokens",
            "p without tokens",
        ),
        tuple(table),
        "own kind nearest: share of the languages that share their family (script) with another one whose nearest "
        "neighbour is of that kind. Mantel r: correlation of distances. r without tokens: the same with the overlap of "
        "token frequencies taken out.",
    )
