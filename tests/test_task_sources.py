"""Rows of the tasks' data sets, from local folders and from the hub: what is read, and what is said when it is not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from linguabridge.errors import DownloadError
from linguabridge.hub import commit_of
from linguabridge.tasks import choice, mrc, nli, sources, topics
from linguabridge.tasks.sources import Row
from linguabridge.tasks.task import Data
from task_data import COMMIT, DE, SW, TR, Hub, message, write, write_rows


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


def test_lines_without_end_and_nul_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": "' + "b" * 1_000_000 + '"}\n')
    assert message(lambda: sources.read_jsonl(file)) == (
        f"Line 2 of {file} is longer than 1,000,000 characters: break it into lines."
    )
    file = write(tmp_path / "c.jsonl", '{"text": "a\\u0000"}\n')  # in JSON it is no NUL yet
    assert message(lambda: sources.read_jsonl(file)) == (
        f"{file}, line 1: 'text' holds NUL characters; mend it in a copy of your own and name that by --data."
    )
    file = write(tmp_path / "b.txt", "a\nb\0\n")
    assert message(lambda: sources.read_lines(file)).startswith(f"{file} is no text file: it holds NUL characters")


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


@pytest.mark.parametrize(
    ("text", "fault"), [("b" * 1_000_001, "is longer than 1,000,000 characters"), ("b\0", "holds NUL characters")]
)
def test_texts_of_the_hub_have_the_limits_of_lines(text: str, fault: str, hub: Hub) -> None:
    hub.tables["owner/set", "sw", "test"] = [{"a": "b" * 1_000_000, "n": 1}, {"a": text, "n": 2}]
    assert message(lambda: sources.hub_rows("owner/set", SW, "test", "x")) == (
        f"owner/set (sw, test), row 2: 'a' {fault}; mend it in a copy of your own and name that by --data."
    )


def test_the_commit_is_that_of_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library once read from the hub it finds in its cache again, and tells the commit."""
    import datasets
    from datasets.packaged_modules.json.json import Json

    load, cache = datasets.load_dataset_builder, str(tmp_path / "cache")
    files = {"test": [str(write_rows(tmp_path / "rows.jsonl", [{"a": "x"}, {"a": "y"}]))]}
    named = {"dataset_name": "set", "config_name": "sw", "config_id": "sw", "hash": COMMIT}
    Json(cache, data_files=files, **named).download_and_prepare()
    (tmp_path / "cache" / "set").rename(tmp_path / "cache" / "owner___set")  # where it is put for the hub
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *names: load(*names, cache_dir=cache))
    rows = sources.hub_table("owner/set", "sw", "test", "x")
    assert [(row.values, row.commit) for row in rows] == [({"a": "x"}, COMMIT), ({"a": "y"}, COMMIT)]
    assert sources.hub_source("owner/set", rows) == f"owner/set, commit {COMMIT}"
    assert commit_of(load("json", data_files=files, cache_dir=cache)) is None  # files here have a hash, and no commit


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


@pytest.mark.parametrize("task", [mrc, nli, topics, choice])
def test_no_network_names_the_folder_option(task: ModuleType, hub: Hub) -> None:
    said = message(lambda: task.load(SW, DE, Data()), DownloadError)
    assert said.startswith("The data set ")
    assert "with --data DIR" in said
