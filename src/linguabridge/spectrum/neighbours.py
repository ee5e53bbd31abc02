"""Who is near whom, by correlation of activation probabilities, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from linguabridge.families import are_kin
from linguabridge.languages import Language
from linguabridge.spectrum.kinship import share_script
from linguabridge.spectrum.results import MutualPair, Neighbour
from linguabridge.spectrum.support import Support, mutual_pairs

SHOWN = 3  # neighbours of each language
Array = NDArray[np.float64]


def neighbours(languages: Sequence[Language], correlation: Array, support: Support) -> dict[str, tuple[Neighbour, ...]]:
    """Each language's nearest neighbours, the nearest first, by its code."""
    found = {}
    for i, one in enumerate(languages):
        order = [int(j) for j in np.argsort(-correlation[i], kind="stable") if j != i][:SHOWN]
        found[one.code] = tuple(
            Neighbour(languages[j].code, float(correlation[i, j]), float(support.nearest[i, j])) for j in order
        )
    return found


def mutual(
    languages: Sequence[Language],
    correlation: Array,
    support: Support,
    paths: Mapping[str, tuple[str, ...]],
    scripts: Mapping[str, str],
) -> tuple[MutualPair, ...]:
    """Pairs of languages that are each other's nearest neighbours, the most alike first."""
    codes = [one.code for one in languages]
    return tuple(
        MutualPair(
            first=codes[i],
            second=codes[j],
            similarity=float(correlation[i, j]),
            kin=are_kin(paths[codes[i]], paths[codes[j]]),
            same_script=share_script(scripts[codes[i]], scripts[codes[j]]),
            support=float(support.mutual[i, j]),
        )
        for i, j in mutual_pairs(correlation)
    )
