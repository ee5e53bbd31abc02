"""An evaluation's figures and tables hold what it holds, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from linguabridge.evaluation.settings import ORACLE
from linguabridge.report import evaluated
from linguabridge.report.charts import measured
from linguabridge.report.runs import Run
from linguabridge.report.section import Written
from linguabridge.report.sections import make_sections
from linguabridge.tasks import NAMES
from report_sections import figures, near, tables


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
