"""Bytes that a model's matrix products must move, and how fast this machine copies.

Counted are the products of the layers' own matrices, and of the vocabulary projection where it runs: of each the
weights once per batch, and for each token what goes in and what comes out, each in the model's type. Not counted are
attention's own products, norms, activation functions, caches and padding, nor that a matrix too large for the
processor's cache may come from memory more than once: a lower bound, as that of operations is (bench/flops.py).
Matrices of experts, stacked as they are, are left out.

A copy reads and writes each byte once; both count. What lies in a processor's cache moves faster than that.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import torch

from bench.timing import timed
from linguabridge.batches import Batch
from linguabridge.model import LanguageModel
from linguabridge.taps import input_embedding

_COPIED = 2**28  # bytes; more than a processor's cache holds


def moved(
    model: LanguageModel, tokens: float, passes: float, positions: float = 0.0, projections: float = 0.0
) -> float:
    """Bytes that products must move.

    Args:
        model: the model.
        tokens: that run through its layers.
        passes: batches that they come in.
        positions: that the vocabulary projection runs at.
        projections: batches that these come in.
    """
    embedding = input_embedding(model.model)
    weights = [one for one in model.model.base_model.parameters() if one.ndim == 2 and one is not embedding]
    body = passes * sum(one.numel() for one in weights) + tokens * sum(sum(one.shape) for one in weights)
    config = model.model.config.get_text_config(decoder=True)
    hidden, vocabulary = int(config.hidden_size), int(config.vocab_size)
    projection = projections * hidden * vocabulary + positions * (hidden + vocabulary)
    return float((body + projection) * model.dtype.itemsize)


def moved_read(model: LanguageModel, batches: Iterable[Batch]) -> float:
    """Bytes that forward passes over text must move, without the projection; ``real`` leaves out padding alone."""
    sizes = [int(batch.real.sum()) for batch in batches]
    return moved(model, sum(sizes), len(sizes))


def copied_per_s(device: torch.device) -> float:
    """Bytes a second, read and written, of a plain copy on a device; the median of five after one to warm up."""
    source = torch.ones(_COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def work() -> None:
        target.copy_(source)
        if device.type == "cuda":
            torch.cuda.synchronize()

    work()
    return 2 * _COPIED / statistics.median(timed(work) for _ in range(5))
