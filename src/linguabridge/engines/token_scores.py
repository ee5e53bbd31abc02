"""Log-probabilities of tokens as servers write them, and scores of options made of these.

Never a made-up value: what is missing, or cannot be, is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from linguabridge.engines.server import BROKEN, Connection, LacksError, together
from linguabridge.errors import EndpointError
from linguabridge.prompts import Prompt

_NOISE = 0.1  # log-probabilities of one token may differ so much between requests of one server (batching, bfloat16)

_LARGEST = 1e300  # JSON may hold whole numbers that no float does

_Token = tuple[str, float]


def _number(to: Connection, value: object) -> float:
    if not isinstance(value, int | float) or not -_LARGEST < value < 1e-3:  # NaN neither
        raise _missing(to)
    return float(value)


def _missing(to: Connection) -> EndpointError:
    return LacksError(
        f"{to.server.url} leaves out log-probabilities it was asked for; options cannot be scored with it: choose "
        "generated answers, or a server that has them (vLLM)."
    )


# --- by echo -----------------------------------------------------------------------------------------------------


async def scores_by_echo(to: Connection, prompt: Prompt, options: Sequence[str], whole: bool) -> list[float]:
    """Sums over the tokens that options do not share, or, of the whole, over those that are not the prompt's alone.

    Raises:
        EndpointError: the server does not give them.
    """
    texts = [prompt.written + option for option in options]
    echoed = await together([echoed_tokens(to, text) for text in (*texts, *([prompt.written] if whole else []))])
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


async def echoed_tokens(to: Connection, text: str) -> list[_Token]:
    """Tokens of a text, each with its log-probability after those before it; that of the first is NaN.

    Raises:
        EndpointError: the server does not give them, or they are not those of this text.
    """
    # One token is generated, for not all servers can stop at none.
    answer = await to.ask(Prompt(text), echo=True, logprobs=1, max_tokens=1)
    found, usage = answer.choice.get("logprobs"), answer.body.get("usage")
    found = found if isinstance(found, dict) else {}
    tokens, values = found.get("tokens"), found.get("token_logprobs")
    if not (isinstance(tokens, list) and isinstance(values, list) and len(tokens) == len(values)):
        raise _missing(to)
    if not (answer.text or "").startswith(text):
        raise _missing(to)
    generated = usage.get("completion_tokens") if isinstance(usage, dict) else None
    size = len(tokens) - (generated if isinstance(generated, int) else 1)
    tokens = [str(token) for token in tokens[:size]]
    logs = [math.nan, *(_number(to, value) for value in values[1:size])][: len(tokens)]
    if len(logs) > 2 and not any(logs[1:]):
        raise _missing(to)  # filled in, not computed
    if not _are_of(tokens, text):
        raise LacksError(
            f"{to.server.url} gives log-probabilities of tokens that do not make up the prompt; options cannot be "
            "scored with it: choose generated answers."
        )
    return list(zip(tokens, logs, strict=True))


def _are_of(tokens: Sequence[str], text: str) -> bool:
    """Whether tokens make up a text. White space is not compared, nor special tokens before the text.

    Servers decode each token alone, by which some tokenizers lose the space in front of a word, and a character of
    several tokens is broken; so only what is surely wrong is found.
    """
    text = "".join(text.split())
    for special in range(min(3, len(tokens))):
        joined = "".join("".join(tokens[special:]).replace("▁", " ").split())
        pattern = ".*?".join(map(re.escape, re.split(f"{BROKEN}+", joined)))
        if re.fullmatch(pattern, text, re.DOTALL):
            return True
    return False


def _same(one: _Token, other: _Token) -> bool:
    """Whether two tokens after the same tokens are the same. Parts of different characters are written alike."""
    return one[0] == other[0] and (BROKEN not in one[0] or math.isnan(one[1]) or abs(one[1] - other[1]) < _NOISE)


def _shared(sequences: Sequence[Sequence[_Token]]) -> int:
    """Number of tokens that all begin with."""
    length = 0
    for tokens in zip(*sequences, strict=False):
        if not all(_same(tokens[0], token) for token in tokens):
            break
        length += 1
    return length


# --- by the list of likeliest tokens -----------------------------------------------------------------------------


async def scores_by_list(to: Connection, prompt: Prompt, options: Sequence[str], size: int) -> list[float]:
    """Log-probabilities of options that are one token.

    An option that is not in the list is less likely than all that are; it gets the bound, a hair below the least
    likely one listed. So the likeliest option is right, while absent ones tie. If none is in the list, nothing is
    known.

    Raises:
        EndpointError: the server gives no list, or one without any of the options.
    """
    listed = await next_tokens(to, prompt, size)
    listed = [(token.replace("▁", " ").replace("Ġ", " "), value) for token, value in listed]
    exact = [_sum(value for token, value in listed if token == option) for option in options]
    # A chat model opens its answer as it likes; and some servers lose the space in front of a token.
    loose = [_sum(value for token, value in listed if token.strip() == option.strip()) for option in options]
    chosen = loose if to.server.chat or not any(map(math.isfinite, exact)) else exact
    if not any(map(math.isfinite, chosen)):
        raise EndpointError(
            f"None of the options {', '.join(repr(option) for option in options)} is among the {len(listed)} likeliest "
            f"next tokens that {to.server.url} gives after a prompt ending in {prompt.written[-40:]!r}; choose "
            "generated answers, or a server with longer lists (vLLM: --max-logprobs) or with echo."
        )
    bound = float(np.nextafter(min(value for _, value in listed), -np.inf))
    return [max(value, bound) for value in chosen]


async def next_tokens(to: Connection, prompt: Prompt, size: int) -> list[_Token]:
    """The likeliest next tokens.

    Raises:
        EndpointError: the server gives none.
    """
    wish = {"logprobs": True, "top_logprobs": size} if to.server.chat else {"logprobs": size}
    answer = await to.ask(prompt, max_tokens=1, **wish)
    found = _listed(answer.choice.get("logprobs"))
    # One alone is the token that was generated, which says nothing of others.
    if len(found) < 2:
        raise _missing(to)
    return [(token, _number(to, value)) for token, value in found]


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
    if not isinstance(first, list):
        return []
    return [(str(one.get("token")), one.get("logprob")) for one in first if isinstance(one, dict)]


def _sum(values: Iterable[float]) -> float:
    """The logarithm of the sum of probabilities; minus infinity of nothing."""
    return float(np.logaddexp.reduce(list(values)))
