"""The engine in this process: plain prompts, and prompts put by a chat template."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from linguabridge.cache import Cache
from linguabridge.engines.local import Local
from linguabridge.errors import InputError
from linguabridge.evaluation.experiment import Experiment
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.prompts import WORD, Prompt
from linguabridge.tasks.task import Item, Loaded, Question, Task

Folder = Callable[[str], Path]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]\n{% endif %}"
)


@pytest.fixture
def measure(tiny_model: Folder, tmp_path: Path) -> Measurements:
    folder = shutil.copytree(tiny_model("llama"), tmp_path / "chatty")
    (folder / "chat_template.jinja").write_text(TEMPLATE, "utf-8")
    cache = Cache(tmp_path / "cache")
    return Measurements(open_model(str(folder), ModelOptions("cpu", "float32"), cache), cache)


def test_chat_template_is_put_as_the_tokenizer_puts_it_with_one_bos(measure: Measurements) -> None:
    asked: list[str] = []
    measure.answers = lambda _title, prompts, _ending: asked.extend(prompts) or ["x"] * len(prompts)  # type: ignore[method-assign]
    Local(measure, chat=True).answers("", [Prompt('English:"cat"→Deutsch:', '"')], WORD)
    model = measure.model.loaded
    chat = [{"role": "user", "content": 'English:"cat"→Deutsch:'}]
    expected = model.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    assert asked == ['[user] English:"cat"→Deutsch:\n[assistant]\n"']
    assert model.encode(asked[0].removesuffix('"')) == list(expected)
    assert expected.count(model.tokenizer.bos_token_id) == 1


def test_plain_prompts_are_written_with_the_start_of_the_answer(measure: Measurements) -> None:
    asked: list[str] = []
    measure.option_scores = lambda _title, prompts, *_, **__: asked.extend(prompts)  # type: ignore[method-assign]
    Local(measure).option_scores("", [Prompt("Deutsch:", '"')], [["a", "b"]])
    assert asked == ['Deutsch:"']


def test_model_without_a_chat_template_is_refused(tiny_model: Folder, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    plain = Measurements(open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache), cache)
    with pytest.raises(InputError, match="has no chat template"):
        Local(plain, chat=True).answers("", [Prompt("a")], WORD)


def test_chat_options_stand_where_the_model_would_write_them(measure: Measurements) -> None:
    prompts = [Prompt("Is the cat on the mat?"), Prompt("le chat?"), Prompt('English:"cat"→Deutsch:', '"')]
    options = [[" Yes\n", " No\n"], [" A", " B"], ['Katze"', ' Hund"']]
    found = Local(measure, chat=True).option_scores("", prompts, options)
    model = measure.model.loaded
    tokenizer = model.tokenizer
    for row, prompt, some in zip(found, prompts, options, strict=True):
        chat = [{"role": "user", "content": prompt.text}]
        ids = list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))
        expected = []
        for option in some:
            written = option.lstrip() if not prompt.start else prompt.start + option
            whole = torch.tensor([ids + tokenizer(written, add_special_tokens=False).input_ids])
            with torch.no_grad():
                logs = model.model(input_ids=whole, use_cache=False).logits[0].double().log_softmax(1)
            expected.append(sum(float(logs[at - 1, whole[0, at]]) for at in range(len(ids), whole.shape[1])))
        np.testing.assert_allclose(row - row[0], np.array(expected) - expected[0], rtol=1e-4, atol=2e-4)


def test_models_that_can_think_are_told_not_to(measure: Measurements) -> None:
    asked: list[str] = []
    measure.answers = lambda _title, prompts, _ending: asked.extend(prompts) or ["x"] * len(prompts)  # type: ignore[method-assign]
    measure.model.loaded.tokenizer.chat_template = TEMPLATE + "{% if enable_thinking is false %}</think>{% endif %}"
    Local(measure, chat=True).answers("", [Prompt("a")], WORD)
    assert asked == ["[user] a\n[assistant]\n</think>"]


@pytest.mark.parametrize(("chat", "start", "lengths"), [(True, "", [3, 6]), (True, '"', [4, 7]), (False, "", [4, 7])])
def test_bytes_are_those_of_the_option_as_it_is_scored(
    chat: bool, start: str, lengths: list[int], measure: Measurements
) -> None:
    prompt, options = Prompt("Is the cat on the mat?", start), (" Yes", " Jawohl")
    task = Task("own", "own", lambda *_: Loaded((), (), ""), lambda *_: Question(prompt, options), ("text",))
    engine = Local(measure, chat=chat)
    item = Item("1", "1", "the cat", (" Yes",), options, right=0)
    experiment = Experiment(engine, task, parse("en"), parse("sw"), (item,), "text", normalise="byte")
    (row,) = experiment.rows([])
    whole = engine.option_scores("", [prompt], [options], whole=True)[0]
    np.testing.assert_allclose(row.option_scores, whole / lengths)
