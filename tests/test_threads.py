"""Questions asked from several threads: how many at a time, and how all of them end."""

from __future__ import annotations

import threading
import time
from unittest import mock

import pytest

from linguabridge.errors import InputError
from linguabridge.threads import in_threads


def test_several_at_a_time_and_not_more() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def ask(item: int) -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return item * item

    done: list[int] = []
    nothing = mock.Mock()
    found = in_threads(ask, range(12), at_a_time=3, done=done.append, cancel=nothing, stop=nothing)
    assert found == [n * n for n in range(12)]
    assert sorted(done) == list(range(12))
    assert most[0] == 3
    nothing.assert_not_called()


def test_what_fails_ends_the_others_and_what_is_interrupted_stops_the_workers() -> None:
    cancelled, stopped, begun = threading.Event(), threading.Event(), []

    def ask(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise InputError("no")
        assert cancelled.wait(5)

    with pytest.raises(InputError, match="no"):
        in_threads(ask, range(9), at_a_time=2, done=lambda _: None, cancel=cancelled.set, stop=stopped.set)
    assert len(begun) < 9
    assert not stopped.is_set()

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_threads(
            lambda item: item or stopped.wait(5), range(3), at_a_time=3, done=interrupted, cancel=cancelled.set,
            stop=stopped.set,
        )  # fmt: skip
    assert stopped.is_set()
