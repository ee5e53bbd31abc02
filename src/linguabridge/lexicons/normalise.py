"""When two words count as the same, and when a string counts as one word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# Hebrew points and cantillation, without the punctuation among them (maqaf U+05BE, paseq, sof pasuq, nun hafukha).
_HEBREW = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
# Arabic harakat, Quranic signs and tatweel. Hamza and madda (U+0653 to U+0655) spell other letters: they stay.
_ARABIC = "\u0610-\u061a\u0640\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
# Soft hyphen, marks of writing direction, byte-order mark: they are not seen and spell nothing. The joiners
# U+200C and U+200D do spell something (Persian, Indic scripts), and stay.
_UNSEEN = "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_DROPPED = re.compile(f"[{_HEBREW}{_ARABIC}{_UNSEEN}]")

# Quotes and apostrophes that stand within words, by the signs of a plain keyboard: צה״ל is צה"ל, l’eau is l'eau.
_QUOTES = str.maketrans({"\u05f4": '"', "\u201c": '"', "\u201d": '"', "\u05f3": "'", "\u2018": "'", "\u2019": "'"})

_SEPARATORS = frozenset("\u200b\u30fb:;,/()、،؛")  # beside white space; U+200B parts words in Khmer and Thai
_HAN = re.compile("[\u3005\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3040-\u30ff]+")

# Longest strings taken for one word where words are not parted by spaces, in characters.
LONGEST_HAN = 4
LONGEST_KANA = 8
LONGEST_UNSPACED = 12

_REMEMBERED = 2**16  # strings; a study asks for the same few ten thousand names hundreds of thousands of times


@lru_cache(_REMEMBERED)
def normalise_word(text: str) -> str:
    """Bring a word to the form in which two spellings of it are equal.

    NFKC and case folding; quotes and apostrophes within a word made plain; Hebrew points, Arabic vowel signs, tatweel
    and characters that are not seen off; punctuation and white space around the word off, and one blank for any white
    space in it. Other scripts' combining marks stay: they tell words apart. This is what "equal to a gold translation"
    means throughout the project.

    Args:
        text: a word, an answer, a phrase.

    Returns:
        The normal form; empty where the text has nothing but punctuation and white space.
    """
    return normalise_line(text)


def normalise_line(text: str) -> str:
    """:func:`normalise_word` of a whole line, which is not remembered: lines are long, and come once."""
    previous = None
    while text != previous:  # folding can undo NFKC and the other way round; two rounds settle nearly all words
        previous = text
        text = unicodedata.normalize("NFKC", text).casefold().translate(_QUOTES)
        text = unicodedata.normalize("NFKC", _DROPPED.sub("", text))
        text = _without_surroundings(" ".join(text.split()))
    return text


def is_among(text: str, words: Iterable[str]) -> bool:
    """Whether a text and one of some words are the same word."""
    return normalise_word(text) in map(normalise_word, words)


@lru_cache(_REMEMBERED)
def is_one_word(text: str, *, spaced: bool) -> bool:
    """Tell whether a string is one word.

    More than one: anything with white space, a colon, comma, slash, parenthesis or middle dot inside. Languages
    written without spaces give no such sign, so length decides: at most 4 characters where one of them is Han
    (``LONGEST_HAN``), 8 in kana alone (``LONGEST_KANA``, loanwords are long), 12 in Thai, Lao, Khmer, Burmese and other
    scripts (``LONGEST_UNSPACED``).

    Args:
        text: the string, as listed in a lexicon.
        spaced: whether its language is written with spaces between words.

    Returns:
        True for one word; False for several, and for none.
    """
    word = _without_surroundings(unicodedata.normalize("NFKC", text).strip())
    if not word or any(c.isspace() or c in _SEPARATORS for c in word):
        return False
    if spaced:
        return True
    if _HAN.search(word):
        return len(word) <= LONGEST_HAN
    return len(word) <= (LONGEST_KANA if _KANA.fullmatch(word) else LONGEST_UNSPACED)


def _without_surroundings(text: str) -> str:
    start, end = 0, len(text)
    while start < end and _is_surrounding(text[start]):
        start += 1
    while end > start and _is_surrounding(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_surrounding(character: str) -> bool:
    return unicodedata.category(character)[0] in "PZ" or character.isspace()
