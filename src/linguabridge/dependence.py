"""How strongly two sets of neurons depend on each other over the same probes.

Two estimators, both built from Gaussian kernels over the scalar activations of single neurons:

``cka`` (default)
    Mean over all pairs (i, j) of the debiased centred kernel alignment of neuron i of X and neuron j of Y:
    HSIC_u(K_i, L_j) / sqrt(HSIC_u(K_i, K_i) HSIC_u(L_j, L_j)). HSIC_u is the unbiased estimator of Song et al. (2012,
    JMLR 13, eq. 5), written as an inner product of U-centred kernels (Székely and Rizzo, 2014); the normalisation is
    that of Nguyen et al. (2021, "Do wide and deep networks learn the same things?"). Bandwidth: per neuron, the
    median distance between its own values (Gretton et al., 2012). Under independence its expectation is about 0
    whatever the sizes of the sets.
``reference``
    The published code's measure with its flaws (docs/method.md names them), for comparison: one pooled bandwidth on the
    scale of whole rows, centring on one side, mean of row and column maxima. It is not an estimate of HSIC.

Every value for a pair is an inner product of two kernels over S probes, so all pairs together are a matrix product of
kernels laid out flat, taken in strips of bounded memory: never a loop over pairs. Kernels are symmetric with a diagonal
of 0, so their upper triangles do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linguabridge.errors import InputError
from linguabridge.hardware import one_thread, start_threads
from linguabridge.settings import MIN_PROBES

start_threads()  # all that computes with torch outside of a model comes through here

Activations = NDArray[np.floating] | Tensor

CONSTANT = {torch.float32: 1e-4, torch.float64: 1e-9}  # norm of a centred kernel under which it is rounding only
TILE_BYTES = 128 * 2**20  # the published measure's kernels held at once, for each side
STRIP_BYTES = 2**21  # of one side's kernels at a time: a processor's cache
STRIP_BYTES_ACCELERATOR = 2**28
_SUMMED = 64  # kernels added up before their sum joins the float64 one
_BRACKETING = 48  # values of a neuron whose distances bracket the median of all


def score(x: Activations, y: Activations, *, estimator: str = "cka") -> float:
    """Dependence between two sets of neurons.

    Args:
        x: activations of shape (n1 neurons, S probes), numpy or torch, any float type.
        y: activations of shape (n2 neurons, S probes), over the same probes in the same order.
        estimator: ``"cka"`` (mean debiased CKA over pairs, 0 without dependence, at most 1) or ``"reference"``
            (the published measure; unbounded, grows with S and with the sizes of the sets).

    Returns:
        The score, dimensionless. A neuron that is constant over the probes depends on nothing: its pairs count as 0.

    Raises:
        InputError: shapes do not agree, a set is empty, fewer than 4 probes, values that are not finite, or an unknown
            estimator.
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"Unknown estimator '{estimator}': choose one of {', '.join(ESTIMATORS)}.")
    return ESTIMATORS[estimator](*_checked(x, y))


def cka_pairs(x: Activations, y: Activations) -> NDArray[np.float64]:
    """Debiased CKA of every pair of neurons.

    Args:
        x: activations of shape (n1, S).
        y: activations of shape (n2, S).

    Returns:
        Array of shape (n1, n2); pairs with a constant neuron are 0.

    Raises:
        InputError: as :func:`score`.
    """
    x_rows, y_rows = _checked(x, y)
    sides = [x_rows] if y_rows is x_rows else [x_rows, y_rows]
    probes, device = x_rows.shape[1], x_rows.device
    height = _strip_height(max(map(len, sides)), probes, x_rows)
    products = torch.zeros(len(x_rows), len(y_rows), dtype=torch.float64, device=device)
    squares = [torch.zeros(len(rows), dtype=torch.float64, device=device) for rows in sides]
    with one_thread():
        for strips in zip(*(_centred_strips(rows, height) for rows in sides), strict=True):
            products += strips[0] @ strips[-1].T
            for total, strip in zip(squares, strips, strict=True):
                total += strip.square().sum(1)
    # Squares are over half of a kernel, as products are. What a constant neuron's has is rounding.
    scales = [torch.where((2 * one).sqrt() > CONSTANT[x_rows.dtype], one.rsqrt(), 0.0) for one in squares]
    return (products * scales[0][:, None] * scales[-1]).cpu().numpy()


def _centred_strips(rows: Tensor, height: int) -> Iterator[Tensor]:
    """U-centred Gaussian kernels of all neurons (:func:`unit_kernels`, but for the scale), some probes at a time.

    A strip holds all pairs of its probes with each other and with later ones. It is small enough for the processor's
    cache, and made twice, for the rows' sums come first: cheaper than to keep whole kernels in memory.

    Yields:
        Tensors of shape (n, pairs of probes a < b); pairs b ≤ a that a strip has room for are 0.
    """
    probes = rows.shape[1]
    scaled = rows / (bandwidths(rows) * math.sqrt(2))[:, None]
    starts = range(0, probes, height)
    sums = torch.zeros_like(scaled)
    for start in starts:
        kernel = _upper(scaled, start, height)
        sums[:, start : start + height] += kernel.sum(2)
        sums[:, start:] += kernel.sum(1)
    centre = sums / (probes - 2) - sums.sum(1, keepdim=True) / (2 * (probes - 1) * (probes - 2))
    for start in starts:
        kernel = _upper(scaled, start, height)
        kernel -= centre[:, start : start + height, None]
        kernel -= centre[:, None, start:]
        kernel[:, :, :height].triu_(1)
        yield kernel.flatten(1)


def _upper(scaled: Tensor, start: int, height: int) -> Tensor:
    """Kernels of the probes from ``start`` on with themselves and later ones; 0 for a pair of b ≤ a."""
    kernel = scaled[:, start : start + height, None] - scaled[:, None, start:]
    kernel.square_().neg_().exp_()
    kernel[:, :, :height].triu_(1)
    return kernel


def _strip_height(neurons: int, probes: int, like: Tensor) -> int:
    room = STRIP_BYTES if like.device.type == "cpu" else STRIP_BYTES_ACCELERATOR
    return max(1, room // (neurons * probes * like.element_size()))


def unit_kernels(rows: Tensor) -> Tensor:
    """U-centred Gaussian kernels, laid out flat: the inner product of two of them is their debiased CKA.

    The kernel of a neuron over pairs of probes (a, b) is exp(−(x_a − x_b)² / 2σ²) with σ of :func:`bandwidths`.

    Args:
        rows: activations of shape (n neurons, S probes).

    Returns:
        Tensor of shape (n, S(S − 1)/2) of the rows' type: pairs a < b, times √2 for the pairs b < a that are left out.
        All zero for a constant neuron.
    """
    probes = rows.shape[1]
    first, second = torch.triu_indices(probes, probes, 1, dtype=torch.int32, device=rows.device)
    upper = first * probes + second
    out = torch.empty(len(rows), len(upper), dtype=rows.dtype, device=rows.device)
    with one_thread():
        for flat, (kernel, scale) in zip(out, _centred_kernels(rows), strict=True):
            torch.index_select(kernel.view(-1), 0, upper, out=flat)
            flat.mul_(scale * math.sqrt(2))
    return out


def summed_unit_kernel(rows: Tensor) -> Tensor:
    """Sum over neurons of their U-centred Gaussian kernels, each scaled to norm 1 (:func:`unit_kernels`).

    The mean CKA over all pairs of two sets is the inner product of their two sums, divided by n1 · n2: a ranking
    that only needs means keeps one S × S matrix per set.

    Args:
        rows: activations of shape (n neurons, S probes).

    Returns:
        Tensor of shape (S, S), float64.
    """
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    few = torch.zeros(total.shape, dtype=rows.dtype, device=rows.device)
    with one_thread():
        for number, (kernel, scale) in enumerate(_centred_kernels(rows), 1):
            few.addcmul_(kernel, scale)
            if number % _SUMMED == 0 or number == len(rows):
                total += few
                few.zero_()
    return total


def _centred_kernels(rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """U-centred kernel of one neuron after another, and what scales it to norm 1 (0 for a constant neuron).

    One (S, S) tensor is written again and again, so that all passes over it find it in the processor's cache.
    """
    probes = rows.shape[1]
    scaled = rows / (bandwidths(rows) * math.sqrt(2))[:, None]
    kernel = torch.empty(probes, probes, dtype=rows.dtype, device=rows.device)
    for row in scaled:
        torch.sub(row[:, None], row[None, :], out=kernel)
        flat = u_centre(kernel.square_().neg_().exp_()).view(-1)
        norm = torch.dot(flat, flat).sqrt()  # several times faster than norm()
        # A constant neuron's kernel is all ones; U-centring leaves only rounding of it.
        yield kernel, torch.where(norm > CONSTANT[rows.dtype], 1 / norm, 0.0)


def bandwidths(rows: Tensor) -> Tensor:
    """Kernel width σ of each neuron: the median of its |x_a − x_b| over pairs of probes a < b.

    Where that median is 0 (more than half of the pairs tie) σ is the mean of the distances instead; where that is 0 too
    the neuron is constant, and 1 serves.

    Args:
        rows: activations of shape (n neurons, S probes).

    Returns:
        Tensor of shape (n,), in the units of the activations, positive.
    """
    ordered = np.sort(rows.cpu().numpy(), axis=1)
    sigma = np.array([_median_distance(row) or _mean_distance(row) or 1 for row in ordered], dtype=ordered.dtype)
    return torch.from_numpy(sigma).to(rows.device)


def _median_distance(row: NDArray[np.floating]) -> float:
    """Median of the distances between the values of a sorted row; the lower of two middle values.

    The distances between some of the values bracket it. Only those in the bracket are looked at, the others counted: a
    value's distances grow along the row.
    """
    n = len(row)
    middle = (n * (n - 1) // 2 - 1) // 2
    some = _distances(row[:: n // _BRACKETING]) if n > 2 * _BRACKETING else row[:0]
    if len(some):
        some.sort()
        lowest, highest = some[int(0.44 * len(some))], some[int(0.56 * len(some))]
        after = np.arange(1, n + 1)
        start = np.maximum(np.searchsorted(row, row + lowest), after)
        stop = np.maximum(np.searchsorted(row, row + highest, side="right"), start)
        below, inside = int((start - after).sum()), stop - start
        if below <= middle < below + inside.sum():
            first = np.repeat(start - np.cumsum(inside) + inside, inside)
            between = row[np.arange(len(first)) + first] - np.repeat(row, inside)
            between.partition(middle - below)
            found = between[middle - below]
            # Sums above are rounded, so a distance next to the bracket's ends may be on the wrong side of it.
            under = (row[start - 1] - row)[start > after]
            over = row[stop[stop < n]] - row[stop < n]
            if under.max(initial=found) <= found <= over.min(initial=found):
                return float(found)
    every = _distances(row)
    every.partition(middle)
    return float(every[middle])


def _mean_distance(row: NDArray[np.floating]) -> float:
    """Mean of the distances between the values of a sorted row."""
    n = len(row)
    times = 2 * np.arange(n) - n + 1  # a value is subtracted from all above it, and all below it from it
    return float(((row - row[0]) * times).sum(dtype=np.float64)) / (n * (n - 1) / 2)


def _distances(row: NDArray[np.floating]) -> NDArray[np.floating]:
    """All distances between the values of a sorted row, in any order."""
    return np.concatenate([row[lag:] - row[:-lag] for lag in range(1, len(row))])


def u_centre(kernels: Tensor) -> Tensor:
    """U-centre symmetric matrices in place: the diagonal becomes 0 and every row sums to 0.

    Székely and Rizzo (2014), eq. 2.1. The inner product of two U-centred n × n kernels divided by n(n − 3) is the
    unbiased HSIC of Song et al. (2012).

    Args:
        kernels: symmetric matrices of shape (..., n, n), n > 3.

    Returns:
        The same tensor, U-centred.
    """
    n = kernels.shape[-1]
    kernels.diagonal(dim1=-2, dim2=-1).zero_()
    rows = kernels.sum(-1)
    rows = rows / (n - 2) - rows.sum(-1, keepdim=True) / (2 * (n - 1) * (n - 2))
    kernels -= rows[..., :, None]
    kernels -= rows[..., None, :]
    kernels.diagonal(dim1=-2, dim2=-1).zero_()
    return kernels


def reference_pairs(x: Activations, y: Activations) -> NDArray[np.float64]:
    """The published code's value for every pair of neurons: tr(K_i H H L_j) with its bandwidth (docs/method.md).

    Args:
        x: activations of shape (n1, S).
        y: activations of shape (n2, S).

    Returns:
        Array of shape (n1, n2).

    Raises:
        InputError: as :func:`score`.
    """
    x_rows, y_rows = _checked(x, y)
    x_std, y_std = _standardise(x_rows.double()), _standardise(y_rows.double())
    within = torch.cat([torch.cdist(rows, rows).flatten() for rows in (x_std, y_std)])
    sigma = within.median() + 1e-6

    def kernels(rows: Tensor) -> Tensor:
        gap = rows[:, :, None] - rows[:, None, :]
        return gap.square_().div_(-2 * sigma**2).exp_()

    out = np.empty((len(x_std), len(y_std)))
    step = _tile_rows(x_std.shape[1], 8)
    for i in range(0, len(x_std), step):
        k = kernels(x_std[i : i + step])
        k -= k.mean(dim=2, keepdim=True)  # K H: since H H = H, one side only
        for j in range(0, len(y_std), step):
            m = kernels(y_std[j : j + step])
            out[i : i + step, j : j + step] = (k.flatten(1) @ m.flatten(1).T).cpu().numpy()
    return out


def _cka(x: Tensor, y: Tensor) -> float:
    return float((summed_unit_kernel(x) * summed_unit_kernel(y)).sum()) / (len(x) * len(y))


def _reference(x: Tensor, y: Tensor) -> float:
    pairs = reference_pairs(x, y)
    return float(pairs.max(axis=1).mean() + pairs.max(axis=0).mean()) / 2


ESTIMATORS: dict[str, Callable[[Tensor, Tensor], float]] = {"cka": _cka, "reference": _reference}


def _standardise(rows: Tensor) -> Tensor:
    return (rows - rows.mean(1, keepdim=True)) / (rows.std(1, keepdim=True) + 1e-6)


def _tile_rows(probes: int, element_size: int) -> int:
    return max(1, TILE_BYTES // (probes * probes * element_size))


def _checked(x: Activations, y: Activations) -> tuple[Tensor, Tensor]:
    sides = []
    for name, value in (("x", x), ("y", y)):
        if not isinstance(value, Tensor):
            value = np.ascontiguousarray(value)
            if value.dtype.kind not in "fiub" or value.dtype.itemsize > 8:
                raise InputError(f"{name} holds values of type {value.dtype}; give real numbers, such as float32.")
        rows = value if isinstance(value, Tensor) else torch.from_numpy(value)
        if rows.is_complex():  # torch would drop the imaginary part without a word
            raise InputError(f"{name} holds values of type {rows.dtype}; give real numbers, such as float32.")
        if rows.ndim != 2 or not len(rows):
            raise InputError(
                f"{name} must be a matrix of (neurons, probes) with at least one neuron, not of shape "
                f"{tuple(rows.shape)}."
            )
        if not rows.dtype.is_floating_point:
            rows = rows.double()
        if rows.dtype not in (torch.float32, torch.float64):
            rows = rows.float()
        if not bool(torch.isfinite(rows).all()):
            raise InputError(
                f"{name} holds values that are not finite (NaN or infinity); dependence needs finite activations."
            )
        sides.append(rows.detach())
    first, second = sides
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"x has {first.shape[1]} probes and y {second.shape[1]}: both need the same probes in the same order."
        )
    if first.shape[1] < MIN_PROBES:
        raise InputError(f"{first.shape[1]} probes are too few: dependence needs at least {MIN_PROBES}.")
    common = torch.promote_types(first.dtype, second.dtype)
    first = first.to(common)
    return first, first if x is y else second.to(common).to(first.device)
