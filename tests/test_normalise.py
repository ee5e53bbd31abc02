from __future__ import annotations

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.lexicons.normalise import is_one_word, normalise_word

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=20)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Katze", "katze"),
        ("„Katze“.", "katze"),
        ("  two \t words\n", "two words"),
        ("Straße", "STRASSE"),
        ("ｓｗａ", "swa"),
        ("ﬁn", "fin"),
        ("שָׁלוֹם", "שלום"),
        ("שׁלום", "שלום"),
        ("كِتَابٌ", "كتاب"),
        ("كتــاب", "كتاب"),
        ("«كتاب»؟", "كتاب"),
        ("中文。", "中文"),
        ("\u200fעברית\u200f", "עברית"),
        ("e\u0301tude", "étude"),
        ("co\u00adop", "coop"),
    ],
)
def test_spellings_of_one_word_are_equal(text: str, same: str) -> None:
    assert normalise_word(text) == normalise_word(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ano", "año"),
        ("mucha", "műcha"),
        ("ハハ", "パパ"),
        ("กา", "ก่า"),
        ("कमल", "कमाल"),
        ("آب", "اب"),
        ("أمل", "امل"),
        ("o'clock", "oclock"),
        ("yo-yo", "yoyo"),
    ],
)
def test_marks_that_tell_words_apart_stay(one: str, other: str) -> None:
    assert normalise_word(one) != normalise_word(other)


@pytest.mark.parametrize("text", ["", "  ", "...", "-", "«»", "\u200b"])
def test_punctuation_alone_is_no_word(text: str) -> None:
    assert normalise_word(text) == ""
    assert not is_one_word(text, spaced=True)


@given(ANY_TEXT)
def test_normal_form_is_its_own_normal_form(text: str) -> None:
    once = normalise_word(text)
    assert normalise_word(once) == once


@given(ANY_TEXT, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_unicode_form_does_not_matter(text: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> None:
    assert normalise_word(unicodedata.normalize(form, text)) == normalise_word(text)


@given(ANY_TEXT)
def test_normal_form_has_no_punctuation_around_it(text: str) -> None:
    word = normalise_word(text)
    assert all(unicodedata.category(c)[0] not in "PZ" for c in word[:1] + word[-1:])


@pytest.mark.parametrize(
    ("text", "spaced", "one"),
    [
        ("house", True, True),
        ("house.", True, True),
        ("ice cream", True, False),
        ("ice\u00a0cream", True, False),
        ("man: beard", True, False),
        ("t-shirt", True, True),
        ("קופסה", True, True),
        ("向日葵", False, True),
        ("左花括号", False, True),
        ("开式花括号", False, False),
        ("男:胡子", False, False),
        ("さくらんぼ", False, True),
        ("チョコレート", False, True),
        ("クリスマスのツリーだ", False, False),
        ("メリー・クリスマス", False, False),
        ("ヤシの木", False, True),
        ("กล้วย", False, True),
        ("ក\u200bខ", False, False),
        ("กล้องถ่ายรูปที่มีแฟลช", False, False),
    ],
)
def test_one_word_or_several(text: str, spaced: bool, one: bool) -> None:
    assert is_one_word(text, spaced=spaced) is one


def test_quotes_within_words_are_plain() -> None:
    assert normalise_word("צה״ל") == normalise_word('צה"ל') == 'צה"ל'
    assert normalise_word("l’eau") == normalise_word("l'eau") == "l'eau"
