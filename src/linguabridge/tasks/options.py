"""Questions with options: what the tasks that choose have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from linguabridge.engines.engine import LETTERS, TEXT
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.prompts import Prompt, endonym
from linguabridge.tasks.scaffolds import fill, is_native
from linguabridge.tasks.task import Item, Question, Said, chain_text, one_line

ALPHABET = "ABCDEFGHIJ"
TERMINATOR = "\n"  # ends an option's text, and counts in its likelihood: a short option is none the likelier for it


def pose(
    task: str, item: Item, chain: Sequence[Said], target: Language, scoring: str, fields: Mapping[str, str]
) -> Question:
    """Ask for one of an item's options with the task's scaffold in the target language.

    Args:
        task: whose scaffolds ``text`` (options not listed) and ``letters`` (options listed) there are.
        item: with options.
        chain: the item's text in every language so far.
        target: language of question and options.
        scoring: ``text``: continuations are the options' texts. ``letters``: their letters. ``generated``: none, and
            the prompt is that of ``letters``.
        fields: for the scaffold, besides ``chain``, ``target`` (its endonym) and ``options``.
    """
    if len(item.options) > len(ALPHABET):
        raise InputError(f"An item of {task} has {len(item.options)} options; letters go to {ALPHABET[-1]}.")
    values = {
        **{name: one_line(value) for name, value in fields.items()},
        "chain": chain_text(chain),
        "target": endonym(target),
        "options": "\n".join(
            f"{letter}. {one_line(option)}" for letter, option in zip(ALPHABET, item.options, strict=False)
        ),
    }
    # What stands before an option is in the scaffold's language, which is English where the target has none.
    gap = " " if target.spaced or not is_native(task, target) else ""
    if scoring == TEXT:
        texts = tuple(f"{gap}{one_line(option)}{TERMINATOR}" for option in item.options)
        return Question(Prompt(fill(task, target, "text", values)), texts)
    prompt = Prompt(fill(task, target, "letters", values))
    letters = tuple(f"{gap}{letter}" for letter in ALPHABET[: len(item.options)])
    return Question(prompt, letters if scoring == LETTERS else ())
