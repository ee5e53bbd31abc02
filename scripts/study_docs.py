"""Write the output of every `$ linguabridge study --from …` in docs/study.md anew, below the line that names it."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

from rich.console import Console

from linguabridge.commands.study import show
from linguabridge.study.files import find_study, read_study

PAGE = Path(__file__).parents[1] / "docs" / "study.md"
COMMAND = "linguabridge study --from "
_BLOCK = re.compile(rf"```\n\$ {re.escape(COMMAND)}(?P<name>\S+)\n(?P<output>.*?)```\n", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """What the page says that each study's command prints, by the study's name."""
    return {found["name"]: found["output"] for found in _BLOCK.finditer(page)}


def output(name: str) -> str:
    """What the command prints of a study, without blanks at the ends of lines."""
    said = io.StringIO()
    show(read_study(find_study(name)), Console(file=said, width=120))
    return "\n".join(line.rstrip() for line in said.getvalue().strip("\n").split("\n")) + "\n"


def main() -> None:
    """Write the page."""
    page = PAGE.read_text("utf-8")
    for name, old in blocks(page).items():
        page = page.replace(f"$ {COMMAND}{name}\n{old}```", f"$ {COMMAND}{shlex.quote(name)}\n{output(name)}```")
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
