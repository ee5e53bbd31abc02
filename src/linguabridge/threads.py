"""Questions asked from several threads, with one end for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(
    ask: Callable[[T], R],
    items: Sequence[T],
    *,
    at_a_time: int,
    done: Callable[[T], None],
    cancel: Callable[[], None],
    stop: Callable[[], None],
) -> list[R]:
    """What ``ask`` gives for each item, several at a time, in the order of the items.

    Args:
        ask: called from threads.
        items: what to ask.
        at_a_time: so many are under way.
        done: told each item that is finished; called from this thread.
        cancel: called when one fails, so that those under way end soon.
        stop: called when waiting is broken off (Ctrl-C), so that they end at once.
    """
    if not items:
        return []
    pool = ThreadPoolExecutor(min(len(items), at_a_time))
    try:
        under_way = {pool.submit(ask, item): item for item in items}
        try:
            for one in as_completed(under_way):
                one.result()
                done(under_way[one])
        except Exception:
            cancel()
            pool.shutdown(cancel_futures=True)
            raise
    except (KeyboardInterrupt, SystemExit):
        cancel()
        stop()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return [one.result() for one in under_way]
