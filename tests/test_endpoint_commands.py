"""Servers as commands meet them: failures are one sentence with code 2, and the key stands nowhere."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import small_runs
from conftest import Ended
from fake_server import Reply, models, plain
from linguabridge.engines import endpoint
from linguabridge.engines.server import is_private
from linguabridge.progress import read_progress
from test_recommend import write_lexicon

pytest.importorskip("openai", reason="pip install 'linguabridge[endpoint]'")

Run = Callable[..., Ended]
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def words(tmp_path: Path) -> dict[str, list[str]]:
    lexicon = write_lexicon(tmp_path / "own.tsv")
    chosen = ["--arms", "", "--bridge", "de", "--limit", "10", "--lexicon", str(lexicon)]
    return {"ask": ["ask", "en", "sw", "cat", "--bridge", "de"], "evaluate": ["evaluate", "en:sw", *chosen]}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def slow(route: str, body: dict[str, Any]) -> Reply:
    time.sleep(4)
    return plain(route, body)


@pytest.mark.parametrize("command", ["ask", "evaluate"])
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (slow, "did not answer within 2 s"),
        ((200, "<html><body>Sign in</body></html>"), "check the address"),
        ((401, {"error": {"message": f"Incorrect API key: {KEY}"}}), "check the key in OPENAI_API_KEY"),
        ((200, '{"model": "m", "choices": [{"te', {"Content-Length": "5000"}), "breaks its answers off"),
        ((200, '{"model": "m", "choices": [{"te'), "something cut off, or no JSON"),
    ],
    ids=["slow", "html", "401", "half", "cut"],
)
def test_a_server_that_fails_is_one_sentence(
    run: Run,
    start: Any,
    words: dict[str, list[str]],
    command: str,
    reply: Any,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Long enough for a busy machine to connect, and to answer where the answer is not slow.
    impatient = functools.partial(endpoint.open_endpoint, timeout=2 if reply is slow else 30, max_retries=0)
    monkeypatch.setattr(endpoint, "open_endpoint", impatient)

    def failing(route: str, body: dict[str, Any]) -> Reply:
        return models("m") if route == "/v1/models" else reply  # type: ignore[no-any-return]

    fake = start(reply if callable(reply) else failing)
    before = sorted(tmp_path.rglob("*"))
    ended = run(*words[command], "--endpoint", fake.url, "--endpoint-model", "m")
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert ended.err.splitlines()[-1].startswith("Error: ")
    assert said in ended.err.splitlines()[-1]
    assert fake.url in ended.err
    assert "Traceback" not in ended.err
    assert KEY not in ended.err
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_ends_within_two_seconds_and_the_same_command_goes_on(
    run: Run, start: Any, words: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, released = threading.Event(), threading.Event()

    def slow_hop(route: str, body: dict[str, Any]) -> Reply:
        if "Deutsch" in str(body.get("prompt")) and not released.is_set():
            held.set()
            released.wait(60)
        return plain(route, body)

    fake = start(slow_hop)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked = [*words["evaluate"], "--endpoint", fake.url, "--endpoint-model", "m"]
    folder, cache = tmp_path / "stopped", tmp_path / "cache"

    def direct() -> list[str]:
        return [one for one in fake.questions() if "Kiswahili" in one and "Deutsch" not in one]

    process = small_runs.own_process(asked, folder, cache)
    try:
        assert held.wait(60), small_runs.log(folder)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        code = process.wait(20)
        took = time.monotonic() - began
    finally:
        released.set()
        process.kill()
        process.wait()
    said = small_runs.log(folder)
    assert code == 130, said
    assert took < 2
    assert said.endswith("Stopped; what was finished is kept, and the same command goes on from there.\n")
    assert "Traceback" not in said
    progress = read_progress(folder / "evaluation")
    assert progress is not None
    assert progress.state == "stopped"
    assert direct()

    fake.seen.clear()
    again = small_runs.own_process(asked, folder, cache)
    assert again.wait(60) == 0, small_runs.log(folder)
    assert not direct()  # they were answered before it was stopped
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "another"))
    ended = run(*asked, "--out", tmp_path / "undisturbed")
    assert ended.code == 0, ended.err
    for name in small_runs.RESULTS["evaluate"]:
        assert (folder / "evaluation" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_the_key_stands_in_no_file_and_nothing_that_is_said(
    run: Run, start: Any, words: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache"))
    fake = start(plain)
    asked = ["--endpoint", fake.url, "--endpoint-model", "m", "--json", "found.json", "--out", "run"]
    ended = run(*words["evaluate"], *asked)
    assert ended.code == 0, ended.err
    assert fake.keys
    assert set(fake.keys) == {f"Bearer {KEY}"}  # it was sent
    shown = run("report", "run", "--out", "page.html", "--figures", "figures")
    assert shown.code == 0, shown.err
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert {"summary.json", "items.parquet", "manifest.json", "found.json", "page.html"} <= {one.name for one in files}
    assert any(one.is_relative_to(tmp_path / "cache") for one in files)
    for content in (*(one.read_bytes() for one in files), *(one.encode() for one in (ended.out, ended.err, shown.out))):
        assert KEY.encode() not in content


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.3.2.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost:8000/v1", True),
        ("https://api.example.org/v1", True),
        ("https://10.0.0.1/v1", True),
        ("http://10.0.0.1:8000/v1", False),
        ("http://api.example.org/v1", False),
        ("http://localhost.example.org/v1", False),
    ],
)
def test_who_can_read_the_key_on_the_way(url: str, private: bool) -> None:
    assert is_private(url) == private


@pytest.mark.parametrize(("key", "warned"), [(KEY, True), ("", False)])
def test_a_key_that_others_can_read_is_warned_of(
    run: Run, words: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, key: str, warned: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setattr(endpoint, "connected", _stopped)
    ended = run(*words["ask"], "--endpoint", "http://server.example/v1", "--endpoint-model", "m")
    assert ("Warning: the key in OPENAI_API_KEY goes to http://server.example/v1" in ended.err) == warned
    assert KEY not in ended.err


def _stopped(*_: object) -> None:
    from linguabridge.errors import EndpointError

    raise EndpointError("stopped")
