"""Failures of a server, and of the way to it: tried again, or told in a sentence."""

from __future__ import annotations

import gzip
import importlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_server import ENDING, Reply, completion, connect, failing_first, plain
from linguabridge.cache import Cache
from linguabridge.engines import answer_size, server
from linguabridge.engines.endpoint import open_endpoint
from linguabridge.errors import EndpointError, InputError
from linguabridge.prompts import Prompt

pytest.importorskip("openai", reason="pip install 'linguabridge[endpoint]'")

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


HALF = '{"model": "m", "choices": [{"te'


@pytest.mark.parametrize(
    "failure",
    [
        (429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"}),
        (500, "Internal Server Error", {"retry-after-ms": "10"}),
        (503, {"error": "loading"}, {"Retry-After": "0.05"}),
        (200, HALF, {"Content-Length": "5000"}),
    ],
    ids=["429", "500", "503", "half"],
)
def test_failures_that_pass_are_tried_again(failure: Any, start: Any, cache: Cache) -> None:
    fake = start(failing_first(2, *failure))
    assert connect(fake, cache).answers("x", [Prompt("fail word")], ENDING) == ["word"]
    assert fake.questions().count("fail word") == 3


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (
            (429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"}),
            r"too many requests \(429: slow down\), 3",
        ),
        ((500, "boom", {"Retry-After": "0.01"}), r"fails \(500: boom\), 3 tries; look into the server's log"),
        (
            (401, {"error": {"message": f"Incorrect API key: {KEY}"}}),
            r"refuses access \(401: .*check the key in OPENAI_",
        ),
        ((404, {"detail": "Not Found"}), r"has no model 'm', or no route /completions \(404: Not Found\)"),
        ((200, "<html><body>Sign in</body></html>"), r"answers with a web page.*check the address"),
        ((502, "<html>Bad gateway</html>", {"Retry-After": "0.01"}), r"fails \(502"),
        ((200, HALF, {"Content-Length": "5000"}), r"breaks its answers off"),
        ((200, HALF), r"something cut off, or no JSON"),
        ((200, {"error": {"message": "out of memory"}}), r"out of memory"),
        ((200, {"choices": []}), r"without a choice"),
        ((200, {"choices": [{"text": None}]}), r"without a text"),
        ((200, [1, 2]), r"not as OpenAI's API does"),
        (
            (400, {"error": {"message": "This model's maximum context length is 2048 tokens."}}),
            r"prompt is too long for 'm'.*fewer shots",
        ),
        ((400, {"error": {"message": "stop must be a string"}}), r"rejects a request for 'm' \(400: stop must be a"),
    ],
)
def test_failures_are_sentences(
    failure: Any, sentence: str, start: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    fake = start(failing_first(99, *failure))
    engine = connect(fake, cache)
    with pytest.raises(EndpointError, match=sentence) as caught:
        engine.answers("x", [Prompt("fail word")], ENDING)
    assert fake.url in str(caught.value)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_without_end_is_not_read(
    start: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch, *, compressed: bool
) -> None:
    long: Reply = completion(" word" * 1_000_000)
    if compressed:
        long = 200, gzip.compress(json.dumps(long[1]).encode()), {"Content-Encoding": "gzip"}
    monkeypatch.setattr(answer_size, "LARGEST", 2**20)
    fake = start(failing_first(100, *long))
    with pytest.raises(EndpointError, match=r"/v1/completions answers with more than 1 MiB, far more than was asked"):
        connect(fake, cache, max_retries=0).answers("x", [Prompt("fail word")], ENDING)


def test_a_server_that_is_slow(start: Any, cache: Cache) -> None:
    def reply(route: str, body: dict[str, Any]) -> Reply:
        time.sleep(0.6 if "fail" in str(body.get("prompt")) else 0)
        return plain(route, body)

    engine = connect(start(reply), cache, timeout=0.2, max_retries=0)
    with pytest.raises(EndpointError, match=r"did not answer within 0.2 s \(1 tries\)"):
        engine.answers("x", [Prompt("fail")], ENDING)


def test_a_server_that_trickles_for_ever_is_left(start: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PATIENCE", 1), ("_LONGEST_PAUSE", 0.0)):  # so that it is over soon
        monkeypatch.setattr(server, name, value)
    ended = threading.Event()

    def bytes_now_and_then() -> Iterator[bytes]:
        try:
            while True:
                yield b" "  # what stands before JSON without harm
                time.sleep(0.05)
        finally:
            ended.set()

    fake = start(lambda route, body: (200, bytes_now_and_then()) if "fail" in str(body) else plain(route, body))
    engine = connect(fake, cache, timeout=1.5, max_retries=1)
    began = time.monotonic()
    with pytest.raises(EndpointError, match=rf"^{fake.url} has not come to the end of an answer within 3 s, though"):
        engine.answers("x", [Prompt("fail word")], ENDING)
    assert 3 <= time.monotonic() - began < 10
    assert fake.questions().count("fail word") == 1
    assert ended.wait(10)  # nobody reads on


@pytest.mark.parametrize(("timeout", "max_retries"), [(120, 4), (1, 0), (5, 30)])
def test_silence_in_every_try_is_no_trickle(timeout: float, max_retries: int) -> None:
    asked = server.Server("http://a/v1", "m", False, "", "KEY", timeout, max_retries, 1)
    tries = max_retries + 1
    assert asked.limit >= tries * timeout + max_retries * 120
    assert asked.limit >= 10 * timeout


def test_no_server(cache: Cache) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(EndpointError, match=rf"No server can be reached at http://127.0.0.1:{port}/v1; start it"):
        open_endpoint(f"http://127.0.0.1:{port}", "m", chat=False, cache=cache)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://a/v1", "http://", "http://a:b:c", "http://me:pw@a/v1", "http://a/v1?key=1"]
)
def test_addresses_that_cannot_be_used(url: str, cache: Cache) -> None:
    with pytest.raises(InputError) as caught:
        open_endpoint(url, "m", chat=False, cache=cache)
    assert "pw" not in str(caught.value)


def test_the_library_is_optional(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    importlib.import_module("linguabridge.engines.endpoint")
    with pytest.raises(EndpointError, match=r"pip install 'linguabridge\[endpoint\]'"):
        open_endpoint("http://127.0.0.1:1", "m", chat=False, cache=cache)


def test_half_a_character_in_an_error_can_be_printed(start: Any, cache: Cache) -> None:
    engine = connect(start(failing_first(9, 400, {"error": {"message": "no \ud83d"}})), cache)
    with pytest.raises(EndpointError, match="400: no \ufffd") as caught:
        engine.answers("x", [Prompt("fail word")], ENDING)
    str(caught.value).encode()
