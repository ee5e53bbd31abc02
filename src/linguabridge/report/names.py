"""Names for files and anchors, from names that anybody may have given."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 60  # characters of a name that a file's name is made of; file systems take 255 bytes in all


def identifier(text: str) -> str:
    """Letters, digits and hyphens, for anchors and names of files."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()[:LONGEST]).strip("-") or "x"


def distinct(names: Iterable[str], joint: str = "-") -> list[str]:
    """The same names, a number added where one repeats, in other case too: some file systems take those for one.

    Args:
        names: of files or anchors.
        joint: between a name and its number.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, candidate = 1, name
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}{joint}{number}"
        taken.add(candidate.casefold())
        found.append(candidate)
    return found
