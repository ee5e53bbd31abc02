"""Batches that memory does not hold: halved, and tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Generic, Protocol, Self, TypeVar

import torch

from linguabridge.errors import ModelError

SAID = "The memory did not hold a batch: such batches run in halves, which takes longer."
# How torch says that the machine's own memory is full; there is no class of errors for it.
_FULL = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")


class Batch(Protocol):
    """What has a length and can be cut: a list of numbers, or rows of tokens."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, rows: slice, /) -> Self:
        """Some of the rows."""


B = TypeVar("B", bound=Batch)
R = TypeVar("R")


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory is full, an accelerator's or the machine's."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(one in str(error) for one in _FULL)


class Halving(Generic[B]):
    """Runs batches, and one half after the other of those that memory does not hold, and halves of these if need be.

    It learns: once a batch did not fit, later ones of its size or more are cut without being tried.

    Args:
        size: of a batch, to which the memory that it takes is about proportional.
    """

    def __init__(self, size: Callable[[B], float] = len) -> None:
        self._size = size
        self._too_much = float("inf")

    def run(self, batch: B, run: Callable[[B], None]) -> None:
        """Run a batch, whole or in parts, in order.

        Args:
            batch: at least one row.
            run: must leave no traces where it fails.

        Raises:
            ModelError: memory does not hold one row beside the model.
        """
        if len(batch) < 2 or self._size(batch) < self._too_much:
            try:
                run(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_full(error):
                    raise
                if len(batch) < 2:
                    raise ModelError(_way_out(error)) from error
            else:
                return
            # Out of the clause above: its error holds on to what filled the memory.
            self._too_much = min(self._too_much, self._size(batch))
            say_once()
            free()
        half = len(batch) // 2
        self.run(batch[:half], run)
        self.run(batch[half:], run)


def unless_full(compute: Callable[[], R]) -> R | None:
    """What something gives; None where memory does not hold it."""
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if not is_full(error):
            raise
    # Out of the clause above: its error holds on to what filled the memory.
    say_once()
    free()
    return None


def free() -> None:
    """Give back what torch holds for later on GPUs."""
    torch.cuda.empty_cache()


@cache
def say_once() -> None:
    """Log that batches are halved, the first time in this process."""
    logging.getLogger(__name__).warning(SAID)


def was_full() -> bool:
    """Whether memory did not hold a batch in this process."""
    return say_once.cache_info().currsize > 0


def _way_out(error: BaseException) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "The accelerator's memory does not hold a single text beside the model: use --device map, which puts "
            "layers elsewhere, --dtype bfloat16, or shorter texts."
        )
    return (
        "The machine's memory does not hold a single text beside the model: close other programs, or use shorter texts "
        "or a smaller model."
    )
