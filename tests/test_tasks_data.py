"""Rows of the tasks' data sets, from local folders and from the hub: what is read, and what is said when it is not."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from linguabridge.errors import DownloadError, InputError
from linguabridge.languages import parse
from linguabridge.tasks import choice, mrc, nli, sources, topics
from linguabridge.tasks.sources import Row
from linguabridge.tasks.task import Data, Item, Loaded

SharedData = Callable[[str], Path]
EN, DE, SW, TR, IT = (parse(code) for code in ("en", "de", "sw", "tr", "it"))


def data_in(folder: Path, seed: int = 0) -> Data:
    return Data(folder=folder, seed=seed)


def every(loaded: Loaded) -> dict[str, Item]:
    """Items and demonstrations by id; no id twice."""
    both = (*loaded.items, *loaded.demonstrations)
    by_id = {item.id: item for item in both}
    assert len(by_id) == len(both)
    return by_id


def raw_jsonl(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def raw_tsv(file: Path, *, quoted: bool) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as content:
        quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        return list(csv.DictReader(content, delimiter="\t", quoting=quoting))


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def write_rows(file: Path, rows: list[dict[str, Any]]) -> Path:
    return write(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def message(call: Callable[[], object], kind: type[Exception] = InputError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


# Files -----------------------------------------------------------------------------------------------------------


def test_files_are_found_by_any_code_of_their_language(tmp_path: Path) -> None:
    for name in ("swh_Latn", "deu_Latn", "passages_15lang", "zho_Hant"):
        write(tmp_path / "belebele" / f"{name}.jsonl", "{}")
    assert sources.find_file(tmp_path, "belebele/*.jsonl", SW).name == "swh_Latn.jsonl"
    assert {language.code for language in sources.files_by_language(tmp_path, "belebele/*.jsonl")} == {
        *("sw", "de", "zh-Hant")
    }


def test_the_language_can_be_a_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "sib200" / "swh_Latn" / "test.tsv", "x")
    assert sources.find_file(tmp_path, "sib200/*/test.tsv", SW) == file


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert message(lambda: sources.find_file(nowhere, "xnli/dev-*.tsv", DE)) == (
        f"--data {nowhere}: there is no such folder."
    )
    assert message(lambda: sources.find_file(tmp_path, "xnli/dev-*.tsv", DE)) == (
        f"--data {tmp_path} has no folder xnli; put the data set there (xnli/dev-*.tsv, * being the language), or "
        "leave --data out to download it."
    )


def test_a_missing_language_names_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "xnli" / "dev-sw.tsv", "x")
    write(tmp_path / "xnli" / "dev-de.tsv", "x")
    assert message(lambda: sources.find_file(tmp_path, "xnli/dev-*.tsv", TR)) == (
        f"{tmp_path}/xnli/dev-*.tsv has nothing in Turkish (tr); languages there: de, sw."
    )
    (tmp_path / "xcopa").mkdir()
    assert message(lambda: sources.find_file(tmp_path, "xcopa/val.*.jsonl", TR)).endswith("languages there: none.")


def test_tsv_survives_marks_line_ends_and_quotes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", '\ufefflabel\ttext\r\nx\t"He said ""hi"""\r\ny\t"open\r\nz\ta\u2028b\rc\r\n\r\n')
    rows = sources.read_tsv(file, ("label", "text"))
    assert [row.values for row in rows] == [
        {"label": "x", "text": '"He said ""hi"""'},
        {"label": "y", "text": '"open'},
        {"label": "z", "text": "a\u2028b\rc"},
    ]
    assert rows[1].where == f"{file}, line 3"
    quoted = sources.read_tsv(file, ("label", "text"), quoted=True)
    assert [row.values["text"] for row in quoted] == ['He said "hi"', '"open', "a\u2028b\rc"]


def test_tsv_without_header(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "How many?\t1,000\n")
    assert [row.values for row in sources.read_tsv(file, ("question", "answer"), header=False)] == [
        {"question": "How many?", "answer": "1,000"}
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tb\n1\t2\n3\n", "{file}, line 3: 1 cells between tabs, where 2 are expected (a, b)."),
        ("a\tb\n\n1\t2\n", "{file}, line 2: 1 cells between tabs, where 2 are expected (a, b)."),
        ("a\tc\n1\t2\n", "{file}, line 1: the header lacks b (it has a, c)."),
        ("a\tb\n", "{file} has no rows."),
        ("", "{file}, line 1: the header lacks a, b (it has )."),
    ],
)
def test_a_malformed_tsv_is_named_by_line(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "a.tsv", text)
    assert message(lambda: sources.read_tsv(file, ("a", "b"))) == said.format(file=file)


@pytest.mark.parametrize("line", ["{", "[1]", "3", "", "[" * 100_000])
def test_a_malformed_jsonl_is_named_by_line(tmp_path: Path, line: str) -> None:
    file = write(tmp_path / "a.jsonl", '{"a": 1}\n' + line + '\n{"a": 2}\n')
    assert message(lambda: sources.read_jsonl(file)) == (f"{file}, line 2: a JSON object is expected, such as {{…}}.")


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    assert message(lambda: sources.read_jsonl(file)) == f"{file} cannot be read (No such file or directory)."
    file.write_bytes(b"{}\n\xff\n")
    assert message(lambda: sources.read_jsonl(file)) == f"{file} is not UTF-8 text (byte 3); convert it first."


def test_parallel_lines_keep_their_numbers(tmp_path: Path) -> None:
    file = write(tmp_path / "a.dev", "one\n\n three \n\n")
    assert [row.values["text"] for row in sources.read_lines(file)] == ["one", "", " three "]


def test_columns_are_checked() -> None:
    row = Row("file, line 7", {"a": " x ", "b": "", "c": 3, "d": "4", "e": True, "f": "4.0", "g": None})
    assert (row.text("a"), row.number("c"), row.number("d")) == ("x", 3, 4)
    for column in ("b", "c", "g"):
        assert message(lambda c=column: row.text(c)) == f"file, line 7: '{column}' must be a text that is not empty."
    for column in ("a", "e", "f", "g"):
        assert message(lambda c=column: row.number(c)) == f"file, line 7: '{column}' must be a whole number."
    assert message(lambda: row.text("z")) == "file, line 7: there is no 'z'."


# The order of items ----------------------------------------------------------------------------------------------


def test_the_order_is_the_seeds_and_the_tasks_alone() -> None:
    ids = [str(number) for number in range(100)]
    assert sources.ordered(ids, "mrc", 1) == sources.ordered(reversed(ids), "mrc", 1)
    assert sources.ordered(ids, "mrc", 1) != sources.ordered(ids, "mrc", 2)
    assert sources.ordered(ids, "mrc", 1) != sources.ordered(ids, "nli", 1)
    assert sorted(sources.ordered(ids, "mrc", 1)) == sorted(ids)


@pytest.mark.parametrize(("n", "held"), [(0, 0), (9, 0), (10, 1), (100, 10), (1000, 20)])
def test_a_tenth_is_held_out_and_twenty_at_most(n: int, held: int) -> None:
    ids = [str(number) for number in range(n)]
    assert sources.held_out(ids, lambda one: one) == set(ids[n - held :])


def test_what_shares_a_concept_is_held_out_together() -> None:
    ids = sources.ordered((f"{number // 2}#{number % 2}" for number in range(300)), "mrc", 0)
    held = sources.held_out(ids, lambda one: one.split("#")[0])
    assert len(held) == 20
    assert not {one.split("#")[0] for one in held} & {one.split("#")[0] for one in ids if one not in held}


# The hub ---------------------------------------------------------------------------------------------------------


class Hub:
    """Stands in for ``datasets``: tables by (data set, configuration, split)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import datasets

        self.tables: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        monkeypatch.setattr(datasets, "get_dataset_config_names", self.names)
        monkeypatch.setattr(datasets, "load_dataset", self.load)

    def names(self, data_set: str) -> list[str]:
        found = [key[1] for key in self.tables if key[0] == data_set]
        if not found:
            raise ConnectionError("no network")
        return ["all_languages", *dict.fromkeys(found)]

    def load(self, data_set: str, name: str, *, split: str) -> list[dict[str, Any]]:
        return self.tables[data_set, name, split]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(monkeypatch)


def test_a_hub_configuration_is_found_by_its_language(hub: Hub) -> None:
    hub.tables["owner/set", "swh_Latn", "test"] = [{"a": "x"}, {"a": ""}]
    rows = sources.hub_rows("owner/set", SW, "test", "set/{language}.tsv")
    assert [row.values for row in rows] == [{"a": "x"}, {"a": ""}]
    assert message(lambda: rows[1].text("a")) == (
        "owner/set (swh_Latn, test), row 2: 'a' must be a text that is not empty."
    )
    assert message(lambda: sources.hub_rows("owner/set", DE, "test", "x")) == (
        "The data set owner/set has nothing in German (de); languages there: sw."
    )


def test_any_failure_of_the_hub_is_one_sentence_with_the_way_out(hub: Hub) -> None:
    said = (
        "The data set owner/{} could not be read from the Hugging Face hub (no network, or no access to it?); give a "
        "folder that holds set/sw.tsv with --data DIR."
    )
    hub.tables["owner/set", "sw", "train"] = []
    for name in ("none", "set"):  # no such data set; no such split
        call = lambda n=name: sources.hub_rows(f"owner/{n}", SW, "test", "set/{language}.tsv")  # noqa: E731
        assert message(call, DownloadError) == said.format(name)


def test_the_hub_is_quiet_and_bars_come_back(hub: Hub) -> None:
    import datasets
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    seen = []

    class Watched(list[dict[str, Any]]):
        def __iter__(self) -> Any:
            seen.append((datasets.are_progress_bars_disabled(), are_progress_bars_disabled()))
            return super().__iter__()

    before = datasets.are_progress_bars_disabled(), are_progress_bars_disabled()
    hub.tables["owner/set", "sw", "test"] = Watched([{"a": 1}])
    sources.hub_rows("owner/set", SW, "test", "x")
    assert seen == [(True, True)]
    assert (datasets.are_progress_bars_disabled(), are_progress_bars_disabled()) == before


# Belebele --------------------------------------------------------------------------------------------------------


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


# XNLI ------------------------------------------------------------------------------------------------------------


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
    hub.tables["facebook/xnli", "de", "validation"][2]["label"] = 3
    assert message(lambda: nli.load(SW, DE, Data())) == (
        "facebook/xnli (de, validation), row 3: 'label' must be -1 to 2."
    )


# SIB-200 ---------------------------------------------------------------------------------------------------------


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


# XCOPA -----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("task", [mrc, nli, topics, choice])
def test_no_network_names_the_folder_option(task: ModuleType, hub: Hub) -> None:
    said = message(lambda: task.load(SW, DE, Data()), DownloadError)
    assert said.startswith("The data set ")
    assert "with --data DIR" in said
