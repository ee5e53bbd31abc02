"""What the endpoint engine sees that a server can do, and the scores it makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_server import Reply, completion, connect, echoing, listing, models, plain, tokens_of, values_of
from linguabridge.cache import Cache
from linguabridge.engines.engine import GENERATED, LETTERS, TEXT
from linguabridge.engines.token_scores import _are_of
from linguabridge.errors import EndpointError
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel
from linguabridge.prompts import Prompt

pytest.importorskip("openai", reason="pip install 'linguabridge[endpoint]'")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


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
