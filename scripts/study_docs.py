"""Write anew in docs/study.md what `linguabridge study` and `stability` print, and what made the studies."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from linguabridge.commands.study import show
from linguabridge.rebuilt import rebuilt
from linguabridge.study.files import find_study, read_study
from linguabridge.study.stability import Stability, stability_table
from linguabridge.study.tables import titles_table

DOCS = Path(__file__).parents[1] / "docs"
PAGE, STABILITY = DOCS / "study.md", DOCS / "stability.json"
COMMAND = "linguabridge study --from "
_BLOCK = re.compile(
    rf"```\n\$ {re.escape(COMMAND)}(?P<name>\S+)\n(?P<output>.*?)```\n\nMade by `(?P<made>.*?)`\.\n", re.DOTALL
)
_WAYS = re.compile(r"```\n\$ linguabridge study --list-ways\n(?P<output>.*?)```\n", re.DOTALL)


def blocks(page: str) -> dict[str, tuple[str, str]]:
    """What the page says that each study's command prints, and what made it, by the study's name."""
    return {found["name"]: (found["output"], found["made"]) for found in _BLOCK.finditer(page)}


def ways(page: str) -> str:
    """What the page says that ways go by."""
    found = _WAYS.search(page)
    assert found is not None
    return found["output"]


def output(name: str) -> tuple[str, str]:
    """What the command prints of a study, and the command that asked the model."""
    found = read_study(find_study(name))
    return _printed(lambda console: show(found, console)), found.origin["command"]


def stability(page: str) -> str:
    """What the page says that `linguabridge stability` printed."""
    found = re.search(r"```\n\$ linguabridge stability .*?\n(?P<output>.*?)```\n", page, re.DOTALL)
    assert found is not None
    return found["output"]


def stability_output() -> str:
    """What the command prints of what it found."""
    found = rebuilt(Stability, json.loads(STABILITY.read_text("utf-8")))
    return _printed(lambda console: console.print(stability_table(found)))


def ways_output() -> str:
    """What ways go by, as the command prints it."""
    return _printed(lambda console: console.print(titles_table()))


def _printed(say: Callable[[Console], None]) -> str:
    said = io.StringIO()
    say(Console(file=said, width=120))
    # Without blanks at the ends of lines.
    return "\n".join(line.rstrip() for line in said.getvalue().strip("\n").split("\n")) + "\n"


def main() -> None:
    """Write the page."""
    page = PAGE.read_text("utf-8")
    for name, (old, old_made) in blocks(page).items():
        new, made = output(name)
        page = page.replace(
            f"$ {COMMAND}{name}\n{old}```\n\nMade by `{old_made}`.",
            f"$ {COMMAND}{shlex.quote(name)}\n{new}```\n\nMade by `{made}`.",
        )
    page = page.replace(f"--list-ways\n{ways(page)}```", f"--list-ways\n{ways_output()}```")
    page = page.replace(stability(page), stability_output())
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
