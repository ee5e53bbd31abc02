"""Random sets to compare a set of neurons with, and the statistics of the comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.ablation.controls import BINS, alike_sets, random_sets
from linguabridge.ablation.statistics import (
    Changes,
    change_interval,
    difference_interval,
    excess_interval,
    p_of_draws,
)
from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.paired import mean_interval

SPACE = NeuronSpace((100, 60, 200))


@given(st.sets(st.integers(0, 99), max_size=50), st.sets(st.integers(160, 359), max_size=100), st.integers(0, 9))
def test_draws_have_as_many_neurons_in_every_layer_and_none_of_the_set(
    first: set[int], last: set[int], seed: int
) -> None:
    neurons = NeuronSet.of(SPACE, first | last)
    activation = np.random.default_rng(seed).normal(size=len(SPACE))
    for draws in (random_sets(neurons, 3, seed), alike_sets(neurons, activation, 3, seed)):
        assert len(draws) == 3
        for one in draws:
            assert one.per_layer() == neurons.per_layer()
            assert not one & neurons
        if len(neurons) > 20:
            assert draws[0] != draws[1]


def test_draws_repeat_and_more_of_them_begin_with_the_same() -> None:
    neurons = NeuronSet.of(SPACE, range(0, 360, 5))
    activation = np.arange(360.0)
    assert random_sets(neurons, 5, 1)[:3] == random_sets(neurons, 3, 1) != random_sets(neurons, 3, 2)
    assert alike_sets(neurons, activation, 5, 1)[:3] == alike_sets(neurons, activation, 3, 1)
    assert random_sets(neurons, 1, 1) != alike_sets(neurons, activation, 1, 1)


def test_every_neuron_outside_of_the_set_may_be_drawn() -> None:
    neurons = NeuronSet.of(SPACE, range(100, 120))
    drawn = set().union(*(one.flat.tolist() for one in random_sets(neurons, 60, 0)))
    assert drawn == set(range(120, 160))


def test_alike_neurons_are_of_the_same_bins_where_these_have_room() -> None:
    rng = np.random.default_rng(3)
    space = NeuronSpace((500, 60, 1000))
    activation = rng.gamma(0.3, size=1560)
    neurons = NeuronSet.of(space, np.concatenate([rng.choice(500, 20, False), 560 + rng.choice(1000, 50, False)]))

    def bins(one: NeuronSet, layer: int, width: int) -> list[int]:
        start = space.starts[layer]
        rank = np.argsort(np.argsort(activation[start : start + width]))
        return sorted((rank[one.layer(layer) - start] * BINS // width).tolist())

    for layer, width in ((0, 500), (2, 1000)):
        wanted = bins(neurons, layer, width)
        assert max(wanted.count(one) for one in wanted) <= width // BINS / 2  # so there is room
        for draw in alike_sets(neurons, activation, 5, 0):
            assert bins(draw, layer, width) == wanted


def test_where_the_most_active_are_all_in_the_set_the_next_ones_are_drawn() -> None:
    space = NeuronSpace((200,))
    neurons = NeuronSet.of(space, range(175, 200))  # six bins of four, and one of the next
    for draw in alike_sets(neurons, np.arange(200.0), 4, 0):
        assert set(range(152, 175)) <= set(draw.flat.tolist())
        assert draw.flat.min() >= 148  # the last two are of the next bin


def test_set_of_more_than_half_a_layer_is_refused() -> None:
    neurons = NeuronSet.of(SPACE, range(100, 131))
    for draw in (lambda: random_sets(neurons, 1, 0), lambda: alike_sets(neurons, np.zeros(360), 1, 0)):
        with pytest.raises(InputError, match=r"31 of the 60 neurons of layer 1.*lower --top-rate"):
            draw()


def changes(n: int = 80, draws: int = 20, shift: float = 0.5, seed: int = 0, sized: bool = True) -> Changes:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    return Changes(
        own=shift + common + 0.1 * rng.normal(size=n),
        random=common + 0.1 * rng.normal(size=(draws, n)),
        sizes=rng.integers(1, 9, n).astype(float) if sized else np.ones(n),
    )


def test_change_is_a_ratio_of_sums_and_its_interval_that_of_means_where_sizes_are_one() -> None:
    some = changes()
    assert change_interval(some, 0).value == pytest.approx(some.own.sum() / some.sizes.sum())
    plain = changes(sized=False)
    found, expected = change_interval(plain, 0), mean_interval(plain.own, 0)
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_excess_interval_is_that_of_a_naive_bootstrap_over_items_and_draws() -> None:
    some = changes(n=30, draws=20)
    rng = np.random.default_rng(5)
    naive = []
    for _ in range(3000):
        items, draws = rng.integers(0, 30, 30), rng.integers(0, 20, 20)
        own = some.own[items].sum() / some.sizes[items].sum()
        naive.append(own - np.mean([some.random[d][items].sum() / some.sizes[items].sum() for d in draws]))
    found = excess_interval(some, 0)
    assert found.value == pytest.approx(some.excess)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(naive, (0.025, 0.975))), abs=0.006)


def test_items_that_change_alike_by_set_and_draws_leave_no_excess() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(size=50)
    found = excess_interval(Changes(own, np.tile(own, (20, 1)), np.ones(50)), 0)
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_difference_of_excesses_covers_both_kinds_of_items() -> None:
    words, lines = changes(shift=0.9, seed=1), changes(n=200, shift=0.2, seed=2)
    found = difference_interval(words, lines, 0)
    assert found.value == pytest.approx(words.excess - lines.excess)
    assert found.low < found.value < found.high
    assert found.high - found.low >= excess_interval(words, 0).high - excess_interval(words, 0).low


def test_p_counts_the_draws_that_do_as_much_harm() -> None:
    draws = np.array([-0.1, -0.5, 0.2, -0.3])
    assert p_of_draws(-0.3, draws, -1) == (2, 3 / 5)
    assert p_of_draws(-0.9, draws, -1) == (0, 1 / 5)
    assert p_of_draws(0.1, draws, 1) == (1, 2 / 5)
    assert p_of_draws(0.3, np.array([0.1 + 0.2]), 1) == (1, 1)  # equal but for rounding
