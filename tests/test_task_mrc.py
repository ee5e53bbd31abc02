"""Belebele: what is asked, from a folder and from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linguabridge.tasks import mrc
from linguabridge.tasks.task import Data, Item
from task_data import COMMIT, DE, EN, SW, TR, Hub, SharedData, data_in, every, message, raw_jsonl, write_rows


def belebele_row(link: str = "w/1", number: int = 1, **changed: Any) -> dict[str, Any]:
    row = {
        "link": link,
        "question_number": number,
        "flores_passage": f"passage of {link}",
        "question": "why?",
        **{f"mc_answer{i}": f"answer {i}" for i in range(1, 5)},
        "correct_answer_num": "3",
    }
    return row | changed


def test_belebele_joins_passage_and_question(tmp_path: Path) -> None:
    write_rows(tmp_path / "belebele" / "deu_Latn.jsonl", [belebele_row(), belebele_row("w/2"), belebele_row("w/1", 2)])
    extra = [{"link": "w/1", "passage_id": 0, "flores_ids": ["dev:1"], "swh_Latn": "kifungu"}]
    write_rows(tmp_path / "belebele" / "passages_15lang.jsonl", extra)
    loaded = mrc.load(SW, DE, data_in(tmp_path))
    assert every(loaded)["w/1#2"] == Item(
        "w/1#2",
        "w/1",
        "kifungu",
        ("answer 3",),
        ("answer 1", "answer 2", "answer 3", "answer 4"),
        2,
        {"question": "why?"},
    )
    assert set(every(loaded)) == {"w/1#1", "w/1#2"}
    assert loaded.notes == ("1 questions have no passage in Swahili; they are left out.",)
    assert message(lambda: mrc.load(TR, DE, data_in(tmp_path))) == (
        f"{tmp_path}/belebele has nothing in Turkish (tr); languages there: de, sw."
    )
    assert message(lambda: mrc.load(DE, SW, data_in(tmp_path))) == (
        f"{tmp_path}/belebele/*.jsonl has nothing in Swahili (sw); languages there: de."
    )
    (tmp_path / "belebele" / "passages_15lang.jsonl").unlink()
    assert message(lambda: mrc.load(SW, DE, data_in(tmp_path))) == (
        f"{tmp_path}/belebele/*.jsonl has nothing in Swahili (sw); languages there: de."
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (belebele_row(correct_answer_num="5"), "'correct_answer_num' must be 1 to 4."),
        (belebele_row(mc_answer2=" "), "'mc_answer2' must be a text that is not empty."),
        (belebele_row("w/0"), "this question stands there twice (same link and question_number)."),
        ({"link": "w/1"}, "there is no 'question_number'."),
    ],
)
def test_a_malformed_belebele_row_is_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    file = write_rows(tmp_path / "belebele" / "deu_Latn.jsonl", [belebele_row("w/0"), row])
    write_rows(tmp_path / "belebele" / "eng_Latn.jsonl", [belebele_row("w/0")])
    assert message(lambda: mrc.load(EN, DE, data_in(tmp_path))) == f"{file}, line 2: {said}"


def test_real_belebele_from_swahili_to_german(shared_data: SharedData) -> None:
    folder = shared_data("belebele")
    asked = {f"{row['link']}#{row['question_number']}": row for row in raw_jsonl(folder / "deu_Latn.jsonl")}
    told = {row["link"]: row["swh_Latn"] for row in raw_jsonl(folder / "passages_15lang.jsonl")}
    loaded = mrc.load(SW, DE, data_in(folder.parent))
    items = every(loaded)
    assert items.keys() == asked.keys()
    assert (len(items), len({item.concept for item in items.values()})) == (900, 488)
    assert len(loaded.demonstrations) == 20
    assert not {item.concept for item in loaded.demonstrations} & {item.concept for item in loaded.items}
    for one, item in items.items():
        row = asked[one]
        assert item.text == told[row["link"]].strip()
        assert item.gold == (row["mc_answer" + row["correct_answer_num"]],)
        assert item.right is not None
        assert item.options[item.right] == item.gold[0]
        assert item.fields == {"question": row["question"]}
    assert loaded.notes == ("In 1 of 900 items the right option stands there twice; either counts.",)


def test_real_belebele_has_the_same_items_in_the_same_order_for_all_pairs(shared_data: SharedData) -> None:
    data = data_in(shared_data("belebele").parent)
    first, second = mrc.load(SW, DE, data), mrc.load(DE, EN, data)
    assert [item.id for item in first.items] == [item.id for item in second.items]
    assert [item.id for item in first.demonstrations] == [item.id for item in second.demonstrations]
    assert (
        "relaxed as possible"
        in every(mrc.load(EN, DE, data))["https://en.wikibooks.org/wiki/Accordion/Right_hand#1"].text
    )


def test_belebele_from_the_hub(hub: Hub) -> None:
    hub.tables["facebook/belebele", "deu_Latn", "test"] = [belebele_row()]
    hub.tables["facebook/belebele", "swh_Latn", "test"] = [belebele_row(flores_passage="kifungu")]
    loaded = mrc.load(SW, DE, Data())
    assert [item.text for item in loaded.items] == ["kifungu"]
    assert loaded.source == "Belebele (facebook/belebele)"
    hub.commits["facebook/belebele"] = COMMIT
    assert mrc.load(SW, DE, Data()).source == f"Belebele (facebook/belebele, commit {COMMIT})"
