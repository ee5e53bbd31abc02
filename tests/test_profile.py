"""Top sets: their size, their ties, and the reference's rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSpace
from linguabridge.profile import LanguageProfile, Profile


def profile(positive: list[int], total: list[float] | None = None, tokens: int = 10) -> Profile:
    total = total if total is not None else [0.0] * len(positive)
    space = NeuronSpace((len(positive) // 2, len(positive) - len(positive) // 2))
    return Profile({"xx": LanguageProfile(space, np.array(positive), np.array(total, dtype=float), tokens)})


def test_probability_and_mean_are_over_the_tokens() -> None:
    one = profile([0, 5, 10], [1.0, -2.0, 4.0]).languages["xx"]
    assert one.probability.tolist() == [0, 0.5, 1]
    assert one.mean.tolist() == [0.1, -0.2, 0.4]


def test_top_set_takes_the_highest_probabilities_over_all_layers_together() -> None:
    found = profile([1, 2, 3, 4, 5, 6, 7, 10, 9, 8]).top("xx", 0.3)
    assert found.flat.tolist() == [7, 8, 9]
    assert found.per_layer() == [0, 3]


def test_ties_at_the_threshold_go_to_the_higher_mean_then_to_the_earlier_neuron() -> None:
    positive = [9, 5, 5, 5, 5, 0, 0, 0, 0, 0]
    assert profile(positive, [0, 1, 3, 2, 1, 0, 0, 0, 0, 0]).top("xx", 0.3).flat.tolist() == [0, 2, 3]
    assert profile(positive, [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]).top("xx", 0.3).flat.tolist() == [0, 1, 2]


POSITIVE = st.lists(st.integers(0, 10), min_size=2, max_size=60)
RATES = st.floats(0.001, 0.999)


@given(POSITIVE, RATES, st.randoms())
def test_top_set_has_exactly_the_wanted_size_and_nothing_better_outside(
    positive: list[int], rate: float, random: object
) -> None:
    total = [random.random() for _ in positive]  # type: ignore[attr-defined]
    inside = profile(positive, total).top("xx", rate).flat.tolist()
    assert len(inside) == max(1, round(len(positive) * rate))
    by_hand = sorted(range(len(positive)), key=lambda n: (-positive[n], -total[n], n))
    assert inside == sorted(by_hand[: len(inside)])


@given(POSITIVE, RATES)
def test_reference_keeps_ties_as_torch_kthvalue_does(positive: list[int], rate: float) -> None:
    p = torch.tensor(positive, dtype=torch.float64) / 10
    k = min(max(round(len(p) * (1 - rate)), 1), len(p))
    expected = torch.nonzero(p >= torch.kthvalue(p, k).values).flatten().tolist()
    assert profile(positive).top("xx", rate, keep_ties=True).flat.tolist() == expected


def test_reference_keeps_all_ties_whatever_the_rate() -> None:
    assert len(profile([5] * 50).top("xx", 0.1, keep_ties=True)) == 50
    assert len(profile([5] * 50).top("xx", 0.1)) == 5


@pytest.mark.parametrize("rate", [0, 1, -1, 5, float("nan"), float("inf")])
@pytest.mark.parametrize("keep_ties", [False, True])
def test_a_rate_that_is_no_share_is_refused(rate: float, keep_ties: bool) -> None:
    with pytest.raises(InputError, match="is no share of neurons"):
        profile([1, 2, 3, 4]).top("xx", rate, keep_ties=keep_ties)


def test_correlation_is_pearsons_over_all_neurons() -> None:
    space = NeuronSpace((2, 2))
    a, b = np.array([1, 4, 2, 9]), np.array([0, 5, 3, 7])
    both = Profile({"a": LanguageProfile(space, a, np.zeros(4), 10), "b": LanguageProfile(space, b, np.zeros(4), 20)})
    x, y = a - a.mean(), b - b.mean()
    assert both.correlation("a", "b") == pytest.approx(float(x @ y / np.sqrt((x @ x) * (y @ y))))
    assert both.correlation("a", "a") == pytest.approx(1)
