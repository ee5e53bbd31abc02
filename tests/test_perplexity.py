"""Bits per byte against transformers' own loss, line by line."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from linguabridge import perplexity
from linguabridge.cache import Cache
from linguabridge.errors import InputError, ModelError
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.likelihood import option_log_probabilities
from linguabridge.measure import Measurements
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.perplexity import bits_per_byte, continuation_bits
from linguabridge.texts import MAX_LENGTH, Text
from test_likelihood import OPTIONS, PROMPTS

Load = Callable[[str], LanguageModel]


def loss(model: LanguageModel, ids: list[int]) -> float:
    """Bits of all tokens after the first, by transformers' own loss (a mean, in nats)."""
    given = torch.tensor([ids])
    with torch.no_grad():
        return float(model.model(input_ids=given, labels=given).loss) * (len(ids) - 1) / math.log(2)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_bits_are_those_of_transformers_own_loss(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    done: list[float] = []
    found = bits_per_byte(model, tiny.LINES, advance=done.append)
    encoded = [model.encode(line) for line in tiny.LINES]
    np.testing.assert_allclose(found.bits, [loss(model, ids) for ids in encoded], rtol=1e-4)
    assert found.tokens.tolist() == [len(ids) - 1 for ids in encoded]
    assert sum(done) == found.tokens.sum()
    first = [0] * len(encoded)
    if (
        family in tiny.WITHOUT_BOS
    ):  # the first token is not scored, and neither are its bytes; one letter is a byte here
        first = [len(model.tokenizer.convert_ids_to_tokens(ids[0])) for ids in encoded]
    sizes = [len(line.encode()) - one for line, one in zip(tiny.LINES, first, strict=True)]
    if family in tiny.WITHOUT_BOS:  # a first token that is part of a letter takes the whole letter
        assert all(0 <= size - own <= 3 for size, own in zip(sizes, found.bytes, strict=True))
        assert found.bytes[0] == sizes[0]
    else:
        assert found.bytes.tolist() == sizes
    assert found.per_byte == pytest.approx(sum(map(float, found.bits)) / sum(map(int, found.bytes)))
    assert found.perplexity == pytest.approx(2 ** (sum(map(float, found.bits)) / sum(map(int, found.tokens))))


@pytest.mark.parametrize("logits", [1, tiny.VOCABULARY * 30])
def test_small_batches_change_nothing(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, logits: int) -> None:
    model = tiny_loaded("gemma3")
    whole = bits_per_byte(model, tiny.LINES)
    monkeypatch.setattr(perplexity, "LOGITS", logits)
    done: list[float] = []
    np.testing.assert_allclose(bits_per_byte(model, tiny.LINES, advance=done.append).bits, whole.bits, rtol=1e-4)
    assert len(done) > 3


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_reading_stops_after_so_many_tokens(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    whole = bits_per_byte(model, tiny.LINES[:2])
    most = int(whole.tokens[0]) + 3

    def lines() -> Iterator[str]:
        yield from tiny.LINES[:2]
        pytest.fail("read on")

    found = bits_per_byte(model, lines(), max_tokens=most)
    assert found.tokens.tolist() == [whole.tokens[0], 3]
    assert found.bits[0] == pytest.approx(whole.bits[0], rel=1e-4)
    assert found.bits[1] == pytest.approx(loss(model, model.encode(tiny.LINES[1])[:4]), rel=1e-4)
    assert 0 < found.bytes[1] < whole.bytes[1]


def test_long_lines_are_read_in_pieces_of_their_own(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    line = "the cat sat on the mat and " * 150
    ids = model.encode(line)
    assert len(ids) > 2 * MAX_LENGTH
    found = bits_per_byte(model, [line])
    pieces = [ids[at : at + MAX_LENGTH] for at in range(1, len(ids), MAX_LENGTH)]
    assert found.bits[0] == pytest.approx(sum(loss(model, ids[:1] + piece) for piece in pieces), rel=1e-4)
    assert found.bytes.tolist() == [len(line.encode())]
    assert found.tokens.tolist() == [len(ids) - 1]


def test_special_tokens_are_not_scored(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    found = bits_per_byte(model, ["the cat</s>"])
    assert found.tokens.tolist() == [len(model.encode("the cat")) - 1]
    assert found.bytes.tolist() == [len("the cat")]
    assert found.bits == pytest.approx(bits_per_byte(model, ["the cat"]).bits, rel=1e-5)


def test_tokenizer_that_does_not_tell_places_shares_bytes_out(tiny_loaded: Load) -> None:
    class Slow:
        is_fast = False
        all_special_ids = tiny_loaded("llama").tokenizer.all_special_ids

        def __call__(self, text: str, **_: Any) -> SimpleNamespace:
            return SimpleNamespace(input_ids=tiny_loaded("llama").tokenizer(text).input_ids)

    model = tiny_loaded("llama")
    slow = dataclasses.replace(model, tokenizer=Slow())  # type: ignore[arg-type]
    whole, found = bits_per_byte(model, tiny.LINES), bits_per_byte(slow, tiny.LINES)
    np.testing.assert_array_equal(found.bytes, whole.bytes)
    np.testing.assert_array_equal(found.bits, whole.bits)
    assert bits_per_byte(slow, tiny.LINES, max_tokens=5).bytes[0] > 0


def test_text_without_tokens_is_refused(tiny_loaded: Load) -> None:
    for family, lines in (("llama", []), ("llama", ["", ""]), ("gpt2", ["x", "y"])):
        with pytest.raises(InputError, match="no tokens that can be scored"):
            bits_per_byte(tiny_loaded(family), lines)


def test_likelihoods_that_are_not_finite_are_refused(tiny_loaded: Load) -> None:
    broken = tiny.model("llama")
    with torch.no_grad():
        broken.lm_head.weight[5] = float("nan")
    with pytest.raises(ModelError, match=r"not finite .* try --dtype float32"):
        bits_per_byte(dataclasses.replace(tiny_loaded("llama"), model=broken), tiny.LINES)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_continuations_are_scored_as_options_are(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    expected = option_log_probabilities(model, PROMPTS, OPTIONS, whole=True)
    for number in range(3):
        found = continuation_bits(model, PROMPTS, [some[number] for some in OPTIONS])
        np.testing.assert_allclose(-found * math.log(2), expected[:, number], rtol=1e-4)


def test_prompt_without_a_token_is_refused(tiny_loaded: Load) -> None:
    with pytest.raises(ModelError, match="at least one token before"):
        continuation_bits(tiny_loaded("gpt2"), [""], ["x"])
    with pytest.raises(InputError, match="reads 1,024 at most"):
        continuation_bits(tiny_loaded("gpt2"), ["x y z w " * 400], ["a"])


def test_bits_are_measured_once(
    tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    measure = Measurements(open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache), cache)
    text = Text(parse("en"), "lines", lambda: iter(tiny.LINES), "sha")
    first = measure.bits_per_byte(text, max_tokens=50)
    assert first.tokens.sum() == 50
    monkeypatch.setattr(perplexity, "bits_per_byte", lambda *_, **__: pytest.fail("asked again"))
    again = measure.bits_per_byte(text, max_tokens=50)
    for name in ("bits", "bytes", "tokens"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
