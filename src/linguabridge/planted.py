"""Probe matrices in which the right bridge is known, to try estimators on (docs/planted.md).

The model. Every probe has values of a few factors that source and target share (what the words mean, say), of a few
factors of each candidate's own, and of a nuisance that has nothing to do with any language (how long the prompt is);
all of them are independent. A neuron's value on a probe is

    gelu(bias + sign · loading · factor + nuisance loading · nuisance + sqrt(1 − loading²) · noise)

with one factor, one bias and one sign for the neuron, drawn at random, and noise of its own. Neurons of the shared set
load on the shared factors. Of a candidate's neurons a share does so, too: this share is the truth by which candidates
are ranked. The rest load on the candidate's own factors: they depend on each other, but not on the shared set.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.settings import check_seed

MEAN_LENGTH = 4.0  # of a prompt, beyond its shortest, in tokens


@dataclass(frozen=True)
class PlannedBridge:
    """One candidate, as it is to be.

    Attributes:
        share: of its neurons that load on the factors of the shared set, in [0, 1]: the truth.
        neurons: number in each layer, 0 for a layer without.
        loading: of all its neurons on their factors, in [0, 1].
        nuisance: loading of all its neurons on the nuisance.
    """

    share: float
    neurons: tuple[int, ...]
    loading: float = 0.7
    nuisance: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What to plant.

    Attributes:
        bridges: the candidates.
        shared: number of shared neurons in each layer.
        probes: number of columns.
        factors: that the shared neurons load on; each candidate has as many of its own.
        loading: of the shared neurons on their factors, in [0, 1].
        nuisance: loading of the shared neurons on the nuisance.
    """

    bridges: tuple[PlannedBridge, ...]
    shared: tuple[int, ...]
    probes: int = 100
    factors: int = 3
    loading: float = 0.7
    nuisance: float = 0.0


@dataclass(frozen=True, eq=False)
class Planted:
    """Synthetic activations, in the form in which a ranking takes them.

    Attributes:
        values: shape (neurons, probes).
        rows: the neurons of its rows.
        shared: the shared set.
        bridges: each candidate's bridge set, in a random order, so that no place in it is the right one.
        window: all layers.
        nuisance: the prompt's length, standardised; shape (probes,). It takes few different values.
        shares: each candidate's true share.
    """

    values: NDArray[np.float32]
    rows: NeuronSet
    shared: NeuronSet
    bridges: Mapping[str, NeuronSet]
    window: range
    nuisance: NDArray[np.floating]
    shares: Mapping[str, float]

    @property
    def best(self) -> str:
        """Code of the candidate with the largest share."""
        return max(self.shares, key=lambda code: self.shares[code])


def planted_activations(plan: Plan, seed: int) -> Planted:
    """Draw activations by a plan.

    Args:
        plan: what to plant. Candidates are named a, b, c … in its order; that of the result is random.
        seed: of everything drawn.

    Returns:
        Values of shape (neurons, probes), dimensionless, and the sets they belong to; docs/planted.md has the formula,
        which is our own.

    Raises:
        InputError: numbers of layers differ, something is no number of neurons, probes or factors, a share or a loading
            is outside [0, 1], or there are no candidates or more than 26.
    """
    check_seed(seed)
    _check(plan)
    rng = np.random.default_rng(seed)
    n, layers = plan.probes, range(len(plan.shared))
    nuisance = (rng.poisson(MEAN_LENGTH, n) - MEAN_LENGTH) / math.sqrt(MEAN_LENGTH)
    common = rng.normal(size=(plan.factors, n))
    groups = [_neurons(rng, common, sum(plan.shared), plan.loading, plan.nuisance, nuisance)]
    for bridge in plan.bridges:
        size = sum(bridge.neurons)
        loaded = round(bridge.share * size)
        own = rng.normal(size=(plan.factors, n))
        parts = [
            _neurons(rng, factors, number, bridge.loading, bridge.nuisance, nuisance)
            for factors, number in ((common, loaded), (own, size - loaded))
        ]
        groups.append(rng.permutation(np.concatenate(parts)))  # which layer has the loaded neurons is chance

    per_layer = [plan.shared, *(bridge.neurons for bridge in plan.bridges)]
    space = NeuronSpace(tuple(sum(one[layer] for one in per_layer) for layer in layers))
    values = np.empty((len(space), n), np.float32)
    sets = []
    for number, (sizes, group) in enumerate(zip(per_layer, groups, strict=True)):
        # Within a layer, one group's units follow the other's.
        first = [space.starts[layer] + sum(one[layer] for one in per_layer[:number]) for layer in layers]
        flat = np.concatenate([np.arange(sizes[layer]) + first[layer] for layer in layers]).astype(np.int64)
        values[flat] = group
        sets.append(NeuronSet(space, flat))
    codes = string.ascii_lowercase[: len(plan.bridges)]
    order = rng.permutation(len(codes))
    return Planted(
        values=values,
        rows=NeuronSet.of(space, range(len(space))),
        shared=sets[0],
        bridges={codes[i]: sets[1 + i] for i in order},
        window=layers,
        nuisance=nuisance,
        shares={codes[i]: plan.bridges[i].share for i in order},
    )


def _neurons(
    rng: np.random.Generator,
    factors: NDArray[np.float64],
    size: int,
    loading: float,
    nuisance_loading: float,
    nuisance: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Values of neurons that load on one of these factors each, shape (size, probes)."""
    of_factor = factors[rng.integers(len(factors), size=size)]
    sign = rng.choice([-1.0, 1.0], size=(size, 1))
    noise = rng.normal(size=of_factor.shape)
    bias = rng.normal(scale=0.5, size=(size, 1))
    total = bias + sign * loading * of_factor + nuisance_loading * nuisance + math.sqrt(1 - loading**2) * noise
    return np.asarray(total * ndtr(total))  # gelu


def _check(plan: Plan) -> None:
    """Refuse a plan that cannot be carried out, in one sentence."""
    if not 1 <= len(plan.bridges) <= len(string.ascii_lowercase):
        raise InputError(
            f"A plan has 1 to {len(string.ascii_lowercase)} bridges, for each has a letter; give as many, not "
            f"{len(plan.bridges)}."
        )
    for name, number in (("probes", plan.probes), ("factors", plan.factors), ("layers of shared", len(plan.shared))):
        if number < 1:
            raise InputError(f"{number} {name} are too few for a plan; give 1 or more.")
    named = zip(string.ascii_lowercase, plan.bridges, strict=False)
    sets = [
        ("shared", plan.shared, plan.nuisance, plan.loading, 1.0),
        *((f"bridge {code}", one.neurons, one.nuisance, one.loading, one.share) for code, one in named),
    ]
    for name, sizes, nuisance, loading, share in sets:
        if len(sizes) != len(plan.shared) or min(sizes) < 0:
            raise InputError(
                f"{name} has the neurons {sizes}; give a number, 0 or more, for each layer of shared, which has "
                f"{len(plan.shared)}."
            )
        if not math.isfinite(nuisance):
            raise InputError(f"{name} has a loading of {nuisance} on the nuisance; give a finite number.")
        for what, value in (("loading", loading), ("share", share)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} has a {what} of {value}; give one between 0 and 1.")
