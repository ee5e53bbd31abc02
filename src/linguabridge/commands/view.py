"""``linguabridge view``."""

from __future__ import annotations

import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer


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
    from linguabridge.report.watching import build_report, watch

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
