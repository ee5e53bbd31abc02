"""Who reads activation statistics: we, or nnsight around the same weights.

nnsight gives a module's output inside the block of its trace, in which any code may run. Its readers take the same
batches of the same lines as ours, sum up inside the trace, and wrap the model without its vocabulary projection.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import metadata

import torch
from torch import Tensor

from linguabridge.batches import Batch, batches, token_budget
from linguabridge.collect import profile_text, sequences
from linguabridge.model import LanguageModel
from linguabridge.profile import LanguageProfile

Reader = Callable[[Iterable[str], int], LanguageProfile]
"""Reads so many tokens of some lines."""

Reduce = Callable[[Tensor, Batch], tuple[Tensor, Tensor]]
"""How often each neuron's values, of shape (rows, length, neurons), are > 0, and their sums, without padding."""


def nnsight_missing() -> str | None:
    """Why there is no nnsight, or None where there is."""
    try:
        metadata.version("nnsight")
    except metadata.PackageNotFoundError:
        return "nnsight is not installed: pip install '.[bench]'"
    return None


def ours(model: LanguageModel) -> Reader:
    """Our statistics."""
    return lambda lines, tokens: profile_text(model, lines, max_tokens=tokens)


def plain_sums(values: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """As one would write it: the values that count, and sums over them."""
    chosen = values[batch.real]
    return (chosen > 0).sum(0), chosen.sum(0)


def products(values: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """As ours does it: two matrix products with the tokens that count."""
    flat, weights = values.flatten(0, 1), batch.real.flatten().to(values.dtype)
    return weights @ torch.gt(flat, 0, out=torch.empty_like(flat)), weights @ flat


def by_nnsight(model: LanguageModel, reduce: Reduce) -> Reader:
    """The same statistics by nnsight.

    Args:
        model: the model, without experts.
        reduce: what is done with a layer's values inside the trace.
    """
    from nnsight import NNsight

    base = model.model.base_model
    # nnsight changes the modules that it wraps: it gets modules of its own around the same weights.
    wrapped = NNsight(copy.deepcopy(base, {id(one): one for one in (*base.parameters(), *base.buffers())}))
    prefix = f"{model.model.base_model_prefix}."
    activations = [wrapped.get(tap.removeprefix(prefix)) for tap in model.taps]

    def read(lines: Iterable[str], tokens: int) -> LanguageProfile:
        device = model.device
        positive, total = (
            [torch.zeros(width, dtype=torch.float64, device=device) for width in model.space.widths] for _ in range(2)
        )
        n = 0
        encoded = sequences(model, lines, tokens)
        for batch in batches(encoded, token_budget(device), device, model.special_ids):
            with torch.inference_mode(), wrapped.trace(input_ids=batch.ids, use_cache=False):
                for layer, activation in enumerate(activations):
                    above, sums = reduce(activation.output, batch)
                    positive[layer] += above
                    total[layer] += sums
            n += int(batch.real.sum())
        counts = torch.cat(positive).round().to(torch.int64).cpu().numpy()
        return LanguageProfile(model.space, counts, torch.cat(total).cpu().numpy(), n)

    return read


OURS, NNSIGHT, NNSIGHT_PRODUCTS = "ours", "nnsight", "nnsight, our products"
READERS: Mapping[str, Callable[[LanguageModel], Reader]] = {
    OURS: ours,
    NNSIGHT: partial(by_nnsight, reduce=plain_sums),
    NNSIGHT_PRODUCTS: partial(by_nnsight, reduce=products),
}
