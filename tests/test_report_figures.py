"""Figures of every kind: drawn with names and without warnings, in one set of colours; and their small parts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vl_convert

import made_up
from linguabridge.evaluation.files import summary_body
from linguabridge.report import theme
from linguabridge.report.charts import language_label, measured
from linguabridge.report.kinds import family_looks
from linguabridge.report.labels import placed
from linguabridge.report.runs import Run
from linguabridge.report.section import Figure, Section
from linguabridge.report.sections import make_sections, title_of
from report_sections import (
    HOSTILE,
    as_json,
    figures,
    recommendation_run,
    recommended,
    related,
    spectrum_run,
    studied,
    study_run,
    svg,
)


@pytest.fixture(scope="module")
def sections(evaluation_run: Run) -> tuple[Section, ...]:
    return (recommended(), make_sections([evaluation_run])[0], related(), studied())


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def test_every_figure_is_drawn_with_names_and_without_warnings(
    sections: tuple[Section, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    names = {
        "recommend": ("Finnish", "English"),
        "evaluate": ("via English",),
        "spectrum": ("Hebrew",),
        "study": ("nglish", "fixed bridge"),
    }
    for section in sections:
        for figure in figures(section).values():
            vega = vl_convert.vegalite_to_vega(figure.spec, config=theme.LIGHT, show_warnings=True)
            assert vega["marks"]
            drawn = svg(figure)
            if (section.name, figure.name) not in {("spectrum", "layers"), ("spectrum", "shared")}:
                shown = names[section.name.split("-")[0]]
                assert any(name in drawn for name in shown), figure.name
    assert "WARN" not in "".join(capfd.readouterr())


def test_figures_have_no_colours_of_the_page_and_no_links(sections: tuple[Section, ...]) -> None:
    for section in sections:
        for figure in figures(section).values():
            json.dumps(figure.spec, allow_nan=False)
            assert "config" not in figure.spec
            keys = [
                (key, value) for key, value in walk(figure.spec) if key in ("url", "href", "background", "labelColor")
            ]
            assert keys == []
            for choice in figure.choices:
                assert choice.value in dict(choice.options)
                (param,) = figure.spec["params"]
                assert param == {"name": choice.signal, "value": choice.value}
                assert choice.signal.isidentifier()


def test_captions_titles_and_tables_are_there(sections: tuple[Section, ...]) -> None:
    for section in sections:
        names = [one.name for one in section.parts if isinstance(one, Figure)]
        assert len(names) == len(set(names))
        for one in section.parts:
            table = one.table if isinstance(one, Figure) else one
            assert one.title
            assert all(len(row) == len(table.columns) for row in table.rows)
            if isinstance(one, Figure):
                assert one.caption.endswith(".")
                assert re.fullmatch("[a-z0-9-]+", one.name)
        assert re.fullmatch("[a-z0-9-]+", section.name)
        if section.items:
            assert all(len(row) == len(section.items.columns) for row in section.items.rows)


def test_names_and_titles_of_sections_differ(evaluation_run: Run) -> None:
    first, other = recommendation_run(), recommendation_run()
    other.body["model"] = "larger"
    found = make_sections([first, other, replace(first, path=Path("copy.json")), evaluation_run, evaluation_run])
    assert len({one.name for one in found}) == 5
    titles = [one.title for one in found]
    assert titles[1] == "Arabic → Hebrew: through a bridge, or directly (larger)"
    assert titles[0].endswith("recommend.json")
    assert titles[2].endswith("copy.json")


def test_a_page_is_called_by_what_is_on_it(evaluation_run: Run) -> None:
    found = make_sections([recommendation_run(), spectrum_run(4), evaluation_run])
    assert title_of(found[:1]) == found[0].title
    assert title_of(found[:2]) == "Arabic → Hebrew: through a bridge, or directly · How tiny relates 4 languages"
    assert (
        title_of(found) == "Arabic → Hebrew: through a bridge, or directly · How tiny relates 4 languages · and 1 more"
    )
    assert len(title_of([replace(one, title="long " * 40) for one in found])) <= 100


def test_same_runs_give_the_same_specs() -> None:
    first, second = (make_sections([recommendation_run(), spectrum_run(4), study_run()]) for _ in range(2))
    assert first == second
    assert all(
        one.spec == other.spec
        for a, b in zip(first, second, strict=True)
        for one, other in zip(figures(a).values(), figures(b).values(), strict=True)
    )


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    found = made_up.evaluation(label=HOSTILE)
    body = as_json(summary_body(found))
    sections = make_sections(
        [Run("evaluate", tmp_path, body), recommendation_run("fi", HOSTILE, "x';}", 'a"]', "datum[0]")]
    )
    escaped = "&lt;script&gt;alert("
    for section in sections:
        for name, figure in figures(section).items():
            drawn = svg(figure)
            assert "<script" not in drawn
            if name in ("bli-difference", "bli-values", "chosen", "ranking", "sizes"):
                assert escaped in drawn
            for key, value in walk({k: v for k, v in figure.spec.items() if k != "datasets"}):
                if key in ("filter", "calculate", "expr", "test", "labelExpr", "signal"):
                    assert "alert" not in json.dumps(value), (name, key)
    ranking = figures(sections[1])["layers"]
    assert "x&#39;;}" in svg(ranking, candidate="x';}") or "x';}" in svg(ranking, candidate="x';}")


def test_colours_stand_out_from_white_and_from_black() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for name in ("BLUE", "ORANGE", "GREEN", "PINK", "SKY", "VERMILION", "OLIVE", "BROWN", "GREY"):
        mark = luminance(getattr(theme, name))
        for config in (theme.LIGHT, theme.DARK):
            page = luminance(config["background"])
            assert (max(mark, page) + 0.05) / (min(mark, page) + 0.05) >= 3, name
    assert theme.LIGHT.keys() == theme.DARK.keys()


def test_eight_families_have_eight_colours_and_shapes() -> None:
    looks = family_looks([f"Family {i}" for i in range(10)])
    colours, shapes = (looks[key].to_dict()["scale"]["range"] for key in ("color", "shape"))
    assert len(set(colours[:8])) == 8
    assert len(set(shapes)) == 10
    assert colours.count(theme.BLUE) == 1


def test_labels_cover_neither_each_other_nor_points() -> None:
    points = [(100.0, 100.0), (104.0, 100.0), (100.0, 104.0), (5.0, 5.0), (100.0, 101.0)] + [(100.0, 102.0)] * 9
    middles = placed(points, ["abc"] * len(points), (200, 200))
    shown = [one for one in middles if one]
    assert middles[0]
    assert None in middles
    for i, (x, y) in enumerate(shown):
        assert all(abs(x - other[0]) >= 15 or abs(y - other[1]) >= 11 for other in shown[:i])
        assert all(abs(x - p[0]) >= 13 or abs(y - p[1]) >= 10 for p in points)
        assert 0 < x < 200
        assert 0 < y < 200
    assert placed([(50.0, 50.0)], ["a"], (100, 100))[0] == (pytest.approx(59, abs=4), pytest.approx(50, abs=1))


def test_numbers_have_four_digits_and_nothing_is_not_a_number() -> None:
    assert [measured(x) for x in (0.123456, 1e-9, 0.0, -2.0, 7, None, math.nan, math.inf)] == [
        0.1235,
        1e-9,
        0.0,
        -2.0,
        7,
        None,
        None,
        None,
    ]


def test_languages_that_nobody_knows_are_named_by_their_code() -> None:
    assert language_label("fi") == "Finnish (fi)"
    assert language_label(HOSTILE) == HOSTILE
