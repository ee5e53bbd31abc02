"""One input through a bridge, both steps shown: ``linguabridge ask``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linguabridge.engines.engine import Engine
from linguabridge.errors import InputError
from linguabridge.evaluation.experiment import bridge_prompt, ending_for
from linguabridge.languages import Language
from linguabridge.lexicons import is_one_word
from linguabridge.tasks.task import Said, one_line


@dataclass(frozen=True)
class Asked:
    """What was asked, and what came of it.

    Attributes:
        steps: the text in each language on the way, the source's first and the target's last.
        prompts: what asked for each step after the first.
    """

    steps: tuple[Said, ...]
    prompts: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The text in the target language; empty where the model gave none."""
        return self.steps[-1].text


def ask_through(engine: Engine, source: Language, target: Language, text: str, bridges: Sequence[Language]) -> Asked:
    """Translate a word or a text through bridges, in one growing prompt.

    Args:
        engine: answers.
        source: language of the text.
        target: language to end in.
        text: a word, or a text of any length, put on one line.
        bridges: languages on the way; none for a direct translation.

    Raises:
        InputError: there is no text, or it holds halves of characters.
    """
    text = one_line(text)
    if not text:
        raise InputError("There is no text to ask about: give it after the languages, or - to read standard input.")
    if any("\ud800" <= sign <= "\udfff" for sign in text):  # as a terminal of another encoding gives it
        raise InputError("The text is not UTF-8; convert it first, or pipe it in and give - for it.")
    words = is_one_word(text, spaced=source.spaced)
    steps = [Said(source, text)]
    prompts = []
    for language in (*bridges, target):
        prompt = bridge_prompt(steps, language, words=words)
        ending = ending_for([steps[-1].text], words=words)
        (output,) = engine.answers(f"Into {language.name}", [prompt], ending)
        found = ending.cut(output)
        prompts.append(prompt.written)
        if found or language == target:
            steps.append(Said(language, found))
    return Asked(tuple(steps), tuple(prompts))
