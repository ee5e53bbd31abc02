"""Greedy answers against an argmax loop, one prompt at a time, without a cache or padding."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch

import tiny
from linguabridge import generate
from linguabridge.errors import InputError
from linguabridge.generate import greedy_answers
from linguabridge.model import LanguageModel

Load = Callable[[str], LanguageModel]

PROMPTS = [
    'English:"water"→Kiswahili:"',
    "a",
    'العربية:"قطة"→English:"cat"→עברית:"',
    "the cat sat on the mat and looked at the dog in the garden",
    'Deutsch:"Hund"→',
]


def never(_text: str) -> bool:
    return False


def naive(
    model: LanguageModel, prompt: str, steps: int, finished: Callable[[str], bool] = never, eos: int | None = None
) -> list[int]:
    ids = model.tokenizer(prompt).input_ids
    new: list[int] = []
    with torch.no_grad():
        while len(new) < steps:
            logits = model.model(input_ids=torch.tensor([ids + new]), use_cache=False).logits[0, -1]
            new.append(int(logits.argmax()))
            if new[-1] == eos or finished(model.tokenizer.decode(new)):
                break
    return new


def text(model: LanguageModel, ids: list[int]) -> str:
    return model.tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_unequal_prompts_answer_as_each_alone(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    eos = model.model.generation_config.eos_token_id
    found = greedy_answers(model, PROMPTS, finished=never, max_new_tokens=8)
    assert found == [text(model, naive(model, prompt, 8, eos=eos)) for prompt in PROMPTS]
    assert len(set(found)) > 1


@pytest.mark.parametrize("family", ["llama", "gemma3", "opt"])
def test_answers_stop_when_they_are_finished(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)

    def finished(so_far: str) -> bool:
        return len(so_far) >= 6

    found = greedy_answers(model, PROMPTS, finished=finished, max_new_tokens=12)
    expected = [naive(model, prompt, 12, finished) for prompt in PROMPTS]
    assert found == [text(model, ids) for ids in expected]
    assert len({len(ids) for ids in expected}) > 1  # some rows stop before others


def test_generation_ends_when_the_last_row_is_finished(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    handle = model.model.lm_head.register_forward_hook(count)
    greedy_answers(model, PROMPTS, finished=lambda so_far: len(so_far) >= 1, max_new_tokens=30)
    handle.remove()
    assert passes <= 5


def test_end_of_text_ends_an_answer_and_is_left_out(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    plain = naive(model, PROMPTS[0], 6)
    changed = copy.deepcopy(model.model)
    changed.generation_config.eos_token_id = plain[3]
    changed_model = dataclasses.replace(model, model=changed)
    found = greedy_answers(changed_model, PROMPTS, finished=never, max_new_tokens=6)
    expected = [naive(model, prompt, 6, eos=plain[3]) for prompt in PROMPTS]
    assert len(expected[0]) < 6
    assert found == [text(model, ids) for ids in expected]


def test_batches_keep_the_order_of_prompts(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_loaded("llama")
    together = greedy_answers(model, PROMPTS, finished=never, max_new_tokens=4)
    monkeypatch.setattr(generate, "_PROMPTS", 2)
    done: list[float] = []
    assert greedy_answers(model, PROMPTS, finished=never, max_new_tokens=4, advance=done.append) == together
    assert done == [2, 2, 1]


def test_model_is_asked_greedily_whatever_its_own_settings(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    changed = copy.deepcopy(model.model)
    changed.generation_config.do_sample = True
    changed.generation_config.temperature = 5.0
    changed.generation_config.repetition_penalty = 3.0
    changed_model = dataclasses.replace(model, model=changed)
    expected = greedy_answers(model, PROMPTS, finished=never, max_new_tokens=8)
    assert greedy_answers(changed_model, PROMPTS, finished=never, max_new_tokens=8) == expected


def test_no_prompts_give_no_answers(tiny_loaded: Load) -> None:
    assert greedy_answers(tiny_loaded("llama"), [], finished=never, max_new_tokens=3) == []


def test_prompts_longer_than_the_model_reads_are_refused(tiny_loaded: Load) -> None:
    with pytest.raises(InputError, match=r"tokens, and .* reads 1,024 at most"):
        greedy_answers(tiny_loaded("gpt2"), ["x", "x y z w " * 400], finished=never, max_new_tokens=8)


def test_finished_rows_leave_the_batch(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    rows: list[int] = []

    def count(_module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        rows.append(len(inputs[0]))

    def finished(so_far: str) -> bool:
        return len(so_far) >= 6

    handle = model.model.get_input_embeddings().register_forward_pre_hook(count)
    greedy_answers(model, PROMPTS, finished=finished, max_new_tokens=12)
    handle.remove()
    lengths = [len(naive(model, prompt, 12, finished)) for prompt in PROMPTS]
    assert len(rows) == max(lengths)
    assert rows[0] == len(PROMPTS)
    for step, fed in enumerate(rows[1:], 1):
        open_rows = sum(length > step for length in lengths)
        assert open_rows <= fed <= max(open_rows / 0.8, open_rows)
