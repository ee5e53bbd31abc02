"""XCOPA: what is asked, from a folder and from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linguabridge.languages import parse
from linguabridge.tasks import choice
from linguabridge.tasks.task import Data
from task_data import COMMIT, EN, IT, SW, TR, Hub, SharedData, data_in, every, message, raw_jsonl, write_rows


def xcopa_row(idx: int, question: str = "cause", label: int = 0, **changed: Any) -> dict[str, Any]:
    row = {"premise": f"p{idx}", "choice1": "c1", "choice2": "c2", "question": question, "label": label, "idx": idx}
    return row | changed


def test_xcopa_questions_are_put_right(tmp_path: Path) -> None:
    for code in ("tr", "it"):
        write_rows(tmp_path / "xcopa" / f"val.{code}.jsonl", [xcopa_row(0, "effect"), xcopa_row(1, "effect", 1)])
    data = data_in(tmp_path)
    loaded = choice.load(IT, TR, data)
    assert {item.fields["question"] for item in loaded.items} == {"effect"}
    assert loaded.notes == (
        "XCOPA confuses cause and effect in some rows of Turkish, and no file of et or zh is there to put them right.",
    )
    write_rows(tmp_path / "xcopa" / "val.zh.jsonl", [xcopa_row(0, "cause"), xcopa_row(1, "effect")])
    loaded = choice.load(IT, TR, data)
    assert {item.id: (item.fields["question"], item.right) for item in loaded.items} == {
        "val-000": ("cause", 0),
        "val-001": ("effect", 1),
    }
    assert loaded.notes == tuple(
        f"XCOPA says cause for effect, or effect for cause, in 1 rows of {name}; they are put right by Chinese."
        for name in ("Italian", "Turkish")
    )


def test_xcopa_leaves_out_what_does_not_match(tmp_path: Path) -> None:
    write_rows(tmp_path / "xcopa" / "val.et.jsonl", [xcopa_row(0), xcopa_row(1, label=1), xcopa_row(2)])
    write_rows(tmp_path / "xcopa" / "val.vi.jsonl", [xcopa_row(0), xcopa_row(1)])
    loaded = choice.load(parse("et"), parse("vi"), data_in(tmp_path))
    assert [item.id for item in loaded.items] == ["val-000"]
    assert loaded.notes == (
        "2 rows differ between Estonian and Vietnamese (right choice, or in one only); they are left out.",
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (xcopa_row(0), "idx 0 stands there twice."),
        (xcopa_row(1, "why"), "'question' must be cause or effect."),
        (xcopa_row(1, label=2), "'label' must be 0 or 1."),
        (xcopa_row(1, choice2=None), "'choice2' must be a text that is not empty."),
    ],
)
def test_a_malformed_xcopa_row_is_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    file = write_rows(tmp_path / "xcopa" / "val.sw.jsonl", [xcopa_row(0), row])
    assert message(lambda: choice.load(SW, SW, data_in(tmp_path))) == f"{file}, line 2: {said}"


def test_real_xcopa_from_swahili_to_turkish(shared_data: SharedData) -> None:
    folder = shared_data("xcopa")
    told, asked, sound = ({row["idx"]: row for row in raw_jsonl(folder / f"val.{c}.jsonl")} for c in ("sw", "tr", "et"))
    loaded = choice.load(SW, TR, data_in(folder.parent))
    items = every(loaded)
    assert (len(loaded.items), len(loaded.demonstrations)) == (90, 10)
    for one, item in items.items():
        idx = int(one.removeprefix("val-"))
        assert item.text == told[idx]["premise"]
        assert item.options == (asked[idx]["choice1"], asked[idx]["choice2"])
        assert item.gold == (asked[idx][f"choice{asked[idx]['label'] + 1}"],)
        assert item.fields["question"] == sound[idx]["question"]
    assert loaded.notes == (
        "XCOPA says cause for effect, or effect for cause, in 6 rows of Swahili; they are put right by Estonian.",
        "XCOPA says cause for effect, or effect for cause, in 52 rows of Turkish; they are put right by Estonian.",
    )


# Judged by reading the English: what the right choice is to the premise.
HAND = {
    0: "effect",  # the man turned on the faucet: water flowed from the spout
    1: "effect",  # the girl found a bug in her cereal: she lost her appetite
    4: "cause",  # the hamburger meat browned: the cook grilled it (wrong in tr, th)
    10: "cause",  # the ball knocked over the pins: the man rolled it down the alley (wrong in it, id)
    14: "cause",  # the player caught the ball: her teammate threw it to her (wrong in it, id)
    62: "cause",  # the lock opened: I turned the key in it (wrong in it, id)
    70: "cause",  # the woman asked the man to leave: he insulted her (wrong in sw)
    92: "cause",  # the man received a parking ticket: the meter expired (wrong in sw)
}


@pytest.mark.parametrize(("pair", "idx"), [(pair, idx) for pair in ("it>tr", "tr>sw", "en>th") for idx in HAND])
def test_real_xcopa_questions_against_hand_checked_ones(shared_data: SharedData, pair: str, idx: int) -> None:
    source, target = (parse(code) for code in pair.split(">"))
    items = every(choice.load(source, target, data_in(shared_data("xcopa").parent)))
    assert items[f"val-{idx:03}"].fields["question"] == HAND[idx]


def test_xcopa_from_the_hub_asks_estonian_and_takes_english_from_its_own_place(hub: Hub) -> None:
    hub.tables["cambridgeltl/xcopa", "tr", "validation"] = [xcopa_row(0, "effect")]
    hub.tables["cambridgeltl/xcopa", "et", "validation"] = [xcopa_row(0, "cause")]
    hub.tables["aps/super_glue", "copa", "validation"] = [xcopa_row(0, "cause", premise="The sun rose.")]
    loaded = choice.load(EN, TR, Data())
    assert [(item.text, item.fields["question"]) for item in loaded.items] == [("The sun rose.", "cause")]
    hub.commits["cambridgeltl/xcopa"] = COMMIT
    assert choice.load(EN, TR, Data()).source == f"XCOPA (aps/super_glue and cambridgeltl/xcopa, commit {COMMIT})"
