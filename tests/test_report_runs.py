"""Runs are read as their commands wrote them; whatever else is there is refused in one sentence."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import made_up
from linguabridge.errors import InputError
from linguabridge.evaluation.files import UNFINISHED, write_folder
from linguabridge.evaluation.results import Result
from linguabridge.json_values import plain
from linguabridge.neuron_ranking import Sets
from linguabridge.paired import Contrast, Interval
from linguabridge.rebuilt import rebuilt
from linguabridge.report.runs import Kind, Run, read_runs
from linguabridge.report.sections import make_sections


def write_all(folder: Path) -> Path:
    """A folder that holds a run of every kind."""
    write_json(folder / "recommend.json", {**made_up.recommendation().to_dict(), "command": "linguabridge recommend"})
    write_json(folder / "spectrum.json", {**made_up.spectrum(5).to_dict(), "command": "linguabridge spectrum"})
    write_json(folder / "study.json", {**made_up.study().to_dict(), "command": "linguabridge study"})
    write_folder(folder, made_up.evaluation(), command="linguabridge evaluate", started=time.time())
    return folder


def read_run(path: Path) -> Run:
    """The only run there is."""
    (run,) = read_runs(path)
    return run


def write_json(path: Path, body: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, ensure_ascii=False), "utf-8")
    return path


def refused(act: Callable[[], object], path: Path) -> str:
    """The one sentence by which something is refused; it names the file."""
    with pytest.raises(InputError) as error:
        act()
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def test_a_folder_gives_every_run_in_it(tmp_path: Path) -> None:
    found = read_runs(write_all(tmp_path))
    assert [one.kind for one in found] == ["recommend", "spectrum", "study", "evaluate"]
    names = ["recommend.json", "spectrum.json", "study.json", "summary.json"]
    assert [one.path.name for one in found] == names
    assert found[0].body == made_up.recommendation().to_dict() | {"command": "linguabridge recommend"}
    assert [row["arm"] for row in found[3].rows] == ["direct", "en"]
    assert found[3].manifest is not None
    assert found[3].manifest["command"] == "linguabridge evaluate"
    assert not any(one.unfinished for one in found)


def test_a_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    write_all(tmp_path / "all")
    names = {kind: f"{kind}.json" for kind in ("recommend", "spectrum", "study")} | {"evaluate": "summary.json"}
    for kind, name in names.items():
        other = tmp_path / f"my {kind}.json"
        shutil.copy(tmp_path / "all" / name, other)
        run = read_run(other)
        assert (run.kind, run.path, run.rows, run.manifest) == (kind, other, (), None)
        assert read_run(tmp_path / "all" / name).kind == kind
    assert len(read_run(tmp_path / "all" / "summary.json").rows) == 2  # the items beside it belong to it


def test_an_evaluation_that_goes_on_is_read_and_said_to(tmp_path: Path) -> None:
    write_folder(tmp_path / UNFINISHED, made_up.evaluation(), command="linguabridge evaluate", started=time.time())
    for path in (tmp_path, tmp_path / UNFINISHED):
        run = read_run(path)
        assert run.unfinished
        assert len(run.rows) == 2
        (section,) = make_sections([run])
        assert "not finished" in section.summary[0]
    # Its files are written one after the other: those of two moments are no damage.
    write_json(tmp_path / UNFINISHED / "manifest.json", {"sha256": {"summary.json": "", "items.parquet": ""}})
    assert read_run(tmp_path).unfinished
    write_folder(tmp_path, made_up.evaluation(), command="linguabridge evaluate", started=time.time())
    assert not read_run(tmp_path).unfinished
    (section,) = make_sections([read_run(tmp_path)])
    assert "not finished" not in section.summary[0]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert "holds no" in refused(lambda: read_runs(tmp_path), tmp_path)
    assert "No such file" in refused(lambda: read_runs(tmp_path / "nothing"), tmp_path / "nothing")
    for content in (b"", b"{", b"[]", b"1", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"{}", b'{"ranking": 1}'):
        (tmp_path / "file.json").write_bytes(content)
        refused(lambda: read_runs(tmp_path / "file.json"), tmp_path / "file.json")
    write_json(tmp_path / "two" / "recommend.json", made_up.spectrum(3).to_dict())
    assert "linguabridge spectrum" in refused(lambda: read_runs(tmp_path / "two"), tmp_path / "two")


def test_an_evaluation_whose_files_do_not_belong_together_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, made_up.evaluation(), command="linguabridge evaluate", started=time.time())
    summary = tmp_path / "summary.json"
    content = summary.read_text("utf-8")
    summary.write_text(content.replace("0.4", "0.9"), "utf-8")
    assert "is not the file" in refused(lambda: read_runs(tmp_path), summary)
    summary.write_text(content, "utf-8")
    for manifest in ("[]", "{}", '{"sha256": 3}', "no"):
        (tmp_path / "manifest.json").write_text(manifest)
        refused(lambda: read_runs(tmp_path), tmp_path / "manifest.json")
    (tmp_path / "manifest.json").unlink()
    assert read_run(tmp_path).manifest is None  # written last; without it the results are still whole
    (tmp_path / "items.parquet").write_bytes(b"PAR1")
    refused(lambda: read_runs(tmp_path), tmp_path / "items.parquet")


UNUSED = {
    "recommend": {"bridge", "route", "command", "candidates", "n_seen", "tokens_per_word", "probes", "notes"},
    "spectrum": {"command"},
    "study": {"command"},
    "evaluate": set[str](),
}


@pytest.mark.parametrize("kind", ["recommend", "spectrum", "study", "evaluate"])
def test_a_damaged_result_is_refused_when_its_section_is_made(kind: Kind, tmp_path: Path) -> None:
    write_all(tmp_path)
    (run,) = (one for one in read_runs(tmp_path) if one.kind == kind)
    for key in run.body.keys() - UNUSED[kind]:
        without = {name: value for name, value in run.body.items() if name != key}
        wrong = "?" if isinstance(run.body[key], float | int) else 7
        for body in (without, {**without, key: wrong}, {**without, key: [None]}):
            refused(lambda body=body: make_sections([replace(run, body=body)]), run.path)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("recommend", ("ranking", "candidates"), []),
        ("recommend", ("ranking", "candidates", 0, "score"), "high"),
        ("recommend", ("ranking", "candidates", 0, "layers"), [0.1]),
        ("recommend", ("ranking", "window"), [1]),
        ("recommend", ("similarity",), {}),
        ("recommend", ("check", "arms", 0, "items", 3, "rank"), None),
        ("recommend", ("check", "arms", 1, "mrr"), 0.5),
        ("recommend", ("sets", "top", "fi"), "many"),
        ("spectrum", ("tree", "order"), ["en"]),
        ("spectrum", ("tree", "branches", 0, "left"), 99),
        ("spectrum", ("measures", "overlap", 1), [1]),
        ("spectrum", ("measures", "overlap", 0, 1), "1"),
        ("spectrum", ("measures", "my own"), [[0] * 5] * 5),
        ("spectrum", ("points",), {}),
        ("spectrum", ("neighbours", "en"), []),
        ("spectrum", ("curves", 0, "within"), [0.1]),
        ("recommend", ("chosen", "scores"), {}),
        ("recommend", ("chosen", "scores", "fi"), "high"),
        ("study", ("pairs",), []),
        ("study", ("pairs", 0, "arms"), ["en"]),
        ("study", ("pairs", 0, "mrr", "es"), None),
        ("study", ("pairs", 0, "mrr"), {"direct": 0.5}),
        ("study", ("pairs", 0, "scores", "cka"), [0.1]),
        ("study", ("pairs", 0, "source"), 7),
        ("study", ("analyses",), []),
        ("study", ("analyses", 0, "name"), "my own"),
        ("study", ("analyses", 0, "pairs"), ["sw:en"]),
        ("study", ("analyses", 0, "ways"), []),
        ("study", ("analyses", 0, "policies"), []),
        ("study", ("analyses", 0, "ways", 0, "regret"), 0.1),
        ("study", ("analyses", 0, "curves", 0, "regret"), []),
        ("study", ("settings", "pairs"), ["ar:he"]),
        ("evaluate", ("results",), []),
        ("evaluate", ("results", 0, "arms"), []),
        ("evaluate", ("results", 0, "arms", 1, "metrics"), {}),
        ("evaluate", ("results", 0, "arms", 1, "against_direct", "difference"), None),
        ("evaluate", ("results", 0, "n"), "40"),
        ("evaluate", ("results", 0, "source"), "no language"),
    ],
)
def test_damage_within_a_result_is_refused(kind: Kind, path: tuple[str | int, ...], value: Any, tmp_path: Path) -> None:
    write_all(tmp_path)
    (run,) = (one for one in read_runs(tmp_path) if one.kind == kind)
    body: Any = json.loads(json.dumps(run.body))
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    refused(lambda: make_sections([replace(run, body=body)]), run.path)


def test_numbers_that_are_none_come_back() -> None:
    whole = Contrast(Interval(0.1, 0.0, 0.2), 0.5, None, "exact McNemar", 3, 2, math.nan)
    body = {**plain(whole), "detectable": None, "more": "passed over"}
    found = rebuilt(Contrast, body)
    assert math.isnan(found.detectable)
    assert replace(found, detectable=0.0) == replace(whole, detectable=0.0)


def test_what_was_written_comes_back_as_it_was() -> None:
    for one in made_up.evaluation().results:
        found = rebuilt(Result, json.loads(json.dumps(plain(one)).replace("NaN", "null")))
        assert repr(found) == repr(one)  # NaN differs from itself
    sets = made_up.recommendation().sets
    assert rebuilt(Sets, plain(sets)) == sets


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, "1"), (int, True), (int, 1.0), (str, 1), (bool, 1), (float, "1"), (tuple[int, int], [1]), (Interval, [])],
)
def test_other_types_are_refused(kind: Any, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        rebuilt(kind, value)
