"""Dependence measures against naive loops, the parity file, and what theory says of independent data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from linguabridge import dependence
from linguabridge.errors import InputError


def naive_hsic_unbiased(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. (2012), equation 5, written out."""
    n = len(k)
    k, m = k.copy(), m.copy()
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    value = (
        np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    )
    return float(value / (n * (n - 3)))


def naive_kernel(row: np.ndarray) -> np.ndarray:
    n = len(row)
    gaps = sorted(abs(row[a] - row[b]) for a in range(n) for b in range(a + 1, n))
    sigma = gaps[(len(gaps) - 1) // 2]  # the lower of two middle values, as torch.median
    return np.exp(-((row[:, None] - row[None, :]) ** 2) / (2 * sigma**2))


def naive_cka(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    out = np.empty((len(x), len(y)))
    for i, row in enumerate(x):
        for j, other in enumerate(y):
            k, m = naive_kernel(row), naive_kernel(other)
            norm = naive_hsic_unbiased(k, k) * naive_hsic_unbiased(m, m)
            out[i, j] = naive_hsic_unbiased(k, m) / np.sqrt(norm)
    return out


def test_cka_pairs_equal_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 25))
    y = np.concatenate([x[:2] ** 2 + 0.1 * rng.normal(size=(2, 25)), rng.normal(size=(3, 25))])
    np.testing.assert_allclose(dependence.cka_pairs(x, y), naive_cka(x, y), rtol=1e-9, atol=1e-12)
    assert dependence.score(x, y) == pytest.approx(naive_cka(x, y).mean(), rel=1e-9)


def test_float32_is_within_1e5_of_the_naive_loop() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 60)).astype(np.float32)
    y = (x[:2] + rng.normal(size=(2, 60))).astype(np.float32)
    np.testing.assert_allclose(dependence.cka_pairs(x, y), naive_cka(x.astype(float), y.astype(float)), atol=1e-5)


def _values(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    normal = rng.normal(size=size)
    return {
        "normal": normal,
        "heavy tails": normal**5,
        "far from 0": 1000 + 1e-3 * normal,
        "two groups": np.where(normal > 0, 5, -5) + 0.1 * normal,
        "steps": np.round(2 * normal),
        "mostly 0": np.where(normal > 1, normal, 0),
        "seldom": np.where(np.arange(size) < 2, normal, 0),
        "equal": np.full(size, 3.7),
    }[kind]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [4, 9, 97, 240, 501])
@pytest.mark.parametrize(
    "kind", ["normal", "heavy tails", "far from 0", "two groups", "steps", "mostly 0", "seldom", "equal"]
)
def test_bandwidths_are_the_median_of_all_distances(kind: str, size: int, dtype: type) -> None:
    rng = np.random.default_rng(size)
    rows = np.stack([rng.permutation(_values(kind, size, rng)).astype(dtype) for _ in range(5)])
    found = dependence.bandwidths(torch.from_numpy(rows)).numpy()
    for row, sigma in zip(rows, found, strict=True):
        distances = sorted(abs(row[a] - row[b]) for a in range(size) for b in range(a + 1, size))
        median = distances[(len(distances) - 1) // 2]
        if median > 0:
            assert sigma == median
        else:
            mean = np.mean(np.array(distances, dtype=np.float64))
            assert sigma == pytest.approx(mean if mean > 0 else 1, rel=1e-6)


def test_distances_outside_of_the_bracket_are_not_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    every = dependence._distances
    monkeypatch.setattr(dependence, "_distances", lambda row: looked.append(len(row)) or every(row))
    dependence.bandwidths(torch.from_numpy(np.random.default_rng(0).normal(size=(20, 500))))
    assert max(looked) < 100


def test_sums_of_kernels_are_those_of_the_pairs() -> None:
    rng = np.random.default_rng(10)
    x, y = rng.normal(size=(150, 30)), rng.normal(size=(3, 30))
    sums = [dependence.summed_unit_kernel(torch.from_numpy(rows)) for rows in (x, y)]
    assert float((sums[0] * sums[1]).sum()) == pytest.approx(naive_cka(x, y).sum(), rel=1e-9)
    for one in sums:
        np.testing.assert_allclose(one.sum(0), 0, atol=1e-10)


@pytest.mark.parametrize("estimator", ["cka", "reference"])
def test_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch, estimator: str) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(7, 20)), rng.normal(size=(5, 20))
    whole = dependence.score(x, y, estimator=estimator)
    pairs = dependence.cka_pairs(x, y)
    monkeypatch.setattr(dependence, "TILE_BYTES", 2 * 20 * 20 * 8)
    monkeypatch.setattr(dependence, "STRIP_BYTES", 3 * 7 * 20 * 8)  # the last strip is lower than the others
    assert dependence.score(x, y, estimator=estimator) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(dependence.cka_pairs(x, y), pairs, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("number", range(4))
def test_reference_matches_the_published_code(shared_data: Callable[[str], Path], number: int) -> None:
    file = np.load(shared_data("parity/hsic_reference.npz"), allow_pickle=False)
    x, y, expected = file[f"x{number}"], file[f"y{number}"], float(file[f"score{number}"])
    assert dependence.score(x, y, estimator="reference") == pytest.approx(expected, rel=1e-5)
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    assert dependence.score(*tensors, estimator="reference") == pytest.approx(expected, rel=1e-5)


def test_reference_equals_a_naive_loop() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(3, 15)), rng.normal(size=(4, 15))
    sx, sy = ((r - r.mean(1, keepdims=True)) / (r.std(1, ddof=1, keepdims=True) + 1e-6) for r in (x, y))
    gaps = sorted(float(np.linalg.norm(a - b)) for s in (sx, sy) for a in s for b in s)
    sigma = gaps[(len(gaps) - 1) // 2] + 1e-6
    h = np.eye(15) - 1 / 15

    def kernel(row: np.ndarray) -> np.ndarray:
        return np.exp(-((row[:, None] - row[None]) ** 2) / (2 * sigma**2))

    pairs = np.array([[np.trace(kernel(a) @ h @ h @ kernel(b)) for b in sy] for a in sx])
    expected = (pairs.max(1).mean() + pairs.max(0).mean()) / 2
    assert dependence.score(x, y, estimator="reference") == pytest.approx(expected, rel=1e-9)


def test_reference_of_single_rows_is_n_minus_one_whatever_the_data() -> None:
    # METHOD, flaw 6: at most two rows on each side make the pooled median a zero of the diagonal.
    rng = np.random.default_rng(4)
    assert dependence.score(rng.normal(size=(2, 30)), rng.normal(size=(2, 30)), estimator="reference") == pytest.approx(
        29
    )


@pytest.mark.parametrize("sizes", [(1, 1), (1, 50), (50, 1), (50, 50), (10, 200)])
def test_independent_sets_score_zero_whatever_their_sizes(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    scores = [dependence.score(rng.normal(size=(sizes[0], 40)), rng.normal(size=(sizes[1], 40))) for _ in range(40)]
    standard_error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    assert abs(np.mean(scores)) < 4 * standard_error
    assert abs(np.mean(scores)) < 0.02


def test_the_reference_grows_with_the_size_of_independent_sets() -> None:
    rng = np.random.default_rng(6)

    def mean_score(n: int) -> float:
        return float(
            np.mean(
                [
                    dependence.score(rng.normal(size=(20, 60)), rng.normal(size=(n, 60)), estimator="reference")
                    for _ in range(10)
                ]
            )
        )

    assert mean_score(80) > 1.3 * mean_score(5)


def test_a_neuron_is_fully_aligned_with_itself_and_with_its_mirror_image() -> None:
    row = np.random.default_rng(7).normal(size=(1, 50))
    assert dependence.score(row, row) == pytest.approx(1)
    assert dependence.score(row, -3 * row + 2) == pytest.approx(1)


def test_dependence_without_correlation_is_found() -> None:
    x = np.random.default_rng(8).normal(size=(1, 300))
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 0.15
    assert dependence.score(x, x**2) > 0.3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_neurons_count_as_zero_and_never_as_nan(dtype: type) -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=(2, 200)).astype(dtype)
    constant = np.full((1, 200), 3.7, dtype=dtype)
    assert dependence.score(x, constant) == 0
    both = dependence.cka_pairs(x, np.concatenate([x[:1], constant]))
    assert both[0, 0] == pytest.approx(1, abs=1e-5)
    assert (both[:, 1] == 0).all()
    assert np.isfinite(dependence.score(x, constant, estimator="reference"))


def test_mostly_tied_values_still_have_a_kernel() -> None:
    row = np.zeros((1, 40))
    row[0, :6] = np.arange(1, 7)
    assert dependence.score(row, row) == pytest.approx(1)


@pytest.mark.parametrize("estimator", ["cka", "reference"])
def test_half_precision_and_integers_are_read(estimator: str) -> None:
    x = torch.arange(30.0).reshape(2, 15)
    assert dependence.score(x.bfloat16(), x.int(), estimator=estimator) > 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 10)), np.zeros((2, 11)), "same probes"),
        (np.zeros((0, 10)), np.zeros((2, 10)), "at least one neuron"),
        (np.zeros(10), np.zeros((2, 10)), "matrix"),
        (np.zeros((2, 3)), np.zeros((2, 3)), "too few"),
        (np.full((2, 10), np.nan), np.zeros((2, 10)), "not finite"),
        (np.zeros((2, 10)), np.full((2, 10), np.inf), "not finite"),
    ],
)
def test_bad_input_is_named(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dependence.score(x, y)


def test_an_unknown_estimator_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="cka, reference"):
        dependence.score(np.zeros((2, 10)), np.zeros((2, 10)), estimator="mi")


def test_matrices_are_centred_one_by_one() -> None:
    some = np.random.default_rng(5).normal(size=(3, 6, 6))
    some += some.transpose(0, 2, 1)
    found = dependence.u_centre(torch.from_numpy(some.copy())).numpy()
    for one, centred in zip(some, found, strict=True):
        np.testing.assert_allclose(centred, dependence.u_centre(torch.from_numpy(one.copy())).numpy(), atol=1e-12)
        np.testing.assert_allclose(centred.sum(0), 0, atol=1e-12)
        assert not centred.diagonal().any()


def test_four_probes_are_enough_and_float32_stays_so() -> None:
    x, y = np.random.default_rng(6).normal(size=(2, 3, 4))
    np.testing.assert_allclose(dependence.cka_pairs(x, y), naive_cka(x, y), atol=1e-9)
    kernels = dependence.unit_kernels(torch.from_numpy(x.astype(np.float32)))
    assert kernels.dtype == torch.float32
    assert kernels.shape == (3, 6)


@pytest.mark.parametrize("name", ["x", "y"])
def test_the_side_that_is_wrong_is_named(name: str) -> None:
    good, bad = torch.ones(2, 9), torch.ones(2, 9, dtype=torch.complex64)
    with pytest.raises(InputError, match=f"^{name} holds values of type torch.complex64; give real numbers"):
        dependence.score(**{"x": good, "y": good, name: bad})


def test_a_units_kernel_is_large_where_its_values_are_alike() -> None:
    rows = torch.from_numpy(np.random.default_rng(9).normal(size=(5, 12)))
    kernels = dependence.unit_kernels(rows)
    np.testing.assert_allclose(kernels @ kernels.T, naive_cka(rows.numpy(), rows.numpy()), atol=1e-10)
    for row, flat in zip(rows, kernels, strict=True):
        whole = dependence.summed_unit_kernel(row[None])
        upper = whole[tuple(torch.triu_indices(12, 12, 1))]
        np.testing.assert_allclose(flat / np.sqrt(2), upper, atol=1e-12)
        near = torch.from_numpy(naive_kernel(row.numpy()))
        assert float((whole * near).sum()) > 0
