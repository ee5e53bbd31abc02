"""Models spread over devices: here over memory and disk, which takes the same hooks as several GPUs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from transformers import AutoModelForCausalLM

import tiny
from linguabridge import collect
from linguabridge.cache import Cache
from linguabridge.collect import profile_text
from linguabridge.errors import ModelError
from linguabridge.generate import greedy_answers
from linguabridge.lazy_model import open_model
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel, ModelOptions, load_model
from linguabridge.model_files import find_model
from linguabridge.neurons import NeuronSet
from linguabridge.probing import probe_matrix
from linguabridge.taps import Part

Folder = Callable[[str], Path]
MAP = ModelOptions("map", "float32")
PROMPTS = ["the cat sat on the mat", "le chat est assis", "paka ameketi juu ya mkeka na mbwa"]
OPTIONS = [["a", "b und c", "na"]] * 3


def spread(folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """Load where two layers do not fit and stay on the disk."""
    places = {f"model.layers.{layer}": "disk" if layer in (1, 2) else "cpu" for layer in range(tiny.LAYERS)}
    places |= dict.fromkeys(("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head"), "cpu")
    real, wanted = AutoModelForCausalLM.from_pretrained, []

    def from_pretrained(*arguments: Any, **options: Any) -> Any:
        wanted.append(options["device_map"])
        return real(*arguments, **{**options, "device_map": places})

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    model = load_model(find_model(str(folder), cache), MAP)
    assert wanted == ["auto"]
    assert {weight.device.type for weight in model.model.parameters()} == {"cpu", "meta"}
    return model


def test_a_map_of_one_device_is_that_device(tiny_model: Folder, tmp_path: Path) -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("a machine with an accelerator")
    opened = open_model(str(tiny_model("llama")), MAP, Cache(tmp_path))
    assert opened.key["device"] == "map"
    assert {weight.device.type for weight in opened.loaded.model.parameters()} == {"cpu"}


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_spread_model_computes_the_same(
    tiny_model: Folder,
    tiny_loaded: Callable[[str], LanguageModel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    whole, model = tiny_loaded(family), spread(tiny_model(family), Cache(tmp_path), monkeypatch)
    np.testing.assert_allclose(
        option_log_probabilities(model, PROMPTS, OPTIONS, whole=True),
        option_log_probabilities(whole, PROMPTS, OPTIONS, whole=True),
        rtol=1e-4,
        atol=1e-4,
    )
    ending: dict[str, Any] = {"finished": lambda _: False, "max_new_tokens": 6}
    assert greedy_answers(model, PROMPTS, **ending) == greedy_answers(whole, PROMPTS, **ending)
    one, other = profile_text(model, PROMPTS), profile_text(whole, PROMPTS)
    np.testing.assert_array_equal(one.positive, other.positive)
    np.testing.assert_allclose(one.total, other.total, rtol=1e-4, atol=1e-4)
    neurons = NeuronSet(whole.space, np.arange(0, len(whole.space), 7))
    np.testing.assert_allclose(
        probe_matrix(model, PROMPTS, neurons), probe_matrix(whole, PROMPTS, neurons), rtol=1e-4, atol=1e-4
    )


class Moves(TorchFunctionMode):
    """Notes what is added up on the device without data ("meta"), and what is fetched from there, which are zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.added = 0
        self.fetched: list[tuple[int, ...]] = []
        self.added_when_fetched: list[int] = []

    def __torch_function__(self, function: Any, _: Any, arguments: Any = (), options: Any = None) -> Any:
        name = getattr(function, "__name__", "")
        if name in ("__iadd__", "add_") and arguments[0].is_meta:
            assert arguments[1].is_meta
            self.added += 1
        if name == "cpu" and arguments[0].is_meta:
            self.fetched.append(tuple(arguments[0].shape))
            self.added_when_fetched.append(self.added)
            return torch.zeros(arguments[0].shape, dtype=arguments[0].dtype)
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_sums_stay_on_the_device_of_their_layer_until_the_end(
    tiny_loaded: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    # Of a machine with one device, the one without data stands in for a second GPU: values of two layers come there.
    model, there = tiny_loaded(family), (1, 2)
    monkeypatch.setattr(collect, "token_budget", lambda _: 64)
    whole = profile_text(model, tiny.LINES * 3)
    real_record, real_batches, batches = collect.record, collect.batches, 0

    def record(model: Any, taps: Any, read: Any) -> Any:
        def moved(part: Part, values: torch.Tensor) -> None:
            if part.layer in there:
                tokens = part.tokens if part.tokens is None else part.tokens.to("meta")
                part, values = dataclasses.replace(part, tokens=tokens), values.to("meta")
            read(part, values)

        return real_record(model, taps, moved)

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal batches
        for one in real_batches(*arguments, **options):
            batches += 1
            yield one

    monkeypatch.setattr(collect, "record", record)
    monkeypatch.setattr(collect, "batches", counted)
    with Moves() as moves:
        spread = profile_text(model, tiny.LINES * 3)
    assert batches > 2
    # Three sums of each layer: of counts, of values, of the tokens that came.
    if family == "llama":
        assert moves.added == 3 * len(there) * batches
    width = model.space.widths[1]
    expected = [(1, width)] * (2 * len(there))
    if model.space.experts:
        expected += [(1, len(model.space.spans[1]))] * len(there)
    assert sorted(moves.fetched) == sorted(expected)  # each of them once…
    assert set(moves.added_when_fetched) == {moves.added}  # …when all has been added
    layer_of = np.repeat(np.arange(model.space.n_layers), model.space.widths)
    here = ~np.isin(layer_of, there)
    np.testing.assert_array_equal(spread.positive[here], whole.positive[here])
    np.testing.assert_array_equal(spread.total[here], whole.total[here])


def test_a_spread_model_that_computes_nonsense_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tiny.model("llama")
    with torch.no_grad():
        broken.model.layers[1].mlp.up_proj.weight[:] = float("inf")
    folder = tiny.save(tmp_path / "broken", "llama")
    broken.save_pretrained(folder)
    with pytest.raises(ModelError, match="not finite"):
        spread(folder, Cache(tmp_path / "cache"), monkeypatch)
