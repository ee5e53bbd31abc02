"""Checking the cache: is each thing as it was written?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from linguabridge.cache import FORMAT, checksum, digest, set_aside
from linguabridge.cache_care.clearing import Chosen, remove, remove_model
from linguabridge.cache_care.contents import published, read_json
from linguabridge.cache_care.kinds import DOWNLOADS, HASHES, MODELS, Contents, Item, Leftover
from linguabridge.errors import CacheError
from linguabridge.gguf import DONE, EARLIER, damage_of
from linguabridge.model_files import remembered


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was written, and why that is said."""

    item: Item
    why: str


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        contents: what was checked.
        damaged: what is not as it was written.
        useless: what does no harm and no good: old leftovers, and hashes of files that are gone or were changed.
    """

    contents: Contents
    damaged: tuple[Damage, ...]
    useless: tuple[Leftover, ...]


@dataclass(frozen=True)
class Mended:
    """What mending did.

    Attributes:
        mended: damaged things that are set aside, or removed where they can be had again.
        removed: useless things removed.
        size: bytes freed.
        stayed: what could not be mended, and why.
    """

    mended: int
    removed: int
    size: int
    stayed: tuple[tuple[Path, str], ...]


def verify(contents: Contents, advance: Callable[[], None] = lambda: None) -> Checked:
    """Check each thing: of results name, manifest and SHA-256; of converted models every file's size and SHA-256.

    Of models that versions without checksums converted: the format, and SHA-256 where remembered.

    Args:
        contents: of the cache.
        advance: called after each thing.
    """
    damaged: list[Damage] = []
    useless = [one for one in contents.leftovers if one.old]
    states = {}
    for one in contents.items:
        if one.kind == HASHES and (state := remembered(one.paths[0])):
            states[state[0]] = state
    for one in contents.items:
        try:
            if one.kind == HASHES:
                if (why := _stale(one.paths[0])) is not None:
                    useless.append(Leftover(one.paths[0], why, one.size, one.written, HASHES, old=True))
            elif (why := _damage(one, states)) and _damage(one, states):
                damaged.append(Damage(one, why))  # also at a second look: a run may just have been writing it
        except FileNotFoundError:
            pass  # another process has just removed it
        except OSError as error:
            raise CacheError(f"{one.paths[0]} cannot be read ({error.strerror}).") from error
        advance()
    return Checked(contents, tuple(damaged), tuple(useless))


def mend(found: Checked) -> Mended:
    """Set damaged results aside, as a run would that came upon them; remove what can be had again, and the useless."""
    mended, stayed = 0, []
    for damage in found.damaged:
        one = damage.item
        try:
            why = None
            if one.kind == MODELS:
                why = remove_model(one.paths[0])
            elif one.kind in DOWNLOADS:
                one.paths[0].unlink(missing_ok=True)
            else:
                for path in one.paths:
                    set_aside(path)
        except OSError as error:
            why = error.strerror or type(error).__name__
        if why:
            stayed.append((one.paths[0], why))
        else:
            mended += 1
    gone = remove(Chosen((), found.useless, 0))
    return Mended(mended, gone.removed, gone.size, (*stayed, *gone.stayed))


def _damage(one: Item, states: Mapping[str, tuple[str, int, int, str]]) -> str | None:
    """What is wrong with a thing; None where nothing is."""
    if one.kind == MODELS:
        return _damage_of_model(one.paths[0], states)
    if one.kind in DOWNLOADS:
        as_published = _sha256(one.paths[0]) == published(one.kind)[one.paths[0].name]
        return None if as_published else "it is not the file that was published"
    return _damage_of_result(one)


def _damage_of_result(one: Item) -> str | None:
    path = one.paths[0]
    manifest = read_json(path)
    if manifest is None:
        return "its manifest is no JSON object" if path.exists() else None
    if not {"kind", "key", "facts", "sha256"} <= manifest.keys() or not isinstance(manifest["key"], dict):
        return "its manifest lacks what a manifest has"
    if not isinstance(manifest["kind"], str):
        return "its manifest names no kind"
    if manifest["kind"] != one.kind:
        return f"its manifest says that it is of the kind {manifest['kind']}"
    try:
        names = [digest({"format": number, **manifest["key"]})[:32] for number in range(1, FORMAT + 1)]
        sealed = "format" not in manifest or manifest.get("checksum") == checksum(manifest)  # formats before 2 had none
    except RecursionError:  # deeper than anything that is written
        return "its manifest is not what was written (checksum)"
    if path.stem not in names:
        return "its manifest's key is not the one it is filed under"
    if not sealed:
        return "its manifest is not what was written (checksum)"
    if "format" not in manifest and path.stem == names[-1]:
        return "its manifest lacks what a manifest has"
    if manifest["sha256"] is None:
        return None
    arrays = path.with_suffix(".safetensors")
    if _sha256(arrays) != manifest["sha256"]:
        return "its arrays are not those that were written (SHA-256)"
    return None if _is_safetensors(arrays) else "its arrays are no safetensors"


def _damage_of_model(folder: Path, states: Mapping[str, tuple[str, int, int, str]]) -> str | None:
    if not folder.is_dir():
        return None
    if (why := damage_of(folder, _sha256)) != EARLIER:
        return why
    for name in (DONE, "config.json"):
        if read_json(folder / name) is None:
            return f"{name} is missing or no JSON object"
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        return "it has no weights"
    for file in weights:
        if not _is_safetensors(file):
            return f"{file.name} is truncated or no safetensors"
    for file in sorted(folder.iterdir()):
        state, status = states.get(str(file)), file.stat()
        if state and state[1:3] == (status.st_size, status.st_mtime_ns) and _sha256(file) != state[3]:
            return f"{file.name} is not what was written (SHA-256)"
    return None


def _is_safetensors(file: Path) -> bool:
    """Whether the header can be read and fits the file's length."""
    try:
        with safe_open(file, framework="numpy"):
            return True
    except SafetensorError:
        return False


def _stale(entry: Path) -> str | None:
    """Why a remembered hash is of no use; None where it is of use."""
    state = remembered(entry)
    if state is None:
        return "no remembered hash"
    try:
        status = Path(state[0]).stat()
    except (OSError, ValueError):  # a path that no file can have
        return "hash of a file that is gone"
    return None if state[1:3] == (status.st_size, status.st_mtime_ns) else "hash of a file that was changed"


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
