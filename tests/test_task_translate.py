"""FLORES: which sentences are read, what is asked, and how a translation is judged."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sacrebleu.metrics.chrf import CHRF

from linguabridge.errors import InputError
from linguabridge.languages import Language, parse
from linguabridge.prompts import endonym
from linguabridge.tasks import find_task, translate
from linguabridge.tasks.sources import Row
from linguabridge.tasks.task import Data, Item, Said
from task_data import COMMIT, DE, EN, SW, Hub, data_in, every, write

HE, ID, TE = (parse(code) for code in ("he", "id", "te"))


def naive(folder: Path, name: str) -> list[str]:
    text = (folder / "dev" / f"{name}.dev").read_text("utf-8")
    return [" ".join(line.strip().strip('"').split()) for line in text.removesuffix("\n").split("\n")]


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [(SW, HE, ("swh_Latn", "heb_Hebr")), (ID, DE, ("ind_Latn", "deu_Latn")), (EN, TE, ("eng_Latn", "tel_Telu"))],
)
def test_flores_as_read_naively(
    source: Language, target: Language, names: tuple[str, str], shared_data: Callable[[str], Path]
) -> None:
    folder = shared_data("flores200")
    loaded = translate.load(source, target, data_in(folder.parent))
    ours, theirs = (naive(folder, name) for name in names)
    assert len(loaded.items) == 977
    assert len(loaded.demonstrations) == 20
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        item = every(loaded)[str(number)]
        assert (item.text, item.gold) == (mine, (other,))
        assert '"' not in (mine[0], mine[-1], other[0], other[-1])
    assert "items are sentences of dev" in loaded.notes[0]


def test_order_of_sentences_depends_on_the_seed_alone(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("flores200").parent
    ids = [[item.id for item in translate.load(*pair, data_in(folder, 3)).items] for pair in ((SW, HE), (HE, EN))]
    order = sorted(str(number) for number in range(997))
    random.Random("3\0translate").shuffle(order)
    assert ids[0] == ids[1] == order[:977]


def sentences(folder: Path, part: str, name: str, *lines: str) -> Path:
    write(folder / "flores200" / part / f"{name}.{part}", "".join(f"{line}\n" for line in lines))
    return folder


def test_stray_quotes_and_spaces_are_off(tmp_path: Path) -> None:
    sentences(tmp_path, "dev", "swh_Latn", '"Habari. ', "Ndiyo", '"', "Moja ")
    sentences(tmp_path, "dev", "heb_Hebr", 'שלום."', 'צה"ל ', "אין", "  אחד\u00a0 שניים")
    loaded = translate.load(SW, HE, data_in(tmp_path))
    assert {item.id: (item.text, *item.gold) for item in loaded.items} == {
        "0": ("Habari.", "שלום."),
        "1": ("Ndiyo", 'צה"ל'),
        "3": ("Moja", "אחד שניים"),  # the third has nothing in Swahili
    }


def test_items_are_devtest_where_there_is_one(tmp_path: Path) -> None:
    for name in ("swh_Latn", "heb_Hebr"):
        sentences(tmp_path, "dev", name, *(f"{name} dev {number}" for number in range(12)))
        sentences(tmp_path, "devtest", name, *(f"{name} test {number}" for number in range(9)))
    sentences(tmp_path, "dev", "deu_Latn", *(f"deu_Latn dev {number}" for number in range(12)))
    loaded = translate.load(SW, HE, data_in(tmp_path))
    assert sorted(item.text for item in loaded.items) == [f"swh_Latn test {number}" for number in range(9)]
    assert sorted(item.text for item in loaded.demonstrations) == sorted(f"swh_Latn dev {n}" for n in range(12))
    assert not {item.id for item in loaded.items} & {item.id for item in loaded.demonstrations}
    assert loaded.notes == ()
    assert {item.gold[0][:12] for item in translate.load(SW, DE, data_in(tmp_path)).items} == {"deu_Latn dev"}


def test_files_that_are_not_parallel_are_named(tmp_path: Path) -> None:
    sentences(tmp_path, "dev", "swh_Latn", "Moja", "Mbili")
    sentences(tmp_path, "dev", "heb_Hebr", "אחת")
    with pytest.raises(InputError, match=r"swh_Latn.dev has 2 lines and .*heb_Hebr.dev has 1"):
        translate.load(SW, HE, data_in(tmp_path))
    with pytest.raises(InputError, match=r"German \(de\); languages there: he, sw"):
        translate.load(SW, DE, data_in(tmp_path))
    with pytest.raises(InputError, match="no folder flores200"):
        translate.load(SW, HE, data_in(tmp_path / "flores200"))


def test_flores_plus_is_joined_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(data_set: str, language: Language, split: str, expected: str) -> list[Row]:
        assert data_set == "openlanguagedata/flores_plus"
        numbers = (2, 0, 1) if language == SW else (0, 1, 3)
        return [Row("x", {"id": n, "text": f"{language.code} {split} {n} "}) for n in numbers]

    monkeypatch.setattr(translate, "hub_rows", rows)
    loaded = translate.load(SW, HE, Data())
    assert {item.id: (item.text, *item.gold) for item in loaded.items} == {
        "0": ("sw devtest 0", "he devtest 0"),
        "1": ("sw devtest 1", "he devtest 1"),
    }
    assert {item.text for item in loaded.demonstrations} == {"sw dev 0", "sw dev 1"}


def test_flores_plus_names_its_commit(hub: Hub) -> None:
    for part in ("devtest", "dev"):
        hub.tables["openlanguagedata/flores_plus", "swh_Latn", part] = [{"id": 0, "text": "Habari."}]
        hub.tables["openlanguagedata/flores_plus", "heb_Hebr", part] = [{"id": 0, "text": "שלום."}]
    hub.commits["openlanguagedata/flores_plus"] = COMMIT
    loaded = translate.load(SW, HE, Data())
    assert loaded.source == f"FLORES, devtest (openlanguagedata/flores_plus, commit {COMMIT})"
    assert [(one.text, *one.gold) for one in (*loaded.items, *loaded.demonstrations)] == 2 * [("Habari.", "שלום.")]


def test_sentence_is_asked_line_by_line() -> None:
    item = Item("0", "0", "Habari.", ("שלום.",))
    direct = translate.ask(item, [Said(SW, "Habari.")], HE, "generated")
    assert direct.prompt.written == f"Kiswahili: Habari.\n{endonym(HE)}:"
    bridged = translate.ask(item, [Said(SW, "Habari."), Said(EN, "Hello.")], HE, "generated")
    assert bridged.prompt.written == f"Kiswahili: Habari.\nEnglish: Hello.\n{endonym(HE)}:"
    assert bridged.options == ()


def test_translation_is_judged_by_chrf() -> None:
    item = Item("0", "0", "?", ("Die Katze schläft heute.",))
    for answer in ("Die Katze schläft heute.", "Die Katze schlief.", "xyz"):
        judgement = translate.judge(item, f" {answer}\n", DE)
        assert judgement.parsed == answer
        assert judgement.score == CHRF(word_order=2).sentence_score(answer, list(item.gold)).score
    assert translate.judge(item, "Die Katze schläft heute.", DE).score == pytest.approx(100)
    assert translate.judge(item, " \n", DE) == translate.Judgement(None, 0.0)
    assert find_task("translate").metric == "chrF++"
