"""A report as one HTML page that needs nothing else: no network, no server.

What comes from data is text, never markup: Jinja escapes it in the page, and what scripts read lies in JSON blocks. A
content security policy with hashes of the page's own scripts and style allows nothing else to run or to be fetched.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from importlib import metadata, util
from typing import Any

from linguabridge import languages
from linguabridge.errors import InputError
from linguabridge.report.inline import escaped_json, hashed, template
from linguabridge.report.inline import style as style_sheet
from linguabridge.report.section import Cell, Items, Section, Share, Table, Written
from linguabridge.words import number, share

MARK = '<meta name="generator" content="linguabridge'  # how our own pages are known

_LONG = 60  # rows from which a table is shown page by page, as items are, to be sorted and searched
_FIGURE = re.compile(r"[+-]?\d*\.\d{3}|\[[+-]?\d*\.\d{3}, [+-]?\d*\.\d{3}\]")  # as words.number writes it
_NUMERIC = re.compile(r"[<>+−-]?[\d,]*\.?\d+( %)?( \[.*\])?|–")


def check_packages() -> None:
    """Say which packages are missing before any work is done."""
    if not all(util.find_spec(name) for name in ("altair", "jinja2", "vl_convert")):
        raise InputError("A report needs more packages: pip install 'linguabridge[report]'.")


def page(sections: Sequence[Section], *, title: str) -> str:
    """The whole page. The same sections give the same text.

    Args:
        sections: in the order in which they are shown.
        title: of the page.

    Raises:
        InputError: packages of the extra ``report`` are missing.
    """
    check_packages()
    import jinja2
    import vl_convert
    from markupsafe import Markup

    from linguabridge.report import theme

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"cell": shown, "tied": tied, "direction": direction, "language": known_code}
    environment.tests |= {"written": lambda value: isinstance(value, Written)}
    library = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its types lack the default
    scripts = {"page": template("report.js"), "library": _closed(library)}
    style = style_sheet("report.css")
    return (
        environment.from_string(template("report.html.j2"))
        .render(
            title=title,
            sections=sections,
            policy=_policy(scripts.values(), style),
            style=Markup(style),  # noqa: S704 - a file of this package
            scripts={name: Markup(script) for name, script in scripts.items()},  # noqa: S704 - ours, and Vega
            version=metadata.version("linguabridge"),
            json=lambda value: Markup(escaped_json(value)),  # noqa: S704 - escaped there
            common={"themes": {"light": theme.LIGHT, "dark": theme.DARK}},
            columns=columns,
            numeric=numeric,
            long=_LONG,
        )
        .encode("utf-8", "replace")  # half a character, which a model may answer, is no text that a file can hold
        .decode()
    )


def _closed(script: str) -> str:
    """A script that cannot end its element, nor start a comment in it; within its strings these mean the same."""
    return script.replace("\r\n", "\n").replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _policy(scripts: Iterable[str], style: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(hashed, scripts))}",
            f"style-src {hashed(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def shown(value: str | float | int | bool | None) -> str:
    """A cell's value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, Share):
        return share(value) if math.isfinite(value) else "–"
    if isinstance(value, float):
        large = math.isfinite(value) and abs(value) >= 1000
        return (f"{value:,.0f}" if large else number(value)).replace("-", "−")
    return value.replace("-", "−") if _FIGURE.fullmatch(value) else value


def tied(text: str) -> str:
    """A sentence of ours, with minus signs, whose numbers stay on the line of what they belong to: 100 %, p .010."""
    text = re.sub(r"(?<![\w.-])-(?=\.?\d)", "−", text)
    text = re.sub(r"(?<=\d) (?=%)", "\u00a0", text)
    return re.sub(r"\b([pr]) (?=[<>−-]?\.?\d)", "\\1\u00a0", text)


def direction(code: str | None) -> str:
    """Where a language is written from; its text decides where the language is not known."""
    language = _language(code)
    if language is None:
        return "auto"
    return "rtl" if language.rtl else "ltr"


def known_code(code: str | None) -> str | None:
    """The code that browsers choose fonts by: None for languages that nobody has told them of."""
    language = _language(code)
    private = language is not None and language.name == language.code
    return None if language is None or private else language.code


def _language(code: str | None) -> languages.Language | None:
    try:
        return None if code is None else languages.parse(code)
    except InputError:
        return None


def numeric(rows: Table | Items) -> tuple[bool, ...]:
    """For each column, whether it holds numbers only, which are aligned right."""
    return tuple(_is_numeric([row[index] for row in rows.rows]) for index in range(len(rows.columns)))


def _is_numeric(cells: Sequence[Cell]) -> bool:
    held = [cell for cell in cells if cell is not None]
    return bool(held) and all(
        (isinstance(cell, int | float) and not isinstance(cell, bool))
        or (isinstance(cell, str) and _NUMERIC.fullmatch(cell) is not None)
        for cell in held
    )


def columns(rows: Table | Items) -> list[dict[str, Any]]:
    """Rows for the page's script, column by column: each value once, and for each row the place of its value.

    A text of data is a list of pairs: text, and its language and direction as ``ar rtl``.
    """
    found = []
    for index, heading in enumerate(rows.columns):
        cells = [row[index] for row in rows.rows]
        places: dict[str, int] = {}
        where = [places.setdefault(escaped_json(_value(cell)), len(places)) for cell in cells]
        found.append(
            {
                "heading": heading,
                "numeric": _is_numeric(cells),
                "shares": any(isinstance(cell, Share) for cell in cells),
                "decimals": any(isinstance(cell, float) for cell in cells),
                "filter": isinstance(rows, Items) and heading in rows.filters and len(places) > 1,
                "values": [json.loads(text) for text in places],
                "cells": where,
            }
        )
    return found


def _value(cell: Cell) -> Any:
    if isinstance(cell, float):
        return round(float(cell), 5 if isinstance(cell, Share) else 3) if math.isfinite(cell) else None
    if isinstance(cell, Written):
        cell = (cell,)
    if isinstance(cell, tuple):
        return [[one.text, f"{known_code(one.code) or ''} {direction(one.code)}"] for one in cell]
    return cell
