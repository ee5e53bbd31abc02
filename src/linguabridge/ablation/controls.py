"""Random sets of neurons to compare a set with: as many in every layer, none of them in the set itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet

# Of the neurons of a layer by their mean activation, equally many in each. Fewer match worse: values in the highest bin
# are wide apart. More leave the draws with nearly the same neurons.
BINS = 50


def random_sets(neurons: NeuronSet, draws: int, seed: int) -> list[NeuronSet]:
    """Draw sets with as many neurons in every layer, from all of the layer's neurons that are not in the set.

    Args:
        neurons: the set to compare with.
        draws: how many; more draws begin with the same ones.
        seed: of the draws.

    Raises:
        InputError: the set holds more than half of a layer's neurons.
    """
    _check_room(neurons)
    found = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        parts = [
            rng.choice(_outside(neurons, layer), count, replace=False)
            for layer, count in enumerate(neurons.per_layer())
            if count
        ]
        found.append(NeuronSet.of(neurons.space, _joined(parts)))
    return found


def alike_sets(neurons: NeuronSet, activation: NDArray[np.floating], draws: int, seed: int) -> list[NeuronSet]:
    """Draw sets with as many neurons in every layer, about as active as those of the set.

    The neurons of a layer are put in 50 bins by their mean activation, equally many in each. For each neuron of the
    set, one that is not in it is drawn from the same bin; where that is used up, from the nearest bin that is not.

    Args:
        neurons: the set to compare with.
        activation: mean activation of every neuron of the model, shape (neurons,).
        draws: how many; more draws begin with the same ones.
        seed: of the draws.

    Raises:
        InputError: the set holds more than half of a layer's neurons.
    """
    _check_room(neurons)
    space = neurons.space
    bins = np.empty(len(space), dtype=np.int64)
    for layer, width in enumerate(space.widths):
        start = space.starts[layer]
        order = np.argsort(activation[start : start + width], kind="stable")
        bins[start + order] = np.arange(width) * BINS // width
    found = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw, 1])
        parts = []
        for layer, count in enumerate(neurons.per_layer()):
            if count:
                wanted = bins[rng.permutation(neurons.layer(layer))]
                pool = rng.permutation(_outside(neurons, layer))
                parts.append(pool[_nearest(wanted, bins[pool])])
        found.append(NeuronSet.of(space, _joined(parts)))
    return found


def _nearest(wanted: NDArray[np.int64], offered: NDArray[np.int64]) -> list[int]:
    """For each wanted bin, one after the other, the first place not yet taken whose bin is nearest."""
    free = {number: np.flatnonzero(offered == number).tolist()[::-1] for number in np.unique(offered).tolist()}
    taken = []
    for number in wanted.tolist():
        nearest = min(free, key=lambda one: (abs(one - number), one))
        taken.append(free[nearest].pop())
        if not free[nearest]:
            del free[nearest]
    return taken


def _outside(neurons: NeuronSet, layer: int) -> NDArray[np.int64]:
    start, end = neurons.space.starts[layer], neurons.space.starts[layer + 1]
    return np.setdiff1d(np.arange(start, end), neurons.layer(layer))


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([*parts, np.empty(0, np.int64)])


def _check_room(neurons: NeuronSet) -> None:
    for layer, count in enumerate(neurons.per_layer()):
        if 2 * count > neurons.space.widths[layer]:
            raise InputError(
                f"The set holds {count} of the {neurons.space.widths[layer]} neurons of layer {layer}, so that as many "
                "others cannot be drawn; lower --top-rate or --specific-rate."
            )
