"""Overlap of test items with what neurons are read on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.evaluation.disjoint import overlap_note, unread
from linguabridge.languages import parse
from linguabridge.lexicons import Entry, normalise_word
from linguabridge.recommendation import _seen_within_lines
from linguabridge.settings import Settings
from linguabridge.tasks.task import Item
from linguabridge.texts import Text, words_read


def text(*lines: str, words: bool = False, code: str = "en") -> Text:
    return Text(parse(code), "here", lambda: iter(lines), "0", words)


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


@pytest.mark.parametrize(
    ("code", "line", "there", "elsewhere"),
    [
        ("zh", "我的猫喜欢喝水。", ["猫", "水", "喜欢"], ["狗", "喝牛"]),
        ("ja", "ネコが水を飲みます", ["ネコ", "水"], ["イヌ", "火"]),
        ("th", "แมวของฉันชอบดื่มน้ำ", ["แมว", "น้ำ"], ["หมา"]),
    ],
)
def test_words_within_lines_without_spaces_are_counted(
    code: str, line: str, there: list[str], elsewhere: list[str]
) -> None:
    items = [item(one) for one in (*there, *elsewhere)]
    note = overlap_note(items, [text("nothing of it"), text(line, code=code)], 100, words=True)
    assert f"{len(there)} of {len(items)} occur in the running text" in note
    normal = {one: normalise_word(one) for one in (*there, *elsewhere)}
    assert words_read(normal.values(), text(line, code=code), 100) == {normal[one] for one in there}


def test_a_word_within_a_word_counts_only_where_there_are_no_spaces() -> None:
    assert words_read(["cat", "dog"], text("Category: a DOG."), 100) == {"dog"}
    assert words_read(["猫", "子猫", "猫。"], text("「子猫」", code="ja"), 100) == {"猫", "子猫"}
    assert words_read(["", "x"], text("— – …"), 100) == set()
    assert words_read(["", "水"], text("。。", code="zh"), 100) == set()


@pytest.mark.parametrize("code", ["zh", "en"])
@given(
    words=st.lists(st.text("あい水b", min_size=1, max_size=3), max_size=6),
    lines=st.lists(st.text("あい水b -", max_size=12), max_size=4),
)
def test_words_read_are_those_found_one_by_one(code: str, words: list[str], lines: list[str]) -> None:
    def holds(line: str, word: str) -> bool:
        return word in normalise_word(line) if code == "zh" else word in map(normalise_word, line.split())

    read = text(*lines, code=code)
    assert words_read(words, read, 10**6) == {one for one in words if any(holds(line, one) for line in lines)}


def test_lines_beyond_what_is_read_hold_no_words() -> None:
    lines = ["一二三四五六七八九十" * 3, "猫"]
    assert words_read(["猫", "二三"], text(*lines, code="zh"), 2) == {"二三"}


def test_check_words_of_a_recommendation_are_counted_likewise() -> None:
    words = (("cat", ("猫",)), ("Dog", ("狗",)), ("hen", ("鸡", "喜欢")), ("x", ("y",)))
    entries = [Entry(source, source, targets) for source, targets in words]
    texts = {"en": text("the dog ran"), "zh": text("我的猫喜欢喝水。", code="zh")}
    assert _seen_within_lines(entries, texts, parse("en"), parse("zh"), Settings()) == 3
