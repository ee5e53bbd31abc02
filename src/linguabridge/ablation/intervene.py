"""Change what neurons give: switch them off, or amplify them, while a model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.taps import changed


@contextmanager
def scaled(model: LanguageModel, neurons: NeuronSet, factor: float) -> Iterator[None]:
    """While open, the values of these neurons are multiplied by a factor in every forward pass, at every token.

    The value is the output of the layer's activation function. In a gated MLP it is then multiplied with the up
    projection, in any MLP with the neuron's own column of the down projection and nothing else, so the factor acts as
    if that column were multiplied by it: 0 takes away all that the neuron writes, 2 doubles it. A neuron of an expert
    gives nothing at tokens that are not routed there, with or without it. The hooks come off in the end, also after an
    error.

    Args:
        model: the model; its weights stay as they are.
        neurons: of this model; none change nothing.
        factor: 0 switches off, 1 changes nothing, more amplifies.

    Raises:
        ValueError: the neurons are of another model.
    """
    if neurons.space != model.space:
        raise ValueError("These neurons are of a model with other layers.")
    scales = {}
    for layer, count in enumerate(neurons.per_layer()):
        if count:
            scales[layer] = torch.ones(neurons.space.widths[layer])
            scales[layer][torch.from_numpy(neurons.layer(layer) - neurons.space.starts[layer])] = factor
    with changed(model.model, model.taps, scales, model.space):
        yield
