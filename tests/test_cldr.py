from __future__ import annotations

import csv
import importlib.util
import json
import lzma
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from linguabridge.errors import InputError
from linguabridge.languages import PAPER_LANGUAGES, Language, parse
from linguabridge.lexicons import is_symbol, load_cldr

REPOSITORY = Path(__file__).parent.parent


def tsv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def letters(text: str, script: str) -> bool:
    return any(unicodedata.name(c, "").startswith(script) for c in text)


def test_names_agree_with_cldr_on_every_concept_of_the_papers_languages(shared_data: Callable[[str], Path]) -> None:
    rows = tsv(shared_data("cldr/all_names.tsv"))
    assert len(rows) == 1964
    shared: set[str] = set(load_cldr().names(parse("en")))
    for code in PAPER_LANGUAGES:
        names = load_cldr().names(parse(code))
        assert {row["emoji"]: row[code] for row in rows}.items() <= names.items()
        shared &= names.keys()
    assert shared == {row["emoji"] for row in rows}


def test_two_concepts_have_no_swahili_name() -> None:
    # Why all_names.tsv has 1,964 rows where the other languages have 1,966 names.
    english, swahili = (load_cldr().names(parse(code)) for code in ("en", "sw"))
    assert (len(english), len(swahili)) == (1966, 1964)
    assert len(english.keys() - swahili.keys()) == 2


def test_symbols_among_the_one_word_concepts_are_unicodes(shared_data: Callable[[str], Path]) -> None:
    # Unicode's own categories tell pictures (So; Cn where Python is older than the emoji) from signs here.
    concepts = [row["emoji"] for row in tsv(shared_data("cldr/concepts.tsv"))]
    assert len(concepts) == 199
    signs = {concept for concept in concepts if unicodedata.category(concept[0]) not in {"So", "Cn"}}
    assert {concept for concept in concepts if is_symbol(concept)} == signs == set(",¬~∫∶∷≻¢₢₤₱₨﷼")


@pytest.mark.parametrize("concept", [*"{,←∑≤€°'©🏻➕⇏▪", "1⃣"])
def test_signs_are_symbols(concept: str) -> None:
    assert is_symbol(concept)


@pytest.mark.parametrize("concept", ["🐶", "☀", "⌚", "⭐", "✂", "👩‍🏫", "🫎", "🀄"])
def test_pictures_are_not_symbols(concept: str) -> None:
    assert not is_symbol(concept)


def test_a_word_pair_is_what_two_languages_call_the_same_thing() -> None:
    entries = {entry.concept: entry for entry in load_cldr().pair(parse("ar"), parse("he")).entries}
    assert (entries["🔑"].source, entries["🔑"].targets) == ("مفتاح", ("מפתח",))
    assert not any(is_symbol(concept) for concept in entries)
    assert not any(" " in entry.source + "".join(entry.targets) for entry in entries.values())


def test_every_entry_is_usable_or_counted_as_left_out() -> None:
    for source, target in (("ar", "he"), ("id", "tl"), ("zh", "ja"), ("en", "sw")):
        pair = load_cldr().pair(parse(source), parse(target))
        assert len(pair.entries) + pair.n_identical + pair.n_multiword == pair.n_all
        everything = load_cldr().pair(parse(source), parse(target), keep_identical=True, keep_multiword=True)
        assert len(everything.entries) == pair.n_all == everything.n_all


def test_reversed_pair_has_the_same_words() -> None:
    forth = load_cldr().pair(parse("fi"), parse("hu"), keep_identical=True, keep_multiword=True)
    back = load_cldr().pair(parse("hu"), parse("fi"), keep_identical=True, keep_multiword=True)
    assert {entry.source.casefold() for entry in back.entries} >= {
        entry.targets[0].casefold() for entry in forth.entries if entry.targets[0].isalpha()
    }


def test_regional_variant_takes_over_what_it_does_not_name_itself() -> None:
    portugal, brazil = (load_cldr().names(parse(code)) for code in ("pt-PT", "pt"))
    assert portugal.keys() == brazil.keys()
    assert (portugal["🚆"], brazil["🚆"]) == ("comboio", "trem")
    assert portugal["🏠"] == brazil["🏠"] == "casa"
    assert load_cldr().names(parse("es-AR")) == load_cldr().names(parse("es-419"))  # by CLDR's list of parents
    assert load_cldr().names(parse("de-AT")) == load_cldr().names(parse("de"))


def test_another_script_takes_over_nothing() -> None:
    assert not any(letters(name, "CYRILLIC") for name in load_cldr().names(parse("sr-Latn")).values())
    assert not any(letters(name, "GURMUKHI") for name in load_cldr().names(parse("pa-Arab")).values())
    with pytest.raises(InputError, match="uz-Cyrl"):
        load_cldr().names(parse("uz-Cyrl"))


def test_languages_are_listed_under_the_codes_that_parse_gives() -> None:
    languages = load_cldr().languages()
    assert len(languages) == 160
    assert languages == sorted(languages)
    assert {language.code for language in languages} >= {*PAPER_LANGUAGES, "zh-Hant", "pt-PT", "sr-Latn", "no", "nn"}
    assert all(load_cldr().names(language) for language in languages)


def test_what_cldr_does_not_cover_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"names nothing in x-foo .* --lexicon FILE\.tsv"):
        load_cldr().pair(parse("ar"), parse("x-foo"))
    with pytest.raises(InputError, match=r"nothing in both Tatar \(4 names\)"):
        load_cldr().pair(parse("tt"), parse("ceb"))
    with pytest.raises(InputError, match="name two languages"):
        load_cldr().pair(parse("ar"), parse("arb_Arab"))


def test_data_file_says_where_it_is_from_and_under_which_licence() -> None:
    content = json.loads(lzma.decompress((REPOSITORY / "src/linguabridge/data/cldr.json.xz").read_bytes()))
    assert "48.2.0" in content["header"]["source"]
    assert content["header"]["licence"].startswith("Unicode-3.0")
    for code, locale in content["locales"].items():
        own = locale["names"].split("\n")
        assert len(own) == len(content["concepts"])
        assert sum(map(bool, own)) == locale["own"] > 0
        assert parse(locale["locale"]).code == code


def test_changing_the_names_given_does_not_change_the_lexicon() -> None:
    swahili: Language = parse("sw")
    load_cldr().names(swahili).clear()
    assert len(load_cldr().names(swahili)) == 1964


@pytest.fixture
def build_cldr() -> ModuleType:
    path = REPOSITORY / "scripts" / "build_cldr.py"
    spec = importlib.util.spec_from_file_location("build_cldr", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_package(folder: Path, version: str, locales: dict[str, dict[str, list[str]]]) -> Path:
    for locale, names in locales.items():
        own = {char: {"default": ["x"], "tts": tts} for char, tts in names.items()}
        (folder / "annotations" / locale).mkdir(parents=True)
        text = json.dumps({"annotations": {"identity": {}, "annotations": own}})
        (folder / "annotations" / locale / "annotations.json").write_text(text, "utf-8")
    (folder / "package.json").write_text(json.dumps({"version": version}))
    return folder


def test_build_keeps_own_names_under_our_codes(build_cldr: ModuleType, tmp_path: Path) -> None:
    locales = {
        "en": {"🐶": ["dog face"], "🐱": ["cat"]},
        "fil": {"🐶": ["aso"]},
        "so": {"🐶": ["cut", "in two"], "🐱": ["bisad"]},
        "ckb": {},
        "pt": {"🐱": ["gato"]},
        "pt-PT": {"🐶": ["cão"]},
    }
    names = build_cldr.read_names(made_package(tmp_path, "48.2.0", locales))
    packed = build_cldr.build(names, {"pt-AO": "pt-PT", "nn": "no", "hi-Latn": "en-IN", "zh-Hant": "und"})
    content = json.loads(lzma.decompress(packed))
    assert content["concepts"] == ["🐶", "🐱"]
    texts = {code: locale["names"] for code, locale in content["locales"].items()}
    assert texts == {"en": "dog face\ncat", "tl": "aso\n", "so": "\nbisad", "pt": "\ngato", "pt-PT": "cão\n"}
    assert content["parents"] == {"pt-AO": "pt-PT"}
    assert packed == build_cldr.build(names, {"hi-Latn": "en-IN", "pt-AO": "pt-PT"})


def test_build_refuses_other_content(build_cldr: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"not the archive")
    with pytest.raises(SystemExit, match="SHA-256"):
        build_cldr.read_names(tmp_path / "other.tgz")
    with pytest.raises(SystemExit, match=r"47\.0\.0, not 48\.2\.0"):
        build_cldr.read_names(made_package(tmp_path / "old", "47.0.0", {"en": {"🐶": ["dog"]}}))
