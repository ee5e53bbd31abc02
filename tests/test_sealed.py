"""Results carry a format and a checksum; an altered one is noticed where it is read back."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import made_up
from conftest import Ended
from linguabridge.ablation import settings as ablation_settings
from linguabridge.errors import InputError
from linguabridge.evaluation import files as evaluation_files
from linguabridge.evaluation.recommended import read_earlier
from linguabridge.export.routes import export_routes
from linguabridge.json_values import check_seal, sealed, write_json
from linguabridge.report.runs import read_runs
from linguabridge.spectrum import files as spectrum_files
from linguabridge.study import files as study_files
from linguabridge.study import stability as stability_module
from linguabridge.study.shipped import shipped_studies
from test_recommend import write_lexicon

Run = Callable[..., Ended]
READ = ("recommend", "spectrum", "study")  # by a report, which takes no others that are sealed


@functools.cache
def body_of(command: str) -> dict[str, Any]:
    """A result as it was before seals."""
    if command == "study":
        return made_up.study().to_dict("linguabridge study")
    found = made_up.recommendation() if command == "recommend" else made_up.spectrum(5)
    return {**found.to_dict(), "command": f"linguabridge {command}"}


def written(folder: Path, command: str, body: dict[str, Any]) -> Path:
    write_json(folder / f"{command}.json", body)
    return folder / f"{command}.json"


def test_the_checksum_is_that_of_all_the_rest() -> None:
    found = sealed("recommend", {"b": [0.1, None, "é"], "a": (1,)})
    text = '{"a":[1],"b":[0.1,null,"é"],"format":"linguabridge recommend","version":1}'
    assert found["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (found["format"], found["version"]) == ("linguabridge recommend", 1)


@pytest.mark.parametrize("command", READ)
def test_what_was_written_is_read_and_what_was_altered_is_not(command: str, tmp_path: Path) -> None:
    file = written(tmp_path, command, sealed(command, body_of(command)))
    assert read_runs(tmp_path)[0].kind == command
    body = json.loads(file.read_text("utf-8"))
    for changes in ({"summary": "Go through Klingon."}, {"model": "another"}, {"sha256": "0" * 64}):
        written(tmp_path, command, {**body, **changes})
        with pytest.raises(InputError, match=rf"{command}.json was altered after it was written"):
            read_runs(tmp_path)


@pytest.mark.parametrize("command", READ)
def test_files_of_versions_without_checksums_are_read(command: str, tmp_path: Path) -> None:
    written(tmp_path, command, body_of(command))
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
    written(tmp_path, "recommend", {**sealed("recommend", body_of("recommend")), "version": version})
    with pytest.raises(InputError, match="this linguabridge reads up to 1"):
        read_runs(tmp_path)


def test_an_altered_recommendation_is_no_ground_for_anything(tmp_path: Path) -> None:
    body = sealed("recommend", body_of("recommend"))
    file = written(tmp_path, "recommend", {**body, "bridge": "de"})
    with pytest.raises(InputError, match="was altered"):
        export_routes([file], tmp_path / "routes.json")
    check_seal(file, json.loads(written(tmp_path, "recommend", body).read_text("utf-8")), "recommend")


def test_a_study_that_was_altered_is_not_analysed_again(tmp_path: Path) -> None:
    study_files.write_folder(tmp_path, made_up.study(), command="linguabridge study")
    body = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert study_files.read_folder(tmp_path)[0] == body
    written(tmp_path, "study", {**body, "model": "another"})
    with pytest.raises(InputError, match=r"study.json was altered after it was written"):
        study_files.read_folder(tmp_path)
    written(tmp_path, "study", {**body, "version": 2})
    with pytest.raises(InputError, match="this linguabridge reads up to 1"):
        study_files.read_folder(tmp_path)


def sums(folder: Path, *names: str) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def of_old(folder: Path) -> None:
    """Make a study what it was before seals: the checksums of its tables stood where the seal stands now."""
    body = json.loads((folder / "study.json").read_text("utf-8"))
    for name in ("format", "version", "files"):
        del body[name]
    written(folder, "study", {**body, "sha256": sums(folder, "ranks.parquet", "hops.parquet")})


def test_a_study_of_a_version_without_seals_is_read_and_its_tables_are_checked(tmp_path: Path) -> None:
    result = made_up.study()
    study_files.write_folder(tmp_path, result, command="linguabridge study")
    of_old(tmp_path)
    assert [one.pair for one in study_files.read_folder(tmp_path)[1]] == [one.pair for one in result.pairs]
    assert read_runs(tmp_path)[0].kind == "study"
    (tmp_path / "hops.parquet").write_bytes((tmp_path / "ranks.parquet").read_bytes())
    with pytest.raises(InputError, match="damaged or not whole"):
        study_files.read_folder(tmp_path)
    with pytest.raises(InputError, match=r"hops.parquet is not the file that study.json beside it was written for"):
        read_runs(tmp_path)


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_studies_that_come_along_are_read(name: str) -> None:
    (run,) = read_runs(shipped_studies()[name])
    assert run.kind == "study"
    assert isinstance(run.body["sha256"], dict), "sealed by now: then this test is of no use any more"


@pytest.mark.parametrize(
    ("command", "tables"), [("spectrum", ("pairs.parquet",)), ("study", ("ranks.parquet", "hops.parquet"))]
)
def test_tables_beside_a_result_are_those_it_was_written_with(
    command: str, tables: tuple[str, ...], tmp_path: Path
) -> None:
    if command == "study":
        body = study_files.write_folder(tmp_path, made_up.study(), command="linguabridge study")
    else:
        body = spectrum_files.write_folder(tmp_path, made_up.spectrum(5), command="linguabridge spectrum")
    assert json.loads((tmp_path / f"{command}.json").read_text("utf-8")) == json.loads(json.dumps(body))
    assert body["files"] == sums(tmp_path, *tables)
    for name in tables:
        whole = (tmp_path / name).read_bytes()
        assert read_runs(tmp_path)[0].kind == command
        (tmp_path / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(InputError, match=rf"{name} is not the file that {command}.json beside it was written for"):
            read_runs(tmp_path)
        (tmp_path / name).rename(tmp_path / "elsewhere")
        assert read_runs(tmp_path)[0].kind == command  # a result that was copied on its own
        (tmp_path / name).write_bytes(whole)


def test_a_copy_under_another_name_does_not_vouch_for_the_tables_beside_it(tmp_path: Path) -> None:
    study_files.write_folder(tmp_path, made_up.study(), command="linguabridge study")
    copy = (tmp_path / "study.json").rename(tmp_path / "copy.json")
    (tmp_path / "ranks.parquet").write_bytes(b"of another study")
    assert read_runs(copy)[0].kind == "study"


def test_an_evaluation_of_another_format_is_said_and_one_without_is_read(tmp_path: Path) -> None:
    evaluation_files.write_folder(tmp_path, made_up.evaluation(), command="evaluate", started=time.time())
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    write_json(tmp_path / "manifest.json", {**manifest, "version": 2})
    with pytest.raises(InputError, match=r"manifest.json has the format 2, and this linguabridge reads up to 1"):
        read_runs(tmp_path)
    write_json(tmp_path / "manifest.json", {one: manifest[one] for one in manifest.keys() - {"format", "version"}})
    assert len(read_runs(tmp_path)[0].rows) == 2


def test_commands_seal_what_they_write(
    run: Run, tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation_settings, "FEWEST_DRAWS", 2)  # draws and halvings take most of the time
    monkeypatch.setattr(stability_module, "HALVINGS", 2)
    lexicon = write_lexicon(tmp_path / "own.tsv", rows=160, languages="en sw de fr es")
    model = ["--model", str(tiny_model("llama")), "--tokens", "200", "--device", "cpu", "--json", "-"]
    asked = {
        "recommend": ["en", "sw", "--candidates", "de,fr", "--lexicon", lexicon, "--probes", "30", "--check", "10"],
        "spectrum": ["en", "sw", "de"],
        "study": ["en:sw", "--candidates", "en,de,fr,es", "--ways", "bits", "--words", "40", "--lexicon", lexicon,
                  "--probes", "30", "--no-exact"],
        "ablate": ["en", "sw", "--languages", "de,fr", "--words", "12", "--text-tokens", "100", "--lexicon", lexicon,
                   "--top-rate", "0.1", "--specific-rate", "0.05", "--draws", "2"],
    }  # fmt: skip
    for command, words in asked.items():
        ended = run(command, *words, *model, "--out", tmp_path / "run")
        assert ended.code == 0, ended.err
        name = "ablation.json" if command == "ablate" else f"{command}.json"
        there = json.loads((tmp_path / "run" / name).read_text("utf-8"))
        assert there == json.loads(ended.out)
        assert there["format"] == f"linguabridge {command}"
        check_seal(tmp_path, there, command)
    ended = run("report", tmp_path / "run")
    assert ended.code == 0, ended.err
    again = run("study", "--from", tmp_path / "run", "--json", "-")
    check_seal(tmp_path, json.loads(again.out), "study")
    pair = ["stability", "en:sw", "--lexicon", lexicon, "--other", lexicon, "--probes", "30"]
    ended = run(*pair, *model)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["format"] == "linguabridge stability"
    check_seal(tmp_path, json.loads(ended.out), "stability")
    with pytest.raises(InputError, match=r"altered .* linguabridge stability"):
        check_seal(tmp_path, {**json.loads(ended.out), "model": "another"}, "stability")
    file = tmp_path / "run" / "recommend.json"
    assert read_earlier(file).pair == ("en", "sw")
    file.write_text(file.read_text("utf-8").replace('"model": "', '"model": "x'), "utf-8")
    with pytest.raises(InputError, match="was altered"):
        read_earlier(file)
