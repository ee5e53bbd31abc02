"""A map: languages as points of two dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def place(correlation: Array) -> tuple[Array, float]:
    """Classical scaling (Torgerson, 1952) of languages in two dimensions.

    The distance between two languages is sqrt(2 − 2r): that of their standardised activation probabilities, so that it
    is Euclidean, and scaling is exact up to the dimensions left out.

    Args:
        correlation: of activation probabilities, shape (K, K).

    Returns:
        Points of shape (K, 2), and the share of all squared distances from the centre that they show, 0 to 1.
    """
    centred = correlation - correlation.mean(axis=0) - correlation.mean(axis=1)[:, None] + correlation.mean()
    values, vectors = np.linalg.eigh(centred)
    values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
    # An axis has no direction of its own: the point farthest out lies on the positive side.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
    points = vectors[:, :2] * signs[:2] * np.sqrt(values[:2])
    return points, float(values[:2].sum() / values.sum()) if values.sum() > 0 else 0.0
