"""What a run was made with: model, hashes, versions, and the settings that are not the default ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from linguabridge.json_values import plain
from linguabridge.report.charts import language_label
from linguabridge.report.section import Table

Facts = tuple[tuple[str, str], ...]

_HASH = 12  # digits of a hash where many stand below each other
_LABELS = {
    "weights": "weights (SHA-256)",
    "config": "model configuration (SHA-256)",
    "tokenizer": "tokenizer (SHA-256)",
    "lexicon": "lexicon (SHA-256)",
}


def identity(body: Mapping[str, Any]) -> Facts:
    """Hashes, revision, device and so on; what is not set is left out."""
    return tuple((_LABELS.get(key, _words(key)), _shown(value)) for key, value in body.items() if value is not None)


def changed(settings: Mapping[str, Any], default: Any) -> Facts:
    """The settings that differ from the default ones, and the seed in any case."""
    usual = plain(default)
    found = [
        (f"setting: {_words(key)}", _shown(value))
        for key, value in settings.items()
        if key in usual and value != usual[key] and key != "seed"
    ]
    seed = (("seed", _shown(settings["seed"])),) if "seed" in settings else ()
    return (*found, *seed) if found else (("settings", "the default ones"), *seed)


def versions(body: Mapping[str, Any]) -> Facts:
    """Versions of the packages that computed it."""
    return (("versions", ", ".join(f"{name} {version}" for name, version in body.items())),) if body else ()


def sentences(text: str) -> tuple[str, ...]:
    """A paragraph's sentences, where it is sure that one ends: after a word or a number, before a capital."""
    return tuple(re.split(r"(?<=[a-z0-9%)]\.) (?=[A-Z])", text))


def texts_table(profiled: Mapping[str, tuple[str, str, int]]) -> Table:
    """The texts that neurons were read on."""
    return Table(
        "Texts that neurons were read on",
        ("language", "text", "tokens read", "SHA-256"),
        tuple(
            (language_label(code), source, tokens, sha256[:_HASH])
            for code, (source, sha256, tokens) in profiled.items()
        ),
        f"The first {_HASH} digits of each SHA-256; the run's JSON file has all.",
        folded=True,
    )


def _words(key: str) -> str:
    return key.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
