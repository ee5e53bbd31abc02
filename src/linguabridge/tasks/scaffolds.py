"""What stands around the data in a prompt, by task and language: data in ``prompts/<task>.toml``, not code.

A file has a table for each language code, with the templates' names as keys; ``{field}`` stands for a value. Languages
without a table get the English one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from linguabridge.errors import InputError
from linguabridge.languages import Language

FALLBACK = "en"


@cache
def scaffolds(task: str) -> dict[str, dict[str, str]]:
    """All scaffolds of a task: language code → name → template."""
    content = files("linguabridge.tasks").joinpath("prompts", f"{task}.toml").read_text("utf-8")
    return tomllib.loads(content)


def has_scaffolds(task: str) -> bool:
    """Whether anything stands around the data of this task that has a language."""
    return files("linguabridge.tasks").joinpath("prompts", f"{task}.toml").is_file()


def is_native(task: str, language: Language) -> bool:
    """Whether the task has a scaffold in this very language."""
    return language.code in scaffolds(task)


def fill(task: str, language: Language, name: str, values: Mapping[str, str]) -> str:
    """A template with its fields filled in, in the language, or in English where there is none in it.

    Values are put in as they are; braces in them mean nothing.

    Raises:
        InputError: the template names a field that the item has not.
    """
    table = scaffolds(task)
    template = table.get(language.code, table[FALLBACK])[name]

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise InputError(f"The {task} scaffold for {language.name} names an unknown field '{match[1]}'.")
        return values[match[1]]

    return re.sub(r"\{(\w+)\}", value, template)
