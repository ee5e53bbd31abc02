"""What is read at the taps, against each family's own weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
import transformers
from torch import Tensor, nn

import by_hand
import tiny
from linguabridge.errors import ModelError
from linguabridge.model import LanguageModel
from linguabridge.taps import decoder_layers, find_taps, record, tap_space

Load = Callable[[str], LanguageModel]


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_tap_reads_the_activation_function_of_the_layers_own_weights(tiny_loaded: Load, family: str) -> None:
    loaded = tiny_loaded(family)
    read: dict[int, list[Tensor]] = {n: [] for n in range(tiny.LAYERS)}
    rows = [loaded.encode("the cat sat"), loaded.encode("the cat sat")[::-1]]
    with record(loaded.model, loaded.taps, lambda part, v: read[part.layer].append(v.clone())), torch.no_grad():
        loaded.model.base_model(input_ids=torch.tensor(rows), use_cache=False)
    # Token by token, one row after the other; profiles, which test_architectures.py checks, are sums over tokens.
    by_row = [torch.from_numpy(by_hand.values(family, loaded.model, row)) for row in rows]
    expected = torch.cat(by_row, dim=1).reshape(tiny.LAYERS, tiny.WIDTHS[family], -1)
    for number in range(tiny.LAYERS):
        (values,) = read[number]
        assert values.shape == (sum(map(len, rows)), tiny.WIDTHS[family])
        torch.testing.assert_close(values, expected[number].T, rtol=1e-4, atol=1e-5)
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
