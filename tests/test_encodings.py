"""Terminals and paths that are not UTF-8, and standard input that is closed or no text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from conftest import Ended
from linguabridge.asking import ask_through
from linguabridge.engines.engine import Engine
from linguabridge.errors import InputError
from linguabridge.evaluation.experiment import ending_for
from linguabridge.json_values import refuse_another, storable, write_json
from linguabridge.languages import parse
from test_recommend import write_lexicon

Run = Callable[..., Ended]
_FOREIGN: tuple[Mapping[str, str], ...] = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252"},  # of a redirected Windows console
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
)
_NO_UTF8 = pytest.mark.skipif(sys.platform != "linux", reason="paths there are always text")


def of_its_own(words: list[str], environment: Mapping[str, str], **given: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "linguabridge", *words]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False, **given)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("environment", _FOREIGN, ids=lambda one: next(iter(one.values())))
@pytest.mark.parametrize(
    ("words", "said"),
    [(["languages", "arabic"], b"Arabic"), (["--help"], b"recommend"), (["study", "--list-ways"], b"english")],
)
def test_every_terminal_can_be_written_to(environment: Mapping[str, str], words: list[str], said: bytes) -> None:
    ended = of_its_own(words, environment)
    assert ended.returncode == 0, ended.stderr
    assert said in ended.stdout
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("environment", _FOREIGN, ids=lambda one: next(iter(one.values())))
def test_json_is_json_on_every_terminal(environment: Mapping[str, str], tmp_path: Path) -> None:
    cache = tmp_path / "Zwischenspeicher é 語 🐈"
    (cache / "mine").mkdir(parents=True)
    # The environment is read in the locale's encoding too, so the name comes as bytes.
    ended = of_its_own(["cache", "list", "--json", "-"], {**environment, "LINGUABRIDGE_CACHE": str(cache)})
    assert ended.returncode == 0, ended.stderr
    body = json.loads(ended.stdout.decode(environment.get("PYTHONIOENCODING", "ascii")))
    if "LC_ALL" not in environment:  # there Python cannot read the name either
        assert body["cache"] == str(cache)


@_NO_UTF8
def test_paths_that_are_no_text_are_written_to_and_read(
    run: Run, tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lexicon = write_lexicon(tmp_path / "odd\udcff.tsv")
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache\udcff"))
    model = ["--model", str(tiny_model("llama")), "--device", "cpu", "--tokens", "200"]
    words = ["recommend", "en", "sw", *model, "--candidates", "de,fr", "--lexicon", str(lexicon), "--probes", "30"]
    out = tmp_path / "out\udcff"
    for _ in range(2):  # the second time it is known as the same
        ended = run(*words, "--check", "10", "--out", out, "--json", tmp_path / "found\udcff.json")
        assert ended.code == 0, ended.err
    body = json.loads((out / "recommend.json").read_text("utf-8"))
    assert body["settings"]["lexicon"] == str(tmp_path / "odd\\udcff.tsv")
    ended = run("spectrum", "en", "sw", "de", *model, "--out", tmp_path / "spectrum\udcff", "--samples", "100")
    assert ended.code == 0, ended.err
    ended = run("report", out, tmp_path / "spectrum\udcff", "--out", tmp_path / "page\udcff.html")
    assert ended.code == 0, ended.err
    ended = run("cache", "list", "--json", tmp_path / "list.json")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "list.json").read_text("utf-8"))["cache"] == str(tmp_path / "cache\\udcff")
    assert run("cache", "verify").code == 0


def test_halves_of_characters_are_stored_so_that_they_can_be_seen(tmp_path: Path) -> None:
    assert storable({"a\udc80": ("\ud800", 1, None)}) == {"a\\udc80": ["\\ud800", 1, None]}
    write_json(tmp_path / "x.json", {"path": "a\udcff"})
    assert (tmp_path / "x.json").read_text("utf-8") == '{\n "path": "a\\\\udcff"\n}\n'
    refuse_another(tmp_path / "x.json", "result", {"path": "a\udcff"}, dict)


@pytest.mark.parametrize(
    ("content", "said"),
    [(bytes(range(255, 40, -1)), "not UTF-8"), (b"a" * 1_000_001, "1,000,000"), (b" \n", "no text")],
)
def test_standard_input_that_is_no_text_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    words = ["ask", "en", "sw", "-", "--bridge", "de", "--model", str(tmp_path)]
    ended = of_its_own(words, {}, input=content)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"Error: ")
    assert said.encode() in ended.stderr
    assert ended.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="the shell is another")
@pytest.mark.parametrize("words", [["ask", "en", "sw", "-"], ["cache", "clear"]])
def test_standard_input_may_be_closed(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / f"{'0' * 32}.json").write_text("{}")
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "linguabridge", *words]
    environment = {**os.environ, "LINGUABRIDGE_CACHE": str(tmp_path)}
    ended = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert ended.returncode == 2, ended.stderr
    assert b"Traceback" not in ended.stderr
    assert ended.stderr.startswith(b"Error: ")


def test_a_text_with_halves_of_characters_is_refused(run: Run, tiny_model: Callable[[str], Path]) -> None:
    words = ["ask", "en", "sw", "s\udcff", "--bridge", "de", "--device", "cpu", "--model", tiny_model("llama")]
    ended = run(*words)
    assert ended.code == 2
    assert "not UTF-8" in ended.err
    with pytest.raises(InputError, match="not UTF-8"):
        ask_through(cast("Engine", None), parse("en"), parse("sw"), "\ud800", [])


def test_an_answer_with_halves_of_characters_can_be_asked_on() -> None:
    # Three bytes, as a half is written where it is let through.
    assert ending_for(["a\udc80" * 30], words=False).max_new_tokens == 32 + 4 * 30 // 3
