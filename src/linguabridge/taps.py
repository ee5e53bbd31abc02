"""Where a model's feed-forward neurons are read: the output of each layer's activation function.

In a gated MLP (SwiGLU, GeGLU) that is act(x W_gate) before the product with the up projection, in a plain one
act(x W_1). Taps are found by structure, not by a table of model names, and checked by a small forward pass before any
number is taken from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import ACT2CLS
from transformers.models.bloom.modeling_bloom import BloomGelu

from linguabridge.errors import ModelError

Reading = Callable[[int, Tensor], None]
"""Called with a layer's number and its values, of shape (batch · tokens, neurons of the layer), batch-major."""

_HELP = "name the activation modules yourself, for example --taps 'model.layers.{layer}.mlp.act_fn'"
# Names under which configurations of decoder families promise the width of the feed-forward hidden vector.
_WIDTH_NAMES = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "d_inner", "inner_dim", "d_ff")


# An entry of transformers' table is a class, or a class and its arguments.
_KNOWN: list[Any] = [entry[0] if isinstance(entry, tuple) else entry for entry in ACT2CLS.values()]
_ACTIVATION_CLASSES: tuple[type[nn.Module], ...] = (*_KNOWN, nn.GELU, nn.ELU, BloomGelu)


def input_embedding(model: PreTrainedModel) -> Tensor:
    """The input embedding's weight, of shape (vocabulary, hidden); input goes to its device."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight


def decoder_layers(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """The model's stack of decoder layers and its name.

    Raises:
        ModelError: encoder-decoder models and models without a recognisable stack.
    """
    _refuse_encoder_decoder(model)
    config = model.config.get_text_config(decoder=True)
    depth = getattr(config, "num_hidden_layers", None)
    stacks = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == depth
    ]
    if not stacks:
        raise ModelError(
            f"No stack of {depth} layers was found in {type(model).__name__}; {_HELP}, or use a decoder-only model."
        )
    return max(stacks, key=lambda stack: sum(p.numel() for p in stack[1].parameters()))


def _refuse_encoder_decoder(model: PreTrainedModel) -> None:
    if getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{type(model).__name__} is an encoder-decoder model; linguabridge reads decoder-only language models, "
            "in which one stack of layers sees source, bridge and target alike."
        )


def find_taps(model: PreTrainedModel, template: str | None = None) -> tuple[str, ...]:
    """Names of the modules whose outputs are the neurons' values, one a layer, checked by a small forward pass.

    Args:
        model: a decoder-only language model.
        template: overrides the search; a module name with ``{layer}`` in it.

    Raises:
        ModelError: no layer stack, no single activation module in a layer, or a tap that does not do in a forward
            pass what it must: fire once, with the width that the configuration promises.
    """
    if template is not None:
        names = _named(model, template)
    else:
        stack_name, stack = decoder_layers(model)
        names = [_tap_of(model, f"{stack_name}.{number}", layer) for number, layer in enumerate(stack)]
    _check(model, tuple(names), checked_width=template is None)
    return tuple(names)


def _named(model: PreTrainedModel, template: str) -> list[str]:
    """Names that a template gives for layers 0, 1, … as long as there are modules of that name."""
    _refuse_encoder_decoder(model)
    if "{layer}" not in template:
        raise ModelError(f"The taps '{template}' lack the place of the layer's number; {_HELP}.")
    modules = dict(model.named_modules())
    candidates = (template.replace("{layer}", str(number)) for number in range(len(modules)))
    names = list(takewhile(modules.__contains__, candidates))
    depth = getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", len(names))
    if not names or len(names) != depth:
        missing = template.replace("{layer}", str(len(names)))
        raise ModelError(f"{type(model).__name__} has {depth} layers but no module '{missing}'; {_HELP}.")
    return names


def _tap_of(model: PreTrainedModel, layer_name: str, layer: nn.Module) -> str:
    found = [name for name, module in layer.named_modules() if isinstance(module, _ACTIVATION_CLASSES)]
    if len(found) != 1:
        listed = f"{len(found)} ({', '.join(found[:4])})" if found else "none"
        raise ModelError(
            f"{type(model).__name__} should have one activation function in each layer's feed-forward part, but "
            f"'{layer_name}' has {listed}; {_HELP}."
        )
    return f"{layer_name}.{found[0]}"


def promised_widths(model: PreTrainedModel) -> list[int] | None:
    """Width of each layer's feed-forward hidden vector as the configuration promises it; None where it does not say."""
    config = model.config.get_text_config(decoder=True)
    depth = config.num_hidden_layers
    for name in _WIDTH_NAMES:
        width = getattr(config, name, None)
        if isinstance(width, int):
            return [width] * depth
        if isinstance(width, (list, tuple)) and len(width) == depth:
            return [int(w) for w in width]
    hidden = getattr(config, "hidden_size", None)
    # GPT-2 and its kin promise four times the hidden size by leaving n_inner empty, BLOOM by having no such setting.
    silent = hasattr(config, "n_inner") or config.model_type == "bloom"
    return [4 * hidden] * depth if isinstance(hidden, int) and silent else None


def _check(model: PreTrainedModel, names: tuple[str, ...], *, checked_width: bool) -> None:
    fired: dict[int, list[tuple[int, int]]] = {number: [] for number in range(len(names))}
    ids = torch.tensor([[1, 2, 3]], device=input_embedding(model).device)
    with (
        record(model, names, lambda layer, value: fired[layer].append((value.shape[0], value.shape[1]))),
        torch.inference_mode(),
    ):
        model.base_model(input_ids=ids, use_cache=False)
    promised = promised_widths(model) if checked_width else None
    for number, shapes in fired.items():
        if len(shapes) != 1:
            raise ModelError(
                f"The tap '{names[number]}' fired {len(shapes)} times in one forward pass, not once: {_HELP}."
            )
        tokens, width = shapes[0]
        if tokens != 3 or (promised and width != promised[number]):
            wanted = f"3 × {promised[number]}" if promised else "3 × the layer's width"
            raise ModelError(
                f"The tap '{names[number]}' gave {tokens} × {width} values for 3 tokens where {wanted} were promised: "
                f"{_HELP}."
            )


def tap_widths(model: PreTrainedModel, names: tuple[str, ...]) -> tuple[int, ...]:
    """Number of neurons at each tap, by a small forward pass."""
    widths: dict[int, int] = {}
    ids = torch.tensor([[1, 2, 3]], device=input_embedding(model).device)
    with record(model, names, lambda layer, value: widths.update({layer: value.shape[-1]})), torch.inference_mode():
        model.base_model(input_ids=ids, use_cache=False)
    return tuple(widths[number] for number in range(len(names)))


@contextmanager
def record(model: PreTrainedModel, names: tuple[str, ...], read: Reading) -> Iterator[None]:
    """While open, every forward pass hands each layer's values to ``read``; the hooks come off in the end.

    Values are on their layer's device and in the model's dtype; ``read`` must not keep them beyond its call unless it
    copies them.
    """
    modules = dict(model.named_modules())
    hooks = []

    def hook_of(layer: int) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            read(layer, output.reshape(-1, output.shape[-1]))  # some families flatten tokens already (OPT), most do not

        return hook

    try:
        for layer, name in enumerate(names):
            hooks.append(modules[name].register_forward_hook(hook_of(layer)))
        yield
    finally:
        for handle in hooks:
            handle.remove()
