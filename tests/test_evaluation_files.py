"""Results on disk, read back by pyarrow and json themselves."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from linguabridge.errors import InputError
from linguabridge.evaluation.files import (
    ITEMS,
    MANIFEST,
    SCHEMA,
    SUMMARY,
    UNFINISHED,
    check_folder,
    check_unfinished,
    read_rows,
    read_summary,
    remove_unfinished,
    summary_body,
    write_folder,
    write_unfinished,
)
from linguabridge.evaluation.results import Arm, Evaluation, Result, Row
from linguabridge.evaluation.statistics import with_holm
from linguabridge.paired import Contrast, Interval

ROW = Row(
    source="ar",
    target="he",
    task="bli",
    arm="direct",
    item="0001",
    concept="كلب",
    text='كلب\nثانٍ\x00 "x"',
    bridges=(),
    bridge_texts=(),
    prompt="العربية: כלב 𐤀",
    options=("א", "ב"),
    option_scores=(-1.25, float("-inf")),
    output=None,
    parsed=None,
    gold=("א",),
    score=1 / 3,
    right=None,
)
ROWS = (
    ROW,
    dataclasses.replace(
        ROW, arm="en", bridges=("en",), bridge_texts=("dog",), output="", parsed="ב", right=True, exact=False
    ),
    dataclasses.replace(
        ROW, arm="chain", item="", bridges=("en", "fr"), options=(), option_scores=(), copied=True, without_bridge=True
    ),
)


def contrast(p: float = 0.01, low: float = 0.1) -> Contrast:
    return Contrast(Interval(0.2, low, 0.3), p, None, "exact McNemar", 20, 4, math.nan)


def evaluation(rows: tuple[Row, ...] = ROWS, **settings: Any) -> Evaluation:
    value = Interval(0.5, 0.4, 0.6)
    arms = (
        Arm("direct", "direct", (), {"accuracy": value}, {}),
        Arm("en", "via English", ("en",), {"accuracy": value}, {"chrF++": math.nan}, against_direct=contrast()),
        Arm("oracle", "via French (best in hindsight)", ("fr",), {"accuracy": value}, {}, against_direct=contrast()),
    )
    result = Result("ar", "he", "mrc", "accuracy", "text", 100, None, arms, ("A note: שלום.",))
    given = {"engine": {"weights": "abc", "share": math.nan}, "limit": 100, "tasks": ("mrc",), **settings}
    return Evaluation("tiny", with_holm([result]), rows, given)


def write(folder: Path, found: Evaluation) -> None:
    write_folder(folder, found, command="linguabridge evaluate ar:he", started=time.time() - 3)


def test_every_field_of_every_row_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "new" / "out", evaluation())
    found = pq.read_table(tmp_path / "new" / "out" / ITEMS).to_pylist()
    wanted = [
        {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(row).items()}
        for row in ROWS
    ]
    assert found == wanted
    assert read_rows(tmp_path / "new" / "out") == wanted


def test_schema_has_the_fields_of_a_row_in_their_order(tmp_path: Path) -> None:
    assert SCHEMA.names == [field.name for field in dataclasses.fields(Row)]
    write(tmp_path, evaluation(rows=()))
    assert pq.read_table(tmp_path / ITEMS).schema == SCHEMA
    assert read_rows(tmp_path) == []
    write(tmp_path, evaluation())
    metadata = pq.ParquetFile(tmp_path / ITEMS).metadata
    assert {metadata.row_group(0).column(i).compression for i in range(metadata.num_columns)} == {"ZSTD"}


def test_broken_characters_are_written_so_that_they_can_be_seen(tmp_path: Path) -> None:
    broken = dataclasses.replace(ROW, output="a\udc80\ud83d", gold=("\udfff",), parsed="😀")
    write(tmp_path, evaluation(rows=(broken,), data="caf\udce9"))
    (row,) = read_rows(tmp_path)
    assert (row["output"], row["gold"], row["parsed"]) == ("a\\udc80\\ud83d", ["\\udfff"], "😀")
    assert read_summary(tmp_path)["settings"]["data"] == "caf\\udce9"
    check_folder(tmp_path, evaluation(data="caf\udce9").settings)


def test_summary_holds_all_but_the_rows_and_no_nan(tmp_path: Path) -> None:
    found = evaluation()
    write(tmp_path, found)
    text = (tmp_path / SUMMARY).read_text("utf-8")
    body = json.loads(text, parse_constant=pytest.fail)
    assert body == summary_body(found) == read_summary(tmp_path)
    assert "A note: שלום." in text
    assert set(body) == {"model", "results", "settings"}
    (result,) = body["results"]
    assert set(result) == {field.name for field in dataclasses.fields(Result)}
    direct, english, oracle = result["arms"]
    assert set(english) == {field.name for field in dataclasses.fields(Arm)} | {"verdict"}
    assert (direct["verdict"], english["verdict"], oracle["verdict"]) == (None, "helps", None)
    assert english["against_direct"] == {
        "difference": {"value": 0.2, "low": 0.1, "high": 0.3},
        "p": 0.01,
        "p_holm": 0.01,
        "test": "exact McNemar",
        "gained": 20,
        "lost": 4,
        "detectable": None,
    }
    assert english["corpus"] == {"chrF++": None}
    assert body["settings"] == {"engine": {"share": None, "weights": "abc"}, "limit": 100, "tasks": ["mrc"]}


def test_the_same_results_are_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a", evaluation())
    write(tmp_path / "b", evaluation())
    settings = dict(reversed(evaluation().settings.items()))
    write(tmp_path / "c", dataclasses.replace(evaluation(), settings=settings))
    for name in (ITEMS, SUMMARY):
        assert len({(tmp_path / folder / name).read_bytes() for folder in "abc"}) == 1


def test_manifest_says_when_how_and_what(tmp_path: Path) -> None:
    write(tmp_path, evaluation())
    manifest = json.loads((tmp_path / MANIFEST).read_text("utf-8"))
    assert (manifest["format"], manifest["version"]) == ("linguabridge evaluate", 1)
    assert manifest["command"] == "linguabridge evaluate ar:he"
    assert manifest["sha256"] == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in (ITEMS, SUMMARY)
    }
    assert 3 <= manifest["seconds"] < 60
    started, ended = (datetime.datetime.fromisoformat(manifest[name]) for name in ("started", "ended"))
    assert 2 <= (ended - started).total_seconds() < 60
    assert {"linguabridge", "torch", "numpy"} <= set(manifest["versions"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [ITEMS, MANIFEST, SUMMARY]


def test_another_runs_results_are_never_overwritten(tmp_path: Path) -> None:
    check_folder(tmp_path / "not there", {})
    check_folder(tmp_path, {})
    write(tmp_path, evaluation())
    write(tmp_path, evaluation(rows=ROWS[:2]))  # the same run's own are replaced
    assert len(read_rows(tmp_path)) == 2
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for other in (evaluation(limit=50), evaluation(engine={"weights": "x"}), evaluation(extra=None, limit=7)):
        with pytest.raises(InputError, match="results of another run") as refused:
            check_folder(tmp_path, other.settings)
        assert str(refused.value).count("\n") == 0
        with pytest.raises(InputError, match="results of another run"):
            write(tmp_path, other)
    with pytest.raises(InputError, match=r"differs in engine, limit\)"):
        check_folder(tmp_path, {"tasks": ["mrc"]})
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_results_so_far_make_room_for_those_of_another_run(tmp_path: Path) -> None:
    folder, so_far = tmp_path / "run", tmp_path / "run" / UNFINISHED
    check_unfinished(folder, {})
    write_unfinished(folder, evaluation(rows=ROWS[:1]), command="c", started=0)
    assert len(read_rows(so_far)) == 1
    write_unfinished(folder, evaluation(), command="c", started=0)
    check_unfinished(folder, evaluation().settings)  # the same run goes on: its own are kept until they are replaced
    assert len(read_rows(so_far)) == 3
    check_folder(folder, evaluation(limit=7).settings)  # and stand in no other run's way
    (so_far / ".writing-abc").write_text("of a killed run")
    check_unfinished(folder, evaluation(limit=7).settings)
    assert not so_far.exists()
    write(folder, evaluation())
    write_unfinished(folder, evaluation(), command="c", started=0)
    assert not so_far.exists()  # the whole is there already


def test_what_is_no_result_so_far_is_left_alone(tmp_path: Path) -> None:
    so_far = tmp_path / UNFINISHED
    write_unfinished(tmp_path, evaluation(), command="c", started=0)
    (so_far / "mine.txt").write_text("mine")
    remove_unfinished(tmp_path)
    remove_unfinished(tmp_path)
    assert [path.name for path in so_far.iterdir()] == ["mine.txt"]
    check_unfinished(tmp_path, {})
    for name, message in ((SUMMARY, "is no summary"), (ITEMS, "would be overwritten")):
        (so_far / name).write_text("mine")
        with pytest.raises(InputError, match=message):
            check_unfinished(tmp_path, evaluation().settings)
        assert (so_far / name).read_text() == "mine"
        (so_far / name).unlink()
    so_far.rename(tmp_path / "other")
    so_far.write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        check_unfinished(tmp_path, {})
    remove_unfinished(tmp_path)
    assert so_far.read_text() == "mine"


def test_what_is_no_result_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / "file", {})
    for name in (ITEMS, MANIFEST):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(InputError, match="would be overwritten"):
            write(folder, evaluation())
        assert (folder / name).read_text() == "mine"
    for text in ("no JSON", "[]", "{}", '{"settings": [], "results": []}', '{"settings": {}}', "\x00"):
        (tmp_path / SUMMARY).write_text(text)
        with pytest.raises(InputError, match="is no summary"):
            write(tmp_path, evaluation())


def test_reading_what_is_not_there_or_damaged_is_one_sentence(tmp_path: Path) -> None:
    for read in (read_rows, read_summary):
        with pytest.raises(InputError, match="No such file"):
            read(tmp_path)
    write(tmp_path, evaluation())
    content = (tmp_path / ITEMS).read_bytes()
    for damaged in (b"", b"PAR1", content[: len(content) // 2], content[:-9] + b"x" * 9):
        (tmp_path / ITEMS).write_bytes(damaged)
        with pytest.raises(InputError, match=r"items\.parquet"):
            read_rows(tmp_path)
    pq.write_table(pq.read_table(io.BytesIO(content)).select(["text"]), tmp_path / ITEMS)
    with pytest.raises(InputError, match="no table of this version"):
        read_rows(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "below", evaluation())
