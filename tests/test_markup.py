"""Names that look like rich's markup are printed as they are: folders, files, tasks, lexicons."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from conftest import Ended
from evaluated import TOY
from linguabridge.progress import TerminalReporter
from linguabridge.study.files import read_folder
from linguabridge.study.shipped import shipped_studies
from linguabridge.study.stability import PairStability, Stability, stability_table
from linguabridge.terminal import terminal
from test_recommend import write_lexicon

Run = Callable[..., Ended]
NAME = "a[/b][old]:bee:"  # as a path, a file in a folder
STEM = "b][old]:bee:"


@pytest.fixture
def model(tiny_model: Callable[[str], Path], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model in a folder of that name, relative to where commands run; what they print is not broken into lines."""
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tiny_model("llama"), tmp_path / NAME)
    return NAME


def words(text: str) -> str:
    return " ".join(text.split())


def test_inspect_and_cache_list_name_a_model_by_its_folder(run: Run, model: str, tmp_path: Path) -> None:
    ended = run("inspect", model, "--device", "cpu")
    assert ended.code == 0, ended.err
    title, *_ = ended.out.strip().splitlines()
    assert title.strip() == model
    assert str(tmp_path / NAME) in ended.out
    lexicon = write_lexicon(tmp_path / "own.tsv")
    small = ["--candidates", "de,fr", "--tokens", 200, "--probes", 30, "--no-check", "--device", "cpu"]
    assert run("recommend", "en", "sw", "--model", model, "--lexicon", lexicon, *small).code == 0
    listed = json.loads(run("cache", "list", "--json", "-").out)
    names = {one["model"] for one in listed["items"] if one["model"]}
    assert any("[old]:bee:" in one for one in names)
    ended = run("cache", "list")
    assert ended.code == 0, ended.err
    assert all(one in ended.out for one in names)


def test_ask_says_by_what_an_earlier_run_chose(run: Run, model: str, tmp_path: Path) -> None:
    lexicon = write_lexicon(tmp_path / "own.tsv")
    small = ["--candidates", "de,fr", "--tokens", 200, "--probes", 30, "--no-check", "--device", "cpu"]
    assert run("recommend", "en", "sw", "--model", model, "--lexicon", lexicon, *small, "--out", "earlier").code == 0
    file = tmp_path / "earlier" / "recommend.json"
    body = json.loads(file.read_text("utf-8"))
    del body["sha256"]
    body["chosen"]["title"] = NAME
    file.write_text(json.dumps(body), "utf-8")
    ended = run("ask", "en", "sw", "cat", "--model", model, "--device", "cpu", "--recommendation", "earlier")
    assert ended.code == 0, ended.err
    assert f"chosen by {NAME}" in words(ended.out)


def test_evaluate_names_a_task_of_ones_own(run: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TOY.replace('Task("counting"', f'Task("{NAME}"'), "utf-8")
    ended = run("evaluate", "en:sw", "--task", "mine.py", "--bridge", "de", "--model", model, "--device", "cpu")
    assert ended.code == 0, ended.err
    assert f"{NAME}, English to Swahili: 15 items" in words(ended.out)


def table_of_distances(folder: Path, codes: list[str]) -> Path:
    """Languages on a line, in a file of that name."""
    file = (folder / NAME).with_name(f"{STEM}.tsv")
    file.parent.mkdir(exist_ok=True)
    rows = [[code, *(str(abs(i - j)) for j in range(len(codes)))] for i, code in enumerate(codes)]
    file.write_text("\n".join("\t".join(row) for row in [["", *codes], *rows]), "utf-8")
    return file


def test_spectrum_names_a_table_of_distances(run: Run, model: str, tmp_path: Path) -> None:
    table = table_of_distances(tmp_path, ["pt", "es", "ar", "sw"])
    small = ["--tokens", 300, "--samples", 100, "--concepts", 40, "--top-rate", 0.1, "--no-shuffled", "--device", "cpu"]
    ended = run("spectrum", "pt", "es", "ar", "sw", "--model", model, *small, "--distances", table)
    assert ended.code == 0, ended.err
    assert f"correlation {STEM}" in words(ended.out)


def test_study_names_a_table_of_distances(run: Run, model: str, tmp_path: Path) -> None:
    _, pairs = read_folder(shipped_studies()["gemma-3-270m-own"])
    codes = {code for one in pairs for code in (one.source, one.target, *one.candidates)}
    table = table_of_distances(tmp_path, sorted(codes))
    ended = run("study", "--from", "gemma-3-270m-own", "--distances", table)
    assert ended.code == 0, ended.err
    assert any(line.split()[:1] == [STEM] for line in ended.out.splitlines())


def test_stability_names_a_lexicon_by_its_file(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    rates = {f"{a:g}–{b:g}": 0.5 for a, b in itertools.combinations((0.005, 0.01, 0.02, 0.05), 2)}
    found = Stability(model, (NAME, "muse"), (PairStability("ar", "he", "cka", 30, 0.5, 0.5, rates),))
    terminal().print(stability_table(found))
    assert f"words of {NAME} and of muse" in words(capsys.readouterr().out)


def test_progress_names_steps_and_says_what_it_is_told() -> None:
    shown = io.StringIO()
    reporter = TerminalReporter(Console(file=shown, force_terminal=True, width=200))
    with reporter.step(f"Reading: {NAME}", 2) as advance:
        advance()
    assert f"Reading: {NAME}" in shown.getvalue()


def test_what_is_told_is_told_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalReporter().say(f"Wrote {NAME}.")
    assert capsys.readouterr().err == f"Wrote {NAME}.\n"
