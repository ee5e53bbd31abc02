"""Which of a row's options are right, which ``items.parquet`` tells by their texts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from linguabridge.engines.engine import LETTERS
from linguabridge.errors import InputError
from linguabridge.prompts import without_plain_quotes
from linguabridge.tasks.options import ALPHABET, TERMINATOR
from linguabridge.tasks.task import one_line


def right_options(row: Mapping[str, Any], scoring: str, *, check: bool = True) -> list[int]:
    """Places of the right options; several where the same text stands there twice.

    Args:
        row: of ``items.parquet``, with options.
        scoring: ``text`` or ``letters``.
        check: make sure that the row's own scores give its ``right`` by them.

    Raises:
        InputError: they cannot be told.
    """
    try:
        found = _by_letter(row) if scoring == LETTERS else _by_text(row["options"], row["gold"])
        told = found and not (
            check and row["right"] is not None and _is_right(row["option_scores"], found) != row["right"]
        )
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):  # something is missing
        told = False
    if not told:
        task, source, target, item = (row.get(name) for name in ("task", "source", "target", "item"))
        raise InputError(
            f"Which option is right cannot be told for item {item} of {task}, {source}:{target}: such a task cannot be "
            "exported."
        )
    return found


def _by_text(options: Sequence[str], gold: Sequence[str]) -> list[int]:
    """Options that are a right answer as it is written after a prompt: as a line, or as a word in quotes."""
    lines = {one_line(one) for one in gold}
    words = {f'{without_plain_quotes(one)}"' for one in gold}
    right = [option in words or option.removesuffix(TERMINATOR).strip() in lines for option in options]
    return [place for place, one in enumerate(right) if one]


def _by_letter(row: Mapping[str, Any]) -> list[int]:
    """Letters whose line in the prompt, the last of them that there is, holds the right answer."""
    gold = {one_line(one) for one in row["gold"]}
    listed: dict[str, str] = {}  # demonstrations come first and are overwritten
    for line in row["prompt"].split("\n"):
        letter, dot, text = line.partition(". ")
        if dot and letter in ALPHABET and len(letter) == 1:
            listed[letter] = text
    return [place for place, option in enumerate(row["options"]) if listed.get(option.strip()) in gold]


def _is_right(scores: Sequence[float], right: Sequence[int]) -> bool:
    best = max(scores[place] for place in right)
    return all(score < best for place, score in enumerate(scores) if place not in right)
