"""Forward passes that read neurons: activation statistics over text, and probe matrices over prompts.

Both stream: what a batch gives is reduced on its device before the next one runs, so memory does not grow with the
text. The vocabulary projection never runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linguabridge.batches import batches, token_budget
from linguabridge.errors import InputError, ModelError
from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.profile import LanguageProfile
from linguabridge.taps import record
from linguabridge.texts import MAX_LENGTH

LONGEST_LINE = 20_000  # characters encoded at once; a tokenizer needs some hundred bytes for each


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
        for start in range(front, len(ids), MAX_LENGTH):
            piece = ids[start : start + MAX_LENGTH]
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

    Raises:
        InputError: the text has no tokens.
        ModelError: activations are not finite.
    """
    starts, n = model.space.starts, len(model.space)
    device = model.device
    positive = [torch.zeros(w, dtype=torch.float64, device=device) for w in model.space.widths]
    total = [torch.zeros(w, dtype=torch.float64, device=device) for w in model.space.widths]
    weights = torch.empty(0)
    scratch = torch.empty(0)

    def read(layer: int, values: Tensor) -> None:
        nonlocal scratch
        # One pass writes 0/1 as floats, then two matrix-vector products sum over the tokens that count: several times
        # cheaper than boolean sums. Sums of 0/1 are exact in float32 up to 2**24 tokens a batch.
        if scratch.shape != values.shape or scratch.device != values.device:
            scratch = torch.empty(values.shape, dtype=torch.float32, device=values.device)
        here = weights.to(values.device)
        torch.gt(values, 0, out=scratch)
        positive[layer] += (here @ scratch).to(device)
        total[layer] += (here @ values.float()).to(device)

    skip = frozenset() if count_special else model.special_ids
    tokens = 0
    with record(model.model, model.taps, read), torch.inference_mode():
        for batch in batches(sequences(model, lines, max_tokens), token_budget(device), device, skip):
            weights = batch.real.flatten().float()
            model.model.base_model(input_ids=batch.ids, use_cache=False)
            counted = int(batch.real.sum())
            tokens += counted
            advance(counted)
    if not tokens:
        raise InputError("The text to profile on holds no tokens.")
    flat_total = torch.cat(total).cpu().numpy()
    if not np.isfinite(flat_total).all():
        first = int(np.searchsorted(starts, np.flatnonzero(~np.isfinite(flat_total))[0], side="right")) - 1
        raise ModelError(
            f"{model.name} gives activations that are not finite (NaN or infinity) in layer {first}; "
            "try --dtype float32."
        )
    counts = torch.cat(positive).round().to(torch.int64).cpu().numpy()
    assert len(counts) == n
    return LanguageProfile(model.space, counts, flat_total, tokens)


def probe_matrix(
    model: LanguageModel,
    prompts: Sequence[str],
    neurons: NeuronSet,
    *,
    count_special: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Mean value of each neuron over each prompt's tokens.

    Args:
        model: the model.
        prompts: the probes.
        neurons: only these are kept.
        count_special: let special tokens count in the mean, as the reference does.
        advance: told the number of prompts done after each batch.

    Returns:
        Array of shape (neurons, probes), rows in the order of ``neurons.flat``, columns in that of ``prompts``.

    Raises:
        ModelError: activations are not finite.
    """
    out = np.zeros((len(neurons), len(prompts)), dtype=np.float32)
    row_starts = np.concatenate([[0], np.cumsum(neurons.per_layer())])
    units = {
        layer: torch.from_numpy(neurons.layer(layer) - neurons.space.starts[layer]).to(model.device)
        for layer, count in enumerate(neurons.per_layer())
        if count
    }
    skip = frozenset() if count_special else model.special_ids
    columns: list[int] = []
    weights = torch.empty(0)

    def read(layer: int, values: Tensor) -> None:
        if layer not in units:
            return
        wanted = values.index_select(1, units[layer].to(values.device)).float()
        means = torch.einsum("bt,btn->nb", weights.to(values.device), wanted.view(*weights.shape, -1))
        out[row_starts[layer] : row_starts[layer + 1], columns] = means.cpu().numpy()

    encoded = [model.encode(prompt) for prompt in prompts]
    with record(model.model, model.taps, read), torch.inference_mode():
        for batch in batches(encoded, token_budget(model.device), model.device, skip):
            columns = list(batch.rows)
            weights = batch.real.float()
            weights /= weights.sum(1, keepdim=True).clamp(min=1)
            model.model.base_model(input_ids=batch.ids, use_cache=False)
            advance(len(columns))
    if not np.isfinite(out).all():
        raise ModelError(f"{model.name} gives activations that are not finite (NaN or infinity); try --dtype float32.")
    return out
