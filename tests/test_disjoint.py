"""Overlap of test items with what neurons are read on."""

from __future__ import annotations

from linguabridge.evaluation.disjoint import overlap_note, unread
from linguabridge.languages import parse
from linguabridge.tasks.task import Item
from linguabridge.texts import Text


def text(*lines: str, words: bool = False) -> Text:
    return Text(parse("en"), "here", lambda: iter(lines), "0", words)


def item(content: str, gold: str = "x") -> Item:
    return Item(content, content, content, (gold,))


def test_words_that_are_read_are_no_test_words() -> None:
    items = [item("Cat"), item("dog"), item("cow", "paka"), item("hen")]
    kept = unread(items, [text("cat", "Paka!", words=True), text("the dog ran", words=False)])
    assert [one.text for one in kept] == ["dog", "hen"]


def test_words_in_running_text_are_counted() -> None:
    note = overlap_note([item("dog"), item("hen")], [text("the dog ran")], 100, words=True)
    assert "disjoint by concept" in note
    assert "1 of 2 occur in the running text" in note


def test_sentences_that_are_read_are_counted_and_single_words_are_not() -> None:
    long = "The cat sat on the mat all day."
    items = [item(f"Once: {long.upper()} Then it left."), item("The cat ran.")]
    assert overlap_note(items, [text(long, "cat")], 100, words=False).startswith("1 of 2 test texts contain a line")
    assert overlap_note(items, [text("cat", "ran", words=True)], 100, words=False).startswith(
        "No test text contains a line"
    )


def test_lines_beyond_what_is_read_are_not_counted() -> None:
    lines = [f"{i} cats sat on the mat all day." for i in range(100)]
    items = [item(lines[2]), item(lines[-1])]
    assert overlap_note(items, [text(*lines)], 10, words=False).startswith("1 of 2 test texts")
