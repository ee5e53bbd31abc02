"""``linguabridge export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linguabridge.commands.output import check_folder
from linguabridge.errors import InputError

LM_EVAL, ROUTES = "lm-eval", "routes"


def export(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders that evaluate or recommend wrote, or their JSON files.", metavar="RUN…"),
    ],
    to: Annotated[str, typer.Option(help="What for: lm-eval (tasks of an evaluation) or routes (a table of bridges).")],
    out: Annotated[Path, typer.Option(help="A new folder for lm-eval; a new JSON file for routes.")],
) -> None:
    """Hand results to other tools: tasks for lm-evaluation-harness, or a table of routes for a serving stack."""
    runs = list(dict.fromkeys(runs))
    if to not in (LM_EVAL, ROUTES):
        raise InputError(f"Unknown --to '{to}': choose {LM_EVAL} or {ROUTES}.")
    check_folder(out.parent, "--out")
    if to == LM_EVAL:
        if len(runs) > 1:
            raise InputError("One evaluation at a time is exported to lm-eval; name one folder.")
        _to_lm_eval(runs[0], out)
    else:
        _to_routes(runs, out)


def _to_lm_eval(run: Path, out: Path) -> None:
    from linguabridge.export.lm_eval import export_lm_eval

    done = export_lm_eval(run, out)
    tasks = "1 task" if len(done.tasks) == 1 else f"{len(done.tasks)} tasks"
    typer.echo(f"Wrote {tasks} for lm-evaluation-harness to {out}.")
    for sentence in (*done.left_out, *done.notes):
        typer.echo(sentence)
    typer.echo(f"Run them with:\n  {done.command}")


def _to_routes(runs: list[Path], out: Path) -> None:
    from linguabridge.export.routes import export_routes

    table, left_out = export_routes(runs, out)
    bridged = sum(bool(one.route) for one in table.entries)
    routes = "1 route" if len(table.entries) == 1 else f"{len(table.entries)} routes"
    typer.echo(f"Wrote {routes} to {out}: {bridged} through a bridge, {len(table.entries) - bridged} direct.")
    for sentence in left_out:
        typer.echo(sentence)
