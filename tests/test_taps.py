"""What is read at the taps, against each family's own weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers.activations import ACT2FN

import tiny
from linguabridge.errors import ModelError
from linguabridge.model import LanguageModel
from linguabridge.taps import decoder_layers, find_taps, record, tap_space

Load = Callable[[str], LanguageModel]


def layers(model: Any) -> nn.ModuleList:
    inner = model.base_model
    inner = getattr(inner, "decoder", inner)
    return inner.h if hasattr(inner, "h") else inner.layers


def first_projection(family: str, layer: Any) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The module whose input is the feed-forward part's, and the hidden vector from that input, by hand."""
    if family == "gpt2":  # Conv1D keeps its weight transposed
        return layer.mlp, lambda x: ACT2FN["gelu_new"](x @ layer.mlp.c_fc.weight + layer.mlp.c_fc.bias)
    if family == "opt":
        return layer.fc1, lambda x: torch.relu(x @ layer.fc1.weight.T + layer.fc1.bias)
    if family == "bloom":
        up = layer.mlp.dense_h_to_4h
        return up, lambda x: nn.functional.gelu(x @ up.weight.T + up.bias, approximate="tanh")
    if family == "phi3":  # gate and up in one matrix, the gate first
        return layer.mlp, lambda x: nn.functional.silu(x @ layer.mlp.gate_up_proj.weight[: tiny.WIDTH].T)
    act = ACT2FN["gelu_pytorch_tanh"] if family.startswith("gemma") else nn.functional.silu
    return layer.mlp, lambda x: act(x @ layer.mlp.gate_proj.weight.T)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_tap_reads_the_activation_function_of_the_layers_own_weights(tiny_loaded: Load, family: str) -> None:
    loaded = tiny_loaded(family)
    inputs: list[Tensor] = []
    handles = []
    for layer in layers(loaded.model):
        module, _ = first_projection(family, layer)
        handles.append(module.register_forward_pre_hook(lambda _m, args: inputs.append(args[0].detach().clone())))
    read: dict[int, list[Tensor]] = {n: [] for n in range(tiny.LAYERS)}
    ids = torch.tensor([loaded.encode("the cat sat"), loaded.encode("the cat sat")[::-1]])
    with record(loaded.model, loaded.taps, lambda part, v: read[part.layer].append(v.clone())), torch.no_grad():
        loaded.model.base_model(input_ids=ids, use_cache=False)
    for handle in handles:
        handle.remove()
    assert len(inputs) == tiny.LAYERS
    for number, layer in enumerate(layers(loaded.model)):
        (values,) = read[number]
        assert values.shape == (ids.numel(), tiny.WIDTHS[family])
        with torch.no_grad():
            expected = first_projection(family, layer)[1](inputs[number].reshape(-1, tiny.HIDDEN))
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
        assert (values > 0).any()
        assert (values <= 0).any()


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_widths_are_those_of_the_configuration(tiny_loaded: Load, family: str) -> None:
    loaded = tiny_loaded(family)
    assert tap_space(loaded.model, loaded.taps).widths == loaded.space.widths == (tiny.WIDTHS[family],) * tiny.LAYERS


def test_hooks_come_off_in_the_end_and_after_an_exception(tiny_loaded: Load) -> None:
    loaded = tiny_loaded("llama")
    before = hooks(loaded.model)
    with record(loaded.model, loaded.taps, lambda *_: None):
        assert hooks(loaded.model) == before + tiny.LAYERS
    assert hooks(loaded.model) == before

    def fail(_layer: int, _values: Tensor) -> None:
        raise RuntimeError("in the middle")

    ids = torch.tensor([[1, 2, 3]])
    with pytest.raises(RuntimeError, match="in the middle"), record(loaded.model, loaded.taps, fail):
        loaded.model.base_model(input_ids=ids)
    assert hooks(loaded.model) == before


def test_hooks_come_off_when_a_tap_does_not_exist(tiny_loaded: Load) -> None:
    loaded = tiny_loaded("llama")
    before = hooks(loaded.model)
    with pytest.raises(KeyError), record(loaded.model, (*loaded.taps[:2], "no.such.module"), lambda *_: None):
        pass
    assert hooks(loaded.model) == before


def test_layer_stack_is_found_by_its_depth(tiny_loaded: Load) -> None:
    name, stack = decoder_layers(tiny_loaded("opt").model)
    assert name == "model.decoder.layers"
    assert len(stack) == tiny.LAYERS


class _Functional(nn.Module):
    """An activation that is no module of torch's or transformers' own."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class _Twice(nn.Module):
    """Runs its activation twice."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x))


def test_layer_without_an_activation_module_is_named_with_the_way_out() -> None:
    model = tiny.model("llama")
    model.model.layers[2].mlp.act_fn = _Functional()
    with pytest.raises(ModelError, match=r"'model.layers.2' has none; .*--taps 'model.layers.\{layer\}"):
        find_taps(model)


def test_layer_with_two_activation_modules_is_named_with_both() -> None:
    model = tiny.model("llama")
    model.model.layers[1].self_attn.extra = nn.GELU()
    with pytest.raises(ModelError, match=r"'model.layers.1' has 2 \(self_attn.extra, mlp.act_fn\); .*--taps"):
        find_taps(model)


def test_template_names_the_modules_where_the_search_fails() -> None:
    model = tiny.model("llama")
    for layer in model.model.layers:
        layer.mlp.act_fn = _Functional()
    taps = find_taps(model, "model.layers.{layer}.mlp.act_fn")
    assert taps == tuple(f"model.layers.{n}.mlp.act_fn" for n in range(tiny.LAYERS))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("model.layers.{layer}.mlp.nonsense", "no module 'model.layers.0.mlp.nonsense'"),
        ("model.layers.0.mlp.act_fn", "lack the place of the layer's number"),
        ("", "lack the place of the layer's number"),
    ],
)
def test_bad_template_is_refused(tiny_loaded: Load, template: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_taps(tiny_loaded("llama").model, template)


def test_tap_that_fires_twice_is_refused() -> None:
    model = tiny.model("llama")
    model.model.layers[3].mlp.act_fn = _Twice(nn.SiLU())
    with pytest.raises(ModelError, match=r"'model.layers.3.mlp.act_fn.inner' fired 2 times"):
        find_taps(model)


def test_tap_that_never_fires_is_refused() -> None:
    model = tiny.model("llama")
    model.model.layers[0].mlp.act_fn = _Functional()
    model.model.layers[0].mlp.unused = nn.SiLU()
    with pytest.raises(ModelError, match=r"'model.layers.0.mlp.unused' fired 0 times"):
        find_taps(model)


def test_width_other_than_the_configurations_is_refused() -> None:
    model = tiny.model("llama")
    model.config.intermediate_size += 1
    with pytest.raises(ModelError, match=f"gave 3 × {tiny.WIDTH} values for 3 tokens where 3 × {tiny.WIDTH + 1}"):
        find_taps(model)


def test_template_may_read_another_width() -> None:
    model = tiny.model("llama")
    taps = find_taps(model, "model.layers.{layer}.mlp.down_proj")
    assert tap_space(model, taps).widths == (tiny.HIDDEN,) * tiny.LAYERS


def test_encoder_decoder_is_refused() -> None:
    config = transformers.T5Config(vocab_size=50, d_model=16, d_ff=24, d_kv=8, num_layers=2, num_heads=2)
    with pytest.raises(ModelError, match="T5ForConditionalGeneration is an encoder-decoder model"):
        find_taps(transformers.T5ForConditionalGeneration(config))


def test_model_without_a_stack_of_the_promised_depth_is_refused() -> None:
    model = tiny.model("llama")
    model.config.num_hidden_layers = 7
    with pytest.raises(ModelError, match="No stack of 7 layers"):
        find_taps(model)


def test_a_loaded_model_is_frozen_data(tiny_loaded: Load) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny_loaded("llama").taps = ()  # type: ignore[misc]
