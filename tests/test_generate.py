"""Greedy answers against an argmax loop, one prompt at a time, without a cache or padding."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest
import torch

import tiny
from linguabridge import generate
from linguabridge.cache import Cache
from linguabridge.errors import InputError
from linguabridge.generate import greedy_answers
from linguabridge.model import LanguageModel, ModelOptions, load_model
from linguabridge.model_files import find_model

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


SHOTS = "".join(f'English:"{a}"→Kiswahili:"{b}"\n' for a, b in [("water", "maji"), ("cat", "paka"), ("sun", "jua")])
SHOT_PROMPTS = [
    f'{SHOTS}English:"{word}"→' for word in ("a", "the dog in the garden", "Katze", "القطة", "water and sun")
]


@contextmanager
def tokens_run(model: LanguageModel) -> Iterator[list[tuple[int, int]]]:
    """Rows and tokens of each pass."""
    passes: list[tuple[int, int]] = []
    handle = model.model.get_input_embeddings().register_forward_pre_hook(
        lambda _, inputs: passes.append(tuple(inputs[0].shape))
    )
    yield passes
    handle.remove()


def common(model: LanguageModel, prompts: list[str]) -> int:
    each = zip(*(model.encode(prompt) for prompt in prompts), strict=False)
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, each))


@pytest.mark.parametrize("family", [*tiny.FAMILIES, *tiny.MORE])
def test_what_prompts_begin_with_runs_once(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    eos = model.model.generation_config.eos_token_id
    with tokens_run(model) as passes:
        found = greedy_answers(model, SHOT_PROMPTS, finished=never, max_new_tokens=8)
    assert found == [text(model, naive(model, prompt, 8, eos=eos)) for prompt in SHOT_PROMPTS]
    assert len(set(found)) > 1
    longest = max(len(model.encode(prompt)) for prompt in SHOT_PROMPTS)
    shared, rows = common(model, SHOT_PROMPTS), len(SHOT_PROMPTS)
    assert shared > 32
    if getattr(model.model.config, "sliding_window", None):  # 6 tokens, which padding in the middle would shift
        assert passes[0] == (rows, longest)
    else:
        assert passes[:2] == [(1, shared), (rows, longest - shared)]


@pytest.mark.parametrize("family", ["gemma2", "gemma3", "mistral", "cohere2"])
def test_windows_that_hold_all_of_a_row_share_too(family: str, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / family, family, sliding_window=256)
    model = load_model(find_model(str(folder), Cache(tmp_path)), ModelOptions("cpu", "float32"))
    with tokens_run(model) as passes:
        found = greedy_answers(model, SHOT_PROMPTS, finished=never, max_new_tokens=8)
    assert passes[0] == (1, common(model, SHOT_PROMPTS))
    eos = model.model.generation_config.eos_token_id
    assert found == [text(model, naive(model, prompt, 8, eos=eos)) for prompt in SHOT_PROMPTS]
    with tokens_run(model) as passes:
        greedy_answers(model, SHOT_PROMPTS, finished=lambda _: True, max_new_tokens=200)  # it may outgrow the window
    assert len(passes) == 1


def test_batches_share_one_beginning(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_loaded("llama")
    expected = greedy_answers(model, SHOT_PROMPTS, finished=never, max_new_tokens=5)
    monkeypatch.setattr(generate, "_PROMPTS", 2)
    with tokens_run(model) as passes:
        assert greedy_answers(model, SHOT_PROMPTS, finished=never, max_new_tokens=5) == expected
    assert [one for one in passes if one[1] > 32] == [(1, common(model, SHOT_PROMPTS))]


def test_a_model_that_is_not_told_positions_shares_nothing(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    unknown = dataclasses.replace(model)
    vars(unknown)["takes"] = frozenset({"input_ids", "attention_mask"})
    with tokens_run(unknown) as passes:
        greedy_answers(unknown, SHOT_PROMPTS, finished=lambda _: True, max_new_tokens=5)
    assert passes == [(len(SHOT_PROMPTS), max(len(model.encode(prompt)) for prompt in SHOT_PROMPTS))]


@pytest.mark.parametrize(
    "prompts", [[SHOTS], [SHOTS] * 3, [SHOTS, SHOTS + "a"]], ids=["one", "same", "begins the other"]
)
def test_each_prompt_keeps_a_token_of_its_own(tiny_loaded: Load, prompts: list[str]) -> None:
    model = tiny_loaded("llama")
    eos = model.model.generation_config.eos_token_id
    found = greedy_answers(model, prompts, finished=never, max_new_tokens=5)
    assert found == [text(model, naive(model, prompt, 5, eos=eos)) for prompt in prompts]
