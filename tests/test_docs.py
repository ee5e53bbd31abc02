"""Every command and every block of Python in the README and the documentation: it parses, and it runs on a tiny model.

Tests elsewhere run the Python of the README on the default model (test_real_model), the task of docs/evaluate.md
(test_evaluate_input) and compare what docs/study.md and docs/scaling.md print (test_study_docs, test_large_job).
"""

from __future__ import annotations

import ast
import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.main

from conftest import REPOSITORY, Ended
from test_recommend import write_lexicon

Run = Callable[..., Ended]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?: {2,}|\$ )?(linguabridge .+)$")

# What makes each command small; options of the page's own that say otherwise are overruled.
_READ = "--tokens 300 --probes 30"
CANDIDATES = "--candidates fr,es,it,pt"
SMALL = {
    "recommend": f"{_READ} {CANDIDATES} --check 10",
    "spectrum": "--tokens 500 --concepts 100 --samples 100",
    "evaluate": f"{_READ} {CANDIDATES} --limit 10",
    "ablate": "--tokens 300 --text-tokens 300 --words 10 --top-rate .1 --layers 0-3",
    "study": f"{_READ} {CANDIDATES} --words 40 --no-exact",
    "stability": _READ,
}
# Runs that a page's commands find there.
MADE_BEFORE = {
    "README.md": ("recommend ar he --out runs/ar-he", "spectrum en de fr ar he fi --out runs/spectrum"),
}
ANY_MODEL = ("recommend", "spectrum", "evaluate", "ablate", "study", "stability", "ask")
# What cannot be run here, by a part of it.
NOT_RUN = {
    "--ray auto": "needs a cluster that runs already",
    "--all-lexicon": "160 languages",
    "stability ar:he id:tl zh:ja": "six pairs on the default model; test_study_docs compares what it found",
    "linguabridge study   ": "24 pairs",
    "linguabridge view": "serves until it is stopped; test_view runs it",
    "Qwen/": "needs a hub",
    "--from STUDY": "stands for any folder",
    "RUN": "stands for any folder",
    "LANG": "stands for any language",
    "MODEL": "stands for any model",
    "FILE": "stands for any file",
    "NAME": "stands for any name",
    "SOURCE": "stands for any language",
}


def commands() -> Iterator[tuple[str, str]]:
    """Lines of code blocks that call linguabridge, with their pages; each command once."""
    seen = set()
    for page in PAGES:
        fenced = False
        for line in re.sub(r"\\\n\s*", "", page.read_text("utf-8")).splitlines():  # lines that go on in the next
            if line.lstrip().startswith("```"):
                fenced = not fenced
                continue
            found = COMMAND.match(line)
            if found and (fenced or line.startswith("    ")) and found[1] not in seen:
                seen.add(found[1])
                yield page.name, found[1]


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)[1:]


def why_not(command: str) -> str | None:
    return next((why for part, why in NOT_RUN.items() if part in command), None)


COMMANDS = list(commands())
RUN = [(page, command) for page, command in COMMANDS if why_not(command) is None]


def test_there_are_commands_and_most_are_run() -> None:
    assert len(COMMANDS) > 25
    assert len(RUN) > 0.7 * len(COMMANDS)


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {command}" for page, command in COMMANDS])
def test_command_parses(page: str, command: str) -> None:
    from linguabridge.cli import app

    group = typer.main.get_command(app)
    name, *rest = words(command)
    found = group.commands[name]
    while hasattr(found, "commands"):
        name, *rest = rest
        found = found.commands[name]
    found.make_context(name, list(rest))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], Path]) -> Callable[[str], Path]:
    """Give ``place(page)``: a folder with all that a page's commands name: models, word lists, finished runs."""
    cache = tmp_path_factory.mktemp("cache")

    @functools.cache
    def make(page: str) -> Path:
        folder = tmp_path_factory.mktemp("place")
        for name in ("my-model", "my-8b", "mine", "tiny"):
            (folder / name).symlink_to(tiny_model("llama"))
        write_words(folder / "words.tsv")
        write_lexicon(folder / "own.tsv")
        for command in MADE_BEFORE.get(page, ()):
            arguments = [*command.split(), *SMALL[command.split()[0]].split(), "--model", "my-model"]
            environment = {**os.environ, "LINGUABRIDGE_CACHE": str(cache)}
            subprocess.run(
                [sys.executable, "-m", "linguabridge.cli", *arguments], cwd=folder, env=environment, check=True
            )
        return folder

    return make


def write_words(file: Path) -> None:
    """The tutorial's list: 200 concepts in Scottish Gaelic, under a private code, and four other languages."""
    from linguabridge.languages import parse
    from linguabridge.lexicons import load_cldr

    columns = [load_cldr().names(parse(code)) for code in ("gd", "de", "en", "fr", "es")]
    rows = [
        row
        for concept in sorted(columns[0])
        if all(concept in names for names in columns)
        for row in [[names[concept] for names in columns]]
        if not any(" " in word for word in row)
    ]
    lines = ["x-own\tde\ten\tfr\tes", *("\t".join(row) for row in rows[:200])]
    file.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.long
@pytest.mark.parametrize(("page", "command"), RUN, ids=[f"{page}: {command}" for page, command in RUN])
def test_command_runs(
    page: str,
    command: str,
    place: Callable[[str], Path],
    run: Run,
    shared_data: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place(page))
    name, *rest = words(command)
    given = [str(shared_data("belebele").parent) if word == "DIR" else word for word in rest]
    given = [str(shared_data("muse")) if word == "./muse" else word for word in given]
    if name in ANY_MODEL and "--from" not in given:
        given += ["--device", "cpu", *SMALL.get(name, "").split()]
        if "--model" not in given:
            given += ["--model", "my-model"]
        if name == "study":  # the page shows several, each by itself
            given += ["--out", f"study-{RUN.index((page, command))}"]
    ended = run(name, *given)
    assert ended.code == 0, ended.err


def test_messages_that_troubleshooting_quotes_are_said() -> None:
    said = " ".join(_strings())
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text("utf-8")
    quoted = re.findall(r'"([^"]+)"', page.replace("\n", " "))
    assert len(quoted) >= 10
    for one in quoted:
        for part in re.split(r"…|\bN\b|\d+", one):
            assert part.strip(" .") in said, one


def _strings() -> Iterator[str]:
    """All texts in the source, those of f-strings with a gap where a value goes."""
    for file in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
