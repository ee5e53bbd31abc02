"""``linguabridge report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linguabridge.cache import write_atomically
from linguabridge.commands.output import check_folder
from linguabridge.errors import InputError


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of recommend, evaluate, spectrum or study, or their JSON files.", metavar="RUN…"),
    ],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
    figures: Annotated[
        Path | None,
        typer.Option(help="Folder for every figure as a file of its own, too: SVG, PDF, PNG, and its numbers."),
    ] = None,
) -> None:
    """Make one HTML page of runs: answers in words, figures, and every item; it needs no network."""
    _check_out(out)
    if figures:
        check_folder(figures, "--figures")
    from linguabridge.report.page import check_packages, page
    from linguabridge.report.runs import read_runs
    from linguabridge.report.sections import make_sections, title_of

    check_packages()
    sections = make_sections([run for path in dict.fromkeys(runs) for run in read_runs(path)])
    content = page(sections, title=title_of(sections)).encode()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another file with --out.") from error
    typer.echo(f"Wrote {out} ({len(content) / 1e6:.1f} MB).")
    if figures:
        from linguabridge.report.files import write_figures

        typer.echo(f"Wrote {len(write_figures(figures, sections))} files to {figures}.")


def _check_out(out: Path) -> None:
    """Say before the work that the page could not be written, or would replace what is no page of ours."""
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name a file, such as {out / 'report.html'}.")
    check_folder(out.parent, "--out")
    if not out.is_file():
        return
    from linguabridge.report.page import MARK

    try:
        with out.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise InputError(f"{out} cannot be read ({error.strerror}); choose another file with --out.") from error
    if start and MARK.encode() not in start:
        raise InputError(f"{out} exists and is no report of linguabridge; choose another file with --out.")
