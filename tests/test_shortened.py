"""Forward passes that end after the last layer that is asked for: the same numbers from fewer layers."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module

import tiny
from linguabridge import probing
from linguabridge.model import LanguageModel
from linguabridge.neurons import NeuronSet
from linguabridge.probing import probe_matrix
from linguabridge.taps import decoder_layers

Load = Callable[[str], LanguageModel]
PROMPTS = ["the cat sat on the mat", "le chat", "paka ameketi juu ya mkeka na mbwa", "a"] * 3


@contextmanager
def layers_run(model: LanguageModel) -> Iterator[list[int]]:
    """Numbers of the layers that ran, in order."""
    run: list[int] = []
    handles = [
        layer.register_forward_hook(lambda *_, number=number: run.append(number))
        for number, layer in enumerate(decoder_layers(model.model)[1])
    ]
    yield run
    for handle in handles:
        handle.remove()


@contextmanager
def whole(_model: LanguageModel, _last: int) -> Iterator[Callable[[Callable[[], object]], None]]:
    yield lambda forward: (forward(), None)[1]


def up_to(model: LanguageModel, last: int) -> NeuronSet:
    """Every third neuron of the layers up to the last one."""
    return NeuronSet(model.space, np.arange(0, model.space.starts[last + 1], 3))


@pytest.mark.parametrize("family", [*tiny.FAMILIES, *tiny.MORE])
def test_the_same_values_from_the_layers_that_are_needed(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    model = tiny_loaded(family)
    ids = torch.tensor([model.encode(PROMPTS[0])])
    with torch.no_grad():
        before = model.model(input_ids=ids).logits
    for last in range(tiny.LAYERS):
        some = up_to(model, last)
        with layers_run(model) as run:
            found = probe_matrix(model, PROMPTS, some)
        assert run == [*range(last + 1)]  # one batch
        with monkeypatch.context() as patch, layers_run(model) as run:
            patch.setattr(probing, "ending_after", whole)
            expected = probe_matrix(model, PROMPTS, some)
        assert run == [*range(tiny.LAYERS)]
        np.testing.assert_array_equal(found, expected)
        assert len(np.unique(found)) > len(some)
    with torch.no_grad():
        assert torch.equal(model.model(input_ids=ids).logits, before)  # nothing is left behind


def test_a_model_whose_layers_come_and_go_runs_whole(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    hooked = dataclasses.replace(model, model=copy.deepcopy(model.model))
    add_hook_to_module(hooked.model.model.layers[3], ModelHook())  # as --device map does for every layer
    with layers_run(hooked) as run:
        found = probe_matrix(hooked, PROMPTS, up_to(model, 1))
    assert run == [*range(tiny.LAYERS)]
    np.testing.assert_array_equal(found, probe_matrix(model, PROMPTS, up_to(model, 1)))


def test_taps_in_another_order_than_the_layers_run_whole(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    turned = dataclasses.replace(model, taps=model.taps[::-1])
    with layers_run(turned) as run:
        probe_matrix(turned, PROMPTS, up_to(model, 0))
    assert run == [*range(tiny.LAYERS)]


def test_layers_that_run_in_another_order_run_whole(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    changed = dataclasses.replace(model, model=copy.deepcopy(model.model))
    layers = changed.model.model.layers
    forward = changed.model.model.forward

    def backwards(*args: object, **named: object) -> object:
        with torch.no_grad():
            states = changed.model.model.embed_tokens(named["input_ids"])
            places = changed.model.model.rotary_emb(states, torch.arange(states.shape[1])[None])
            layers[2](states, position_embeddings=places)
        return forward(*args, **named)

    changed.model.model.forward = backwards
    with layers_run(changed) as run:
        found = probe_matrix(changed, PROMPTS, up_to(model, 1))
    assert run[:3] == [2, 0, 1]  # layer 2 came before what is wanted, which runs all the same
    np.testing.assert_array_equal(found, probe_matrix(model, PROMPTS, up_to(model, 1)))
