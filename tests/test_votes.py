"""Votes over bridges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sacrebleu.metrics.chrf import CHRF

from linguabridge.evaluation.results import Row
from linguabridge.evaluation.votes import vote
from linguabridge.tasks.task import Item

ITEM = Item("1", "1", "text", ("b",), ("a", "b", "c"), 1)
ROW = Row("en", "sw", "t", "fr", "1", "1", "text", ("fr",), ("texte",), "p", (), (), None, None, ("b",), 0.0, None)


def answered(*parsed: str | None) -> list[Row]:
    return [
        replace(ROW, bridges=(f"b{i}",), output=one, parsed=one, score=float(one == "b"), right=one == "b")
        for i, one in enumerate(parsed)
    ]


@pytest.mark.parametrize(
    ("parsed", "winner"),
    [
        (["a", "b", "b"], "b"),
        (["a", "b", "c"], "a"),  # a tie goes to the better bridge
        ([None, "b", None], "b"),  # what could not be read has no vote
        ([None, None, None], None),
        (["A", "b", "a"], "A"),  # the same after normalisation
    ],
)
def test_the_most_frequent_answer_wins(parsed: list[str | None], winner: str | None) -> None:
    voted = vote(answered(*parsed), ITEM, "accuracy")
    assert voted.parsed == winner
    assert voted.right == (winner == "b")
    assert voted.bridges == ("b0", "b1", "b2")


def test_likelihoods_are_summed() -> None:
    rows = [replace(ROW, option_scores=scores) for scores in ((-1.0, -2.0, -9.0), (-9.0, -2.0, -1.0))]
    voted = vote(rows, ITEM, "accuracy")
    assert voted.option_scores == (-10.0, -4.0, -10.0)
    assert (voted.parsed, voted.score, voted.right) == ("b", 1.0, True)
    assert vote(rows, replace(ITEM, right=0), "MRR").score == pytest.approx(1 / 3)  # a tie counts against it


def test_the_translation_most_like_the_others_wins() -> None:
    texts = ["the cat sat", "the cat sat on the mat", "a dog ran off", "the cat sat on a mat"]
    metric = CHRF(word_order=2)
    likeness = [sum(metric.sentence_score(a, [b]).score for b in texts if b is not a) for a in texts]
    voted = vote(answered(*texts, None), ITEM, "chrF++")
    assert voted.parsed == texts[likeness.index(max(likeness))]


@pytest.mark.parametrize("copies", [(False, False, False), (False, False, True), (True, True, True)])
def test_a_vote_is_copied_when_any_of_its_bridges_words_is_a_right_answer(copies: tuple[bool, ...]) -> None:
    rows = [replace(row, copied=one) for row, one in zip(answered("b", "a", "b"), copies, strict=True)]
    assert vote(rows, ITEM, "accuracy").copied == any(copies)
