"""Every bad input that somebody could think of ends in one sentence, with exit code 2, and leaves nothing behind.

The inputs themselves stand in ``bad_rows.py`` and ``bad_inputs.py``; ``test_bad_calls.py`` has those of the Python
interface, ``test_odd_inputs.py`` what looks bad and is not. What a server may answer is tested in
``test_endpoint_failures.py``, more damage to models in ``test_model.py`` and ``test_gguf.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import small_runs
from bad_inputs import Bad, World, make_world
from bad_rows import ROWS
from conftest import Ended
from linguabridge.cache import Cache, default_cache_dir
from test_help import COMMANDS

Run = Callable[..., Ended]

_TOLD = re.compile(r"(Loading|Checking|Ranking bridges|Pair \d+ of) .*")  # what is said of the work before it fails


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], Path]) -> World:
    return make_world(tmp_path_factory.mktemp("world"), tiny_model("llama"))


def snapshot(*roots: Path) -> dict[Path, tuple[int, int] | None]:
    """All files, with size and time of change, and all folders."""
    found = [path for root in roots for path in root.rglob("*")]
    return {one: (one.stat().st_size, one.stat().st_mtime_ns) if one.is_file() else None for one in found}


def litter(cache: Path) -> set[Path]:
    """What a command that was cut short could leave in a cache: what is half written, or was set aside."""
    half = re.compile(r"\.(writing|converting)-.*|tmp\w{8}|.*\.(damaged|gguf|part)")
    found = {path for path in cache.rglob("*") if half.fullmatch(path.name)}
    for path in cache.glob("*/*"):
        if path.parent.name == "models":
            whole = path.suffix == ".lock" or (path / "converted.json").exists()
        else:
            whole = path.suffix != ".safetensors" or path.with_suffix(".json").exists()
        if not whole:
            found.add(path)
    return found


def test_the_catalogue_has_a_row_for_every_command() -> None:
    assert len(COMMANDS) >= 16
    for name in COMMANDS:
        words = tuple(name.split())
        assert any(row.words[: len(words)] == words for row in ROWS), name
    assert len(ROWS) >= 80
    assert all(row.culprit and row.way_out for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_bad_input_is_one_sentence_and_leaves_nothing(
    row: Bad, run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = snapshot(world.root, tmp_path)
    cache = default_cache_dir()
    littered = litter(cache)
    ended = run(*map(world.fill, row.words))
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    if row.usage:
        said = " ".join(re.sub(r"[│╭╰─╮╯]", " ", ended.err).split())
    else:
        *told, said = ended.err.splitlines()
        assert all(map(_TOLD.fullmatch, told)), told
        assert said.startswith("Error: ")
        assert said.endswith((".", "?"))
        assert said.isprintable()
    assert row.culprit in said
    assert row.way_out in said
    assert snapshot(world.root, tmp_path) == before
    assert litter(cache) <= littered


def test_what_a_killed_command_leaves_in_a_cache_is_seen(tmp_path: Path) -> None:
    Cache(tmp_path).put("profile", {}, {"a": np.zeros(2)}, {})
    whole = tmp_path / "models" / f"{'ab' * 16}-1"
    whole.mkdir(parents=True)
    for path in (whole / "converted.json", whole / "model.safetensors", whole.with_suffix(".lock")):
        path.touch()
    assert litter(tmp_path) == set()
    (manifest,) = tmp_path.glob("profile/*.json")
    names = (
        "profile/.writing-a",
        "models/.converting-a",
        "models/ab-1.damaged",
        "mgsm/tmpabcdefgh",
        "profile/x.json.damaged",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    manifest.unlink()
    (whole / "converted.json").unlink()
    assert litter(tmp_path) == {*(tmp_path / name for name in names), manifest.with_suffix(".safetensors"), whole}


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users and their permissions")
@pytest.mark.parametrize(
    ("option", "culprit", "way_out"),
    [
        ("--out", "{}/new is no folder that can be written", "choose another with --out or --json."),
        ("--json", "{} is no folder that can be written", "choose another with --out or --json."),
        (None, "The cache folder {}/cache cannot be written (Permission denied)", "set LINGUABRIDGE_CACHE to"),
    ],
)
def test_a_folder_that_may_not_be_written_is_named(
    option: str | None, culprit: str, way_out: str, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    words = ["recommend", "en", "sw", *([option, str(locked / "new")] if option else [])]
    cache = (locked if option is None else tmp_path) / "cache"
    run = small_runs.forked(tmp_path, cache, small_runs.bound_by_permissions, words)
    if run.ended() == small_runs.CANNOT:
        pytest.skip("needs a way for root to give up its privileges")
    assert run.process.exitcode == 2, run.said
    assert run.said.startswith(f"Error: {culprit.format(locked)}")
    assert way_out in run.said
    assert run.said.count("\n") == 1
    assert list(locked.iterdir()) == []
