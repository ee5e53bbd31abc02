"""Change what neurons give: switch them off, or amplify them, while a model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet


@contextmanager
def scaled(model: LanguageModel, neurons: NeuronSet, factor: float) -> Iterator[None]:
    """While open, the values of these neurons are multiplied by a factor in every forward pass, at every token.

    The value is the output of the layer's activation function. In a gated MLP it is then multiplied with the up
    projection, in any MLP with the neuron's own column of the down projection and nothing else, so the factor acts as
    if that column were multiplied by it: 0 takes away all that the neuron writes, 2 doubles it. The hooks come off in
    the end, also after an error.

    Args:
        model: the model; its weights stay as they are.
        neurons: of this model; none change nothing.
        factor: 0 switches off, 1 changes nothing, more amplifies.

    Raises:
        ValueError: the neurons are of another model.
    """
    if neurons.space != model.space:
        raise ValueError("These neurons are of a model with other layers.")
    modules = dict(model.model.named_modules())
    hooks = []
    try:
        for layer, count in enumerate(neurons.per_layer()):
            if count:
                scale = torch.ones(neurons.space.widths[layer])
                scale[torch.from_numpy(neurons.layer(layer) - neurons.space.starts[layer])] = factor
                hooks.append(modules[model.taps[layer]].register_forward_hook(_multiplier(scale)))
        yield
    finally:
        for handle in hooks:
            handle.remove()


def _multiplier(scale: Tensor) -> Callable[[nn.Module, object, Tensor], Tensor]:
    """A hook that multiplies the last dimension of a module's output, whatever stands before it."""

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        nonlocal scale
        scale = scale.to(output)  # the layer's device and dtype, moved there once
        return output * scale

    return hook
