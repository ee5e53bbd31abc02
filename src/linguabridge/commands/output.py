"""Results on disk and on standard output."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from linguabridge.errors import InputError
from linguabridge.json_values import KNOWN_BY, json_text, write_json
from linguabridge.paths import exists, expanded, is_dir
from linguabridge.run_files import PROGRESS, RUN_FILES

_STANDARD_OUTPUT = Path("-")


def check_writable(
    out: Path | None, json_file: Path | None, command: str | None = None, inputs: Iterable[str | Path | None] = ()
) -> None:
    """Say before the work, not after it, that its result could not be written, or would replace something else.

    Args:
        out: folder of the run; None where it has none.
        json_file: what ``--json`` names.
        command: whose result may be replaced by another of it; None for that of any.
        inputs: what the command reads and was told to: files, folders, and names of what is neither.

    Raises:
        InputError: it could not, or would.
    """
    if out == _STANDARD_OUTPUT:
        raise InputError("--out is a folder, and - would be one of that name; --json - prints the result.")
    for folder in filter(None, (out, json_file.parent if json_file and json_file != _STANDARD_OUTPUT else None)):
        check_folder(folder, "--out or --json")
    if json_file and json_file != _STANDARD_OUTPUT:
        _check_json(out, json_file, command, [expanded(str(one)) for one in inputs if one])
    if out and (out / PROGRESS).is_file() and not _holds(out / PROGRESS, frozenset({"state", "updated"})):
        raise InputError(f"{out / PROGRESS} is not linguabridge's and would be replaced; choose another with --out.")


def _check_json(out: Path | None, file: Path, command: str | None, inputs: Sequence[Path]) -> None:
    """Refuse a file for ``--json`` that is read, belongs to a run, or is no earlier result of the command."""
    if is_dir(file):
        raise InputError(f"--json {file} is a folder; name a file.")
    place = file.resolve()
    for one in filter(exists, inputs):
        if place == one.resolve() or ((one / "config.json").is_file() and one.resolve() in place.parents):
            raise InputError(f"--json {file} would change {one}, which is read; choose another file with --json.")
    own = out is not None and place.parent == out.resolve()
    beside = (PROGRESS, *(one for one in RUN_FILES if one.endswith(".parquet")))  # what only runs have
    # Replaced by --json, a run's folder would no longer be whole.
    if file.name in RUN_FILES and (own or any((file.parent / one).exists() for one in beside)):
        raise InputError(f"--json {file} is a file of a run's folder; choose another file with --json.")
    if not file.is_file() or file.stat().st_size == 0:  # a device or a pipe holds nothing
        return
    if not any(_holds(file, KNOWN_BY[one]) for one in ([command] if command else KNOWN_BY)):
        whose = f"`linguabridge {command}`" if command else "linguabridge"
        raise InputError(f"--json {file} exists and is no result of {whose}; choose another file with --json.")


def _holds(file: Path, fields: frozenset[str]) -> bool:
    """Whether a file is a JSON object with these fields."""
    try:
        body = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); choose another file.") from error
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and fields <= body.keys()


def check_folder(folder: Path, option: str) -> None:
    """Say before the work that a folder, or the nearest one above it that exists, cannot be written.

    Raises:
        InputError: it cannot; the message names the option to choose another with.
    """
    try:
        existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    except OSError:  # a name that is too long
        existing = None
    if existing is None or not existing.is_dir() or not os.access(existing, os.W_OK):
        raise InputError(f"{folder} is no folder that can be written; choose another with {option}.")


def command_line() -> str:
    """The command as it was given."""
    return shlex.join(["linguabridge", *sys.argv[1:]])


def write_or_print(json_file: Path | None, body: dict[str, Any]) -> bool:
    """Do what ``--json`` asks for.

    Args:
        json_file: file to write; ``-`` for standard output; None where it was not given.
        body: what to write.

    Returns:
        Whether standard output holds the JSON, so that nothing else may be written there.

    Raises:
        InputError: the file cannot be written.
    """
    if json_file is None:
        return False
    if json_file == _STANDARD_OUTPUT:
        print_json(body)
        return True
    write_json(json_file, body)
    return False


def print_json(body: dict[str, Any]) -> None:
    """Write JSON, and nothing else, to standard output."""
    # Where standard output is not UTF-8, what it lacks would be replaced by what is no JSON.
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    sys.stdout.write(json_text(body, ascii_only=not encoding.startswith("utf")))
