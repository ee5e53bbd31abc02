"""Clock, and work timed in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

REPEATS = 5


def timed(work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(works: Sequence[Callable[[], object]], repeats: int) -> list[tuple[float, ...]]:
    """Seconds of each piece of work in each repeat, for ratios of what ran one right after the other.

    Every other repeat runs in the opposite order, so that a machine that slows down or speeds up favours none.

    Args:
        works: what is compared.
        repeats: how often all of it runs.

    Returns:
        For each repeat the seconds, in the order of ``works``.
    """
    out = []
    for repeat in range(repeats):
        order = range(len(works)) if repeat % 2 == 0 else reversed(range(len(works)))
        seconds = {number: timed(works[number]) for number in order}
        out.append(tuple(seconds[number] for number in range(len(works))))
    return out
