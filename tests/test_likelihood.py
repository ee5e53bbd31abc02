"""Likelihoods of options against transformers' own full forward pass over each whole text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tiny
from linguabridge import likelihood
from linguabridge.errors import InputError, ModelError
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel

Load = Callable[[str], LanguageModel]

PROMPTS = [
    'English:"water"→Kiswahili:',
    'English:"cat"→Deutsch:',
    'العربية:"قطة"→עברית:',
    'English:"dog"→Deutsch:',  # as long as another: they run together
    "a",
]
OPTIONS = [
    ['"maji"', '"dunia"', '"m"'],
    ['"Katze"', '"Hund und Katze im Garten"', '"K"'],
    ['"חתול"', '"כלב"', '"猫"'],
    ['"Hund"', '"Katze"', '"Matte"'],
    ['"x"', '"the cat"', '"y"'],
]


def naive(model: LanguageModel, text: str) -> float:
    """Log-probability of all tokens of a text after the first."""
    ids = torch.tensor([model.tokenizer(text).input_ids])
    with torch.no_grad():
        logits = model.model(input_ids=ids, use_cache=False).logits[0].double()
    return sum(float(logits[i].log_softmax(0)[token]) for i, token in enumerate(ids[0, 1:].tolist()))


def assert_equal_up_to_a_constant(found: np.ndarray, model: LanguageModel, prompts: list[str], options: list) -> None:
    expected = np.array(
        [[naive(model, p + option) for option in some] for p, some in zip(prompts, options, strict=True)]
    )
    np.testing.assert_allclose(found - found[:, :1], expected - expected[:, :1], rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_options_equal_the_full_forward_pass_up_to_the_shared_constant(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    if family.startswith("gemma"):  # the window that slides is shorter than the prompts
        assert model.model.config.sliding_window < min(len(model.encode(p)) for p in PROMPTS[:4])
    found = option_log_probabilities(model, PROMPTS, OPTIONS)
    assert found.shape == (5, 3)
    assert (found < 0).all()
    assert_equal_up_to_a_constant(found, model, PROMPTS, OPTIONS)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("logits", [1, 420 * 15])
def test_small_batches_change_nothing(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch, family: str, logits: int
) -> None:
    model = tiny_loaded(family)
    whole = option_log_probabilities(model, PROMPTS, OPTIONS)
    monkeypatch.setattr(likelihood, "LOGITS", logits)
    done: list[float] = []
    np.testing.assert_allclose(
        option_log_probabilities(model, PROMPTS, OPTIONS, advance=done.append), whole, rtol=1e-4, atol=2e-4
    )
    assert sum(done) == len(PROMPTS)
    assert len(done) > 3


def test_soft_capped_logits_are_those_of_the_family(tiny_loaded: Load) -> None:
    capped = tiny_loaded("gemma2")
    free = dataclasses.replace(capped, model=tiny.model("gemma2", final_logit_softcapping=None))
    with_caps, without = (option_log_probabilities(m, PROMPTS, OPTIONS) for m in (capped, free))
    assert np.abs(with_caps - without).max() > 0.1
    assert_equal_up_to_a_constant(without, free, PROMPTS, OPTIONS)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_tokens_that_span_the_border_of_prompt_and_option_are_scored(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    prompt, options = "the cat sat on the ma", ["t and", "n", "tte"]
    alone = model.encode(prompt)
    assert model.encode(prompt + options[0])[: len(alone)] != alone  # "mat" is one token
    found = option_log_probabilities(model, [prompt], [options])
    assert_equal_up_to_a_constant(found, model, [prompt], [options])


def test_option_that_begins_another_keeps_a_token_to_score(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    options = ['"maji', '"maji"', '"maji" na dunia']
    assert_equal_up_to_a_constant(option_log_probabilities(model, ["Maji:"], [options]), model, ["Maji:"], [options])


def test_identical_options_are_equally_likely(tiny_loaded: Load) -> None:
    found = option_log_probabilities(tiny_loaded("llama"), PROMPTS[:2], [['"maji"'] * 3, ['"a"', '"a"', '"bb"']])
    assert np.isfinite(found).all()
    assert found[0, 0] == found[0, 1] == found[0, 2]
    assert found[1, 0] == found[1, 1] != found[1, 2]


def test_options_of_one_token_need_no_second_pass(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    found = option_log_probabilities(model, ["the cat"], [["x", "y", "z"]])
    assert_equal_up_to_a_constant(found, model, ["the cat"], [["x", "y", "z"]])


def test_many_prompts_of_one_length_run_together_and_keep_their_order(tiny_loaded: Load) -> None:
    model = tiny_loaded("gemma3")
    prompts = [f"the cat {letter} sat on the mat:" for letter in "abcdefgh"]
    options = [[f"{a}", f"{b} und {a}"] for a, b in zip("qrstuvwx", "hgfedcba", strict=True)]
    assert_equal_up_to_a_constant(option_log_probabilities(model, prompts, options), model, prompts, options)


def test_no_prompts_give_no_scores(tiny_loaded: Load) -> None:
    assert option_log_probabilities(tiny_loaded("llama"), [], []).size == 0


@pytest.mark.parametrize("options", [[["a", "b"], ["a", "b", "c"]], [["a"], ["b"]], [[], []], [["a", "b"]]])
def test_uneven_options_are_refused(tiny_loaded: Load, options: list[list[str]]) -> None:
    with pytest.raises(InputError, match="same number of options"):
        option_log_probabilities(tiny_loaded("llama"), ["x", "y"], options)


def test_prompt_without_a_token_before_its_options_is_refused(tiny_loaded: Load) -> None:
    with pytest.raises(ModelError, match="at least one token before"):
        option_log_probabilities(tiny_loaded("gpt2"), [""], [["x", "y"]])  # adds no BOS


def test_likelihoods_that_are_not_finite_are_refused(tiny_loaded: Load) -> None:
    broken = tiny.model("llama")
    with torch.no_grad():
        broken.lm_head.weight[5] = float("nan")
    with pytest.raises(ModelError, match=r"not finite .* try --dtype float32"):
        option_log_probabilities(dataclasses.replace(tiny_loaded("llama"), model=broken), PROMPTS, OPTIONS)


def test_hook_at_the_output_embedding_comes_off(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    option_log_probabilities(model, PROMPTS[:1], OPTIONS[:1])
    assert not model.model.lm_head._forward_pre_hooks


SHARING = "the cat sat on the mat and looked at the dog in the garden. " * 3
STORIES = [
    *(
        f"{SHARING}{story}{question}"
        for story in ("die Katze " * 20, "paka na mbwa " * 12)
        for question in ("A", "B:", "na")
    ),
    f"{SHARING}le chat",
    "le chat est assis sur le tapis",
]
STORY_OPTIONS = [[f' "{word}"', f' "{word} und Hund"', ' "maji"'] for word in "abcdefgh"]


def naive_whole(model: LanguageModel, prompt: str, option: str) -> float:
    """Log-probability of the tokens after those of the prompt, where the option adds tokens to the prompt's own."""
    assert model.encode(prompt + option)[: len(model.encode(prompt))] == model.encode(prompt)
    return naive(model, prompt + option) - naive(model, prompt)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "bloom", "opt"])
def test_prompts_that_begin_alike_score_as_each_alone(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    assert_equal_up_to_a_constant(
        option_log_probabilities(model, STORIES, STORY_OPTIONS), model, STORIES, STORY_OPTIONS
    )


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_whole_options_count_what_all_of_them_begin_with(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    options = [[' "maji', ' "maji"', ' "maji" na dunia'], *STORY_OPTIONS[1:]]
    found = option_log_probabilities(model, STORIES, options, whole=True)
    expected = [[naive_whole(model, p, option) for option in some] for p, some in zip(STORIES, options, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=5e-4)


def test_common_beginnings_run_once(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    tokens = 0

    def count(_module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal tokens
        tokens += inputs[0].numel()

    handle = model.model.get_input_embeddings().register_forward_pre_hook(count)
    option_log_probabilities(model, STORIES[:6], STORY_OPTIONS[:6])
    handle.remove()
    story = len(model.encode(STORIES[0]))
    assert tokens < 2.5 * story  # two stories and what they share, instead of six
    options = sum(len(model.encode(option)) for some in STORY_OPTIONS[:6] for option in some)
    assert tokens > len(model.encode(SHARING)) + options / 2


def test_prompts_longer_than_the_model_reads_are_refused(tiny_loaded: Load) -> None:
    with pytest.raises(InputError, match=r"tokens, and .* reads 1,024 at most"):
        option_log_probabilities(tiny_loaded("gpt2"), ["x y z w " * 400], [["a", "b"]])


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_bytes_of_keys_and_values_are_those_of_the_cache(tiny_loaded: Load, family: str) -> None:
    model = tiny_loaded(family)
    with torch.no_grad():
        cache = model.model(input_ids=torch.tensor([[3, 4, 5]]), use_cache=True).past_key_values
    held = sum(part.numel() * part.element_size() for layer in cache.layers for part in (layer.keys, layer.values))
    assert likelihood._bytes_per_token(model) == held / 3


def test_a_gpu_holds_as_many_tokens_as_a_quarter_of_what_the_weights_leave(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_loaded("llama")
    assert likelihood._cached(model) == likelihood._CACHED

    class OnGpus:
        config, dtype = model.model.config, torch.float32

        def parameters(self) -> list[SimpleNamespace]:
            places = ["cuda:0", "cuda:1", "cuda:1", "meta"]
            return [SimpleNamespace(device=torch.device(place), nbytes=2**20) for place in places]

    totals = {torch.device("cuda:0"): 5 * 2**20, torch.device("cuda:1"): 4 * 2**20}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, totals[device]))
    spread = dataclasses.replace(model, model=OnGpus())  # type: ignore[arg-type]
    assert likelihood._cached(spread) == 2 * 2**20 // 4 // likelihood._bytes_per_token(model)
