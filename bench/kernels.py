"""All-pairs HSIC of two sets of neurons against loops over pairs that multiply n × n matrices.

One loop computes tr(K H L H) as it is written; the other takes one n × n product a pair, and computes the very same
numbers as ours, which is checked. A loop needs no such product at all: one of inner products of centred kernels, which
are made once, is timed beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bench.moved import copied_per_s
from bench.table import Repeats, Row, rates, repeats
from bench.timing import in_turns
from linguabridge.dependence import cka_pairs

GOAL, EQUAL = 100.0, 1e-5
REPEATS = 3  # the loops are slow
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Dependence:
    """Seconds of all pairs at once and of the loops.

    Operations and bytes are counted of the one matrix product that gives all pairs; ``product_s`` is what it takes
    alone.
    """

    neurons: int
    probes: int
    ours_s: Repeats
    textbook_s: Repeats
    loop_s: Repeats
    lean_s: Repeats
    product_s: Repeats
    gflop: float
    gb: float
    copied_gb_per_s: float
    textbook_ratio: Repeats
    ratio: Repeats
    lean_ratio: Repeats
    largest_difference: float
    goal: float = GOAL
    goal_difference: float = EQUAL


def _kernel(row: Matrix) -> Matrix:
    gap = np.abs(row[:, None] - row[None, :])
    k: Matrix = np.exp(-(gap**2) / (2 * np.median(gap[np.triu_indices(len(row), 1)]) ** 2))
    np.fill_diagonal(k, 0)
    return k


def naive_hsic(x: Matrix, y: Matrix) -> NDArray[np.float64]:
    """Debiased CKA pair by pair, each with products of n × n matrices (Song et al. 2012, equation 5)."""
    n = x.shape[1]
    ones = np.ones((n, n), dtype=x.dtype)

    def unbiased(k: Matrix, m: Matrix) -> float:
        product = k @ m
        value = (
            np.trace(product) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (ones[0] @ product @ ones[0])
        )
        return float(value / (n * (n - 3)))

    kx, ky = [_kernel(row) for row in x], [_kernel(row) for row in y]
    sx, sy = [unbiased(k, k) for k in kx], [unbiased(k, k) for k in ky]
    return np.array(
        [[unbiased(k, m) / np.sqrt(a * b) for m, b in zip(ky, sy, strict=True)] for k, a in zip(kx, sx, strict=True)]
    )


def lean_hsic(x: Matrix, y: Matrix) -> NDArray[np.float64]:
    """The same numbers as :func:`naive_hsic`, by an inner product a pair of kernels that are centred once."""
    n = x.shape[1]

    def centred(row: Matrix) -> Matrix:
        k = _kernel(row)
        sums = k.sum(1)
        terms = sums / (n - 2) - sums.sum() / (2 * (n - 1) * (n - 2))
        k -= terms[:, None] + terms[None, :]
        np.fill_diagonal(k, 0)
        return k.ravel() / np.linalg.norm(k)

    kx, ky = [centred(row) for row in x], [centred(row) for row in y]
    return np.array([[k @ m for m in ky] for k in kx])


def textbook_hsic(x: Matrix, y: Matrix) -> NDArray[np.float64]:
    """tr(K H L H) / (n − 1)² pair by pair, as the formula is written (Gretton et al. 2005): three products a pair."""
    n = x.shape[1]
    h = np.eye(n, dtype=x.dtype) - np.float32(1 / n)
    kx, ky = ([np.exp(-((row[:, None] - row[None, :]) ** 2) / 2) for row in rows] for rows in (x, y))
    return np.array([[np.trace(k @ h @ m @ h) / (n - 1) ** 2 for m in ky] for k in kx])


def bench_dependence(neurons: int = 60, probes: int = 500) -> Dependence:
    """Time all pairs at once and both loops, in turns, and compare the values of those that compute the same."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(neurons, probes)).astype(np.float32)
    y = (x + rng.normal(size=(neurons, probes))).astype(np.float32)
    flat = torch.randn(neurons, probes * probes), torch.randn(neurons, probes * probes)
    ours_found = cka_pairs(x, y)
    difference = max(float(np.abs(ours_found - loop(x, y)).max()) for loop in (naive_hsic, lean_hsic))
    measured = in_turns(
        [
            lambda: cka_pairs(x, y),
            lambda: textbook_hsic(x, y),
            lambda: naive_hsic(x, y),
            lambda: lean_hsic(x, y),
            lambda: flat[0] @ flat[1].T,
        ],
        REPEATS,
    )
    ours, textbook, loop, lean, product = (repeats(column) for column in zip(*measured, strict=True))
    return Dependence(
        neurons=neurons,
        probes=probes,
        ours_s=ours,
        textbook_s=textbook,
        loop_s=loop,
        lean_s=lean,
        product_s=product,
        gflop=2 * neurons**2 * probes**2 / 1e9,
        gb=4 * (2 * neurons * probes**2 + neurons**2) / 1e9,
        copied_gb_per_s=copied_per_s(torch.device("cpu")) / 1e9,
        textbook_ratio=repeats(one[1] / one[0] for one in measured),
        ratio=repeats(one[2] / one[0] for one in measured),
        lean_ratio=repeats(one[3] / one[0] for one in measured),
        largest_difference=difference,
    )


def rows(one: Dependence) -> Iterator[Row]:
    """The table's part."""
    goal = f"≥ {one.goal:.0f} ×"
    yield Row(
        f"{one.neurons} × {one.neurons} neurons, {one.probes} probes: loop over pairs, tr(K H L H) ÷ all at once",
        f"{one.textbook_ratio.median:.0f} ×",
        one.textbook_ratio.spread(".0f"),
        goal,
        one.textbook_ratio.median >= one.goal,
    )
    yield Row(
        "  loop over pairs, one product each, the same numbers ÷ all at once",
        f"{one.ratio.median:.0f} ×",
        one.ratio.spread(".0f"),
        goal,
        one.ratio.median >= one.goal,
        rates(
            one.gflop / one.ours_s.median,
            one.gflop / one.product_s.median,
            one.gb / one.ours_s.median,
            one.copied_gb_per_s,
        ),
    )
    yield Row(
        "  loop over pairs, an inner product each, kernels centred once ÷ all at once",
        f"{one.lean_ratio.median:.1f} ×",
        one.lean_ratio.spread(".1f"),
    )
    yield Row(
        "  largest difference from these two loops",
        f"{one.largest_difference:.1g}",
        "",
        f"≤ {one.goal_difference:g}",
        one.largest_difference <= one.goal_difference,
    )
