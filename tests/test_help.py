"""The help of every command ends with examples that can be run, and the shell completes what is typed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from conftest import Ended
from linguabridge import cli
from linguabridge.commands.completion import complete_language, complete_model, languages
from linguabridge.commands.examples import EXAMPLES
from linguabridge.lexicons import load_cldr

Run = Callable[..., Ended]
# typer brings its own click, whose classes have no public name.
ROOT: Any = typer.main.get_command(cli.app)


def commands(group: Any = ROOT, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


COMMANDS = dict(commands())


def test_every_command_has_two_or_three_examples() -> None:
    assert {name: len(EXAMPLES.get(name, ())) for name in COMMANDS if len(EXAMPLES.get(name, ())) not in (2, 3)} == {}


@pytest.mark.parametrize(("name", "line"), [(name, line) for name in COMMANDS for _, line in EXAMPLES.get(name, ())])
def test_examples_can_be_parsed(name: str, line: str) -> None:
    words = shlex.split(line.partition(" < ")[0])
    assert words[: 1 + len(name.split())] == ["linguabridge", *name.split()]
    context = COMMANDS[name].make_context(name, words[1 + len(name.split()) :])  # refuses what it does not know
    assert not context.args


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_the_examples_and_fits_a_terminal(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(*name.split(), "--help").out
    assert max(map(len, shown.splitlines())) <= 80
    end = " ".join(shown[shown.rindex("╯") :].split())
    for what, line in EXAMPLES[name]:
        assert f"• {what}: {line}" in end


def test_first_help_names_first_steps_and_completion(run: Run) -> None:
    shown = " ".join(run("--help").out.split())
    for said in ("linguabridge doctor", "linguabridge --install-completion", "--show-completion"):
        assert said in shown


def test_languages_to_complete_are_those_of_the_lexicon() -> None:
    assert languages() == {one.code: one.name for one in load_cldr().languages()}


def test_codes_and_names_are_completed() -> None:
    assert ("sw", "Swahili") in complete_language("s")
    assert complete_language("SWA") == [("Swahili", "sw")]
    assert complete_language("zh-hant")[0] == ("zh-Hant", languages()["zh-Hant"])
    assert len(complete_language("")) == len(languages())
    assert complete_language("klingon") == []
    assert complete_model("gem") == ["gemma-3-270m"]
    assert complete_model("./gem") == []


def asked(shell: str, typed: str) -> dict[str, str]:
    """What the script of a shell has in the environment when it asks what may follow."""
    asks = {"_LINGUABRIDGE_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        return {**asks, "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    return {**asks, "_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("linguabridge recommend ar s", "sw"),
        ("linguabridge ask s", "sw"),
        ("linguabridge evaluate s", "sw"),
        ("linguabridge ablate s", "sw"),
        ("linguabridge spectrum ar he s", "sw"),
        ("linguabridge recommend ar he --model g", "gemma-3-270m"),
        ("linguabridge inspect g", "gemma-3-270m"),
        ("linguabridge cache v", "verify"),
        ("linguabridge do", "doctor"),
        ("linguabridge recommend ar he --bridge-w", "--bridge-words"),
    ],
)
def test_shell_is_offered_what_fits(
    typed: str, offered: str, shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in asked(shell, typed).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["linguabridge"])
    with pytest.raises(SystemExit):
        cli.main()
    shown = capsys.readouterr().out
    found = re.findall(r'"([^"]+)"(?::"|[\n)])', shown) if shell == "zsh" else re.split(r"\t.*\n|\s", shown)
    assert offered in found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_linguabridge(shell: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, shell))
    shown = run("--show-completion")
    assert shown.code == 0
    assert f"_LINGUABRIDGE_COMPLETE=complete_{shell}" in shown.out
    assert set(asked(shell, "")) - {"_TYPER_COMPLETE_FISH_ACTION"} <= set(re.findall(r"\w+", shown.out))
    assert ("_TYPER_COMPLETE_FISH_ACTION=get-args" in shown.out) == (shell == "fish")


def test_completion_loads_neither_torch_nor_the_lexicon() -> None:
    code = (
        "import sys, linguabridge.cli\n"
        "sys.argv = ['linguabridge']\n"
        "try: linguabridge.cli.main()\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'transformers', 'linguabridge.lexicons', 'linguabridge.languages'}\n"
        "sys.exit(bool(slow & set(sys.modules)))"
    )
    environment = {**os.environ, **asked("bash", "linguabridge recommend s")}
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0
    assert "sw" in ended.stdout.split()
