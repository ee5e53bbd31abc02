"""Several processes on one cache: each ends as if it were alone, and the cache holds what one would have left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from small_runs import COMMANDS, Running, Small, Undisturbed, kept, results, start
from test_gguf import write_gguf


@pytest.mark.parametrize("names", [("recommend",) * 2, pytest.param(tuple(COMMANDS) * 2, marks=pytest.mark.long)])
def test_runs_at_once_on_one_cache_do_no_harm(
    small_job: Small, undisturbed: Callable[[str], Undisturbed], tmp_path: Path, names: tuple[str, ...]
) -> None:
    expected = {name: undisturbed(name) for name in names}
    cache = tmp_path / "cache"
    running = [start(small_job.words(name), tmp_path / str(number), cache) for number, name in enumerate(names)]
    for name, run in zip(names, running, strict=True):
        assert run.ended(500) == 0, run.said
        assert results(name, run.folder) == expected[name].results
    assert not [*cache.rglob("*.damaged"), *cache.rglob(".writing-*")]
    there = kept(cache)
    for one in expected.values():
        assert {file: there.get(file) for file in one.kept} == one.kept
    assert set(there) == {file for one in expected.values() for file in one.kept}


def inspect(folder: Path, cache: Path, file: Path) -> Running:
    return start(["inspect", str(file), "--device", "cpu"], folder, cache)


def test_a_gguf_file_is_converted_once_although_two_ask_for_it_and_one_is_killed(tmp_path: Path) -> None:
    cache, file = tmp_path / "cache", write_gguf(tmp_path / "tiny.gguf")
    killed = inspect(tmp_path / "killed", cache, file)
    until(lambda: list(cache.glob("models/.converting-*")), killed)
    others = [inspect(tmp_path / str(number), cache, file) for number in range(2)]
    killed.send(signal.SIGKILL)
    assert killed.ended() == -signal.SIGKILL
    for other in others:
        assert other.ended() == 0, other.said
    models = [path for path in (cache / "models").iterdir() if path.suffix != ".lock"]
    assert len(models) == 1
    assert (models[0] / "converted.json").exists()
    assert sum("Converting" in other.said for other in others) <= 1


def until(there: Callable[[], object], run: Running) -> None:
    while not there():
        assert run.process.is_alive(), run.said
        time.sleep(0.01)
