"""Prompts as they are written, and answers as they are read."""

from __future__ import annotations

import pytest

from linguabridge.languages import PAPER_LANGUAGES, parse
from linguabridge.prompts import (
    WORD,
    Ending,
    Prompt,
    answer_prompt,
    endonym,
    option_text,
    translation_prompt,
)


def test_prompt_asks_directly_or_through_a_bridge() -> None:
    assert translation_prompt(["العربية", "עברית"], ["قطة"]) == 'العربية:"قطة"→עברית:'
    assert translation_prompt(["العربية", "English", "עברית"], ["قطة", "cat"]) == 'العربية:"قطة"→English:"cat"→עברית:'


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ('צה"ל', "צה״ל"),
        ('צַהַ"ל', "צַהַ״ל"),
        ('דו"ח צה"ל', "דו״ח צה״ל"),
        ('5" nail', "5” nail"),
        ('the "best"', "the ”best”"),
        ('"שלום"', "”שלום”"),  # quotes around a Hebrew word are no gershayim
        ('של"5', "של”5"),
        ('דרום־"מזרח', "דרום־”מזרח"),  # after a hyphen
        ('"', "”"),
        ("l'eau", "l'eau"),
    ],
)
def test_quote_in_a_word_does_not_end_it(word: str, written: str) -> None:
    assert translation_prompt(["עברית", "English"], [word]) == f'עברית:"{written}"→English:'
    through = translation_prompt(["English", "עברית", "Deutsch"], ["cat", word])
    assert through == f'English:"cat"→עברית:"{written}"→Deutsch:'


def test_option_is_quoted_and_the_prompt_for_an_answer_opens_the_quote() -> None:
    prompt = translation_prompt(["English", "Deutsch"], ["cat"])
    assert prompt + option_text("Katze") == 'English:"cat"→Deutsch:"Katze"'
    assert answer_prompt(prompt) == 'English:"cat"→Deutsch:"'


@pytest.mark.parametrize(
    ("text", "answer", "complete"),
    [
        ('maji"→Deutsch:"Wasser"', "maji", True),
        ('"maji"', "", True),  # the prompt has opened the quote: this closes it
        ("“maji” na", "maji", True),
        ("„Wasser“ und", "Wasser", True),
        ("«eau» et", "eau", True),
        ("「水」です", "水", True),
        ("maji, dunia", "maji", True),
        ("ماء، بحر", "ماء", True),
        ("水，海", "水", True),
        ("水、海", "水", True),
        ("maji→Deutsch", "maji", True),
        ("maji\nEnglish:", "maji", True),
        ('ice cream"', "ice cream", True),  # all words, not the first only
        ('  maji  "', "maji", True),
        ("l'eau\"", "l'eau", True),
        ("maji", "maji", False),
        ("ice cream", "ice cream", False),
        ("\n\nmaji", "", True),
        ("“maji", "maji", False),
        ("", "", False),
        ('"', "", True),
        ('" "', "", True),
        (", maji", "", True),
    ],
)
def test_word_ends_at_the_first_quote_comma_arrow_or_line_end(text: str, answer: str, complete: bool) -> None:
    assert WORD.cut(text) == answer
    assert WORD.reached(text) == complete


@pytest.mark.parametrize("text", ['maji"→Deutsch', '“maji” na "dunia"', "ماء، بحر", "水\n\n海"])
def test_answer_is_the_same_as_soon_as_it_is_complete(text: str) -> None:
    grown = next(text[:n] for n in range(len(text) + 1) if WORD.reached(text[:n]))
    assert WORD.cut(grown) == WORD.cut(text)


def test_languages_are_called_by_their_own_names() -> None:
    assert [endonym(parse(code)) for code in ("de", "fr", "sw", "he")] == ["Deutsch", "français", "Kiswahili", "עברית"]


def test_reference_mode_spells_names_as_the_published_code() -> None:
    written = (
        "English 中文 日本語 عربي עִברִית Indonesia Tagalog suomi magyar kiswahili Deutsch Français Italiano Português"
    )
    assert [endonym(parse(code), reference=True) for code in PAPER_LANGUAGES] == [*written.split(), "Español"]


def test_reference_mode_falls_back_to_the_endonym() -> None:
    assert endonym(parse("pl"), reference=True) == endonym(parse("pl")) == "polski"


def test_line_ends_at_a_line_end_after_its_first_word() -> None:
    line = Ending(("\n",), max_new_tokens=9)
    assert not line.reached("\n\n ")
    assert not line.reached(" maji")
    assert line.reached(" maji\nna")
    assert line.cut("\n maji na dunia \nEnglish:") == "maji na dunia"
    assert line.cut('"maji"') == '"maji"'  # no quote was opened, so none ends it


def test_prompt_is_written_with_the_start_of_its_answer() -> None:
    assert Prompt("Deutsch:", '"').written == 'Deutsch:"'
