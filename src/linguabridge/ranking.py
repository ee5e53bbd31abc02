"""From neurons to a bridge: how strongly each candidate's neurons depend on those that source and target share.

For every layer of the window, X holds the activations of O(s, t) over the probes and Y those of the candidate's bridge
set; the score is a mean over layers of a dependence measure of X and Y. Nothing here touches the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Arrays, Cache, array_digest, computed_by, digest
from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet
from linguabridge.settings import MIN_PROBES

HALF_SAMPLES = 200
HALF_SAMPLES_REFERENCE = 50  # its score is no linear function of kernels, so each half-sample costs a full run
STANDS_OUT = 0.8  # probability of being the best from which a candidate is named


@dataclass(frozen=True)
class CandidateScore:
    """What the neurons say of one candidate.

    Attributes:
        code: of the language.
        score: dependence on the shared neurons; None when the candidate has no neurons beside them in the window.
        low: lower end of the 95 % interval over probes.
        high: upper end.
        best: probability of being the best, over half-samples of the probes.
        layers: the score of each layer of the window, None where a set is empty.
        neurons: number of the bridge set's neurons in each layer of the window.
    """

    code: str
    score: float | None
    low: float | None
    high: float | None
    best: float
    layers: tuple[float | None, ...]
    neurons: tuple[int, ...]


@dataclass(frozen=True)
class Ranking:
    """All candidates, the best first.

    Attributes:
        candidates: in order of their scores.
        window: first and last layer, both included.
        estimator: of the dependence.
        shared: number of the shared set's neurons in each layer of the window.
        n_probes: columns of the matrices.
        lead: the first candidate's score minus the second's, with a paired 95 % interval; None without a second.
    """

    candidates: tuple[CandidateScore, ...]
    window: tuple[int, int]
    estimator: str
    shared: tuple[int, ...]
    n_probes: int
    lead: tuple[float, float, float] | None

    @property
    def winner(self) -> CandidateScore | None:
        """The candidate that stands out, if one does.

        It is the best in at least 80 % of the half-samples, its interval lies above 0, and so does that of its lead
        over the second. A single candidate stands out from nobody.
        """
        first = self.candidates[0]
        ahead = self.lead is not None and self.lead[1] > 0
        above = first.low is not None and first.low > 0
        return first if above and ahead and first.best >= STANDS_OUT else None

    @property
    def leaders(self) -> tuple[CandidateScore, ...]:
        """The fewest candidates, most probable first, that hold the best one with a probability of 80 %."""
        group: list[CandidateScore] = []
        for candidate in sorted(self.candidates, key=lambda c: -c.best):
            group.append(candidate)
            if sum(c.best for c in group) >= STANDS_OUT:
                break
        return tuple(group)


def default_window(n_layers: int) -> range:
    """The layers in which languages meet: the reference's 10 to 21 of 32, scaled to the model's depth."""
    last = min(round(21 * n_layers / 32), n_layers - 1)
    return range(min(round(10 * n_layers / 32), last), last + 1)


def chosen_layers(layers: tuple[int, int] | None, n_layers: int, default: range) -> range:
    """Layers named by the first and the last one, both included; the default where none are.

    Raises:
        InputError: the model has no such layers.
    """
    if layers is None:
        return default
    first, last = layers
    if not 0 <= first <= last < n_layers:
        raise InputError(
            f"--layers {first}-{last}: the model's layers are 0 to {n_layers - 1}, the first not after the last."
        )
    return range(first, last + 1)


def rank_candidates(
    values: NDArray[np.floating],
    rows: NeuronSet,
    shared: NeuronSet,
    bridges: Mapping[str, NeuronSet],
    window: range,
    *,
    estimator: str = "cka",
    empty_layers_count: bool = False,
    seed: int = 0,
    cache: Cache | None = None,
) -> Ranking:
    """Score every candidate.

    Uncertainty comes from random half-samples of the probes: to first order, the deviation of a half-sample's statistic
    from the full one has the sampling variance of the full one (the delete-d jackknife with d = n/2, Shao and Wu,
    1989), and, unlike in a bootstrap with replacement, no probe meets itself, which an unbiased HSIC must not see.

    Args:
        values: probe matrix of shape (neurons, probes).
        rows: the neurons of its rows.
        shared: O(s, t), or a part of it.
        bridges: each candidate's bridge set; disjoint from ``shared``.
        window: layers to compare in.
        estimator: of :data:`linguabridge.dependence.ESTIMATORS`.
        empty_layers_count: how the reference treats a layer in which either set is empty: it scores 0 and stays in the
            divisor, and all layers weigh the same. By default such a layer is left out, and layers are weighted by
            their pairs of neurons.
        seed: of the half-samples.
        cache: where scores are kept; None to compute them.

    Raises:
        InputError: too few probes, or no shared neuron in the window.
    """
    n = values.shape[1]
    if n < 2 * MIN_PROBES:
        raise InputError(f"{n} probes are too few to rank candidates; at least {2 * MIN_PROBES} are needed.")
    shared = _within(shared, window)
    codes = list(bridges)
    rng = np.random.default_rng(seed)
    repeats = HALF_SAMPLES if estimator == "cka" else HALF_SAMPLES_REFERENCE
    samples = [np.sort(rng.permutation(n)[: n // 2]) for _ in range(repeats)]
    inside = [bridges[code].within(window) for code in codes]
    full, *halved = _layer_scores(values, rows, shared, inside, window, estimator, [None, *samples], cache)
    weights = np.ones_like(full) if empty_layers_count else _pairs(shared, inside, window)
    halves = np.stack([_mean(half, weights, empty_layers_count) for half in halved])
    totals = _mean(full, weights, empty_layers_count)
    ranked_halves = np.where(np.isnan(halves), -np.inf, halves)
    first = ranked_halves == ranked_halves.max(axis=1, keepdims=True)
    best = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)  # those who tie for the first place share it
    # Centred on the half-samples' own mean, not on the full sample's score: the reference's has a bias that depends on
    # the number of probes, and half-samples would carry theirs into the interval.
    spread = halves - halves.mean(axis=0)
    with np.errstate(invalid="ignore"):
        low, high = totals + np.quantile(spread, [0.025, 0.975], axis=0)
    order = np.argsort(np.where(np.isnan(totals), np.inf, -totals), kind="stable")
    lead = None
    if len(order) > 1 and not np.isnan(totals[order[1]]):
        ahead = spread[:, order[0]] - spread[:, order[1]]
        by = totals[order[0]] - totals[order[1]]
        least, most = np.quantile(ahead, [0.025, 0.975])
        lead = (float(by), float(by + least), float(by + most))
    return Ranking(
        candidates=tuple(
            CandidateScore(
                code=codes[i],
                score=_or_none(totals[i]),
                low=_or_none(low[i]),
                high=_or_none(high[i]),
                best=float(best[i]),
                layers=tuple(_or_none(value) for value in full[i]),
                neurons=tuple(bridges[codes[i]].per_layer()[layer] for layer in window),
            )
            for i in order
        ),
        window=(window[0], window[-1]),
        estimator=estimator,
        shared=tuple(shared.per_layer()[layer] for layer in window),
        n_probes=n,
        lead=lead,
    )


def score_candidates(
    values: NDArray[np.floating],
    rows: NeuronSet,
    shared: NeuronSet,
    bridges: Mapping[str, NeuronSet],
    window: range,
    *,
    estimator: str = "cka",
    empty_layers_count: bool = False,
    cache: Cache | None = None,
) -> dict[str, float]:
    """The scores of :func:`rank_candidates` without their uncertainty: NaN for a candidate without neurons.

    Raises:
        InputError: no shared neuron in the window.
    """
    shared = _within(shared, window)
    inside = [one.within(window) for one in bridges.values()]
    (full,) = _layer_scores(values, rows, shared, inside, window, estimator, [None], cache)
    weights = np.ones_like(full) if empty_layers_count else _pairs(shared, inside, window)
    means = _mean(full, weights, empty_layers_count)
    return {code: float(one) for code, one in zip(bridges, means, strict=True)}


def _layer_scores(
    values: NDArray[np.floating],
    rows: NeuronSet,
    shared: NeuronSet,
    bridges: Sequence[NeuronSet],
    window: range,
    estimator: str,
    samples: Sequence[NDArray[np.int64] | None],
    cache: Cache | None,
) -> NDArray[np.float64]:
    """Score of each candidate in each layer on each sample, from the cache or computed; NaN where a set is empty.

    Returns:
        Array of shape (samples, candidates, layers).
    """

    def compute() -> tuple[Arrays, dict[str, Any]]:
        from linguabridge.scorers import SCORERS, PlainScorer  # imports torch

        scorer = SCORERS.get(estimator, PlainScorer)(values, rows, shared, bridges, window, estimator)
        return {"scores": scorer.scores(samples)}, {}

    if cache is None:
        return np.asarray(compute()[0]["scores"])
    key = {
        **content_key(values, rows, shared, bridges, window),
        "estimator": estimator,
        "samples": digest([None if one is None else one.tolist() for one in samples]),
        "computed_by": computed_by("scorers.py", "dependence.py"),
    }
    return np.asarray(cache.computed("scores", key, compute).arrays["scores"])


def content_key(
    values: NDArray[np.floating], rows: NeuronSet, shared: NeuronSet, bridges: Sequence[NeuronSet], window: range
) -> dict[str, Any]:
    """What scores depend on, beside how they are computed, as a part of their key in the cache.

    Arguments are those of :func:`rank_candidates`.
    """
    return {
        "values": array_digest(values),
        "rows": array_digest(rows.flat),
        "widths": list(rows.space.widths),
        "shared": array_digest(shared.flat),
        "bridges": [array_digest(one.flat) for one in bridges],
        "window": [window[0], window[-1]],
    }


def _pairs(shared: NeuronSet, bridges: Sequence[NeuronSet], window: range) -> NDArray[np.float64]:
    """Pairs of a shared neuron and a candidate's, shape (candidates, layers)."""
    sizes = [[len(one.layer(layer)) for layer in window] for one in (shared, *bridges)]
    own, *others = np.array(sizes, dtype=np.float64)
    return np.asarray(np.array(others) * own)


def _within(shared: NeuronSet, window: range) -> NeuronSet:
    inside = shared.within(window)
    if not inside:
        raise InputError(
            f"Source and target share no neuron in layers {window[0]} to {window[-1]}: widen --layers or raise "
            "--top-rate."
        )
    return inside


def _mean(
    per_layer: NDArray[np.float64], weights: NDArray[np.float64], empty_layers_count: bool
) -> NDArray[np.float64]:
    """Mean over layers, shape (candidates,); NaN for a candidate without neurons."""
    if empty_layers_count:
        return np.asarray(np.nan_to_num(per_layer).mean(axis=1))
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (np.nan_to_num(per_layer) * weights).sum(axis=1) / total, np.nan)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
