"""Tiny language models with random weights and a real tokenizer, saved as folders that linguabridge loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

HIDDEN, WIDTH, LAYERS, HEADS = 32, 96, 4, 4
VOCABULARY = 420
EXPERTS, UNITS = 6, 24  # experts a layer, and neurons of each where a configuration sets them apart from the layer's

LINES = [
    "the cat sat on the mat and looked at the dog in the garden",
    'English:"water"→Deutsch:"Wasser"→Kiswahili:"maji"',
    "die Katze sitzt auf der Matte und der Hund im Garten",
    "paka ameketi juu ya mkeka na mbwa yuko bustanini, maji na dunia",
    "le chat est assis sur le tapis, et le chien dans le jardin",
    "القطة تجلس على السجادة والكلب في الحديقة",
    "החתול יושב על השטיח והכלב בגן",
    "猫はマットの上に座り、犬は庭にいる",
]

_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.3,  # large, so that values and answers differ plainly between inputs
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
_GEMMA = {**_SIZES, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 6}
_SLIDING = ["sliding_attention", "full_attention"] * (LAYERS // 2)

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", _SIZES),
    "qwen2": ("Qwen2", _SIZES),
    "phi3": ("Phi3", _SIZES),
    "gemma2": ("Gemma2", {**_GEMMA, "layer_types": _SLIDING, "final_logit_softcapping": 3.0}),
    "gemma3": ("Gemma3", {**_GEMMA, "layer_types": _SLIDING}),
    "gpt2": (
        "GPT2",
        {
            "vocab_size": VOCABULARY,
            "n_embd": HIDDEN,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "n_positions": 1024,
            "initializer_range": 0.3,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    "opt": (
        "OPT",
        {
            **{k: v for k, v in _SIZES.items() if k not in ("intermediate_size", "num_key_value_heads")},
            "ffn_dim": WIDTH,
            "word_embed_proj_dim": HIDDEN,
            "init_std": 0.3,
        },
    ),
    "bloom": (
        "Bloom",
        {
            "vocab_size": VOCABULARY,
            "hidden_size": HIDDEN,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "initializer_range": 0.3,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 2,
        },
    ),
}
_PLAIN = {key: value for key, value in _SIZES.items() if key != "num_key_value_heads"}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": UNITS}

# Families that the tests of taps and experts read, beside those that most tests run on.
MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "mistral": ("Mistral", {**_SIZES, "sliding_window": 6}),
    "qwen3": ("Qwen3", {**_SIZES, "head_dim": 8}),
    "neox": ("GPTNeoX", _PLAIN),
    "xglm": (
        "XGLM",
        {
            "vocab_size": VOCABULARY,
            "d_model": HIDDEN,
            "ffn_dim": WIDTH,
            "num_layers": LAYERS,
            "attention_heads": HEADS,
            "max_position_embeddings": 2048,
            "init_std": 0.3,
            "pad_token_id": 2,
        },
    ),
    "falcon": ("Falcon", {**_PLAIN, "ffn_hidden_size": WIDTH}),
    "olmo2": ("Olmo2", _SIZES),
    "cohere2": ("Cohere2", {**_SIZES, "sliding_window": 6}),
    "glm4": ("Glm4", {**_SIZES, "head_dim": 8}),
    "smollm3": ("SmolLM3", _SIZES),
    "mixtral": ("Mixtral", {**_SIZES, "num_local_experts": EXPERTS, "num_experts_per_tok": 2}),
    # Layer 1 has no experts.
    "qwen3moe": ("Qwen3Moe", {**_SIZES, **_EXPERTS, "head_dim": 8, "num_experts": EXPERTS, "mlp_only_layers": [1]}),
    # Layer 0 has no experts; the others have one beside them that every token goes through.
    "deepseek3": (
        "DeepseekV3",
        {
            **_SIZES,
            **_EXPERTS,
            "num_key_value_heads": HEADS,
            "n_routed_experts": EXPERTS,
            "n_shared_experts": 1,
            "n_group": 1,
            "topk_group": 1,
            "first_k_dense_replace": 1,
            "q_lora_rank": 16,
            "kv_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 4,
            "v_head_dim": 8,
        },
    ),
}
_CONFIGS = {"gemma3": "Gemma3TextConfig"}
WITHOUT_BOS = ("gpt2", "bloom", "qwen2", "qwen3")  # families whose tokenizers add none
WIDTHS = dict.fromkeys(FAMILIES, WIDTH) | {"gpt2": 4 * HIDDEN, "bloom": 4 * HIDDEN}


def tokenizer(*, bos: bool) -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on a few lines."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - 10,
            special_tokens=["<s>", "</s>", "<pad>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def model(family: str, **changes: Any) -> transformers.PreTrainedModel:
    """A random model of a family, the same on every call."""
    name, sizes = (FAMILIES | MORE)[family]
    config = getattr(transformers, _CONFIGS.get(family, f"{name}Config"))(**{**sizes, **changes})
    torch.manual_seed(7)
    return getattr(transformers, f"{name}{'LMHeadModel' if name == 'GPT2' else 'ForCausalLM'}")(config).eval()


def save(folder: Path, family: str, **changes: Any) -> Path:
    """Write model and tokenizer as transformers does."""
    model(family, **changes).save_pretrained(folder)
    tokenizer(bos=family not in WITHOUT_BOS).save_pretrained(folder)
    return folder


def save_always_active(folder: Path) -> Path:
    """A model whose neurons are all positive at every token."""
    always = model("opt")
    with torch.no_grad():
        for layer in always.model.decoder.layers:
            layer.fc1.bias.fill_(100)
    always.save_pretrained(folder)
    tokenizer(bos="opt" not in WITHOUT_BOS).save_pretrained(folder)
    return folder
