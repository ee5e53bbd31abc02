"""Neuron sets against Python's own sets of (layer, unit)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.neurons import NeuronSet, NeuronSpace, anchored, bridge_between, bridge_set, overlap

WIDTHS = st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple)
Plain = set[tuple[int, int]]


@st.composite
def spaces_with(draw: st.DrawFn, n: int) -> tuple[NeuronSpace, list[Plain]]:
    space = NeuronSpace(draw(WIDTHS))
    every = [(layer, unit) for layer, width in enumerate(space.widths) for unit in range(width)]
    return space, [draw(st.sets(st.sampled_from(every))) for _ in range(n)]


def made(space: NeuronSpace, plain: Plain) -> NeuronSet:
    flat = [sum(space.widths[:layer]) + unit for layer, unit in plain]
    return NeuronSet.of(space, flat[::-1] + flat)  # any order, repeats too


@given(spaces_with(1))
def test_set_holds_its_neurons_in_order(case: tuple[NeuronSpace, list[Plain]]) -> None:
    space, (plain,) = case
    some = made(space, plain)
    assert list(some) == sorted(plain)
    assert len(some) == len(plain)
    assert bool(some) == bool(plain)
    for layer, width in enumerate(space.widths):
        for unit in range(width):
            assert ((layer, unit) in some) == ((layer, unit) in plain)
        assert (layer, width) not in some  # the next layer's first unit is another neuron
        assert (layer, -1) not in some
    assert (-1, 0) not in some
    assert (space.n_layers, 0) not in some


@pytest.mark.parametrize("operation", [operator.and_, operator.or_, operator.sub, operator.xor])
@given(spaces_with(2))
def test_set_algebra_is_that_of_python(
    operation: Callable[[Any, Any], Any], case: tuple[NeuronSpace, list[Plain]]
) -> None:
    space, (a, b) = case
    found = operation(made(space, a), made(space, b))
    assert set(found) == operation(a, b)
    assert found == made(space, operation(a, b))
    assert hash(found) == hash(made(space, operation(a, b)))


@given(spaces_with(1), st.data())
def test_layers_keep_their_numbers_however_empty(case: tuple[NeuronSpace, list[Plain]], data: st.DataObject) -> None:
    space, (plain,) = case
    some = made(space, plain)
    assert some.per_layer() == [sum(layer == n for layer, _ in plain) for n in range(space.n_layers)]
    for number in range(space.n_layers):
        start = sum(space.widths[:number])
        assert some.layer(number).tolist() == sorted(start + unit for layer, unit in plain if layer == number)
    first = data.draw(st.integers(0, space.n_layers - 1))
    last = data.draw(st.integers(first, space.n_layers - 1))
    part = some.within(range(first, last + 1))
    assert set(part) == {(layer, unit) for layer, unit in plain if first <= layer <= last}
    assert part.per_layer()[:first] == [0] * first


@given(spaces_with(2))
def test_jaccard_is_shared_over_all(case: tuple[NeuronSpace, list[Plain]]) -> None:
    space, (a, b) = case
    expected = len(a & b) / len(a | b) if a | b else 0
    assert made(space, a).jaccard(made(space, b)) == expected


@given(spaces_with(3))
def test_sets_of_the_method(case: tuple[NeuronSpace, list[Plain]]) -> None:
    space, (s, t, b) = case
    of_s, of_t, of_b = (made(space, plain) for plain in (s, t, b))
    shared = overlap(of_s, of_t)
    assert set(shared) == s & t
    assert set(bridge_set(of_b, shared)) == b - (s & t)
    assert set(bridge_between(of_b, of_s, of_t)) == {n for n in b if (n in s) != (n in t)}
    for bridge in (bridge_set(of_b, shared), bridge_between(of_b, of_s, of_t)):
        assert not set(bridge) & set(shared)


def test_anchored_neurons_are_active_on_at_least_half_of_the_probes() -> None:
    space = NeuronSpace((3, 3))
    shared = NeuronSet.of(space, [1, 2, 4, 5])
    assert list(anchored(shared, np.array([0.49, 0.5, 1.0, 0.0]))) == [(0, 2), (1, 1)]


def test_empty_range_of_layers_holds_nothing() -> None:
    space = NeuronSpace((2, 2))
    assert len(NeuronSet.of(space, range(4)).within(range(0))) == 0


def test_sets_of_different_models_do_not_combine() -> None:
    one, other = NeuronSet.of(NeuronSpace((4,)), [1]), NeuronSet.of(NeuronSpace((2, 2)), [1])
    assert one != other
    with pytest.raises(ValueError, match="different layers"):
        one & other


def test_space_lays_layers_end_to_end() -> None:
    space = NeuronSpace((2, 5, 1))
    assert (len(space), space.n_layers, space.starts.tolist()) == (8, 3, [0, 2, 7, 8])
