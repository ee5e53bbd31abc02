from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.errors import InputError
from linguabridge.languages import PAPER_LANGUAGES, REFERENCE_ENDONYMS, parse


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *[(form, "sw") for form in ("sw", "SW", "swh", "swa", "swh_Latn", "sw-TZ", "Swahili", "kiswahili", " sw\n")],
        *[(form, "ar") for form in ("ar", "arb", "arb_Arab", "Arabic", "العربية", "عربي")],
        *[(form, "zh") for form in ("zh", "cmn", "zho_Hans", "zh-CN", "Chinese", "Mandarin", "中文")],
        *[(form, "zh-Hant") for form in ("zho_Hant", "zh-TW", "zh_Hant_TW", "Traditional Chinese", "繁體中文")],
        *[(form, "tl") for form in ("tl", "fil", "tgl", "tgl_Latn", "tl-PH", "Tagalog", "Filipino")],
        *[(form, "he") for form in ("he", "iw", "heb_Hebr", "Hebrew", "עברית", "עִברִית", "\u200fעברית")],
        *[(form, "fa") for form in ("fa", "pes", "pes_Arab", "Farsi", "Persian")],
        *[(form, "no") for form in ("no", "nb", "nob_Latn", "Norwegian", "Norsk bokmål")],
        *[(form, "pt") for form in ("pt", "pt-BR", "por_Latn", "Português")],
        *[(form, "sr") for form in ("sr", "sr_Cyrl", "srp_Cyrl")],
        *[(form, "sr-Latn") for form in ("sr-Latn", "sr_latn", "Serbian (Latin)")],
        *[(form, "id") for form in ("id", "in", "ind_Latn", "Indonesia", "Bahasa Indonesia")],
        ("pt-PT", "pt-PT"),
        ("European Portuguese", "pt-PT"),
        ("nno_Latn", "nn"),
        ("jpn_Jpan", "ja"),
        ("kor_Hang", "ko"),
        ("zsm_Latn", "ms"),
        ("ydd_Hebr", "yi"),
        ("khk_Cyrl", "mn"),
        ("pbt_Arab", "ps"),
        ("acm_Arab", "acm"),
        ("arb_Latn", "ar-Latn"),
        ("zh-HK", "zh-Hant-HK"),
        ("pa-PK", "pa-Arab"),
        ("sw-KE", "sw-KE"),
        ("en-u-ca-buddhist", "en"),
        ("ｓｗ", "sw"),
    ],
)
def test_every_usual_form_leads_to_one_code(text: str, code: str) -> None:
    assert parse(text).code == code


def test_reference_endonyms_cover_the_papers_languages_and_lead_back_to_them() -> None:
    assert set(REFERENCE_ENDONYMS) == set(PAPER_LANGUAGES)
    assert [parse(REFERENCE_ENDONYMS[code]).code for code in PAPER_LANGUAGES] == list(PAPER_LANGUAGES)


def test_tagalog_has_its_own_name() -> None:
    language = parse("fil")
    assert (language.name, language.endonym) == ("Tagalog", "Tagalog")


@pytest.mark.parametrize(
    ("code", "endonym"), [("de", "Deutsch"), ("he", "עברית"), ("sw", "Kiswahili"), ("zh", "中文"), ("ja", "日本語")]
)
def test_endonym_is_what_speakers_call_their_language(code: str, endonym: str) -> None:
    assert parse(code).endonym == endonym


def test_direction_and_spacing_follow_the_script() -> None:
    codes = ("ar", "he", "fa", "ur", "yi", "dv", "pa-Arab", "acm", "pa", "tr", "en", "ar-Latn", "ja")
    assert {code for code in codes if parse(code).rtl} == {"ar", "he", "fa", "ur", "yi", "dv", "pa-Arab", "acm"}
    unspaced = ("zh", "zh-Hant", "yue", "ja", "th", "lo", "km", "my", "bo", "ko", "vi", "hi", "am", "id")
    assert {code for code in unspaced if not parse(code).spaced} == set(unspaced) - {"ko", "vi", "hi", "am", "id"}


@pytest.mark.parametrize("text", ["x-foo", "qaa", "x-my-own"])
def test_private_code_is_a_language_named_by_its_code(text: str) -> None:
    language = parse(text)
    assert (language.code, language.name, language.endonym) == (text, text, text)


@pytest.mark.parametrize(
    ("text", "guess"),
    [("swahilli", "sw (Swahili)"), ("Germn", "de (German)"), ("jp", "ja (Japanese)"), ("cz", "cs (Czech)")],
)
def test_unknown_language_names_the_nearest(text: str, guess: str) -> None:
    with pytest.raises(InputError, match=r"`linguabridge languages` lists all") as caught:
        parse(text)
    assert f"'{text}': did you mean {guess}" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", " ", "und", "root", "zxx", "zz", "x-", "sw_Latnn", "\0", "\ud800", "(", "a" * 10**6, "😀", "sw\0"]
)
def test_what_is_no_language_is_refused_in_one_short_sentence(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert len(str(caught.value)) < 250
    str(caught.value).encode()  # printable whatever was given


@given(st.text(alphabet=st.characters(codec=None), max_size=30))
def test_any_text_is_a_language_or_an_input_error(text: str) -> None:
    try:
        language = parse(text)
    except InputError:
        return
    assert parse(language.code) == language


def test_codes_are_those_of_the_dictionaries_and_data_sets(shared_data: Callable[[str], Path]) -> None:
    dictionaries = {part for path in shared_data("muse").glob("*-*.5000-6500.txt") for part in path.name[:5].split("-")}
    assert dictionaries >= {"en", "tl", "zh"}
    assert {code: parse(code).code for code in dictionaries} == {code: code for code in dictionaries}
    flores = [path.stem for path in shared_data("flores200/dev").glob("*.dev")]
    assert len(flores) == 27
    assert not [form for form in flores if "-" in parse(form).code]  # each is its language's usual script


@pytest.mark.parametrize("text", ["Deutschh", "klingonesque", "Moroccanish", "Swahilii"])
def test_the_beginning_of_a_word_is_no_name(text: str) -> None:
    with pytest.raises(InputError, match="Unknown language"):
        parse(text)


@pytest.mark.parametrize(("text", "code"), [("Hakka Chinese", "hak"), ("Swahili language", "sw"), ("Arabisch", "ar")])
def test_a_name_with_more_words_is_one(text: str, code: str) -> None:
    assert parse(text).code == code
