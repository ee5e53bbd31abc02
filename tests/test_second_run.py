"""A second run answers from the cache: in a process of its own, without torch, and with the same words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Ended
from linguabridge.study import stability
from test_gguf import write_gguf
from test_recommend import write_lexicon

Run = Callable[..., Ended]
Folder = Callable[[str], Path]

# Runs the command line, and names at the end which of the packages that compute were imported.
_WATCHED = """
import sys
from linguabridge import cli
from linguabridge.study import stability
stability.HALVINGS = 2
try:
    cli.main()
finally:
    print("imported:", *sorted({"torch", "transformers"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv", rows=160, languages="en sw de fr es"))


@pytest.fixture
def commands(tiny_model: Folder, words: str) -> dict[str, list[str]]:
    """Each command, small: seconds the first time."""
    model = ["--model", str(tiny_model("llama"))]  # no --device: what there is must be remembered, too
    small = ["--lexicon", words, "--tokens", "300", "--probes", "30"]
    return {
        "recommend": ["recommend", "en", "sw", *model, *small, "--candidates", "de,fr", "--check", "10"],
        "choosing": [
            *("recommend", "en", "sw", *model, *small, "--candidates", "de,fr", "--no-check"),
            *("--choose-by", "cka-length"),
        ],
        "spectrum": [
            *("spectrum", "pt", "es", "ar", "he", *model),
            *("--tokens", "400", "--samples", "100", "--concepts", "100", "--out", "related"),
        ],
        "evaluate": [
            *("evaluate", "en:sw", *model, *small, "--candidates", "de,fr", "--bridge", "de", "--limit", "12"),
            *("--arms", "all", "--best", "2"),
        ],
        "ask": ["ask", "en", "sw", "cat", *model, "--bridge", "de"],
        "study": [
            *("study", "en:sw", *model, *small, "--candidates", "en,sw,de,fr,es", "--words", "40", "--no-exact"),
            *("--ways", "cka,reference,cka-length,hub-hidden,bits,hops", "--out", "studied"),
        ],
        "stability": [
            "stability",
            "en:sw",
            *model,
            "--lexicon",
            words,
            "--tokens",
            "200",
            "--probes",
            "20",
            "--other",
            "cldr",
        ],
        "ablate": [
            *("ablate", "en", "sw", *model, "--lexicon", words, "--tokens", "300", "--text-tokens", "100"),
            *("--words", "12", "--draws", "20", "--contrast", "de", "--languages", "de,fr"),
            *("--top-rate", "0.1", "--specific-rate", "0.05"),
        ],
        "inspect": ["inspect", model[1]],
    }


def again(arguments: list[str], folder: Path) -> tuple[str, str]:
    """The same command in a process of its own: what it says, and what it imported to say so."""
    ended = subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, next(line for line in ended.stderr.splitlines() if line.startswith("imported:"))


LONG = ("choosing", "stability")  # what they keep, study keeps in the same way
NAMES = ("recommend", "spectrum", "evaluate", "ask", "study", "ablate", "inspect")


@pytest.mark.parametrize("name", [*NAMES, *(pytest.param(one, marks=pytest.mark.long) for one in LONG)])
def test_second_run_imports_neither_torch_nor_transformers(
    run: Run, commands: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(stability, "HALVINGS", 2)  # as in the other process
    first = run(*commands[name])
    assert first.code == 0, first.err
    said, imported = again(commands[name], tmp_path)
    assert imported == "imported:"
    assert said == first.out
    if name == "spectrum":
        _, imported = again(["report", "related", "--out", "report.html"], tmp_path)
        assert imported == "imported:"


def test_second_run_of_a_converted_model_imports_neither_though_it_compares_the_conversion(
    run: Run, tmp_path: Path
) -> None:
    file = write_gguf(tmp_path / "tiny.gguf")
    first = run("inspect", file)
    assert first.code == 0, first.err
    said, imported = again(["inspect", str(file)], tmp_path)
    assert imported == "imported:"
    assert said == first.out
