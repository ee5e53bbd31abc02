"""Generated answers of chat models, the whole way from the question to the row: they reason before they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pytest

from linguabridge.evaluation.experiment import Experiment
from linguabridge.evaluation.results import Row
from linguabridge.languages import parse
from linguabridge.prompts import Ending, Prompt
from linguabridge.tasks import math, mrc, translate
from linguabridge.tasks.task import Item, Task

PROBLEM = Item("1", "1", "Acht Kinder haben je zwei Bälle. Wie viele?", ("16",))
CHOICE = Item(
    "1",
    "1",
    "Die Katze sitzt auf der Matte.",
    ("The cat",),
    ("The dog", "The cat", "The mat", "Nobody"),
    right=1,
    fields={"question": "Who sits?"},
)


@dataclass
class Writer:
    """Writes one text, up to the given ending as engines do."""

    text: str
    chat: bool = True
    endings: list[Ending] = field(default_factory=list)
    name = "writer"
    identity = MappingProxyType({"writer": True})
    scorings = ("generated",)

    def option_scores(self, *_: object, **__: object) -> np.ndarray:
        raise AssertionError

    def answers(self, _title: str, prompts: Sequence[Prompt], ending: Ending) -> list[str]:
        self.endings.append(ending)
        pieces = self.text.split(" ")[: ending.max_new_tokens]
        starts = (" ".join(pieces[: n + 1]) for n in range(len(pieces)))
        return [next((text for text in starts if ending.reached(text)), " ".join(pieces))] * len(prompts)


def answer(engine: Writer, task: Task, item: Item) -> Row:
    experiment = Experiment(engine, task, parse("de"), parse("en"), (item,), "generated")
    (row,) = experiment.rows([])
    return row


@pytest.mark.parametrize(
    "text",
    [
        "First, 5 + 3 = 8 balls.\n\nThen 8 * 2 = 16.\n\nThe answer is 16.",
        "<think>\nQuestion: 8 * 2? Or 18?\n\nQuestion: 17?\n</think>\n\nThe answer is 16.",
        "Is it 18?\n\nQuestion: 17?\n</think>\n\n16",  # the template has opened the thought
        "One step " * 120 + "\n\nThe answer is 16.",
    ],
)
def test_a_chat_models_number_is_read_from_its_whole_answer(text: str) -> None:
    row = answer(Writer(text), math.TASK, PROBLEM)
    assert (row.parsed, row.score, row.output) == ("16", 1.0, text)


@pytest.mark.parametrize(
    "text",
    [
        "Let's look at the passage first.\nThe cat sits on the mat.\nThe answer is B.",
        "**Answer:**\nB",
        "<think>\nhmm, A?\n</think>\nB",
        "hmm, A?\n\nThe answer is A.\n</think>\n\nB",
        "B",
        " B.",
    ],
)
def test_a_chat_models_letter_is_read_from_its_whole_answer(text: str) -> None:
    row = answer(Writer(text), mrc.TASK, CHOICE)
    assert (row.parsed, row.score, row.output) == ("The cat", 1.0, text)


@pytest.mark.parametrize(("task", "item"), [(math.TASK, PROBLEM), (mrc.TASK, CHOICE)])
def test_a_thought_that_does_not_end_is_no_answer(task: Task, item: Item) -> None:
    row = answer(Writer("<think>\nThe answer is B. 16"), task, item)
    assert (row.parsed, row.score) == (None, 0.0)


def test_other_answers_keep_the_tasks_ending() -> None:
    for engine, task, item, ending in [
        (Writer("16\n\nQuestion: 9", chat=False), math.TASK, PROBLEM, math.TASK.ending),
        (Writer("B\nThe answer is A.", chat=False), mrc.TASK, CHOICE, mrc.TASK.ending),
        (Writer("The cat\nA note."), translate.TASK, Item("1", "1", "Die Katze", ("The cat",)), translate.TASK.ending),
    ]:
        assert answer(engine, task, item).score > 0
        assert engine.endings == [ending]
