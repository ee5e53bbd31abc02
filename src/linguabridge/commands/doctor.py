"""``linguabridge doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from linguabridge.commands.options import Json
from linguabridge.commands.output import check_writable, write_or_print
from linguabridge.json_values import plain
from linguabridge.terminal import terminal

if TYPE_CHECKING:
    from linguabridge.doctor import Diagnosis


def doctor(
    json_file: Json = None,
) -> None:
    """Tell what is installed, what the machine has, where things are kept, and what to do if something is wrong.

    For yourself, or to paste into a bug report: it tells no keys, only whether they are set. No model is loaded. The
    exit code is 2 where linguabridge cannot work: a package it needs is missing or too old, the cache folder cannot be
    written, or the installed default model is incomplete.
    """
    check_writable(None, json_file, "doctor")
    from linguabridge.cache import Cache, default_cache_dir
    from linguabridge.doctor import diagnose

    found = diagnose(Cache(default_cache_dir()))
    if not write_or_print(json_file, {**plain(found), "summary": found.summary, "ok": not found.problems}):
        show(found, terminal())
    if found.problems:
        raise typer.Exit(2)


def show(found: Diagnosis, console: Console) -> None:
    """Print a diagnosis: facts first, what to do last."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, lines in _lines(found).items():
        table.add_row(title, Text("\n".join(lines)))
    console.print(table)
    console.print()
    # Whole, so that a command in it can be copied.
    style = "red" if found.problems else None if found.advice else "green"
    console.print(found.summary, style=style, highlight=False, markup=False, soft_wrap=True)


def _lines(found: Diagnosis) -> dict[str, list[str]]:
    machine, cache, choice = found.machine, found.cache, found.choice
    versions = [f"{name} {number}" for name, number in found.versions.items() if number]
    threads = "" if machine.threads is None else f", torch computes with {machine.threads}"
    gpus = [f"{one.name}, {decimal(one.memory)}" if one.memory else one.name for one in machine.gpus]
    model = "installed" if found.model_installed else "not installed"
    missing = [one for one in found.extras if one.missing]
    return {
        "Python": [found.python],
        "versions": [", ".join(versions), f"Importing torch took {found.torch_seconds:.1f} s."],
        "system": [machine.system],
        "processor": [machine.cpu, f"cores to use: {machine.cores}{threads}"],
        "memory": [f"{decimal(machine.memory)}, of it free {decimal(machine.available)}"],
        "GPU": gpus or ["none that torch sees"],
        "--device auto": [f"{choice.device}, {choice.dtype}: {choice.why}" if choice else "unknown without torch"],
        "cache": [cache.folder, "cannot be used" if cache.error else _room(found)],
        "default model": [f"{model}, {'converted' if found.model_converted else 'not yet converted'}"],
        "extras": [
            f"{one.name}: {'not installed' if one.missing else 'there'} ({one.purpose})" for one in found.extras
        ],
        **({"to add one": [one.command for one in missing]} if missing else {}),
        **(
            {"environment": [f"{name}: {value}" for name, value in found.environment.items()]}
            if found.environment
            else {}
        ),
    }


def _room(found: Diagnosis) -> str:
    return f"{decimal(found.cache.size)} kept, {decimal(found.cache.free)} free on its disk, writable"
