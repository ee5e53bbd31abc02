"""The dictionary as a bridge: a word looked up, or a text glossed word by word."""

from __future__ import annotations

import re
from collections.abc import Mapping

from linguabridge.languages import Language
from linguabridge.lexicons import Lexicon, normalise_word

_LONGEST = 12  # characters of an entry, in text without spaces
_WORD = re.compile(r"\w+(?:['’\-]\w+)*")


def word_list(lexicon: Lexicon, source: Language, bridge: Language) -> dict[str, str]:
    """First translation of each word, by its normal form.

    Raises:
        InputError: the lexicon has nothing for this pair.
    """
    entries = lexicon.pair(source, bridge, keep_identical=True, keep_multiword=True).entries
    return {normalise_word(entry.source): entry.targets[0] for entry in entries}


def gloss(text: str, words: Mapping[str, str], *, spaced: bool) -> str | None:
    """A text with every known word replaced by its translation; other words stay as they are.

    Text without spaces is cut greedily, the longest known word first.

    Returns:
        The gloss; None where no word is known.
    """
    found = False

    def put(match: re.Match[str]) -> str:
        nonlocal found
        translation = words.get(normalise_word(match[0]))
        found = found or translation is not None
        return match[0] if translation is None else translation

    if spaced:
        glossed = _WORD.sub(put, text)
        return glossed if found else None
    parts: list[str] = []
    at = 0
    while at < len(text):
        for length in range(min(_LONGEST, len(text) - at), 0, -1):
            translation = words.get(normalise_word(text[at : at + length]))
            if translation is not None:
                parts.append(f" {translation} ")
                found = True
                break
        else:
            length = 1
            parts.append(text[at])
        at += length
    return " ".join("".join(parts).split()) if found else None
