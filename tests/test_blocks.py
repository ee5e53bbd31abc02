"""Statistics by block of a text, and of shuffled text, against one forward pass a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest

import tiny
from linguabridge import collect
from linguabridge.collect import profile_blocks, sequences
from linguabridge.errors import InputError
from linguabridge.model import LanguageModel
from test_collect import LINES, naive_profile

Load = Callable[[str], LanguageModel]


def begins(model: LanguageModel, encoded: list[list[int]]) -> list[int]:
    """Number of tokens that count before each line."""
    counted = [sum(token not in model.special_ids for token in ids) for ids in encoded]
    return [sum(counted[:n]) for n in range(len(counted))]


@pytest.mark.parametrize("budget", [40, 2048])
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_each_block_equals_a_naive_loop_over_its_lines(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, family: str, budget: int
) -> None:
    model = tiny_loaded(family)
    monkeypatch.setattr(collect, "token_budget", lambda _device: budget)
    encoded = list(sequences(model, LINES, 10_000))
    starts = begins(model, encoded)
    whole = starts[-1] + sum(token not in model.special_ids for token in encoded[-1])
    found = profile_blocks(model, LINES, max_tokens=10_000, blocks=5)
    of_block: dict[int, list[list[int]]] = {}
    for start, ids in zip(starts, encoded, strict=True):
        of_block.setdefault(start * 5 // whole, []).append(ids)
    assert len(found.tokens) == len(of_block) > 1
    sums = np.zeros(len(model.space))
    for row, lines in enumerate(of_block.values()):
        positive, total, tokens = naive_profile(model, lines, model.special_ids)
        assert found.tokens[row] == tokens > 0
        assert np.abs(found.positive[row].astype(int) - positive).sum() <= 2  # values within rounding of 0
        sums += total
    np.testing.assert_allclose(found.whole.total, sums, rtol=1e-4, atol=1e-3)
    assert found.whole.positive.dtype == np.int64


def test_counts_take_no_more_bytes_than_they_need(tiny_loaded: Load) -> None:
    found = profile_blocks(tiny_loaded("llama"), LINES, max_tokens=10_000, blocks=5)
    assert found.positive.max() <= 255
    assert found.positive.dtype == np.uint8


def test_a_line_longer_than_a_block_leaves_no_empty_block(tiny_loaded: Load) -> None:
    lines = ["cat " * 60, "dog", "cat " * 60, "dog"]
    found = profile_blocks(tiny_loaded("llama"), lines, max_tokens=10_000, blocks=20)
    assert (found.tokens > 0).all()
    assert len(found.tokens) <= 4


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_shuffled_text_has_the_same_tokens_in_lines_of_the_same_lengths(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    model = tiny_loaded(family)
    read: list[list[int]] = []
    statistics = collect._statistics

    def watched(model, encoded, *rest):  # type: ignore[no-untyped-def]
        read.extend(map(list, encoded))
        return statistics(model, encoded, *rest)

    monkeypatch.setattr(collect, "_statistics", watched)
    plain = list(sequences(model, LINES, 10_000))
    found = profile_blocks(model, LINES, max_tokens=10_000, blocks=5, shuffle=1)
    assert [len(ids) for ids in read] == [len(ids) for ids in plain]
    assert Counter(chain.from_iterable(read)) == Counter(chain.from_iterable(plain))
    assert read != plain
    for ids, before in zip(read, plain, strict=True):  # special tokens stay where they are
        assert [t if t in model.special_ids else None for t in ids] == [
            t if t in model.special_ids else None for t in before
        ]
    counted = Counter(token for ids in plain for token in ids if token not in model.special_ids)
    assert dict(zip(found.token_ids.tolist(), found.token_counts.tolist(), strict=True)) == dict(counted)
    again = profile_blocks(model, LINES, max_tokens=10_000, blocks=5, shuffle=1)
    np.testing.assert_array_equal(found.positive, again.positive)


def test_a_text_without_tokens_is_refused(tiny_loaded: Load) -> None:
    with pytest.raises(InputError, match="no tokens"):
        profile_blocks(tiny_loaded("llama"), ["", ""], max_tokens=100, blocks=5)
