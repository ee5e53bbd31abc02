"""An ablation in a folder: ``ablation.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linguabridge import run_files
from linguabridge.ablation.settings import asked_for
from linguabridge.json_values import refuse_another, write_json

RESULT = run_files.ABLATION  # in the folder of a run


def check_folder(folder: Path, asked: Mapping[str, Any]) -> None:
    """Make sure that writing an ablation there overwrites at most the same one.

    Args:
        folder: where it shall be written; need not exist.
        asked: as :func:`linguabridge.ablation.settings.asked_for` gives it.

    Raises:
        InputError: the folder holds another ablation, or a file of that name that is none.
    """
    refuse_another(
        folder / RESULT,
        "ablation",
        asked,
        lambda body: asked_for(body["source"]["code"], body["target"]["code"], body["model"], body["settings"]),
    )


def write_folder(folder: Path, body: Mapping[str, Any]) -> None:
    """Write the file; an earlier ablation there is replaced (see :func:`check_folder`).

    Raises:
        InputError: the folder cannot be written.
    """
    write_json(folder / RESULT, dict(body))
