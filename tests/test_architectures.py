"""Activation statistics of every family against its own weights, and architectures that are refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import by_hand
import tiny
from linguabridge.cache import Cache
from linguabridge.collect import profile_text
from linguabridge.errors import ModelError
from linguabridge.model import LanguageModel, ModelOptions, load_model
from linguabridge.model_files import find_model
from linguabridge.taps import find_taps, tap_space

Load = Callable[[str], LanguageModel]
LINES = tiny.LINES[:5]


def assert_read_as_by_hand(model: LanguageModel, family: str, activation: str | None = None) -> None:
    each = []
    for line in LINES:
        ids = model.encode(line)
        counted = [token not in model.special_ids for token in ids]
        each.append(by_hand.values(family, model.model, ids, activation)[:, counted])
    positive, total, tokens = by_hand.statistics(each)
    found = profile_text(model, LINES)
    assert found.tokens == tokens.max()
    assert len(model.space) == len(positive)
    # A value within rounding of 0 may fall on either side of it: the batched products sum in another order.
    assert np.abs(found.positive - positive).sum() <= 2
    np.testing.assert_allclose(found.total, total, rtol=1e-4, atol=1e-3)
    assert 0.05 < found.probability.mean() < 0.95


@pytest.mark.parametrize("family", by_hand.PLAIN)
def test_statistics_are_those_of_the_familys_own_weights(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    assert_read_as_by_hand(model, family)
    assert not model.space.experts


@pytest.mark.parametrize("activation", by_hand.ACTIVATIONS)
def test_activation_functions_and_biases(tiny_loaded: Load, activation: str) -> None:
    changed = tiny.model("llama", hidden_act=activation, mlp_bias=True)
    with torch.no_grad():
        for layer in changed.base_model.layers:
            layer.mlp.gate_proj.bias.normal_()
    taps = find_taps(changed)
    model = dataclasses.replace(tiny_loaded("llama"), model=changed, taps=taps, space=tap_space(changed, taps))
    assert_read_as_by_hand(model, "llama", activation)


def test_taps_of_a_model_that_nobody_foresaw(tiny_loaded: Load) -> None:
    class Unforeseen(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / (1 + torch.exp(-x))

    changed = tiny.model("llama")
    for layer in changed.base_model.layers:
        layer.mlp.act_fn = Unforeseen()
    with pytest.raises(ModelError, match="has none; name the activation modules"):
        find_taps(changed)
    taps = find_taps(changed, "model.layers.{layer}.mlp.act_fn")
    model = dataclasses.replace(tiny_loaded("llama"), model=changed, taps=taps, space=tap_space(changed, taps))
    assert_read_as_by_hand(model, "llama")


def test_encoder_decoders_are_refused_as_they_are_loaded(tmp_path: Path) -> None:
    config = transformers.T5Config(vocab_size=420, d_model=16, d_ff=24, d_kv=8, num_layers=2, num_heads=2)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    tiny.tokenizer(bos=False).save_pretrained(tmp_path / "t5")
    files = find_model(str(tmp_path / "t5"), Cache(tmp_path))
    with pytest.raises(ModelError, match="t5 is an encoder-decoder model; linguabridge reads decoder-only"):
        load_model(files, ModelOptions("cpu", "float32"))


@pytest.mark.parametrize("taps", [None, "backbone.layers.{layer}.mixer.act"])
def test_state_space_models_are_refused(taps: str | None) -> None:
    for hybrid in (  # of which transformers does not say that they keep a state
        transformers.Lfm2Config(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                                num_key_value_heads=2, vocab_size=50, full_attn_idxs=[1]),
        transformers.MiniMaxConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                                   num_key_value_heads=2, vocab_size=50, num_local_experts=2, head_dim=8),
    ):  # fmt: skip
        with pytest.raises(ModelError, match="is a state-space model, or has such layers: it folds"):
            find_taps(transformers.AutoModelForCausalLM.from_config(hybrid), taps)
    config = transformers.MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, state_size=4)
    with pytest.raises(ModelError, match="MambaForCausalLM is a state-space model, or has such layers: it folds"):
        find_taps(transformers.MambaForCausalLM(config), taps)


def quantised(folder: Path, tiny_model: Callable[[str], Path], settings: dict[str, object]) -> Path:
    """A checkpoint whose configuration says that its weights are quantised, which they are not."""
    shutil.copytree(tiny_model("llama"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": settings}), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("settings", "package"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "optimum"),
        ({"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}, "gptqmodel"),
    ],
)
def test_quantised_weights_without_their_package_say_what_to_install(
    tiny_model: Callable[[str], Path], tmp_path: Path, settings: dict[str, object], package: str
) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    files = find_model(str(quantised(tmp_path / "q", tiny_model, settings)), Cache(tmp_path))
    with pytest.raises(ModelError, match=f"transformers cannot load .*pip install .*{package}"):
        load_model(files, ModelOptions("cpu", "float32"))


def test_quantised_weights_are_read(tiny_loaded: Load, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    source = tiny.save(tmp_path / "whole", "llama", hidden_size=64, intermediate_size=128)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        source, quantization_config=transformers.BitsAndBytesConfig(load_in_4bit=True), dtype=torch.float32
    )
    model.save_pretrained(tmp_path / "q")
    tiny.tokenizer(bos=True).save_pretrained(tmp_path / "q")
    found = load_model(find_model(str(tmp_path / "q"), Cache(tmp_path)), ModelOptions("cpu", "float32"))
    assert found.space.widths == (128,) * tiny.LAYERS
    whole = load_model(find_model(str(source), Cache(tmp_path)), ModelOptions("cpu", "float32"))
    p = [profile_text(one, tiny.LINES).probability for one in (found, whole)]
    assert 0.5 < np.corrcoef(p)[0, 1] < 0.9999


def test_two_modules_of_a_layer_can_be_named(tiny_loaded: Load) -> None:
    llama = tiny_loaded("llama")
    taps = find_taps(llama.model, "model.layers.{layer}.mlp.act_fn+model.layers.{layer}.mlp.up_proj")
    both = dataclasses.replace(llama, taps=taps, space=tap_space(llama.model, taps))
    assert both.space.experts == ((tiny.WIDTH, tiny.WIDTH),) * tiny.LAYERS
    up = find_taps(llama.model, "model.layers.{layer}.mlp.up_proj")
    parts = [profile_text(one, LINES) for one in (llama, dataclasses.replace(llama, taps=up))]
    found = profile_text(both, LINES)
    expected = np.stack([one.positive.reshape(tiny.LAYERS, tiny.WIDTH) for one in parts], axis=1)
    np.testing.assert_array_equal(found.positive, expected.ravel())
    np.testing.assert_array_equal(found.routed, [found.tokens] * 2 * tiny.LAYERS)  # type: ignore[arg-type]
