"""``linguabridge languages``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from linguabridge.commands.options import Json
from linguabridge.commands.output import check_writable, write_or_print
from linguabridge.errors import InputError
from linguabridge.terminal import terminal


def list_languages(
    query: Annotated[str | None, typer.Argument(help="Show only languages whose code or name holds this.")] = None,
    json_file: Json = None,
) -> None:
    """List language codes, names, and what the lexicons cover."""
    from linguabridge.cache import default_cache_dir
    from linguabridge.languages import parse
    from linguabridge.lexicons import load_cldr, load_muse

    check_writable(None, json_file, "languages")
    cldr = load_cldr()
    in_muse = {one.code for one in load_muse(None, cache_dir=default_cache_dir()).languages()}
    rows = [(one, len(cldr.names(one))) for one in cldr.languages()]
    try:
        exact = parse(query) if query else None
    except InputError:
        exact = None
    wanted = (query or "").casefold()
    if any(one == exact for one, _ in rows):
        rows, wanted = [row for row in rows if row[0] == exact], ""
    rows = [(one, n) for one, n in rows if any(wanted in text.casefold() for text in (one.code, one.name, one.endonym))]
    if not rows:
        raise InputError(
            f"No language of the lexicon has '{query}' in its code or name; `linguabridge languages` alone lists all."
        )
    listed = [
        {"code": one.code, "name": one.name, "own_name": one.endonym, "cldr": n, "muse": one.code in in_muse}
        for one, n in rows
    ]
    if write_or_print(json_file, {"query": query, "languages": listed}):
        return
    counted = "1 language" if len(rows) == 1 else f"{len(rows)} languages"
    table = Table(title=f"{counted}; names in the built-in lexicon (cldr), and whether MUSE has it")
    for name in ("code", "name", "own name", "cldr", "muse"):
        table.add_column(name, justify="right" if name == "cldr" else "left")
    for one, n in rows:
        table.add_row(one.code, one.name, one.endonym, f"{n:,}", "yes" if one.code in in_muse else "")
    terminal().print(table)
