"""Arithmetic that a model needs, counted from the very tokens, and what this machine gives in matrix products.

Counted for likelihoods, for each prompt with its options, a multiplication and an addition being two operations:

- tokens run: what all options of the prompt begin with (the prompt itself) once, then of each option the rest, without
  its last token, which nothing follows;
- body: 2 × parameters of the layers (embedding and projection left out) × tokens run;
- attention: 4 × heads × width of a head × tokens attended to, for each token run in each layer (scores, then values); a
  layer with a sliding window attends to that many at most;
- projection: 2 × hidden width × vocabulary × scored positions: the last of what the options share, once, and those that
  the later tokens of each option follow.

Nothing is counted for norms, activation functions, softmax, caches, padding, or what is run twice, so the share of the
machine's rate that comes out is a lower bound of how busy it was. Common beginnings of several prompts count in each.

Counted for a forward pass over batches of text: body and attention likewise, of all tokens but padding; no projection.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

from bench.timing import timed
from linguabridge.batches import Batch
from linguabridge.model import LanguageModel
from linguabridge.taps import input_embedding

_ROWS = 512  # positions in a product: what likelihood.py holds of a vocabulary of 262k


@dataclass(frozen=True)
class Counted:
    """Operations, by part."""

    tokens: int
    positions: int
    body: float
    attention: float
    projection: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.body + self.attention + self.projection


@dataclass(frozen=True)
class Rates:
    """Operations per second of matrix products of the model's sizes, in its type."""

    body: float
    projection: float

    def seconds(self, counted: Counted) -> float:
        """How long the counted operations would take, were they nothing but such products."""
        return (counted.body + counted.attention) / self.body + counted.projection / self.projection


def count(model: LanguageModel, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> Counted:
    """Operations needed for the likelihoods of options after their prompts."""
    config = model.model.config.get_text_config(decoder=True)
    tokens = positions = 0
    attention = 0.0
    for prompt, some in zip(prompts, options, strict=True):
        encoded = [model.encode(prompt + option) for option in some]
        stem = min(_shared(encoded), min(map(len, encoded)) - 1)
        places = [*range(stem), *(place for one in encoded for place in range(stem, len(one) - 1))]
        tokens += len(places)
        positions += 1 + len(places) - stem
        attention += _attention(config, places)
    return Counted(
        tokens,
        positions,
        body=body_operations(model, tokens),
        attention=attention,
        projection=projection_operations(model, positions),
    )


def count_read(model: LanguageModel, batches: Iterable[Batch]) -> Counted:
    """Operations needed for forward passes over text, without the projection.

    Args:
        model: the model.
        batches: made so that ``real`` leaves out padding alone.
    """
    config = model.model.config.get_text_config(decoder=True)
    lengths = [int(length) for batch in batches for length in batch.real.sum(1)]
    attention = sum(_attention(config, range(length)) for length in lengths)
    return Counted(sum(lengths), 0, body_operations(model, sum(lengths)), attention, 0.0)


def body_operations(model: LanguageModel, tokens: float) -> float:
    """Operations of the layers' matrices for so many tokens."""
    return 2.0 * _body_parameters(model) * tokens


def projection_operations(model: LanguageModel, positions: int) -> float:
    """Operations of the vocabulary projection at so many positions."""
    config = model.model.config.get_text_config(decoder=True)
    return 2.0 * int(config.hidden_size) * int(config.vocab_size) * positions


def _attention(config: Any, places: Iterable[int]) -> float:
    """Operations of attention for tokens at these places of their sequence."""
    windows = _windows(config)
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attended = sum(min(place + 1, window) for place in places for window in windows)
    return 4.0 * int(config.num_attention_heads) * int(width) * attended


def _shared(sequences: Sequence[Sequence[int]]) -> int:
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*sequences, strict=False)))


def machine(model: LanguageModel) -> Rates:
    """Measure the machine: the products of a feed-forward layer, and of the vocabulary projection."""
    config = model.model.config.get_text_config(decoder=True)
    hidden, inner, vocabulary = config.hidden_size, config.intermediate_size, config.vocab_size
    rows = torch.randn(_ROWS, hidden, dtype=model.dtype, device=model.device)
    return Rates(
        body=_rate(rows, torch.randn(inner, hidden, dtype=model.dtype, device=model.device), 30),
        projection=_rate(rows, torch.randn(vocabulary, hidden, dtype=model.dtype, device=model.device), 1),
    )


def products(model: LanguageModel, rows: int) -> tuple[Callable[[], None], float]:
    """The matrix products of a forward pass and nothing else: each of the layers' own matrices, times random rows.

    Args:
        model: the model.
        rows: tokens that such a pass would hold.

    Returns:
        Work to be timed, and its operations.
    """
    embedding = input_embedding(model.model)
    weights = [one for one in model.model.base_model.parameters() if one.ndim == 2 and one is not embedding]
    kind: dict[str, Any] = {"dtype": model.dtype, "device": model.device}
    inputs = {width: torch.randn(rows, width, **kind) for width in {one.shape[1] for one in weights}}
    outputs = {width: torch.empty(rows, width, **kind) for width in {one.shape[0] for one in weights}}

    def work() -> None:
        with torch.inference_mode():
            for one in weights:
                torch.matmul(inputs[one.shape[1]], one.T, out=outputs[one.shape[0]])
            if model.device.type == "cuda":
                torch.cuda.synchronize()

    return work, 2.0 * rows * sum(one.numel() for one in weights)


def _rate(rows: torch.Tensor, weight: torch.Tensor, repeats: int) -> float:
    out = torch.empty(len(rows), len(weight), dtype=rows.dtype, device=rows.device)

    def product() -> None:
        for _ in range(repeats):
            torch.matmul(rows, weight.T, out=out)
        if rows.device.type == "cuda":
            torch.cuda.synchronize()

    with torch.inference_mode():
        product()
        return 2 * rows.numel() * len(weight) * repeats / statistics.median(timed(product) for _ in range(3))


def _windows(config: Any) -> list[float]:
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    return [config.sliding_window if kind == "sliding_attention" else float("inf") for kind in kinds]


def _body_parameters(model: LanguageModel) -> int:
    embedding = input_embedding(model.model)
    return sum(one.numel() for one in model.model.base_model.parameters() if one is not embedding)
