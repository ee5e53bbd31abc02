"""Languages × languages from activation statistics: overlap, Jaccard, correlation, and samples of the last."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from linguabridge.neurons import NeuronSet
from linguabridge.profile import BlockedProfile, LanguageProfile
from linguabridge.spectrum.results import SharedCounts

Array = NDArray[np.float64]

_BYTES = 128 * 2**20  # of counts held as float64 at a time


def overlaps(tops: Sequence[NeuronSet]) -> tuple[Array, Array]:
    """Number of neurons in both of two top sets.

    Args:
        tops: of K languages.

    Returns:
        Over all layers, shape (K, K), and in each, shape (layers, K, K). The diagonal holds the sets' sizes.
    """
    space = tops[0].space
    layers = np.zeros((space.n_layers, len(tops), len(tops)))
    for layer, (start, end) in enumerate(itertools.pairwise(space.starts)):
        members = np.zeros((len(tops), end - start))
        for row, top in zip(members, tops, strict=True):
            row[top.layer(layer) - start] = 1
        layers[layer] = members @ members.T
    return layers.sum(axis=0), layers


def jaccard(overlap: Array) -> Array:
    """|A ∩ B| / |A ∪ B| from overlap counts with the sizes on the diagonal, shape (..., K, K); NaN for empty sets."""
    sizes = np.diagonal(overlap, axis1=-2, axis2=-1)
    union = sizes[..., :, None] + sizes[..., None, :] - overlap
    with np.errstate(invalid="ignore"):
        return np.asarray(overlap / np.where(union > 0, union, np.nan))


def shared_counts(tops: Sequence[NeuronSet]) -> SharedCounts:
    """Neurons by the number of top sets they are in, layer by layer."""
    space = tops[0].space
    times = np.zeros(len(space), dtype=np.int64)
    for top in tops:
        times[top.flat] += 1
    parts = [times[start:end] for start, end in itertools.pairwise(space.starts)]
    return SharedCounts(
        one=tuple(int((part == 1).sum()) for part in parts),
        some=tuple(int(((part > 1) & (part < len(tops))).sum()) for part in parts),
        all=tuple(int((part == len(tops)).sum()) for part in parts),
    )


def correlations(profiles: Sequence[LanguageProfile]) -> tuple[Array, Array]:
    """Pearson correlation of activation probabilities.

    Args:
        profiles: of K languages.

    Returns:
        Over all neurons, shape (K, K), and over those of each layer, shape (layers, K, K); NaN where a language's
        probabilities do not vary.
    """
    probabilities = np.stack([one.probability for one in profiles])
    starts = profiles[0].space.starts
    layers = [_pearson(probabilities[:, a:b]) for a, b in itertools.pairwise(starts)]
    return _pearson(probabilities), np.stack(layers)


def _pearson(rows: Array) -> Array:
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = centred / np.where(norms > 1e-12 * np.sqrt(rows.shape[1]), norms, np.nan)[:, None]
    return np.asarray(np.clip(unit @ unit.T, -1, 1))


def resampled_correlations(profiles: Sequence[BlockedProfile], *, samples: int, seed: int) -> Iterator[Array]:
    """Correlations of activation probabilities on bootstrap samples of the text.

    A sample draws as many blocks as a language has, with replacement, for each language alone (their texts need not be
    parallel). Probabilities on a sample are sums over its blocks, so their covariances are a bilinear form of one
    matrix: that of all blocks' counts with each other. It is made once, whatever the number of samples and neurons.

    In a mixture of experts the tokens that a probability is over differ between experts, and with the sample; there the
    probabilities of a sample are made, some neurons at a time.

    Args:
        profiles: of K languages.
        samples: to draw.
        seed: of the draws.

    Yields:
        Matrices of shape (K, K).
    """
    if any(one.routed is not None for one in profiles):
        yield from _resampled_with_experts(profiles, samples=samples, seed=seed)
        return
    blocks = [len(one.tokens) for one in profiles]
    covariance = _block_covariance(profiles)
    ends = np.cumsum(blocks)
    rng = np.random.default_rng(seed)
    for _ in range(samples):
        weights = np.zeros((ends[-1], len(profiles)))
        for k, (one, count) in enumerate(zip(profiles, blocks, strict=True)):
            drawn = np.bincount(rng.integers(count, size=count), minlength=count)
            weights[ends[k] - count : ends[k], k] = drawn / (drawn @ one.tokens)
        product = weights.T @ covariance @ weights
        deviation = np.sqrt(np.maximum(np.diagonal(product), 0))
        both = np.outer(deviation, deviation)
        # On a sample on which a language's probabilities do not vary it is like no other.
        found = np.divide(product, both, out=np.eye(len(profiles)), where=both > 0)
        yield np.clip(found, -1, 1)


def _resampled_with_experts(profiles: Sequence[BlockedProfile], *, samples: int, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    times = [np.zeros((samples, len(one.tokens))) for one in profiles]  # how often each block is drawn
    for sample in range(samples):
        for some in times:
            count = some.shape[1]
            some[sample] = np.bincount(rng.integers(count, size=count), minlength=count)
    space, k = profiles[0].space, len(profiles)
    expert_of = np.repeat(np.arange(len(space.expert_widths)), space.expert_widths)
    product, sums = np.zeros((samples, k, k)), np.zeros((samples, k))
    step = max(1, _BYTES // (8 * samples * k))
    for start in range(0, len(space), step):
        part = slice(start, start + step)
        p = np.empty((samples, k, len(expert_of[part])))
        for row, (one, some) in enumerate(zip(profiles, times, strict=True)):
            assert one.routed is not None
            reached = np.maximum(some @ one.routed, 1)
            p[:, row] = some @ one.positive[:, part].astype(np.float64) / reached[:, expert_of[part]]
        product += p @ p.swapaxes(1, 2)
        sums += p.sum(axis=2)
    n = len(space)
    covariance = product / n - sums[:, :, None] * sums[:, None, :] / n**2
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    yield from np.clip(covariance / (deviation[:, :, None] * deviation[:, None, :]), -1, 1)


def _block_covariance(profiles: Sequence[BlockedProfile]) -> Array:
    """Covariance, over neurons, of all blocks' counts, shape (all blocks, all blocks)."""
    n = len(profiles[0].space)
    rows = sum(len(one.tokens) for one in profiles)
    product, sums = np.zeros((rows, rows)), np.zeros(rows)
    step = max(1, _BYTES // (8 * rows))
    for start in range(0, n, step):
        counts = np.concatenate([one.positive[:, start : start + step] for one in profiles])
        counts = counts.astype(np.float64)
        product += counts @ counts.T
        sums += counts.sum(axis=1)
    return np.asarray(product / n - np.outer(sums, sums) / n**2)


def token_overlap(profiles: Sequence[BlockedProfile]) -> Array:
    """Share of tokens that two texts have in common: the sum, over token types, of the smaller relative frequency.

    It is 1 minus the total variation distance of the two distributions; the network has no part in it.

    Returns:
        Array of shape (K, K), 0 to 1.
    """
    n = 1 + max(int(one.token_ids.max()) for one in profiles)
    shares = np.zeros((len(profiles), n))
    for row, one in zip(shares, profiles, strict=True):
        row[one.token_ids] = one.token_counts / one.token_counts.sum()
    used = shares[:, shares.any(axis=0)]
    return np.stack([np.minimum(used, row).sum(axis=1) for row in used])
