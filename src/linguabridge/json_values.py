"""Dataclasses as JSON values, and JSON files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from linguabridge.cache import digest, write_atomically
from linguabridge.errors import InputError

VERSION = 1  # of results that carry it; raise when readers of this version would misread them
# By which fields the result of a command is known, whatever version wrote it.
KNOWN_BY: Mapping[str, frozenset[str]] = {
    "recommend": frozenset({"ranking", "probes"}),
    "spectrum": frozenset({"tree", "measures"}),
    "study": frozenset({"analyses", "pairs"}),
    "evaluate": frozenset({"results", "settings", "model"}),
    "ablate": frozenset({"arms", "contrasts", "compared"}),
    "stability": frozenset({"lexicons", "means", "pairs"}),
    "ask": frozenset({"answer", "direct", "steps"}),
    "languages": frozenset({"query", "languages"}),
    "inspect": frozenset({"architecture", "taps", "weights SHA-256"}),
    "doctor": frozenset({"machine", "cache", "problems", "advice"}),
    "cache list": frozenset({"cache", "items", "leftovers"}),
    "cache verify": frozenset({"cache", "checked", "damaged"}),
}


def plain(value: Any) -> Any:
    """A dataclass, a mapping, a sequence or a path, and what they hold, as JSON holds it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def storable(value: Any) -> Any:
    r"""A plain value with every text as valid UTF-8.

    Half a character (a lone surrogate), as paths of other encodings and broken answers of models hold it, has no place
    there; it becomes ``\\udc80``, so that it can be seen and nothing else is lost.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {storable(key): storable(one) for key, one in value.items()}
    return [storable(one) for one in value] if isinstance(value, (list, tuple)) else value


def refuse_another(
    path: Path, kind: str, asked: Mapping[str, Any], asked_of: Callable[[Any], Mapping[str, Any]]
) -> None:
    """Make sure that writing a result overwrites at most the same one.

    Args:
        path: of the result's file; need not exist.
        kind: what it is, such as "study".
        asked: for the result to be written.
        asked_of: what was asked for a result that is there, from its body.

    Raises:
        InputError: the file holds another result, or none.
    """
    if not path.exists():
        return
    asked = storable(asked)  # as it is written
    try:
        there = storable(asked_of(json.loads(path.read_text("utf-8"))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is no {kind} and would be overwritten; choose another folder with --out.") from error
    other = sorted(key for key in {*there, *asked} if there.get(key) != asked.get(key))
    if other:
        raise InputError(
            f"{path.parent} holds another {kind} (it differs in {', '.join(other)}); choose another folder with "
            "--out, or move it away."
        )


def json_text(body: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """A body as the text of a JSON file."""
    return json.dumps(storable(body), ensure_ascii=ascii_only, indent=1, allow_nan=False) + "\n"


def sealed(command: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A command's result as it is written: with its format, and a checksum by which an altered one is known."""
    told = {"format": f"linguabridge {command}", "version": VERSION, **body}
    return {**told, "sha256": digest(json.loads(json_text(told)))}


def check_seal(path: Path, body: Mapping[str, Any], command: str) -> None:
    """Make sure that a result is what was written; what versions before checksums wrote is taken as it is.

    Args:
        path: of the file, for the message.
        body: what it holds.
        command: that makes such a result.

    Raises:
        InputError: it was altered, or a newer version wrote it.
    """
    version, told = body.get("version", VERSION), body.get("sha256")
    if type(version) is not int or version > VERSION:
        raise InputError(
            f"{path} has the format {_shortly(version)}, and this linguabridge reads up to {VERSION}: install a newer "
            f"one, or write it again with linguabridge {command}."
        )
    if isinstance(told, str) and told != _digest({name: one for name, one in body.items() if name != "sha256"}):
        raise InputError(
            f"{path} was altered after it was written (its checksum is another): write it again with linguabridge "
            f"{command}."
        )


def sums_of(contents: Mapping[str, bytes]) -> dict[str, str]:
    """What a result says in its field ``files`` of those that are written beside it: the SHA-256 of each, by name."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def told_sums(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What :func:`sums_of` gave to a result; none in those of versions before that."""
    # A manifest, and studies of versions before seals, have it where the seal of other results stands.
    return next((one for name in ("files", "sha256") if isinstance(one := body.get(name), dict)), {})


def check_files(path: Path, sums: Mapping[str, Any], names: Sequence[str], command: str) -> None:
    """Make sure that files beside a result are those that it was written with; one that is not there is no matter.

    Args:
        path: of the result.
        sums: as :func:`told_sums` gives them; a file that they do not name is taken as it is.
        names: of the files to look at.
        command: that makes such a result.

    Raises:
        InputError: one of them is another, or cannot be read.
    """
    for name in names:
        file = path.with_name(name)
        if name not in sums or not file.exists():
            continue
        try:
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise InputError(
                f"{file} cannot be read ({error.strerror}); write it again with linguabridge {command}."
            ) from error
        if found != sums[name]:
            raise InputError(
                f"{file} is not the file that {path.name} beside it was written for; run linguabridge {command} again."
            )


def _digest(body: Mapping[str, Any]) -> str | None:
    """The digest of a body; None where it is deeper nested than anything that is written."""
    try:
        return digest(body)
    except RecursionError:
        return None


def _shortly(value: Any) -> str:
    return type(value).__name__ if isinstance(value, (list, dict)) else str(value)[:20]


def write_json(file: Path, body: dict[str, Any]) -> None:
    """Write a whole JSON file, or nothing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json_text(body).encode())
    except OSError as error:
        raise InputError(
            f"{file} cannot be written ({error.strerror}); choose another place with --out or --json."
        ) from error
