"""Could chance, or a nuisance, have made a candidate's score? Permutations of the probes answer.

If a bridge set's activations are independent of the shared set's and probes are exchangeable, then any order of the
bridge set's probes was as likely as the one seen. One permutation goes for all its neurons in all layers, so what they
have in common among themselves stays. p is the share of orders, the one seen included, that score at least as high
(Phipson and Smyth, 2010): exact whatever the sizes of the sets and the distribution of the values.

All neurons react to some things that tell nothing of languages, such as how long a prompt is: real dependence, and of
no interest. ``given`` takes such a number per probe, in two ways. Values and the number are replaced by their ranks,
and what a straight line explains of the former by the latter is taken away; permuting such residuals goes back to
Freedman and Lane (1983), here without their refitting, as in Kennedy (1995). That is not enough: residuals of a bent
function still differ in spread and shape from short prompts to long ones. So probes change places only with probes of
the same number, where many share theirs, and p is exact again; otherwise with probes of about the same number, and p is
approximate (local permutations; Kim, Neykov, Balakrishnan and Wasserman, 2022). The mean score over these permutations
is what the nuisance still explains; it is taken off the score.

The score is linear in the sums of unit kernels, so that a permutation costs one gather of an S × S matrix (S probes) a
layer and one product with all candidates' matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from linguabridge.cache import Arrays, Cache, array_digest, computed_by
from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet
from linguabridge.ranking import content_key
from linguabridge.settings import MIN_PROBES, check_seed

if TYPE_CHECKING:
    import torch

PERMUTATIONS = 999
ALIKE = 5  # probes that change places with each other when a nuisance is given
_REAL = "fiub"  # kinds of NumPy types that hold real numbers
_ROUNDING = 1e-9  # share of a row's length under which a residual is rounding only


@dataclass(frozen=True)
class Tested:
    """A candidate's score, and whether chance could have made it.

    Attributes:
        score: mean debiased CKA over all pairs of neurons of a layer, as in the ranking; with a nuisance given, that of
            residual ranks, minus its mean over permutations. None for a candidate without neurons beside shared ones.
        p: one-sided; share of the orders of the probes that score at least as high, the one seen included. Of one
            candidate: :func:`linguabridge.paired.holm` adjusts for several. None where the score is.
    """

    score: float | None
    p: float | None


def permutation_p(
    values: NDArray[np.floating],
    rows: NeuronSet,
    shared: NeuronSet,
    bridges: Mapping[str, NeuronSet],
    window: range,
    *,
    given: NDArray[np.floating] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    cache: Cache | None = None,
) -> dict[str, Tested]:
    """Test for every candidate that its bridge set is independent of the shared set.

    Args:
        values: probe matrix of shape (neurons, probes).
        rows: the neurons of its rows.
        shared: O(s, t), or a part of it.
        bridges: each candidate's bridge set; disjoint from ``shared``.
        window: layers to compare in.
        given: a number per probe that may move all neurons and is of no interest; shape (probes,). The hypothesis is
            then independence among probes with the same number.
        permutations: how many, drawn at random; the smallest p is 1 / (permutations + 1).
        seed: of the permutations. All candidates are tested on the same ones.
        cache: where scores are kept; None to compute them.

    Returns:
        Score and p of each candidate, in the order of ``bridges``. Without ``given`` the scores are those of
        :func:`linguabridge.ranking.rank_candidates`.

    Raises:
        InputError: ``values`` is no such matrix of finite numbers, probes or permutations are too few, ``rows`` lacks
            neurons of a set, or ``given`` is not a finite number for each probe.
    """
    values = _matrix(values, rows)
    n = values.shape[1]
    if n < 2 * MIN_PROBES:
        raise InputError(f"{n} probes are too few for permutations; at least {2 * MIN_PROBES} are needed.")
    if given is not None:
        given = np.asarray(given)
        if given.shape != (n,) or given.dtype.kind not in _REAL or not np.isfinite(given).all():
            raise InputError(f"What is given must be one finite number for each of the {n} probes.")
    if permutations < 1:
        raise InputError(f"permutations={permutations} is too few to tell anything; give 1 or more, such as 999.")
    check_seed(seed)
    _check_sets(rows, {"shared": shared, **{f"the bridge set of {code}": one for code, one in bridges.items()}}, window)

    def compute() -> tuple[Arrays, dict[str, Any]]:
        return _scores(values, rows, shared, list(bridges.values()), window, given, permutations, seed), {}

    if cache is None:
        found = compute()[0]
    else:
        key = {
            **content_key(values, rows, shared, list(bridges.values()), window),
            "given": None if given is None else array_digest(given),
            "permutations": permutations,
            "seed": seed,
            "computed_by": computed_by("permutation.py", "dependence.py"),
        }
        found = cache.computed("permutations", key, compute).arrays
    pairs, seen, permuted = found["pairs"], found["seen"], found["permuted"]

    # An order that changes nothing must count as equal, however its sum is rounded.
    rounding = 1e-12 * np.maximum(pairs, 1)
    p = (1 + (permuted >= seen - rounding).sum(axis=0)) / (permutations + 1)
    if given is not None:
        seen = seen - permuted.mean(axis=0)
    return {
        code: Tested(float(seen[i] / pairs[i]), float(p[i])) if pairs[i] else Tested(None, None)
        for i, code in enumerate(bridges)
    }


def _matrix(values: NDArray[np.floating], rows: NeuronSet) -> NDArray[np.floating]:
    """The probe matrix as an array that can be computed with."""
    values = np.asarray(values)
    if values.dtype.kind not in _REAL:
        raise InputError(f"values are of type {values.dtype}; give real numbers, such as float32.")
    if values.ndim != 2 or len(values) != len(rows):
        raise InputError(
            f"values must be a matrix of (neurons, probes) with a row for each of the {len(rows)} neurons of rows, not "
            f"of shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise InputError("values holds NaN or infinity; permutations need finite activations.")
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _check_sets(rows: NeuronSet, sets: Mapping[str, NeuronSet], window: range) -> None:
    """Refuse sets whose neurons are not among the rows: others would be taken for them."""
    layers = rows.space.n_layers
    if window and not 0 <= min(window) <= max(window) < layers:
        raise InputError(f"window is {window}, and the model has the layers 0 to {layers - 1}; give some of these.")
    for name, one in sets.items():
        if one.space != rows.space:
            raise InputError(f"{name} and rows are of models with different layers; give sets of one model.")
        if missing := one.within(window) - rows:
            raise InputError(f"{name} has {len(missing)} neurons that rows lacks; give values of these, too.")


def _scores(
    values: NDArray[np.floating],
    rows: NeuronSet,
    shared: NeuronSet,
    bridges: list[NeuronSet],
    window: range,
    given: NDArray[np.floating] | None,
    permutations: int,
    seed: int,
) -> Arrays:
    """Scores, times the pairs of neurons, in the order seen and in permuted ones.

    Returns:
        ``pairs`` and ``seen``, shape (candidates,), and ``permuted``, shape (permutations, candidates).
    """
    import torch

    blocks = [np.arange(values.shape[1])]
    if given is not None:
        values, blocks = residual_ranks(values, given), alike(given)
    orders = torch.from_numpy(_orders(blocks, permutations, np.random.default_rng(seed)))
    pairs = np.zeros(len(bridges))
    seen, permuted = np.zeros(len(bridges)), np.zeros((permutations, len(bridges)))
    for kx, ky, in_layer in _layers(values, rows, shared, bridges, window):
        pairs += in_layer
        seen += (ky @ kx.flatten()).numpy()
        for number, order in enumerate(orders):
            # X in the inverse order is Y in this one, and there is only one X.
            permuted[number] += (ky @ kx.index_select(0, order).index_select(1, order).flatten()).numpy()
    return {"pairs": pairs, "seen": seen, "permuted": permuted}


def residual_ranks(values: NDArray[np.floating], given: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks of each neuron's values, without what a straight line explains of them by the ranks of a number.

    Args:
        values: shape (neurons, probes).
        given: shape (probes,).

    Returns:
        Array of shape (neurons, probes), each row's mean 0. All zero where nothing is left.
    """
    ranks = stats.rankdata(values, axis=1) - (values.shape[1] + 1) / 2
    by = stats.rankdata(given) - (len(given) + 1) / 2
    length = float(by @ by)
    left = ranks - np.outer(ranks @ by, by) / length if length else ranks
    gone = np.linalg.norm(left, axis=1) <= _ROUNDING * len(given) ** 1.5  # about the length of all ranks
    left[gone] = 0
    return np.asarray(left)


def alike(given: NDArray[np.floating], size: int = ALIKE) -> list[NDArray[np.int64]]:
    """Blocks of probes with the same number or about the same.

    Args:
        given: shape (probes,).
        size: where at least half of the probes share their number with this many, themselves included, each number is a
            block. Elsewhere neighbours in the order of the numbers join, equal ones always, into blocks of at least
            this size.

    Returns:
        Indices of the probes of each block, in the order of the numbers; every probe is in one.
    """
    order = np.argsort(given, kind="stable").astype(np.int64)
    changes = np.flatnonzero(np.diff(given[order])) + 1
    equal = np.split(order, changes)
    if 2 * sum(len(block) for block in equal if len(block) >= size) >= len(order):
        return equal
    cuts = [0]
    for cut in changes:
        if cut - cuts[-1] >= size and len(order) - cut >= size:
            cuts.append(int(cut))
    return np.split(order, cuts[1:])


def _orders(blocks: list[NDArray[np.int64]], number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random orders within blocks, shape (number, probes)."""
    orders = np.tile(np.arange(sum(map(len, blocks))), (number, 1))
    for block in blocks:
        orders[:, block] = rng.permuted(np.tile(block, (number, 1)), axis=1)
    return orders


def _layers(
    values: NDArray[np.floating], rows: NeuronSet, shared: NeuronSet, bridges: list[NeuronSet], window: range
) -> Iterator[tuple[torch.Tensor, torch.Tensor, NDArray[np.float64]]]:
    """Of each layer with shared neurons: their kernel, the candidates' (flat, a row each), and their pairs."""
    import torch

    from linguabridge.dependence import summed_unit_kernel

    def kernel(some: NeuronSet, layer: int) -> torch.Tensor:
        at = np.searchsorted(rows.flat, some.layer(layer))
        return summed_unit_kernel(torch.from_numpy(np.ascontiguousarray(values[at])))

    for layer in window:
        neurons = len(shared.layer(layer))
        if neurons:
            sizes = np.array([len(bridge.layer(layer)) for bridge in bridges], dtype=np.float64)
            of_bridges = torch.stack([kernel(bridge, layer).flatten() for bridge in bridges])
            yield kernel(shared, layer), of_bridges, neurons * sizes
