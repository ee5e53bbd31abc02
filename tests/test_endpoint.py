"""The endpoint engine against a small server in this process that can be told to misbehave."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linguabridge.cache import Cache
from linguabridge.engines.endpoint import BATCH, Endpoint, _are_of, open_endpoint
from linguabridge.engines.engine import GENERATED, LETTERS, TEXT
from linguabridge.errors import EndpointError, InputError
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel
from linguabridge.prompts import Ending, Prompt

pytest.importorskip("openai", reason="pip install 'linguabridge[endpoint]'")

KEY = "sk-very-secret-0123456789"
ENDING = Ending(("\n", '"'), 8)
Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Fake:
    """A server. ``reply`` gets the route and the request; what it returns is sent (text as it is, the rest as JSON)."""

    reply: Callable[[str, dict[str, Any]], Reply]
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def questions(self) -> list[str]:
        return [body["prompt"] for route, body in self.seen if route == "/v1/completions"]


@pytest.fixture
def start() -> Iterator[Callable[[Callable[[str, dict[str, Any]], Reply]], Fake]]:
    servers = []

    def run(reply: Callable[[str, dict[str, Any]], Reply]) -> Fake:
        fake = Fake(reply)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, body: dict[str, Any]) -> None:
                with fake.lock:
                    fake.at_once += 1
                    fake.most_at_once = max(fake.most_at_once, fake.at_once)
                    fake.seen.append((self.path, body))
                    fake.keys.append(self.headers.get("Authorization"))
                try:
                    status, content, *more = fake.reply(self.path, body)
                finally:
                    with fake.lock:
                        fake.at_once -= 1
                sent = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                headers = {"Content-Length": str(len(sent)), **(more[0] if more else {})}
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)
                if int(headers["Content-Length"]) != len(sent):
                    self.close_connection = True

            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # clients that hang up

        server = Server(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_port}/v1"
        return fake

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def connect(fake: Fake, cache: Cache, model: str = "m", **options: Any) -> Endpoint:
    return open_endpoint(fake.url, model, cache=cache, **{"chat": False, "timeout": 10, "max_retries": 2, **options})


def models(*names: str) -> Reply:
    return 200, {"object": "list", "data": [{"id": name} for name in names]}


def completion(text: str, finish: str = "length", logprobs: Any = None, **more: Any) -> Reply:
    return 200, {"model": "m", "choices": [{"text": text, "logprobs": logprobs, "finish_reason": finish}], **more}


def message(text: str | None, logprobs: Any = None) -> Reply:
    choice = {"message": {"role": "assistant", "content": text}, "logprobs": logprobs, "finish_reason": "stop"}
    return 200, {"model": "m", "choices": [choice]}


def plain(route: str, body: dict[str, Any]) -> Reply:
    """Generates the prompt's last word, and ignores whatever it does not know."""
    return models("m") if route == "/v1/models" else completion(body["prompt"].split()[-1])


# A model that can be computed by hand: tokens are runs of three characters, their log-probabilities depend on all that
# stands before.
def tokens_of(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def values_of(tokens: list[str]) -> list[float]:
    return [-((sum(map(ord, "".join(tokens[: at + 1]))) % 17) + 1) / 4 for at in range(len(tokens))]


def echoing(route: str, body: dict[str, Any]) -> Reply:
    """What vLLM does."""
    if route == "/v1/models":
        return models("m")
    if not body.get("echo"):
        return completion(" x")
    tokens = ["<s>", *tokens_of(body["prompt"])]
    values = [None, *values_of(tokens)[1:]]
    logprobs = {"tokens": [*tokens, " x"], "token_logprobs": [*values, -1.0], "top_logprobs": None, "text_offset": []}
    return completion(body["prompt"] + " x", logprobs=logprobs, usage={"completion_tokens": 1})


def listing(*pairs: tuple[str, float], shape: str = "completions", most: int = 100) -> Callable[..., Reply]:
    """Give the same list of next tokens for every question."""

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if route == "/v1/models":
            return models("m")
        chat = route == "/v1/chat/completions"
        asked = body.get("top_logprobs") if chat else body.get("logprobs")
        if (asked or 0) > most:
            return 400, {"error": {"message": f"logprobs must be at most {most}"}}
        listed = sorted(pairs, key=lambda pair: -pair[1])[: asked or 0]
        found: Any = {"top_logprobs": [dict(listed)]}
        if shape == "content":
            found = {"content": [{"top_logprobs": [{"token": token, "logprob": value} for token, value in listed]}]}
        return message("A", found) if chat else completion(" A", logprobs=found if asked else None)

    return reply


# --- abilities


def test_echo_is_recognised_and_scores_texts(start: Any, cache: Cache) -> None:
    engine = connect(start(echoing), cache)
    assert engine.scorings == (TEXT, LETTERS, GENERATED)
    prompts = [Prompt("a question of some length:", ' "'), Prompt("short", "")]
    options = [["one", "another"], ["er", "est of all"]]
    scores = engine.option_scores("x", prompts, options)
    wholes = engine.option_scores("x", prompts, options, whole=True)
    for row, (prompt, some) in enumerate(zip(prompts, options, strict=True)):
        logs = []
        for option in some:
            tokens = ["<s>", *tokens_of(prompt.written + option)]
            logs.append(sum(values_of(tokens)[1:]))
            # The token that spans the border counts as the option's, whole tokens of the prompt do not.
            inside = 1 + len(prompt.written) // 3
            assert wholes[row, some.index(option)] == pytest.approx(sum(values_of(tokens)[inside:]))
        assert scores[row, 1] - scores[row, 0] == pytest.approx(logs[1] - logs[0])


@pytest.mark.parametrize("family", ["llama", "bloom"])
def test_echo_scores_are_those_of_the_model(
    family: str, start: Any, cache: Cache, tiny_loaded: Callable[[str], LanguageModel]
) -> None:
    """A model in this process answers as vLLM writes it: each token decoded alone, parts of characters broken."""
    import torch

    model = tiny_loaded(family)

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if route == "/v1/models" or not body.get("echo"):
            return plain(route, body)
        ids = model.encode(body["prompt"])
        with torch.inference_mode():
            values = model.model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        logs = [None, *values.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist(), -1.0]
        tokens = [*(model.tokenizer.decode([one]) for one in ids), " x"]
        logprobs = {"tokens": tokens, "token_logprobs": logs}
        return completion(body["prompt"] + " x", logprobs=logprobs, usage={"completion_tokens": 1})

    engine = connect(start(reply), cache)
    prompts = [Prompt('English:"water"→Deutsch:', '"'), Prompt("القطة ←"), Prompt("猫は", "庭")]
    options = [["Wasser", "Was", "Hund"], [" חתול", " 犬犬", " חתולים"], ["に", "にいる", "犬"]]
    for whole in (False, True):
        theirs = engine.option_scores("x", prompts, options, whole=whole)
        ours = option_log_probabilities(model, [prompt.written for prompt in prompts], options, whole=whole)
        if not whole:  # compared within a prompt
            theirs, ours = theirs - theirs[:, :1], ours - ours[:, :1]
        np.testing.assert_allclose(theirs, ours, atol=1e-3)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda choice: choice.update(logprobs=None),
        lambda choice: choice["logprobs"].update(token_logprobs=[None] * len(choice["logprobs"]["tokens"])),
        lambda choice: choice["logprobs"].update(token_logprobs=[0.0] * len(choice["logprobs"]["tokens"])),
        lambda choice: choice["logprobs"]["tokens"].insert(2, "doubled"),
        lambda choice: choice["logprobs"]["tokens"].__setitem__(3, "other"),
        lambda choice: choice.update(text=" x"),
    ],
    ids=["none", "nulls", "zeros", "too many", "other tokens", "no echo"],
)
def test_a_half_working_echo_is_none(spoil: Callable[[dict[str, Any]], None], start: Any, cache: Cache) -> None:
    spoiling = True

    def reply(route: str, body: dict[str, Any]) -> Reply:
        answer = echoing(route, body)
        if spoiling and body.get("echo"):
            spoil(answer[1]["choices"][0])
        return answer

    fake = start(reply)
    assert connect(fake, cache).scorings == (GENERATED,)
    spoiling = False
    engine = connect(fake, cache)
    assert TEXT in engine.scorings
    spoiling = True  # later, it is an error; never a made-up value
    with pytest.raises(EndpointError, match="log-probabilities"):
        engine.option_scores("x", [Prompt("a question: ")], [["one", "two"]])


def test_parameters_ignored_without_a_word_are_noticed(start: Any, cache: Cache) -> None:
    fake = start(plain)
    engine = connect(fake, cache)
    assert engine.scorings == (GENERATED,)
    before = len(fake.seen)
    with pytest.raises(EndpointError, match=r"no log-probabilities.*choose generated answers"):
        engine.option_scores("x", [Prompt("a")], [["A", "B"]])
    assert len(fake.seen) == before


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("shape", ["completions", "content"])
@pytest.mark.parametrize("most", [100, 20, 5])
def test_letters_by_the_list_of_next_tokens(chat: bool, shape: str, most: int, start: Any, cache: Cache) -> None:
    fake = start(listing((" A", -1.0), (" B", -0.5), ("x", -3.0), ("A", -2.0), shape=shape, most=most))
    engine = connect(fake, cache, chat=chat)
    assert engine.scorings == (LETTERS, GENERATED)
    assert engine.identity["method"] == f"top {most}"
    scores = engine.option_scores("x", [Prompt("Q")], [[" A", " B", " C"]])
    # In a chat a letter counts with and without the space in front of it.
    assert scores[0, 0] == pytest.approx(np.logaddexp(-1.0, -2.0) if chat else -1.0)
    assert scores[0, 1] == -0.5
    assert scores[0, 2] < -3.0  # not listed: less likely than all that are
    assert scores[0, 2] == pytest.approx(-3.0)
    with pytest.raises(EndpointError, match=r"None of the options 'Y', 'Z' is among"):
        engine.option_scores("x", [Prompt("Q")], [["Y", "Z"]])
    with pytest.raises(EndpointError, match=r"options such as 'cat' cannot be scored"):
        engine.option_scores("x", [Prompt("Q")], [["cat", "dog"]])


def test_a_list_that_fails_later_is_an_error(start: Any, cache: Cache) -> None:
    fake = start(listing(("A", -1.0), ("B", -2.0)))
    engine = connect(fake, cache)
    for spoilt in (listing(("A", -1.0)), listing(("A", float("nan")), ("B", -1.0)), plain):
        fake.reply = spoilt
        with pytest.raises(EndpointError, match="leaves out log-probabilities"):
            engine.option_scores("x", [Prompt("Q")], [["A", "B"]])


def test_the_model_must_be_served(start: Any, cache: Cache) -> None:
    fake = start(plain)
    with pytest.raises(EndpointError, match=r"does not serve 'other' but 'm'; choose with --endpoint-model"):
        connect(fake, cache, "other")

    def strict(route: str, body: dict[str, Any]) -> Reply:
        return models("m") if route == "/v1/models" else (404, {"error": {"message": "no such model"}})

    with pytest.raises(EndpointError, match=r"does not serve 'other' but 'm'"):
        connect(start(strict), cache, "other")

    def without_list(route: str, body: dict[str, Any]) -> Reply:
        return (500, "") if route == "/v1/models" else plain(route, body)

    assert connect(start(without_list), cache, "other").scorings == (GENERATED,)

    def naming_revisions(route: str, body: dict[str, Any]) -> Reply:  # transformers serve, of a folder
        return models("cached") if route == "/v1/models" else (200, {**plain(route, body)[1], "model": "/folder@main"})

    assert connect(start(naming_revisions), cache, "/folder").name == "/folder"


@pytest.mark.parametrize(
    ("tokens", "text", "right"),
    [
        (["<s>", "The", " cat"], "The cat", True),
        (["The", "cat"], "The cat", True),  # a tokenizer that loses the space
        (["▁The", "▁cat"], "The cat", True),
        (["ሀ", "\ufffd", "\ufffd", "x"], "ሀለx", True),  # a character of several tokens
        (["The", " dog"], "The cat", False),
        (["ሀ", "\ufffd", "y"], "ሀለx", False),
        ([], "a", False),
    ],
)
def test_tokens_are_compared_with_their_text(tokens: list[str], text: str, right: bool) -> None:
    assert _are_of(tokens, text) is right


# --- answers


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


# --- failures


def failing_first(times: int, *failure: Any) -> Callable[[str, dict[str, Any]], Reply]:
    left = {"n": times}

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if "fail" in str(body.get("prompt")) and left["n"] > 0:
            left["n"] -= 1
            return failure  # type: ignore[return-value]
        return plain(route, body)

    return reply


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


def test_a_server_that_is_slow(start: Any, cache: Cache) -> None:
    def reply(route: str, body: dict[str, Any]) -> Reply:
        time.sleep(0.6 if "fail" in str(body.get("prompt")) else 0)
        return plain(route, body)

    engine = connect(start(reply), cache, timeout=0.2, max_retries=0)
    with pytest.raises(EndpointError, match=r"did not answer within 0.2 s \(1 tries\)"):
        engine.answers("x", [Prompt("fail")], ENDING)


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


def test_questions_that_cannot_be_asked(start: Any, cache: Cache) -> None:
    engine = connect(start(echoing), cache)
    for options in ([["a"]], [["a", "b"], ["a"]], []):
        with pytest.raises(InputError, match="same number of options"):
            engine.option_scores("x", [Prompt("Q")], options)
    with pytest.raises(InputError, match="under way at once"):
        connect(start(echoing), cache, concurrency=0)


def test_the_library_is_optional(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    importlib.import_module("linguabridge.engines.endpoint")
    with pytest.raises(EndpointError, match=r"pip install 'linguabridge\[endpoint\]'"):
        open_endpoint("http://127.0.0.1:1", "m", chat=False, cache=cache)


# --- keys, and what is kept


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


def test_half_a_character_in_an_error_can_be_printed(start: Any, cache: Cache) -> None:
    engine = connect(start(failing_first(9, 400, {"error": {"message": "no \ud83d"}})), cache)
    with pytest.raises(EndpointError, match="400: no \ufffd") as caught:
        engine.answers("x", [Prompt("fail word")], ENDING)
    str(caught.value).encode()


def test_a_notebooks_loop_does_no_harm(start: Any, cache: Cache) -> None:
    import asyncio

    fake = start(plain)

    async def cell() -> list[str]:
        return connect(fake, cache).answers("x", [Prompt("a word")], ENDING)

    assert asyncio.run(cell()) == ["word"]


def test_interrupt_stops_quickly(start: Any, cache: Cache) -> None:
    arrived, released = threading.Event(), threading.Event()

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if "say" in str(body.get("prompt")):
            arrived.set()
            released.wait(30)
        return plain(route, body)

    fake = start(reply)
    code = (
        "import sys; from pathlib import Path; from linguabridge.cache import Cache\n"
        "from linguabridge.engines.endpoint import open_endpoint\n"
        "from linguabridge.prompts import Ending, Prompt\n"
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
        process.wait()
