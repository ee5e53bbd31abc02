from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from linguabridge.families import are_kin, family, family_path, tree_distance
from linguabridge.languages import PAPER_LANGUAGES, Language, parse, script
from linguabridge.lexicons import load_cldr

# From encyclopaedias, not from the data file.
FAMILIES = {
    "Indo-European": "en de nl is es pt fr it ro ca ast la ru uk pl cs bg sr lt lv el hy sq ga cy hi ur bn ne fa ku tg",
    "Afro-Asiatic": "ar he am ti mt ha so om kab tzm arz",
    "Uralic": "fi et hu se vro",
    "Austronesian": "id ms tl jv su ceb ilo mi haw mg min sm",
    "Atlantic-Congo": "sw zu xh rw rn yo ig wo ak ff ln ng",
    "Sino-Tibetan": "zh zh-Hant yue wuu hak my bo dz mni",
    "Turkic": "tr az kk ky uz ug tt cv",
    "Mongolian": "mn",
    "Dravidian": "ta te kn ml",
    "Austro-Asiatic": "vi km sat",
    "Tai-Kadai": "th lo shn",
    "Kartvelian": "ka",
    "Abkhaz-Adyghe": "ab",
    "Nakh-Daghestanian": "ce av",
    "Japonic": "ja ryu",
    "Koreanic": "ko",
    "Basque": "eu",
    "Eskimo-Aleut": "kl ik",
    "Iroquoian": "chr",
    "Mayan": "quc",
    "Quechuan": "qu",
    "Aymaran": "ay",
    "Tupi": "gn",
    "Mande": "bm",
    "Nilotic": "luo din nus",
    "Saharan": "kr",
    "Songhai": "dje",
}


def read(path: Path) -> dict[tuple[str, str], float]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    return {(row[0], to): float(value) for row in rows for to, value in zip(header[1:], row[1:], strict=True)}


@pytest.mark.parametrize("name", FAMILIES)
def test_languages_are_in_the_families_of_the_textbooks(name: str) -> None:
    assert {code: family(parse(code)) for code in FAMILIES[name].split()} == dict.fromkeys(FAMILIES[name].split(), name)


def test_path_goes_from_the_widest_group_to_the_narrowest() -> None:
    assert family_path(parse("it")) == ("Indo-European", "Italic", "Romance")
    assert family_path(parse("en")) == ("Indo-European", "Germanic", "West Germanic")
    assert family_path(parse("sw")) == ("Atlantic-Congo", "Bantu")
    assert family_path(parse("fi")) == ("Uralic", "Finno-Ugrian", "Finnic")
    assert family_path(parse("tl")) == ("Austronesian", "Malayo-Polynesian", "Philippine")


@pytest.mark.parametrize(
    "code", ["eo", "ia", "ht", "pcm", "tpi", "pap", "kea", "cbk", "sth", "wbp", "x-foo", "qaa", "ase"]
)
def test_constructed_mixed_and_unknown_languages_are_in_no_family(code: str) -> None:
    assert family_path(parse(code)) == ()
    assert family(parse(code)) is None


@pytest.mark.parametrize(
    ("variant", "plain"),
    [("pt-PT", "pt"), ("sr-Latn", "sr"), ("zh-Hant-HK", "zh"), ("en-AU", "en"), ("sw-KE", "sw"), ("ar-Latn", "ar")],
)
def test_variants_are_in_the_family_of_the_language_itself(variant: str, plain: str) -> None:
    assert family_path(parse(variant)) == family_path(parse(plain)) != ()


@pytest.mark.parametrize(
    "form", ["fil", "tgl_Latn", "nb", "nob_Latn", "pbt", "iw", "cmn", "arb_Arab", "kmr_Latn", "swc"]
)
def test_every_form_of_a_code_has_its_family(form: str) -> None:
    assert family_path(parse(form)) != ()


def test_private_use_code_is_no_language_whose_code_follows() -> None:
    assert family_path(parse("x-pt")) == ()
    assert tree_distance(parse("x-pt"), parse("x-foo")) is None


def test_only_two_languages_of_the_lexicon_have_no_family() -> None:
    # Interlingua is constructed, Nigerian Pidgin a creole.
    assert [one.code for one in load_cldr().languages() if not family_path(one)] == ["ia", "pcm"]


def test_no_name_says_that_it_is_a_group_or_a_region() -> None:
    names = {name for one in load_cldr().languages() for name in family_path(one)}
    assert len(names) > 40
    assert not [name for name in names if "languages" in name or "(" in name or not name[0].isupper()]
    assert names.isdisjoint({"Altaic", "Caucasian", "Nilo-Saharan", "Niger-Kordofanian", "Multiple"})


def test_paper_has_seven_families() -> None:
    # 15 languages of 7 families; four of them have several.
    found = Counter(family(parse(code)) for code in PAPER_LANGUAGES)
    assert found == {
        "Indo-European": 6,
        "Afro-Asiatic": 2,
        "Uralic": 2,
        "Austronesian": 2,
        "Sino-Tibetan": 1,
        "Japonic": 1,
        "Atlantic-Congo": 1,
    }


def test_families_are_those_of_uriel(shared_data: Callable[[str], Path]) -> None:
    for (first, second), distance in read(shared_data("lang2vec/genetic.tsv")).items():
        kin = family(parse(first)) == family(parse(second))
        assert kin == (distance < 1), (first, second)
        assert (tree_distance(parse(first), parse(second)) == 1) == (not kin)


def test_tree_distance_goes_with_uriels(shared_data: Callable[[str], Path]) -> None:
    from scipy.stats import spearmanr

    genetic = read(shared_data("lang2vec/genetic.tsv"))
    pairs = list(itertools.combinations(PAPER_LANGUAGES, 2))
    ours = [tree_distance(parse(first), parse(second)) for first, second in pairs]
    theirs = [genetic[pair] for pair in pairs]
    kin = [i for i, distance in enumerate(theirs) if distance < 1]
    assert len(kin) == 18  # 6 languages of one family, and three pairs
    assert spearmanr(ours, theirs).statistic > 0.95
    assert spearmanr([ours[i] for i in kin], [theirs[i] for i in kin]).statistic > 0.7


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("en", "en", 0.0),
        ("pt", "pt-PT", 0.0),
        ("ht", "ht", 0.0),
        ("en", "de", 1 - 2 * 3 / 8),  # three groups and itself, twice; the three are shared
        ("en", "sv", 1 - 2 * 2 / 8),
        ("en", "fr", 1 - 2 * 1 / 8),
        ("en", "el", 1 - 2 * 1 / 7),  # Indo-European, Greek, el
        ("sw", "yo", 1 - 2 * 1 / 5),
        ("id", "tl", 1 - 2 * 2 / 7),
        ("en", "fi", 1.0),
        ("ko", "ja", 1.0),
        ("tr", "mn", 1.0),
        ("en", "eo", None),
        ("x-foo", "en", None),
    ],
)
def test_tree_distance_by_hand(first: str, second: str, distance: float | None) -> None:
    assert tree_distance(parse(first), parse(second)) == pytest.approx(distance)
    assert tree_distance(parse(second), parse(first)) == pytest.approx(distance)


def test_tree_distance_is_a_tree() -> None:
    # Of any three languages, the two smallest shares of the tree are the same: two relatives leave the third together.
    languages = [parse(code) for code in (*PAPER_LANGUAGES, "sv", "nn", "ru", "uk", "hi", "fa", "el", "zu", "yo", "et")]

    def shared(one: Language, other: Language) -> float:
        distance = tree_distance(one, other)
        assert distance is not None
        return (1 - distance) * (len(family_path(one)) + len(family_path(other)) + 2) / 2

    for one, other, third in itertools.combinations(languages, 3):
        least, middle, _ = sorted((shared(one, other), shared(one, third), shared(other, third)))
        assert least == pytest.approx(middle)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *[(code, "Latn") for code in ("en", "sw", "sr-Latn", "pt-PT", "ar-Latn", "vi")],
        *[(code, "Arab") for code in ("ar", "fa", "acm", "azb", "pa-PK")],
        *[(code, "Cyrl") for code in ("ru", "sr", "uz-Cyrl", "mn")],
        *[(code, "Deva") for code in ("hi", "ne")],
        *[(code, "Hant") for code in ("zh-TW", "zh-Hant-HK", "yue")],
        *[("zh", "Hans"), ("ja", "Jpan"), ("ko", "Kore"), ("kor_Hang", "Kore"), ("he", "Hebr"), ("th", "Thai")],
        *[("x-foo", "Zzzz"), ("qaa", "Zzzz")],
    ],
)
def test_script(code: str, expected: str) -> None:
    assert script(parse(code)) == expected


@pytest.mark.parametrize(("first", "second", "expected"), [("fi", "hu", True), ("fi", "sw", False), ("fi", "eo", None)])
def test_kin_are_of_one_family(first: str, second: str, expected: bool | None) -> None:
    assert are_kin(family_path(parse(first)), family_path(parse(second))) is expected
