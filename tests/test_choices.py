"""Distractors are never right, and the same for every arm; ranks count ties against the right word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.choices import N_OPTIONS, gold_ranks, make_choices
from linguabridge.errors import InputError
from linguabridge.lexicons import Entry, normalise_word


def entry(source: str, *targets: str) -> Entry:
    return Entry(source, source, targets)


POOL = [entry(f"word{n}", f"neno{n}") for n in range(30)]


def test_each_entry_gets_its_first_translation_and_nine_others() -> None:
    for choice in make_choices(POOL, POOL, seed=0):
        assert choice.options[0] == choice.entry.targets[0]
        assert len(choice.options) == len(set(choice.options)) == N_OPTIONS
        assert set(choice.options) <= {word for one in POOL for word in one.targets}


def test_no_distractor_is_a_translation_of_the_entry() -> None:
    # "maji" has several translations here, one only under another entry and one in another spelling.
    asked = entry("water", "maji", "MTO")
    pool = [asked, entry("Water", "bahari"), entry("river", "mto", "Maji!"), *POOL[:9]]
    wrong = {"maji", "mto", "bahari"}
    for seed in range(30):
        (choice,) = make_choices([asked], pool, seed)
        assert not wrong & {normalise_word(word) for word in choice.options[1:]}


def test_spellings_of_one_word_are_one_option() -> None:
    pool = [*POOL[:10], entry("other", "NENO1"), entry("again", "neno1.")]
    for seed in range(20):
        (choice,) = make_choices(POOL[:1], pool, seed)
        assert len({normalise_word(word) for word in choice.options}) == N_OPTIONS


def test_draw_depends_on_entry_pool_and_seed_only() -> None:
    alone = [make_choices([one], POOL, seed=3)[0] for one in POOL]
    assert make_choices(POOL, POOL, seed=3) == alone
    assert make_choices(POOL, POOL[::-1], seed=3) == alone
    assert make_choices(POOL, POOL, seed=4) != alone


def test_distractors_are_spread_over_the_pool() -> None:
    drawn = [word for choice in make_choices(POOL, POOL, seed=0) for word in choice.options[1:]]
    assert len(set(drawn)) == len(POOL)
    assert max(map(drawn.count, set(drawn))) <= 4 * len(drawn) / len(POOL)


def test_pool_of_fewer_than_ten_translations_is_refused() -> None:
    make_choices(POOL[:1], POOL[:10], seed=0)
    with pytest.raises(InputError, match="only 9 distinct translations"):
        make_choices(POOL[:1], POOL[:9], seed=0)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=10))
def test_rank_is_one_more_than_the_options_that_are_not_worse(scores: list[list[int]]) -> None:
    expected = [1 + sum(other >= row[0] for other in row[1:]) for row in scores]
    assert gold_ranks(np.array(scores, dtype=float)).tolist() == expected
