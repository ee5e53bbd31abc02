"""Disks that are full, and folders that cannot be written: one sentence, code 2, and only whole files are left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import mounts
from small_runs import CANNOT, COMMANDS, Small, Undisturbed, command, forked, kept, results
from test_gguf import write_gguf


def on_small_disks(words: list[str], disk: Path, sizes: list[int]) -> None:
    """Run a command, whose cache and results are on a disk, at one size of the disk after the other.

    Beside the disk, ``<number>/`` gets what lay on it after each run, ``<number>.said`` and ``<number>.code`` what the
    command said and its exit code.
    """
    may_mount()
    for number, size in enumerate(sizes):
        mounts.small_disk(disk, size)
        os.chdir(disk)
        code = watched(words, disk.parent / str(number))
        os.chdir(disk.parent)
        shutil.copytree(disk, disk.parent / str(number))
        if code == 0:
            break


def with_read_only(folder: Path, commands: list[list[str]], where: Path) -> None:
    """Run commands with a folder that cannot be written; see :func:`on_small_disks` for what comes of it."""
    may_mount()
    mounts.read_only(folder)
    for number, words in enumerate(commands):
        watched(words, where / str(number))


def may_mount() -> None:
    try:
        mounts.own_mounts()
    except OSError:
        raise SystemExit(CANNOT) from None


def watched(words: list[str], where: Path) -> int:
    """Run a command in this process; what it says and its exit code go to files beside ``where``."""
    said = os.open(where.with_suffix(".said"), os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    code = 0
    try:
        command(words)
    except SystemExit as end:
        code = int(end.code or 0)
    where.with_suffix(".code").write_text(str(code))
    return code


def assert_one_sentence(where: Path, *says: str) -> str:
    """It was refused with code 2 and, at the end of what it said, one line that says this."""
    said = where.with_suffix(".said").read_text("utf-8")
    assert where.with_suffix(".code").read_text() == "2", said
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert said.endswith(f"{errors[0]}\n")
    for one in says:
        assert one in errors[0]
    return said


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "name", ["recommend", *(pytest.param(one, marks=pytest.mark.long) for one in ("spectrum", "evaluate", "study"))]
)
def test_full_disk_is_said_and_with_more_room_the_run_goes_on(
    small_job: Small, undisturbed: Callable[[str], Undisturbed], disk: Path, name: str
) -> None:
    expected = undisturbed(name)
    needed = sum(-(-len(one) // 4096) * 4 for one in expected.kept.values() if isinstance(one, bytes))
    needed += 4 * len(expected.kept) + sum(-(-len(one) // 4096) * 4 for one in expected.results.values())
    sizes = [4, *(int(needed * share) for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98)), 2 * needed]
    run = forked(disk.parent, disk / "cache", on_small_disks, small_job.words(name), disk, sizes)
    if run.ended() == CANNOT:
        pytest.skip("needs leave to mount a disk")
    assert run.process.exitcode == 0, run.said
    ended = sorted(disk.parent.glob("*.code"))
    assert len(ended) > 4
    for number, code in enumerate(ended):
        there = disk.parent / str(number)
        if code.read_text() == "2":
            assert_one_sentence(there, "cannot be written (No space left on device)")
        assert not list(there.rglob(".writing-*"))
        found = kept(there / "cache")
        assert {file: expected.kept.get(file) for file in found} == found
        assert results(name, there).items() <= expected.results.items()
    assert code.read_text() == "0"
    assert results(name, there) == expected.results
    assert found == expected.kept


def test_gguf_file_that_the_disk_has_no_room_for_is_said_and_leaves_nothing(disk: Path) -> None:
    file = write_gguf(disk.parent / "tiny.gguf")
    sizes = [80, 316, 100_000]  # for not even the weights; for them alone; for all
    run = forked(disk.parent, disk / "cache", on_small_disks, ["inspect", str(file), "--device", "cpu"], disk, sizes)
    if run.ended() == CANNOT:
        pytest.skip("needs leave to mount a disk")
    for number in range(2):
        assert_one_sentence(disk.parent / str(number), "cannot be written (No space left on device)")
        assert not list((disk.parent / str(number)).rglob("*.safetensors"))
        assert not list((disk.parent / str(number)).rglob("*ing-*"))
    assert disk.parent.joinpath("2.code").read_text() == "0"


def test_cache_that_cannot_be_written_is_refused_before_the_work(small_job: Small, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    model = ["--model", str(small_job.model)]
    refused = [*map(small_job.words, COMMANDS), ["ask", "en", "sw", "cat", *model], ["inspect", str(small_job.model)]]
    harmless = [["languages", "sw"], ["cache", "list"], ["cache", "verify"], ["cache", "clear", "--yes"]]
    run = forked(tmp_path, cache, with_read_only, cache, [*refused, *harmless], tmp_path)
    if run.ended() == CANNOT:
        pytest.skip("needs leave to mount a disk")
    assert run.process.exitcode == 0, run.said
    for number in range(len(refused)):
        said = assert_one_sentence(tmp_path / str(number), f"The cache folder {cache} cannot be written", "Read-only")
        assert "set LINGUABRIDGE_CACHE to a folder you can write" in said
        assert said.count("\n") == 1
    for number, words in enumerate(harmless, len(refused)):
        assert tmp_path.joinpath(f"{number}.code").read_text() == "0", words
    assert not (tmp_path / "out").exists()


def test_results_that_cannot_be_written_are_refused_before_the_work(small_job: Small, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    asked = [[*small_job.words(name), "--out", str(folder / "out")] for name in COMMANDS]
    asked.append([*small_job.words("recommend"), "--json", str(folder / "found.json")])
    run = forked(tmp_path, tmp_path / "cache", with_read_only, folder, asked, tmp_path)
    if run.ended() == CANNOT:
        pytest.skip("needs leave to mount a disk")
    assert run.process.exitcode == 0, run.said
    for number in range(len(asked)):
        said = assert_one_sentence(tmp_path / str(number), "is no folder that can be written; choose another with --")
        assert said.count("\n") == 1
    assert not list((tmp_path / "cache").rglob("*.json"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("words", [["languages", "sw"], ["--help"], ["cache", "list", "--json", "-"]])
def test_standard_output_on_a_full_disk_is_one_sentence(tmp_path: Path, words: list[str]) -> None:
    run = forked(tmp_path, tmp_path / "cache", with_output_to, "/dev/full", words)
    assert run.ended() == 2
    assert run.said == (
        "Error: What the command prints cannot be written (No space left on device); make room there, or write to "
        "another place.\n"
    )


def test_who_reads_the_output_may_stop_reading(tmp_path: Path) -> None:
    run = forked(tmp_path, tmp_path / "cache", with_output_to, None, ["languages"])
    assert run.ended() == 1
    assert run.said == ""


def with_output_to(place: str | None, words: list[str]) -> None:
    """Run a command whose standard output goes to a file, or to a pipe that nobody reads."""
    if place is None:
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(place, os.O_WRONLY)
    os.dup2(writing, 1)
    command(words)
