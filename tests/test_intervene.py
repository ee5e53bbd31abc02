"""Scaled neurons against the same model with the columns of its down projections scaled by hand."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from by_hand import layers
from linguabridge.ablation.intervene import scaled
from linguabridge.generate import greedy_answers
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.taps import record
from test_taps import hooks

Load = Callable[[str], LanguageModel]
FAMILIES = (*tiny.FAMILIES, "neox")
SOME = [(0, 3), (0, 90), (1, 0), (3, 95), (3, 17)]  # none in layer 2


def chosen(model: LanguageModel) -> NeuronSet:
    return NeuronSet.of(model.space, [int(model.space.starts[layer]) + unit for layer, unit in SOME])


def column(family: str, layer: Any, unit: int) -> Tensor:
    """What a neuron writes: its part of the down projection's weight."""
    if family == "gpt2":  # Conv1D keeps its weight transposed
        return layer.mlp.c_proj.weight[unit]
    if family == "opt":
        return layer.fc2.weight[:, unit]
    if family in ("bloom", "neox"):
        return layer.mlp.dense_4h_to_h.weight[:, unit]
    return layer.mlp.down_proj.weight[:, unit]


def logits(model: Any) -> Tensor:
    ids = torch.tensor([[5, 200, 31, 4, 77, 300], [8, 8, 120, 6, 41, 2]])
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits


@pytest.mark.parametrize("factor", [0.0, 2.0, -1.5])
@pytest.mark.parametrize("family", FAMILIES)
def test_scaled_neurons_equal_scaled_columns_of_the_down_projection(
    tiny_loaded: Load, family: str, factor: float
) -> None:
    model = tiny_loaded(family)
    by_hand = copy.deepcopy(model.model)
    with torch.no_grad():
        for layer, unit in SOME:
            column(family, layers(by_hand)[layer], unit).mul_(factor)
    expected, before = logits(by_hand), logits(model.model)
    with scaled(model, chosen(model), factor):
        found = logits(model.model)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found - before).abs().max() > 0.01
    assert torch.equal(logits(model.model), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_factor_one_and_no_neurons_change_no_bit(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    before = logits(model.model)
    for neurons, factor in ((chosen(model), 1.0), (NeuronSet.of(model.space, []), 0.0)):
        with scaled(model, neurons, factor):
            assert torch.equal(logits(model.model), before)


def test_only_the_chosen_neurons_change_and_later_layers_follow(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    read: dict[bool, list[Tensor]] = {True: [], False: []}
    ids = torch.tensor([[5, 200, 31]])
    for off in (False, True):
        with (
            scaled(model, chosen(model) if off else NeuronSet.of(model.space, []), 0.0),
            record(model.model, model.taps, lambda _part, values, off=off: read[off].append(values.clone())),
            torch.no_grad(),
        ):
            model.model.base_model(input_ids=ids, use_cache=False)
    zero = [(read[True][layer] == 0).all(dim=0).nonzero().flatten().tolist() for layer in range(4)]
    assert zero == [[3, 90], [0], [], [17, 95]]
    rest = [unit for unit in range(tiny.WIDTH) if unit not in (3, 90)]
    assert torch.equal(read[True][0][:, rest], read[False][0][:, rest])
    assert not torch.equal(read[True][2], read[False][2])


def test_hooks_come_off_in_the_end_and_after_an_exception(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    before = hooks(model.model)
    with scaled(model, chosen(model), 0.0):
        assert hooks(model.model) == before + 3  # none in a layer without a chosen neuron
    assert hooks(model.model) == before
    with pytest.raises(RuntimeError, match="in the middle"), scaled(model, chosen(model), 0.0):
        raise RuntimeError("in the middle")
    assert hooks(model.model) == before
    broken = dataclasses.replace(model, taps=(*model.taps[:3], "no.such.module"))
    with pytest.raises(KeyError), scaled(broken, chosen(model), 0.0):
        pass
    assert hooks(model.model) == before


def test_neurons_of_another_model_are_refused(tiny_loaded: Load) -> None:
    with pytest.raises(ValueError, match="other layers"), scaled(tiny_loaded("llama"), chosen(tiny_loaded("gpt2")), 0):
        pass


def test_likelihoods_and_answers_are_those_of_the_changed_model(tiny_loaded: Load) -> None:
    # Cached prompts, options and generated tokens all pass through the changed neurons.
    model = tiny_loaded("gemma3")
    by_hand = copy.deepcopy(model.model)
    with torch.no_grad():
        for layer, unit in SOME:
            column("gemma3", layers(by_hand)[layer], unit).mul_(0)
    other = dataclasses.replace(model, model=by_hand)
    prompts, options = ["the cat sat", "le chat est"], [["a", "b und c"], [" maji", "x"]]
    with scaled(model, chosen(model), 0.0):
        found = option_log_probabilities(model, prompts, options)
        answers = greedy_answers(model, prompts, finished=lambda _: False, max_new_tokens=6)
    assert found == pytest.approx(option_log_probabilities(other, prompts, options), rel=1e-4)
    assert answers == greedy_answers(other, prompts, finished=lambda _: False, max_new_tokens=6)


def test_values_keep_their_type(tiny_loaded: Load) -> None:
    model = dataclasses.replace(tiny_loaded("llama"), model=tiny.model("llama").to(torch.bfloat16))
    with scaled(model, chosen(model), 0.0):
        assert logits(model.model).dtype == torch.bfloat16
