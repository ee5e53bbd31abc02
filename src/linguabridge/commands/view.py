"""``linguabridge view``."""

from __future__ import annotations

import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linguabridge.errors import InputError
from linguabridge.paths import exists

if TYPE_CHECKING:
    from linguabridge.report.shell import Watched


def view(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of recommend, evaluate, spectrum or study, or their JSON files.", metavar="RUN…"),
    ],
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1; by default a free one.", min=0, max=65535)] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address and open nothing.")] = False,
) -> None:
    """Open the report of runs in the browser, and follow them while they go on; from this machine only."""
    from linguabridge.report.page import check_packages
    from linguabridge.report.viewer import serve

    check_packages()
    watched = [watch(path) for path in dict.fromkeys(runs)]
    try:
        with serve(lambda: build_report(runs), watched, port=port) as address:
            typer.echo(address)
            typer.echo("Ctrl-C ends the viewer.", err=True)
            if not no_browser:
                webbrowser.open(address)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:  # the way to end it, and no interruption
        typer.echo("Ended.", err=True)


def watch(path: Path) -> Watched:
    """What to look at to follow a run.

    Raises:
        InputError: there is no run, and none that has begun.
    """
    from linguabridge.evaluation.files import ITEMS, MANIFEST, SUMMARY, UNFINISHED
    from linguabridge.progress import read_progress
    from linguabridge.report.runs import read_runs
    from linguabridge.report.shell import Watched
    from linguabridge.settings import RESULT
    from linguabridge.spectrum.files import SPECTRUM
    from linguabridge.study.shipped import STUDY

    if not exists(path):
        raise InputError(f"{path} does not exist; give the folder of a run (it is made when the run begins).")
    evaluation = (SUMMARY, ITEMS, MANIFEST)
    if not path.is_dir():
        files = tuple(path.with_name(name) for name in evaluation) if path.name == SUMMARY else (path,)
        return Watched(path.name, None, files)
    if not has_results(path) and read_progress(path) is None:
        read_runs(path)  # says what is missing
    names = (RESULT, SPECTRUM, STUDY, *evaluation, *(f"{UNFINISHED}/{name}" for name in evaluation))
    return Watched(path.resolve().name or str(path), path, tuple(path / name for name in names))


def has_results(path: Path) -> bool:
    """Whether there is anything to report: a run that has just begun has nothing yet."""
    from linguabridge.evaluation.files import SUMMARY, UNFINISHED
    from linguabridge.settings import RESULT
    from linguabridge.spectrum.files import SPECTRUM
    from linguabridge.study.shipped import STUDY

    names = (RESULT, SPECTRUM, STUDY, SUMMARY, f"{UNFINISHED}/{SUMMARY}")
    return not path.is_dir() or any((path / name).exists() for name in names)


def build_report(paths: list[Path]) -> str | None:
    """The report of all runs that have results; None where none has."""
    from linguabridge.report.page import page
    from linguabridge.report.runs import read_runs
    from linguabridge.report.sections import make_sections, title_of

    found = [run for path in dict.fromkeys(paths) if has_results(path) for run in read_runs(path)]
    if not found:
        return None
    made = make_sections(found)
    return page(made, title=title_of(made))
