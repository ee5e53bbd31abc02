"""Greedy answers to many prompts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from linguabridge.model import LanguageModel

_PROMPTS = 128  # generate has much overhead a call, so many prompts share one…
_TOKENS = 2**15  # …as long as their keys and values, new tokens included, take no more room than these


class _AllDone(StoppingCriteria):
    """Stops a row when what it has generated is a finished answer."""

    def __init__(
        self, model: LanguageModel, start: int, finished: Callable[[str], bool], advance: Callable[[float], None]
    ) -> None:
        self.model, self.start, self.finished, self.advance = model, start, finished, advance
        self.done: Tensor | None = None
        self.told = 0

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:  # noqa: ARG002 - transformers' signature
        if self.done is None:
            self.done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        open_rows = torch.nonzero(~self.done).flatten().tolist()
        texts = self.model.tokenizer.batch_decode(input_ids[open_rows, self.start :])
        for row, text in zip(open_rows, texts, strict=True):
            self.done[row] = self.finished(text)
        self.tell(len(input_ids) - len(open_rows))
        return self.done

    def tell(self, done: int) -> None:
        """Tell how many more rows are done, so that a long batch shows how far it is."""
        if done > self.told:
            self.advance(done - self.told)
            self.told = done


@contextmanager
def _only(model: LanguageModel, settings: GenerationConfig) -> Iterator[None]:
    """Generate by these settings alone: else transformers fills in the model's own (a repetition penalty, say)."""
    own = model.model.generation_config
    model.model.generation_config = settings
    try:
        yield
    finally:
        model.model.generation_config = own


def greedy_answers(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    finished: Callable[[str], bool],
    max_new_tokens: int,
    advance: Callable[[float], None] = lambda _: None,
) -> list[str]:
    """What the model writes after each prompt, greedily, until ``finished`` says so or the tokens run out.

    Args:
        model: the model.
        prompts: n prompts.
        finished: told the text generated so far; true when nothing more is needed.
        max_new_tokens: at most so many tokens.
        advance: told the number of prompts done, as they are.

    Returns:
        n texts, special tokens left out.

    Raises:
        InputError: a prompt and its answer are longer than the model reads.
    """
    answers = [""] * len(prompts)
    tokenizer = model.tokenizer
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (tokenizer.eos_token_id or 0)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        do_sample=False,
        pad_token_id=padding,
        eos_token_id=model.model.generation_config.eos_token_id,
        bos_token_id=model.model.generation_config.bos_token_id,
    )
    everything = [model.encode(prompt) for prompt in prompts]
    model.check_fits(max(map(len, everything), default=0) + max_new_tokens)
    order = sorted(range(len(prompts)), key=lambda number: len(everything[number]))
    for part in _parts(order, [len(e) + max_new_tokens for e in everything]):
        encoded = [everything[number] for number in part]
        width = max(map(len, encoded))
        ids = torch.tensor([[padding] * (width - len(e)) + e for e in encoded], device=model.device)
        mask = torch.tensor([[0] * (width - len(e)) + [1] * len(e) for e in encoded], device=model.device)
        stop = _AllDone(model, width, finished, advance)
        with torch.inference_mode(), _only(model, settings):
            output = model.model.generate(  # type: ignore[operator]
                input_ids=ids,
                attention_mask=mask,
                generation_config=settings,
                stopping_criteria=StoppingCriteriaList([stop]),
            )
        texts = tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)
        for number, text in zip(part, texts, strict=True):
            answers[number] = text
        stop.tell(len(part))
    return answers


def _parts(order: list[int], sizes: list[int]) -> Iterator[list[int]]:
    """Cut a list, shortest first, so that rows × the longest stays in bounds; a part has at least one."""
    part: list[int] = []
    for number in order:
        if part and (len(part) == _PROMPTS or (len(part) + 1) * sizes[number] > _TOKENS):
            yield part
            part = []
        part.append(number)
    if part:
        yield part
