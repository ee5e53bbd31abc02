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
    ("text", "expected"),
    [("猫は水を飲む", "cat は water を飲む"), ("子猫", "kitten"), ("犬", None)],
)
def test_text_without_spaces_is_cut_longest_word_first(text: str, expected: str | None) -> None:
    assert gloss(text, {"猫": "cat", "子猫": "kitten", "水": "water"}, spaced=False) == expected


def test_word_list_holds_the_lexicons_first_translations() -> None:
    words = word_list(load_cldr(), parse("ar"), parse("en"))
    assert words["قطة"] == "cat"
    assert len(words) > 1000  # names of several words too
