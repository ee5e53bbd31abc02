"""Forward passes that read neurons: activation statistics over text. Prompts are read in ``probing.py``.

Text streams: what a batch gives is reduced on its device before the next one runs, so memory does not grow with the
text. The vocabulary projection never runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linguabridge.batches import Batch, batches, token_budget, tokens_in
from linguabridge.errors import InputError, ModelError
from linguabridge.memory import Halving
from linguabridge.model import LanguageModel
from linguabridge.profile import NO_TOKENS, BlockedProfile, LanguageProfile, check_read
from linguabridge.taps import Part, record
from linguabridge.texts import MAX_LENGTH

LONGEST_LINE = 20_000  # characters encoded at once; a tokenizer needs some hundred bytes for each


def piece_length(model: LanguageModel, front: int) -> int:
    """Number of tokens of a line that are read at once, after those that the tokenizer puts at the front."""
    return MAX_LENGTH if model.window is None else max(1, min(MAX_LENGTH, model.window - front))


def sequences(model: LanguageModel, lines: Iterable[str], max_tokens: int | None) -> Iterator[list[int]]:
    """Encode lines of text until ``max_tokens`` tokens that are not special have come; long lines are cut in pieces."""
    left = float("inf") if max_tokens is None else max_tokens
    pieces = (line[at : at + LONGEST_LINE] for line in lines for at in range(0, len(line), LONGEST_LINE))
    for line in pieces:
        if left <= 0:
            return
        ids = model.encode(line)
        # Special tokens at the front (BOS) are repeated for every piece: the model has learned to see them there.
        front = next((i for i, token in enumerate(ids) if token not in model.special_ids), len(ids))
        length = piece_length(model, front)
        for start in range(front, len(ids), length):
            piece = ids[start : start + length]
            real = 0
            for end, token in enumerate(piece):
                if real >= left:
                    piece = piece[:end]
                    break
                real += token not in model.special_ids
            left -= real
            if real:
                yield ids[:front] + piece


def profile_text(
    model: LanguageModel,
    lines: Iterable[str],
    *,
    max_tokens: int | None = None,
    count_special: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> LanguageProfile:
    """Activation statistics of a text.

    Args:
        model: the model.
        lines: the text; each line is a document of its own. Read as a stream.
        max_tokens: stop after so many tokens (special tokens do not use up this number).
        count_special: count special tokens too, as the reference does.
        advance: told the number of tokens done after each batch.

    Returns:
        Counts and sums of every neuron.

    Raises:
        InputError: the text has no tokens.
        ModelError: activations are not finite.
    """
    found = profile_part(model, lines, max_tokens=max_tokens, count_special=count_special, advance=advance)
    check_read(found)
    return found


def profile_part(
    model: LanguageModel,
    lines: Iterable[str],
    *,
    max_tokens: int | None = None,
    count_special: bool = False,
    part: int = 0,
    parts: int = 1,
    advance: Callable[[float], None] = lambda _: None,
) -> LanguageProfile:
    """Activation statistics of a share of a text, which may be empty; those of all shares add up to the text's.

    All of the text is encoded, and the share's batches are run: the same ones as without shares, so that the counts of
    all of them add up to the very same.

    Args:
        model: the model.
        lines: the whole text, as in :func:`profile_text`.
        max_tokens: of the whole text.
        count_special: as in :func:`profile_text`.
        part: number of the share, from 0.
        parts: how many shares there are.
        advance: told the number of tokens done after each batch.

    Raises:
        ModelError: activations are not finite.
    """
    skip = frozenset() if count_special else model.special_ids
    encoded = sequences(model, lines, max_tokens)
    found = _statistics(model, encoded, None, 1, skip, advance, part=part, parts=parts)
    routed = None if found.routed is None else found.routed[0]
    return LanguageProfile(model.space, found.positive[0], found.total[0], int(found.tokens[0]), routed)


def profile_blocks(
    model: LanguageModel,
    lines: Iterable[str],
    *,
    max_tokens: int,
    blocks: int,
    shuffle: int | None = None,
    advance: Callable[[float], None] = lambda _: None,
) -> BlockedProfile:
    """Activation statistics of a text, block by block, in one pass; special tokens do not count.

    A block is about ``1 / blocks`` of the tokens in consecutive lines: a line belongs to the block it begins in. A text
    of fewer lines (or pieces of 512 tokens) has fewer blocks; none is empty.

    Args:
        model: the model.
        lines: the text; each line is a document of its own.
        max_tokens: stop after so many tokens; all of them are held in memory.
        blocks: number of parts, at most.
        shuffle: seed of a random order in which the text's tokens are dealt out to its lines, which keep their
            lengths; None to read the text as it is.
        advance: told the number of tokens done after each batch.

    Returns:
        Counts of every neuron in each block, and sums over all.

    Raises:
        InputError: the text has no tokens.
        ModelError: activations are not finite.
    """
    skip = model.special_ids
    encoded = list(sequences(model, lines, max_tokens))
    if not encoded:
        raise InputError(NO_TOKENS)
    real = [np.array([token not in skip for token in ids]) for ids in encoded]
    if shuffle is not None:
        encoded = _shuffled(encoded, real, shuffle)
    ends = np.cumsum([int(one.sum()) for one in real])
    begins = np.concatenate([[0], ends[:-1]])
    # A line longer than a block leaves numbers out; the blocks that there are get numbers without a gap.
    used, block_of = np.unique(begins * blocks // ends[-1], return_inverse=True)
    found = _statistics(model, encoded, block_of, len(used), skip, advance)
    positive, tokens = found.positive, found.tokens
    positive = positive.astype(np.min_scalar_type(int(positive.max())))  # one or two bytes a count, as a rule
    ids, counts = np.unique(
        np.concatenate([np.array(one)[kept] for one, kept in zip(encoded, real, strict=True)]), return_counts=True
    )
    return BlockedProfile(
        space=model.space,
        positive=positive,
        total=found.total.sum(0),
        tokens=tokens,
        token_ids=ids.astype(np.int64),
        token_counts=counts.astype(np.int64),
        routed=found.routed,
    )


def _shuffled(encoded: Sequence[list[int]], real: Sequence[NDArray[np.bool_]], seed: int) -> list[list[int]]:
    """The same tokens in random order over all sequences; special tokens stay where they are."""
    pool = np.concatenate([np.array(ids)[kept] for ids, kept in zip(encoded, real, strict=True)])
    np.random.default_rng(seed).shuffle(pool)
    out, at = [], 0
    for ids, kept in zip(encoded, real, strict=True):
        one = np.array(ids)
        one[kept] = pool[at : at + kept.sum()]
        at += int(kept.sum())
        out.append(one.tolist())
    return out


@dataclass(frozen=True)
class _Statistics:
    positive: NDArray[np.int64]  # (blocks, neurons): tokens at which the value is > 0
    total: NDArray[np.float64]  # (blocks, neurons): sum of the values
    tokens: NDArray[np.int64]  # (blocks,)
    routed: NDArray[np.int64] | None  # (blocks, experts of all layers): tokens that came to each; None without experts


def _statistics(
    model: LanguageModel,
    encoded: Iterable[Sequence[int]],
    block_of: NDArray[np.int64] | None,
    blocks: int,
    skip: frozenset[int],
    advance: Callable[[float], None],
    *,
    part: int = 0,
    parts: int = 1,
) -> _Statistics:
    """Tokens at which each neuron's value is > 0, and the sum of its values, in each block.

    Args:
        model: the model.
        encoded: sequences of tokens; read as a stream.
        block_of: block of each sequence; None for a single block.
        blocks: number of blocks.
        skip: tokens that do not count.
        advance: told the number of tokens done after each batch.
        part: share of the batches to run, as in :func:`linguabridge.batches.batches`.
        parts: number of shares.

    Raises:
        ModelError: activations are not finite.
    """
    device, space = model.device, model.space
    widths, spans = space.widths, space.spans
    # Of the tokens that come to each expert; moved to the host in the end, as everything here is.
    routed = [torch.zeros(blocks, len(one), dtype=torch.float64, device=device) for one in spans]
    positive = [torch.zeros(blocks, w, dtype=torch.float64, device=device) for w in widths]
    total = [torch.zeros(blocks, w, dtype=torch.float64, device=device) for w in widths]
    tokens = torch.zeros(blocks, dtype=torch.float64, device=device)
    weights = torch.empty(0)
    scratch = torch.empty(0)
    found: list[tuple[Part, Tensor, Tensor, Tensor]] = []  # of a batch; counted once it has run whole

    def read(part: Part, values: Tensor) -> None:
        nonlocal scratch
        here = weights.to(values.device)
        if part.tokens is not None:
            here = here[..., part.tokens]
        # One pass writes 0/1 as floats, then two matrix products sum over the tokens that count: several times
        # cheaper than boolean sums. Sums of 0/1 are exact in float32 up to 2**24 tokens a batch.
        if scratch.numel() < values.numel() or scratch.device != values.device:
            scratch = torch.empty(values.numel(), dtype=torch.float32, device=values.device)
        above = torch.gt(values, 0, out=scratch[: values.numel()].view(values.shape))
        found.append((part, here @ above, here @ values.float(), here.sum(-1)))

    def run(batch: Batch) -> None:
        nonlocal weights, tokens
        found.clear()
        real = batch.real.flatten().float()
        if block_of is None:
            weights = real  # a vector: several times cheaper than a matrix of one row
            here = real.sum()[None]
        else:
            rows = torch.from_numpy(block_of[list(batch.rows)]).to(device)
            at = rows.repeat_interleave(batch.ids.shape[1])
            weights = torch.zeros(blocks, len(at), device=device)
            weights[at, torch.arange(len(at), device=device)] = real
            here = weights.sum(1)
        model.model.base_model(input_ids=batch.ids, use_cache=False)
        tokens += here.double()
        for part, above, values, came in found:
            span = spans[part.layer][part.expert]
            for sums, where, new in ((positive, span, above), (total, span, values), (routed, part.expert, came)):
                if sums[part.layer].device != new.device:  # they stay where their layer is
                    sums[part.layer] = sums[part.layer].to(new.device)
                sums[part.layer][:, where] += new
        advance(float(real.sum()))

    halving = Halving(tokens_in)
    with record(model.model, model.taps, read), torch.inference_mode():
        for batch in batches(encoded, token_budget(device), device, skip, part=part, parts=parts):
            halving.run(batch, run)
    totals = torch.cat([one.cpu() for one in total], dim=1).numpy()
    if not np.isfinite(totals).all():
        bad = np.flatnonzero(~np.isfinite(totals).all(axis=0))[0]
        first = int(np.searchsorted(space.starts, bad, side="right")) - 1
        raise ModelError(
            f"{model.name} gives activations that are not finite (NaN or infinity) in layer {first}; "
            "try --dtype float32."
        )
    counts = torch.cat([one.cpu() for one in positive], dim=1).round().to(torch.int64).numpy()
    came = torch.cat([one.cpu() for one in routed], dim=1).round().to(torch.int64).numpy() if space.experts else None
    return _Statistics(counts, totals, tokens.cpu().numpy().astype(np.int64), came)
