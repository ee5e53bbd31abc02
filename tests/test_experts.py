"""Mixtures of experts, in every way that transformers executes them, against their own weights and routers."""

from __future__ import annotations

import copy
import dataclasses
import gc
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS, batched_mm_experts_forward

import by_hand
import tiny
from linguabridge.ablation.intervene import scaled
from linguabridge.cache import Cache
from linguabridge.collect import profile_blocks, profile_text, sequences
from linguabridge.errors import ModelError
from linguabridge.experts import execution, router_choice
from linguabridge.inspection import inspect
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.measure import Measurements
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.probing import probe_matrix
from linguabridge.profile import BlockedProfile, LanguageProfile
from linguabridge.spectrum.similarity import resampled_correlations
from linguabridge.taps import find_taps, tap_space
from linguabridge.texts import load_text
from test_device_map import spread
from test_taps import hooks

Load = Callable[[str], LanguageModel]
WAYS = ("eager", "grouped_mm", "batched_mm")
LINES = tiny.LINES[:4]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tiny_loaded: Load) -> Iterator[str]:
    """Execute all experts in this way."""
    models = [tiny_loaded(family).model for family in by_hand.ROUTED]
    before = [model.config._experts_implementation for model in models]
    for model in models:
        model.set_experts_implementation(request.param)
    yield request.param
    for model, was in zip(models, before, strict=True):
        model.set_experts_implementation(was)


def counted(family: str, model: LanguageModel, ids: list[int]) -> np.ndarray:
    return by_hand.values(family, model.model, ids)[:, [token not in model.special_ids for token in ids]]


def at_each(found: LanguageProfile | BlockedProfile) -> np.ndarray:
    """Tokens that came to each neuron."""
    assert found.routed is not None
    return np.repeat(found.routed, found.space.expert_widths, axis=-1)


@pytest.mark.parametrize("family", by_hand.ROUTED)
def test_statistics_are_those_of_the_tokens_routed_to_each_expert(tiny_loaded: Load, family: str, way: str) -> None:
    model = tiny_loaded(family)
    assert {execution(m) for m in model.model.modules() if hasattr(m, "gate_up_proj")} == {way}
    found = profile_text(model, LINES)
    positive, total, tokens = by_hand.statistics(counted(family, model, model.encode(line)) for line in LINES)
    np.testing.assert_array_equal(at_each(found), tokens)
    assert np.abs(found.positive - positive).sum() <= 2  # a value within rounding of 0 may fall on either side of it
    np.testing.assert_allclose(found.total, total, rtol=1e-4, atol=1e-3)
    p = np.divide(positive, tokens, where=tokens > 0, out=np.zeros(len(positive)))
    np.testing.assert_allclose(found.probability, p, atol=2 / tokens[tokens > 0].min())
    np.testing.assert_allclose(found.over_all.probability, positive / found.tokens, atol=2 / found.tokens)
    assert len(np.unique(found.routed)) > 2


@pytest.mark.parametrize("family", by_hand.ROUTED)
def test_layers_hold_their_experts(tiny_loaded: Load, family: str) -> None:
    few, none = (tiny.UNITS,) * tiny.EXPERTS, (tiny.WIDTH,)
    expected = {
        "mixtral": ((tiny.WIDTH,) * tiny.EXPERTS,) * 4,
        "qwen3moe": (few, none, few, few),
        "deepseek3": (none, (*few, tiny.UNITS), (*few, tiny.UNITS), (*few, tiny.UNITS)),
    }[family]
    space = tiny_loaded(family).space
    assert space.experts == expected
    assert space.widths == tuple(map(sum, expected))
    places = [(la, ex, unit) for la, one in enumerate(expected) for ex, n in enumerate(one) for unit in range(n)]
    np.testing.assert_array_equal(space.places(np.arange(len(space))), places)
    assert NeuronSpace.of_facts(space.facts) == space


def test_an_expert_that_no_token_came_to_has_probability_0(tiny_loaded: Load) -> None:
    model = tiny_loaded("mixtral")
    found = profile_text(model, LINES, max_tokens=1)
    assert found.routed is not None
    assert sorted(found.routed) == [0] * 4 * (tiny.EXPERTS - 2) + [1] * 4 * 2
    assert set(found.probability) == {0.0, 1.0}
    assert not found.probability[at_each(found) == 0].any()
    assert not found.mean[at_each(found) == 0].any()


def test_blocks_add_up_to_the_whole(tiny_loaded: Load, way: str) -> None:
    model = tiny_loaded("qwen3moe")
    found = profile_blocks(model, LINES, max_tokens=10_000, blocks=3)
    encoded = list(sequences(model, LINES, 10_000))
    sizes = [sum(token not in model.special_ids for token in ids) for ids in encoded]
    block_of = [sum(sizes[:n]) * 3 // sum(sizes) for n in range(len(sizes))]
    assert sorted(set(block_of)) == [0, 1, 2]
    for block in range(3):
        lines = [counted("qwen3moe", model, ids) for ids, one in zip(encoded, block_of, strict=True) if one == block]
        positive, _, tokens = by_hand.statistics(lines)
        np.testing.assert_array_equal(at_each(found)[block], tokens)
        assert np.abs(found.positive[block].astype(int) - positive).sum() <= 2
    whole = profile_text(model, LINES)
    np.testing.assert_array_equal(found.whole.routed, whole.routed)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.whole.probability, whole.probability, atol=0.1)


@pytest.mark.parametrize("family", by_hand.ROUTED)
def test_probe_matrix_is_the_mean_over_the_prompts_tokens(tiny_loaded: Load, family: str, way: str) -> None:
    model = tiny_loaded(family)
    neurons = NeuronSet.of(model.space, np.arange(0, len(model.space), 5))
    found = probe_matrix(model, LINES, neurons)
    every = [np.nan_to_num(counted(family, model, model.encode(line))).mean(axis=1) for line in LINES]
    np.testing.assert_allclose(found, np.stack(every, axis=1)[neurons.flat], rtol=1e-4, atol=1e-5)
    assert (found == 0).any()


@pytest.mark.parametrize("factor", [0.0, 2.0])
@pytest.mark.parametrize("family", by_hand.ROUTED)
def test_scaled_neurons_equal_scaled_columns_of_their_expert(
    tiny_loaded: Load, family: str, factor: float, way: str
) -> None:
    model = tiny_loaded(family)
    changed: Any = copy.deepcopy(model.model)
    chosen = NeuronSet.of(model.space, np.arange(1, len(model.space), 7))
    with torch.no_grad():
        for layer, expert, unit in model.space.places(chosen.flat).tolist():
            mlp = by_hand.layers(changed)[layer].mlp
            if not hasattr(mlp, "experts"):
                mlp.down_proj.weight[:, unit] *= factor
            elif expert < tiny.EXPERTS:
                mlp.experts.down_proj[expert, :, unit] *= factor
            else:
                mlp.shared_experts.down_proj.weight[:, unit] *= factor
    ids = torch.tensor([[5, 200, 31, 4, 77, 300], [8, 8, 120, 6, 41, 2]])
    with torch.no_grad():
        before, expected = model.model(input_ids=ids).logits, changed(input_ids=ids).logits
        with scaled(model, chosen, factor):
            found = model.model(input_ids=ids).logits
        after = model.model(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found - before).abs().max() > 0.01
    assert torch.equal(before, after)


def test_hooks_come_off(tiny_loaded: Load) -> None:
    model = tiny_loaded("deepseek3")
    profile_text(model, LINES[:1])
    find_taps(model.model)
    with scaled(model, NeuronSet.of(model.space, np.arange(len(model.space))), 0.0):
        assert hooks(model.model) == 1 + 3 * 3  # experts, their activation function, and that of the shared one
    assert hooks(model.model) == 0


# The check at load


def without_module(experts: Any, hidden: Tensor, choice: Tensor, weights: Tensor) -> Tensor:
    activation = experts._modules.pop("act_fn")
    experts.act_fn = torch.nn.functional.silu
    try:
        return batched_mm_experts_forward(experts, hidden, choice, weights)
    finally:
        del experts.act_fn
        experts.act_fn = activation


def backwards(experts: Any, hidden: Tensor, choice: Tensor, weights: Tensor) -> Tensor:
    return batched_mm_experts_forward(experts, hidden.flip(0), choice.flip(0), weights.flip(0)).flip(0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (without_module, "gave 0 activations for 3 tokens where 6 were promised"),
        (backwards, "run in an order that linguabridge does not know"),
    ],
)
@pytest.mark.parametrize("family", ["mixtral", "qwen3moe"])
def test_execution_that_cannot_be_followed_is_refused(
    monkeypatch: pytest.MonkeyPatch, family: str, how: Any, message: str
) -> None:
    model = tiny.model(family)
    monkeypatch.setitem(ALL_EXPERTS_FUNCTIONS._global_mapping, "own", how)
    model.set_experts_implementation("own")
    with pytest.raises(ModelError, match=f"{message} \\(experts implementation 'own'\\)"):
        find_taps(model)
    assert hooks(model) == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("setting", "message"),
    [("num_experts_per_tok", "gave 6 activations for 3 tokens where 9 were"), ("intermediate_size", "have 96 units")],
)
def test_a_configuration_that_promises_others_is_refused(way: str, setting: str, message: str) -> None:
    model = tiny.model("mixtral")
    model.set_experts_implementation(way)
    setattr(model.config, setting, getattr(model.config, setting) + 1)
    with pytest.raises(ModelError, match=message):
        find_taps(model)


def test_rows_beyond_the_routers_choice_are_refused() -> None:
    model = tiny.model("mixtral")
    experts = by_hand.layers(model)[1].mlp.experts
    experts.act_fn.register_forward_hook(lambda _m, _i, out: out.repeat(2, 1))
    with pytest.raises(ModelError, match="more activations than the router chose experts"):
        find_taps(model)


def test_experts_without_a_routers_choice_are_refused() -> None:
    with pytest.raises(ModelError, match="not told which tokens the router sends to them"):
        router_choice((torch.ones(3, 4),), {"weights": torch.ones(3, 2)})


def test_experts_without_an_activation_module_are_refused() -> None:
    config = transformers.GptOssConfig(
        **{**tiny._SIZES, "head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1, "num_hidden_layers": 1}
    )
    with pytest.raises(ModelError, match=r"GptOssForCausalLM should have one activation function .* has none"):
        find_taps(transformers.GptOssForCausalLM(config))


def test_taps_can_be_named(tiny_loaded: Load) -> None:
    model = tiny_loaded("mixtral")
    taps = find_taps(model.model, "model.layers.{layer}.mlp.experts.act_fn")
    assert taps == model.taps
    named = dataclasses.replace(model, taps=taps, space=tap_space(model.model, taps))
    np.testing.assert_array_equal(profile_text(named, LINES[:1]).positive, profile_text(model, LINES[:1]).positive)


# What builds on it


def test_results_are_kept_and_found_again(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    found = []
    for _ in range(2):
        measure = Measurements(
            open_model(str(tiny_model("qwen3moe")), ModelOptions("cpu", "float32"), cache, None), cache
        )
        text = load_text(None, parse("de"), 0)
        found.append((measure.profile(text, max_tokens=60), measure.blocks(text, max_tokens=60, blocks=3)))
    for first, again in zip(*found, strict=True):
        assert first.space == again.space
        for name in ("positive", "total", "tokens", "routed"):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert "loaded" not in vars(measure.model)


def test_resampled_correlations_are_those_of_resampled_probabilities() -> None:
    rng = np.random.default_rng(3)
    space = NeuronSpace.of_experts([[5, 5, 4], [6]])
    profiles = []
    for blocks in (4, 6):
        tokens = np.full(blocks, 40)
        routed = np.concatenate([rng.multinomial(40, [0.5, 0.4, 0.1], blocks), tokens[:, None]], axis=1)
        positive = rng.binomial(np.repeat(routed, space.expert_widths, axis=1), rng.random(len(space)))
        ids = np.arange(2)
        profiles.append(BlockedProfile(space, positive, np.zeros(len(space)), tokens, ids, ids + 1, routed))
    found = list(resampled_correlations(profiles, samples=3, seed=8))
    draws = np.random.default_rng(8)
    for matrix in found:
        p = []
        for one in profiles:
            drawn = draws.integers(len(one.tokens), size=len(one.tokens))
            assert one.routed is not None
            reached = np.repeat(one.routed[drawn].sum(0), space.expert_widths)
            p.append(one.positive[drawn].sum(0) / reached)
        np.testing.assert_allclose(matrix, np.corrcoef(p), atol=1e-9)


def test_inspect_says_how_many_experts(tiny_model: Callable[[str], Path]) -> None:
    said = inspect(str(tiny_model("deepseek3")), ModelOptions("cpu", "float32"))
    assert said["experts"] == "1 of 96 or 7 of 24 neurons a layer"
    assert said["neurons"] == "600 (96 or 168 a layer)"
    assert said["activation"] == "SiLUActivation"
    assert "experts" not in inspect(str(tiny_model("llama")), ModelOptions("cpu", "float32"))


def test_experts_that_are_fetched_for_each_pass_are_read_the_same(
    tiny_model: Callable[[str], Path], tiny_loaded: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = profile_text(tiny_loaded("mixtral"), LINES)  # first: what follows changes how models are loaded
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = spread(tiny_model("mixtral"), Cache(tmp_path), monkeypatch)
    found = profile_text(model, LINES)
    assert list(tmp_path.glob("linguabridge-*/model.layers.1.mlp.experts.down_proj.safetensors"))
    np.testing.assert_array_equal(found.positive, expected.positive)
    np.testing.assert_array_equal(found.routed, expected.routed)  # type: ignore[arg-type]
    del model
    gc.collect()
    assert not list(tmp_path.glob("linguabridge-*"))
