"""No command replaces what is not its own earlier result: word lists, models, other runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Ended
from linguabridge import lazy_model
from linguabridge.report import runs
from linguabridge.run_files import RUN_FILES
from linguabridge.study import files as study_files
from small_runs import RESULTS
from test_recommend import write_lexicon

Run = Callable[..., Ended]
_SMALL = ("--candidates", "de,fr", "--tokens", "200", "--probes", "30", "--check", "10", "--device", "cpu")


@pytest.fixture
def words(tiny_model: Callable[[str], Path], tmp_path: Path) -> list[str]:
    lexicon = write_lexicon(tmp_path / "own.tsv")
    return ["recommend", "en", "sw", "--model", str(tiny_model("llama")), "--lexicon", str(lexicon), *_SMALL]


def refused(ended: Ended, *said: str) -> None:
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    for one in said:
        assert one in ended.err


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_model, "find_model", lambda *_, **__: pytest.fail("looked for the model"))


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.tsv", None),  # the word list that is read
        ("notes.txt", "mine"),
        ("binary", b"\xff\xfe\x00"),
        ("other.json", '{"my": "settings"}'),
        ("list.json", "[1, 2]"),
        ("deep.json", "[" * 100_000),
        ("spectrum-of-mine.json", '{"tree": [], "measures": {}}'),  # of another command
    ],
)
def test_json_replaces_no_file_but_an_earlier_result(
    run: Run, words: list[str], tmp_path: Path, name: str, content: str | bytes | None
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    before = file.read_bytes()
    refused(run(*words, "--json", file), name, "choose another file with --json")
    assert file.read_bytes() == before


@pytest.mark.usefixtures("no_work")
def test_json_replaces_no_word_list_named_by_the_home_folder(
    run: Run, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    refused(run(*words, "--lexicon", "~/own.tsv", "--json", tmp_path / "own.tsv"), "own.tsv", "which is read")


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", ["config.json", "new.json"])
def test_json_goes_into_no_model(
    run: Run, words: list[str], tiny_model: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model("llama"), folder)
    before = sorted((one, one.read_bytes()) for one in folder.iterdir())
    refused(run(*words, "--model", folder, "--json", folder / name), "which is read", "--json")
    assert sorted((one, one.read_bytes()) for one in folder.iterdir()) == before


def test_json_replaces_an_earlier_result_and_an_empty_file(run: Run, words: list[str], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.touch()
    assert run(*words, "--json", file).code == 0
    assert run(*words, "--no-check", "--json", file).code == 0
    assert json.loads(file.read_text("utf-8"))["check"] is None
    assert run(*words, "--json", "/dev/null").code == 0


def test_json_replaces_no_file_of_a_run(run: Run, words: list[str], tmp_path: Path) -> None:
    assert run(*words, "--out", tmp_path / "run").code == 0
    before = (tmp_path / "run" / "recommend.json").read_bytes()
    for more in (["--seed", "1"], ["--out", tmp_path / "run"]):
        refused(run(*words, *more, "--json", tmp_path / "run" / "recommend.json"), "a run's folder")
    assert (tmp_path / "run" / "recommend.json").read_bytes() == before


def test_study_replaces_no_study_by_json(run: Run, tmp_path: Path) -> None:
    assert run("study", "--from", "gemma-3-270m-dictionary", "--out", tmp_path / "one").code == 0
    for progress in (tmp_path / "one").glob("progress.json"):  # as in studies that come along
        progress.unlink()
    kept = {one: one.read_bytes() for one in (tmp_path / "one").iterdir()}
    for file in kept:
        refused(run("study", "--from", tmp_path / "one", "--json", file), "--json")
    assert {one: one.read_bytes() for one in (tmp_path / "one").iterdir()} == kept


@pytest.mark.parametrize("name", ["hops.parquet", "ranks.parquet", "study.json", "progress.json"])
def test_json_replaces_no_file_that_the_same_run_writes(run: Run, tmp_path: Path, name: str) -> None:
    words = ["study", "--from", "gemma-3-270m-dictionary", "--out", tmp_path / "one"]
    refused(run(*words, "--json", tmp_path / "one" / name), "a run's folder", name)
    assert not (tmp_path / "one").exists()


def test_every_file_of_a_run_is_known_as_one() -> None:
    of_folders = [names for command, names in RESULTS.items() if command != "stability"]
    written = {name for names in of_folders for name in names}
    assert written <= set(RUN_FILES)
    assert {study_files.STUDY, study_files.RANKS, study_files.HOPS, runs.STUDY} <= set(RUN_FILES)


@pytest.mark.parametrize("command", ["doctor", "cache list", "cache verify"])
def test_json_of_small_commands_replaces_their_own_only(run: Run, tmp_path: Path, command: str) -> None:
    file = tmp_path / "told.json"
    for _ in range(2):
        assert run(*command.split(), "--json", file).code == 0
    file.write_text("mine", "utf-8")
    refused(run(*command.split(), "--json", file), "told.json", f"`linguabridge {command}`")
    assert file.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("changed", "differs"),
    [(("--seed", "5"), "seed"), (("--no-check",), "check"), (("--candidates", "de"), "candidates")],
)
def test_recommend_does_not_replace_another_run(
    run: Run, words: list[str], tmp_path: Path, changed: tuple[str, ...], differs: str
) -> None:
    assert run(*words, "--out", tmp_path / "run").code == 0
    kept = {one: one.read_bytes() for one in (tmp_path / "run").iterdir()}
    refused(run(*words, *changed, "--out", tmp_path / "run"), "another recommendation", differs, "--out")
    assert {one: one.read_bytes() for one in (tmp_path / "run").iterdir()} == kept


@pytest.mark.parametrize("forget", [(), ("bridge_words", "choose_by", "shared_set")])
def test_the_same_recommendation_again_replaces_that_of_any_version(
    run: Run, words: list[str], tmp_path: Path, forget: tuple[str, ...]
) -> None:
    assert run(*words, "--out", tmp_path / "run").code == 0
    file = tmp_path / "run" / "recommend.json"
    body: dict[str, Any] = json.loads(file.read_text("utf-8"))
    older = {**body, "versions": {"linguabridge": "0.0.1"}, "unknown": 1}
    older["settings"] = {name: one for name, one in body["settings"].items() if name not in forget} | {"gone": 1}
    file.write_text(json.dumps(older), "utf-8")
    assert run(*words, "--out", tmp_path / "run").code == 0
    assert json.loads(file.read_text("utf-8")) == {**body, "command": json.loads(file.read_text("utf-8"))["command"]}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("content", ["mine", "{}", '{"settings": {"seed": -1}}', "[]"])
def test_recommend_does_not_replace_what_is_none(run: Run, words: list[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recommend.json").write_text(content, "utf-8")
    refused(run(*words, "--out", tmp_path / "run"), "is no recommendation", "--out")
    assert (tmp_path / "run" / "recommend.json").read_text("utf-8") == content


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", ["recommend", "evaluate"])
def test_progress_json_of_somebody_else_stays(run: Run, words: list[str], tmp_path: Path, command: str) -> None:
    (tmp_path / "progress.json").write_text('{"chapters": 3}', "utf-8")
    asked = words if command == "recommend" else ["evaluate", "en:sw"]
    refused(run(*asked, "--out", tmp_path), "progress.json", "--out")


def test_spectrum_does_not_replace_a_table_of_somebody_else(
    run: Run, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "pairs.parquet").write_bytes(b"mine")
    words = ["spectrum", "en", "sw", "de", "--model", tiny_model("llama"), "--tokens", "200", "--device", "cpu"]
    refused(run(*words, "--out", tmp_path), "pairs.parquet", "--out")
    assert (tmp_path / "pairs.parquet").read_bytes() == b"mine"


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", ["recommend", "spectrum", "evaluate", "ablate"])
def test_out_is_no_dash(run: Run, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pair = {"evaluate": ["en:sw"], "spectrum": ["en", "sw", "de"]}.get(command, ["en", "sw"])
    refused(run(command, *pair, "--out", "-"), "--json -")
    assert list(tmp_path.iterdir()) == []
