"""Progress that is kept on disk for who looks on from outside."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from linguabridge import progress as progress_module
from linguabridge.progress import PROGRESS, Reporter, Step, progress_words, read_progress, recorded


class Remembering(Reporter):
    """What a reporter on a terminal would have been told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:
        self.told.append((title, total))
        yield lambda done=1.0: self.told.append(("done", done))

    def say(self, message: str) -> None:
        self.told.append(("said", message))


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / PROGRESS).read_text("utf-8"))


def write(folder: Path, **changes: Any) -> None:
    body = {
        "state": "running",
        "step": "Reading neurons: Hebrew",
        "done": 0.4,
        "seconds_left": 50.2,
        "steps_done": 3,
        "started": "2026-01-01T10:00:00+00:00",
        "updated": datetime.datetime.now(datetime.UTC).isoformat(),
        "pid": os.getpid(),
        **changes,
    }
    (folder / PROGRESS).write_text(json.dumps(body), "utf-8")


def ago(seconds: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)).isoformat()


def test_progress_is_shown_as_before_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "RECORD_SECONDS", 0.0)
    shown, folder = Remembering(), tmp_path / "new" / "run"
    with recorded(shown, folder) as reporter:
        assert not folder.exists()  # a run that is refused leaves nothing
        reporter.begin()
        assert written(folder)["step"] is None
        with reporter.step("Reading: עברית", 10) as advance:
            assert written(folder) | {"step": "Reading: עברית", "done": 0, "seconds_left": None} == written(folder)
            advance(2)
            advance(2.0)
            found = written(folder)
            assert (found["done"], found["state"], found["steps_done"], found["pid"]) == (
                0.4,
                "running",
                0,
                os.getpid(),
            )
            assert found["seconds_left"] >= 0
            with reporter.step("Within", 0) as inner:
                inner()
                assert (written(folder)["step"], written(folder)["done"]) == ("Within", 1)
            assert (written(folder)["step"], written(folder)["steps_done"]) == ("Reading: עברית", 1)
        found = written(folder)
        assert (found["step"], found["done"], found["steps_done"]) == ("Reading: עברית", 1, 2)
        reporter.say("x")
    found = written(folder)
    assert (found["state"], found["step"], found["done"]) == ("finished", None, 1)
    assert found["started"] <= found["updated"]
    assert shown.told == [("Reading: עברית", 10), ("done", 2), ("done", 2), ("Within", 0), ("done", 1), ("said", "x")]
    assert [path.name for path in folder.iterdir()] == [PROGRESS]
    assert (folder / PROGRESS).stat().st_mode & 0o777 == progress_module.MODE


def test_it_is_written_once_a_second_at_most(tmp_path: Path) -> None:
    with recorded(Reporter(), tmp_path) as reporter, reporter.step("Counting", 100_000) as advance:
        first = (tmp_path / PROGRESS).stat().st_ino, written(tmp_path)["updated"]
        began = time.monotonic()
        for _ in range(20_000):
            advance()
        if time.monotonic() - began < 0.9:
            assert ((tmp_path / PROGRESS).stat().st_ino, written(tmp_path)["updated"]) == first
        time.sleep(1.0)
        advance()
        assert written(tmp_path)["done"] == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_run_that_is_stopped_says_so_and_where(tmp_path: Path, error: type[BaseException]) -> None:
    def run() -> None:
        with recorded(Reporter(), tmp_path) as reporter, reporter.step("Counting", 4) as advance:
            advance()
            raise error

    with pytest.raises(error):
        run()
    found = written(tmp_path)
    assert (found["state"], found["step"], found["done"], found["steps_done"]) == ("stopped", "Counting", 0.25, 0)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress_words(progress) == "Stopped at: Counting, 25 %. What was finished is kept."


def test_a_run_that_is_refused_leaves_another_ones_progress_alone(tmp_path: Path) -> None:
    write(tmp_path, state="finished")
    before = (tmp_path / PROGRESS).read_bytes()
    with pytest.raises(ValueError, match="refused"), recorded(Reporter(), tmp_path):
        raise ValueError("refused")
    assert (tmp_path / PROGRESS).read_bytes() == before
    with recorded(Reporter(), None) as reporter, reporter.step("No folder", 1) as advance:
        advance()


def test_what_cannot_be_written_disturbs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / PROGRESS).mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "taken"):
        with recorded(Reporter(), folder) as reporter, reporter.step("half a character \ud83d", 1) as advance:
            advance()
    assert [path.name for path in (tmp_path / "taken").iterdir()] == [PROGRESS]
    with recorded(Reporter(), tmp_path / "new") as reporter, reporter.step("half a character \ud83d", 1):
        assert "half" in written(tmp_path / "new")["step"]


def test_a_killed_run_grows_quiet(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from linguabridge.progress import *\n"
        "with recorded(Reporter(), pathlib.Path(sys.argv[1])) as one, one.step('Counting', 4) as advance:\n"
        "    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    found = written(tmp_path)
    assert found["state"] == "running"
    (tmp_path / PROGRESS).write_text(json.dumps(found | {"updated": ago(4)}))
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.state == "quiet"
    assert progress_words(progress) == (
        "No news for 4 s, after: Counting, 0 %. If the run has ended, the same command goes on from there."
    )


@pytest.mark.parametrize(("seconds", "state"), [(0, "running"), (20, "running"), (40, "quiet"), (-5, "running")])
def test_a_process_that_lives_may_be_silent_for_a_while(tmp_path: Path, seconds: float, state: str) -> None:
    write(tmp_path, updated=ago(seconds))
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress.state == state


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Reading neurons: Hebrew, 40 %, about 50 s left"),
        ({"seconds_left": 130}, "Reading neurons: Hebrew, 40 %, about 2 min left"),
        ({"seconds_left": 9000}, "Reading neurons: Hebrew, 40 %, about 2 h left"),
        ({"seconds_left": 1e6}, "Reading neurons: Hebrew, 40 %, about 12 days left"),
        ({"seconds_left": None, "done": 0}, "Reading neurons: Hebrew, 0 %"),
        ({"done": 7, "seconds_left": 0.4}, "Reading neurons: Hebrew, 100 %"),
        ({"step": None, "done": 0, "seconds_left": None}, "The run begins"),
        (
            {"step": None, "state": "stopped"},
            "Stopped at: the beginning. What was finished is kept.",
        ),
        ({"state": "finished"}, "Finished."),
    ],
)
def test_progress_in_words(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write(tmp_path, **changes)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert progress_words(progress) == words


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", "7", "[" * 100_000, '{"state": "running"}', "\x00", "\ud800"]
)
def test_what_is_no_progress_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / PROGRESS).write_text(text, "utf-8", "surrogatepass")
    assert read_progress(tmp_path) is None
    assert read_progress(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "flying"},
        {"state": ["running"]},
        {"step": 7},
        {"done": "much"},
        {"seconds_left": "much"},
        {"updated": "yesterday"},
        {"pid": None},
        {"steps_done": float("inf")},
    ],
)
def test_values_of_another_kind_are_not_believed(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, **changes)
    assert read_progress(tmp_path) is None


@pytest.mark.parametrize(
    "changes", [{"done": float("nan")}, {"seconds_left": float("inf")}, {"pid": -1}, {"pid": 1 << 70}]
)
def test_odd_numbers_do_no_harm(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, **changes)
    progress = read_progress(tmp_path)
    assert progress is not None
    assert 0 <= progress.done <= 1
    assert "Reading neurons: Hebrew" in progress_words(progress)
