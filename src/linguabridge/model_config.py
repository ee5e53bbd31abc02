"""What a model's config.json may not ask for: code from elsewhere, and sizes that no model has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from linguabridge.errors import ModelError
from linguabridge.hardware import read_config

_CONFIGS = ("config.json", "tokenizer_config.json")  # where a model may name code of its own
_COUNTS = ("layers", "layer", "experts", "heads", "head")  # how names of numbers end that are counted up to
_MOST = 100_000  # of what is counted; the largest models have some hundreds


def check_config(folder: Path, name: str, *, trust_remote_code: bool) -> None:
    """Refuse what would run code that nobody asked for, or fill the memory before transformers notices.

    Args:
        folder: of the model.
        name: what the user called it.
        trust_remote_code: whether code that comes with the model, or that it names, may run.

    Raises:
        ModelError: its configuration names a kernel of the hub and that is not allowed, or more layers, experts or
            heads than can be.
    """
    for key, value in _values(read_config(folder)):
        # A name with a slash is a repository whose code transformers would fetch and run.
        if key.endswith("_implementation") and not trust_remote_code and "/" in str(value):
            raise ModelError(
                f"The config.json of {name} names code to fetch from elsewhere ({key}: {str(value)[:60]}); remove that "
                "line, or give --trust-remote-code if you trust it."
            )
        if (
            key.startswith(("num_", "n_", "encoder_", "decoder_"))
            and key.endswith(_COUNTS)
            and isinstance(value, int | float)
            and not value <= _MOST
        ):
            raise ModelError(
                f"The config.json of {name} is damaged: {key} is {str(value)[:20]}, which no model has; download it "
                "again."
            )


def brings_code(folder: Path) -> bool:
    """Whether a model's folder names classes of its own, which run only where that is allowed."""
    for file in _CONFIGS:
        try:
            body = json.loads((folder / file).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(body, dict) and body.get("auto_map"):
            return True
    return False


def _values(body: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with the name that it has, or that what it stands in has."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            # An implementation may be given for each part of a model: {"": …, "text_config": …}.
            yield from _values(value, key if key.endswith("_implementation") else str(name))
    elif isinstance(body, list):
        for value in body:
            yield from _values(value, key)
    else:
        yield key, body
