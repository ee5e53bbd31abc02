"""Runs to be followed while they go on: which files to look at, and the report of those that have results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linguabridge.errors import InputError
from linguabridge.evaluation.files import UNFINISHED
from linguabridge.paths import exists
from linguabridge.progress import read_progress
from linguabridge.report.runs import read_runs
from linguabridge.report.shell import Watched
from linguabridge.run_files import ITEMS, MANIFEST, RECOMMENDATION, SPECTRUM, STUDY, SUMMARY


def watch(path: Path) -> Watched:
    """What to look at to follow a run.

    Args:
        path: the run's folder, or the file with its result.

    Returns:
        The run with its files; those of a run that has just begun need not be there yet.

    Raises:
        InputError: there is no run, and none that has begun.
    """
    if not exists(path):
        raise InputError(f"{path} does not exist; give the folder of a run (it is made when the run begins).")
    evaluation = (SUMMARY, ITEMS, MANIFEST)
    if not path.is_dir():
        files = tuple(path.with_name(name) for name in evaluation) if path.name == SUMMARY else (path,)
        return Watched(path.name, None, files)
    if not has_results(path) and read_progress(path) is None:
        read_runs(path)  # says what is missing
    names = (RECOMMENDATION, SPECTRUM, STUDY, *evaluation, *(f"{UNFINISHED}/{name}" for name in evaluation))
    return Watched(path.resolve().name or str(path), path, tuple(path / name for name in names))


def has_results(path: Path) -> bool:
    """Whether there is anything to report: a run that has just begun has nothing yet."""
    names = (RECOMMENDATION, SPECTRUM, STUDY, SUMMARY, f"{UNFINISHED}/{SUMMARY}")
    return not path.is_dir() or any((path / name).exists() for name in names)


def build_report(paths: Sequence[Path]) -> str | None:
    """The report of all runs that have results, as HTML; None where none has.

    Args:
        paths: as for :func:`watch`; each is taken once.

    Raises:
        InputError: a result is damaged.
    """
    # What draws takes a second to import: the page around the report is served before.
    from linguabridge.report.page import page
    from linguabridge.report.sections import make_sections, title_of

    found = [run for path in dict.fromkeys(paths) if has_results(path) for run in read_runs(path)]
    if not found:
        return None
    made = make_sections(found)
    return page(made, title=title_of(made))
