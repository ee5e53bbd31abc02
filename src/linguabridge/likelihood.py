"""How likely a model finds each of several answers to a prompt.

The likelihood of an option is the sum of the log-probabilities of its tokens and of its terminator. The prompt runs
once and its key/value cache serves all its options; the vocabulary projection runs at scored positions only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linguabridge.errors import InputError, ModelError
from linguabridge.model import LanguageModel

_LOGITS = 2**27  # held at once: 0.5 GB in float32, 512 positions of a vocabulary of 262k


_CACHED = 2**14  # tokens whose keys and values are held at once, about: 16 scored positions share a cached prompt


def option_log_probabilities(
    model: LanguageModel,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    advance: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Log-likelihood of every option after its prompt, up to a constant per prompt.

    Prompt and option are encoded together, as the model would see them written. Tokens that all options of a prompt
    share (the prompt, and what it merges with) are scored in none of them, so values compare within a prompt only, and
    do so also where a token spans the border of prompt and option.

    Args:
        model: the model.
        prompts: n prompts.
        options: for each prompt the same number k >= 2 of answers, terminators included.
        advance: told the number of prompts done after each batch.

    Returns:
        Array of shape (n, k), natural logarithms.

    Raises:
        InputError: not every prompt has the same number of options, at least two.
        ModelError: likelihoods are not finite.
    """
    sizes = {len(some) for some in options}
    if len(options) != len(prompts) or len(sizes) > 1 or sizes & {0, 1}:
        raise InputError("Every prompt needs the same number of options, at least two.")
    if not prompts:
        return np.zeros((0, 0))
    k = sizes.pop()
    encoded = [[model.encode(p + option) for option in some] for p, some in zip(prompts, options, strict=True)]
    shared = [_common_prefix(some) for some in encoded]
    # Prompts of one length run together, so that no row is padded on its left and no architecture needs to cope.
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, length in enumerate(shared):
        by_length[length].append(number)
    out = np.zeros((len(prompts), k))
    with torch.inference_mode(), _projection(model) as project:
        budget = _LOGITS // model.model.config.get_text_config(decoder=True).vocab_size
        for length, numbers in sorted(by_length.items()):
            # The cache of key and value holds the prompt once for each option: long prompts go in smaller parts.
            room = min(budget, max(1, _CACHED // length))
            for part in _packed(numbers, [sum(len(o) - length for o in encoded[n]) for n in numbers], room):
                out[part] = _score(model, project, [encoded[number] for number in part], length)
                advance(len(part))
    if not np.isfinite(out).all():
        raise ModelError(f"{model.name} gives likelihoods that are not finite (NaN or infinity); try --dtype float32.")
    return out


def _packed(numbers: list[int], sizes: list[int], budget: int) -> Iterator[list[int]]:
    """Cut a list in parts whose sizes sum to at most the budget, or that hold one number."""
    part: list[int] = []
    held = 0
    for number, size in zip(numbers, sizes, strict=True):
        if part and held + size > budget:
            yield part
            part, held = [], 0
        part.append(number)
        held += size
    if part:
        yield part


def _common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Length of what all sequences begin with, always shorter than the shortest of them."""
    length = 0
    for tokens in zip(*sequences, strict=False):
        if len(set(tokens)) > 1:
            break
        length += 1
    # Identical options, or one that is the beginning of another, keep a last token to be scored.
    length = min(length, min(map(len, sequences)) - 1)
    if length < 1:
        raise ModelError("A prompt must encode to at least one token before its options; this tokenizer gives none.")
    return length


@dataclass
class _Projection:
    """Runs the model so that its vocabulary projection sees chosen positions only.

    The positions are picked on the way into the output embedding; what a family does after it (soft caps, scales) is
    done by the family's own code.
    """

    model: LanguageModel
    positions: Tensor | None = None

    def __call__(self, ids: Tensor, positions: Tensor, **arguments: object) -> tuple[Tensor, object]:
        """Logits of shape (positions, vocabulary) at flat positions into (row, token), and the key/value cache."""
        self.positions = positions
        output = self.model.model(input_ids=ids, use_cache=True, **arguments)
        return output.logits[0], output.past_key_values

    def pick(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Hook before the output embedding: keep the chosen positions."""
        assert self.positions is not None
        hidden = inputs[0]
        return (hidden.reshape(-1, hidden.shape[-1]).index_select(0, self.positions)[None], *inputs[1:])


@contextmanager
def _projection(model: LanguageModel) -> Iterator[_Projection]:
    head = model.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is None:
        raise ModelError(f"{model.name} has no vocabulary projection; likelihoods need a causal language model.")
    projection = _Projection(model)
    handle = head.register_forward_pre_hook(projection.pick)
    try:
        yield projection
    finally:
        handle.remove()


def _score(
    model: LanguageModel, project: _Projection, items: list[list[list[int]]], length: int
) -> NDArray[np.float64]:
    """Scores of items whose options share their first ``length`` tokens; shape (items, options)."""
    k = len(items[0])
    device = model.device
    prefix = torch.tensor([some[0][:length] for some in items], device=device)
    last = torch.arange(len(items), device=device) * length + length - 1
    logits, cache = project(prefix, last)
    tails = [option[length:] for some in items for option in some]
    first = torch.tensor([tail[0] for tail in tails], device=device).view(len(items), k)
    logits = logits.float()
    total = (logits.gather(1, first) - logits.logsumexp(1, keepdim=True)).double().flatten()
    width = max(len(tail) for tail in tails) - 1
    if width:
        cache.batch_repeat_interleave(k)  # type: ignore[attr-defined]
        ids = torch.tensor([tail[:-1] + [0] * (width + 1 - len(tail)) for tail in tails], device=device)
        rows = torch.tensor([row for row, tail in enumerate(tails) for _ in tail[1:]], device=device)
        at = torch.tensor(
            [row * width + i for row, tail in enumerate(tails) for i in range(len(tail) - 1)], device=device
        )
        targets = torch.tensor([token for tail in tails for token in tail[1:]], device=device)
        logits, _ = project(ids, at, past_key_values=cache)
        logits = logits.float()
        values = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)
        total.index_add_(0, rows, values.double())
    return total.view(len(items), k).cpu().numpy()
