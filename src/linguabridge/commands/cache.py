"""``linguabridge cache list``, ``clear`` and ``verify``."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from linguabridge.commands.examples import epilog
from linguabridge.commands.options import Json
from linguabridge.commands.output import check_writable, write_or_print
from linguabridge.errors import InputError
from linguabridge.progress import TerminalReporter
from linguabridge.terminal import terminal

if TYPE_CHECKING:
    from linguabridge.cache_care.checking import Checked
    from linguabridge.cache_care.kinds import Contents, Item

cache_app = typer.Typer(
    help="Show, clear and check what is kept between runs.", no_args_is_help=True, rich_markup_mode="markdown"
)
_SHOWN = 10  # lines of each sort; JSON has all


@cache_app.command("list", epilog=epilog("cache list"))
def list_cache(json_file: Json = None) -> None:
    """List what is kept between runs: kinds with number, size and age, and of which models.

    LINGUABRIDGE_CACHE names another folder than the usual one.
    """
    check_writable(None, json_file, "cache list")
    contents = _contents()
    if write_or_print(json_file, _listed(contents)):
        return
    console = terminal()
    if not contents.items and not contents.leftovers:
        _say(console, f"The cache is empty: {contents.root}")
    else:
        counted = _things(len(contents.items))
        _say(console, f"{contents.root} holds {counted}, {decimal(contents.size)} in all.")
        _show_lists(contents, console)
    unfinished = [one for one in contents.leftovers if not one.old]
    old = [one for one in contents.leftovers if one.old]
    if unfinished:
        _say(console, f"Being written at present, it seems: {_things(len(unfinished))}.")
    if old:
        freed = decimal(sum(one.size for one in old))
        _say(console, f"Of no use: {_things(len(old))}, {freed}; `linguabridge cache verify --mend` removes them.")
    _show_foreign(contents, console)


@cache_app.command("clear", epilog=epilog("cache clear"))
def clear_cache(
    kind: Annotated[
        str | None, typer.Option(help="Only what is of this kind, as `linguabridge cache list` names it.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Only what is of this model or server, as `linguabridge cache list` names it; with its conversion.",
            metavar="NAME",
        ),
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(help="Only what was written more than so many days ago.", metavar="DAYS")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False,
) -> None:
    """Remove what is kept between runs, all or some of it; it is computed or fetched anew when it is needed.

    Conditions are joined by "and". Files that are not ours stay, links are not followed, and other runs may go on.
    """
    from linguabridge.cache_care.clearing import choose, remove

    contents, console = _contents(), terminal()
    if kind is None and model is None and older_than is None and not contents.items and not contents.leftovers:
        _say(console, f"The cache is empty: {contents.root}")
        _show_foreign(contents, console)
        return
    chosen = choose(contents, kind=kind, model=model, older_than_days=older_than)
    number = len(chosen.all)
    if chosen.unascribed:
        _say(
            console,
            f"Staying: {_things(chosen.unascribed)}, of no known model; what is computed from several results does not "
            "say of which model it is.",
        )
    if number == 0:
        _say(console, "Nothing is to be removed.")
        _show_foreign(contents, console)
        return
    _say(console, f"To be removed from {contents.root}: {_things(number)}, {decimal(chosen.size)}.")
    kinds = _by(chosen.items, lambda one: one.kind)
    for name, items in kinds.items():
        _say(console, f"  {name}: {len(items):,}, {decimal(sum(one.size for one in items))}")
    if chosen.leftovers:
        _say(console, f"  of no use: {len(chosen.leftovers):,}, {decimal(sum(one.size for one in chosen.leftovers))}")
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise InputError("Nothing was removed, for nobody can be asked here: add --yes to remove it.")
        if not _confirmed("Remove it?"):
            _say(console, "Nothing was removed.")
            return
    with TerminalReporter().step("Removing", number) as advance:
        removed = remove(chosen, advance)
    _say(console, f"Removed {_things(removed.removed)}, which freed {decimal(removed.size)}.")
    _show_paths(console, "Stayed", [f"{path}: {why}" for path, why in removed.stayed])
    _show_foreign(contents, console)


@cache_app.command("verify", epilog=epilog("cache verify"))
def verify_cache(
    mend: Annotated[
        bool,
        typer.Option(
            "--mend", help="Set damaged results aside, and remove damaged models and downloads, and what is of no use."
        ),
    ] = False,
    json_file: Json = None,
) -> None:
    """Check that everything kept between runs is as it was written: checksums, formats, and what killed runs left.

    The exit code is 2 where something is damaged and was not mended. A run that comes upon a damaged result computes
    it anew by itself, and converts a model again whose files have another size or time than they were written with.
    Damage that shows in neither, as a failing disk does it to a model, only this command finds: it reads all of them.
    """
    from linguabridge.cache_care.checking import mend as mend_it
    from linguabridge.cache_care.checking import verify

    check_writable(None, json_file, "cache verify")
    contents = _contents()
    with TerminalReporter().step("Checking", len(contents.items)) as advance:
        found = verify(contents, advance)
    mended = mend_it(found) if mend else None
    left = len(found.damaged) - (mended.mended if mended else 0)
    body = {
        "cache": str(contents.root),
        "checked": len(contents.items),
        "damaged": [{"kind": one.item.kind, "path": str(one.item.paths[0]), "why": one.why} for one in found.damaged],
        "useless": [{"path": str(one.path), "why": one.why, "bytes": one.size} for one in found.useless],
        "mended": None if mended is None else {"damaged": mended.mended, "useless": mended.removed},
        "stayed": [{"path": str(path), "why": why} for path, why in (mended.stayed if mended else ())],
        "foreign": [str(path) for path in contents.foreign],
    }
    if not write_or_print(json_file, body):
        _show_checked(found, terminal())
        if mended is not None and (found.damaged or found.useless):
            _say(
                terminal(),
                f"Mended {mended.mended:,} of {len(found.damaged):,} damaged, and removed {mended.removed:,} of no use "
                f"({decimal(mended.size)}); what is needed is made anew.",
            )
            _show_paths(terminal(), "Stayed", [f"{path}: {why}" for path, why in mended.stayed])
        elif left:
            _say(terminal(), "`linguabridge cache verify --mend` mends that; what is needed is then made anew.")
    if left:
        raise typer.Exit(2)


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort as error:  # what it makes of Ctrl-C, and would end with code 1
        raise KeyboardInterrupt from error


def _contents() -> Contents:
    from linguabridge.cache import default_cache_dir
    from linguabridge.cache_care.contents import read_contents

    return read_contents(default_cache_dir())


def _by(items: Iterable[Item], what: Any) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for one in items:
        groups[what(one)].append(one)
    return dict(sorted(groups.items()))


def _show_lists(contents: Contents, console: Console) -> None:
    from linguabridge.cache_care.kinds import KINDS, PLACES

    words = {**KINDS, **PLACES}
    kinds = _table("kind", "number", "size", "oldest", "newest", "what it is")
    for name, items in _by(contents.items, lambda one: one.kind).items():
        written = [one.written for one in items]
        size = decimal(sum(one.size for one in items))
        kinds.add_row(name, f"{len(items):,}", size, _day(min(written)), _day(max(written)), words.get(name, "–"))
    models = _table("model", "number", "size", "oldest", "newest", "weights")
    for name, items in _by((one for one in contents.items if one.owner), lambda one: one.owner).items():
        written = [one.written for one in items]
        weights = ", ".join(sorted({one.weights[:12] for one in items if one.weights}))
        size = decimal(sum(one.size for one in items))
        models.add_row(name, f"{len(items):,}", size, _day(min(written)), _day(max(written)), weights or "–")
    for table in (kinds, models):
        if table.row_count:
            console.print()
            console.print(table)
    console.print()


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        right = name in ("number", "size")
        narrow = name not in ("what it is", "model")
        table.add_column(name, justify="right" if right else "left", no_wrap=narrow, overflow="fold")
    return table


def _listed(contents: Contents) -> dict[str, Any]:
    return {
        "cache": str(contents.root),
        "bytes": contents.size,
        "items": [
            {
                "kind": one.kind,
                "model": one.model,
                "weights": one.weights,
                "path": str(one.paths[0]),
                "bytes": one.size,
                "written": datetime.fromtimestamp(one.written, UTC).isoformat(timespec="seconds"),
            }
            for one in contents.items
        ],
        "leftovers": [
            {"path": str(one.path), "why": one.why, "bytes": one.size, "old": one.old} for one in contents.leftovers
        ],
        "foreign": [str(path) for path in contents.foreign],
    }


def _show_checked(found: Checked, console: Console) -> None:
    number = len(found.contents.items)
    if not found.damaged:
        _say(console, f"All of {_things(number)} in {found.contents.root} are as they were written.")
    else:
        are = "is" if len(found.damaged) == 1 else "are"
        _say(console, f"{len(found.damaged):,} of {_things(number)} in {found.contents.root} {are} damaged.")
    _show_paths(console, "Damaged", [f"{one.item.paths[0]}: {one.why}" for one in found.damaged])
    _show_paths(console, "Of no use", [f"{one.path}: {one.why}" for one in found.useless])
    _show_foreign(found.contents, console)


def _show_foreign(contents: Contents, console: Console) -> None:
    _show_paths(console, "Not linguabridge's, and left alone", [str(path) for path in contents.foreign])


def _show_paths(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    _say(console, f"{title}:")
    for line in lines[:_SHOWN]:
        _say(console, f"  {line}")
    if len(lines) > _SHOWN:
        _say(console, f"  … and {len(lines) - _SHOWN:,} more")


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _things(number: int) -> str:
    return "1 thing" if number == 1 else f"{number:,} things"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().date().isoformat()
