"""Runs that are killed or stopped: the same command goes on, and ends with the bytes of an undisturbed run."""

from __future__ import annotations

import importlib.abc
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import linguabridge.__main__ as entry
from linguabridge.evaluation.files import read_rows, read_summary
from linguabridge.progress import read_progress
from small_runs import COMMANDS, Running, Small, Undisturbed, kept, results, start

TIMES = {"recommend": 12, "spectrum": 12, "evaluate": 13, "study": 13}  # 50 in all
assert set(TIMES) == set(COMMANDS)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        *((name, 2) for name in COMMANDS),
        *(pytest.param(name, times, marks=pytest.mark.long) for name, times in TIMES.items()),
    ],
)
def test_killed_runs_go_on_and_end_with_the_same_bytes(
    small_job: Small, undisturbed: Callable[[str], Undisturbed], tmp_path: Path, name: str, times: int
) -> None:
    expected = undisturbed(name)
    dice = random.Random(f"{name} {times}")
    folders = (tmp_path / str(number) for number in itertools.count())
    folder, before, killed = next(folders), dict[Path, int](), 0
    while killed < times:
        run = start(small_job.words(name), folder, folder / "cache")
        time.sleep(dice.uniform(0, 1) * expected.seconds)
        run.send(signal.SIGKILL)
        code = run.ended()
        now = check_what_is_there(name, folder, expected)
        assert {path: now.get(path) for path in before} == before  # found again, not computed and written once more
        before = now
        if code == 0:  # it ended before its moment came
            assert_ended(name, folder, expected)
            folder, before = next(folders), {}
        else:
            assert code == -signal.SIGKILL, run.said
            killed += 1
    run = start(small_job.words(name), folder, folder / "cache")
    assert run.ended() == 0, run.said
    assert_ended(name, folder, expected)


def assert_ended(name: str, folder: Path, expected: Undisturbed) -> None:
    """As after an undisturbed run, to the byte."""
    assert results(name, folder) == expected.results
    assert kept(folder / "cache") == expected.kept
    assert not (folder / "out" / "unfinished").exists()
    progress = read_progress(folder / "out")
    assert progress is not None
    assert progress.state == "finished"


def check_what_is_there(name: str, folder: Path, expected: Undisturbed) -> dict[Path, int]:
    """Whole files with the right content, and nothing else; of those in the cache, when they were written."""
    for file, content in results(name, folder).items():
        assert content == expected.results[file]
    there = kept(folder / "cache")
    assert {file: expected.kept.get(file) for file in there} == there
    if (folder / "out" / "unfinished" / "manifest.json").exists():
        assert read_summary(folder / "out" / "unfinished")["results"]
        assert read_rows(folder / "out" / "unfinished")
    return {file: file.stat().st_mtime_ns for file in (folder / "cache").glob("*/*.json")}


def has_begun(run: Running) -> bool:
    """Whether it writes down its progress, or has ended."""
    progress = read_progress(run.folder / "out")
    return (progress is not None and progress.pid == run.process.pid) or not run.process.is_alive()


def assert_stopped(run: Running, asked: float) -> None:
    """Ended in time, with one sentence."""
    assert time.monotonic() - asked < 2
    assert run.process.exitcode == 130, run.said
    assert run.said.endswith("Stopped; what was finished is kept, and the same command goes on from there.\n")
    assert "Traceback" not in run.said


@pytest.mark.parametrize(
    ("name", "times"), [("recommend", 1), *(pytest.param(name, 5, marks=pytest.mark.long) for name in COMMANDS)]
)
def test_ctrl_c_ends_within_two_seconds_with_130_and_the_same_command_goes_on(
    small_job: Small, undisturbed: Callable[[str], Undisturbed], tmp_path: Path, name: str, times: int
) -> None:
    expected = undisturbed(name)
    dice = random.Random(f"{name} {times}")
    folder = tmp_path / "stopped"
    for _ in range(times):
        run = start(small_job.words(name), folder, folder / "cache")
        while not has_begun(run):
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.8) * expected.seconds / times)  # what is left becomes less each time
        run.send(signal.SIGINT)
        asked = time.monotonic()
        if run.ended() == 0:
            break
        assert_stopped(run, asked)
        assert not list(folder.rglob(".writing-*"))
        progress = read_progress(folder / "out")
        assert progress is not None
        assert progress.state == "stopped"
        check_what_is_there(name, folder, expected)
    run = start(small_job.words(name), folder, folder / "cache")
    assert run.ended() == 0, run.said
    assert_ended(name, folder, expected)


def test_ctrl_c_while_the_command_is_being_imported_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pressed(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "linguabridge.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "linguabridge.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Pressed(), *sys.meta_path])
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            entry.main()
    finally:
        signal.signal(signal.SIGINT, handler)
    assert end.value.code == 130


def test_ctrl_c_while_a_dataclass_is_being_made_ends_with_130_too(tmp_path: Path) -> None:
    # Python remembers that code given as text, as dataclasses make it, was interrupted, and ends with the signal.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'linguabridge.cli':\n"
        "            exec('raise KeyboardInterrupt')\n"
        "sys.meta_path.insert(0, Pressed())\n"
    )
    run = [sys.executable, "-m", "linguabridge", "languages"]
    assert subprocess.run(run, env={**os.environ, "PYTHONPATH": str(tmp_path)}).returncode == 130


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library has no on_exit")
def test_ctrl_c_while_python_is_taken_down_leaves_the_code_as_it_is(tmp_path: Path) -> None:
    # The C library runs kill(code, SIGINT) at the very end; with code 0 that is for the process group, here of one.
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes, signal\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.on_exit(libc.kill, ctypes.c_void_p(int(signal.SIGINT)))\n"
    )
    run = [sys.executable, "-m", "linguabridge", "languages"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert subprocess.run(run, env=environment, start_new_session=True).returncode == 0


@pytest.mark.long
def test_ctrl_c_at_any_moment_of_a_process_of_its_own(
    small_job: Small, undisturbed: Callable[[str], Undisturbed], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    for number, seconds in enumerate((0.5, 1, 2, 3, 4, 5, 6)):  # mostly while torch is imported
        folder = tmp_path / str(number)
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "linguabridge", *small_job.words("recommend")],
                cwd=folder,
                env={**os.environ, "LINGUABRIDGE_CACHE": str(cache)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        said = (folder / "log").read_text("utf-8")
        assert "Traceback" not in said
        if code == 0:
            break
        assert code == 130, said
    run = start(small_job.words("recommend"), folder, cache)
    assert run.ended() == 0, run.said
    assert results("recommend", folder) == undisturbed("recommend").results
