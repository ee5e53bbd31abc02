"""Greedy answers to many prompts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from linguabridge.beginnings import Beginning, beginning
from linguabridge.memory import Halving
from linguabridge.model import LanguageModel

_PROMPTS = 128  # a pass through the model costs much besides its products, so many prompts share one…
_TOKENS = 2**15  # …as long as their keys and values, new tokens included, take no more room than these
_DROPPED = 0.8  # rows go on in a smaller batch when fewer than this share of them is unfinished


def greedy_answers(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    finished: Callable[[str], bool],
    max_new_tokens: int,
    advance: Callable[[float], None] = lambda _: None,
) -> list[str]:
    """What the model writes after each prompt, greedily, until ``finished`` says so or the tokens run out.

    What all prompts begin with, such as demonstrations, runs once (:func:`linguabridge.beginnings.beginning`).

    A loop of our own and not transformers' ``generate``: finished rows leave the batch, which in a batch of texts, of
    which some never end, saves more than half of the work, and no setting that comes with a model (a repetition
    penalty, say) changes an answer.

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
    everything = [model.encode(prompt) for prompt in prompts]
    model.check_fits(max(map(len, everything), default=0) + max_new_tokens)
    order = sorted(range(len(prompts)), key=lambda number: len(everything[number]))

    def answer(part: list[int]) -> None:
        batch = _Batch(model, [everything[number] for number in part], start)
        counted = 0.0

        def count(done: float) -> None:
            nonlocal counted
            counted += done
            advance(done)

        try:
            new = batch.run(finished, max_new_tokens, count)
        except Exception:
            if counted:
                advance(-counted)  # what runs again in halves counts once
            raise
        texts = model.tokenizer.batch_decode(new, skip_special_tokens=True)
        for number, text in zip(part, texts, strict=True):
            answers[number] = text

    halving = Halving[list[int]](lambda part: len(part) * (len(everything[part[-1]]) + max_new_tokens))
    with torch.inference_mode():
        start = beginning(model, everything, max_new_tokens)
        for part in _parts(order, [len(e) + max_new_tokens for e in everything]):
            halving.run(part, answer)
    return answers


class _Batch:
    """Prompts that are answered together, padded on the left, or after what they begin with if that has run."""

    def __init__(self, model: LanguageModel, encoded: Sequence[list[int]], start: Beginning | None) -> None:
        self.model = model
        done = start.tokens if start else 0
        encoded = [e[done:] for e in encoded]
        width = max(map(len, encoded))
        padding = model.tokenizer.pad_token_id or 0  # masked, so any token does
        self.ids = torch.tensor([[padding] * (width - len(e)) + e for e in encoded], device=model.device)
        self.mask = torch.tensor(
            [[1] * done + [0] * (width - len(e)) + [1] * len(e) for e in encoded], device=model.device
        )
        self.cache: Any = start.repeated(len(encoded)) if start else None
        ends = model.model.generation_config.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends])

    def run(
        self, finished: Callable[[str], bool], max_new_tokens: int, advance: Callable[[float], None]
    ) -> list[list[int]]:
        """New tokens of each prompt, until its answer is finished."""
        new: list[list[int]] = [[] for _ in self.ids]
        rows = list(range(len(new)))  # which prompt each row of the batch belongs to
        open_rows = set(rows)
        for _ in range(max_new_tokens):
            tokens = self._step()
            alive = [row for row in rows if row in open_rows]
            for row, token in zip(rows, tokens.tolist(), strict=True):
                if row in open_rows:
                    new[row].append(token)
            texts = self.model.tokenizer.batch_decode([new[row] for row in alive])
            done = [row for row, text in zip(alive, texts, strict=True) if new[row][-1] in self.ends or finished(text)]
            open_rows.difference_update(done)
            if done:
                advance(len(done))
            if not open_rows:
                break
            self.ids = tokens[:, None]
            if len(open_rows) < _DROPPED * len(rows):
                self._keep([place for place, row in enumerate(rows) if row in open_rows])
                rows = [row for row in rows if row in open_rows]
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        if open_rows:
            advance(len(open_rows))
        return new

    def _step(self) -> Tensor:
        """The likeliest next token of each row."""
        arguments: dict[str, Any] = {}
        if "position_ids" in self.model.takes:
            places = (self.mask.cumsum(1) - 1).clamp(min=0)
            arguments["position_ids"] = places[:, -self.ids.shape[1] :]
        if "logits_to_keep" in self.model.takes:
            arguments["logits_to_keep"] = 1  # the vocabulary projection runs at the last position alone
        output = self.model.model(
            input_ids=self.ids, attention_mask=self.mask, past_key_values=self.cache, use_cache=True, **arguments
        )
        self.cache = output.past_key_values
        logits: Tensor = output.logits[:, -1]
        return logits.argmax(-1)

    def _keep(self, places: list[int]) -> None:
        """Go on with some of the rows only."""
        chosen = torch.tensor(places)  # on the CPU: layers may lie on several devices
        self.cache.batch_select_indices(chosen)
        self.ids, self.mask = self.ids[chosen], self.mask[chosen]


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
