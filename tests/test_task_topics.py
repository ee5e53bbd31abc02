"""SIB-200: what is asked, from a folder and from the hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from linguabridge.languages import parse
from linguabridge.tasks import topics
from linguabridge.tasks.task import Data
from task_data import COMMIT, DE, SW, TR, Hub, SharedData, data_in, every, message, raw_tsv, write


def sib_file(folder: Path, part: str, rows: list[tuple[str, str, str]], code: str = "swh_Latn") -> Path:
    lines = ["index_id\tcategory\ttext", *("\t".join(row) for row in rows)]
    return write(folder / "sib200" / code / f"{part}.tsv", "\n".join(lines) + "\n")


def test_sib_takes_the_test_part_where_there_is_one(tmp_path: Path) -> None:
    sib_file(tmp_path, "dev", [("1", "travel", "dev")])
    sib_file(tmp_path, "train", [("2", "politics", '"Siasa ""kuu"""'), ("3", "health", "shared")])
    loaded = topics.load(SW, DE, data_in(tmp_path))
    assert [item.text for item in loaded.items] == ["dev"]
    assert loaded.notes == ("The local copy has no test part; items are the development part's.",)
    sib_file(tmp_path, "test", [("3", "sports", "test")])
    loaded = topics.load(SW, DE, data_in(tmp_path))
    assert [(item.text, item.gold) for item in loaded.items] == [("test", ("Sport",))]
    assert [(item.text, item.gold) for item in loaded.demonstrations] == [('Siasa "kuu"', ("Politik",))]
    assert loaded.notes == ()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("2", "cooking", "x"), f"'category' must be one of {', '.join(topics.TOPICS)}."),
        (("one", "travel", "x"), "'index_id' must be a whole number."),
        (("1", "travel", "x"), "index_id 1 stands there twice."),
        (("2", "travel", ""), "'text' must be a text that is not empty."),
    ],
)
def test_a_malformed_sib_row_is_named(tmp_path: Path, row: tuple[str, str, str], said: str) -> None:
    file = sib_file(tmp_path, "test", [("1", "travel", "x"), row])
    assert message(lambda: topics.load(SW, DE, data_in(tmp_path))) == f"{file}, line 3: {said}"


def test_sib_without_the_language(tmp_path: Path) -> None:
    sib_file(tmp_path, "dev", [("1", "travel", "x")])
    assert message(lambda: topics.load(TR, DE, data_in(tmp_path))) == (
        f"{tmp_path}/sib200/*/dev.tsv has nothing in Turkish (tr); languages there: sw."
    )


def test_real_sib_from_swahili_to_german(shared_data: SharedData) -> None:
    folder = shared_data("sib200")
    dev = {row["index_id"]: row for row in raw_tsv(folder / "swh_Latn" / "dev.tsv", quoted=True)}
    train = {row["index_id"]: row for row in raw_tsv(folder / "swh_Latn" / "train.tsv", quoted=True)}
    loaded = topics.load(SW, DE, data_in(folder.parent))
    assert (len(loaded.items), len(loaded.demonstrations)) == (99, 701)
    for item, raw in [*((i, dev) for i in loaded.items), *((i, train) for i in loaded.demonstrations)]:
        assert item.text == raw[item.id]["text"].strip()
        assert item.right is not None
        assert topics.TOPICS[item.right] == raw[item.id]["category"]
    assert len(every(loaded)) == 800
    # Of 24 + 5 rows with doubled quotes none is left as pandas wrote it.
    assert not any('""' in item.text for item in every(loaded).values())


def test_real_sib_has_the_same_items_in_the_same_order_for_all_pairs(shared_data: SharedData) -> None:
    data = data_in(shared_data("sib200").parent)
    first, second = topics.load(SW, DE, data), topics.load(parse("he"), parse("ja"), data)
    assert [item.id for item in first.items] == [item.id for item in second.items]
    assert [item.right for item in first.items] == [item.right for item in second.items]
    other = topics.load(SW, DE, data_in(shared_data("sib200").parent, seed=1))
    assert [item.id for item in first.items] != [item.id for item in other.items]


def test_sib_from_the_hub(hub: Hub) -> None:
    hub.tables["Davlan/sib200", "swh_Latn", "test"] = [{"index_id": 7, "category": "travel", "text": "Safari"}]
    hub.tables["Davlan/sib200", "swh_Latn", "train"] = [{"index_id": 8, "category": "health", "text": "Afya"}]
    loaded = topics.load(SW, DE, Data())
    assert [(item.id, item.text, item.gold) for item in loaded.items] == [("7", "Safari", ("Reisen",))]
    assert [item.text for item in loaded.demonstrations] == ["Afya"]
    hub.commits["Davlan/sib200"] = COMMIT
    assert topics.load(SW, DE, Data()).source == f"SIB-200, test (Davlan/sib200, commit {COMMIT})"
