"""The best bridge that is fixed beforehand, the strongest opponent that knows nothing of a pair but its languages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linguabridge.choosing.combined import usefulness
from linguabridge.settings import FIXED
from linguabridge.study.measured import MeasuredPair
from linguabridge.study.settings import DEVELOPMENT, parse_pairs

BEST_FIXED = "best-fixed"
_FEWEST = 3  # pairs to find it on


def best_fixed(one: MeasuredPair, everything: Sequence[MeasuredPair]) -> NDArray[np.float64] | None:
    """Scores of a pair's candidates: English; where it is source or target, the bridge that did best elsewhere.

    Elsewhere is: on average over the pairs for development with English in them, this one and its reverse left out.
    Words may be for the same concepts, which does the opponent no harm.

    Args:
        one: the pair.
        everything: pairs of the study.

    Returns:
        Shape (candidates,), NaN for one that is not among the others' candidates; None with under three such pairs.
    """
    if FIXED[0] in one.candidates:
        return np.array([float(code == FIXED[0]) for code in one.candidates])
    development = set(parse_pairs(DEVELOPMENT))
    others = [
        other
        for other in everything
        if other.with_english and other.pair in development and set(other.pair) != set(one.pair)
    ]
    gains = [(other, gain) for other in others if (gain := usefulness(other)) is not None]
    if len(gains) < _FEWEST:
        return None
    known: dict[str, list[float]] = {}
    for other, gain in gains:
        for code, value in zip(other.candidates, gain, strict=True):
            known.setdefault(code, []).append(float(value))
    return np.array([np.mean(known[code]) if code in known else np.nan for code in one.candidates])
