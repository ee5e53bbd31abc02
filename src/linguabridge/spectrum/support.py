"""What bootstrap samples of the text confirm: branches, nearest neighbours, mutual ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linguabridge.spectrum.tree import Group, groups

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Support:
    """Shares of samples, 0 to 1.

    Attributes:
        branches: by the numbers of its languages, the share of samples whose tree has this branch.
        nearest: share of samples in which j is nearest to i, shape (K, K).
        mutual: share of samples in which i and j are nearest to each other, shape (K, K).
    """

    branches: dict[Group, float]
    nearest: Array = field(repr=False)
    mutual: Array = field(repr=False)


def support(samples: Iterable[Array]) -> Support:
    """Count over samples; one is held at a time.

    Args:
        samples: correlations of K languages on samples of the text, each of shape (K, K); at least one.
    """
    branches: Counter[Group] = Counter()
    nearest: Array | None = None
    mutual: Array | None = None
    n = 0
    for n, sample in enumerate(samples, start=1):  # noqa: B007 - the number of samples, after the loop
        if nearest is None or mutual is None:
            nearest, mutual = np.zeros(sample.shape), np.zeros(sample.shape)
        branches.update(groups(1 - sample))
        first = nearest_of(sample)
        nearest += first
        mutual += first & first.T
    if nearest is None or mutual is None:
        raise ValueError("no samples")
    return Support({group: count / n for group, count in branches.items()}, nearest / n, mutual / n)


def nearest_of(similarity: Array) -> NDArray[np.bool_]:
    """Whether j is the nearest neighbour of i, or one of several that are equally near.

    Args:
        similarity: of languages, shape (K, K); NaN where it is not defined.

    Returns:
        Array of shape (K, K); a row without a True for a language of which nothing is known.
    """
    known = np.where((np.eye(len(similarity)) > 0) | np.isnan(similarity), -np.inf, similarity)
    best = known.max(axis=1, keepdims=True)
    return np.asarray((known == best) & np.isfinite(best))


def mutual_pairs(similarity: Array) -> list[tuple[int, int]]:
    """Pairs of languages each of which is a nearest neighbour of the other, the most alike first.

    Where several are equally near (counts often are) each of them counts, so that the order of languages does not
    matter.
    """
    nearest = nearest_of(similarity)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(nearest & nearest.T, 1))]
    return sorted(pairs, key=lambda pair: -float(similarity[pair]))
