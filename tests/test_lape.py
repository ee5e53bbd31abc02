"""Language-specific neurons against a computation neuron by neuron, in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.errors import InputError
from linguabridge.lape import specific_sets
from linguabridge.neurons import NeuronSpace
from linguabridge.profile import LanguageProfile, Profile

TOKENS = 20


def profile(counts: list[list[int]]) -> Profile:
    """A row of counts for each language."""
    n = len(counts[0])
    space = NeuronSpace((n // 2, n - n // 2))
    return Profile(
        {f"l{i}": LanguageProfile(space, np.array(row), np.zeros(n), TOKENS) for i, row in enumerate(counts)}
    )


def naive(counts: list[list[int]], rate: float) -> list[set[int]]:
    every = sorted(count / TOKENS for row in counts for count in row)
    threshold = every[max(1, round(0.95 * len(every))) - 1]
    found = []
    for neuron in range(len(counts[0])):
        p = [row[neuron] / TOKENS for row in counts]
        if max(p) > threshold:
            shares = [one / sum(p) for one in p]
            found.append((round(-sum(q * math.log(q) for q in shares if q > 0), 9), neuron))
    kept = [neuron for _, neuron in sorted(found)[: max(1, round(rate * len(counts[0])))]]
    return [{neuron for neuron in kept if row[neuron] / TOKENS > threshold} for row in counts]


COUNTS = st.integers(2, 4).flatmap(
    lambda languages: st.integers(4, 40).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(0, TOKENS), min_size=n, max_size=n), min_size=languages, max_size=languages
        )
    )
)


@given(COUNTS, st.sampled_from([0.03, 0.1, 0.5]))
def test_sets_are_those_of_the_naive_computation(counts: list[list[int]], rate: float) -> None:
    found = specific_sets(profile(counts), rate)
    assert [set(one.flat.tolist()) for one in found.values()] == naive(counts, rate)


def test_a_neuron_of_one_language_is_that_languages_own() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (3, 100))
    counts[0, [7, 60]] = 20  # only in the first
    counts[1:, [7, 60]] = 0
    counts[:2, 30] = 19  # in the first two
    counts[2, 30] = 0
    counts[:, 90] = 20  # everywhere
    counts[:, 91] = [1, 0, 0]  # in one language, but nearly never
    found = specific_sets(profile(counts.tolist()), 0.03)
    assert [one.flat.tolist() for one in found.values()] == [[7, 30, 60], [30], []]


def test_nothing_is_specific_where_nothing_is_more_active_than_the_rest() -> None:
    assert [len(one) for one in specific_sets(profile([[5] * 10, [5] * 10])).values()] == [0, 0]


def test_one_language_and_a_rate_that_is_no_share_are_refused() -> None:
    with pytest.raises(InputError, match="two languages or more"):
        specific_sets(profile([[1, 2, 3, 4]]))
    with pytest.raises(InputError, match=r"between 0 and 1, not 1"):
        specific_sets(profile([[1, 2, 3, 4]] * 2), 1.0)
