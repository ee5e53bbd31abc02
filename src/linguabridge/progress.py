"""Progress bars with time left, on standard error; plain lines when that is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0  # how often a log without a terminal gets a line


class Step(Protocol):
    """What a piece of work tells about itself while it runs."""

    def __call__(self, done: float = 1.0) -> None:
        """Count ``done`` more units of the step's total."""


def _nothing(done: float = 1.0) -> None:
    """Show nothing."""


class Reporter:
    """Shows the steps of a computation. Silent unless made by :func:`terminal_reporter`."""

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:  # noqa: ARG002 - for those who show it
        """Run one step of ``total`` units; the value yielded is called as units are done."""
        yield _nothing

    def say(self, message: str) -> None:
        """Tell something that the user should know but need not act on."""


class TerminalReporter(Reporter):
    """Rich bars on a terminal, a line every ten seconds elsewhere; always on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:
        """Show a bar with the time left, or plain lines when standard error is no terminal."""
        if not self.console.is_terminal:
            yield from _plain_step(title, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda done=1.0: bar.advance(task, done)

    def say(self, message: str) -> None:
        """Print one line."""
        self.console.print(message, style="dim", highlight=False, markup=False, soft_wrap=True)


def _plain_step(title: str, total: float) -> Iterator[Step]:
    start = last = time.monotonic()
    so_far = 0.0

    def advance(done: float = 1.0) -> None:
        nonlocal so_far, last
        so_far += done
        now = time.monotonic()
        if now - last >= PLAIN_SECONDS and so_far > 0:
            last = now
            left = (now - start) * max(0.0, total - so_far) / so_far
            print(f"{title}: {min(1, so_far / total):.0%}, {left:.0f} s left", file=sys.stderr, flush=True)  # noqa: T201

    yield advance
    took = time.monotonic() - start
    if took >= 2:
        print(f"{title}: done in {took:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
