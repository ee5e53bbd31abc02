"""Texts to profile on: names, folders, templates and data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from linguabridge.errors import DownloadError, InputError
from linguabridge.languages import Language, parse
from linguabridge.lexicons import kept_for_check, load_cldr, load_file, normalise_word
from linguabridge.texts import load_text, names_text
from task_data import COMMIT

EN, SW, AR, ZH = (parse(code) for code in ("en", "sw", "ar", "zh"))
PRIVATE = parse("x-foo")


def written(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in texts.items():
        (folder / name.replace("__", ".")).write_text(content, "utf-8")
    return folder


def read(where: str | Path | None, language: Language, **arguments: Any) -> list[str]:
    return list(load_text(where if where is None else str(where), language, 0, **arguments).lines())


# A folder with a file a language.


def test_flores_layout_is_read(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("flores200")
    for language, file in ((SW, "swh_Latn.dev"), (AR, "arb_Arab.dev"), (ZH, "zho_Hans.dev")):
        content = (folder / "dev" / file).read_text("utf-8").splitlines()
        found = load_text(str(folder), language, 0)
        assert found.source == str(folder / "dev" / file)
        assert not found.words
        lines = list(found.lines())
        assert len(lines) == sum(bool(line.strip().strip('"').strip()) for line in content)
        assert all(line in whole for line, whole in zip(lines[:20], content[:20], strict=True))
        assert list(found.lines()) == lines  # starts anew


@pytest.mark.parametrize("name", ["sw__txt", "swh_Latn__dev", "swh_Latn__devtest", "Swahili__txt"])
def test_file_is_found_by_any_name_of_its_language(tmp_path: Path, name: str) -> None:
    folder = written(
        tmp_path / "texts", **{name: "moja\nmbili\n", "en__txt": "one\n", "notes__txt": "x", "sw__pdf": "x"}
    )
    assert read(folder, SW) == ["moja", "mbili"]


def test_blank_lines_byte_order_mark_and_stray_quotes_are_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "texts", sw__txt='\ufeffmoja\r\n\n   \n"mbili na tatu " \n""\n')
    assert read(folder, SW) == ["moja", "mbili na tatu"]


def test_missing_language_lists_those_found(tmp_path: Path) -> None:
    folder = written(tmp_path / "texts", en__txt="x", arb_Arab__dev="x")
    with pytest.raises(InputError, match=r"no text for Swahili: .* sw.txt \(languages found: ar, en\)"):
        load_text(str(folder), SW, 0)
    with pytest.raises(InputError, match=r"languages found: none"):
        load_text(str(written(tmp_path / "empty")), SW, 0)


def test_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "texts")
    (folder / "sw.txt").write_bytes("ça va\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"sw.txt is not UTF-8 text \(byte 0\)"):
        load_text(str(folder), SW, 0)


def test_content_and_order_make_the_hash_and_the_place_does_not(tmp_path: Path) -> None:
    first = load_text(str(written(tmp_path / "a", sw__txt="moja\nmbili\n")), SW, 0).sha256
    assert load_text(str(written(tmp_path / "b", swh_Latn__dev="moja\n\n mbili")), SW, 1).sha256 == first
    assert load_text(str(written(tmp_path / "c", sw__txt="mbili\nmoja\n")), SW, 0).sha256 != first
    assert load_text(str(written(tmp_path / "d", sw__txt="mojambili\n")), SW, 0).sha256 != first


def test_template_puts_the_code_in_its_place(tmp_path: Path) -> None:
    written(tmp_path / "sw-texts", all__txt="moja")
    where = f"{tmp_path}/{{lang}}-texts/all.txt"
    assert read(where, SW) == ["moja"]
    with pytest.raises(InputError, match=r"no text for English: .*en-texts/all.txt does not exist"):
        load_text(where, EN, 0)


@pytest.mark.parametrize("where", ["./nowhere", "/no/such/folder", "nowhere", "a/b/c", ""])
def test_place_that_is_not_there_is_named(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written(tmp_path / "here"))
    with pytest.raises(InputError, match=r"no such folder|no text for"):
        load_text(where, SW, 0)


def test_single_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "texts", sw__txt="x")
    with pytest.raises(InputError, match=r"is one file; give a folder .* \{lang\}"):
        load_text(str(folder / "sw.txt"), SW, 0)


# Names of CLDR concepts, and of the user's own lexicon.


def test_names_leave_out_the_words_of_the_check() -> None:
    names = load_cldr().names(SW)
    for seed in (0, 1):
        lines = read(None, SW) if seed == 0 else list(names_text(SW, seed).lines())
        held = {normalise_word(word) for concept, word in names.items() if kept_for_check(concept, seed)}
        assert not held & {normalise_word(line) for line in lines}
        assert set(lines) == {word for word in names.values() if normalise_word(word) not in held}
        assert len(lines) == len(set(lines)) > 500


def test_names_come_in_an_order_of_the_seed() -> None:
    first, again, other = names_text(SW, 0), names_text(SW, 0), names_text(SW, 1)
    assert list(first.lines()) == list(again.lines()) != sorted(first.lines())
    assert first.sha256 == again.sha256 != other.sha256
    assert first.words
    assert first.source == "Unicode CLDR names"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    rows = [f"word{n}\tneno{n}" for n in range(200)]
    (tmp_path / "own.tsv").write_text("\n".join(["en\tx-foo", *rows]), "utf-8")
    return tmp_path / "own.tsv"


def test_own_lexicon_serves_where_cldr_has_no_names(own: Path) -> None:
    lexicon = load_file(own, EN, PRIVATE)
    text = load_text(None, PRIVATE, 0, lexicon)
    lines = list(text.lines())
    assert set(lines) == {f"neno{n}" for n in range(200) if not kept_for_check(f"word{n}", 0)}
    assert (text.source, text.words) == ("words of own.tsv", True)
    assert load_text(None, EN, 0, lexicon).source == "Unicode CLDR names"  # CLDR first


def test_language_without_names_anywhere_says_what_to_do() -> None:
    for lexicon in (None, load_cldr()):
        with pytest.raises(InputError, match=r"no text in x-foo .*--texts"):
            load_text(None, PRIVATE, 0, lexicon)


def test_short_own_lexicon_does_not_serve(own: Path) -> None:
    own.write_text("\n".join(own.read_text("utf-8").splitlines()[:100]), "utf-8")
    with pytest.raises(InputError, match="under 100 names"):
        load_text(None, PRIVATE, 0, load_file(own, EN, PRIVATE))


# Data sets of the hub, here from a local folder.


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A data set with a configuration a language, known to the library as owner/name."""
    root = tmp_path / "dataset"
    for code, lines in {"swh_Latn": ["moja", "", "mbili", "  "], "eng_Latn": ["one", "two"], "misc": ["x"]}.items():
        (root / code).mkdir(parents=True)
        (root / code / "dev.csv").write_text("id,sentence\n" + "".join(f"{n},{s}\n" for n, s in enumerate(lines)))
    configurations = "".join(
        f"- config_name: {code}\n  data_files:\n  - split: dev\n    path: {code}/dev.csv\n"
        for code in ("swh_Latn", "eng_Latn", "misc")
    )
    (root / "README.md").write_text(f"---\nconfigs:\n{configurations}---\n")
    names, load = datasets.get_dataset_config_names, datasets.load_dataset_builder
    monkeypatch.setattr(datasets, "get_dataset_config_names", lambda _name: names(str(root)))
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda _name, configuration: load(str(root), configuration))
    return "owner/name"


def test_data_set_is_read_by_the_configuration_of_the_language(dataset: str) -> None:
    text = load_text(dataset, SW, 0)
    assert list(text.lines()) == ["moja", "mbili"]
    assert text.source == "owner/name (swh_Latn)"
    assert not text.words


def test_data_set_names_its_commit(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = datasets.load_dataset_builder

    def of_the_hub(*names: str) -> Any:
        builder = load(*names)
        builder.hash = COMMIT
        return builder

    monkeypatch.setattr(datasets, "load_dataset_builder", of_the_hub)
    assert load_text(dataset, SW, 0).source == f"owner/name (swh_Latn), commit {COMMIT}"


@pytest.mark.parametrize(
    ("text", "fault"), [("b" * 1_000_001, "is longer than 1,000,000 characters"), ("b\0b", "holds NUL characters")]
)
def test_data_set_has_the_limits_of_lines(dataset: str, text: str, fault: str, tmp_path: Path) -> None:
    folder = tmp_path / "dataset" / "swh_Latn"
    rows = [{"sentence": "b" * 1_000_000}, {"sentence": text}]
    (folder / "dev.csv").unlink()
    (folder / "dev.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    readme = tmp_path / "dataset" / "README.md"
    readme.write_text(readme.read_text().replace("dev.csv", "dev.jsonl"))
    with pytest.raises(InputError, match=rf"^Row 2 of owner/name \(swh_Latn\) {fault}; name plain files instead\.$"):
        load_text(dataset, SW, 0)


def test_data_set_without_the_language_is_named(dataset: str) -> None:
    with pytest.raises(InputError, match=r"owner/name has no configuration for Arabic \(ar\)"):
        load_text(dataset, AR, 0)


def test_data_set_without_a_text_column_is_named(dataset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "dataset" / "swh_Latn" / "dev.csv"
    file.write_text(file.read_text().replace("sentence", "words"))
    with pytest.raises(InputError, match="no column named text, sentence, content"):
        load_text(dataset, SW, 0)


def test_data_set_that_cannot_be_had_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(_name: str) -> list[str]:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(datasets, "get_dataset_config_names", offline)
    with pytest.raises(
        DownloadError, match=r"^The data set owner/name could not be read .*--texts also takes a folder"
    ):
        load_text("owner/name", SW, 0)
