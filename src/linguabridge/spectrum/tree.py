"""Hierarchical clustering of languages, with the support of each branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform


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


def cluster(codes: Sequence[str], distances: NDArray[np.float64], samples: Sequence[NDArray[np.float64]] = ()) -> Tree:
    """Cluster languages.

    Args:
        codes: of the languages, K of them, at least 2.
        distances: between them, shape (K, K), symmetric, zero diagonal.
        samples: the same from bootstrap samples of the text.
    """
    joined = linkage(squareform(distances, checks=False), "average")
    joined = optimal_leaf_ordering(joined, squareform(distances, checks=False))
    groups = _groups(joined, len(codes))
    found = [frozenset(_groups(linkage(squareform(one, checks=False), "average"), len(codes))) for one in samples]
    branches = tuple(
        Branch(
            left=int(left),
            right=int(right),
            height=float(height),
            members=tuple(codes[i] for i in sorted(group)),
            support=float(np.mean([group in one for one in found])) if found else 1.0,
        )
        for (left, right, height, _), group in zip(joined, groups, strict=True)
    )
    return Tree(tuple(codes[int(i)] for i in leaves_list(joined)), branches)


def _groups(joined: NDArray[np.float64], n: int) -> list[frozenset[int]]:
    """The leaves below each branch."""
    below: list[frozenset[int]] = [frozenset([i]) for i in range(n)]
    for left, right, _, _ in joined:
        below.append(below[int(left)] | below[int(right)])
    return below[n:]
