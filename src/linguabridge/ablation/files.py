"""An ablation in a folder: ``ablation.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linguabridge.ablation.settings import asked_for
from linguabridge.errors import InputError
from linguabridge.json_values import write_json

RESULT = "ablation.json"  # in the folder of a run


def check_folder(folder: Path, asked: Mapping[str, Any]) -> None:
    """Make sure that writing an ablation there overwrites at most the same one.

    Args:
        folder: where it shall be written; need not exist.
        asked: as :func:`linguabridge.ablation.settings.asked_for` gives it.

    Raises:
        InputError: the folder holds another ablation, or a file of that name that is none.
    """
    path = folder / RESULT
    if not path.exists():
        return
    try:
        body = json.loads(path.read_text("utf-8"))
        there = asked_for(body["source"]["code"], body["target"]["code"], body["model"], body["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no ablation and would be overwritten; choose another folder with --out."
        ) from error
    other = sorted(key for key in {*there, *asked} if there.get(key) != asked.get(key))
    if other:
        raise InputError(
            f"{folder} holds another ablation (it differs in {', '.join(other)}); choose another folder with --out, or "
            "move it away."
        )


def write_folder(folder: Path, body: Mapping[str, Any]) -> None:
    """Write the file; an earlier ablation there is replaced (see :func:`check_folder`).

    Raises:
        InputError: the folder cannot be written.
    """
    write_json(folder / RESULT, dict(body))
