"""Every code block of README.md, CONTRIBUTING.md and docs/: what it is, and that it does what it says.

A block is one of three things, and one that is none of them fails the tests:

- **commands**. Those of ``linguabridge`` are parsed, and then run (``long``) page by page, in order, on a tiny model
  that lies where the page's models do, with options that make them small (``SMALL``) and stand-ins for folders and
  clusters that are not here (``STAND_INS``). Python of the repository's environment is run as it stands. Of ``make`` it
  is checked that the target is there, of ``pip install`` that the extra is; test_wheel installs wheels.
- **Python**, run with the same models and stand-ins; what it defines is used (``use``). test_real_model runs the
  README's once more, as they stand, on the default model.
- **shown**: what a command printed, or a file or formula to look at. ``SHOWN`` says which. Of a transcript (``$ …``)
  the command is run and what follows is shown. What docs/export.md shows is compared here, the tables of docs/study.md
  in test_study_docs; what the default model printed is pasted from a run and not compared.

Commands and options that sentences name are parsed, and not run.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import typer.main

import tiny
from conftest import REPOSITORY, Ended
from evaluated import lexicon_in
from linguabridge.languages import PAPER_LANGUAGES

Run = Callable[..., Ended]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PROGRAMS = ("linguabridge", "make", "pip", "python")
WORDS = REPOSITORY / "examples" / "words.tsv"
MODELS = ("my-model", "my-8b", "my-70b", "mine", "tiny", "gemma-3-270m", "Qwen/Qwen3-0.6B")  # names that pages use

# Blocks that nothing runs, by page and beginning: what they are, and what compares them.
SHOWN = {
    "README.md": {
        "Translate directly from Arabic to Hebrew": "printed by `make demo`",
        "Go through English, French and Spanish together": "printed by the same with --bridge-words dictionary",
        "gemma-3-270m keeps language families together": "printed by `make spectrum`",
        "bli, Arabic to German": "printed by `make evaluate`",
        "sw\ten\tfr": "a word list",
    },
    "export.md": {
        "Wrote 6 tasks": "printed by export; compared here",
        "| - linguabridge_bli": "printed by lm-eval; compared here",
        '{\n "format"': "a file that export wrote; compared here",
    },
    "planted.md": {"gelu(bias": "a formula; tests/test_planted.py checks what it makes"},
    "spectrum.md": {"gemma-3-270m keeps language families together": "printed by `make spectrum`"},
    "tutorial.md": {
        "x-own\tde\ten\tfr\tes": "a word list",
        "Go through English from x-own": "printed by the tutorial's command",
        "What this rests on": "printed by the tutorial's command",
    },
}

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
# What looks like a command in a sentence, and options of other programs.
NO_COMMANDS = {"linguabridge routes": "what stands as format in a table of routes"}
NOT_OURS = {"--log_samples": "lm-eval"}
SMALL_BY_ITSELF = ("export.md",)  # its commands are run as they stand, and what they print is compared
PAIRS = ("ar:he", "en:sw")  # of a study whose command names none
# Runs that a page's commands find there.
MADE_BEFORE = {
    "README.md": (
        "recommend ar he --out runs/ar-he",
        "spectrum en de fr ar he fi --out runs/spectrum",
        "evaluate ar:de sw:de --task bli --limit 60 --bridge en --arms dictionary,recommended",
    ),
    "study.md": ("study ar:he en:sw --out STUDY",),
}
STAND_INS = {
    "--ray auto": "--ray local --workers 1",  # needs a cluster that runs already; test_cluster starts one
    "--gpus-per-worker 4": "--gpus-per-worker 0",
    "--all-lexicon": "en de fr ar he fi",  # 160 languages
    "--device map": "--device cpu",  # needs GPUs; test_device_map spreads a model
    "ar:he id:tl zh:ja fi:hu en:he hu:en": "id:tl hu:en",  # in a random model other scripts share no neurons
    "./muse": "MUSE",
    "/shared/llama-8b": "my-8b",
    "/shared/texts": "texts",
    'ClusterOptions("auto", workers=8)': 'ClusterOptions("local", workers=1)',
    "tokens=10_000_000": "tokens=300",
}


@dataclass(frozen=True)
class Block:
    """A code block: its page and line there, the word behind the fence (none of an indented one), and its text."""

    page: str
    line: int
    tag: str
    text: str

    @property
    def shown(self) -> bool:
        return any(self.text.startswith(beginning) for beginning in SHOWN.get(self.page, ()))

    @property
    def python(self) -> bool:
        return self.tag == "python" or self.text.startswith("def ")

    @property
    def commands(self) -> list[str]:
        """Its commands, each on one line: of a transcript, lines behind a ``$``."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        if self.text.startswith("$ "):
            return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip()]


def blocks_of(page: Path) -> Iterator[Block]:
    """Fenced blocks, and indented ones that a blank line stands before."""
    lines = iter(enumerate(page.read_text("utf-8").splitlines(), 1))
    before = ""
    for number, line in lines:
        stripped = line.lstrip()
        if stripped.startswith("```"):
            indent = len(line) - len(stripped)
            inside = []
            for _, line in lines:
                if line.strip() == "```":
                    break
                inside.append(line[indent:])
            yield Block(page.name, number, stripped.removeprefix("```"), "\n".join(inside))
            before = ""
        elif line.startswith("    ") and not before.strip():
            inside = [line[4:]]
            for _, line in lines:
                if not line.startswith("    "):
                    break
                inside.append(line[4:])
            yield Block(page.name, number, "", "\n".join(inside))
            before = line
        else:
            before = line


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
LINES = [(one.page, line) for one in BLOCKS if not (one.shown or one.python) for line in one.commands]
OURS = list(dict.fromkeys((page, line) for page, line in LINES if "linguabridge" in line.split()[0]))


def inline_of(page: Path) -> Iterator[str]:
    """Code in the sentences of a page, each piece on one line."""
    sentences = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text("utf-8"))
    for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", sentences):
        yield " ".join(code.split())


INLINE = [(page.name, code) for page in (*PAGES, REPOSITORY / "SECURITY.md") for code in inline_of(page)]
IN_SENTENCES = list(
    dict.fromkeys(
        (page, command.strip())
        for page, code in INLINE
        if code.startswith("linguabridge ") and code not in NO_COMMANDS
        for command in code.split(" & ")
    )
)


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)[1:]


def program(line: str) -> str:
    return line.split()[0].removeprefix(".venv/bin/")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_block_is_of_a_kind_that_is_checked(block: Block) -> None:
    if block.shown:
        assert not block.tag
    elif block.python:
        ast.parse(block.text)
    else:
        assert block.commands
        assert {program(line) for line in block.commands} <= set(PROGRAMS), "neither commands nor declared in SHOWN"


def test_what_is_declared_as_shown_is_there() -> None:
    declared = [(page, beginning) for page, shown in SHOWN.items() for beginning in shown]
    there = [(one.page, one.text) for one in BLOCKS]
    assert [
        one for one in declared if not any(page == one[0] and text.startswith(one[1]) for page, text in there)
    ] == []


def test_there_are_blocks_of_every_kind() -> None:
    assert len(OURS) > 30
    assert len(IN_SENTENCES) > 30
    assert sum(one.python for one in BLOCKS) > 6
    assert {program(line) for _, line in LINES} == set(PROGRAMS)


def found_command(command: str) -> tuple[Any, str, list[str]]:
    """The command that a line gives, its name, and the words after that."""
    from linguabridge.cli import app

    found: Any = typer.main.get_command(app)  # typer brings its own click, whose classes have no public name
    name, rest = "", words(command)
    while hasattr(found, "commands"):
        name, *rest = rest
        found = found.commands[name]
    return found, name, rest


def options_of(command: Any) -> set[str]:
    own = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return own.union(*(options_of(one) for one in getattr(command, "commands", {}).values()))


@pytest.mark.parametrize(("page", "command"), OURS, ids=[f"{page}: {command}" for page, command in OURS])
def test_command_parses(page: str, command: str) -> None:
    found, name, rest = found_command(command)
    found.make_context(name, rest)


@pytest.mark.parametrize(
    ("page", "command"), IN_SENTENCES, ids=[f"{page}: {command}" for page, command in IN_SENTENCES]
)
def test_command_in_a_sentence_parses(page: str, command: str) -> None:
    """A word such as RUN stands for any; a command that is only named takes more words than that."""
    found, name, rest = found_command(command)
    if rest:
        found.make_context(name, rest)


def test_options_in_sentences_are_there() -> None:
    from linguabridge.cli import app

    known = {"--help", *NOT_OURS, *options_of(typer.main.get_command(app))}
    named = {(page, option) for page, code in INLINE for option in re.findall(r"^--[a-z][\w-]*", code)}
    assert len(named) > 50
    assert {(page, option) for page, option in named if option not in known} == set()


def test_what_is_declared_as_no_command_is_there() -> None:
    assert set(NO_COMMANDS) <= {code for _, code in INLINE}
    assert set(NOT_OURS) <= {code.split()[0] for _, code in INLINE}


def test_targets_of_make_are_there() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    targets = set(re.findall(r"(?m)(?:`|^ {4}|^)make ([a-z-]+)", text))
    assert {"demo", "test", "lint", "docs", "bench"} <= targets
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=REPOSITORY, check=True, capture_output=True)


def test_extras_of_pip_are_there() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    installs = [one for page in PAGES for one in re.findall(r"pip install ([^\n`]*)", page.read_text("utf-8"))]
    named = [one for install in installs for group in re.findall(r"\[([\w,]+)\]", install) for one in group.split(",")]
    assert len(named) > 5
    assert set(named) <= set(extras)


def test_wheels_have_todays_name() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    named = {name for page in PAGES for name in re.findall(r"[\w.-]+\.whl", page.read_text("utf-8"))}
    assert named == {f"linguabridge-{version}-py3-none-any.whl"}


@pytest.fixture
def place(
    tmp_path: Path, run: Run, tiny_model: Callable[[str], Path], shared_data: Callable[[str], Path]
) -> Callable[[str], Path]:
    """Give ``place(page)``: the working folder, with all that the page names: models, word lists, finished runs."""

    def make(page: str) -> Path:
        # A stability's smallest top sets hold .5 % of all neurons.
        model = tiny.save(tmp_path / "wide", "llama", intermediate_size=1024) if page == "study.md" else None
        for name in MODELS:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).symlink_to(model or tiny_model("llama"))
        (tmp_path / "words.tsv").write_bytes(WORDS.read_bytes())
        lexicon_in(tmp_path)
        rows = [
            [code, *(str(abs(i - j)) for j in range(len(PAPER_LANGUAGES)))] for i, code in enumerate(PAPER_LANGUAGES)
        ]
        (tmp_path / "uriel.tsv").write_text("\n".join(map("\t".join, [["", *PAPER_LANGUAGES], *rows])), "utf-8")
        (tmp_path / "texts").mkdir()
        for code in ("sw", "he", "tl"):
            (tmp_path / "texts" / f"{code}.txt").write_text("paka ameketi juu ya mkeka\n" * 200, "utf-8")
        if any("./muse" in one.text for one in BLOCKS if one.page == page):
            (tmp_path / "MUSE").symlink_to(shared_data("muse"))
        for command in MADE_BEFORE.get(page, ()):
            name, *rest = command.split()
            ended = run(name, *rest, "--device", "cpu", *SMALL[name].split())
            assert ended.code == 0, ended.err
        return tmp_path

    return make


@pytest.mark.long
@pytest.mark.parametrize("page", [page.name for page in PAGES if any(one.page == page.name for one in BLOCKS)])
def test_page_runs(page: str, place: Callable[[str], Path], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place(page)
    said = []
    for number, block in enumerate(one for one in BLOCKS if one.page == page and not one.shown):
        if block.python:
            use(execute(block), block, run, monkeypatch)
            continue
        for line in block.commands:
            if program(line) == "linguabridge":
                ended = run_command(page, line, run, folder, number)
                assert ended.code == 0, f"{line}\n{ended.err}"
                said.append(ended.out)
            elif program(line) == "python":
                subprocess.run([sys.executable, *words(line)], cwd=REPOSITORY, check=True, capture_output=True)
    if page == "export.md":
        compare_export(said, folder)
    elif page == "tutorial.md":
        compare_tutorial(said)


def run_command(page: str, line: str, run: Run, folder: Path, number: int) -> Ended:
    """A line of a page, made small."""
    command = line.partition(" #")[0]
    for old, new in STAND_INS.items():
        command = command.replace(old, new)
    name, *given = words(command)
    if name == "view":
        return view(given, folder)
    if page in SMALL_BY_ITSELF or "--from" in given or "--list-ways" in given:
        return run(name, *given)
    if name in {*SMALL, "ask", "inspect"}:
        given += ["--device", "cpu", *SMALL.get(name, "").split()]
    if name == "study":
        if not any(":" in word for word in given):
            given += PAIRS
        if "--out" not in given:  # the page shows several, each by itself
            given += ["--out", f"study-{number}-{len(list(folder.glob('study-*')))}"]
    return run(name, *given)


def view(given: list[str], folder: Path) -> Ended:
    """The viewer answers until it is stopped."""
    command = [sys.executable, "-m", "linguabridge", "view", *given, "--no-browser"]
    started = subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert started.stdout is not None
        with urlopen(started.stdout.readline().strip(), timeout=60) as reply:
            assert b"linguabridge" in reply.read()
    finally:
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    return Ended(started.returncode, out, err)


def execute(block: Block) -> dict[str, Any]:
    """Run a block of Python; a sketch of a task, which the README has, with the names that it leaves out."""
    from linguabridge.engines.engine import TEXT
    from linguabridge.prompts import Prompt
    from linguabridge.tasks.task import Item, Loaded, Question, Task, chain_text

    names: dict[str, Any] = {}
    if block.tag != "python":  # the sketch
        items = (Item("0", "0", "Chakula kilikuwa kizuri sana.", ("good",), ("good", "bad"), 0),)
        names = {"items": items, "demonstrations": (), "options": (" good\n", " bad\n"), "TEXT": TEXT}
        names |= {one.__name__: one for one in (Prompt, Loaded, Question, Task, chain_text)}
    code = block.text
    for old, new in STAND_INS.items():
        code = code.replace(old, new)
    exec(compile(code, f"{block.page}:{block.line}", "exec"), names)
    return names


def use(names: dict[str, Any], block: Block, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use what a block of Python has defined."""
    from linguabridge import settings
    from linguabridge.choosing.ways import WAYS
    from linguabridge.engines.engine import TEXT
    from linguabridge.tasks.task import Data

    if "TASK" in names:  # the documentation's own is asked of a model in test_evaluate_input
        task = names["TASK"]
        loaded = task.load("sw", "en", Data())
        assert task.ask(loaded.items[0], (), "en", TEXT).prompt.text.endswith("The review is")
    elif "WAY" in names:
        way = names["WAY"]
        monkeypatch.setitem(WAYS, way.name, way)  # type: ignore[arg-type]
        monkeypatch.setattr(settings, "WAYS_TO_CHOOSE", (*settings.WAYS_TO_CHOOSE, way.name))
        ended = run("recommend", "ar", "he", "--device", "cpu", "--choose-by", way.name, *SMALL["recommend"].split())
        assert ended.code == 0, ended.err
        assert way.title in " ".join(ended.out.split())
    elif "rows" in names:  # the tutorial's list
        shipped = WORDS.read_text("utf-8").split("\n", 2)
        assert [line[0] for line in shipped[:2]] == ["#", "#"]
        assert Path("words.tsv").read_text("utf-8") == shipped[2]
        assert shipped[2].startswith(next(one.text for one in BLOCKS if one.text.startswith("x-own\t")))
    elif "way" in names:
        way = names["way"]
        (found,) = re.findall(r"# (\(.*\), .*, \d+): go direct", block.text)
        assert (way.route, way.helps, way.n) == ast.literal_eval(found)


def compare_export(said: list[str], folder: Path) -> None:
    """What docs/export.md shows is what its commands print, and what lm-eval prints when the command shown is given."""
    page = (REPOSITORY / "docs" / "export.md").read_text("utf-8")
    _, to_lm_eval, _, to_routes = said
    blocks = {one.text for one in BLOCKS if one.page == "export.md"}
    assert to_lm_eval.strip() in blocks
    assert f"`{to_routes.strip()}`" in page
    (shown,) = [json.loads(one) for one in blocks if one.startswith("{")]
    written = json.loads((folder / "routes.json").read_text("utf-8"))
    assert shown["routes"][0] in written["routes"]
    assert shown | {"routes": ()} == written | {"routes": ()}

    (command,) = [line.strip() for line in to_lm_eval.splitlines() if line.strip().startswith("lm-eval ")]
    pytest.importorskip("lm_eval", reason="needs lm-evaluation-harness: pip install '.[bench]'")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    program = Path(sys.executable).with_name("lm-eval")
    ended = subprocess.run(
        [program, *words(command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    (table,) = [one for one in blocks if one.startswith("| - ")]
    for line in table.splitlines():
        assert line in ended.stdout.splitlines()


def compare_tutorial(said: list[str]) -> None:
    """Of what the tutorial shows, what no model has a part in; the rest takes the default model ten minutes."""
    (block,) = [one.text for one in BLOCKS if one.page == "tutorial.md" and one.text.startswith("What this rests on")]
    entries = " ".join(block.partition("A word takes")[0].split()[4:])
    assert entries in " ".join(said[1].split())


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
