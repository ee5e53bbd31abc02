"""Neurons, and sets of them with set algebra.

A neuron is (layer, unit): unit j of layer l's feed-forward hidden vector. Inside, it is one number: layers are laid end
to end in their own order, each with its own width. Layers keep their numbers however few of their neurons a set holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class NeuronSpace:
    """All feed-forward neurons of a model: ``widths[l]`` of them in layer l.

    In a mixture of experts a neuron is (layer, expert, unit), and a layer's neurons are those of its experts, laid end
    to end; ``experts[l]`` holds the number of each one's units. A layer without experts counts as one. A model without
    any has no ``experts``.

    Attributes:
        widths: number of neurons of each layer.
        experts: number of units of each expert of each layer; empty without experts.
    """

    widths: tuple[int, ...]
    experts: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of_experts(cls, experts: Sequence[Sequence[int]]) -> NeuronSpace:
        """The neurons of layers of experts.

        Args:
            experts: number of units of each expert of each layer.

        Returns:
            The space; a layer is as wide as its experts together.
        """
        return cls(tuple(sum(one) for one in experts), tuple(tuple(one) for one in experts))

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> NeuronSpace:
        """From what :attr:`facts` gave.

        Args:
            facts: of a space, as a stored result has them.

        Returns:
            The space.
        """
        return cls(tuple(facts["widths"]), tuple(tuple(one) for one in facts.get("experts", ())))

    @property
    def facts(self) -> dict[str, Any]:
        """What a stored result says of the space."""
        facts: dict[str, Any] = {"widths": list(self.widths)}
        if self.experts:
            facts["experts"] = [list(one) for one in self.experts]
        return facts

    def __len__(self) -> int:
        return sum(self.widths)

    @property
    def n_layers(self) -> int:
        """Number of layers; they count from 0."""
        return len(self.widths)

    @property
    def starts(self) -> Indices:
        """Flat index of each layer's unit 0, and the number of neurons at the end; shape (layers + 1,)."""
        return np.concatenate([[0], np.cumsum(self.widths)]).astype(np.int64)

    @property
    def _parts(self) -> tuple[tuple[int, ...], ...]:
        return self.experts or tuple((width,) for width in self.widths)

    @property
    def spans(self) -> list[list[slice]]:
        """Where the units of each layer's experts lie within the layer; one slice where a layer has no experts."""
        ends = [np.cumsum(one).tolist() for one in self._parts]
        return [[slice(a, b) for a, b in zip([0, *one[:-1]], one, strict=True)] for one in ends]

    @property
    def expert_widths(self) -> Indices:
        """Number of units of each expert, those of all layers end to end; shape (experts of all layers,)."""
        return np.array([width for one in self._parts for width in one], np.int64)

    def places(self, flat: Indices) -> Indices:
        """Layer, expert and unit of neurons.

        Args:
            flat: their flat indices, shape (n,).

        Returns:
            Array of shape (n, 3); the expert is 0 where a layer has none.
        """
        starts = np.concatenate([[0], np.cumsum(self.expert_widths)])
        number = np.searchsorted(starts, flat, side="right") - 1
        firsts = np.cumsum([0] + [len(one) for one in self._parts])
        layer = np.searchsorted(firsts, number, side="right") - 1
        return np.stack([layer, number - firsts[layer], flat - starts[number]], axis=1)


@dataclass(frozen=True, eq=False)
class NeuronSet:
    """A set of neurons of one model: ``&``, ``|``, ``-``, ``^``, ``len``, ``in``, iteration over (layer, unit).

    Sets of models with different layers do not combine: a ValueError.

    Attributes:
        space: all neurons of the model.
        flat: numbers of the set's neurons, layers laid end to end; shape (n,), ascending, each once.
    """

    space: NeuronSpace
    flat: Indices = field(repr=False)  # sorted, distinct

    @classmethod
    def of(cls, space: NeuronSpace, flat: Iterable[int] | Indices) -> NeuronSet:
        """The set of these neurons.

        Args:
            space: all neurons of the model.
            flat: flat indices, shape (n,), in any order; repeats are dropped.

        Returns:
            The set.
        """
        return cls(
            space, np.unique(np.asarray(list(flat) if not isinstance(flat, np.ndarray) else flat, dtype=np.int64))
        )

    def __len__(self) -> int:
        return len(self.flat)

    def __bool__(self) -> bool:
        return len(self.flat) > 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        layers = np.searchsorted(self.space.starts, self.flat, side="right") - 1
        units = self.flat - self.space.starts[layers]
        return zip(layers.tolist(), units.tolist(), strict=True)

    def __contains__(self, neuron: tuple[int, int]) -> bool:
        layer, unit = neuron
        if not (0 <= layer < self.space.n_layers and 0 <= unit < self.space.widths[layer]):
            return False
        return bool(np.isin(self.space.starts[layer] + unit, self.flat))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NeuronSet):
            return NotImplemented
        return self.space == other.space and np.array_equal(self.flat, other.flat)

    def __hash__(self) -> int:
        return hash((self.space, self.flat.tobytes()))

    def __and__(self, other: NeuronSet) -> NeuronSet:
        return self._with(other, np.intersect1d)

    def __or__(self, other: NeuronSet) -> NeuronSet:
        return self._with(other, np.union1d)

    def __sub__(self, other: NeuronSet) -> NeuronSet:
        return self._with(other, np.setdiff1d)

    def __xor__(self, other: NeuronSet) -> NeuronSet:
        return self._with(other, np.setxor1d)

    def layer(self, number: int) -> Indices:
        """The set's neurons in one layer.

        Args:
            number: of the layer, from 0.

        Returns:
            Their flat indices, shape (n in the layer,), ascending.
        """
        start, end = self.space.starts[number], self.space.starts[number + 1]
        return self.flat[np.searchsorted(self.flat, start) : np.searchsorted(self.flat, end)]

    def per_layer(self) -> list[int]:
        """Number of neurons in each layer, empty layers included."""
        return [int(n) for n in np.diff(np.searchsorted(self.flat, self.space.starts))]

    def within(self, layers: range) -> NeuronSet:
        """The part of the set that lies in some layers.

        Args:
            layers: consecutive, from 0.

        Returns:
            That part, a set of the same space.
        """
        parts = [self.layer(number) for number in layers]
        return NeuronSet(self.space, np.concatenate(parts) if parts else np.empty(0, np.int64))

    def jaccard(self, other: NeuronSet) -> float:
        """Jaccard's index (1912), |A ∩ B| / |A ∪ B|.

        Args:
            other: a set of the same model.

        Returns:
            The index, dimensionless, in [0, 1]; 0 for two empty sets.

        Raises:
            ValueError: the sets are of models with different layers.
        """
        return len(self & other) / max(1, len(self | other))

    def _with(self, other: NeuronSet, operation: Callable[[Any, Any], Any]) -> NeuronSet:
        if self.space != other.space:
            raise ValueError("These neuron sets are of models with different layers; only sets of one model combine.")
        return NeuronSet(self.space, operation(self.flat, other.flat).astype(np.int64))


def overlap(source: NeuronSet, target: NeuronSet) -> NeuronSet:
    """O(s, t) = T[s] ∩ T[t]: what source and target share (Xu et al., EMNLP 2025; docs/method.md).

    Args:
        source: T[s], the source's top set (:meth:`linguabridge.profile.Profile.top`).
        target: T[t], the target's, in the same model.

    Returns:
        The neurons that are in both.

    Raises:
        ValueError: the sets are of models with different layers.
    """
    return source & target


def bridge_set(candidate: NeuronSet, shared: NeuronSet) -> NeuronSet:
    """B(b; s, t) = T[b] without O(s, t), so that a neuron is never compared with itself (docs/method.md).

    Args:
        candidate: T[b], the top set of a language that may become the bridge.
        shared: O(s, t), from :func:`overlap`.

    Returns:
        The candidate's neurons that source and target do not share.

    Raises:
        ValueError: the sets are of models with different layers.
    """
    return candidate - shared


def bridge_between(candidate: NeuronSet, source: NeuronSet, target: NeuronSet) -> NeuronSet:
    """T[b] ∩ (T[s] ∪ T[t]) without O(s, t): what the candidate shares with exactly one of the two (docs/method.md).

    Args:
        candidate: T[b], the candidate's top set.
        source: T[s], the source's.
        target: T[t], the target's.

    Returns:
        Neurons of the candidate.

    Raises:
        ValueError: the sets are of models with different layers.
    """
    return candidate & (source ^ target)


def anchored(shared: NeuronSet, active_share: NDArray[np.floating]) -> NeuronSet:
    """Neurons of O(s, t) whose value is > 0 on at least half of the understood probes.

    Our reading of the paper's "fully activated" subset (docs/method.md).

    Args:
        shared: O(s, t).
        active_share: share of probes with a positive value, for each neuron of ``shared`` in its order; shape (n,).

    Returns:
        A part of ``shared``.
    """
    return NeuronSet(shared.space, shared.flat[np.asarray(active_share) >= 0.5])
