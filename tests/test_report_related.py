"""A spectrum's figures and tables hold what it holds, and nothing else."""

from __future__ import annotations

import json
import math
import re

import pytest
import vl_convert

from linguabridge.report.charts import language_label
from linguabridge.report.section import Figure
from linguabridge.report.sections import make_sections
from linguabridge.spectrum.results import LABELS, TOKENS
from linguabridge.words import share
from report_sections import figures, near, related, spectrum_run, svg, tables


def test_the_matrix_holds_every_pair_once() -> None:
    run = spectrum_run()
    figure = figures(related())["matrix"]
    body = run.body
    codes = [one["code"] for one in body["languages"]]
    matrices = body["measures"] | body["controls"]
    rows = figure.spec["datasets"]["pairs"]
    assert len(rows) == 15 * 14 / 2
    place = {language_label(code): i for i, code in enumerate(codes)}
    for row in rows:
        i, j = place[row["a"]], place[row["b"]]
        assert {name: row[name] for name in matrices} == {name: near(matrices[name][i][j]) for name in matrices}
    assert {frozenset((row["a"], row["b"])) for row in rows} == {
        frozenset((a, b)) for a in place for b in place if a != b
    }
    assert any(row["cka"] is None for row in rows)
    assert [value for value, _ in figure.choices[0].options] == list(matrices)
    order = [language_label(code) for code in body["tree"]["order"]]
    (layered,) = [one for one in figure.spec["vconcat"] if "mark" not in one and one["height"] > 100]
    assert all(half["encoding"][axis]["scale"]["domain"] == order for half in layered["layer"] for axis in "xy")


def test_the_matrix_draws_both_halves_of_the_measure_chosen() -> None:
    figure = figures(make_sections([spectrum_run(4)])[0])["matrix"]
    drawn = {name: svg(figure, measure=name) for name in ("correlation", "cka", "overlap")}
    counts = {name: len(re.findall(r'aria-label="[ab]: [^"]*; value: ', text)) for name, text in drawn.items()}
    assert counts == {"correlation": 12, "cka": 10, "overlap": 12}  # one pair has no cka: two cells
    assert all(LABELS[name] in text for name, text in drawn.items())


def corners(figure: Figure) -> dict[int, list[tuple[float, float]]]:
    found: dict[int, list[tuple[float, float]]] = {}
    for row in figure.spec["datasets"]["lines"]:
        found.setdefault(row["branch"], []).append((row["across"], row["height"]))
    return found


def test_brackets_span_just_the_languages_of_a_branch() -> None:
    run = spectrum_run()
    found = figures(related())
    tree = run.body["tree"]
    for figure in (found["tree"], found["matrix"]):
        forks = figure.spec["datasets"]["forks"]
        for number, branch in enumerate(tree["branches"]):
            places = [tree["order"].index(code) for code in branch["members"]]
            assert max(places) - min(places) == len(places) - 1
            (left, low), top_left, top_right, (right, high) = corners(figure)[number]
            assert top_left == (left, near(branch["height"]))
            assert top_right == (right, near(branch["height"]))
            assert max(low, high) <= branch["height"] * 1.001
            assert min(places) <= min(left, right) < max(left, right) <= max(places)
            assert forks[number]["across"] == (left + right) / 2
            assert forks[number]["support"] == near(branch["support"])
    leaves = found["tree"].spec["datasets"]["leaves"]
    assert [row["language"] for row in leaves] == [language_label(code) for code in tree["order"]]
    assert [row[1:] for row in found["tree"].table.rows] == [(b["height"], b["support"]) for b in tree["branches"]]


@pytest.mark.parametrize("n", [3, 15, 40])
def test_every_sure_branch_says_its_support(n: int) -> None:
    run = spectrum_run(n)
    figure = figures(make_sections([run])[0])["tree"]
    *sure, _ = run.body["tree"]["branches"]  # the last holds all languages, in every sample
    wanted = sorted(share(one["support"]) for one in sure if one["support"] >= 0.5)
    assert wanted
    assert sorted(re.findall(r">((?:&gt;|&lt;)?\d+ %)</text>", svg(figure))) == [
        one.replace(">", "&gt;").replace("<", "&lt;") for one in wanted
    ]


def test_controls_are_spoken_of_where_they_are() -> None:
    run = spectrum_run(4)
    matrix = figures(make_sections([run])[0])["matrix"]
    assert "is there without word order" in matrix.caption
    assert "is there without the network" in matrix.caption
    for name in [one for one in run.body["controls"] if one != TOKENS]:
        del run.body["controls"][name], run.body["mutual_by_measure"][name]
    section = make_sections([run])[0]
    for text in (figures(section)["matrix"].caption, *(one.caption for one in tables(section).values())):
        assert "huffled" not in text
    assert "What the overlap of token frequencies shows, too" in figures(section)["matrix"].caption


def test_the_map_has_equal_units_on_both_axes() -> None:
    run = spectrum_run()
    figure = figures(related())["map"]
    rows = figure.spec["datasets"]["rows"]
    assert {row["code"]: (row["x"], row["y"]) for row in rows} == {
        code: (near(x), near(y)) for code, (x, y) in run.body["points"].items()
    }
    assert {row["family"] for row in rows} == {groups[0] for groups in run.body["families"].values() if groups} | {
        "family not known"
    }
    encoding = figure.spec["layer"][0]["encoding"]
    pixels = [
        figure.spec[side] / math.dist(encoding[axis]["scale"]["domain"][:1], encoding[axis]["scale"]["domain"][1:])
        for axis, side in (("x", "width"), ("y", "height"))
    ]
    assert pixels[0] == pytest.approx(pixels[1])
    assert len(set(zip(encoding["color"]["scale"]["range"], encoding["shape"]["scale"]["range"], strict=True))) == len(
        encoding["color"]["scale"]["domain"]
    )


def test_curves_and_counts_are_those_of_the_result() -> None:
    run = spectrum_run()
    found = figures(related())
    rows = found["layers"].spec["datasets"]["rows"]
    for curve in run.body["curves"]:
        own = [row for row in rows if row["measure"] == curve["measure"]]
        for key, field in (("within", "within"), ("between", "between"), ("separation", "apart")):
            assert [row[field] for row in own] == [near(value) for value in curve[key]]
    counts = found["shared"].spec["datasets"]["rows"]
    for kind, label in (("one", "one language"), ("some", "several languages"), ("all", "all 15 languages")):
        assert [row["neurons"] for row in counts if row["kind"] == label] == run.body["counts"][kind]
    drawn = [svg(found["layers"], measure=name) for name in ("correlation", "hsic")]
    assert drawn[0] != drawn[1]


def test_neighbours_pairs_and_tests_are_in_tables() -> None:
    run = spectrum_run()
    found = tables(related())
    near_ones = found["Nearest neighbours"]
    for code, row in zip(run.body["neighbours"], near_ones.rows, strict=True):
        nearest = run.body["neighbours"][code][0]
        assert (row[0], row[3]) == (language_label(code), language_label(nearest["code"]))
        assert row[4:6] == (nearest["similarity"], nearest["support"])
        families = [run.body["families"][one] for one in (code, nearest["code"])]
        assert row[6] == (families[0][0] == families[1][0] if all(families) else None)
        assert row[7] is (run.body["scripts"][code] == run.body["scripts"][nearest["code"]])
    mutual = found["Each other's nearest neighbours"]
    assert [row[2:] for row in mutual.rows] == [
        (one["similarity"], one["support"], one["kin"], one["same_script"]) for one in run.body["mutual"]
    ]
    tests = found["Does the picture agree with what is known of languages?"]
    assert tests.rows[0][2:] == (12, 0.75, 0.2, "<.001", 91, 0.4, ".001", 0.3, ".020")
    assert tests.rows[1][6:] == (None,) * 5


@pytest.mark.parametrize("n", [3, 45])
def test_few_and_many_languages_are_drawn(n: int) -> None:
    for figure in figures(make_sections([spectrum_run(n)])[0]).values():
        drawn = svg(figure)
        assert "NaN" not in drawn
        assert float(re.findall(r'width="([\d.]+)"', drawn)[0]) <= 900


def test_a_hundred_languages_are_less_than_five_megabytes() -> None:
    (section,) = make_sections([spectrum_run(100)])
    specs = sum(len(json.dumps(one.spec)) for one in figures(section).values())
    cells = sum(
        len(json.dumps(row))
        for one in section.parts
        for row in (one.table.rows if isinstance(one, Figure) else one.rows)
    )
    assert specs < 1_500_000
    assert specs + cells < 3_000_000
    assert len(figures(section)["matrix"].spec["datasets"]["pairs"]) == 4950
    vl_convert.vegalite_to_vega(figures(section)["matrix"].spec)
