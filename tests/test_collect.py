"""Activation statistics and probe matrices against one forward pass a line and boolean counts in numpy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch

import tiny
from linguabridge import collect, probing
from linguabridge.collect import profile_text, sequences
from linguabridge.errors import InputError, ModelError
from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.perplexity import bits_per_byte
from linguabridge.probing import probe_matrix

Load = Callable[[str], LanguageModel]

LINES = [*tiny.LINES, "the", "", "cat " * 30, "a<s>b</s>c"]  # special tokens in the middle of a line too


def naive_values(model: LanguageModel, ids: list[int]) -> np.ndarray:
    """All neurons' values at every token of one sequence alone; shape (neurons, tokens)."""
    modules = dict(model.model.named_modules())
    kept: list[np.ndarray] = []
    handles = [
        modules[name].register_forward_hook(
            lambda _m, _i, out: kept.append(out.reshape(-1, out.shape[-1]).numpy().T.copy())
        )
        for name in model.taps
    ]
    with torch.no_grad():
        model.model(input_ids=torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return np.concatenate(kept)


def naive_profile(
    model: LanguageModel, every: Iterable[list[int]], special: frozenset[int]
) -> tuple[np.ndarray, np.ndarray, int]:
    positive = np.zeros(len(model.space), dtype=int)
    total = np.zeros(len(model.space))
    tokens = 0
    for ids in every:
        counted = np.array([token not in special for token in ids])
        values = naive_values(model, ids)[:, counted]
        positive += (values > 0).sum(axis=1)
        total += values.sum(axis=1, dtype=float)
        tokens += counted.sum()
    return positive, total, int(tokens)


def small_batches(monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    for module in (collect, probing):
        monkeypatch.setattr(module, "token_budget", lambda _device: budget)


@pytest.mark.parametrize("budget", [1, 40, 2048])
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_profile_equals_a_naive_loop_over_lines(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, family: str, budget: int
) -> None:
    model = tiny_loaded(family)
    small_batches(monkeypatch, budget)
    found = profile_text(model, LINES)
    encoded = [model.tokenizer(line).input_ids for line in LINES if line]
    positive, total, tokens = naive_profile(model, encoded, frozenset(model.tokenizer.all_special_ids))
    assert found.tokens == tokens
    # A value within rounding of 0 may fall on either side of it: the batched products sum in another order.
    assert np.abs(found.positive - positive).sum() <= 2
    np.testing.assert_allclose(found.total, total, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.mean, total / tokens, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_special_tokens_count_when_asked(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    lines = [line for line in LINES if line]
    found = profile_text(model, lines, count_special=True)
    positive, total, tokens = naive_profile(model, [model.encode(line) for line in lines], frozenset())
    assert found.tokens == tokens > profile_text(model, lines).tokens
    assert np.abs(found.positive - positive).sum() <= 2
    np.testing.assert_allclose(found.total, total, rtol=1e-4, atol=1e-3)


def test_order_of_lines_changes_nothing(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_loaded("llama")
    small_batches(monkeypatch, 30)
    first, second = profile_text(model, LINES), profile_text(model, LINES[::-1])
    assert first.tokens == second.tokens
    assert np.abs(first.positive - second.positive).sum() <= 2


def test_many_windows_of_batches_lose_no_line(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    from linguabridge import batches

    monkeypatch.setattr(batches, "_WINDOW", 2)
    small_batches(monkeypatch, 16)
    model = tiny_loaded("llama")
    once, thrice = profile_text(model, tiny.LINES), profile_text(model, tiny.LINES * 3)
    assert thrice.tokens == 3 * once.tokens
    np.testing.assert_allclose(thrice.total, 3 * once.total, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("wanted", [1, 2, 17, 40])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_max_tokens_is_exact(tiny_loaded: Load, family: str, wanted: int) -> None:
    model = tiny_loaded(family)
    assert profile_text(model, LINES, max_tokens=wanted).tokens == wanted


def test_max_tokens_takes_the_first_tokens(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    first, second = model.encode(LINES[0]), model.encode(LINES[1])
    wanted = len(first) - 1 + 3
    assert list(sequences(model, LINES, wanted)) == [first, second[: 1 + 3]]


def test_more_tokens_than_there_are_is_all_of_them(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    assert profile_text(model, LINES[:3], max_tokens=10**6).tokens == profile_text(model, LINES[:3]).tokens


def test_text_is_not_read_beyond_max_tokens(tiny_loaded: Load) -> None:
    def endless() -> Iterable[str]:
        yield from LINES[:2]
        raise AssertionError("read on")

    assert profile_text(tiny_loaded("llama"), endless(), max_tokens=5).tokens == 5


def test_long_lines_are_cut_and_bos_is_repeated(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_LENGTH", 5)
    model = tiny_loaded("llama")
    bos, *rest = model.encode(LINES[0])
    pieces = list(sequences(model, LINES[:1], None))
    assert bos == model.tokenizer.bos_token_id
    assert all(piece[0] == bos and len(piece) <= 1 + 5 for piece in pieces)
    assert [token for piece in pieces for token in piece[1:]] == rest
    positive, total, tokens = naive_profile(model, pieces, frozenset({bos}))
    found = profile_text(model, LINES[:1])
    assert found.tokens == tokens == len(rest)
    assert np.abs(found.positive - positive).sum() <= 1
    np.testing.assert_allclose(found.total, total, rtol=1e-4, atol=1e-3)


def test_line_of_exactly_the_longest_length_stays_whole(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_loaded("gpt2")  # no BOS
    ids = model.encode(LINES[0])
    monkeypatch.setattr(collect, "MAX_LENGTH", len(ids))
    assert list(sequences(model, LINES[:1], None)) == [ids]


def test_lines_are_cut_to_what_a_model_with_few_positions_reads(tiny_loaded: Load) -> None:
    for family, changes, longest in (("gpt2", {"n_positions": 16}, 16), ("opt", {"max_position_embeddings": 8}, 8)):
        model = dataclasses.replace(tiny_loaded(family), model=tiny.model(family, **changes))
        pieces = list(sequences(model, LINES[:1], None))
        assert max(map(len, pieces)) == longest
        assert profile_text(model, LINES).tokens == profile_text(tiny_loaded(family), LINES).tokens
        bits_per_byte(model, LINES, max_tokens=1000)  # an index error where a position is not there


@pytest.mark.parametrize("lines", [[], [""], ["", ""]])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("count_special", [False, True])
def test_text_without_tokens_is_refused(tiny_loaded: Load, family: str, lines: list[str], count_special: bool) -> None:
    with pytest.raises(InputError, match="holds no tokens"):
        profile_text(tiny_loaded(family), lines, count_special=count_special)


def test_progress_adds_up_to_the_tokens(tiny_loaded: Load) -> None:
    done: list[float] = []
    found = profile_text(tiny_loaded("llama"), LINES, advance=done.append)
    assert sum(done) == found.tokens


def damaged(model: LanguageModel, layer: int) -> LanguageModel:
    copy = tiny.model("llama")
    with torch.no_grad():
        copy.model.layers[layer].mlp.gate_proj.weight[3, :] = float("nan")
    return dataclasses.replace(model, model=copy)


def test_values_that_are_not_finite_are_named_with_their_layer(tiny_loaded: Load) -> None:
    model = damaged(tiny_loaded("llama"), 2)
    with pytest.raises(ModelError, match=r"not finite .* in layer 2; try --dtype float32"):
        profile_text(model, LINES[:2])
    with pytest.raises(ModelError, match="not finite"):
        probe_matrix(model, LINES[:2], NeuronSet.of(model.space, range(len(model.space))))


def some_neurons(model: LanguageModel) -> NeuronSet:
    """Of all layers but the second, unevenly many."""
    starts = model.space.starts
    return NeuronSet.of(model.space, [0, 5, starts[1] - 1, starts[2], starts[2] + 7, starts[4] - 1])


@pytest.mark.parametrize("count_special", [False, True])
@pytest.mark.parametrize("budget", [1, 60, 2048])
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_probe_matrix_equals_the_naive_mean_over_each_prompts_tokens(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, family: str, budget: int, count_special: bool
) -> None:
    model = tiny_loaded(family)
    small_batches(monkeypatch, budget)
    prompts = [line for line in LINES if line]
    neurons = some_neurons(model)
    done: list[float] = []
    found = probe_matrix(model, prompts, neurons, count_special=count_special, advance=done.append)
    special = frozenset() if count_special else frozenset(model.tokenizer.all_special_ids)
    expected = np.empty((len(neurons), len(prompts)))
    for column, prompt in enumerate(prompts):
        ids = model.encode(prompt)
        values = naive_values(model, ids)[:, [token not in special for token in ids]]
        expected[:, column] = values[neurons.flat].mean(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert sum(done) == len(prompts)


def test_probe_matrix_of_no_neurons_is_empty(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    assert probe_matrix(model, LINES[:2], NeuronSet.of(model.space, [])).shape == (0, 2)
