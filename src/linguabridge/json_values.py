"""Dataclasses as JSON values, and JSON files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from linguabridge.cache import write_atomically
from linguabridge.errors import InputError

# By which fields the result of a command is known, whatever version wrote it.
KNOWN_BY: Mapping[str, frozenset[str]] = {
    "recommend": frozenset({"ranking", "probes"}),
    "spectrum": frozenset({"tree", "measures"}),
    "study": frozenset({"analyses", "pairs"}),
    "evaluate": frozenset({"results", "settings", "model"}),
    "ablate": frozenset({"arms", "contrasts", "compared"}),
    "stability": frozenset({"lexicons", "means", "pairs"}),
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
    try:
        there = asked_of(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is no {kind} and would be overwritten; choose another folder with --out.") from error
    other = sorted(key for key in {*there, *asked} if there.get(key) != asked.get(key))
    if other:
        raise InputError(
            f"{path.parent} holds another {kind} (it differs in {', '.join(other)}); choose another folder with "
            "--out, or move it away."
        )


def write_json(file: Path, body: dict[str, Any]) -> None:
    """Write a whole JSON file, or nothing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, (json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise InputError(
            f"{file} cannot be written ({error.strerror}); choose another place with --out or --json."
        ) from error
