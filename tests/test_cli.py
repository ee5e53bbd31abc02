"""The command line: what goes where, and how it ends."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Ended
from linguabridge import lazy_model
from linguabridge.cache_care import contents
from test_recommend import write_lexicon

Folder = Callable[[str], Path]


Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def arguments(tiny_model: Folder, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A small recommendation: about a second the first time, nothing after it."""
    lexicon = write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv")
    return [
        *("recommend", "en", "sw", "--model", str(tiny_model("llama")), "--candidates", "de,fr"),
        *("--lexicon", str(lexicon), "--tokens", "200", "--probes", "30", "--check", "10", "--device", "cpu"),
    ]


def test_recommendation_is_told_on_standard_output(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert "from English to Swahili" in text
    assert "German (de)" in text
    assert "French (fr)" in text
    assert "10 held-out words" in text
    assert "What this rests on" in text


def test_json_on_standard_output_is_nothing_but_json(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments, "--json", "-")
    assert ended.code == 0
    body = json.loads(ended.out)
    assert body["target"]["code"] == "sw"
    assert body["command"].startswith("linguabridge recommend en sw --model")
    assert body["summary"]


def test_json_of_a_process_of_its_own_is_nothing_but_json(arguments: list[str], tmp_path: Path) -> None:
    # From an empty cache: with loading, bars and whatever other libraries have to say.
    command = [sys.executable, "-m", "linguabridge.cli", *arguments, "--json", "-"]
    environment = {**os.environ, "LINGUABRIDGE_CACHE": str(tmp_path)}
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["source"]["code"] == "en"
    assert "Traceback" not in ended.stderr


def test_results_are_written_to_file_and_folder(run: Run, arguments: list[str], tmp_path: Path) -> None:
    ended = run(*arguments, "--out", tmp_path / "new" / "folder", "--json", tmp_path / "also" / "one.json")
    assert ended.code == 0
    first = json.loads((tmp_path / "new" / "folder" / "recommend.json").read_text("utf-8"))
    assert first == json.loads((tmp_path / "also" / "one.json").read_text("utf-8"))
    assert "recommend.json" in ended.err


def test_no_check_leaves_the_check_out(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments, "--no-check", "--json", "-")
    assert json.loads(ended.out)["check"] is None


def test_same_command_again_loads_no_model(run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(*arguments, "--json", "-")
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("loaded"))
    assert run(*arguments, "--json", "-").out == first.out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["recommend", "Swahilli", "en"], "Unknown language 'Swahilli': did you mean sw (Swahili)"),
        (["recommend", "en", "en"], "Source and target are both English"),
        (["recommend", "en", "sw", "--model", "no-such-model"], "No model 'no-such-model'"),
        (["recommend", "en", "sw", "--candidates", ""], "--candidates names no language"),
        (["recommend", "en", "sw", "--layers", "6to12"], "--layers 6to12: give the first and the last layer"),
        (["recommend", "en", "sw", "--top-rate", "2"], "between 0 and 1, not 2.0"),
        (["recommend", "en", "sw", "--model", "MODEL", "--lexicon", "[bold]x"], "[bold]x"),  # no markup of ours
        (["languages", "klingonish"], "No language of the lexicon has 'klingonish'"),
        (["inspect", "no-such-model"], "No model 'no-such-model'"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_code_2(
    run: Run, tiny_model: Folder, changed: list[str], message: str
) -> None:
    ended = run(*(str(tiny_model("llama")) if one == "MODEL" else one for one in changed))
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("Error: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err


def test_debug_shows_where_it_came_from() -> None:
    command = [sys.executable, "-m", "linguabridge.cli", "--debug", "languages", "klingonish"]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert ended.returncode == 2
    assert "Traceback" in ended.stderr
    assert "No language of the lexicon has 'klingonish'" in ended.stderr
    assert ended.stdout == ""


def test_debug_of_one_call_is_not_that_of_the_next(run: Run) -> None:
    for place in (["--debug", "languages", "klingonish"], ["languages", "klingonish", "--debug"]):
        shown = run(*place)
        assert shown.code == 2
        assert "Traceback" in shown.err
        ended = run("languages", "klingonish")
        assert ended.code == 2
        assert "Traceback" not in ended.err


@pytest.mark.parametrize("changed", [["recommend", "en"], ["recommend", "en", "sw", "--nonsense"], ["nonsense"]])
def test_wrong_usage_is_explained_and_code_2(run: Run, changed: list[str]) -> None:
    ended = run(*changed)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_interrupt_ends_with_130_and_without_a_traceback(
    run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lazy_model, "load_model", interrupt)
    ended = run(*arguments, "--seed", "77")
    assert ended.code == 130
    assert "Stopped" in ended.err
    assert "Traceback" not in ended.err


DETACHED = OSError(errno.ENOTCONN, "Transport endpoint is not connected", b"/net/\xff")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/a/b.json"),
            "/a/b.json cannot be read or written (Permission denied): make it so, or name another place",
        ),
        (OSError(errno.EIO, "Input/output error", "/a/b"), "/a/b cannot be read or written (Input/output error)"),
        (OSError(errno.EIO, "Input/output error"), "The system refuses what this needs (Input/output error)"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "(Connection reset by peer)"),
        (DETACHED, r"/net/\udcff cannot be read or written (Transport endpoint is not connected)"),
        (OSError("a library's own words,\nin two lines"), "(a library's own words,): see that disks and network"),
        (OSError(), "The system refuses what this needs (OSError)"),
        (OSError(errno.ENOSPC, "No space left on device", "/a"), "/a cannot be written (No space left on device)"),
        (MemoryError(), "The machine's memory does not hold what this needs: close other programs"),
        (MemoryError("Unable to allocate 7.28 TiB"), "does not hold what this needs (Unable to allocate 7.28 TiB):"),
    ],
)
def test_what_the_machine_refuses_is_one_line_and_code_2(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(contents, "read_contents", fail)
    ended = run("cache", "list")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Error: ")
    assert said in ended.err
    assert ended.err.endswith(".\n")
    assert ended.err.count("\n") == 1
    assert ended.err.strip().isprintable()
    shown = run("--debug", "cache", "list")
    assert shown.code == 2
    assert "Traceback" in shown.err
    assert said in shown.err


@pytest.mark.parametrize(
    "error", [TypeError("ours"), RecursionError("ours"), KeyError("ours"), io.UnsupportedOperation("ours")]
)
def test_mistakes_of_ours_keep_their_traceback(run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(contents, "read_contents", fail)
    with pytest.raises(type(error), match="ours"):
        run("cache", "list")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read by anybody")
def test_file_that_the_disk_does_not_give_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "read_contents", lambda _root: Path("/proc/self/mem").read_bytes())
    ended = run("cache", "list")
    assert ended.code == 2
    assert "(Input/output error)" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("option", ["--out", "--json"])
def test_place_that_cannot_be_written_is_refused_before_any_work(
    run: Run, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(lazy_model, "find_model", lambda *_, **__: pytest.fail("looked for the model"))
    (tmp_path / "file").write_text("")
    ended = run(*arguments, option, tmp_path / "file" / "below")
    assert ended.code == 2
    assert "no folder that can be written" in ended.err


def test_json_to_a_folder_is_refused_before_any_work(
    run: Run, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_model, "find_model", lambda *_, **__: pytest.fail("looked for the model"))
    ended = run(*arguments, "--json", tmp_path)
    assert ended.code == 2
    assert "is a folder; name a file" in ended.err


def test_languages_are_listed_with_what_the_lexicon_covers(run: Run) -> None:
    whole = run("languages")
    assert whole.code == 0
    lines = [line for line in whole.out.splitlines() if "Swahili" in line]
    assert any("sw" in line and "Kiswahili" in line for line in lines)
    assert len(whole.out.splitlines()) > 100
    for query in ("swahi", "KISWAHILI", "sw"):
        some = run("languages", query)
        assert "Kiswahili" in some.out
        assert len(some.out.splitlines()) < 30


@pytest.mark.parametrize("name", ["languages", "inspect"])
def test_what_is_listed_is_json_on_request(name: str, run: Run, tiny_model: Folder, tmp_path: Path) -> None:
    asked = {"languages": ["swahili"], "inspect": [tiny_model("llama"), "--device", "cpu"]}[name]
    alone = run(name, *asked, "--json", "-")
    file = tmp_path / "found.json"
    for _ in range(2):  # an earlier one is replaced
        beside = run(name, *asked, "--json", file)
        assert (alone.code, beside.code) == (0, 0)
    found = json.loads(alone.out)
    assert found == json.loads(file.read_text("utf-8"))
    assert "Kiswahili" in beside.out or "model.layers.0.mlp.act_fn" in beside.out
    if name == "languages":
        (swahili,) = [one for one in found["languages"] if one["code"] == "sw"]
        assert swahili["own_name"] == "Kiswahili"
        assert swahili["cldr"] > 1000
    else:
        assert found["neurons"].startswith("384")


def test_inspect_shows_where_neurons_are_read(run: Run, tiny_model: Folder) -> None:
    ended = run("inspect", tiny_model("opt"), "--device", "cpu")
    assert ended.code == 0
    for said in ("OPTForCausalLM", "model.decoder.layers.0.activation_fn", "ReLU", "384", "float32", "cpu"):
        assert said in ended.out
    ended = run("inspect", tiny_model("llama"), "--taps", "model.layers.{layer}.mlp.gate_proj", "--dtype", "bfloat16")
    assert "mlp.gate_proj" in ended.out
    assert "bfloat16" in ended.out


def test_version_and_help_are_shown(run: Run) -> None:
    assert run("--help").code == 0
    from importlib.metadata import version

    assert run("--version").out == f"linguabridge {version('linguabridge')}\n"


def test_help_needs_no_torch() -> None:
    code = "import sys; from linguabridge import cli; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_that_wait_do_not_spin_unless_asked_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    run("--version")
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    run("--version")
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
