"""Figures and tables hold what results hold, and nothing else; Vega draws them, in files, too."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vl_convert

import made_up
from linguabridge.errors import InputError
from linguabridge.evaluation.files import read_rows, summary_body, write_folder
from linguabridge.evaluation.settings import ORACLE
from linguabridge.report import evaluated, theme
from linguabridge.report.charts import distinct, identifier, language_label, measured
from linguabridge.report.files import csv_of, write_figures
from linguabridge.report.kinds import family_looks
from linguabridge.report.labels import placed
from linguabridge.report.runs import Run
from linguabridge.report.section import Figure, Section, Share, Table, Written
from linguabridge.report.sections import make_sections, title_of
from linguabridge.spectrum.results import LABELS, TOKENS
from linguabridge.tasks import NAMES
from linguabridge.words import share

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


@pytest.fixture(scope="module")
def evaluation_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("evaluation")
    write_folder(folder, made_up.evaluation(), command="linguabridge evaluate ar:he", started=0.0)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    body = json.loads((folder / "summary.json").read_text("utf-8"))
    return Run("evaluate", folder / "summary.json", body, tuple(read_rows(folder)), manifest)


@pytest.fixture(scope="module")
def sections(evaluation_run: Run) -> tuple[Section, ...]:
    return (recommended(), make_sections([evaluation_run])[0], related(), studied())


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


# --- recommendations


def test_the_ranking_is_that_of_the_result() -> None:
    run = recommendation_run()
    figure = figures(recommended())["ranking"]
    wanted = run.body["ranking"]["candidates"]
    rows = figure.spec["datasets"]["rows"]
    assert [row["bridge"] for row in rows] == ["Finnish (fi)", "English (en)", "Swahili (sw)"]
    for row, one in zip(rows, wanted, strict=True):
        assert (row["score"], row["low"], row["high"], row["best"]) == tuple(
            near(one[key]) for key in ("score", "low", "high", "best")
        )
    assert [row["group"] for row in rows] == ["among the likely best", "others", "others"]
    assert figure.table.rows == tuple((r["bridge"], r["score"], r["low"], r["high"], r["best"]) for r in rows)
    candidates = tables(recommended())["What the neurons say of each candidate"]
    assert [row[:2] for row in candidates.rows] == [(language_label(one["code"]), one["score"]) for one in wanted]
    assert isinstance(candidates.rows[0][3], Share)
    assert candidates.rows[0][2:] == ("[.040, .090]", 0.9, 59, 0.7, 0.8)


def test_the_way_of_choosing_has_its_scores_before_the_neurons() -> None:
    found = figures(recommended())
    assert list(found)[:4] == ["check", "check-values", "chosen", "ranking"]
    assert found["chosen"].title == "Chosen by CKA of hidden states with the model's hub language"
    assert [tuple(row.values()) for row in found["chosen"].spec["datasets"]["rows"]] == [
        ("Finnish (fi)", 0.91, "chosen"),
        ("English (en)", 0.89, "other candidates"),
        ("Swahili (sw)", 0.87, "other candidates"),
    ]
    assert "without a dot" not in found["chosen"].caption


@pytest.mark.parametrize(
    ("scores", "groups", "says"),
    [
        ((0.5, 0.5, 0.1), ("chosen", "scores as high", "other candidates"), "the first of those that score alike"),
        ((0.5, None, None), ("chosen", "other candidates", "other candidates"), "without a dot"),
        ((None, None, None), ("other candidates",) * 3, "without a dot"),
    ],
)
def test_ties_and_silence_of_the_way_of_choosing_are_said(
    scores: tuple[float | None, ...], groups: tuple[str, ...], says: str
) -> None:
    run = recommendation_run()
    run.body["chosen"]["scores"] = dict(zip(("fi", "en", "sw"), scores, strict=True))
    figure = figures(make_sections([run])[0])["chosen"]
    assert tuple(row["group"] for row in figure.spec["datasets"]["rows"]) == groups
    assert says in figure.caption
    assert "Swahili" in svg(figure)


def test_what_to_do_is_marked_in_the_check() -> None:
    (table,) = (one for title, one in tables(recommended()).items() if title.startswith("Check"))
    told = {row[0]: row[-1] for row in table.rows}
    assert told == {"direct": "", "via English": "this", "via Finnish": "", LONG_WAY: ""}
    drawn = re.sub("</tspan><tspan[^>]*>", " ", svg(figures(recommended())["check"]))
    assert f">{LONG_WAY}<" in drawn  # on two lines, and not cut


def test_layers_and_sizes_are_those_of_the_result() -> None:
    run = recommendation_run()
    found = figures(recommended())
    ranking = run.body["ranking"]
    rows = found["layers"].spec["datasets"]["rows"]
    assert [(row["code"], row["layer"], row["score"]) for row in rows] == [
        (one["code"], 6 + i, near(score)) for one in ranking["candidates"] for i, score in enumerate(one["layers"])
    ]
    assert None in {row["score"] for row in rows}
    sizes = found["sizes"].spec["datasets"]["rows"]
    assert [row["neurons"] for row in sizes] == [40, 59, 60, 50]
    (choice,) = found["layers"].choices
    assert (choice.signal, choice.value) == ("candidate", "fi")
    assert choice.options == (("fi", "Finnish (fi)"), ("en", "English (en)"), ("sw", "Swahili (sw)"))


def test_the_candidate_chosen_is_the_one_that_is_named() -> None:
    figure = figures(recommended())["layers"]
    drawn = {
        code: re.findall(r"(?:Finnish|English|Swahili) \(\w+\)</text>", svg(figure, candidate=code))
        for code in ("fi", "sw")
    }
    assert drawn == {"fi": ["Finnish (fi)</text>"], "sw": ["Swahili (sw)</text>"]}


def test_the_check_is_compared_without_copies() -> None:
    section = recommended()
    rows = figures(section)["check"].spec["datasets"]["rows"]
    assert [(row["arm"], row["gain"], row["low"], row["high"], row["verdict"]) for row in rows] == [
        ("via English", 0.2, 0.1, 0.3, "helps"),
        ("via Finnish", -0.05, -0.1, 0.01, "no clear difference"),
        (LONG_WAY, 0.15, 0.05, 0.25, "helps"),
    ]
    values = figures(section)["check-values"].spec["datasets"]["rows"]
    assert len(values) == 12
    assert values[3] | {"panel": 0} == {
        "panel": 0,
        "group": "Arabic → Hebrew",
        "arm": "via English",
        "metric": "MRR",
        "value": 0.65,
        "low": 0.6,
        "high": 0.7,
    }


def test_every_item_of_the_check_can_be_browsed() -> None:
    section = recommended()
    assert section.items is not None
    assert len(section.items.rows) == 160
    way, word, bridge, gold, rank, right, answer, *_ = section.items.rows[0]
    assert (way, word, bridge, gold) == ("direct", Written("فيل", "ar"), None, (Written("פיל", "he"),))
    assert (rank, right, answer) == (1, True, Written("=1+1"))
    assert all(row[5] is (row[4] == 1) for row in section.items.rows)
    assert set(section.items.filters) < set(section.items.columns)


def test_without_a_check_there_is_none() -> None:
    section = make_sections([recommendation_run(check=False)])[0]
    assert section.items is None
    assert "check" not in figures(section)
    assert not any(title.startswith("Check") for title in tables(section))


def test_words_come_first_and_origins_last() -> None:
    run = recommendation_run()
    section = recommended()
    assert "\n\n".join((*section.summary, " ".join(section.notes))) == run.body["summary"]
    assert len(section.notes) >= 6  # a sentence each
    assert all(one.endswith(".") and one[0].isupper() for one in section.notes)
    assert section.summary[0].startswith("Go through English from Arabic to Hebrew")
    manifest = dict(section.manifest)
    assert manifest["weights (SHA-256)"] == "ab" * 32
    assert manifest["setting: candidates"] == "fi, en, sw"
    assert manifest["setting: probes"] == "100"
    assert manifest["seed"] == "0"
    assert "setting: check" not in manifest
    assert section.command == "linguabridge recommend ar he"


def test_a_single_candidate_and_one_without_neurons() -> None:
    run = recommendation_run("fi")
    (one,) = run.body["ranking"]["candidates"]
    one |= {"score": None, "low": None, "high": None, "layers": [None, None, None], "neurons": [0, 0, 0]}
    section = make_sections([run])[0]
    for figure in figures(section).values():
        svg(figure)
    assert tables(section)["What the neurons say of each candidate"].rows[0][1:3] == (None, "–")


# --- evaluations


def test_differences_and_verdicts_are_those_of_the_summary(evaluation_run: Run) -> None:
    (section,) = make_sections([evaluation_run])
    results = evaluation_run.body["results"]
    found = figures(section)
    assert list(found) == ["bli-difference", "bli-values", "translate-difference", "translate-values"]
    words = {"helps": "helps", "hurts": "does harm", "unclear": "no clear difference", None: "not judged"}
    for task, n_pairs in (("bli", 2), ("translate", 1)):
        wanted = [
            (arm["label"], words[arm["verdict"]], arm["against_direct"]["difference"])
            for one in results
            if one["task"] == task
            for arm in one["arms"][1:]
        ]
        rows = found[f"{task}-difference"].spec["datasets"]["rows"]
        assert [(row["arm"], row["verdict"]) for row in rows] == [(label, verdict) for label, verdict, _ in wanted]
        for row, (_, _, interval) in zip(rows, wanted, strict=True):
            assert (row["gain"], row["low"], row["high"]) == tuple(near(interval[k]) for k in ("value", "low", "high"))
        assert len(found[f"{task}-difference"].spec["vconcat"]) == n_pairs
        values = found[f"{task}-values"].spec["datasets"]["rows"]
        metrics = [
            (arm["label"], name, v["value"])
            for one in results
            if one["task"] == task
            for arm in one["arms"]
            for name, v in arm["metrics"].items()
        ]
        assert sorted((r["arm"], r["metric"], r["value"]) for r in values) == sorted(
            (label, name, measured(value)) for label, name, value in metrics
        )
    assert {row["verdict"] for row in found["bli-difference"].spec["datasets"]["rows"]} == {
        "helps",
        "no clear difference",
        "not judged",
    }


def test_the_summary_is_the_commands_own(evaluation_run: Run) -> None:
    from linguabridge.evaluation.words import headline

    (section,) = make_sections([evaluation_run])
    assert section.summary[0] == "Of 6 comparisons, 3 show that a bridge helps."  # the oracle is none of them
    assert "\n\n".join(section.summary[1:]) == headline(made_up.evaluation())
    assert section.title == "Arabic → Hebrew, Swahili → Hebrew: does a bridge help"
    manifest = dict(section.manifest)
    assert manifest["setting: limit"] == "40"
    assert manifest["setting: tasks"] == "bli, translate"
    assert manifest["seed"] == "0"
    assert section.command == "linguabridge evaluate ar:he"


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (("unclear",) * 12, "In none of 12 comparisons does a bridge show a clear difference."),
        (
            ("helps", "helps", "hurts", "unclear"),
            "Of 4 comparisons, 2 show that a bridge helps and 1 that it does harm.",
        ),
        (("hurts", "unclear"), "Of 2 comparisons, 1 shows that a bridge does harm."),
        (("unclear",), "The one comparison shows no clear difference."),
        (("helps",), "The one comparison shows that a bridge helps."),
    ],
)
def test_all_verdicts_are_one_sentence(
    verdicts: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made_up.evaluation().results[0]
    bridged = next(one for one in found.arms if one.fair and one.name != ORACLE)
    left = iter(verdicts)
    monkeypatch.setattr(evaluated, "verdict", lambda *_: next(left))
    assert evaluated._overall([replace(found, arms=(found.arms[0], *[bridged] * len(verdicts)))]) == [sentence]
    assert evaluated._overall([replace(found, arms=found.arms[:1])]) == []


def test_tasks_are_named_in_words(evaluation_run: Run) -> None:
    (section,) = make_sections([evaluation_run])
    assert figures(section)["bli-difference"].title == "Word translation (bli): does a bridge help?"
    assert "Translation (translate): every way in figures" in tables(section)
    assert set(evaluated._TASKS) == set(NAMES)
    assert evaluated.in_words("my own") == "my own"


def test_every_item_of_an_evaluation_can_be_browsed(evaluation_run: Run) -> None:
    (section,) = make_sections([evaluation_run])
    assert section.items is not None
    direct, bridged = (dict(zip(section.items.columns, row, strict=True)) for row in section.items.rows)
    assert (direct["way"], bridged["way"]) == ("direct", "via English")
    assert bridged["bridge texts"] == (Written("elephant", "en"),)
    assert direct["output"] == Written("<script>alert(1)</script>")
    assert direct["right answers"] == (Written("פיל", "he"),)
    assert (direct["right"], bridged["right"]) == (True, False)
    (alone,) = make_sections([replace(evaluation_run, rows=(), manifest=None)])
    assert alone.items is None
    assert any("items" in note for note in alone.notes)


# --- spectra


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


# --- all of them


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
        "study": ("nglish",),
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


# --- files


def test_every_figure_is_written_in_four_forms(tmp_path: Path) -> None:
    section = replace(recommended(), parts=recommended().parts[4:7])  # two figures with a table between them
    paths = write_figures(tmp_path / "new" / "figures", [section])
    names = [f"{section.name}-{name}.{kind}" for name in figures(section) for kind in ("svg", "pdf", "png", "csv")]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new" / "figures").iterdir()) == sorted(names)
    starts = {".svg": b"<svg", ".pdf": b"%PDF-", ".png": b"\x89PNG", ".csv": b"bridge,score"}
    for path in paths[:4]:
        assert path.read_bytes().startswith(starts[path.suffix])
    assert "Finnish (fi)" in paths[0].read_text("utf-8")
    assert run_model(section) in paths[0].read_text("utf-8")  # a file stands alone
    assert "What the neurons say: how much each candidate" in paths[0].read_text("utf-8")
    rows = list(csv.reader(io.StringIO(paths[3].read_text("utf-8"))))
    assert [float(row[1]) for row in rows[1:]] == [near(0.064321), near(0.054321), near(0.044321)]
    before = [path.read_bytes() for path in paths if path.suffix in (".svg", ".csv")]
    write_figures(tmp_path / "new" / "figures", [section])
    assert before == [path.read_bytes() for path in paths if path.suffix in (".svg", ".csv")]


def test_tables_are_safe_in_spreadsheets() -> None:
    rows = (
        ("=1+1", -1.5, Written("@x"), (Written("+1"), Written("b")), None, True, 3),
        ('a,"b"\nc', 0.1, Written("-"), (), "\t=", False, 0),
    )
    text = csv_of(Table("t", ("=a", "b", "c", "d", "e", "f", "g"), rows))
    assert list(csv.reader(io.StringIO(text))) == [
        ["'=a", "b", "c", "d", "e", "f", "g"],
        ["'=1+1", "-1.5", "'@x", "'+1; b", "", "yes", "3"],
        ['a,"b"\nc', "0.1", "'-", "", "'\t=", "no", "0"],
    ]
    assert csv_of(Table("t", ("a",), (("\udc80",),))).encode() == b"a\n\\udc80\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    section = make_sections([recommendation_run("fi", check=False)])[0]
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot be written"):
            write_figures(folder, [section])
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_missing_packages_are_named(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == package else find(name))
    for act in (lambda: write_figures(tmp_path, []), lambda: make_sections([])):
        with pytest.raises(InputError, match=r"linguabridge\[report\]"):
            act()


def test_reading_runs_does_not_import_altair() -> None:
    import subprocess

    names = "linguabridge.report.runs, linguabridge.report.theme, linguabridge.cli"
    code = f"import sys, {names}; print('altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# --- small parts


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


def test_names_for_files_are_plain_and_distinct() -> None:
    assert [identifier(text) for text in ("bli", "My Task.py", "../x", "日本", "")] == [
        "bli",
        "my-task-py",
        "x",
        "x",
        "x",
    ]
    assert distinct(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-2", "a-2-2", "a-3"]
    assert language_label("fi") == "Finnish (fi)"
    assert language_label(HOSTILE) == HOSTILE
