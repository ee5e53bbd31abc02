"""Models spread over devices: here over memory and disk, which takes the same hooks as several GPUs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import tiny
from linguabridge.cache import Cache
from linguabridge.collect import profile_text
from linguabridge.errors import ModelError
from linguabridge.generate import greedy_answers
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel, ModelOptions, load_model, open_model
from linguabridge.model_files import find_model
from linguabridge.neurons import NeuronSet
from linguabridge.probing import probe_matrix

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


def test_a_spread_model_that_computes_nonsense_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tiny.model("llama")
    with torch.no_grad():
        broken.model.layers[1].mlp.up_proj.weight[:] = float("inf")
    folder = tiny.save(tmp_path / "broken", "llama")
    broken.save_pretrained(folder)
    with pytest.raises(ModelError, match="not finite"):
        spread(folder, Cache(tmp_path / "cache"), monkeypatch)
