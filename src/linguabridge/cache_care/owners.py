"""Of which model something in the cache is.

Results are kept under hashes of a model's weights and tokenizer. In some of them stands what somebody called the model,
and the remembered hashes of files tell folders; both name all the other results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from linguabridge import embedded
from linguabridge.cache_care.kinds import HASHES, MODELS, Item
from linguabridge.model_files import combined_sha256, remembered


def owner(manifest: Mapping[str, Any] | None) -> dict[str, str]:
    """The fields of an :class:`Item` that say whose it is, as far as its manifest alone tells."""
    key, facts = ((manifest or {}).get(part) for part in ("key", "facts"))
    if not isinstance(key, dict):
        return {}
    endpoint, model = key.get("endpoint"), key.get("model")
    if isinstance(endpoint, str) and isinstance(model, str):
        return {"model": f"{model} at {endpoint}"}
    of = model if isinstance(model, dict) else key  # some need a model's tokenizer alone
    name = facts.get("model") if isinstance(facts, dict) else None
    told = {"model": name, "weights": of.get("weights"), "tokenizer": of.get("tokenizer")}
    return {field: value for field, value in told.items() if isinstance(value, str)}


def named(items: Iterable[Item]) -> list[Item]:
    """The items with their model's name and weights, where anything in the cache tells them."""
    items = list(items)
    folders = _weights_by_folder(one.paths[0] for one in items if one.kind == HASHES)
    by_tokenizer = {one.tokenizer: one.weights for one in items if one.tokenizer and one.weights}
    names: dict[str, str] = {}
    for one in items:
        if one.model and one.weights:  # a model called by several names goes by the first in the alphabet
            names[one.weights] = min(one.model, names.get(one.weights, one.model))
    for folder, weights in folders.items():
        names.setdefault(weights, folder.name)
        if _is_default(folder):
            names[weights] = embedded.NAME
    completed = []
    for one in items:
        known = folders.get(one.paths[0]) if one.kind == MODELS else by_tokenizer.get(one.tokenizer or "")
        its = one.weights or known
        default = one.kind == MODELS and _is_default(one.paths[0])
        completed.append(replace(one, weights=its, model=embedded.NAME if default else names.get(its or "", one.model)))
    return completed


def _is_default(folder: Path) -> bool:
    return folder.name.startswith(embedded.SHA256[:32])


def _weights_by_folder(entries: Iterable[Path]) -> dict[Path, str]:
    """What :func:`linguabridge.model_files.identify` calls a folder's weights, from remembered SHA-256 of files."""
    folders: dict[Path, dict[str, str]] = defaultdict(dict)
    for path, _, _, sha256 in filter(None, map(remembered, entries)):
        if (file := Path(path)).suffix == ".safetensors":
            folders[file.parent][file.name] = sha256
    return {folder: combined_sha256(files) for folder, files in folders.items()}
