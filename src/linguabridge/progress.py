"""Progress bars with time left, on standard error; plain lines when that is no terminal.

:func:`recorded` also keeps a run's progress in a file of its folder, for who looks on from outside.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from linguabridge import run_files
from linguabridge.cache import MODE
from linguabridge.errors import LinguabridgeError
from linguabridge.terminal import terminal

PLAIN_SECONDS = 10.0  # how often a log without a terminal gets a line
PROGRESS = run_files.PROGRESS
RECORD_SECONDS = 1.0  # how often a recorded step is written, at most
QUIET_SECONDS = 30.0  # a run that wrote nothing for so long is said to be quiet


class Step(Protocol):
    """What a piece of work tells about itself while it runs."""

    def __call__(self, done: float = 1.0) -> None:
        """Count ``done`` more units of the step's total."""


def nothing(done: float = 1.0) -> None:
    """Show nothing."""


class Reporter:
    """Shows the steps of a computation. Silent unless made by :func:`terminal_reporter`."""

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:  # noqa: ARG002 - for those who show it
        """Run one step of ``total`` units; the value yielded is called as units are done."""
        yield nothing

    def say(self, message: str) -> None:
        """Tell something that the user should know but need not act on."""


class SayingOnly(Reporter):
    """Says what another reporter says, and shows no steps: for pieces of work of which several run in one bar."""

    def __init__(self, shown: Reporter) -> None:
        self.shown = shown

    def say(self, message: str) -> None:
        """Tell it by the other reporter."""
        self.shown.say(message)


class TerminalReporter(Reporter):
    """Rich bars on a terminal, a line every ten seconds elsewhere; always on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or terminal(stderr=True)

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:
        """Show a bar with the time left, or plain lines when standard error is no terminal.

        Args:
            title: what is done.
            total: units of it, of any kind.

        Yields:
            What is called with a number of units when they are done.
        """
        if not self.console.is_terminal:
            yield from _plain_step(title, total)
            return
        columns = (
            TextColumn("{task.description}", markup=False),
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
        """Print one line.

        Args:
            message: one sentence.
        """
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


RUNNING, FINISHED, STOPPED, QUIET = "running", "finished", "stopped", "quiet"


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: what ``progress.json`` holds.

    Attributes:
        state: ``running``, ``finished`` or ``stopped`` (by an error or Ctrl-C); :func:`read_progress` makes ``quiet``
            of a run that seems to have been killed.
        step: title of what runs, or ran last; None before the first step and when all is finished.
        done: share of the step that is done, 0 to 1.
        seconds_left: of the step; None where it cannot be known yet.
        steps_done: steps behind it.
        started: when the run began, ISO 8601 in UTC. updated: when this was written.
        pid: of the process.
    """

    state: str
    step: str | None
    done: float
    seconds_left: float | None
    steps_done: int
    started: str
    updated: str
    pid: int


@dataclass
class _Running:
    """A step under way."""

    title: str
    total: float
    began: float = field(default_factory=time.monotonic)
    so_far: float = 0.0

    @property
    def share(self) -> float:
        return min(1.0, self.so_far / self.total) if self.total > 0 else 1.0

    @property
    def seconds_left(self) -> float | None:
        if self.so_far <= 0:
            return None
        took = time.monotonic() - self.began
        return round(took * max(0.0, self.total - self.so_far) / self.so_far, 1)


class RecordingReporter(Reporter):
    """Shows what another reporter shows, and keeps it in ``progress.json``. Made by :func:`recorded`.

    Nothing is written before :meth:`begin` or the first step: a command that is refused leaves no trace.
    """

    def __init__(self, shown: Reporter, folder: Path | None) -> None:
        self.shown = shown
        self._folder = folder
        self._steps: list[_Running] = []  # a step may begin within another: a model is converted when it is needed
        self._latest: _Running | None = None
        self._steps_done = 0
        self._started = _now()
        self._begun = False
        self._made: list[Path] = []  # folders, the innermost first
        self._before: str | None = None  # what another run left
        self._last = 0.0

    def begin(self) -> None:
        """Record that the run goes on; called when it is certain that it may write into its folder."""
        if not self._begun and self._folder is not None:
            with contextlib.suppress(OSError, ValueError):
                self._made = [one for one in (self._folder, *self._folder.parents) if not one.exists()]
                self._before = (self._folder / PROGRESS).read_text("utf-8")
        self._begun = True
        self._write(RUNNING)

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:
        """Run a step as the other reporter does, and record it."""
        with self.shown.step(title, total) as advance:
            running = self._latest = _Running(title, total)
            self._steps.append(running)
            self.begin()

            def record(done: float = 1.0) -> None:
                advance(done)
                running.so_far += done
                if time.monotonic() - self._last >= RECORD_SECONDS:
                    self._write(RUNNING)

            try:
                yield record
                running.so_far = total
                self._steps_done += 1
            finally:
                self._steps.remove(running)
                self._latest = self._steps[-1] if self._steps else running
        self._write(RUNNING)

    def say(self, message: str) -> None:
        """Tell it by the other reporter."""
        self.shown.say(message)

    def end(self, state: str) -> None:
        """Record how the run ended; one that was refused before it began is no run."""
        if self._begun or state == FINISHED:
            self._write(state)

    def refused(self) -> None:
        """Record how a run ended that could not be; one that had not come to its first step leaves no trace."""
        if self._latest is not None:
            self.end(STOPPED)
        elif self._begun and self._folder is not None:
            with contextlib.suppress(OSError):
                if self._before is None:
                    (self._folder / PROGRESS).unlink()
                else:
                    _replace(self._folder / PROGRESS, self._before)
                for folder in self._made:
                    folder.rmdir()

    def _write(self, state: str) -> None:
        if self._folder is None:
            return
        self._last = time.monotonic()
        step = None if state == FINISHED else self._latest
        progress = RunProgress(
            state=state,
            step=step.title if step else None,
            done=round(step.share, 4) if step else float(state == FINISHED),
            seconds_left=step.seconds_left if step and step in self._steps else None,
            steps_done=self._steps_done,
            started=self._started,
            updated=_now(),
            pid=os.getpid(),
        )
        with contextlib.suppress(OSError):  # a run is not worth less because nobody can look on
            self._folder.mkdir(parents=True, exist_ok=True)
            _replace(self._folder / PROGRESS, json.dumps(asdict(progress), indent=1) + "\n")


@contextmanager
def recorded(reporter: Reporter, folder: Path | None) -> Iterator[RecordingReporter]:
    """Report as before, and keep the progress in ``progress.json`` of a folder, for ``linguabridge view``.

    At the end the file says whether the run finished or was stopped. A killed run leaves ``running`` behind, with a
    time that grows old. A file that cannot be written disturbs nothing.

    Args:
        reporter: shows the progress here.
        folder: of the run; None records nothing.
    """
    recording = RecordingReporter(reporter, folder)
    try:
        yield recording
    except LinguabridgeError:
        recording.refused()
        raise
    except BaseException:
        recording.end(STOPPED)
        raise
    recording.end(FINISHED)


def read_progress(folder: Path) -> RunProgress | None:
    """The progress of the run in a folder; None where none is recorded, or nothing that can be read.

    A run counts as ``quiet`` when it wrote nothing for a while: at once where its process is gone, else (it loads a
    model, or runs on another machine) after half a minute.
    """
    try:
        body = json.loads((folder / PROGRESS).read_text("utf-8"))
        found = _checked(body)
        age = time.time() - datetime.datetime.fromisoformat(found.updated).timestamp()
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    # A process of another machine is not found here either: only its silence says that it is gone.
    patience = QUIET_SECONDS if _is_alive(found.pid) else 3 * RECORD_SECONDS
    if found.state == RUNNING and age > patience:
        return RunProgress(**{**asdict(found), "state": QUIET})
    return found


def progress_words(progress: RunProgress) -> str:
    """How far a run is, in a sentence or less: "Reading neurons: Hebrew, 40 %, about 50 s left"."""
    if progress.state == FINISHED:
        return "Finished."
    step = f"{progress.step}, {progress.done:.0%}".replace("%", " %") if progress.step else "the beginning"
    if progress.state == STOPPED:
        return f"Stopped at: {step}. What was finished is kept."
    if progress.state == QUIET:
        age = time.time() - datetime.datetime.fromisoformat(progress.updated).timestamp()
        return (
            f"No news for {_duration(age)}, after: {step}. If the run has ended, the same command goes on from there."
        )
    left = progress.seconds_left
    if progress.step is None:
        return "The run begins"
    return step if left is None or left < 1 else f"{step}, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 100 * 3600 else f"{seconds / 86400:.0f} days"


def _checked(body: Any) -> RunProgress:
    """What a file holds, with every value of its type."""
    step, left = body["step"], body["seconds_left"]
    if body["state"] not in (RUNNING, FINISHED, STOPPED) or not (step is None or isinstance(step, str)):
        raise ValueError
    return RunProgress(
        state=body["state"],
        step=step,
        done=min(1.0, max(0.0, float(body["done"]))),
        seconds_left=max(0.0, float(left)) if left is not None and math.isfinite(left) else None,
        steps_done=int(body["steps_done"]),
        started=str(body["started"]),
        updated=str(body["updated"]),
        pid=int(body["pid"]),
    )


def _is_alive(pid: int) -> bool:
    """Whether this machine has such a process; yes where that cannot be asked."""
    if os.name != "posix" or pid <= 0:  # elsewhere, os.kill would not ask but end it
        return True
    with contextlib.suppress(PermissionError, OverflowError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _replace(path: Path, text: str) -> None:
    """Write a whole file or nothing. Unlike :func:`linguabridge.cache.write_atomically`, do not wait for the disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(MODE)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
