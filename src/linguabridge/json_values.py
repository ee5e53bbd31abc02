"""Dataclasses as JSON values, and JSON files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linguabridge.cache import write_atomically
from linguabridge.errors import InputError


def plain(value: Any) -> Any:
    """A dataclass, a mapping, a sequence or a path, and what they hold, as JSON holds it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def write_json(file: Path, body: dict[str, Any]) -> None:
    """Write a whole JSON file, or nothing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, (json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}).") from error
