"""A recommendation's figures and tables hold what it holds, and nothing else."""

from __future__ import annotations

import re

import pytest

from linguabridge.report.charts import language_label
from linguabridge.report.section import Share, Written
from linguabridge.report.sections import make_sections
from report_sections import LONG_WAY, figures, near, recommendation_run, recommended, svg, tables


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
