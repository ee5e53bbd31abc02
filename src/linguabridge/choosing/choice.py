"""A bridge chosen: the candidates in the order that one way of choosing puts them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linguabridge.choosing.evidence import Evidence
from linguabridge.choosing.ways import WAYS, resolved


@dataclass(frozen=True)
class Chosen:
    """What a way of choosing says.

    Attributes:
        way: its name.
        title: what it goes by, in words.
        scores: of the candidates, by code, the best first; None where the way says nothing.
    """

    way: str
    title: str
    scores: dict[str, float | None]

    @property
    def first(self) -> str | None:
        """Code of the candidate with the highest score; None where the way says nothing of any."""
        code, score = next(iter(self.scores.items()))
        return None if score is None else code

    @property
    def is_fixed(self) -> bool:
        """Whether the order is a fixed one, from nothing in the model."""
        return resolved(self.way, self.scores) == "english"

    def tied(self) -> Sequence[str]:
        """Codes of the candidates that share the highest score."""
        values = list(self.scores.values())
        return [code for code, score in self.scores.items() if score is not None and score == values[0]]


def choose(evidence: Evidence, way: str) -> Chosen:
    """Put the candidates in order; in one that the seed draws where the way says the same of all.

    Args:
        evidence: of the pair.
        way: a name in :data:`linguabridge.choosing.ways.WAYS`.
    """
    scores = WAYS[way].score(evidence)
    order = np.argsort(np.where(np.isfinite(scores), -scores, np.inf), kind="stable")
    if np.isfinite(scores).all() and np.ptp(scores) == 0:
        order = np.random.default_rng(evidence.settings.seed).permutation(order)
    return Chosen(
        way=way,
        title=WAYS[resolved(way, evidence.codes)].title,
        scores={evidence.codes[i]: float(scores[i]) if np.isfinite(scores[i]) else None for i in order},
    )
