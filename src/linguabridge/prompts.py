"""Prompts for word translation: ``{source}:"{word}"→{target}:``, names of languages being their endonyms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linguabridge.languages import REFERENCE_ENDONYMS, Language

ARROW = "→"
TERMINATOR = '"'  # closes an answer, and counts in its likelihood
STOPS = ('"', "”", "“", "«", "»", "„", "「", "」", ",", "،", "，", "、", ARROW, "\n")


_HEBREW = "\u05d0-\u05f2\ufb1d-\ufb28\ufb2a-\ufb4f"
_POINTS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # they stand after their letter
_GERSHAYIM = re.compile(f'(?<=[{_HEBREW}{_POINTS}])"(?=[{_HEBREW}])')
_OPENING = "“„«»「"  # some models open a quote in their language's own style once more


@dataclass(frozen=True)
class Prompt:
    """What a model is asked.

    Attributes:
        text: the question; all of the user's turn where a chat template is used.
        start: how the answer begins: an opening quote, say. Written after ``text``, in a chat in the model's turn.
    """

    text: str
    start: str = ""

    @property
    def written(self) -> str:
        """The prompt of a plain (not chat) model."""
        return self.text + self.start


@dataclass(frozen=True)
class Ending:
    """When a generated answer is whole, and which part of the text is the answer.

    Attributes:
        stops: any of these ends the answer.
        max_new_tokens: the answer ends here in any case.
        quoted: the prompt has opened a quote; a second opening quote, in another style, is no end.
    """

    stops: tuple[str, ...]
    max_new_tokens: int
    quoted: bool = False

    def reached(self, text: str) -> bool:
        """Whether nothing more need be generated after ``text``."""
        rest = self._rest(text)
        return any(stop in rest for stop in self.stops)

    def cut(self, text: str) -> str:
        """The answer alone, white space around it off."""
        rest = self._rest(text)
        end = min((at for at in (rest.find(stop) for stop in self.stops) if at >= 0), default=len(rest))
        return rest[:end].strip()

    def _rest(self, text: str) -> str:
        return _after_opening(text) if self.quoted else text.lstrip()


# A word: up to the first closing quote, comma, arrow or line end, all its words kept (the published code keeps the
# first only). The prompt has opened the quote already, so a text that begins with a plain quote or a line end is empty.
WORD = Ending(STOPS, max_new_tokens=30, quoted=True)


def endonym(language: Language, *, reference: bool = False) -> str:
    """What a prompt calls a language: its endonym, in reference mode as the published code spells it."""
    return REFERENCE_ENDONYMS.get(language.code, language.endonym) if reference else language.endonym


def translation_prompt(names: Sequence[str], words: Sequence[str]) -> str:
    """The prompt that asks for the next word of a chain.

    Args:
        names: endonyms of the languages on the way, source first, target last; one more than ``words``.
        words: the source word, then the bridge word if there is a bridge. A plain quote in one would end it, so it is
            written otherwise: between Hebrew letters as gershayim (צה״ל), elsewhere as a closing quote (5”).

    Returns:
        For example ``العربية:"قطة"→English:"cat"→עברית:``.
    """
    known = "".join(f'{name}:"{without_plain_quotes(word)}"{ARROW}' for name, word in zip(names, words, strict=False))
    return f"{known}{names[len(words)]}:"


def option_text(word: str) -> str:
    """An answer as it would stand after :func:`translation_prompt`: quoted, the closing quote its terminator."""
    return f'"{without_plain_quotes(word)}{TERMINATOR}'


def answer_prompt(prompt: str) -> str:
    """A prompt as it is put for generation: with the answer's opening quote.

    Small base models without it leave the pattern and begin a new paragraph; with it they answer.
    """
    return f'{prompt}"'


def without_plain_quotes(word: str) -> str:
    """A word as it can stand between plain quotes: gershayim between Hebrew letters, elsewhere a closing quote."""
    return _GERSHAYIM.sub("\u05f4", word).replace('"', "”")


def _after_opening(text: str) -> str:
    rest = text.lstrip(" \t")
    return rest[1:] if rest[:1] and rest[0] in _OPENING else rest
