from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.errors import InputError
from linguabridge.languages import parse
from linguabridge.lexicons import load_cldr
from linguabridge.lexicons.lexicon import Entry, PairEntries
from linguabridge.lexicons.split import CHECK_SHARE, kept_for_check, split, words_for_profile

SEEDS = st.integers(min_value=0, max_value=10**6)
ENTRIES = st.lists(
    st.builds(
        Entry,
        concept=st.sampled_from([f"c{n}" for n in range(40)]),
        source=st.sampled_from([f"s{n}" for n in range(25)]),
        targets=st.lists(st.sampled_from([f"t{n}" for n in range(25)]), min_size=1, max_size=3).map(tuple),
    ),
    max_size=40,
)


def pair_of(entries: list[Entry]) -> PairEntries:
    return PairEntries(parse("ar"), parse("he"), "test", tuple(entries), len(entries), 0, 0)


def test_share_kept_for_the_check_is_near_its_constant() -> None:
    for seed in range(5):
        kept = sum(kept_for_check(f"concept {n}", seed) for n in range(5000))
        assert abs(kept / 5000 - CHECK_SHARE) < 0.03  # 4.6 standard deviations


def test_other_seed_keeps_other_concepts() -> None:
    assert [kept_for_check(str(n), 0) for n in range(50)] != [kept_for_check(str(n), 1) for n in range(50)]


def test_choice_does_not_change_between_releases() -> None:
    # Cached profiles rely on it. These are from the shell: the first 12 digits of sha256sum, compared by bc.
    assert "".join(c for c in "🐶🐱🌙🏠🔑🧲🍎🚲" if kept_for_check(c, 0)) == "🐱🌙🏠🧲"


@given(ENTRIES, SEEDS, st.integers(0, 30), st.integers(0, 30))
def test_halves_share_no_concept_and_no_word(entries: list[Entry], seed: int, probes: int, check: int) -> None:
    halves = split(pair_of(entries), probes=probes, check=check, seed=seed)
    assert len(halves.probes) <= probes
    assert len(halves.check) <= check
    assert {e.concept for e in halves.probes}.isdisjoint(e.concept for e in halves.check)
    assert {e.source for e in halves.probes}.isdisjoint(e.source for e in halves.check)
    probe_targets = {word for e in halves.probes for word in e.targets}
    assert probe_targets.isdisjoint(word for e in halves.check for word in e.targets)


@given(ENTRIES, SEEDS)
def test_draw_ignores_the_lexicons_order(entries: list[Entry], seed: int) -> None:
    unique = list({entry.source: entry for entry in entries}.values())
    forth = split(pair_of(unique), probes=8, check=8, seed=seed)
    assert forth == split(pair_of(unique[::-1]), probes=8, check=8, seed=seed)


@given(ENTRIES, SEEDS)
def test_more_probes_extend_the_same_draw(entries: list[Entry], seed: int) -> None:
    fewer = split(pair_of(entries), probes=3, check=0, seed=seed).probes
    assert split(pair_of(entries), probes=9, check=0, seed=seed).probes[: len(fewer)] == fewer


def test_synonym_under_another_concept_is_dropped_from_the_check() -> None:
    check = next(str(n) for n in range(100) if kept_for_check(str(n), 0))
    probe = next(str(n) for n in range(100) if not kept_for_check(str(n), 0))
    probes = [Entry(probe, "Hund", ("kelev",))]
    for entry in (Entry(check, "Köter", ("KELEV!", "x")), Entry(check, "hund", ("y",))):
        assert split(pair_of([*probes, entry]), probes=1, check=1, seed=0).check == ()
        assert split(pair_of([*probes, entry]), probes=0, check=1, seed=0).check == (entry,)
    unrelated = Entry(check, "Katze", ("chatul",))
    assert split(pair_of([*probes, unrelated]), probes=1, check=1, seed=0).check == (unrelated,)


def test_small_pair_gives_what_there_is() -> None:
    assert split(pair_of([]), probes=100, check=100, seed=0).probes == ()


def test_negative_count_is_refused() -> None:
    with pytest.raises(InputError, match="-1"):
        split(pair_of([]), probes=-1, check=2, seed=0)


def test_profile_words_hold_no_word_of_the_check_of_any_pair() -> None:
    lexicon = load_cldr()
    for code in ("ar", "he", "sw"):
        names = lexicon.names(parse(code))
        profile = words_for_profile(names, 7)
        held = {word.casefold() for concept, word in names.items() if kept_for_check(concept, 7)}
        assert 0.6 < len(profile) / len(names) < 0.72
        assert held.isdisjoint(word.casefold() for word in profile.values())
