"""A recommendation in a folder: ``recommend.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linguabridge.errors import InputError
from linguabridge.json_values import plain, refuse_another, write_json
from linguabridge.rebuilt import rebuilt
from linguabridge.settings import RESULT, Settings


def check_folder(folder: Path, source: str, target: str, model: str, settings: Settings) -> None:
    """Make sure that writing a recommendation there overwrites at most the same one, of whatever version.

    Args:
        folder: where it shall be written; need not exist.
        source: code of the input's language.
        target: code of the output's language.
        model: as the user calls it.
        settings: of the recommendation to be written.

    Raises:
        InputError: the folder holds another recommendation, or a file of that name that is none.
    """
    refuse_another(folder / RESULT, "recommendation", _asked(source, target, model, settings), _asked_of)


def write_folder(folder: Path, body: Mapping[str, Any]) -> None:
    """Write the file; an earlier recommendation there is replaced (see :func:`check_folder`).

    Raises:
        InputError: the folder cannot be written.
    """
    write_json(folder / RESULT, dict(body))


def _asked(source: str, target: str, model: str, settings: Settings) -> dict[str, Any]:
    """What makes two recommendations the same, as JSON holds it."""
    return {"source": source, "target": target, "model": model, **plain(settings)}


def _asked_of(body: Mapping[str, Any]) -> dict[str, Any]:
    # By way of the dataclass: what an older version could not be asked for has its default.
    try:
        settings = rebuilt(Settings, body["settings"])
    except InputError as error:
        raise ValueError("settings that cannot be") from error
    return _asked(body["source"]["code"], body["target"]["code"], body["model"], settings)
