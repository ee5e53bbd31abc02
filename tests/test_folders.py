"""Several files are written together or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from linguabridge.errors import InputError
from linguabridge.export.lm_eval import _Task, _write
from linguabridge.folders import write_files
from linguabridge.paths import content_of

FILES = {"a": b"1", "b": b"2", "c": b"3"}


def full_from(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A disk that is full when a file of this name is written."""
    write = Path.write_bytes

    def fails(path: Path, content: bytes) -> int:
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fails)


def contents(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.parametrize("there", [False, True])
def test_all_files_are_written(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "above" / "new"
    if there:
        folder.mkdir(parents=True)
        (folder / "a").write_bytes(b"old")
        (folder / "other").write_bytes(b"kept")
    write_files(folder, FILES)
    assert contents(tmp_path) == FILES | ({"other": b"kept"} if there else {})
    plain = tmp_path / "plain"
    plain.mkdir()
    assert folder.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    if there:
        folder.mkdir()
        (folder / "a").write_bytes(b"old")
    full_from(monkeypatch, "b")
    with pytest.raises(OSError, match="No space left"):
        write_files(folder, FILES)
    assert contents(tmp_path) == ({"a": b"old"} if there else {})
    assert list(tmp_path.iterdir()) == ([folder] if there else [])


def test_tasks_for_lm_eval_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_from(monkeypatch, "t.jsonl")
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        _write(tmp_path / "tasks", [_Task("t", {}, {}, [{"prompt": "x"}])])
    assert list(tmp_path.iterdir()) == []


def test_no_more_is_read_than_fits(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert content_of(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="larger than"):
        content_of(tmp_path / "file", 4)
