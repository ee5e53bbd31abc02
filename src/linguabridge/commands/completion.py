"""What the shell completes after the Tab key, beside commands and options. Must be fast: no torch, no lexicon."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def languages() -> dict[str, str]:
    """English names of the languages that the built-in lexicon covers, by code.

    They are in a file of their own, which tests compare with the lexicon: reading that takes as long as all the rest.
    """
    text = files("linguabridge").joinpath("data", "languages.tsv").read_text("utf-8")
    return dict(line.split("\t") for line in text.splitlines())


def complete_language(incomplete: str) -> list[tuple[str, str]]:
    """Codes that begin so, and names in one word that do, each with what it stands for."""
    begun = incomplete.casefold()
    codes = [(code, name) for code, name in languages().items() if code.casefold().startswith(begun)]
    if not begun:
        return codes
    names = [(name, code) for code, name in languages().items() if name.casefold().startswith(begun) and name.isalpha()]
    return codes + names


def complete_model(incomplete: str) -> list[str]:
    """The embedded default where it begins so; else nothing, and the shell completes files."""
    from linguabridge.embedded import NAME

    return [NAME] if NAME.startswith(incomplete) else []
