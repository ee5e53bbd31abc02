"""Dependence of candidates' neurons on shared ones, layer by layer, on all probes and on samples of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from linguabridge.dependence import score, summed_unit_kernel, u_centre
from linguabridge.neurons import NeuronSet


class PlainScorer:
    """Any estimator, computed anew for every half-sample.

    Arguments are those of :func:`linguabridge.ranking.rank_candidates`.
    """

    def __init__(
        self,
        values: NDArray[np.floating],
        rows: NeuronSet,
        shared: NeuronSet,
        bridges: Sequence[NeuronSet],
        window: range,
        estimator: str,
    ) -> None:
        self.estimator = estimator

        def block(some: NeuronSet, layer: int) -> torch.Tensor:
            at = np.searchsorted(rows.flat, some.layer(layer))
            return torch.from_numpy(np.ascontiguousarray(values[at]))

        self.x = [block(shared, layer) for layer in window]
        self.y = [[block(bridge, layer) for layer in window] for bridge in bridges]
        self.pairs = np.array([[float(len(x) * len(y)) for x, y in zip(self.x, ys, strict=True)] for ys in self.y])
        self.n = values.shape[1]

    def scores(self, samples: Sequence[NDArray[np.int64] | None]) -> NDArray[np.float64]:
        """Score of each candidate in each layer on each sample of the probes (None: on all).

        Returns:
            Array of shape (samples, candidates, layers), NaN where a set is empty.
        """
        out = np.full((len(samples), *self.pairs.shape), np.nan)
        for layer, x in enumerate(self.x):
            for candidate, ys in enumerate(self.y):
                y = ys[layer]
                if not len(x) or not len(y):
                    continue
                for number, probes in enumerate(samples):
                    pick = slice(None) if probes is None else torch.from_numpy(probes)
                    out[number, candidate, layer] = score(x[:, pick], y[:, pick], estimator=self.estimator)
        return out


class LinearScorer(PlainScorer):
    """Mean CKA over pairs: an inner product of two sums of kernels, so a half-sample costs one S × S product.

    Each neuron's scale stays that of the full sample; a half-sample re-centres, which is exact. Layer by layer, so that
    two matrices are held at a time.
    """

    def scores(self, samples: Sequence[NDArray[np.int64] | None]) -> NDArray[np.float64]:
        """See :meth:`PlainScorer.scores`."""
        out = np.full((len(samples), *self.pairs.shape), np.nan)
        for layer, x in enumerate(self.x):
            if not len(x):
                continue
            kx = summed_unit_kernel(x)
            for candidate, ys in enumerate(self.y):
                if not len(ys[layer]):
                    continue
                ky = summed_unit_kernel(ys[layer])
                for number, probes in enumerate(samples):
                    product = self._product(kx, ky, probes)
                    out[number, candidate, layer] = product / self.pairs[candidate, layer]
        return out

    def _product(self, kx: torch.Tensor, ky: torch.Tensor, probes: NDArray[np.int64] | None) -> float:
        if probes is None:
            return float((kx * ky).sum())
        at = torch.from_numpy(probes)
        m = len(probes)
        # HSIC_u is the inner product over n(n − 3); the unit kernels hold the full sample's n. Centring one side is
        # enough: it is a projection.
        centred = u_centre(kx[at[:, None], at])
        scale: float = self.n * (self.n - 3) / (m * (m - 3))
        return float((centred * ky[at[:, None], at]).sum()) * scale


SCORERS: Mapping[str, type[PlainScorer]] = {"cka": LinearScorer}  # by estimator; others have the plain one
