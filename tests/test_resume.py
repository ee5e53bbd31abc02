"""Runs that are killed: the same command goes on, and ends with the same bytes as an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from linguabridge.evaluation.files import read_rows, read_summary
from test_recommend import write_lexicon

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv", rows=400, languages="en sw de fr it")


def start(folder: Path, model: Path, lexicon: Path, cache: Path) -> subprocess.Popen[bytes]:
    """The command with every arm; its results go to ``folder/evaluation``."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "linguabridge.cli", "evaluate", "en:sw", "fr:de", "--model", str(model)]
    words += ["--lexicon", str(lexicon), "--bridge", "it", "--arms", "all", "--best", "2"]
    words += ["--candidates", "it,id,hu", "--tokens", "2000", "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "LINGUABRIDGE_CACHE": str(cache)}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def finish(process: subprocess.Popen[bytes], folder: Path) -> None:
    code = process.wait(timeout=300)
    assert code == 0, (folder / "log").read_text("utf-8")


def results(folder: Path) -> dict[str, bytes]:
    files = [folder / "evaluation" / name for name in ("items.parquet", "summary.json")]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def written(cache: Path) -> dict[Path, int]:
    """When each finished batch was written."""
    kinds = ("answers", "likelihood", "profile", "probes", "tokens")
    return {file: file.stat().st_mtime_ns for kind in kinds for file in (cache / kind).glob("*.json")}


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.long)])
def test_killed_runs_go_on_and_end_with_the_same_bytes(
    tiny_model: Folder, lexicon: Path, tmp_path: Path, kills: int
) -> None:
    model = tiny_model("llama")
    began = time.monotonic()
    finish(start(tmp_path / "whole", model, lexicon, tmp_path / "cache"), tmp_path / "whole")
    took = time.monotonic() - began
    expected = results(tmp_path / "whole")

    folder, cache = tmp_path / "killed", tmp_path / "other"
    dice = random.Random(kills)
    kept: dict[Path, int] = {}
    for _ in range(kills):
        process = start(folder, model, lexicon, cache)
        time.sleep(dice.uniform(0.4, 1.0) * took)  # before that, it imports
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # What was finished is found again and not computed and written once more.
        now = written(cache)
        assert {path: now[path] for path in kept} == kept
        kept = now
        for name, content in results(folder).items():
            assert content == expected[name]
        if (folder / "evaluation" / "unfinished" / "manifest.json").exists():
            assert len(read_summary(folder / "evaluation" / "unfinished")["results"]) == 1
            assert read_rows(folder / "evaluation" / "unfinished")
    finish(start(folder, model, lexicon, cache), folder)
    assert results(folder) == expected
    left = sorted(path.name for path in (folder / "evaluation").iterdir() if not path.name.startswith(".writing-"))
    assert left == ["items.parquet", "manifest.json", "progress.json", "summary.json"]
    now = written(cache)
    assert {path: now[path] for path in kept} == kept
    manifest = json.loads((folder / "evaluation" / "manifest.json").read_text("utf-8"))
    assert "evaluate" in manifest["command"]


def test_two_runs_at_once_on_one_cache_do_no_harm(tiny_model: Folder, lexicon: Path, tmp_path: Path) -> None:
    model = tiny_model("llama")
    folders = [tmp_path / "one", tmp_path / "two"]
    running = [start(folder, model, lexicon, tmp_path / "cache") for folder in folders]
    for process, folder in zip(running, folders, strict=True):
        finish(process, folder)
    assert results(folders[0]) == results(folders[1])
    assert not list((tmp_path / "cache").rglob("*.damaged"))
    assert not list((tmp_path / "cache").rglob(".writing-*"))
