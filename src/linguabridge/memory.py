"""Batches that an accelerator's memory does not hold: halved, and tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Protocol, Self, TypeVar

import torch

from linguabridge.errors import ModelError


class Batch(Protocol):
    """What has a length and can be cut: a list of numbers, or rows of tokens."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, rows: slice, /) -> Self:
        """Some of the rows."""


B = TypeVar("B", bound=Batch)


def in_halves(batch: B, run: Callable[[B], None]) -> None:
    """Run a batch; where memory runs out, one half after the other instead, and halves of these if need be.

    Args:
        batch: at least one row.
        run: must leave no traces where it fails.

    Raises:
        ModelError: memory does not hold one row beside the model.
    """
    try:
        run(batch)
    except torch.OutOfMemoryError as error:
        if len(batch) < 2:
            raise ModelError(
                "The accelerator's memory does not hold a single text beside the model: use --device map, which puts "
                "layers elsewhere, --dtype bfloat16, or shorter texts."
            ) from error
    else:
        return
    # Out of the clause above: its error holds on to what filled the memory.
    _say()
    torch.cuda.empty_cache()
    half = len(batch) // 2
    in_halves(batch[:half], run)
    in_halves(batch[half:], run)


@cache
def _say() -> None:
    logging.getLogger(__name__).warning(
        "The accelerator's memory did not hold a batch: such batches run in halves, which takes longer."
    )
