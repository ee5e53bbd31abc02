"""Word translation as a choice: the right word among nine others of the same lexicon."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.errors import InputError
from linguabridge.lexicons import Entry, normalise_word

N_OPTIONS = 10


@dataclass(frozen=True)
class Choice:
    """An entry and the words to choose from: the first gold translation, then the distractors."""

    entry: Entry
    options: tuple[str, ...]


def make_choices(entries: Sequence[Entry], pool: Sequence[Entry], seed: int) -> list[Choice]:
    """Draw nine distractors for each entry from the translations in the pool, none of them a translation of the entry.

    The draw depends on the entry, the pool and the seed only, so every arm of an experiment sees the same options.

    Args:
        entries: to be translated.
        pool: entries whose translations serve as distractors; the whole pair, say.
        seed: any integer.

    Raises:
        InputError: fewer than ten distinct translations in the pool.
    """
    words: dict[str, str] = {}
    synonyms: dict[str, set[str]] = {}  # normal form of a source word -> normal forms of all its translations
    for entry in pool:
        forms = {normalise_word(word) for word in entry.targets}
        synonyms.setdefault(normalise_word(entry.source), set()).update(forms)
        for word in entry.targets:
            words.setdefault(normalise_word(word), word)
    forms_in_order = sorted(words)
    choices = []
    for entry in entries:
        gold = {normalise_word(word) for word in entry.targets} | synonyms.get(normalise_word(entry.source), set())
        others = [form for form in forms_in_order if form not in gold]
        if len(others) < N_OPTIONS - 1:
            raise InputError(
                f"The lexicon has only {len(forms_in_order)} distinct translations for this pair; a choice among "
                f"{N_OPTIONS} needs more entries."
            )
        drawn = random.Random(f"{seed}\0{entry.source}").sample(others, N_OPTIONS - 1)  # noqa: S311 - not for secrets
        choices.append(Choice(entry, (entry.targets[0], *(words[form] for form in drawn))))
    return choices


def gold_ranks(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rank of the first option among all, 1 for the best; ties count against it.

    Args:
        scores: likelihoods of shape (choices, options), the right option first.

    Returns:
        Ranks, shape (choices,).
    """
    better: NDArray[np.int64] = (scores[:, 1:] >= scores[:, :1]).sum(axis=1, dtype=np.int64)
    return better + 1
