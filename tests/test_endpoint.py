"""The endpoint engine against a small server in this process: answers, and what is kept of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_server import ENDING, Reply, completion, connect, echoing, listing, message, models, plain
from linguabridge.cache import Cache
from linguabridge.engines.endpoint import BATCH
from linguabridge.errors import EndpointError, InputError
from linguabridge.prompts import Ending, Prompt

pytest.importorskip("openai", reason="pip install 'linguabridge[endpoint]'")

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_order_and_concurrency(start: Any, cache: Cache) -> None:
    def reply(route: str, body: dict[str, Any]) -> Reply:
        time.sleep(0.02 if "1" in str(body.get("prompt")) else 0.005)
        return plain(route, body)

    fake = start(reply)
    engine = connect(fake, cache, concurrency=3)
    answers = engine.answers("x", [Prompt(f"say word{number}") for number in range(50)], ENDING)
    assert answers == [f"word{number}" for number in range(50)]
    assert fake.most_at_once == 3
    assert all(body.get("temperature") == 0 for route, body in fake.seen if route != "/v1/models")
    assert engine.answers("x", [], ENDING) == []
    assert engine.option_scores("x", [], []).shape == (0, 0)


def test_stops_never_change_an_answer(start: Any, cache: Cache) -> None:
    def reply(route: str, body: dict[str, Any]) -> Reply:
        if route == "/v1/models":
            return models("m")
        text = "\n\nforty-two\nand more"
        ends = [text.find(stop) for stop in body.get("stop", []) if stop in text]
        return completion(text[: min(ends)], "stop") if ends else completion(text)

    fake = start(reply)
    answers = connect(fake, cache).answers("x", [Prompt("Q")], Ending(("1", "2", "3", "4", "\n"), 8))
    assert [ENDING.cut(answer) for answer in answers] == ["forty-two"]
    stops = [body.get("stop") for _, body in fake.seen]
    assert stops[-2:] == [["\n", "1", "2", "3"], None]


def test_chat_asks_the_users_turn_and_strips_the_start(start: Any, cache: Cache) -> None:
    answers = iter(['"cat" is the word', "cat", None, None])

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if route == "/v1/models":
            return models("m")
        return message("x" if body["max_tokens"] == 1 else next(answers))

    fake = start(reply)
    engine = connect(fake, cache, chat=True)
    quoted = Ending(('"', "\n"), 8, quoted=True)
    found = [engine.answers("x", [Prompt(text, '"')], quoted)[0] for text in "abc"]
    assert [quoted.cut(answer) for answer in found] == ["cat", "cat", ""]
    asked = fake.seen[-3][1]  # an empty answer is asked for once more, without stops
    assert asked["messages"] == [{"role": "user", "content": "b"}]
    assert asked["stop"] == ["\n"]  # the quote would end the answer where it begins


def test_questions_that_cannot_be_asked(start: Any, cache: Cache) -> None:
    engine = connect(start(echoing), cache)
    for options in ([["a"]], [["a", "b"], ["a"]], []):
        with pytest.raises(InputError, match="same number of options"):
            engine.option_scores("x", [Prompt("Q")], options)
    with pytest.raises(InputError, match="under way at once"):
        connect(start(echoing), cache, concurrency=0)


def test_the_key_is_sent_and_written_nowhere(
    start: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("OTHER_KEY", f" {KEY}\n")
    fake = start(listing(("A", -1.0), ("B", -2.0)))
    engine = connect(fake, cache, api_key_variable="OTHER_KEY")
    engine.answers("x", [Prompt("a word")], ENDING)
    engine.option_scores("x", [Prompt("a word")], [["A", "B"]])
    assert set(fake.keys) == {f"Bearer {KEY}"}
    files = [path for path in cache.root.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert not any(KEY.encode() in path.read_bytes() for path in files)
    assert KEY not in json.dumps(dict(engine.identity)) + repr(vars(engine)) + caplog.text
    monkeypatch.setenv("OTHER_KEY", "schlüssel")
    with pytest.raises(InputError, match="OTHER_KEY holds characters"):
        connect(fake, cache, api_key_variable="OTHER_KEY")


def test_what_is_finished_is_not_asked_again(start: Any, cache: Cache) -> None:
    limit = {"n": BATCH + 5}

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if "say" in str(body.get("prompt")):
            limit["n"] -= 1
            if limit["n"] < 0:
                return 400, {"error": {"message": "no more"}}
        return plain(route, body)

    fake = start(reply)
    engine = connect(fake, cache)
    prompts = [Prompt(f"say {number}") for number in range(2 * BATCH + 3)]
    with pytest.raises(EndpointError, match="no more"):
        engine.answers("x", prompts, ENDING)
    limit["n"] = 10**6
    before = fake.questions().count("say 0")
    expected = [str(number) for number in range(len(prompts))]
    assert connect(fake, cache).answers("x", prompts, ENDING) == expected
    assert [fake.questions().count(f"say {number}") for number in range(BATCH)] == [before] * BATCH == [1] * BATCH
    assert f"say {len(prompts) - 1}" in fake.questions()
    fake.seen.clear()
    assert engine.answers("another title", prompts, ENDING) == expected
    assert not fake.seen
    engine.answers("x", prompts[:1], Ending(("\n",), 9))
    assert len(fake.seen) == 1


def test_scores_are_kept_by_what_they_depend_on(start: Any, cache: Cache) -> None:
    fake = start(echoing)
    engine = connect(fake, cache)
    prompts, options = [Prompt(f"{which} question:") for which in "abc"], [[" one", " two"]] * 3
    first = engine.option_scores("x", prompts, options)
    fake.seen.clear()
    again = engine.option_scores("x", prompts, options)
    assert not fake.seen
    np.testing.assert_array_equal(first, again)
    engine.option_scores("x", prompts, options, whole=True)
    assert len(fake.seen) == 9


def test_the_same_question_is_asked_once(start: Any, cache: Cache) -> None:
    fake = start(echoing)
    engine = connect(fake, cache)
    asked = len(fake.seen)
    prompts = [Prompt("the passage. B?"), Prompt("a question:"), Prompt("the passage. B?"), Prompt("a question:")]
    options = [[" one", " two"], [" one", " two"], [" one", " two"], [" two", " one"]]
    scores = engine.option_scores("x", prompts, options)
    assert len(fake.seen) == asked + 3 * 2
    np.testing.assert_array_equal(scores[0], scores[2])
    np.testing.assert_array_equal(scores[1], scores[3, ::-1])
    assert len(set(scores[:2].flatten())) == 4

    fake = start(plain)
    engine = connect(fake, cache)
    fake.seen.clear()
    said = [Prompt(f"say {number % (BATCH + 1)}") for number in range(3 * BATCH)]
    assert engine.answers("x", said, ENDING) == [prompt.text.split()[-1] for prompt in said]
    assert sorted(fake.questions()) == sorted({prompt.text for prompt in said})


@pytest.mark.parametrize("chat", [False, True])
def test_half_a_character_in_an_answer_is_kept_as_a_sign_of_its_own(chat: bool, start: Any, cache: Cache) -> None:
    def reply(route: str, body: dict[str, Any]) -> Reply:
        if route == "/v1/models":
            return models("m")
        return message("cat \ud83d") if chat else completion("cat \ud83d")

    engine = connect(start(reply), cache, chat=chat)
    assert engine.answers("x", [Prompt("a")], ENDING) == ["cat \ufffd"]  # kept in the cache, which takes text alone
    assert engine.answers("x", [Prompt("a")], ENDING) == ["cat \ufffd"]


def test_a_notebooks_loop_does_no_harm(start: Any, cache: Cache) -> None:
    fake = start(plain)

    async def cell() -> list[str]:
        return connect(fake, cache).answers("x", [Prompt("a word")], ENDING)

    # In a thread of its own: the browser's driver, once started by another test, leaves a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: asyncio.run(cell())).result() == ["word"]


def test_interrupt_stops_quickly(start: Any, cache: Cache) -> None:
    arrived, released = threading.Event(), threading.Event()

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if "say" in str(body.get("prompt")):
            arrived.set()
            released.wait(30)
        return plain(route, body)

    fake = start(reply)
    code = (
        "import signal, sys; from pathlib import Path; from linguabridge.cache import Cache\n"
        "from linguabridge.engines.endpoint import open_endpoint\n"
        "from linguabridge.prompts import Ending, Prompt\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a test run in the background ignores it
        "engine = open_endpoint(sys.argv[1], 'm', chat=False, cache=Cache(Path(sys.argv[2])))\n"
        "engine.answers('x', [Prompt(f'say {n}') for n in range(99)], Ending(('a',), 9))\n"
    )
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, fake.url, str(cache.root)], stderr=subprocess.PIPE, env=environment
    )
    try:
        assert arrived.wait(60)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, errors = process.communicate(timeout=20)
        assert time.monotonic() - began < 5
        assert b"KeyboardInterrupt" in errors
    finally:
        released.set()
        process.kill()
        process.communicate()  # closes the pipe, too
