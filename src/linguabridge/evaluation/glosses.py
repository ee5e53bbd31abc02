"""The dictionary as a bridge: a word looked up, or a text glossed word by word."""

from __future__ import annotations

from collections.abc import Mapping

import regex  # type: ignore[import-untyped]  # unlike re it knows marks, which are not in \w

from linguabridge.languages import Language
from linguabridge.lexicons import Lexicon, normalise_word

_LONGEST = 12  # characters of an entry, in text without spaces
_MOST = 4  # words of an entry, in text with spaces
_OF_WORDS = r"[\p{L}\p{M}\p{N}]"  # Indic vowels and Arabic or Hebrew points are marks
_WORD = regex.compile(rf"{_OF_WORDS}+(?:['’\-]{_OF_WORDS}+)*")
_EDGE = regex.compile(_OF_WORDS)


def word_list(lexicon: Lexicon, source: Language, bridge: Language) -> dict[str, str]:
    """First translation of each word, by its normal form.

    Raises:
        InputError: the lexicon has nothing for this pair.
    """
    entries = lexicon.pair(source, bridge, keep_identical=True, keep_multiword=True).entries
    return {normalise_word(entry.source): entry.targets[0] for entry in entries}


def gloss(text: str, words: Mapping[str, str], *, spaced: bool) -> str | None:
    """A text with every known word replaced by its translation; all else stays as it is.

    An entry may have several words, at most four in text with spaces. From left to right, the longest known one is
    taken first. Punctuation around a word belongs to none and stays.

    Returns:
        The gloss; None where no word is known.
    """
    return _spaced(text, words) if spaced else _unspaced(text, words)


def _spaced(text: str, words: Mapping[str, str]) -> str | None:
    spans: list[tuple[int, int]] = [match.span() for match in _WORD.finditer(text)]
    parts: list[str] = []
    written = first = 0  # characters of the text that are in parts, and the place of the next word
    while first < len(spans):
        start = spans[first][0]
        for last in range(min(first + _MOST, len(spans)) - 1, first - 1, -1):
            end = spans[last][1]
            translation = words.get(normalise_word(text[start:end]))
            if translation is not None:
                parts += [text[written:start], translation]
                written, first = end, last
                break
        first += 1
    return "".join([*parts, text[written:]]) if parts else None


def _unspaced(text: str, words: Mapping[str, str]) -> str | None:
    parts: list[str] = []
    found = False
    edges = [bool(_EDGE.match(character)) for character in text]
    at = 0
    while at < len(text):
        for length in range(min(_LONGEST, len(text) - at) if edges[at] else 0, 0, -1):
            if not edges[at + length - 1]:
                continue  # its normal form would be that of the word alone, and the punctuation lost
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
