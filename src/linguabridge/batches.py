"""Token sequences in batches of bounded size, neighbours in length together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TOKENS_PER_BATCH = 512  # on a CPU: what a layer computes then stays in its cache; an accelerator takes more
TOKENS_PER_BATCH_ACCELERATOR = 16_384
_WINDOW = 128  # batches sorted by length at a time, so that text of any size streams through


@dataclass(frozen=True)
class Batch:
    """Sequences padded on the right to one length.

    A causal model's values at real tokens do not depend on what follows, so no attention mask is needed; ``real`` keeps
    padding out of every count.
    """

    rows: tuple[int, ...]  # each row's number in the order the sequences came in
    ids: Tensor  # (rows, length), int64
    real: Tensor  # (rows, length), bool: neither padding nor left out by the caller

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.rows)

    def __getitem__(self, rows: slice) -> Batch:
        """Some of the sequences, at the same length."""
        return Batch(self.rows[rows], self.ids[rows], self.real[rows])


def tokens_in(batch: Batch) -> int:
    """Tokens of a batch, padding included."""
    return batch.ids.numel()


def token_budget(device: torch.device) -> int:
    """Padded tokens a batch may hold."""
    return TOKENS_PER_BATCH if device.type == "cpu" else TOKENS_PER_BATCH_ACCELERATOR


def window(device: torch.device) -> int:
    """Tokens that are sorted by length at a time: the least that a share of a text can be."""
    return _WINDOW * token_budget(device)


def batches(
    sequences: Iterable[Sequence[int]],
    budget: int,
    device: torch.device,
    skip: frozenset[int] = frozenset(),
    *,
    part: int = 0,
    parts: int = 1,
) -> Iterator[Batch]:
    """Yield the sequences in batches.

    Args:
        sequences: token numbers, each sequence shorter than the budget or alone in its batch; read as a stream.
        budget: padded tokens a batch may hold.
        device: where the tensors go.
        skip: token numbers that do not count as real (special tokens).
        part: which of ``parts`` shares of all batches to yield, from 0. Each batch is in exactly one share, and is the
            same batch as without shares.
        parts: number of shares.
    """
    here: list[tuple[int, Sequence[int]]] = []
    held = n_windows = 0
    for number, ids in enumerate(sequences):
        if not ids:
            continue
        here.append((number, ids))
        held += len(ids)
        if held >= _WINDOW * budget:
            if n_windows % parts == part:
                yield from _by_length(here, budget, device, skip)
            here, held = [], 0
            n_windows += 1
    if n_windows % parts == part:
        yield from _by_length(here, budget, device, skip)


def _by_length(
    window: list[tuple[int, Sequence[int]]], budget: int, device: torch.device, skip: frozenset[int]
) -> Iterator[Batch]:
    window.sort(key=lambda item: (-len(item[1]), item[0]))  # longest first: out of memory shows at once
    start = 0
    while start < len(window):
        length = len(window[start][1])
        part = window[start : start + max(1, budget // length)]
        start += len(part)
        ids = torch.zeros(len(part), length, dtype=torch.int64)
        real = torch.zeros(len(part), length, dtype=torch.bool)
        for row, (_, sequence) in enumerate(part):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            real[row, : len(sequence)] = torch.tensor([token not in skip for token in sequence])
        yield Batch(tuple(number for number, _ in part), ids.to(device), real.to(device))
