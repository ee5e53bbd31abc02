"""Agreement of a spectrum with what is known about languages: families, scripts, distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linguabridge.languages import Language

PERMUTATIONS = 9999


@dataclass(frozen=True)
class NeighbourShare:
    """How often a language's nearest neighbour is of its own kind (family, script).

    Attributes:
        n: languages that share their kind with another one in the set; the others cannot have such a neighbour.
        share: of these, those whose nearest neighbour is of their kind.
        chance: the share expected if neighbours were drawn at random.
        p: share of permutations of the kinds over all languages with so high a share or a higher one.
    """

    n: int
    share: float
    chance: float
    p: float


@dataclass(frozen=True)
class Mantel:
    """Correlation between two matrices of distances (Mantel, 1967).

    Attributes:
        n_pairs: of languages that both matrices have a distance for.
        r: Pearson correlation over these pairs; the partial one where a third matrix is taken out.
        p: one-sided: share of permutations of the languages with so high a correlation or a higher one.
    """

    n_pairs: int
    r: float
    p: float
