"""Models behind a server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, ``transformers serve`` and others.

What a server can do is found out by asking it and looking at what comes back, for many ignore parameters they do not
know. Three kinds of abilities:

- *echo*: the completions route repeats the prompt with the log-probability of each of its tokens (vLLM). Options of any
  length can be scored.
- *top*: a list of the likeliest next tokens (llama.cpp, and most chat routes). Options that are one token, such as
  letters, can be scored.
- neither (``transformers serve`` 5.23): only generated answers.

The key comes from the environment, and is written nowhere.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Cache, digest
from linguabridge.engines.engine import GENERATED, LETTERS, TEXT
from linguabridge.errors import EndpointError, InputError
from linguabridge.progress import Reporter, Step
from linguabridge.prompts import Ending, Prompt

if TYPE_CHECKING:
    from openai import AsyncOpenAI

BATCH = 32  # prompts kept together; part of what "the same question" means, so no setting
TIMEOUT = 120.0  # seconds a server may be silent
RETRIES = 4  # of 429, 5xx, timeouts and broken connections, with growing pauses or those the server asks for
FORMAT = 1  # raise when requests change so that answers may

_CONNECT_TIMEOUT = 10.0
_LIST_TIMEOUT = 20.0
_MOST_STOPS = 4  # OpenAI's limit
_DEAR_STOPS = 64  # tokens that ``transformers serve`` generates in the time that stops cost it
_LISTS = (100, 20, 5)  # lengths of lists of likeliest tokens to ask for; the first is llama.cpp's, the last OpenAI's
_PROBE = "The capital of France is"
_BROKEN = "\ufffd"  # how servers write a token that is a part of a character
_NOISE = 0.1  # log-probabilities of one token may differ so much between requests of one server (batching, bfloat16)
_QUOTED = 300  # characters of a server's own words in an error

_T = TypeVar("_T")
_Q = TypeVar("_Q", bound=Hashable)
_Token = tuple[str, float]


def open_endpoint(
    url: str,
    model: str,
    *,
    chat: bool,
    cache: Cache,
    reporter: Reporter | None = None,
    concurrency: int = 8,
    timeout: float = TIMEOUT,
    max_retries: int = RETRIES,
    api_key_variable: str = "OPENAI_API_KEY",
) -> Endpoint:
    """Connect to a server and find out what it can do.

    Args:
        url: base address, such as ``http://localhost:8000/v1``; ``/v1`` is added where it has no path.
        model: name of the model, as the server calls it.
        chat: use the chat route (instruction-tuned models), not the plain completions.
        cache: where answers are kept.
        reporter: shows progress; silent by default.
        concurrency: requests under way at once, at most.
        timeout: seconds the server may be silent.
        max_retries: of a request that fails in a way that may pass.
        api_key_variable: environment variable with the key; servers without keys need none.

    Raises:
        EndpointError: the server cannot be reached or used; the message says how to mend it.
        InputError: the address cannot be used as given.
    """
    if concurrency < 1:
        raise InputError(f"At least one request must be under way at once, not {concurrency}.")
    key = os.environ.get(api_key_variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise InputError(f"{api_key_variable} holds characters that no key has; set it anew.")
    server = _Server(_address(url), model, chat, _Secret(key), api_key_variable, timeout, max_retries, concurrency)
    return Endpoint(server, _run(server, _probe), cache, reporter or Reporter())


def _address(url: str) -> str:
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


class _Secret:
    """A key, hidden from whatever prints an object."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "_Secret(…)"

    def removed_from(self, text: str) -> str:
        """The text without the key: servers quote it in their errors."""
        return text.replace(self.value, "…") if self.value else text


@dataclass(frozen=True)
class _Server:
    """How to reach a server."""

    url: str
    model: str
    chat: bool
    key: _Secret
    key_variable: str
    timeout: float
    max_retries: int
    concurrency: int

    @property
    def route(self) -> str:
        return "chat/completions" if self.chat else "completions"


@dataclass(frozen=True)
class _Abilities:
    """What a server was seen to do."""

    echo: bool
    top: int  # length of the list of likeliest tokens to ask for; 0: it gives none
    version: str | None = None  # what it says of itself
    stops_above: int = 0  # stops are sent with answers that may be longer than this

    @property
    def scorings(self) -> tuple[str, ...]:
        return (*([TEXT] if self.echo else []), *([LETTERS] if self.echo or self.top else []), GENERATED)

    @property
    def method(self) -> str:
        return "echo" if self.echo else f"top {self.top}"


# --- transport ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Answer:
    body: dict[str, Any]
    version: str | None


class _LacksError(EndpointError):
    """The server answered, but not with what was asked for: while probing, a sign that it lacks an ability."""


class _UnreachableError(EndpointError):
    """Nothing answers at the address."""


class _Connection:
    """An open connection: sends requests, never more at once than the limit, and turns failures into sentences."""

    def __init__(self, server: _Server, client: AsyncOpenAI) -> None:
        self.server, self.client = server, client
        self.room = asyncio.Semaphore(server.concurrency)

    async def ask(self, **request: Any) -> _Answer:
        """Send a request of this server's route.

        Raises:
            EndpointError: it failed, after retries where these could help.
        """
        resource: Any = self.client.chat.completions if self.server.chat else self.client.completions
        common = {"model": self.server.model, "temperature": 0.0}
        async with self.room:
            return await self.call(lambda: resource.with_raw_response.create(**common, **request))

    async def call(self, send: Callable[[], Awaitable[Any]]) -> _Answer:
        """Send by the library, and read what comes back."""
        import openai

        try:
            raw = await send()
        except openai.OpenAIError as error:
            # Without the cause: it holds the request's headers, and the key in them.
            raise _sentence(self.server, error) from None
        text = raw.text
        try:
            body = json.loads(text)
        except ValueError:
            what = "a web page" if text.lstrip()[:1] == "<" else "something cut off, or no JSON"
            raise EndpointError(
                f"{self.server.url} answers with {what}, not as OpenAI's API does; check the address, which usually "
                "ends in /v1, and what stands between here and the server."
            ) from None
        if not isinstance(body, dict):
            raise EndpointError(f"{self.server.url} answers, but not as OpenAI's API does; check the address.")
        if "error" in body and not body.get("choices") and not body.get("data"):
            raise EndpointError(f"{self.server.url} fails: {_quoted(self.server, str(body['error']))}.")
        return _Answer(body, raw.headers.get("server"))


def _sentence(server: _Server, error: Exception) -> EndpointError:
    """What went wrong, and the way out."""
    import openai

    where, tries = server.url, f"{server.max_retries + 1} tries"
    why = type(error.__cause__ or error).__name__
    if why in ("ConnectError", "ConnectTimeout"):
        return _UnreachableError(f"No server can be reached at {where}; start it, or correct the address.")
    if isinstance(error, openai.APITimeoutError):
        return EndpointError(
            f"{where} did not answer within {server.timeout:g} s ({tries}); it may be overloaded: lower the "
            "concurrency or raise the timeout."
        )
    if isinstance(error, openai.APIStatusError):
        return _status_sentence(server, error.status_code, _quoted(server, _words(error)), tries)
    if isinstance(error, openai.APIConnectionError):
        return EndpointError(
            f"{where} breaks its answers off ({why}, {tries}); look into the server's log, and repeat the command to "
            "go on from here."
        )
    return EndpointError(f"{where} cannot be used: {_quoted(server, str(error))}.")


def _status_sentence(server: _Server, status: int, words: str, tries: str) -> EndpointError:
    where, said = server.url, f" ({status}: {words})" if words else f" ({status})"
    if status in (401, 403):
        way = f"check the key in {server.key_variable}" if server.key.value else f"put its key in {server.key_variable}"
        return EndpointError(f"{where} refuses access{said}; {way}.")
    if status == 404:
        return _LacksError(
            f"{where} has no model '{server.model}', or no route /{server.route}{said}; check --endpoint-model, and "
            "the address, which usually ends in /v1."
        )
    if status == 429:
        return EndpointError(
            f"{where} gets too many requests{said}, {tries}; lower the concurrency, or repeat the command later: it "
            "goes on from here."
        )
    if status in (400, 413, 422) and re.search(r"context|too (long|large)|maximum.{0,20}(length|tokens)", words, re.I):
        return _LacksError(
            f"A prompt is too long for '{server.model}' at {where}{said}; use fewer shots, or start the server with a "
            "larger context."
        )
    if status >= 500:
        return _LacksError(
            f"{where} fails{said}, {tries}; look into the server's log, and repeat the command to go on from here."
        )
    return _LacksError(f"{where} rejects a request for '{server.model}'{said}; look into the server's documentation.")


def _words(error: Any) -> str:
    """What a server said of an error, without the wrapping."""
    found = error.body
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False) if found else ""


def _quoted(server: _Server, words: str) -> str:
    """A server's words, for a sentence of ours: no key, no web page, not too long."""
    words = " ".join(server.key.removed_from(_whole_characters(words)).split()).rstrip(".")
    if words.startswith("<"):
        return "a web page"
    return words if len(words) <= _QUOTED else words[:_QUOTED] + "…"


def _run(server: _Server, work: Callable[[_Connection], Coroutine[Any, Any, _T]]) -> _T:
    """Do work with an open connection. Ctrl-C ends all requests at once."""
    try:
        from openai import AsyncOpenAI, Timeout
    except ImportError:
        raise EndpointError(
            "Servers need the package openai, which is not installed: pip install 'linguabridge[endpoint]'."
        ) from None

    async def connected() -> _T:
        client = AsyncOpenAI(
            api_key=server.key.value or "none",  # the library insists on one; servers without keys ignore it
            base_url=server.url,
            timeout=Timeout(server.timeout, connect=min(server.timeout, _CONNECT_TIMEOUT)),
            max_retries=server.max_retries,
        )
        async with client:
            return await work(_Connection(server, client))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(connected())
    with ThreadPoolExecutor(1) as other:  # a notebook's loop is running in this thread
        return other.submit(asyncio.run, connected()).result()


async def _all(works: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Results in order; the first failure ends all."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- what a server can do ----------------------------------------------------------------------------------------


async def _probe(to: _Connection) -> _Abilities:
    """Ask for each ability, and believe only what comes back.

    Raises:
        EndpointError: the model or the route is not there.
    """
    served = await _served(to)
    try:
        plain = await to.ask(**_question(to.server, _PROBE), max_tokens=1)
    except _LacksError as error:
        if served and to.server.model not in served:
            raise _unknown_model(to.server, served) from None
        raise error from None
    if not isinstance(_choice(to.server, plain).get("message" if to.server.chat else "text"), dict | str):
        raise EndpointError(f"{to.server.url} answers /{to.server.route} without a text; check the address.")
    if served and not _serves(to.server.model, served, plain.body):
        raise _unknown_model(to.server, served)
    echo = not to.server.chat and await _echoes(to)
    # transformers (5.23) goes through the whole vocabulary for each request with stops: 4 s with Gemma's.
    stops_above = _DEAR_STOPS if _names_revision(to.server.model, plain.body) else 0
    return _Abilities(echo, 0 if echo else await _longest_list(to), plain.version, stops_above)


async def _served(to: _Connection) -> list[str]:
    """Names of the models a server lists; none where it has no such list.

    ``transformers serve`` answers 500 where its cache folder does not exist: as good as no list.
    """
    impatient = to.client.with_options(max_retries=0, timeout=min(to.server.timeout, _LIST_TIMEOUT))
    try:
        answer = await to.call(lambda: impatient.models.with_raw_response.list())
    except _UnreachableError:
        raise
    except EndpointError:
        return []  # why, if it matters, shows at the first question
    data = answer.body.get("data")
    names = [(one.get("id"), *(one.get("aliases") or [])) for one in data or [] if isinstance(one, dict)]
    return list(dict.fromkeys(name for some in names for name in some if isinstance(name, str)))


def _serves(model: str, served: Sequence[str], answer: Mapping[str, Any]) -> bool:
    """Whether the model that answered is the one asked for. A server of one model may answer to any name.

    ``transformers serve`` lists what lies in its cache, yet serves any folder too; it then names the revision.
    """
    return model in served or f"{model}:latest" in served or _names_revision(model, answer)


def _names_revision(model: str, answer: Mapping[str, Any]) -> bool:
    """Whether an answer is signed ``model@revision``, as ``transformers serve`` alone does."""
    named = answer.get("model")
    return isinstance(named, str) and named.startswith(f"{model}@")


def _unknown_model(server: _Server, served: Sequence[str]) -> EndpointError:
    names = ", ".join(f"'{name}'" for name in served[:10]) + (", …" if len(served) > 10 else "")
    return EndpointError(f"{server.url} does not serve '{server.model}' but {names}; choose with --endpoint-model.")


async def _echoes(to: _Connection) -> bool:
    try:
        await _echo(to, _PROBE)
    except _LacksError:
        return False
    return True


async def _longest_list(to: _Connection) -> int:
    for size in _LISTS:
        try:
            await _next_tokens(to, _question(to.server, _PROBE), size)
        except _LacksError:
            continue  # too long a list, perhaps
        return size
    return 0


# --- questions and answers ---------------------------------------------------------------------------------------


def _question(server: _Server, text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]} if server.chat else {"prompt": text}


def _asked(server: _Server, prompt: Prompt) -> dict[str, Any]:
    """A prompt as the server gets it; in a chat the answer's start cannot be put in the model's mouth."""
    return _question(server, prompt.text if server.chat else prompt.written)


def _choice(server: _Server, answer: _Answer) -> dict[str, Any]:
    choices = answer.body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise EndpointError(f"{server.url} answers without a choice, not as OpenAI's API does; look into its log.")
    return choices[0]


async def _generate(to: _Connection, prompt: Prompt, ending: Ending, stops_above: int) -> str:
    """A greedy answer.

    Stops only save time: the same answer must come out as without them. Where a stop ended the answer before it began
    (a line end first, say, which :meth:`Ending.cut` overlooks), the question is asked once more without.
    """
    # The line end first: it is what keeps a model that rambles short.
    stops = sorted(ending.stops, key=lambda stop: stop != "\n") if ending.max_new_tokens > stops_above else []
    if to.server.chat:
        stops = [stop for stop in stops if stop not in prompt.start]  # the model writes the start itself
    text, finish = await _text(to, prompt, ending.max_new_tokens, stops[:_MOST_STOPS])
    if stops and finish == "stop" and not ending.cut(text):
        text, _ = await _text(to, prompt, ending.max_new_tokens, [])
    return text


async def _text(to: _Connection, prompt: Prompt, max_tokens: int, stops: Sequence[str]) -> tuple[str, Any]:
    stop = {"stop": list(stops)} if stops else {}
    choice = _choice(to.server, await to.ask(**_asked(to.server, prompt), max_tokens=max_tokens, **stop))
    if not to.server.chat:
        text = choice.get("text")
    else:
        message = choice.get("message")
        # No content is an empty answer: a refusal, or a model that is still thinking.
        text = (message.get("content") or "") if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise EndpointError(f"{to.server.url} answers without a text, not as OpenAI's API does; look into its log.")
    text = _whole_characters(text)
    return (_without_start(text, prompt.start) if to.server.chat else text), choice.get("finish_reason")


def _whole_characters(text: str) -> str:
    r"""A text that can be written down: JSON may hold half a character (``"\ud83d"``), where a token ends in one."""
    return re.sub("[\ud800-\udfff]", _BROKEN, text)


def _without_start(text: str, start: str) -> str:
    """What follows the answer's start, if the model wrote it: an opening quote, say."""
    start, rest = start.strip(), text.lstrip()
    return rest[len(start) :] if start and rest.startswith(start) else text


# --- likelihoods by echo -----------------------------------------------------------------------------------------


async def _echo(to: _Connection, text: str) -> list[_Token]:
    """Tokens of a text, each with its log-probability after those before it; that of the first is NaN.

    Raises:
        EndpointError: the server does not give them, or they are not those of this text.
    """
    # One token is generated, for not all servers can stop at none.
    answer = await to.ask(prompt=text, echo=True, logprobs=1, max_tokens=1)
    choice = _choice(to.server, answer)
    found = choice.get("logprobs")
    found = found if isinstance(found, dict) else {}
    tokens, values, usage = found.get("tokens"), found.get("token_logprobs"), answer.body.get("usage")
    generated = usage.get("completion_tokens") if isinstance(usage, dict) else None
    written = choice.get("text")
    if (
        not isinstance(tokens, list)
        or not isinstance(values, list)
        or len(tokens) != len(values)
        or not isinstance(written, str)
        or not written.startswith(text)
    ):
        raise _missing(to.server)
    size = len(tokens) - (generated if isinstance(generated, int) else 1)
    pairs = [
        (str(token), _number(to.server, value) if at else math.nan)
        for at, (token, value) in enumerate(zip(tokens[:size], values[:size], strict=True))
    ]
    if len(pairs) > 2 and all(value == 0 for _, value in pairs[1:]):
        raise _missing(to.server)  # filled in, not computed
    if not _are_of([token for token, _ in pairs], text):
        raise _LacksError(
            f"{to.server.url} gives log-probabilities of tokens that do not make up the prompt; options cannot be "
            "scored with it: choose generated answers."
        )
    return pairs


def _number(server: _Server, value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or value > 1e-3:
        raise _missing(server)
    return float(value)


def _missing(server: _Server) -> EndpointError:
    return _LacksError(
        f"{server.url} leaves out log-probabilities it was asked for; options cannot be scored with it: choose "
        "generated answers, or a server that has them (vLLM)."
    )


def _are_of(tokens: Sequence[str], text: str) -> bool:
    """Whether tokens make up a text. White space is not compared, nor special tokens before the text.

    Servers decode each token alone, by which some tokenizers lose the space in front of a word, and a character of
    several tokens is broken; so only what is surely wrong is found.
    """
    text = "".join(text.split())
    for special in range(min(3, len(tokens))):
        joined = "".join("".join(tokens[special:]).replace("▁", " ").split())
        if joined == text:
            return True
        if _BROKEN in joined:
            pattern = ".*?".join(re.escape(part) for part in re.split(f"{_BROKEN}+", joined))
            if re.fullmatch(pattern, text, re.DOTALL):
                return True
    return False


def _same(one: _Token, other: _Token) -> bool:
    """Whether two tokens after the same tokens are the same. Parts of different characters are written alike."""
    return one[0] == other[0] and (_BROKEN not in one[0] or math.isnan(one[1]) or abs(one[1] - other[1]) < _NOISE)


def _shared(sequences: Sequence[Sequence[_Token]]) -> int:
    """Number of tokens that all begin with."""
    length = 0
    for tokens in zip(*sequences, strict=False):
        if not all(_same(tokens[0], token) for token in tokens):
            break
        length += 1
    return length


async def _scores_by_echo(to: _Connection, prompt: Prompt, options: Sequence[str], whole: bool) -> list[float]:
    """Sums over the tokens that options do not share, or, of the whole, over those that are not the prompt's alone."""
    texts = [prompt.written + option for option in options]
    echoed = await _all([_echo(to, text) for text in (*texts, *([prompt.written] if whole else []))])
    if whole:
        *echoed, alone = echoed
        starts = [min(_shared([tokens, alone]), len(tokens) - 1) for tokens in echoed]
    else:
        # As in likelihood.py: identical options, or one that another begins with, keep a last token.
        starts = [min(_shared(echoed), min(map(len, echoed)) - 1)] * len(echoed)
    if min(starts) < 1:
        raise EndpointError(
            f"A prompt is too short to be scored at {to.server.url}: the first token has no log-probability."
        )
    return [sum(value for _, value in tokens[start:]) for tokens, start in zip(echoed, starts, strict=True)]


# --- likelihoods by the list of likeliest tokens -----------------------------------------------------------------


async def _next_tokens(to: _Connection, question: dict[str, Any], size: int) -> list[_Token]:
    """The likeliest next tokens.

    Raises:
        EndpointError: the server gives none.
    """
    wish = {"logprobs": True, "top_logprobs": size} if to.server.chat else {"logprobs": size}
    choice = _choice(to.server, await to.ask(**question, max_tokens=1, **wish))
    found = _listed(choice.get("logprobs"))
    # One alone is the token that was generated, which says nothing of others.
    if len(found) < 2:
        raise _missing(to.server)
    return [(token, _number(to.server, value)) for token, value in found]


def _listed(logprobs: object) -> list[tuple[str, object]]:
    """The list of the first position, in any of the forms that servers write it in.

    Completions have ``{"top_logprobs": [{token: value}]}``, chats ``{"content": [{"top_logprobs": [{"token", "logprob",
    "bytes"}]}]}``; llama.cpp answers both routes in the second form.
    """
    if not isinstance(logprobs, dict):
        return []
    content, top = logprobs.get("content"), logprobs.get("top_logprobs")
    if isinstance(content, list) and content and isinstance(content[0], dict):
        top = [content[0].get("top_logprobs")]
    first = top[0] if isinstance(top, list) and top else None
    if isinstance(first, dict):
        return [(str(token), value) for token, value in first.items()]
    return [(str(one.get("token")), one.get("logprob")) for one in first or [] if isinstance(one, dict)]


async def _scores_by_list(to: _Connection, prompt: Prompt, options: Sequence[str], size: int) -> list[float]:
    """Log-probabilities of options that are one token.

    An option that is not in the list is less likely than all that are; it gets the bound, a hair below the least
    likely one listed. So the likeliest option is right, while absent ones tie. If none is in the list, nothing is
    known.
    """
    listed = await _next_tokens(to, _asked(to.server, prompt), size)
    listed = [(token.replace("▁", " ").replace("Ġ", " "), value) for token, value in listed]
    exact = [_sum(value for token, value in listed if token == option) for option in options]
    # A chat model opens its answer as it likes; and some servers lose the space in front of a token.
    loose = [_sum(value for token, value in listed if token.strip() == option.strip()) for option in options]
    chosen = exact if not to.server.chat and any(value is not None for value in exact) else loose
    if all(value is None for value in chosen):
        raise EndpointError(
            f"None of the options {', '.join(repr(option) for option in options)} is among the {len(listed)} likeliest "
            f"next tokens that {to.server.url} gives after a prompt ending in {prompt.written[-40:]!r}; choose "
            "generated answers, or a server with longer lists (vLLM: --max-logprobs) or with echo."
        )
    bound = float(np.nextafter(min(value for _, value in listed), -np.inf))
    return [bound if value is None else value for value in chosen]


def _sum(values: Iterator[float]) -> float | None:
    """The logarithm of the sum of probabilities; None of nothing."""
    some = list(values)
    return float(np.logaddexp.reduce(some)) if some else None


# --- the engine --------------------------------------------------------------------------------------------------


class Endpoint:
    """An :class:`~linguabridge.engines.engine.Engine` behind a server. Made by :func:`open_endpoint`."""

    def __init__(self, server: _Server, abilities: _Abilities, cache: Cache, reporter: Reporter) -> None:
        self._server, self._abilities = server, abilities
        self.cache, self.reporter = cache, reporter

    @property
    def name(self) -> str:
        """The model's name at the server."""
        return self._server.model

    @property
    def chat(self) -> bool:
        """Whether prompts go to the chat route."""
        return self._server.chat

    @property
    def identity(self) -> Mapping[str, Any]:
        """Address, model and abilities. The weights behind a name are the server's business, and are not known."""
        return {
            "endpoint": self._server.url,
            "model": self._server.model,
            "chat": self._server.chat,
            "scorings": list(self.scorings),
            "method": self._abilities.method if len(self.scorings) > 1 else None,
            "server": self._abilities.version,
        }

    @property
    def scorings(self) -> tuple[str, ...]:
        """What the server was seen to be able to do."""
        return self._abilities.scorings

    def option_scores(
        self,
        title: str,
        prompts: Sequence[Prompt],
        options: Sequence[Sequence[str]],
        *,
        whole: bool = False,
    ) -> NDArray[np.float64]:
        """Log-likelihoods of options; see :meth:`linguabridge.engines.engine.Engine.option_scores`.

        By echo, a token that spans the border of prompt and option counts as the option's, and values of the whole are
        sums from the first token that the prompt alone does not have. By the list of likeliest tokens, options must be
        one token each; one that is not listed gets a bound just below the least likely one listed.

        Raises:
            EndpointError: the server cannot do it, or fails.
            InputError: not every prompt has the same number of options, at least two.
        """
        sizes = {len(some) for some in options}
        if len(options) != len(prompts) or len(sizes) > 1 or sizes & {0, 1}:
            raise InputError("Every prompt needs the same number of options, at least two.")
        if not prompts:
            return np.zeros((0, 0))
        self._check_scoring(options)
        abilities = self._abilities
        asked = list(zip(prompts, map(tuple, options), strict=True))

        async def score(to: _Connection, question: tuple[Prompt, tuple[str, ...]]) -> list[float]:
            prompt, some = question
            if abilities.echo:
                return await _scores_by_echo(to, prompt, some, whole)
            return await _scores_by_list(to, prompt, some, abilities.top)

        def key(part: Sequence[tuple[Prompt, tuple[str, ...]]]) -> dict[str, Any]:
            questions = digest([[prompt.text, prompt.start, list(some)] for prompt, some in part])
            return {"method": abilities.method, "whole": whole and abilities.echo, "questions": questions}

        rows = self._batches(title, "endpoint-scores", asked, key, score)
        return np.array(rows, dtype=np.float64)

    def answers(self, title: str, prompts: Sequence[Prompt], ending: Ending) -> list[str]:
        """Greedy answers, raw; in a chat without the prompt's start, where the model wrote it.

        Raises:
            EndpointError: the server fails.
        """

        async def answer(to: _Connection, prompt: Prompt) -> str:
            return await _generate(to, prompt, ending, self._abilities.stops_above)

        def key(part: Sequence[Prompt]) -> dict[str, Any]:
            asked = [[prompt.text, prompt.start] for prompt in part]
            until = {"stops": list(ending.stops), "quoted": ending.quoted, "max_new_tokens": ending.max_new_tokens}
            return {"until": until, "questions": digest(asked)}

        return self._batches(title, "endpoint-answers", prompts, key, answer)

    def _check_scoring(self, options: Sequence[Sequence[str]]) -> None:
        """Fail before the first request, where the server cannot score these options."""
        where = self._server.url
        if self.scorings == (GENERATED,):
            raise EndpointError(
                f"{where} gives no log-probabilities, so options cannot be scored with it; choose generated answers, "
                "or a server that has them (vLLM, llama.cpp)."
            )
        # Longer ones are several tokens, or, worse, one token in some prompts only.
        long = next((option for some in options for option in some if len(option.strip()) > 2), None)
        if not self._abilities.echo and long is not None:
            raise EndpointError(
                f"{where} gives log-probabilities of next tokens only, so options such as {long!r} cannot be scored "
                "with it; choose letters or generated answers, or a server with echo (vLLM's completions)."
            )

    def _batches(
        self,
        title: str,
        kind: str,
        asked: Sequence[_Q],
        key: Callable[[Sequence[_Q]], dict[str, Any]],
        work: Callable[[_Connection, _Q], Coroutine[Any, Any, _T]],
    ) -> list[_T]:
        """Results of all questions, from the cache where they are there; each batch is kept when it is finished.

        The same question is asked once: data repeat a text for each question on it.
        """
        questions = list(dict.fromkeys(asked))
        parts = [questions[start : start + BATCH] for start in range(0, len(questions), BATCH)]
        server = {"endpoint": self._server.url, "model": self._server.model, "chat": self._server.chat}
        keys = [{"requests": FORMAT, **server, **key(part)} for part in parts]
        done: dict[int, list[_T]] = {}
        with self.reporter.step(title, len(questions)) as advance:
            for number, one in enumerate(keys):
                if found := self.cache.get(kind, one):
                    done[number] = found.facts["results"]
                    advance(len(parts[number]))

            async def rest(to: _Connection) -> None:
                for number, part in enumerate(parts):
                    if number not in done:
                        done[number] = await _all([_counted(work(to, one), advance) for one in part])
                        self.cache.put(kind, keys[number], {}, {"about": title, "results": done[number]})

            if len(done) < len(parts):
                _run(self._server, rest)
        results = (result for number in range(len(parts)) for result in done[number])
        answered = dict(zip(questions, results, strict=True))
        return [answered[one] for one in asked]


async def _counted(work: Coroutine[Any, Any, _T], advance: Step) -> _T:
    result = await work
    advance(1.0)
    return result
