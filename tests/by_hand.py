"""Neurons of a sequence by a family's own weights: what the taps must read, computed without them.

The state that enters a layer's feed-forward part is caught before it; the rest is written out here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import tiny

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "gelu": lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
    "gelu_new": lambda x: x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "gelu_pytorch_tanh": lambda x: ACTIVATIONS["gelu_new"](x),
    "quick_gelu": lambda x: x / (1 + torch.exp(-1.702 * x)),
    "relu": lambda x: x.clamp(min=0),
    "relu2": lambda x: x.clamp(min=0) ** 2,
}
# Per family: the path in a layer of the first projection, how many of its outputs are the neurons', the activation.
PLAIN: dict[str, tuple[str, int, str]] = {
    "llama": ("mlp.gate_proj", tiny.WIDTH, "silu"),
    "mistral": ("mlp.gate_proj", tiny.WIDTH, "silu"),
    "qwen2": ("mlp.gate_proj", tiny.WIDTH, "silu"),
    "qwen3": ("mlp.gate_proj", tiny.WIDTH, "silu"),
    "gemma2": ("mlp.gate_proj", tiny.WIDTH, "gelu_new"),
    "gemma3": ("mlp.gate_proj", tiny.WIDTH, "gelu_new"),
    "phi3": ("mlp.gate_up_proj", tiny.WIDTH, "silu"),  # gate and up in one matrix, the gate first
    "gpt2": ("mlp.c_fc", 4 * tiny.HIDDEN, "gelu_new"),
    "neox": ("mlp.dense_h_to_4h", tiny.WIDTH, "gelu"),
    "bloom": ("mlp.dense_h_to_4h", 4 * tiny.HIDDEN, "gelu_new"),
    "opt": ("fc1", tiny.WIDTH, "relu"),
    "xglm": ("fc1", tiny.WIDTH, "gelu"),
    "falcon": ("mlp.dense_h_to_4h", tiny.WIDTH, "gelu"),
    "olmo2": ("mlp.gate_proj", tiny.WIDTH, "silu"),
    "cohere2": ("mlp.gate_proj", tiny.WIDTH, "silu"),
    "glm4": ("mlp.gate_up_proj", tiny.WIDTH, "silu"),
    "smollm3": ("mlp.gate_proj", tiny.WIDTH, "silu"),
}
ROUTED = ("mixtral", "qwen3moe", "deepseek3")
_PER_TOKEN = 2


def layers(model: Any) -> nn.ModuleList:
    """The decoder layers."""
    inner = getattr(model.base_model, "decoder", model.base_model)
    return inner.h if hasattr(inner, "h") else inner.layers


def values(family: str, model: Any, ids: list[int], activation: str | None = None) -> np.ndarray:
    """Every neuron's value at every token of one sequence alone, NaN where the token is not routed to its expert.

    Returns:
        Array of shape (neurons, tokens).
    """
    entered: list[Tensor] = []
    paths = [_entrance(family, number) for number in range(tiny.LAYERS)]
    handles = [
        layer.get_submodule(path).register_forward_pre_hook(
            lambda _m, args: entered.append(args[0].detach().reshape(-1, tiny.HIDDEN))
        )
        for layer, path in zip(layers(model), paths, strict=True)
    ]
    with torch.no_grad():
        model.base_model(input_ids=torch.tensor([ids]), use_cache=False)
        for handle in handles:
            handle.remove()
        assert len(entered) == tiny.LAYERS
        parts = [
            _routed(family, layer.mlp, x)
            if path == "mlp"
            else _plain(layer.get_submodule(path), x, *_rest(family, activation))
            for layer, path, x in zip(layers(model), paths, entered, strict=True)
        ]
    return np.concatenate([part.numpy() for part in parts])


def _entrance(family: str, number: int) -> str:
    if family in ROUTED:
        return "mlp.gate_proj" if number == {"qwen3moe": 1, "deepseek3": 0}.get(family) else "mlp"
    return PLAIN[family][0]


def _rest(family: str, activation: str | None) -> tuple[int, str]:
    _, width, named = PLAIN.get(family, ("", tiny.WIDTH, "silu"))
    return width, activation or named


def _plain(projection: Any, x: Tensor, width: int, activation: str) -> Tensor:
    weight = projection.weight if x.shape[1] == projection.weight.shape[0] else projection.weight.T  # GPT-2's lies so
    product = x @ weight[:, :width]
    if projection.bias is not None:
        product = product + projection.bias[:width]
    return ACTIVATIONS[activation](product).T


def _routed(family: str, block: Any, x: Tensor) -> Tensor:
    logits = x @ block.gate.weight.T
    # DeepSeek's scores are sigmoids; the largest are those of the largest logits, as with a softmax.
    chosen = [sorted(range(len(row)), key=lambda expert, row=row: -row[expert])[:_PER_TOKEN] for row in logits.tolist()]
    gates = block.experts.gate_up_proj.detach()
    width = gates.shape[1] // 2
    out = torch.full((len(gates), width, len(x)), float("nan"))
    for token, experts in enumerate(chosen):
        for expert in experts:
            out[expert, :, token] = ACTIVATIONS["silu"](gates[expert, :width] @ x[token])
    flat = out.reshape(-1, len(x))
    return (
        torch.cat([flat, _plain(block.shared_experts.gate_proj, x, width, "silu")]) if family == "deepseek3" else flat
    )


def statistics(each: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over sequences' values at the tokens that count: tokens with a value > 0, sum of the values, tokens that came."""
    together = np.concatenate(list(each), axis=1)
    with np.errstate(invalid="ignore"):
        return (together > 0).sum(1), np.nansum(together, axis=1, dtype=float), (~np.isnan(together)).sum(1)
