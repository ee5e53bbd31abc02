"""A small OpenAI-compatible server in this process that can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from linguabridge.cache import Cache
from linguabridge.engines.endpoint import Endpoint, open_endpoint
from linguabridge.prompts import Ending

ENDING = Ending(("\n", '"'), 8)
Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]
Replies = Callable[[str, dict[str, Any]], Reply]


@dataclass
class Fake:
    """A server. ``reply`` gets the route and the request; what it returns is sent (text and bytes as it is).

    An iterator's bytes are sent one after the other, for as long as it gives some.
    """

    reply: Replies
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def questions(self) -> list[str]:
        return [body["prompt"] for route, body in self.seen if route == "/v1/completions"]


@contextmanager
def servers() -> Iterator[Callable[[Replies], Fake]]:
    """Start servers in this process; they end with the block."""
    running = []

    def run(reply: Replies) -> Fake:
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
                if isinstance(content, Iterator):
                    self.send(status, {"Content-Length": str(10**9)}, content)
                    return
                sent = content.encode() if isinstance(content, str) else content
                sent = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
                self.send(status, {"Content-Length": str(len(sent)), **(more[0] if more else {})}, [sent])

            def send(self, status: int, headers: dict[str, str], pieces: Iterable[bytes]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                size = 0
                for piece in pieces:
                    self.wfile.write(piece)
                    size += len(piece)
                if int(headers["Content-Length"]) != size:
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
        running.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_port}/v1"
        return fake

    try:
        yield run
    finally:
        for server in running:
            server.shutdown()
            server.server_close()


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


def failing_first(times: int, *failure: Any) -> Replies:
    left = {"n": times}

    def reply(route: str, body: dict[str, Any]) -> Reply:
        if "fail" in str(body.get("prompt")) and left["n"] > 0:
            left["n"] -= 1
            return failure  # type: ignore[return-value]
        return plain(route, body)

    return reply
