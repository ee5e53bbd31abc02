"""Seconds of whole commands, process start included: the first time, from an empty cache, and the second time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.setting import Setting
from bench.table import Repeats, Row, repeats
from bench.timing import timed

GOAL_FIRST, GOAL_SECOND = 300.0, 5.0
REPEATS = 3
FIRST = "recommend ar he"  # whose first run has a goal, too

# Of the two others, the first run is kept short; what a second run reads is of the same kind, however long it was.
COMMANDS = {
    FIRST: ["recommend", "ar", "he", "--json", "recommend.json"],
    "spectrum of 5 languages": [
        *("spectrum", "ar", "he", "sw", "id", "fi"),
        *("--tokens", "500", "--concepts", "100", "--samples", "100", "--out", "related"),
    ],
    "study of ar:he": [
        *("study", "ar:he", "--candidates", "en,ar,he,fr,es"),
        *("--words", "40", "--tokens", "500", "--probes", "60", "--no-exact", "--out", "studied"),
    ],
}
_SMALL = ["--candidates", "en,fr", "--tokens", "300", "--probes", "30", "--check", "10"]


@dataclass(frozen=True)
class Command:
    """A command run several times."""

    name: str
    first_s: float
    second_s: Repeats
    goal_first: float | None
    goal_second: float = GOAL_SECOND


@dataclass(frozen=True)
class Again:
    """All commands."""

    commands: tuple[Command, ...]


def bench_again(setting: Setting) -> Again:
    """Run the commands in an empty cache that has the converted model; with ``quick`` the first alone, small."""
    if setting.quick:
        _ = setting.tiny
        commands = {FIRST: [*COMMANDS[FIRST], "--model", setting.model, *_SMALL]}
    else:
        commands = COMMANDS
    return Again(tuple(_command(name, arguments, setting) for name, arguments in commands.items()))


def _command(name: str, arguments: list[str], setting: Setting) -> Command:
    with tempfile.TemporaryDirectory() as folder:
        for part in ("models", "hashes"):  # the converted model, and what is remembered of its files
            source = setting.cache.root / part
            source.mkdir(parents=True, exist_ok=True)
            (Path(folder) / part).symlink_to(source.resolve())
        run = partial(
            subprocess.run,
            [sys.executable, "-m", "linguabridge", *arguments],
            env={**os.environ, "LINGUABRIDGE_CACHE": folder},
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        first = timed(run)
        second = repeats(timed(run) for _ in range(2 if setting.quick else REPEATS))
    return Command(name, first, second, GOAL_FIRST if name == FIRST else None)


def rows(one: Again) -> Iterator[Row]:
    """The table's part."""
    for command in one.commands:
        goal = command.goal_first
        yield Row(
            f"{command.name}, empty cache",
            f"{command.first_s:.0f} s",
            "one run",
            "" if goal is None else f"≤ {goal:.0f} s",
            None if goal is None else command.first_s <= goal,
        )
        yield Row(
            "  the same again",
            f"{command.second_s.median:.1f} s",
            command.second_s.spread(".1f", " s"),
            f"≤ {command.goal_second:.0f} s",
            command.second_s.median <= command.goal_second,
        )
