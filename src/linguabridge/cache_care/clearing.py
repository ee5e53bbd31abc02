"""Clearing the cache: chosen first, removed after.

Safe beside runs that use the cache: whatever is removed counts as absent and is computed anew. A manifest goes before
its arrays, a converted model under the lock that conversions take, and what changed since it was chosen stays.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from linguabridge.cache_care.kinds import MODELS, PLACES, Contents, Item, Leftover
from linguabridge.errors import InputError
from linguabridge.gguf import CONVERTING


@dataclass(frozen=True)
class Chosen:
    """What is to be removed.

    Attributes:
        items: kept things.
        leftovers: that serve nothing any more.
        unascribed: results that stay because they do not say of which model they are.
    """

    items: tuple[Item, ...]
    leftovers: tuple[Leftover, ...]
    unascribed: int

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(one.size for one in self.all)

    @property
    def all(self) -> tuple[Item | Leftover, ...]:
        """Items and leftovers."""
        return (*self.items, *self.leftovers)


@dataclass(frozen=True)
class Removed:
    """What was removed.

    Attributes:
        removed: number of things.
        size: bytes that this freed.
        stayed: what stayed, and why.
    """

    removed: int
    size: int
    stayed: tuple[tuple[Path, str], ...]


def choose(
    contents: Contents,
    *,
    kind: str | None = None,
    model: str | None = None,
    older_than_days: float | None = None,
    now: float | None = None,
) -> Chosen:
    """Choose what to remove; conditions are joined by "and", none means all.

    Args:
        contents: of the cache.
        kind: as ``linguabridge cache list`` names it.
        model: name of a model or server as listed there, or the beginning of its weights' hash.
        older_than_days: only what was written more days ago.
        now: seconds since 1970; by default the clock's.

    Raises:
        InputError: nothing in the cache is of this kind or model, or the number of days is negative.
    """
    now = time.time() if now is None else now
    kinds = sorted({*(one.kind for one in contents.items), *(one.kind for one in contents.leftovers)})
    if kind is not None and kind not in kinds:
        raise InputError(f"The cache has nothing of the kind '{kind}'; it has {', '.join(kinds) or 'nothing at all'}.")
    if older_than_days is not None and not older_than_days >= 0:
        raise InputError(f"--older-than takes a number of days, 0 or more, not {older_than_days:g}.")
    if model is not None and not any(_is_of(one, model) for one in contents.items):
        there = f"it has results of {', '.join(contents.models)}" if contents.models else "it names no model"
        raise InputError(f"The cache has nothing of the model '{model}'; {there}.")

    def fits(one: Item | Leftover) -> bool:
        old = older_than_days is None or now - one.written > older_than_days * 86400
        return old and (kind is None or one.kind == kind)

    items = [one for one in contents.items if fits(one)]
    if model is None:
        return Chosen(tuple(items), tuple(one for one in contents.leftovers if one.old and fits(one)), 0)
    mine = [one for one in items if _is_of(one, model)]
    return Chosen(tuple(mine), (), sum(one.owner is None and one.kind not in PLACES for one in items))


def remove(chosen: Chosen, advance: Callable[[], None] = lambda: None) -> Removed:
    """Remove what was chosen. Nothing is followed through a link.

    Args:
        chosen: from :func:`choose`.
        advance: called after each thing.
    """
    removed, size, stayed = 0, 0, []
    for one in chosen.all:
        paths = one.paths if isinstance(one, Item) else (one.path,)
        try:
            why = remove_model(paths[0]) if one.kind == MODELS else _remove_files(paths, one.written)
        except OSError as error:
            why = error.strerror or type(error).__name__
        if why:
            stayed.append((paths[0], why))
        else:
            removed, size = removed + 1, size + one.size
        advance()
    return Removed(removed, size, tuple(stayed))


def _is_of(one: Item, model: str) -> bool:
    return one.owner == model or bool(len(model) >= 6 and one.weights and one.weights.startswith(model))


def _remove_files(paths: Sequence[Path], written: float) -> str | None:
    """Remove files in this order; say why they stay where one is newer than it was.

    A run may write one in the moment between look and removal; what is left then counts as absent.
    """
    for path in paths:
        if _written(path) > written:
            return "it was just written anew"
        path.unlink(missing_ok=True)
    return None


def _written(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def remove_model(folder: Path) -> str | None:
    """Remove a converted model, or what is left of a conversion; say why it stays where a conversion is under way.

    It is renamed first, to what the next conversion of the same file would remove: a killed run leaves no half of it.
    """
    locks = _locks(folder)
    with contextlib.ExitStack() as held:
        try:
            for lock in locks:
                held.enter_context(FileLock(lock, blocking=False))
        except Timeout:
            return "a model is being converted there"
        if not folder.name.startswith(CONVERTING):
            grave = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{CONVERTING}{folder.name[:16]}-"))
            folder.rename(grave / folder.name)
            folder = grave
        shutil.rmtree(folder)
    return None


def _locks(folder: Path) -> Iterable[Path]:
    """The locks that a conversion into or in this folder takes."""
    if not folder.name.startswith(CONVERTING):
        return (folder.with_suffix(".lock"),)
    return folder.parent.glob(f"{folder.name.removeprefix(CONVERTING)[:16]}*.lock")
