"""The dictionary as a bridge."""

from __future__ import annotations

import pytest

from linguabridge.evaluation.glosses import gloss, word_list
from linguabridge.languages import parse
from linguabridge.lexicons import load_cldr

WORDS = {"paka": "cat", "maji": "water", "mti wa": "tree of"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paka anakunywa maji.", "cat anakunywa water."),
        ("paka-maji, paka!", "paka-maji, cat!"),
        ("mbwa", None),
        ("", None),
    ],
)
def test_known_words_are_replaced_and_others_stay(text: str, expected: str | None) -> None:
    assert gloss(text, WORDS, spaced=True) == expected


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("हिन्दी भाषा।", {"हिन्दी": "Hindi", "भाषा": "language"}, "Hindi language।"),
        ("قِطَّةٌ", {"قطة": "cat"}, "cat"),  # marks are part of a word, and off in its normal form
        ("Cafe\u0301!", {"café": "coffee"}, "coffee!"),  # é in two characters
        ("a_b", {"a": "one", "b": "two"}, "one_two"),
    ],
)
def test_words_have_letters_marks_and_numbers(text: str, words: dict[str, str], expected: str) -> None:
    assert gloss(text, words, spaced=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("El gato", "the cat"),
        ("«El  gato\nnegro», el gato.", "«the black cat», the cat."),  # the longest run first
        ("el, gato", "the, gato"),
        ("el gato de la casa", "the cat de la casa"),  # five words are no entry
        ("el rey de Roma", "king"),  # four are
        ("St. Lucia es el", "Saint Lucia es the"),
    ],
)
def test_entries_of_several_words_are_known_too(text: str, expected: str) -> None:
    words = {
        "el": "the",
        "el gato": "the cat",
        "el gato negro": "the black cat",
        "el gato de la casa": "house cat",
        "el rey de roma": "king",
        "st. lucia": "Saint Lucia",
    }
    assert gloss(text, words, spaced=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("猫は水を飲む", "cat は water を飲む"),
        ("子猫", "kitten"),
        ("鳥", None),
        ("。、", None),
        ("猫、犬。「水」を", "cat 、 dog 。「 water 」を"),  # punctuation around a word stays
    ],
)
def test_text_without_spaces_is_cut_longest_word_first(text: str, expected: str | None) -> None:
    assert gloss(text, {"猫": "cat", "子猫": "kitten", "水": "water", "犬": "dog"}, spaced=False) == expected


def test_word_list_holds_the_lexicons_first_translations() -> None:
    words = word_list(load_cldr(), parse("ar"), parse("en"))
    assert words["قطة"] == "cat"
    assert len(words) > 1000  # names of several words too
