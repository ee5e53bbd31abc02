"""How lm-evaluation-harness reads and scores tasks that linguabridge exported; their YAML files name the functions.

This file lies beside them, with nothing of linguabridge but ``normalise.py``, so that the folder can be moved to a
machine that has lm-eval alone.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any


def documents(file: str, **_: Any) -> dict[str, Any]:
    """The items of a task, from the file of this name in this folder."""
    from datasets import Dataset

    lines = Path(__file__).with_name(file).read_text("utf-8").rstrip("\n").split("\n")
    return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def ranked(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """``acc`` (the right option is the likeliest) and ``mrr`` (1 / its rank); a tie counts against it."""
    return _ranked(doc, [value for value, _ in results])


def ranked_by_bytes(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """The same by log-likelihoods divided by the options' lengths in UTF-8."""
    pairs = zip(results, doc["options"], strict=True)
    return _ranked(doc, [value / len(option.encode()) for (value, _), option in pairs])


def exact(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """``exact_match``: the answer, cut where linguabridge cuts it, equals a right one after normalisation."""
    answer, normalise = _cut(results[0], doc), _normalise()
    return {"exact_match": float(normalise(answer) in {normalise(one) for one in doc["gold"]} - {""})}


def _ranked(doc: Mapping[str, Any], scores: Sequence[float]) -> dict[str, float]:
    right = max(scores[place] for place in doc["right"])
    rank = 1 + sum(score >= right for place, score in enumerate(scores) if place not in doc["right"])
    return {"acc": float(rank == 1), "mrr": 1 / rank}


def _cut(text: str, doc: Mapping[str, Any]) -> str:
    """The answer alone: one opening quote may stand before it, and any of the stops ends it."""
    rest = text.lstrip(" \t")
    if rest[:1] and rest[0] in doc["opening"]:
        rest = rest[1:]
    end = min((at for at in (rest.find(stop) for stop in doc["stops"]) if at >= 0), default=len(rest))
    return rest[:end].strip()


@lru_cache(maxsize=1)
def _normalise() -> Any:
    # lm-eval loads this file by its path, so that its neighbour cannot be imported by name.
    spec = importlib.util.spec_from_file_location("linguabridge_normalise", Path(__file__).with_name("normalise.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.normalise_word
