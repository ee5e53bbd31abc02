"""Names of tasks, arms and languages that read like paths: all that is written stays below --out, each in its own file.

Runs come from elsewhere, and so do the names in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from conftest import Ended
from linguabridge.evaluation.files import write_folder
from linguabridge.evaluation.results import Evaluation
from linguabridge.report import files as report_files
from linguabridge.report.files import write_figures
from linguabridge.report.names import LONGEST, distinct, identifier
from linguabridge.report.runs import read_runs
from linguabridge.report.section import Figure
from linguabridge.report.sections import make_sections

HOSTILE = (
    "../x",
    "/etc/x",
    "a\0b",
    "..",
    "a/b",
    "A_B",
    "a_b",
    "a\\b",
    "~",
    "$HOME",
    "日本",
    "かな",
    "",
    "con",
    "y" * 300,
)
KINDS = ("svg", "pdf", "png", "csv")

Run = Callable[..., Ended]


def evaluation(
    tasks: tuple[str, ...] = ("bli",),
    pairs: tuple[tuple[str, str], ...] = (("ar", "he"),),
    arms: tuple[str, ...] = ("en",),
    model: str = "tiny",
) -> Evaluation:
    """One item in every task, pair and arm, direct first."""
    made = made_up.evaluation()
    direct, bridged = made.results[0].arms[:2]
    ways = (direct, *(replace(bridged, name=arm, label=f"via {arm}") for arm in arms))
    results = tuple(
        replace(made.results[0], source=source, target=target, task=task, n=1, arms=ways)
        for task, (source, target) in product(tasks, pairs)
    )
    row = replace(made.rows[0], options=('פיל"', 'חתול"'), right=True)
    rows = tuple(
        replace(row, source=one.source, target=one.target, task=one.task, arm=arm.name)
        for one in results
        for arm in one.arms
    )
    return replace(made, results=results, rows=rows, model=model)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder deep in one of which, after the test, nothing but it and the run's folder may have been written to."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    yield deep
    assert {one.relative_to(tmp_path).parts[:4] for one in tmp_path.rglob("*") if one.is_file()} <= {
        ("a", "b", "c", "out"),
        ("a", "b", "c", "run"),
        ("a", "b", "c", "second"),
        ("a", "b", "c", "report.html"),
    }


def write(folder: Path, found: Evaluation) -> Path:
    write_folder(folder, found, command="linguabridge evaluate", started=0.0)
    return folder


@pytest.mark.parametrize(
    "found",
    [
        evaluation(tasks=HOSTILE),
        evaluation(arms=HOSTILE),
        evaluation(pairs=tuple((name, "he") for name in HOSTILE)),
        evaluation(pairs=tuple(("ar", name) for name in HOSTILE)),
        evaluation(tasks=("a", "a_b"), pairs=(("b_c", "d"), ("c", "d"))),  # a_b_c_d twice
    ],
    ids=["tasks", "arms", "sources", "targets", "parts"],
)
def test_lm_evals_tasks_have_a_file_each(found: Evaluation, place: Path, run: Run) -> None:
    write(place / "run", found)
    ended = run("export", place / "run", "--to", "lm-eval", "--out", place / "out")
    assert ended.code == 0, ended.err
    files = sorted(one.name for one in (place / "out").iterdir())
    assert len({name.casefold() for name in files}) == len(files)
    documents = [one.read_text("utf-8").splitlines() for one in (place / "out").glob("*.jsonl")]
    assert all(len(lines) == 1 for lines in documents)
    said = {tuple(json.loads(line)[key] for key in ("source", "target", "task", "arm")) for (line,) in documents}
    assert said == {(row.source, row.target, row.task, row.arm) for row in found.rows}
    for one in (place / "out").glob("*.jsonl"):
        config = dict(line.split(": ", 1) for line in one.with_suffix(".yaml").read_text("utf-8").splitlines())
        assert json.loads(config["task"]) == one.stem
        assert json.loads(config["dataset_kwargs"]) == {"file": one.name}
    group = dict(line.split(": ", 1) for line in (place / "out" / "linguabridge.yaml").read_text("utf-8").splitlines())
    assert sorted(json.loads(group["task"])) == sorted(one.stem for one in (place / "out").glob("*.jsonl"))


def test_lm_evals_result_twice_is_refused(place: Path, run: Run) -> None:
    found = evaluation()
    twice = replace(found, results=found.results * 2)
    ended = run("export", write(place / "run", twice), "--to", "lm-eval", "--out", place / "out")
    assert (ended.code, "has a result twice" in ended.err) == (2, True)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not drawn, which takes long, but hold their titles."""
    monkeypatch.setattr(
        report_files, "_contents", lambda figure: dict.fromkeys(KINDS, figure.spec["title"]["text"].encode())
    )


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "found",
    [
        (evaluation(tasks=HOSTILE),),
        (evaluation(arms=HOSTILE, model="../../../m"),),
        (evaluation(tasks=("../x",)), evaluation(tasks=("..",))),
        # evaluate-en-zh and hant-x-values, evaluate-en-zh-hant and x-values
        (evaluation(("Hant x",), (("en", "zh"),)), evaluation(("x",), (("en", "zh-Hant"),))),
    ],
    ids=["tasks", "arms", "runs", "parts"],
)
def test_figures_have_files_of_their_own(found: tuple[Evaluation, ...], place: Path) -> None:
    folders = [write(place / name, one) for name, one in zip(("run", "second"), found, strict=False)]
    sections = make_sections([run for folder in folders for run in read_runs(folder)])
    figures = [one for section in sections for one in section.parts if isinstance(one, Figure)]
    paths = write_figures(place / "out", sections)
    assert len(paths) == len(figures) * len(KINDS) > 0
    assert sorted(paths) == sorted((place / "out").iterdir())
    assert len({path.name.casefold() for path in paths}) == len(paths)
    assert [one.read_text("utf-8") for one in paths if one.suffix == ".csv"] == [one.title for one in figures]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "con"])  # that is Cofán
def test_a_report_on_what_is_no_language_is_refused(name: str, place: Path, run: Run) -> None:
    write(place / "run", evaluation(pairs=(("ar", name),)))
    ended = run("report", place / "run", "--out", place / "report.html", "--figures", place / "out")
    assert ended.code == 2
    assert "language: give a code" in ended.err or "Unknown language" in ended.err
    assert not (place / "out").exists()


def test_a_report_with_figures_is_drawn(place: Path, run: Run) -> None:
    found = evaluation(tasks=("../x", "a\0b"), arms=("/etc/x", "..\0"))
    write(place / "run", found)
    ended = run("report", place / "run", "--out", place / "report.html", "--figures", place / "out")
    assert ended.code == 0, ended.err
    names = {f"evaluate-ar-he-{task}-values.{kind}" for task in ("x", "a-b") for kind in KINDS}
    assert names <= {one.name for one in (place / "out").iterdir()}
    assert all(one.stat().st_size for one in (place / "out").iterdir())


@given(st.lists(st.text(max_size=LONGEST + 5)))
def test_any_names_are_plain_short_and_distinct(names: list[str]) -> None:
    found = distinct(map(identifier, names))
    assert len(set(found)) == len(found) == len(names)
    for one in found:
        assert set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert one[0] != "-"
        assert 0 < len(one) <= LONGEST + 5


def test_names_for_files_are_plain_and_distinct() -> None:
    assert [identifier(text) for text in ("bli", "My Task.py", "../x", "日本", "")] == [
        "bli",
        "my-task-py",
        "x",
        "x",
        "x",
    ]
    assert distinct(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-2", "a-2-2", "a-3"]
    assert distinct(["a", "A", "b"], "_") == ["a", "A_2", "b"]
