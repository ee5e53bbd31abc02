"""A server that speaks OpenAI's API: its address, requests to it with retries, and its failures in words.

The key comes from the environment, and is written nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from linguabridge.errors import EndpointError, InputError
from linguabridge.prompts import Prompt

if TYPE_CHECKING:
    from openai import AsyncOpenAI

TIMEOUT = 120.0  # seconds a server may be silent
PATIENCE = 10  # times as long may a server that is never silent take for one question, all tries together
RETRIES = 4  # of 429, 5xx, timeouts and broken connections, with growing pauses or those the server asks for
BROKEN = "\ufffd"  # how servers write a token that is a part of a character

_CONNECT_TIMEOUT = 10.0
_LONGEST_PAUSE = 120.0  # seconds that the library waits between two tries where a server asks for it, at most
_QUOTED = 300  # characters of a server's own words in an error

_T = TypeVar("_T")


@dataclass(frozen=True)
class Server:
    """How to reach a model on a server.

    Attributes:
        url: base address, in the form of :func:`base_address`.
        model: the model's name there.
        chat: use the chat route, not the plain completions.
        key: may be empty.
        key_variable: environment variable that the key comes from.
        timeout: seconds the server may be silent.
        max_retries: of a request that fails in a way that may pass.
        concurrency: requests under way at once, at most.
    """

    url: str
    model: str
    chat: bool
    key: str = field(repr=False)
    key_variable: str
    timeout: float
    max_retries: int
    concurrency: int

    @property
    def route(self) -> str:
        """Where questions go, below the address."""
        return "chat/completions" if self.chat else "completions"

    @property
    def limit(self) -> float:
        """Seconds that a question may take, all tries together: more than tries at which the server is silent take."""
        tries = self.max_retries + 1
        return max(PATIENCE, tries) * self.timeout + self.max_retries * _LONGEST_PAUSE


def base_address(url: str) -> str:
    """A base address in one form, so that one server has one name.

    Raises:
        InputError: it is no address of a server, or holds what must not be written down.
    """
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - checks that it is a number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            "The endpoint is no address of a server; give one like http://localhost:8000/v1, with http:// or https://."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            f"Give the address of {parts.hostname} without user, password or '?…'; a key belongs in the environment "
            "(OPENAI_API_KEY)."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what goes to an address: it is encrypted, or on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    with contextlib.suppress(ValueError):  # a name
        return parts.scheme == "https" or ipaddress.ip_address(host).is_loopback
    return parts.scheme == "https" or host == "localhost" or host.endswith(".localhost")


def read_key(variable: str) -> str:
    """The key in an environment variable; empty where there is none.

    Raises:
        InputError: it cannot be sent.
    """
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise InputError(f"{variable} holds characters that no key has; set it anew.")
    return key


# --- requests ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        body: all of it.
        choice: the first choice.
        text: that choice's; None where it has none.
        version: what the server says of itself.
    """

    body: dict[str, Any]
    choice: dict[str, Any]
    text: str | None
    version: str | None


class Connection:
    """An open connection: sends requests, never more at once than the limit, and turns failures into sentences."""

    def __init__(self, server: Server, client: AsyncOpenAI) -> None:
        self.server, self.client = server, client
        self.room = asyncio.Semaphore(server.concurrency)

    async def ask(self, prompt: Prompt, **request: Any) -> Answer:
        """Put a prompt; in a chat the answer's start cannot be put in the model's mouth.

        Raises:
            EndpointError: it failed, after retries where these could help.
        """
        chat = self.server.chat
        resource: Any = self.client.chat.completions if chat else self.client.completions
        put = {"messages": [{"role": "user", "content": prompt.text}]} if chat else {"prompt": prompt.written}
        whole = {"model": self.server.model, "temperature": 0.0, **put, **request}
        async with self.room:
            body, version = await self.call(lambda: resource.with_raw_response.create(**whole))
        choices = body.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise EndpointError(
                f"{self.server.url} answers without a choice, not as OpenAI's API does; look into its log."
            )
        return Answer(body, choices[0], _text(choices[0], chat), version)

    async def call(self, send: Callable[[], Awaitable[Any]]) -> tuple[dict[str, Any], str | None]:
        """Send by the library, and read what comes back: the body, and what the server says of itself."""
        import openai

        try:
            # The library's own timeout is for silence: a byte now and then would keep it waiting for ever.
            async with asyncio.timeout(self.server.limit):
                raw = await send()
        except TimeoutError:
            raise EndpointError(
                f"{self.server.url} has not come to the end of an answer within {self.server.limit:g} s, though it is "
                "not silent; look into the server's log, and repeat the command to go on from here."
            ) from None
        except openai.OpenAIError as error:
            # Without the cause: it holds the request's headers, and the key in them.
            raise _sentence(self.server, error) from None
        text = raw.text
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            what = "a web page" if text.lstrip()[:1] == "<" else "something cut off, or no JSON"
            raise EndpointError(
                f"{self.server.url} answers with {what}, not as OpenAI's API does; check the address, which usually "
                "ends in /v1, and what stands between here and the server."
            ) from None
        if not isinstance(body, dict):
            raise EndpointError(f"{self.server.url} answers, but not as OpenAI's API does; check the address.")
        if "error" in body and not body.get("choices") and not body.get("data"):
            raise EndpointError(f"{self.server.url} fails: {_quoted(self.server, str(body['error']))}.")
        return body, raw.headers.get("server")


def _text(choice: dict[str, Any], chat: bool) -> str | None:
    text = choice.get("text")
    if chat:
        message = choice.get("message")
        # No content is an empty answer: a refusal, or a model that is still thinking.
        text = (message.get("content") or "") if isinstance(message, dict) else None
    return _whole_characters(text) if isinstance(text, str) else None


def _whole_characters(text: str) -> str:
    r"""A text that can be written down: JSON may hold half a character (``"\ud83d"``), where a token ends in one."""
    return re.sub("[\ud800-\udfff]", BROKEN, text)


def connected(server: Server, work: Callable[[Connection], Coroutine[Any, Any, _T]]) -> _T:
    """Do work with an open connection. Ctrl-C ends all requests at once.

    Raises:
        EndpointError: from the work; or the library for it is not installed.
    """
    try:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

        from linguabridge.engines import answer_size
    except ImportError:
        raise EndpointError(
            "Servers need the package openai, which is not installed: pip install 'linguabridge[endpoint]'."
        ) from None

    async def run() -> _T:
        client = AsyncOpenAI(
            api_key=server.key or "none",  # the library insists on one; servers without keys ignore it
            base_url=server.url,
            timeout=Timeout(server.timeout, connect=min(server.timeout, _CONNECT_TIMEOUT)),
            max_retries=server.max_retries,
            http_client=DefaultAsyncHttpxClient(base_url=server.url, event_hooks={"response": [answer_size.limit]}),
        )
        async with client:
            return await work(Connection(server, client))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    with ThreadPoolExecutor(1) as other:  # a notebook's loop is running in this thread
        return other.submit(asyncio.run, run()).result()


async def together(works: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Results in order; the first failure ends all."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- failures ----------------------------------------------------------------------------------------------------


class LacksError(EndpointError):
    """The server answered, but not with what was asked for: while probing, a sign that it lacks an ability."""


class UnreachableError(EndpointError):
    """Nothing answers at the address."""


def _sentence(server: Server, error: Exception) -> EndpointError:
    """What went wrong, and the way out."""
    import openai

    if isinstance(error.__cause__, EndpointError):  # from our own hook
        return error.__cause__
    where, tries = server.url, f"{server.max_retries + 1} tries"
    why = type(error.__cause__ or error).__name__
    if why in ("ConnectError", "ConnectTimeout"):
        return UnreachableError(f"No server can be reached at {where}; start it, or correct the address.")
    if isinstance(error, openai.APITimeoutError):
        return EndpointError(
            f"{where} did not answer within {server.timeout:g} s ({tries}); it may be overloaded: lower the "
            "concurrency or raise the timeout."
        )
    if isinstance(error, openai.APIStatusError):
        return _status_sentence(server, error.status_code, _quoted(server, _words(error.body)), tries)
    if isinstance(error, openai.APIConnectionError):
        return EndpointError(
            f"{where} breaks its answers off ({why}, {tries}); look into the server's log, and repeat the command to "
            "go on from here."
        )
    return EndpointError(f"{where} cannot be used: {_quoted(server, str(error))}.")


def _status_sentence(server: Server, status: int, words: str, tries: str) -> EndpointError:
    where, said = server.url, f" ({status}: {words})" if words else f" ({status})"
    if status in (401, 403):
        way = f"check the key in {server.key_variable}" if server.key else f"put its key in {server.key_variable}"
        return EndpointError(f"{where} refuses access{said}; {way}.")
    if status == 404:
        return LacksError(
            f"{where} has no model '{server.model}', or no route /{server.route}{said}; check --endpoint-model, and "
            "the address, which usually ends in /v1."
        )
    if status == 429:
        return EndpointError(
            f"{where} gets too many requests{said}, {tries}; lower the concurrency, or repeat the command later: it "
            "goes on from here."
        )
    if status in (400, 413, 422) and re.search(r"context|too (long|large)|maximum.{0,20}(length|tokens)", words, re.I):
        return LacksError(
            f"A prompt is too long for '{server.model}' at {where}{said}; use fewer shots, or start the server with a "
            "larger context."
        )
    if status >= 500:
        return LacksError(
            f"{where} fails{said}, {tries}; look into the server's log, and repeat the command to go on from here."
        )
    return LacksError(f"{where} rejects a request for '{server.model}'{said}; look into the server's documentation.")


def _words(body: object) -> str:
    """What a server said of an error, without the wrapping."""
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and name in body:
            body = body[name]
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False) if body else ""


def _quoted(server: Server, words: str) -> str:
    """A server's words, for a sentence of ours: no key (servers quote it), no web page, not too long."""
    words = _whole_characters(words)
    words = " ".join((words.replace(server.key, "…") if server.key else words).split()).rstrip(".")
    if words.startswith("<"):
        return "a web page"
    return words if len(words) <= _QUOTED else words[:_QUOTED] + "…"
