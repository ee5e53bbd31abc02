"""The arithmetic of a large job in the documentation: by the script, and its parameters as transformers counts them."""

from __future__ import annotations

import large_job
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from linguabridge.batches import TOKENS_PER_BATCH_ACCELERATOR
from linguabridge.texts import MAX_LENGTH


def test_batches_are_those_of_the_package() -> None:
    assert large_job.BATCH == TOKENS_PER_BATCH_ACCELERATOR
    assert large_job.CONTEXT == MAX_LENGTH


def test_page_holds_what_the_script_computes() -> None:
    assert large_job.table() in large_job.PAGE.read_text("utf-8"), "run scripts/large_job.py"


@pytest.mark.parametrize("one", large_job.MODELS, ids=lambda one: one.name)
def test_parameters_are_those_that_transformers_makes(one: large_job.Model) -> None:
    config = LlamaConfig(
        vocab_size=one.vocabulary, hidden_size=one.hidden, intermediate_size=one.intermediate,
        num_hidden_layers=one.layers, num_attention_heads=one.heads, num_key_value_heads=one.kv_heads,
        tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    matrices = [weight.numel() for weight in model.parameters() if weight.ndim == 2]
    assert one.weights == sum(matrices)
    assert one.body == sum(matrices) - 2 * one.vocabulary * one.hidden
    linear = [size for size in model.model.layers[0].modules() if isinstance(size, torch.nn.Linear)]
    assert one.body == one.layers * sum(layer.weight.numel() for layer in linear)
    assert one.values == one.layers * sum(layer.in_features + layer.out_features for layer in linear)
    assert one.neurons == one.layers * model.model.layers[0].mlp.gate_proj.out_features
