"""What a server can do. It is found out by asking: many servers ignore parameters they do not know, without a word.

Three kinds:

- *echo*: the completions route repeats the prompt with the log-probability of each of its tokens (vLLM). Options of any
  length can be scored.
- *top*: a list of the likeliest next tokens (llama.cpp, and most chat routes). Options that are one token, such as
  letters, can be scored.
- neither (``transformers serve`` 5.23): only generated answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linguabridge.engines.engine import GENERATED, LETTERS, TEXT
from linguabridge.engines.server import Answer, Connection, LacksError, Server, UnreachableError
from linguabridge.engines.token_scores import echoed_tokens, next_tokens
from linguabridge.errors import EndpointError
from linguabridge.prompts import Prompt

_LIST_TIMEOUT = 20.0
_DEAR_STOPS = 64  # tokens that ``transformers serve`` generates in the time that stops cost it
_LISTS = (100, 20, 5)  # lengths of lists of likeliest tokens to ask for; the first is llama.cpp's, the last OpenAI's
_TRIAL = Prompt("The capital of France is")


@dataclass(frozen=True)
class Abilities:
    """What a server was seen to do.

    Attributes:
        echo: it gives log-probabilities of the prompt's tokens.
        top: length of the list of likeliest tokens to ask for; 0: it gives none, or none is needed.
        version: what it says of itself.
        stops_above: stops are sent with answers that may be longer than this.
    """

    echo: bool
    top: int
    version: str | None = None
    stops_above: int = 0

    @property
    def scorings(self) -> tuple[str, ...]:
        """Which of :data:`linguabridge.engines.engine.SCORINGS` that allows."""
        if self.echo:
            return (TEXT, LETTERS, GENERATED)
        return (LETTERS, GENERATED) if self.top else (GENERATED,)

    @property
    def method(self) -> str | None:
        """How options are scored."""
        return "echo" if self.echo else f"top {self.top}" if self.top else None


async def probe(to: Connection) -> Abilities:
    """Ask for each ability, and believe only what comes back.

    Raises:
        EndpointError: the model or the route is not there.
    """
    served, model = await _served(to), to.server.model
    try:
        plain = await to.ask(_TRIAL, max_tokens=1)
    except LacksError as error:
        if served and model not in served:
            raise _unknown_model(to.server, served) from None
        raise error from None
    if plain.text is None:
        raise EndpointError(f"{to.server.url} answers /{to.server.route} without a text; check the address.")
    transformers = _names_revision(model, plain)  # lists what lies in its cache, yet serves any folder too
    # A server of one model may answer to any name.
    if served and not (model in served or f"{model}:latest" in served or transformers):
        raise _unknown_model(to.server, served)
    # transformers (5.23) goes through the whole vocabulary for each request with stops: 4 s with Gemma's.
    stops_above = _DEAR_STOPS if transformers else 0
    echo = await _echoes(to)
    return Abilities(echo, 0 if echo else await _longest_list(to), plain.version, stops_above)


async def _served(to: Connection) -> list[str]:
    """Names of the models a server lists; none where it has no such list.

    ``transformers serve`` answers 500 where its cache folder does not exist: as good as no list.
    """
    impatient = to.client.with_options(max_retries=0, timeout=min(to.server.timeout, _LIST_TIMEOUT))
    try:
        body, _ = await to.call(lambda: impatient.models.with_raw_response.list())
    except UnreachableError:
        raise
    except EndpointError:
        return []  # why, if it matters, shows at the first question
    listed = [one for one in _list(body.get("data")) if isinstance(one, dict)]
    names = [name for one in listed for name in (one.get("id"), *_list(one.get("aliases")))]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _names_revision(model: str, answer: Answer) -> bool:
    """Whether an answer is signed ``model@revision``, as ``transformers serve`` alone does."""
    return str(answer.body.get("model")).startswith(f"{model}@")


def _unknown_model(server: Server, served: Sequence[str]) -> EndpointError:
    names = ", ".join(f"'{name}'" for name in served[:10]) + (", …" if len(served) > 10 else "")
    return EndpointError(f"{server.url} does not serve '{server.model}' but {names}; choose with --endpoint-model.")


async def _echoes(to: Connection) -> bool:
    if to.server.chat:
        return False
    try:
        await echoed_tokens(to, _TRIAL.text)
    except LacksError:
        return False
    return True


async def _longest_list(to: Connection) -> int:
    for size in _LISTS:
        try:
            await next_tokens(to, _TRIAL, size)
        except LacksError:
            continue  # too long a list, perhaps
        return size
    return 0
