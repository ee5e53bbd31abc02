"""Results carry a format and a checksum; an altered one is noticed where it is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import made_up
from conftest import Ended
from linguabridge.errors import InputError
from linguabridge.evaluation.recommended import read_earlier
from linguabridge.export.routes import export_routes
from linguabridge.json_values import check_seal, sealed, write_json
from linguabridge.report.runs import read_runs
from test_recommend import write_lexicon

Run = Callable[..., Ended]
BODIES: dict[str, dict[str, Any]] = {
    "recommend": {**made_up.recommendation().to_dict(), "command": "linguabridge recommend"},
    "spectrum": {**made_up.spectrum(5).to_dict(), "command": "linguabridge spectrum"},
}


def written(folder: Path, command: str, body: dict[str, Any]) -> Path:
    write_json(folder / f"{command}.json", body)
    return folder / f"{command}.json"


def test_the_checksum_is_that_of_all_the_rest() -> None:
    found = sealed("recommend", {"b": [0.1, None, "é"], "a": (1,)})
    text = '{"a":[1],"b":[0.1,null,"é"],"format":"linguabridge recommend","version":1}'
    assert found["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (found["format"], found["version"]) == ("linguabridge recommend", 1)


@pytest.mark.parametrize("command", ["recommend", "spectrum"])
def test_what_was_written_is_read_and_what_was_altered_is_not(command: str, tmp_path: Path) -> None:
    file = written(tmp_path, command, sealed(command, BODIES[command]))
    assert read_runs(tmp_path)[0].kind == command
    body = json.loads(file.read_text("utf-8"))
    for changes in ({"summary": "Go through Klingon."}, {"model": "another"}, {"sha256": "0" * 64}):
        written(tmp_path, command, {**body, **changes})
        with pytest.raises(InputError, match=rf"{command}.json was altered after it was written"):
            read_runs(tmp_path)


@pytest.mark.parametrize("command", ["recommend", "spectrum"])
def test_files_of_versions_without_checksums_are_read(command: str, tmp_path: Path) -> None:
    written(tmp_path, command, BODIES[command])
    assert read_runs(tmp_path)[0].kind == command


@pytest.mark.parametrize("field", ["more", "version"])
def test_however_deep_an_altered_result_is_nested_it_is_refused(field: str, tmp_path: Path) -> None:
    # Reading and hashing reach the bottom of Python's stack at different depths.
    for levels in range(700, 1001):
        deep = "[" * levels + "]" * levels
        text = f'{{"ranking": 1, "probes": 2, "sha256": "x", "{field}": {deep}}}'
        (tmp_path / "recommend.json").write_text(text, "utf-8")
        with pytest.raises(InputError):
            read_runs(tmp_path)


@pytest.mark.parametrize("version", [2, 10**30, "1", None, True, [], {}])
def test_another_format_is_said(version: Any, tmp_path: Path) -> None:
    written(tmp_path, "recommend", {**sealed("recommend", BODIES["recommend"]), "version": version})
    with pytest.raises(InputError, match="this linguabridge reads up to 1"):
        read_runs(tmp_path)


def test_an_altered_recommendation_is_no_ground_for_anything(tmp_path: Path) -> None:
    body = sealed("recommend", BODIES["recommend"])
    file = written(tmp_path, "recommend", {**body, "bridge": "de"})
    with pytest.raises(InputError, match="was altered"):
        export_routes([file], tmp_path / "routes.json")
    check_seal(file, json.loads(written(tmp_path, "recommend", body).read_text("utf-8")), "recommend")


def test_commands_seal_what_they_write(run: Run, tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    lexicon = write_lexicon(tmp_path / "own.tsv")
    model = ["--model", str(tiny_model("llama")), "--tokens", "200", "--device", "cpu", "--json", "-"]
    asked = {
        "recommend": ["en", "sw", "--candidates", "de,fr", "--lexicon", lexicon, "--probes", "30", "--check", "10"],
        "spectrum": ["en", "sw", "de"],
    }
    for command, words in asked.items():
        ended = run(command, *words, *model, "--out", tmp_path / "run")
        assert ended.code == 0, ended.err
        there = json.loads((tmp_path / "run" / f"{command}.json").read_text("utf-8"))
        assert there == json.loads(ended.out)
        assert there["format"] == f"linguabridge {command}"
        check_seal(tmp_path, there, command)
    assert run("report", tmp_path / "run").code == 0
    file = tmp_path / "run" / "recommend.json"
    assert read_earlier(file).pair == ("en", "sw")
    file.write_text(file.read_text("utf-8").replace('"model": "', '"model": "x'), "utf-8")
    with pytest.raises(InputError, match="was altered"):
        read_earlier(file)
