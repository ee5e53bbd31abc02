"""Where a model's feed-forward neurons are read: the output of each layer's activation function.

In a gated MLP (SwiGLU, GeGLU) that is act(x W_gate) before the product with the up projection, in a plain one
act(x W_1). Taps are found by structure, not by a table of model names, and checked by a small forward pass before any
number is taken from them. In a mixture of experts a value exists at the tokens that are routed to its expert.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2CLS
from transformers.models.bloom.modeling_bloom import BloomGelu

from linguabridge.errors import ModelError
from linguabridge.experts import Routes, Seen, by_expert, check_experts, execution, experts_around
from linguabridge.neurons import NeuronSpace


@dataclass(frozen=True)
class Part:
    """The neurons that some values belong to, and the tokens."""

    layer: int
    expert: int = 0  # 0 in a layer without experts
    tokens: Tensor | None = None  # (n,), numbers among batch · tokens, batch-major; None for all of them


Reading = Callable[[Part, Tensor], None]
"""Called with what the values belong to, and the values, of shape (tokens, neurons of the expert or layer)."""

JOIN = "+"  # between the modules of one layer's tap: experts, and one beside them that every token goes through

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
    refuse_unreadable(model.config, type(model).__name__)
    _refuse_running_state(model)
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


def refuse_unreadable(config: PreTrainedConfig, name: str) -> None:
    """Refuse a model that has no one stack of decoder layers.

    Args:
        config: the model's.
        name: what to call it.

    Raises:
        ModelError: it is an encoder-decoder model.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{name} is an encoder-decoder model; linguabridge reads decoder-only language models, "
            "in which one stack of layers sees source, bridge and target alike."
        )


_RUNNING = {
    "conv",
    "linear_attention",
    "hybrid",
    "hybrid_sliding",
    "mamba",
    "recurrent",
}  # as transformers names layers


def _refuse_running_state(model: PreTrainedModel) -> None:
    # transformers' own mark of models that keep a state in place of keys and values, in some layers or in all.
    kinds = set(getattr(model.config.get_text_config(decoder=True), "layer_types", None) or ())
    if getattr(model, "_is_stateful", False) or kinds & _RUNNING:
        raise ModelError(
            f"{type(model).__name__} is a state-space model, or has such layers: it folds what it has read into one "
            "running state, so the part that prompts share cannot be read once for all of them, and such layers need "
            "not have feed-forward neurons; use a model with attention in every layer."
        )


def find_taps(model: PreTrainedModel, template: str | None = None) -> tuple[str, ...]:
    """Names of the modules whose outputs are the neurons' values, one a layer, checked by a small forward pass.

    Args:
        model: a decoder-only language model.
        template: overrides the search; a module name with ``{layer}`` in it, or several joined by ``+``.

    Raises:
        ModelError: no layer stack, no single activation module in a layer, or a tap that does not do in a forward
            pass what it must: fire once, with the width that the configuration promises; of experts, give each token's
            values for the experts that it is routed to.
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
    refuse_unreadable(model.config, type(model).__name__)
    _refuse_running_state(model)
    if not all("{layer}" in one for one in template.split(JOIN)):
        raise ModelError(f"The taps '{template}' lack the place of the layer's number; {_HELP}.")
    modules = dict(model.named_modules())
    candidates = (template.replace("{layer}", str(number)) for number in range(len(modules)))
    names = list(takewhile(lambda name: all(one in modules for one in name.split(JOIN)), candidates))
    depth = getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", len(names))
    if not names or len(names) != depth:
        missing = template.replace("{layer}", str(len(names)))
        raise ModelError(f"{type(model).__name__} has {depth} layers but no module '{missing}'; {_HELP}.")
    return names


def _tap_of(model: PreTrainedModel, layer_name: str, layer: nn.Module) -> str:
    found = [name for name, module in layer.named_modules() if isinstance(module, _ACTIVATION_CLASSES)]
    if len(found) != 1 and not _beside_experts(layer, found):
        listed = f"{len(found)} ({', '.join(found[:4])})" if found else "none"
        raise ModelError(
            f"{type(model).__name__} should have one activation function in each layer's feed-forward part, but "
            f"'{layer_name}' has {listed}; {_HELP}."
        )
    return JOIN.join(f"{layer_name}.{name}" for name in found)


def _beside_experts(layer: nn.Module, found: list[str]) -> bool:
    """Whether these are the activation functions of experts and of a shared expert in the same block."""
    if len(found) != 2:
        return False
    parents = [name.rpartition(".")[0] for name in found]
    among = [experts_around(layer.get_submodule(parent)) is not None for parent in parents]
    return sum(among) == 1 and parents[0].rpartition(".")[0] == parents[1].rpartition(".")[0]


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
    sites = _sites(model, names)
    shapes: dict[tuple[int, int], list[tuple[int, int]]] = {}
    routed: dict[int, dict[tuple[int, int], Tensor]] = {}  # values by token and expert, in each layer

    def read(part: Part, values: Tensor) -> None:
        shapes.setdefault((part.layer, part.expert), []).append((values.shape[0], values.shape[1]))
        if part.tokens is not None:
            kept = zip(part.tokens.tolist(), values.clone(), strict=True)
            routed.setdefault(part.layer, {}).update({(token, part.expert): one for token, one in kept})

    seen = {site.name: Seen() for site in sites if site.experts is not None}
    with ExitStack() as stack, torch.inference_mode():
        stack.enter_context(record(model, names, read))
        for site in sites:
            if site.experts is not None:
                handle = site.experts.register_forward_pre_hook(seen[site.name].keep, with_kwargs=True)
                stack.callback(handle.remove)
        _forward(model)
    for site in sites:
        if site.experts is None:
            # A shared expert is first of none; its width stands under names of each family's own.
            promised = promised_widths(model) if checked_width and not site.first else None
            _check_plain(site, shapes.get((site.layer, site.first), []), promised[site.layer] if promised else None)
    for site in sites:
        if site.experts is not None:
            _check_routed(model, site, seen[site.name], routed.get(site.layer, {}), checked_width=checked_width)


def _check_plain(site: _Site, shapes: list[tuple[int, int]], promised: int | None) -> None:
    if len(shapes) != 1:
        raise ModelError(f"The tap '{site.name}' fired {len(shapes)} times in one forward pass, not once: {_HELP}.")
    tokens, width = shapes[0]
    if tokens != _TOKENS or (promised and width != promised):
        wanted = f"{_TOKENS} × {promised}" if promised else f"{_TOKENS} × the layer's width"
        raise ModelError(
            f"The tap '{site.name}' gave {tokens} × {width} values for {_TOKENS} tokens where {wanted} were promised: "
            f"{_HELP}."
        )


def _check_routed(
    model: PreTrainedModel, site: _Site, seen: Seen, read: dict[tuple[int, int], Tensor], *, checked_width: bool
) -> None:
    assert site.experts is not None
    config = model.config.get_text_config(decoder=True)
    per_token = getattr(config, "num_experts_per_tok", None) if checked_width else None
    with torch.inference_mode():
        wrong = check_experts(site.experts, site.module, seen, read, per_token if isinstance(per_token, int) else None)
    width = len(next(iter(read.values()))) if read else 0
    promised = getattr(config, "moe_intermediate_size", None) or getattr(config, "intermediate_size", None)
    if wrong is None and checked_width and isinstance(promised, int) and width != promised:
        wrong = f"have {width} units where {promised} were promised"
    if wrong is not None:
        raise ModelError(
            f"The experts at the tap '{site.name}' {wrong} (experts implementation '{execution(site.experts)}'), so "
            'their neurons cannot be read; set "experts_implementation": "eager" in the model\'s config.json.'
        )


def tap_space(model: PreTrainedModel, names: tuple[str, ...]) -> NeuronSpace:
    """The neurons at the taps, by a small forward pass."""
    widths: dict[tuple[int, int], int] = {}
    sites = _sites(model, names)
    with record(model, names, lambda part, value: widths.update({(part.layer, part.expert): value.shape[-1]})):
        _forward(model)
    layers: list[list[int]] = [[] for _ in names]
    for site in sites:
        # Experts that no token was routed to are as wide as those beside them.
        expected = [widths[key] for key in widths if key[0] == site.layer and key[1] in site.range]
        layers[site.layer] += expected[:1] * len(site.range)
    if len(sites) == len(names) and all(site.experts is None for site in sites):
        return NeuronSpace(tuple(sum(one) for one in layers))
    return NeuronSpace.of_experts(layers)


_TOKENS = 3  # of the small forward pass


def _forward(model: PreTrainedModel) -> None:
    ids = torch.arange(1, 1 + _TOKENS, device=input_embedding(model).device)[None]
    with torch.inference_mode():
        model.base_model(input_ids=ids, use_cache=False)


@dataclass(frozen=True)
class _Site:
    """A module that is read: its layer, the experts around it, and the numbers that they have in the layer."""

    layer: int
    name: str
    module: nn.Module
    experts: nn.Module | None  # the module that holds them; None where every token comes
    range: range

    @property
    def first(self) -> int:
        """Number of the first of its experts in the layer."""
        return self.range.start


def _sites(model: PreTrainedModel, names: tuple[str, ...]) -> list[_Site]:
    modules = dict(model.named_modules())
    out = []
    for layer, joined in enumerate(names):
        start = 0
        for name in joined.split(JOIN):
            parent = modules[name.rpartition(".")[0]] if name in modules else None
            number = experts_around(parent) if parent is not None else None
            end = start + (number or 1)
            out.append(_Site(layer, name, modules[name], parent if number else None, range(start, end)))
            start = end
    return out


@contextmanager
def record(model: PreTrainedModel, names: tuple[str, ...], read: Reading) -> Iterator[None]:
    """While open, every forward pass hands each layer's values to ``read``; the hooks come off in the end.

    A layer of experts is handed over expert by expert, without those that no token was routed to. Values are on their
    layer's device and in the model's dtype; ``read`` must not keep them beyond its call unless it copies them.
    """

    def hand(site: _Site, routes: Routes | None, output: Tensor) -> None:
        values = output.reshape(-1, output.shape[-1])  # some families flatten tokens already (OPT), most do not
        if routes is None:
            read(Part(site.layer, site.first), values)
            return
        for expert, tokens, some in by_expert(values, *routes.take(len(values))):
            read(Part(site.layer, site.first + expert, tokens), some)

    with _hooked(model, names, hand):
        yield


@contextmanager
def changed(
    model: PreTrainedModel, names: tuple[str, ...], scales: Mapping[int, Tensor], space: NeuronSpace
) -> Iterator[None]:
    """While open, values are multiplied by a factor of their own in every forward pass; the hooks come off in the end.

    Args:
        model: the model that the taps are of.
        names: the taps.
        scales: for some layers by their number a factor for each neuron, shape (neurons of the layer,).
        space: the model's neurons.
    """
    tables: dict[str, Tensor] = {}
    spans = space.spans

    def multiply(site: _Site, routes: Routes | None, output: Tensor) -> Tensor:
        if site.name not in tables:  # the layer's device and dtype, moved there once
            scale = scales[site.layer]
            tables[site.name] = torch.stack([scale[spans[site.layer][e]] for e in site.range]).to(output)
        table = tables[site.name]
        if routes is None:
            return output * table[0]
        _, experts = routes.take(output[..., 0].numel())
        return output * table[experts].view(output.shape)

    with _hooked(model, names, multiply, only=scales):
        yield


@contextmanager
def _hooked(
    model: PreTrainedModel,
    names: tuple[str, ...],
    hook: Callable[[_Site, Routes | None, Tensor], Tensor | None],
    only: Container[int] | None = None,
) -> Iterator[None]:
    """While open, ``hook`` is called with the output of each tap's module (of these layers), and may give another."""

    def hook_of(site: _Site, routes: Routes | None) -> Callable[..., Tensor | None]:
        return lambda _module, _inputs, output: hook(site, routes, output)

    with ExitStack() as stack:
        for site in _sites(model, names):
            if only is not None and site.layer not in only:
                continue
            routes = None if site.experts is None else Routes(site.experts)
            if routes is not None:
                stack.callback(routes.remove)
            stack.callback(site.module.register_forward_hook(hook_of(site, routes)).remove)
        yield
