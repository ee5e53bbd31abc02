"""Ways that learn from other pairs: a candidate's habit of being useful, and a ridge regression over all scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from linguabridge.study.measured import MeasuredPair

HABIT, COMBINED = "habit", "combined"
# What the regression sees of a candidate: ways that say different things, none of them a constant or its twin.
FEATURES = (
    "cka", "overlap", "correlation-min", "hidden-cka", "tokens", "family", "bits", "hub", "hub-hidden", "central",
    "first-hop", "second-hop",
)  # fmt: skip
_FEWEST = 10  # words of a pair, to learn anything from it
_PENALTY = 20.0  # as many rows of data as would say "no effect"; there are 13 a pair


def left_out(one: MeasuredPair, everything: Sequence[MeasuredPair]) -> dict[str, NDArray[np.float64]]:
    """Scores of a pair's candidates by what was learnt on other pairs.

    No pair is scored by what saw it, nor its reverse; of other pairs only words for concepts count that it is not asked
    for, since pairs of one language share many.

    Args:
        one: the pair to score.
        everything: pairs to learn from; the pair and its reverse among them are left out.

    Returns:
        For :data:`HABIT` and :data:`COMBINED`, the latter only if some of :data:`FEATURES` are measured. Empty with
        fewer than three pairs to learn from.
    """
    others = [other for other in everything if set(other.pair) != set(one.pair)]
    gains = [usefulness(other, apart_from=one.concepts) for other in others]
    learnt = [(other, gain) for other, gain in zip(others, gains, strict=True) if gain is not None]
    if len(learnt) < 3:
        return {}
    known: dict[str, list[float]] = {}
    for other, gain in learnt:
        for code, value in zip(other.candidates, gain, strict=True):
            known.setdefault(code, []).append(float(value))
    found = {HABIT: np.array([np.mean(known[code]) if code in known else np.nan for code in one.candidates])}
    features = [name for name in FEATURES if all(name in some.scores for some in (one, *others))]
    if features:
        rows = np.concatenate([standard(other, features) for other, _ in learnt])
        weights = ridge(rows, np.concatenate([gain for _, gain in learnt]), _PENALTY)
        found[COMBINED] = standard(one, features) @ weights
    return found


def usefulness(one: MeasuredPair, *, apart_from: Collection[str] = ()) -> NDArray[np.float64] | None:
    """Mean reciprocal rank through each candidate, less the mean over candidates.

    Args:
        one: a pair.
        apart_from: concepts whose words do not count.

    Returns:
        Shape (candidates,); None where fewer than ten words are left.
    """
    others = set(apart_from)
    kept = np.array([concept not in others for concept in one.concepts])
    if kept.sum() < _FEWEST:
        return None
    at = [one.arms.index(code) for code in one.candidates]
    means = (1 / one.ranks[at][:, kept]).mean(axis=1)
    return np.asarray(means - means.mean())


def standard(one: MeasuredPair, features: Sequence[str]) -> NDArray[np.float64]:
    """Scores of a pair's candidates, each way's with mean 0 and deviation 1 over them; 0 where one says nothing.

    Returns:
        Shape (candidates, features).
    """
    columns = []
    for name in features:
        values = np.array(one.scores[name], float)
        values = np.where(np.isfinite(values), values, np.nan)
        spread = np.nanstd(values) if np.isfinite(values).any() else 0.0
        columns.append(np.nan_to_num((values - np.nanmean(values)) / spread) if spread > 0 else np.zeros(len(values)))
    return np.stack(columns, axis=1)


def ridge(rows: NDArray[np.float64], values: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Weights w that minimise |rows w − values|² + penalty |w|² (Hoerl and Kennard, 1970); shape (features,)."""
    return np.asarray(np.linalg.solve(rows.T @ rows + penalty * np.eye(rows.shape[1]), rows.T @ values), float)
