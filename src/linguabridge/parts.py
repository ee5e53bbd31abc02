"""Questions to the model in parts: which are asked together, and what is kept of one that is not answered in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from linguabridge.cache import Arrays, Artefact, Cache

# What is asked together, and kept as soon as it is answered: a killed run loses one such batch. Batches are planned
# from the whole list of questions, so that a run that goes on computes the same batches, and gets the same numbers.
_BATCH_PROMPTS, _BATCH_CHARACTERS = 512, 100_000


def planned(order: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Cut an order of questions in batches.

    Args:
        order: numbers of the questions.
        sizes: of each question by its number, in characters.
    """
    part: list[int] = []
    held = 0
    for number in order:
        if part and (len(part) == _BATCH_PROMPTS or held + sizes[number] > _BATCH_CHARACTERS):
            yield part
            part, held = [], 0
        part.append(number)
        held += sizes[number]
    if part:
        yield part


_ENCODING = 0.05  # of what a text takes: each share of it encodes it whole


def shares_each(workers: int, texts: int, most: int) -> int:
    """In how many shares to read each of several texts, so that none of the workers is idle for long.

    All shares are taken to last equally long; of what ends soonest, the fewest.

    Args:
        workers: that answer at the same time.
        texts: that are asked about at the same time.
        most: shares that a text can have.
    """

    def lasts(shares: int) -> float:
        return -(-texts * shares // workers) * (1 / shares + _ENCODING)

    return min(range(1, max(1, min(workers, most)) + 1), key=lasts)


class Shares:
    """Finished shares of one question, kept until the merged answer is stored.

    Args:
        cache: where.
        kind: that the whole answer is kept as.
        key: that it is kept under.
    """

    def __init__(self, cache: Cache, kind: str, key: Mapping[str, Any]) -> None:
        self._cache = cache
        self._key = {**key, "share_of": kind}
        self._used: list[dict[str, Any]] = []

    def answer(self, part: int, parts: int, compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]) -> Artefact:
        """A share's answer, kept as soon as it is there. Safe to call from several threads.

        Args:
            part: number of the share, from 0.
            parts: how many there are; other shares are kept apart from these.
            compute: gives arrays and facts.
        """
        key = {**self._key, "part": part, "parts": parts}
        self._used.append(key)
        return self._cache.computed("shares", key, compute)

    def remove(self) -> None:
        """Remove the shares that were asked for: the whole answer is kept."""
        for key in self._used:
            self._cache.remove("shares", key)
