"""Clock and spread."""

from __future__ import annotations

import time
from collections.abc import Callable

REPEATS = 5


def timed(work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
