"""Languages × languages from what a model does with the same concepts: CKA of layers, HSIC of shared neurons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.lexicons import is_symbol, load_cldr
from linguabridge.lexicons.split import in_order
from linguabridge.neurons import NeuronSet

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]

FEWEST_CONCEPTS = 100  # for which languages are left out rather than concepts
_BYTES = 512 * 2**20  # of kernels held at a time; those of languages beyond are made again


def common_concepts(
    languages: Sequence[Language], *, most: int, seed: int, skip: Callable[[str], bool] = is_symbol
) -> tuple[dict[str, list[str]], list[str]]:
    """Words for the same concepts in several languages, from the names of Unicode CLDR.

    Where fewer than :data:`FEWEST_CONCEPTS` are named in all of them, the languages with the fewest names are left out,
    one by one.

    Args:
        languages: wanted.
        most: concepts, at most.
        seed: of the draw.
        skip: concepts that are not to be compared.

    Returns:
        By the code of a language its words, in one order of concepts; and the names of languages left out. Nothing,
        and all of them, where too few concepts are named in any three.
    """
    named = {one.code: _names(one) for one in languages}
    left_out: list[str] = []
    kept = sorted(languages, key=lambda one: (-len(named[one.code]), one.code))
    while len(kept) >= 3:
        common = set.intersection(*(set(named[one.code]) for one in kept))
        concepts = [concept for concept in common if not skip(concept)]
        if len(concepts) >= min(most, FEWEST_CONCEPTS):
            drawn = in_order(concepts, seed)[:most]
            words = {one.code: [named[one.code][concept] for concept in drawn] for one in languages if one in kept}
            return words, sorted(left_out)
        left_out.append(kept.pop().name)
    return {}, sorted(one.name for one in languages)


def _names(language: Language) -> dict[str, str]:
    try:
        return load_cldr().names(language)
    except InputError:
        return {}


def cka(kernels: Sequence[NDArray[np.float32]]) -> Array:
    """Debiased linear CKA of two languages' activations on the same concepts, in each layer.

    Args:
        kernels: of K languages, each of shape (layers, concepts, concepts), U-centred, norm 1
            (:func:`linguabridge.probing.linear_kernels`).

    Returns:
        Array of shape (layers, K, K).
    """
    layers = len(kernels[0])
    out = np.empty((layers, len(kernels), len(kernels)))
    for layer in range(layers):
        flat = np.stack([one[layer].ravel() for one in kernels]).astype(np.float64)
        out[layer] = flat @ flat.T
    return out


def hsic(
    values: Mapping[str, NDArray[np.float32]], rows: NeuronSet, tops: Mapping[str, NeuronSet]
) -> tuple[Array, Array]:
    """Dependence between what shared neurons do in one language and in another, on the same concepts.

    For languages s and t and a layer: the mean, over all pairs (i, j) of neurons of O(s, t) = T[s] ∩ T[t] in it, of the
    debiased CKA (normalised HSIC, :mod:`linguabridge.dependence`) of neuron i's values on the words of s with neuron
    j's on those of t. Over all layers: the mean over all these pairs of neurons.

    The mean over pairs of neurons is the inner product of two sums of kernels over O(s, t), and the sums of s for every
    t are one matrix product: no loop over pairs of neurons.

    Args:
        values: by language the mean values of ``rows`` on its words, shape (neurons, concepts).
        rows: neurons of the values' rows; the union of ``tops``.
        tops: top set of each language, in the order of the result.

    Returns:
        Over all layers, shape (K, K), and in each, shape (layers, K, K); NaN on the diagonal and where two languages
        share no neuron.
    """
    codes = list(tops)
    k, n_layers = len(codes), rows.space.n_layers
    products, shared = np.zeros((n_layers, k, k)), np.zeros((n_layers, k, k))
    for layer in range(n_layers):
        here = rows.layer(layer)
        members = np.stack([np.isin(here, tops[code].layer(layer)) for code in codes]).astype(np.float32)
        shared[layer] = members @ members.T
        at = np.searchsorted(rows.flat, here)

        def kernels(
            numbers: range, at: NDArray[np.int64] = at, members: NDArray[np.float32] = members
        ) -> list[_Kernels]:
            return [_Kernels(values[codes[s]][at], members, members[s] > 0) for s in numbers]

        step = _languages_at_once(int(members.sum(axis=1).max()), values[codes[0]].shape[1])
        blocks = [range(start, min(k, start + step)) for start in range(0, k, step)]
        for number, first in enumerate(blocks):
            left = kernels(first)
            for second in blocks[number:]:
                right = left if second is first else kernels(second)
                block = _products(left, right, first, second)
                products[layer, first[0] : first[-1] + 1, second[0] : second[-1] + 1] = block
                products[layer, second[0] : second[-1] + 1, first[0] : first[-1] + 1] = block.T
    pairs = shared**2
    diagonal = np.arange(k)
    pairs[:, diagonal, diagonal] = products[:, diagonal, diagonal] = 0
    with np.errstate(invalid="ignore"):
        overall = products.sum(axis=0) / np.where(pairs.sum(axis=0) > 0, pairs.sum(axis=0), np.nan)
        return overall, np.asarray(products / np.where(pairs > 0, pairs, np.nan))


def _languages_at_once(neurons: int, concepts: int) -> int:
    """Number of languages, of at most so many neurons, whose kernels and sums fit in memory twice."""
    matrices = _BYTES // (4 * concepts * (concepts - 1))  # float32; halves of symmetric kernels, held twice
    # n languages need n · neurons kernels and n² sums
    return max(1, int((np.sqrt(neurons**2 + 4 * matrices) - neurons) / 2))


class _Kernels:
    """Kernels of one language's own neurons in one layer."""

    def __init__(self, rows: NDArray[np.float32], members: NDArray[np.float32], own: NDArray[np.bool_]) -> None:
        import torch

        from linguabridge.dependence import unit_kernels

        self.kernels = unit_kernels(torch.from_numpy(np.ascontiguousarray(rows[own])))
        self.members = torch.from_numpy(np.ascontiguousarray(members[:, own]))

    def summed(self, others: range) -> torch.Tensor:
        """Sum of the kernels of the neurons shared with each of these, shape (languages, pairs of concepts)."""
        return self.members[others[0] : others[-1] + 1] @ self.kernels


def _products(left: list[_Kernels], right: list[_Kernels], first: range, second: range) -> Array:
    """Inner product of the sums of s over O(s, t) and of t over O(s, t), shape (left, right)."""
    import torch

    of_left = torch.stack([one.summed(second) for one in left])  # (left, right, pairs of concepts)
    of_right = torch.stack([one.summed(first) for one in right])  # (right, left, pairs)
    return np.asarray(torch.einsum("stn,tsn->st", of_left, of_right).double().numpy())
