"""Results on disk and on standard output."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from linguabridge.errors import InputError
from linguabridge.json_values import write_json

_STANDARD_OUTPUT = Path("-")


def check_writable(out: Path | None, json_file: Path | None) -> None:
    """Say before the work, not after it, that its result could not be written."""
    for folder in filter(None, (out, json_file.parent if json_file and json_file != _STANDARD_OUTPUT else None)):
        check_folder(folder, "--out or --json")
    if json_file and json_file.is_dir():
        raise InputError(f"--json {json_file} is a folder; name a file.")


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
    sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
