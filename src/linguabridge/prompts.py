"""Prompts for word translation: ``{source}:"{word}"→{target}:``, names of languages being their endonyms."""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge.languages import REFERENCE_ENDONYMS, Language

ARROW = "→"
TERMINATOR = '"'  # closes an answer, and counts in its likelihood
MAX_ANSWER_TOKENS = 30
STOPS = ('"', "”", "“", "«", "»", "„", "「", "」", ",", "،", "，", "、", ARROW, "\n")


_OPENING = "“„«»「"  # some models open a quote in their language's own style once more


def endonym(language: Language, *, reference: bool = False) -> str:
    """What a prompt calls a language: its endonym, in reference mode as the published code spells it."""
    return REFERENCE_ENDONYMS.get(language.code, language.endonym) if reference else language.endonym


def translation_prompt(names: Sequence[str], words: Sequence[str]) -> str:
    """The prompt that asks for the next word of a chain.

    Args:
        names: endonyms of the languages on the way, source first, target last; one more than ``words``.
        words: the source word, then the bridge word if there is a bridge.

    Returns:
        For example ``العربية:"قطة"→English:"cat"→עברית:``.
    """
    known = "".join(f'{name}:"{word}"{ARROW}' for name, word in zip(names, words, strict=False))
    return f"{known}{names[len(words)]}:"


def option_text(word: str) -> str:
    """An answer as it would stand after :func:`translation_prompt`: quoted, the closing quote its terminator."""
    return f'"{word}{TERMINATOR}'


def answer_prompt(prompt: str) -> str:
    """A prompt as it is put for generation: with the answer's opening quote.

    Small base models without it leave the pattern and begin a new paragraph; with it they answer.
    """
    return f'{prompt}"'


def answer_is_complete(text: str) -> bool:
    """Whether a generated text holds an answer and its end, so that nothing more need be generated.

    Args:
        text: what the model wrote after :func:`answer_prompt`.
    """
    rest = _after_opening(text)
    return any(stop in rest for stop in STOPS)


def first_answer(text: str) -> str:
    """The word a model answered: what stands before the first closing quote, comma, arrow or line end.

    All words before that end are kept (the published code keeps the first only). The prompt has opened the quote
    already, so a text that begins with a plain quote or a line end is an empty answer.

    Args:
        text: what the model wrote after :func:`answer_prompt`.
    """
    rest = _after_opening(text)
    end = min((at for at in (rest.find(stop) for stop in STOPS) if at >= 0), default=len(rest))
    return rest[:end].strip()


def _after_opening(text: str) -> str:
    rest = text.lstrip(" \t")
    return rest[1:] if rest[:1] and rest[0] in _OPENING else rest
