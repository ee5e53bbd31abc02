"""Batches that memory does not hold: halved, with the very results of whole ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import pytest
import torch

from linguabridge import collect, memory, probing
from linguabridge.errors import ModelError
from linguabridge.generate import greedy_answers
from linguabridge.likelihood import option_log_probabilities
from linguabridge.memory import Halving
from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.perplexity import bits_per_byte

Load = Callable[[str], LanguageModel]
LINES = ["the cat sat on the mat", "a dog", "jua linawaka leo", "maji", "one two three four five six seven"] * 4
PROMPTS = [f"the {word} is" for word in ["cat", "dog", "sun", "water", "house", "tree", "bird", "fish", "stone"]]


@pytest.fixture
def full() -> Iterator[Callable[[LanguageModel, int], mock.Mock]]:
    """Let a model run out of memory in its last layer, where a batch has more rows than some."""
    patches = []

    def make(model: LanguageModel, most: int) -> mock.Mock:
        last = model.model.base_model.layers[-1]
        real = last.forward

        def forward(states: torch.Tensor, *more: object, **named: object) -> object:
            given = real(states, *more, **named)
            if len(states) > most:
                raise torch.OutOfMemoryError("full")
            return given

        failing = mock.Mock(side_effect=forward)
        patches.append(mock.patch.object(last, "forward", failing))
        patches[-1].start()
        return failing

    yield make
    for one in patches:
        one.stop()


def test_halves_are_run_in_order_until_they_fit() -> None:
    done: list[list[int]] = []

    def run(some: list[int]) -> None:
        if len(some) > 3:
            raise torch.OutOfMemoryError
        done.append(some)

    Halving[list[int]]().run(list(range(10)), run)
    assert done == [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    tried: list[int] = []

    def run(some: list[int]) -> None:
        tried.append(sum(some))
        if sum(some) > 5:
            raise torch.OutOfMemoryError

    halving = Halving[list[int]](sum)
    for batch in ([1] * 8, [1] * 7, [3, 4], [1] * 5):
        halving.run(batch, run)
    assert tried == [8, 4, 4, 7, 3, 4, 3, 4, 5]  # 7 failed once; [3, 4] is as large


def test_one_row_that_does_not_fit_is_said_with_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"does not hold a single text beside the model: use --device map"):
        Halving[list[int]]().run([1], mock.Mock(side_effect=torch.OutOfMemoryError))


CPU_FULL = (  # as torch 2.8 words it, and as later ones do
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4000000000000 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
)


@pytest.mark.parametrize("error", [*map(RuntimeError, CPU_FULL), MemoryError()], ids=["linux", "windows", "python"])
def test_the_machines_own_memory_counts_alike_and_is_named(error: Exception) -> None:
    done: list[list[int]] = []

    def run(some: list[int]) -> None:
        if len(some) > 1:
            raise error
        done.append(some)

    Halving[list[int]]().run([1, 2, 3], run)
    assert done == [[1], [2], [3]]
    with pytest.raises(ModelError, match=r"^The machine's memory does not hold a single text .*: close other programs"):
        Halving[list[int]]().run([1], mock.Mock(side_effect=error))


def test_torch_says_it_in_these_words() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert memory.is_full(caught.value)


def test_a_beginning_that_does_not_fit_is_not_shared(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    beginning = "the cat sat on the mat and looked at the dog in the garden " * 8
    prompts = [f"{beginning}{end}" for end in ("jua", "maji", "one two", "three")]
    options = [["cat", "a dog", "maji leo"]] * len(prompts)
    expected = option_log_probabilities(model, prompts, options)
    real = model.model.base_model.forward
    passes = []

    def forward(*args: object, **named: object) -> object:
        ids = args[0] if args else named["input_ids"]
        passes.append(ids.shape)
        if len(passes) == 1:
            raise torch.OutOfMemoryError("full")
        return real(*args, **named)

    with mock.patch.object(model.model.base_model, "forward", forward):
        found = option_log_probabilities(model, prompts, options)
    rows, shared = passes[0]
    assert (rows, shared) == (1, len(model.encode(beginning.rstrip())))  # what all begin with; the space goes on
    assert sum(rows for rows, length in passes[1:] if length > shared) == len(prompts)  # then each runs whole
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_answers_that_run_again_are_counted_once(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    real = model.model.base_model.forward
    passes, told = [], []

    def forward(*args: object, **named: object) -> object:
        passes.append(1)
        if len(passes) == 4:  # when some answers are finished
            raise torch.OutOfMemoryError("full")
        return real(*args, **named)

    def finished(text: str) -> bool:
        return len(text) > 3

    expected = greedy_answers(model, PROMPTS, finished=finished, max_new_tokens=8)
    with mock.patch.object(model.model.base_model, "forward", forward):
        found = greedy_answers(model, PROMPTS, finished=finished, max_new_tokens=8, advance=told.append)
    assert found == expected
    assert min(told) < 0  # some were
    assert sum(told) == len(PROMPTS)
    assert all(0 <= sum(told[:n]) <= len(PROMPTS) for n in range(len(told)))


def test_other_errors_are_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match="something else"):
        Halving[list[int]]().run([1, 2], mock.Mock(side_effect=RuntimeError("something else")))


@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_everything_is_as_of_whole_batches_and_nothing_counted_twice(
    tiny_loaded: Load, full: Callable, family: str
) -> None:
    model = tiny_loaded(family)
    some = NeuronSet(model.space, np.arange(0, len(model.space), 5))

    def told() -> list[np.ndarray]:
        whole = collect.profile_text(model, LINES)
        blocks = collect.profile_blocks(model, LINES, max_tokens=90, blocks=4)
        routed = [] if whole.routed is None else [whole.routed, blocks.routed]
        return [
            np.array([whole.tokens]),
            whole.positive,
            whole.total,
            blocks.positive,
            blocks.tokens,
            *routed,
            probing.probe_matrix(model, PROMPTS, some),
            probing.linear_kernels(model, PROMPTS, of="hidden"),
            bits_per_byte(model, LINES, max_tokens=90).bits,
            option_log_probabilities(model, PROMPTS, [["cat", "a dog", "maji leo"]] * len(PROMPTS)),
        ]

    expected = told()
    answers = greedy_answers(model, PROMPTS, finished=lambda _: False, max_new_tokens=5)
    failing = full(model, 3)
    found = told()
    assert failing.call_count > len(found)
    for one, other in zip(found, expected, strict=True):
        if np.issubdtype(one.dtype, np.integer):
            np.testing.assert_array_equal(one, other)
        else:
            # Sums over hundreds of tokens in float32: what is left of opposite signs is as exact as the largest sum.
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * max(1, np.abs(other).max()))
    assert greedy_answers(model, PROMPTS, finished=lambda _: False, max_new_tokens=5) == answers


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    memory.say_once.cache_clear()
    assert not memory.was_full()
    seen: list[list[int]] = []

    def run(some: list[int]) -> None:
        if len(some) > 1:
            raise torch.OutOfMemoryError
        seen.append(some)

    with caplog.at_level(logging.WARNING):
        Halving[list[int]]().run([1, 2, 3, 4], run)
    assert memory.was_full()
    assert seen == [[1], [2], [3], [4]]
    (record,) = caplog.records
    assert "did not hold a batch: such batches run in halves" in record.message
