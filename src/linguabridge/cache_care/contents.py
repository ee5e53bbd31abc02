"""What lies in a cache folder.

Only what this package writes is recognised, by place, name and content; everything else, links included, is listed as
foreign, and nothing here ever touches it. Nothing is followed out of the folder.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from linguabridge.cache_care.kinds import HASHES, KINDS, MGSM, MODELS, MUSE, Contents, Item, Leftover
from linguabridge.cache_care.owners import named, owner
from linguabridge.errors import CacheError
from linguabridge.gguf import CONVERTING

YOUNG_SECONDS = 3600.0  # what is unfinished and younger may be another process's work

_MANIFEST = re.compile(r"[0-9a-f]{32}\.json")
_ARRAYS = re.compile(r"[0-9a-f]{32}\.safetensors")
_SET_ASIDE = re.compile(r"[0-9a-f]{32}\.(?:json|safetensors)\.damaged")
_MODEL = re.compile(r"[0-9a-f]{32}-\d+")
_MODEL_ASIDE = re.compile(r"[0-9a-f]{32}-\d+\.damaged")
_LOCK = re.compile(r"[0-9a-f]{32}-\d+\.lock")
_TEMPORARY = re.compile(r"\.writing-\w+")
_DOWNLOADING = re.compile(r"tmp\w{8}")  # pooch downloads into such a neighbour


def read_contents(root: Path, now: float | None = None) -> Contents:
    """Look through a cache folder; it need not exist.

    Args:
        root: the folder.
        now: seconds since 1970; by default the clock's.

    Raises:
        CacheError: it is no folder, or cannot be read.
    """
    root = Path(os.path.realpath(root))
    found = _Found(time.time() if now is None else now)
    try:
        if root.exists():
            for path, entry in _entries(root):
                _look_into(found, path, entry)
    except OSError as error:
        raise CacheError(f"The cache folder {root} cannot be read ({error.strerror}).") from error
    return Contents(root, tuple(named(found.items)), tuple(found.leftovers), tuple(found.foreign))


def read_json(file: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where the file holds none, or is gone."""
    try:
        body = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return body if isinstance(body, dict) else None


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; links count as themselves, and what vanishes meanwhile not at all."""
    return sum(_stat(Path(where, name)).st_size for where, _, names in os.walk(folder) for name in names)


@cache
def published(kind: str) -> Mapping[str, str]:
    """SHA-256 by name of the files that can be downloaded: those of MUSE or of MGSM."""
    text = files("linguabridge").joinpath("data", f"{kind.rpartition('/')[2]}.sha256").read_text("utf-8")
    return {name: sha256 for sha256, name in map(str.split, text.splitlines())}


@dataclass
class _Found:
    now: float
    items: list[Item] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)

    def keep(self, kind: str, *paths: Path, **more: str) -> None:
        statuses = [_stat(path) for path in paths]
        size, written = sum(one.st_size for one in statuses), max(one.st_mtime for one in statuses)
        self.items.append(Item(kind, paths, size, written, **more))

    def leave(self, path: Path, why: str, kind: str, *, old: bool = False) -> None:
        status = _stat(path)
        size = folder_size(path) if path.is_dir() else status.st_size
        old = old or self.now - status.st_mtime > YOUNG_SECONDS
        self.leftovers.append(Leftover(path, why, size, status.st_mtime, kind, old))


_GONE = os.stat_result((0,) * 10)


def _stat(path: Path) -> os.stat_result:
    """As ``lstat``; of a file that another process has just removed, zeros."""
    try:
        return path.lstat()
    except FileNotFoundError:
        return _GONE


def _entries(folder: Path) -> list[tuple[Path, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        return sorted((Path(entry.path), entry) for entry in entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _look_into(found: _Found, path: Path, entry: os.DirEntry[str]) -> None:
    if not _is_folder(entry):
        found.foreign.append(path)
    elif entry.name == HASHES:
        _look_at_hashes(found, path)
    elif entry.name == MODELS:
        _look_at_models(found, path)
    elif entry.name == MGSM:
        _look_at_downloads(found, path, MGSM)
    elif entry.name == MUSE.partition("/")[0]:
        for inner, inside in _entries(path):
            if f"{entry.name}/{inside.name}" == MUSE and _is_folder(inside):
                _look_at_downloads(found, inner, MUSE)
            else:
                found.foreign.append(inner)
    else:
        _look_at_results(found, path)


def _look_at_downloads(found: _Found, folder: Path, kind: str) -> None:
    for path, entry in _entries(folder):
        if _is_file(entry) and entry.name in published(kind):
            found.keep(kind, path)
        elif _is_file(entry) and _DOWNLOADING.fullmatch(entry.name):
            found.leave(path, "unfinished download", kind)
        else:
            found.foreign.append(path)


def _look_at_hashes(found: _Found, folder: Path) -> None:
    for path, entry in _entries(folder):
        if _is_file(entry) and _TEMPORARY.fullmatch(entry.name):
            found.leave(path, "unfinished file", HASHES)
        elif _is_file(entry) and _MANIFEST.fullmatch(entry.name):
            found.keep(HASHES, path)
        else:
            found.foreign.append(path)


def _look_at_models(found: _Found, folder: Path) -> None:
    for path, entry in _entries(folder):
        if _is_folder(entry) and _MODEL.fullmatch(entry.name):
            found.keep(MODELS, path)
            found.items[-1] = replace(found.items[-1], size=folder_size(path))
        elif _is_folder(entry) and entry.name.startswith(CONVERTING):
            found.leave(path, "unfinished conversion", MODELS)
        elif _is_folder(entry) and _MODEL_ASIDE.fullmatch(entry.name):
            found.leave(path, "set aside as damaged", MODELS, old=True)
        elif not (_is_file(entry) and _LOCK.fullmatch(entry.name)):  # locks stay: a process may wait at one
            found.foreign.append(path)


def _look_at_results(found: _Found, folder: Path) -> None:
    """A folder of results, if its name or what it holds says that it is one."""
    kind, entries = folder.name, _entries(folder)
    manifests = {path: read_json(path) for path, entry in entries if _is_file(entry) and _MANIFEST.fullmatch(path.name)}
    if kind not in KINDS and not any(body and body.get("kind") == kind for body in manifests.values()):
        found.foreign.append(folder)
        return
    arrays = {path for path, entry in entries if _is_file(entry) and _ARRAYS.fullmatch(path.name)}
    for path, entry in entries:
        beside = {path.with_suffix(".safetensors")} & arrays
        if path in manifests and not beside and (manifests[path] or {}).get("sha256") is not None:
            found.leave(path, "manifest without arrays", kind)  # to a run this is nothing at all
        elif path in manifests:
            found.keep(kind, path, *beside, **owner(manifests[path]))
        elif path in arrays:
            if path.with_suffix(".json") not in manifests:
                found.leave(path, "arrays without a manifest", kind)
        elif _is_file(entry) and _TEMPORARY.fullmatch(entry.name):
            found.leave(path, "unfinished file", kind)
        elif _is_file(entry) and _SET_ASIDE.fullmatch(entry.name):
            found.leave(path, "set aside as damaged", kind, old=True)
        else:
            found.foreign.append(path)
