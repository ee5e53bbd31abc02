"""Experiments with an engine that answers by a script: every task, what engines cannot do, texts that are too long."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluated import OPTIONS, TOY, lexicon_in, rows, small_settings
from linguabridge.cache import Cache
from linguabridge.errors import InputError, TooLongError
from linguabridge.evaluation import evaluate as evaluate_module
from linguabridge.evaluation.evaluate import evaluate
from linguabridge.evaluation.results import Row
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.lazy_model import open_model

Folder = Callable[[str], Path]
REAL = [
    *(("mrc", "belebele", "sw:de", scoring) for scoring in ("text", "letters", "generated")),
    *(("nli", "xnli", "sw:de", scoring) for scoring in ("text", "letters", "generated")),
    *(("topics", "sib200", "ar:he", scoring) for scoring in ("text", "letters", "generated")),
    *(("choice", "xcopa", "sw:id", scoring) for scoring in ("text", "letters", "generated")),
    ("math", "mgsm", "sw:de", "generated"),
    ("translate", "flores200", "sw:de", "generated"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EvaluationSettings:
    return small_settings(lexicon_in(tmp_path_factory.mktemp("lexicon")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


class Scripted:
    """Answers by a function of the prompt; options are all as likely as they are long."""

    name, identity, scorings, chat = "scripted", {"scripted": True}, ("text", "letters", "generated"), False

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def option_scores(self, _title: str, prompts: list, options: list, *, whole: bool = False) -> np.ndarray:
        self.asked += [prompt.written for prompt in prompts]
        return np.array([[float(len(option)) for option in some] for some in options])

    def answers(self, _title: str, prompts: list, _ending: object) -> list[str]:
        self.asked += [prompt.written for prompt in prompts]
        return [self.answer(prompt.written) for prompt in prompts]


def test_evaluation_module_asks_the_given_engine_only(
    settings: EvaluationSettings, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Parrot:
        name, identity, scorings, chat = "parrot", {"parrot": True}, ("generated",), False

        def option_scores(self, *_: object, **__: object) -> np.ndarray:
            raise AssertionError

        def answers(self, _title: str, prompts: list, _ending: object) -> list[str]:
            return [f'{prompt.text.split(chr(34))[1]}" and more' for prompt in prompts]

    monkeypatch.setattr(evaluate_module, "open_model", lambda *_: pytest.fail("a model was opened"))
    given = dataclasses.replace(settings, arms=("dictionary",), scoring="generated")
    found = evaluate([("en", "sw")], engine=Parrot(), settings=given, cache=cache)
    assert found.model == "parrot"
    assert all(row.parsed == row.text and not row.right for row in found.rows)


def _texts(row: Row) -> list[str]:
    return [option.strip() for option in row.options]


@pytest.mark.parametrize(("task", "folder", "pair", "scoring"), REAL, ids=lambda one: str(one))
def test_every_task_runs_on_its_data(
    task: str, folder: str, pair: str, scoring: str, shared_data: Callable[[str], Path], cache: Cache
) -> None:
    engine = Scripted(
        lambda prompt: " bridged\n" if prompt.endswith((":", "English:")) and "\n" not in prompt[-30:] else " B"
    )
    given = EvaluationSettings(
        tasks=(task,), data=shared_data(folder).parent, arms=("dictionary",), limit=12, scoring=scoring, shots=1
    )
    source, target = pair.split(":")
    found = evaluate([(source, target)], engine=engine, settings=given, cache=cache)
    (result,) = found.results
    assert [arm.name for arm in result.arms] == ["direct", "en", "dictionary:en"]
    for row in found.rows:
        assert "{" not in row.prompt
        if row.options:  # the naive reading of "as likely as long"
            right = [option for option, text in zip(row.options, _texts(row), strict=True) if text in row.gold]
            if scoring == "text":
                others = [len(option) for option in row.options if option not in right]
                assert row.score == float(max(map(len, right)) > max(others))
    if task == "translate":
        assert set(result.arms[0].corpus) == {"chrF++"}
        assert any("spBLEU is not shown" in note for note in result.notes)
    english = [row for row in found.rows if row.arm == "en" and row.bridge_texts]
    assert english
    assert all(f"English: {row.bridge_texts[0]}" in row.prompt for row in english)


def test_generated_words_are_right_or_wrong_and_have_no_rank(settings: EvaluationSettings, cache: Cache) -> None:
    given = dataclasses.replace(settings, arms=(), scoring="generated")
    found = evaluate([("en", "sw")], engine=Scripted(lambda _: 'nothing"'), settings=given, cache=cache)
    (result,) = found.results
    assert result.metric == "exact"
    assert list(result.arms[0].metrics) == ["exact"]
    assert result.arms[1].against_direct.test == "exact McNemar"


def test_fallback_to_what_a_server_can_is_said(settings: EvaluationSettings, cache: Cache) -> None:
    engine = Scripted(lambda _: "x")
    engine.scorings = ("generated",)
    found = evaluate([("en", "sw")], engine=engine, settings=dataclasses.replace(settings, arms=()), cache=cache)
    assert any(
        "no log-probabilities for scoring by text: answers are by generated" in n for n in found.results[0].notes
    )


def test_random_arm_counts_what_could_not_be_read_and_leaves_out_copies_only(
    settings: EvaluationSettings, cache: Cache
) -> None:
    golds: dict[str, str] = {}

    def answer(prompt: str) -> str:
        word = prompt.split('"')[1]
        if prompt.endswith('français:"'):
            return golds.get(word, "") + '"'
        return '"' if prompt.endswith('Kiswahili:"') else 'x"'

    given = dataclasses.replace(settings, arms=("random",), scoring="generated", bridges=())
    first = evaluate([("en", "sw")], engine=Scripted(answer), settings=given, cache=cache)
    golds.update({row.text: row.gold[0] for row in rows(first, "direct")[:5]})
    found = evaluate([("en", "sw")], engine=Scripted(answer), settings=given, cache=cache)
    random = next(arm for arm in found.results[0].arms if arm.name == "random")
    assert random.n_unparsed == 3 * 12
    assert random.n_copied == 5
    assert random.fair.difference.value == 0


def test_settings_hold_what_ranks_and_what_the_task_file_says(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "counting.py"
    seen = []
    for family, body in (("llama", TOY), ("gpt2", TOY), ("gpt2", TOY + "\n# changed")):
        file.write_text(body, "utf-8")
        given = dataclasses.replace(settings, tasks=(str(file),), arms=("recommended",), limit=None)
        model = open_model(str(tiny_model(family)), OPTIONS, cache)
        found = evaluate([("en", "sw")], model=model, engine=Scripted(lambda _: "3"), settings=given, cache=cache)
        seen.append(json.dumps(found.settings, sort_keys=True))
    assert len(set(seen)) == 3


def test_arm_whose_prompts_are_too_long_is_left_out_and_the_run_goes_on(
    settings: EvaluationSettings, cache: Cache
) -> None:
    class Short(Scripted):
        def option_scores(self, title: str, prompts: list, options: list, *, whole: bool = False) -> np.ndarray:
            if any("Deutsch" in prompt.text for prompt in prompts):
                raise TooLongError("A prompt with its answer takes 2,178 tokens, and scripted reads 2,048 at most.")
            return super().option_scores(title, prompts, options, whole=whole)

    given = dataclasses.replace(settings, arms=("dictionary",), bridges=("de", "fr"))
    found = evaluate([("en", "sw")], engine=Short(lambda _: 'x"'), settings=given, cache=cache)
    (result,) = found.results
    assert [arm.name for arm in result.arms] == ["direct", "fr", "dictionary:fr"]
    assert any(note.startswith("There is no arm through German: A prompt") for note in result.notes)


def test_direct_prompts_that_are_too_long_name_the_task(settings: EvaluationSettings, cache: Cache) -> None:
    class Short(Scripted):
        def option_scores(self, *_: object, **__: object) -> np.ndarray:
            raise TooLongError("A prompt takes 9 tokens.")

    given = dataclasses.replace(settings, arms=())
    with pytest.raises(InputError, match=r"That is for bli, en:sw, directly: leave the task out"):
        evaluate([("en", "sw")], engine=Short(lambda _: "x"), settings=given, cache=cache)
