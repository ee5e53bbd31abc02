"""Hierarchical clustering of languages, with the support of each branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Branch:
    """Two clusters that join. Languages are numbered 0 to K − 1, branches on from K, in order of their heights.

    Attributes:
        left: number of the first part. right: of the second.
        height: distance at which they join.
        members: codes of all languages below.
        support: share of bootstrap samples in whose trees exactly these languages form a branch (Felsenstein, 1985).
    """

    left: int
    right: int
    height: float
    members: tuple[str, ...]
    support: float


@dataclass(frozen=True)
class Tree:
    """Average-linkage tree (UPGMA: Sokal and Michener, 1958).

    Attributes:
        order: codes of the leaves from one side to the other, ordered so that neighbours are as near as can be.
        branches: K − 1 of them, the last holds all languages.
    """

    order: tuple[str, ...]
    branches: tuple[Branch, ...]


Group = frozenset[int]  # numbers of the languages below a branch


def cluster(codes: Sequence[str], distances: NDArray[np.float64], support: Mapping[Group, float]) -> Tree:
    """Cluster languages.

    Args:
        codes: of the languages, K of them, at least 2.
        distances: between them, shape (K, K), symmetric, zero diagonal.
        support: of branches (:func:`linguabridge.spectrum.support.support`); others have none.
    """
    # Here, not above: a tree from the cache needs none of it.
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    condensed = squareform(distances, checks=False)
    joined = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    branches = tuple(
        Branch(
            left=int(left),
            right=int(right),
            height=float(height),
            members=tuple(codes[i] for i in sorted(group)),
            support=support.get(group, 0.0),
        )
        for (left, right, height, _), group in zip(joined, _below(joined, len(codes)), strict=True)
    )
    return Tree(tuple(codes[int(i)] for i in leaves_list(joined)), branches)


def groups(distances: NDArray[np.float64]) -> list[Group]:
    """The branches of the tree of these distances, by the languages below them."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    return _below(linkage(squareform(distances, checks=False), "average"), len(distances))


def _below(joined: NDArray[np.float64], n: int) -> list[Group]:
    """The leaves below each branch."""
    below: list[Group] = [frozenset([i]) for i in range(n)]
    for left, right, _, _ in joined:
        below.append(below[int(left)] | below[int(right)])
    return below[n:]
