"""Models behind a server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, ``transformers serve`` and others.

How they are reached stands in ``server.py``, what they can do in ``abilities.py``, log-probabilities in
``token_scores.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Cache, digest
from linguabridge.engines.abilities import Abilities, probe
from linguabridge.engines.engine import GENERATED
from linguabridge.engines.server import (
    RETRIES,
    TIMEOUT,
    Connection,
    Server,
    base_address,
    connected,
    is_private,
    read_key,
    together,
)
from linguabridge.engines.token_scores import scores_by_echo, scores_by_list
from linguabridge.errors import EndpointError, InputError
from linguabridge.progress import Reporter
from linguabridge.prompts import Ending, Prompt

BATCH = 32  # prompts kept together; part of what "the same question" means, so no setting
FORMAT = 1  # raise when requests change so that answers may

_MOST_STOPS = 4  # OpenAI's limit

_T = TypeVar("_T")
_Q = TypeVar("_Q", bound=Hashable)


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
        timeout: seconds the server may be silent; ten times as long, and the pauses between tries, may one that is not
            silent take for a question, all tries together.
        max_retries: of a request that fails in a way that may pass.
        api_key_variable: environment variable with the key; servers without keys need none.

    Raises:
        EndpointError: the server cannot be reached or used; the message says how to mend it.
        InputError: the address cannot be used as given.
    """
    if concurrency < 1:
        raise InputError(f"--concurrency {concurrency}: give 1 or more requests under way at once.")
    server = Server(
        base_address(url), model, chat, read_key(api_key_variable), api_key_variable, timeout, max_retries, concurrency
    )
    reporter = reporter or Reporter()
    if server.key and not is_private(server.url):
        reporter.say(
            f"Warning: the key in {api_key_variable} goes to {server.url} where others on the way can read it; use "
            "https:// if the server has it."
        )
    return Endpoint(server, connected(server, probe), cache, reporter)


class Endpoint:
    """An :class:`~linguabridge.engines.engine.Engine` behind a server. Made by :func:`open_endpoint`."""

    def __init__(self, server: Server, abilities: Abilities, cache: Cache, reporter: Reporter) -> None:
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
            "method": self._abilities.method,
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

        async def score(to: Connection, question: tuple[Prompt, tuple[str, ...]]) -> list[float]:
            prompt, some = question
            if abilities.echo:
                return await scores_by_echo(to, prompt, some, whole)
            return await scores_by_list(to, prompt, some, abilities.top)

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

        async def answer(to: Connection, prompt: Prompt) -> str:
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
        work: Callable[[Connection, _Q], Coroutine[Any, Any, _T]],
    ) -> list[_T]:
        """Results of all questions, from the cache where they are there; each batch is kept when it is finished.

        The same question is asked once: data repeat a text for each question on it.
        """
        questions = list(dict.fromkeys(asked))
        server = {"endpoint": self._server.url, "model": self._server.model, "chat": self._server.chat}
        answered: dict[_Q, _T] = {}
        missing: list[tuple[dict[str, Any], Sequence[_Q]]] = []
        with self.reporter.step(title, len(questions)) as advance:
            for start in range(0, len(questions), BATCH):
                part = questions[start : start + BATCH]
                its_key = {"requests": FORMAT, **server, **key(part)}
                if found := self.cache.get(kind, its_key):
                    answered.update(zip(part, found.facts["results"], strict=True))
                    advance(len(part))
                else:
                    missing.append((its_key, part))

            async def rest(to: Connection) -> None:
                async def one(question: _Q) -> _T:
                    result = await work(to, question)
                    advance()
                    return result

                for its_key, part in missing:
                    results = await together([one(question) for question in part])
                    self.cache.put(kind, its_key, {}, {"about": title, "results": results})
                    answered.update(zip(part, results, strict=True))

            if missing:
                connected(self._server, rest)
        return [answered[question] for question in asked]


async def _generate(to: Connection, prompt: Prompt, ending: Ending, stops_above: int) -> str:
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


async def _text(to: Connection, prompt: Prompt, max_tokens: int, stops: Sequence[str]) -> tuple[str, object]:
    """An answer without the prompt's start (an opening quote, say), if a chat model wrote it; and why it ended."""
    answer = await to.ask(prompt, max_tokens=max_tokens, **({"stop": list(stops)} if stops else {}))
    text, start = answer.text, prompt.start.strip()
    if text is None:
        raise EndpointError(f"{to.server.url} answers without a text, not as OpenAI's API does; look into its log.")
    if to.server.chat and start and text.lstrip().startswith(start):
        text = text.lstrip().removeprefix(start)
    return text, answer.choice.get("finish_reason")
