"""Forward passes over prompts: the mean values of chosen neurons, and kernels over prompts by layer.

What a batch gives is reduced on its device; the vocabulary projection never runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linguabridge.batches import Batch, batches, token_budget, tokens_in
from linguabridge.dependence import u_centre
from linguabridge.errors import ModelError
from linguabridge.memory import Halving
from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.shortened import ending_after
from linguabridge.taps import Part, record


def probe_matrix(
    model: LanguageModel,
    prompts: Sequence[str],
    neurons: NeuronSet,
    *,
    count_special: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Mean value of each neuron over each prompt's tokens; 0 at those that are not routed to its expert.

    A pass ends after the last layer that holds some of the neurons.

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
    # Of each expert that holds some (of each layer, where there are no experts): its units, and their first row.
    wanted: dict[tuple[int, int], tuple[Tensor, int]] = {}
    for layer, spans in enumerate(neurons.space.spans):
        units = neurons.layer(layer) - neurons.space.starts[layer]
        for expert, span in enumerate(spans):
            start, end = np.searchsorted(units, [span.start, span.stop])
            if start < end:
                some = torch.from_numpy(units[start:end] - span.start).to(model.device)
                wanted[layer, expert] = some, int(row_starts[layer] + start)
    skip = frozenset() if count_special else model.special_ids
    columns: list[int] = []
    weights = torch.empty(0)

    def read(part: Part, values: Tensor) -> None:
        if (part.layer, part.expert) not in wanted:
            return
        units, row = wanted[part.layer, part.expert]
        chosen = values.index_select(1, units.to(values.device)).float()
        here = weights.to(values.device)
        if part.tokens is None:
            means = torch.einsum("bt,btn->nb", here, chosen.view(*weights.shape, -1))
        else:
            chosen *= here.flatten()[part.tokens, None]
            means = chosen.new_zeros(len(here), chosen.shape[1]).index_add_(0, part.tokens // here.shape[1], chosen).T
        out[row : row + len(units), columns] = means.cpu().numpy()

    def run(batch: Batch) -> None:
        nonlocal columns, weights
        columns = list(batch.rows)
        weights = batch.real.float()
        weights /= weights.sum(1, keepdim=True).clamp(min=1)
        shortened(lambda: model.model.base_model(input_ids=batch.ids, use_cache=False))
        advance(len(columns))

    encoded = [model.encode(prompt) for prompt in prompts]
    halving = Halving(tokens_in)
    last = max((layer for layer, _ in wanted), default=0)
    with record(model.model, model.taps, read), ending_after(model, last) as shortened, torch.inference_mode():
        for batch in batches(encoded, token_budget(model.device), model.device, skip):
            halving.run(batch, run)
    if not np.isfinite(out).all():
        raise ModelError(f"{model.name} gives activations that are not finite (NaN or infinity); try --dtype float32.")
    return out


def linear_kernels(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    of: str = "neurons",
    advance: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float32]:
    """U-centred linear kernel over prompts, layer by layer: inner products of a layer's mean values.

    The inner product of two such kernels over the square root of both own ones is the debiased linear CKA (Nguyen et
    al., 2021; :func:`linguabridge.dependence.u_centre`). Values of all layers are held for these prompts at once.

    Args:
        model: the model.
        prompts: at least 4.
        of: ``neurons``, all of a layer's feed-forward neurons, or ``hidden``, what a layer hands to the next.
        advance: told the number of prompts done after each batch.

    Returns:
        Array of shape (layers, prompts, prompts), each layer's scaled to norm 1 (0 where all prompts are alike).

    Raises:
        ModelError: activations are not finite.
    """
    if of == "hidden":
        layers = _hidden_means(model, prompts, advance)
    else:
        everything = NeuronSet(model.space, np.arange(len(model.space)))
        values = probe_matrix(model, prompts, everything, advance=advance)
        layers = np.split(values, model.space.starts[1:-1])
    out = np.empty((len(layers), len(prompts), len(prompts)), dtype=np.float32)
    for layer, some in enumerate(layers):
        rows = some.astype(np.float64)
        kernel = u_centre(torch.from_numpy(rows.T @ rows)).numpy()
        norm = float(np.linalg.norm(kernel))
        out[layer] = kernel / norm if norm > 0 else 0
    return out


def _hidden_means(
    model: LanguageModel, prompts: Sequence[str], advance: Callable[[float], None]
) -> list[NDArray[np.float32]]:
    """Mean over a prompt's tokens, special ones left out, of what each layer gives; (size, prompts) a layer."""
    out: list[NDArray[np.float32]] = []

    def run(batch: Batch) -> None:
        weights = batch.real.float()
        weights /= weights.sum(1, keepdim=True).clamp(min=1)
        states = model.model.base_model(input_ids=batch.ids, use_cache=False, output_hidden_states=True).hidden_states[
            1:
        ]
        if not out:
            out.extend(np.zeros((state.shape[-1], len(prompts)), dtype=np.float32) for state in states)
        for layer, state in zip(out, states, strict=True):
            means = torch.einsum("bt,btd->db", weights.to(state.device), state.float())
            layer[:, list(batch.rows)] = means.cpu().numpy()
        advance(len(batch))

    encoded = [model.encode(prompt) for prompt in prompts]
    halving = Halving(tokens_in)
    with torch.inference_mode():
        for batch in batches(encoded, token_budget(model.device), model.device, model.special_ids):
            halving.run(batch, run)
    if not all(np.isfinite(layer).all() for layer in out):
        raise ModelError(f"{model.name} gives hidden states that are not finite; try --dtype float32.")
    return out
