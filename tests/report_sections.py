"""Sections of reports on made-up runs, and what tests ask of their parts."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import vl_convert

import made_up
from linguabridge.evaluation.files import read_rows, write_folder
from linguabridge.report import theme
from linguabridge.report.runs import Run
from linguabridge.report.section import Figure, Section, Table
from linguabridge.report.sections import make_sections

LONG_WAY = "via English, French and Spanish together"
HOSTILE = """<script>alert("1")</script>'};--"""


def as_json(body: Any) -> Any:
    """What comes back from a file."""
    return json.loads(json.dumps(body, allow_nan=False))


def recommendation_run(*candidates: str, **more: Any) -> Run:
    body = as_json(made_up.recommendation(*candidates, **more).to_dict())
    return Run("recommend", Path("recommend.json"), {**body, "command": "linguabridge recommend ar he"})


def spectrum_run(n: int = 15) -> Run:
    return Run("spectrum", Path("spectrum.json"), as_json(made_up.spectrum(n).to_dict()))


def study_run() -> Run:
    body = as_json(made_up.study().to_dict())
    return Run("study", Path("study.json"), {**body, "command": "linguabridge study ar:he"})


def written_evaluation(folder: Path) -> Run:
    write_folder(folder, made_up.evaluation(), command="linguabridge evaluate ar:he", started=0.0)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    body = json.loads((folder / "summary.json").read_text("utf-8"))
    return Run("evaluate", folder / "summary.json", body, tuple(read_rows(folder)), manifest)


@functools.cache
def recommended() -> Section:
    """The section of a recommendation; made once, since Altair takes its time."""
    return make_sections([recommendation_run()])[0]


@functools.cache
def related() -> Section:
    """The section of a spectrum of 15 languages."""
    return make_sections([spectrum_run()])[0]


@functools.cache
def studied() -> Section:
    """The section of a study."""
    return make_sections([study_run()])[0]


def run_model(section: Section) -> str:
    return dict(section.manifest)["model"]


def figures(section: Section) -> dict[str, Figure]:
    return {one.name: one for one in section.parts if isinstance(one, Figure)}


def tables(section: Section) -> dict[str, Table]:
    return {one.title: one for one in section.parts if isinstance(one, Table)}


def near(value: float | None) -> Any:
    """Equal in four digits, as figures hold values; None stays None."""
    return None if value is None else pytest.approx(value, rel=5.1e-4, abs=1e-12)


def svg(figure: Figure, **signals: str) -> str:
    spec = as_json(figure.spec)
    for one in spec.get("params", []):
        one["value"] = signals.get(one["name"], one["value"])
    return str(vl_convert.vegalite_to_svg(spec, config=theme.LIGHT))
