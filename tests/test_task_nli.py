"""XNLI: what is asked, from a folder and from the hub."""

from __future__ import annotations

from pathlib import Path

from linguabridge.tasks import nli
from linguabridge.tasks.task import Data, Item
from task_data import COMMIT, DE, SW, Hub, SharedData, data_in, every, message, raw_tsv, write


def xnli_file(folder: Path, code: str, rows: list[tuple[str, str, str]]) -> Path:
    lines = ["genre\tlabel\tsentence1\tsentence2", *("\t".join(("fiction", *row)) for row in rows)]
    return write(folder / "xnli" / f"dev-{code}.tsv", "\n".join(lines) + "\n")


def test_xnli_leaves_out_what_has_no_label_or_does_not_match(tmp_path: Path) -> None:
    xnli_file(tmp_path, "sw", [("neutral", "p0", "h"), ("-", "p1", "h"), ("entailment", "p2", "h")])
    rows = [("neutral", "P", 'H "0"'), ("-", "P", "H1"), ("contradiction", "P", "H2"), ("neutral", "P", "H3")]
    xnli_file(tmp_path, "de", rows)
    loaded = nli.load(SW, DE, data_in(tmp_path))
    assert loaded.items == (
        Item("dev-0", "premise-0", "p0", ("Vielleicht",), ("Ja", "Vielleicht", "Nein"), 1, {"hypothesis": 'H "0"'}),
    )
    assert loaded.notes == (
        "1 rows have no label ('-'); they are left out.",
        "2 rows differ between Swahili and German (label, or in one only); they are left out.",
    )


def test_a_malformed_xnli_label_is_named(tmp_path: Path) -> None:
    file = xnli_file(tmp_path, "sw", [("neutral", "p", "h"), ("maybe", "p", "h")])
    assert message(lambda: nli.load(SW, SW, data_in(tmp_path))) == (
        f"{file}, line 3: 'label' must be entailment, neutral, contradiction or -."
    )


def test_real_xnli_from_swahili_to_german(shared_data: SharedData) -> None:
    folder = shared_data("xnli")
    told, asked = (raw_tsv(folder / f"dev-{code}.tsv", quoted=False) for code in ("sw", "de"))
    loaded = nli.load(SW, DE, data_in(folder.parent))
    items = every(loaded)
    assert len(items) == len(asked) == 2490
    assert loaded.notes == ()
    gold = {"entailment": "Ja", "neutral": "Vielleicht", "contradiction": "Nein"}
    for one, item in items.items():
        number = int(one.removeprefix("dev-"))
        assert item.text == told[number]["sentence1"].strip()
        assert item.fields["hypothesis"] == asked[number]["sentence2"].strip()
        assert item.gold == (gold[asked[number]["label"]],)
    assert 15 < len(loaded.demonstrations) <= 20
    # Hypotheses on one premise stay together: all three are demonstrations, or none is.
    assert not {item.text for item in loaded.demonstrations} & {item.text for item in loaded.items}


def test_xnli_from_the_hub(hub: Hub) -> None:
    hub.tables["facebook/xnli", "sw", "validation"] = [
        {"premise": "p", "hypothesis": "h", "label": 0},
        {"premise": "p", "hypothesis": "h", "label": -1},
        {"premise": "p", "hypothesis": "h", "label": 2},
    ]
    hub.tables["facebook/xnli", "de", "validation"] = [
        {"premise": "P", "hypothesis": "H", "label": label} for label in (0, -1, 2)
    ]
    loaded = nli.load(SW, DE, Data())
    assert {(item.text, item.gold) for item in loaded.items} == {("p", ("Ja",)), ("p", ("Nein",))}
    hub.commits["facebook/xnli"] = COMMIT
    assert nli.load(SW, DE, Data()).source == f"XNLI (facebook/xnli, commit {COMMIT})"
    hub.tables["facebook/xnli", "de", "validation"][2]["label"] = 3
    assert message(lambda: nli.load(SW, DE, Data())) == (
        "facebook/xnli (de, validation), row 3: 'label' must be -1 to 2."
    )
