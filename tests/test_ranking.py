"""The ranking against naive kernels, planted dependence, and noise."""

from __future__ import annotations

import numpy as np
import pytest

from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.ranking import Ranking, default_window, rank_candidates
from linguabridge.scorers import LinearScorer
from test_dependence import naive_cka, naive_hsic_unbiased, naive_kernel

SPACE = NeuronSpace((40,) * 5)
WINDOW = range(1, 4)
N = 40


def neurons(layers: dict[int, range]) -> NeuronSet:
    return NeuronSet.of(SPACE, [SPACE.starts[layer] + unit for layer, units in layers.items() for unit in units])


SHARED = neurons({0: range(2), 1: range(3), 2: range(2), 3: range(1)})
# Outside the window (layers 0 and 4) too, which must not matter; c has none in layer 2.
BRIDGES = {
    "a": neurons({0: range(10, 14), 1: range(10, 12), 2: range(10, 11), 3: range(10, 14)}),
    "b": neurons({1: range(20, 23), 2: range(20, 22), 3: range(20, 21), 4: range(30)}),
    "c": neurons({1: range(30, 32), 3: range(30, 33)}),
}
ROWS = NeuronSet.of(SPACE, np.concatenate([SHARED.flat, *(one.flat for one in BRIDGES.values())]))


def data(seed: int = 0, planted: str | None = None) -> np.ndarray:
    """Activations of all rows; the neurons of the planted candidate depend on the shared ones of their layer."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(ROWS), N))
    if planted:
        for layer in range(5):
            for row in np.searchsorted(ROWS.flat, BRIDGES[planted].layer(layer)):
                shared = np.searchsorted(ROWS.flat, SHARED.layer(layer))
                if len(shared):
                    values[row] = values[shared].sum(axis=0) + 0.3 * values[row]
    return values


def block(values: np.ndarray, some: NeuronSet, layer: int) -> np.ndarray:
    return values[np.searchsorted(ROWS.flat, some.layer(layer))]


def naive_layers(values: np.ndarray, code: str) -> list[float | None]:
    out: list[float | None] = []
    for layer in WINDOW:
        x, y = block(values, SHARED, layer), block(values, BRIDGES[code], layer)
        out.append(float(naive_cka(x, y).mean()) if len(x) and len(y) else None)
    return out


def ranked(values: np.ndarray, **arguments: object) -> Ranking:
    return rank_candidates(values, ROWS, SHARED, BRIDGES, WINDOW, **arguments)  # type: ignore[arg-type]


def test_score_is_the_mean_over_pairs_of_the_layers_that_have_them() -> None:
    values = data(1, planted="b")
    found = {one.code: one for one in ranked(values).candidates}
    for code in BRIDGES:
        pairs = [value for layer in WINDOW for value in naive_pairs(values, code, layer)]
        assert found[code].score == pytest.approx(np.mean(pairs), rel=1e-9)
        for value, expected in zip(found[code].layers, naive_layers(values, code), strict=True):
            assert value == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-12))
        assert found[code].low < found[code].score < found[code].high  # type: ignore[operator]


def naive_pairs(values: np.ndarray, code: str, layer: int) -> list[float]:
    x, y = block(values, SHARED, layer), block(values, BRIDGES[code], layer)
    return naive_cka(x, y).ravel().tolist() if len(x) and len(y) else []


@pytest.mark.parametrize("planted", BRIDGES)
def test_candidate_whose_neurons_depend_on_the_shared_ones_wins(planted: str) -> None:
    found = ranked(data(2, planted))
    assert found.winner is not None
    assert found.winner.code == found.candidates[0].code == planted
    assert [one.code for one in found.leaders] == [planted]
    assert found.winner.score > 5 * max(abs(one.score or 0) for one in found.candidates[1:])  # type: ignore[operator]


def test_ranking_says_what_it_compared() -> None:
    found = ranked(data(3))
    assert (found.window, found.estimator, found.shared, found.n_probes) == ((1, 3), "cka", (3, 2, 1), N)
    assert {one.code: one.neurons for one in found.candidates} == {"a": (2, 1, 4), "b": (3, 2, 1), "c": (2, 0, 3)}
    scores = [one.score for one in found.candidates]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    assert sum(one.best for one in found.candidates) == pytest.approx(1)


def test_half_samples_equal_kernels_made_anew_with_the_full_samples_scale() -> None:
    values = data(4, planted="a")
    codes = list(BRIDGES)
    scorer = LinearScorer(
        values, ROWS, SHARED.within(WINDOW), [BRIDGES[c].within(WINDOW) for c in codes], WINDOW, "cka"
    )
    half = np.sort(np.random.default_rng(0).permutation(N)[: N // 2])
    expected = np.full((len(codes), len(WINDOW)), np.nan)
    for i, code in enumerate(codes):
        for j, layer in enumerate(WINDOW):
            pairs = []
            for row in block(values, SHARED, layer):
                for other in block(values, BRIDGES[code], layer):
                    k, m = naive_kernel(row), naive_kernel(other)  # bandwidth and norm of all probes
                    norm = np.sqrt(naive_hsic_unbiased(k, k) * naive_hsic_unbiased(m, m))
                    cut = np.ix_(half, half)
                    pairs.append(naive_hsic_unbiased(k[cut], m[cut]) / norm)
            if pairs:
                expected[i, j] = np.mean(pairs)
    np.testing.assert_allclose(scorer.scores([half])[0], expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(
        scorer.scores([None])[0],
        [[np.nan if v is None else v for v in naive_layers(values, c)] for c in codes],
        rtol=1e-8,
    )
    before = scorer.scores([None])[0]
    scorer.scores([half])[0]
    np.testing.assert_array_equal(scorer.scores([None])[0], before)  # a half-sample leaves the kernels as they were


def naive_reference(x: np.ndarray, y: np.ndarray) -> float:
    sx, sy = ((r - r.mean(1, keepdims=True)) / (r.std(1, ddof=1, keepdims=True) + 1e-6) for r in (x, y))
    gaps = sorted(float(np.linalg.norm(a - b)) for s in (sx, sy) for a in s for b in s)
    sigma = gaps[(len(gaps) - 1) // 2] + 1e-6
    n = x.shape[1]
    h = np.eye(n) - 1 / n

    def kernel(row: np.ndarray) -> np.ndarray:
        return np.exp(-((row[:, None] - row[None]) ** 2) / (2 * sigma**2))

    pairs = np.array([[np.trace(kernel(a) @ h @ h @ kernel(b)) for b in sy] for a in sx])
    return float((pairs.max(1).mean() + pairs.max(0).mean()) / 2)


def test_reference_counts_empty_layers_as_zero_and_keeps_them_in_the_divisor() -> None:
    values = data(5)
    found = {c.code: c for c in ranked(values, estimator="reference", empty_layers_count=True).candidates}
    for code, bridge in BRIDGES.items():
        blocks = [(block(values, SHARED, layer), block(values, bridge, layer)) for layer in WINDOW]
        by_layer = [naive_reference(x, y) if len(y) else 0.0 for x, y in blocks]
        assert found[code].score == pytest.approx(sum(by_layer) / 3, rel=1e-6)
    assert found["c"].layers[1] is None


def test_reference_rule_for_empty_layers_goes_with_cka_too() -> None:
    values = data(6)
    found = {c.code: c for c in ranked(values, empty_layers_count=True).candidates}
    for code in BRIDGES:
        expected = sum(value or 0.0 for value in naive_layers(values, code)) / 3
        assert found[code].score == pytest.approx(expected, rel=1e-9)


def test_candidate_without_neurons_in_the_window_ranks_last_without_a_score() -> None:
    bridges = {"none": neurons({0: range(10, 14), 4: range(3)}), **BRIDGES}
    values = data(7) - 5  # scores of noise are often negative; still better than none
    rows = ROWS | bridges["none"]
    grown = np.random.default_rng(7).normal(size=(len(rows), N))
    grown[np.searchsorted(rows.flat, ROWS.flat)] = values
    last = rank_candidates(grown, rows, SHARED, bridges, WINDOW).candidates[-1]
    assert (last.code, last.score, last.low, last.high, last.best) == ("none", None, None, None, 0)
    assert last.layers == (None, None, None)


def test_no_candidate_with_neurons_gives_no_winner() -> None:
    found = rank_candidates(data(8), ROWS, SHARED, {"x": neurons({}), "y": neurons({4: range(2)})}, WINDOW)
    assert found.winner is None
    assert all(one.score is None for one in found.candidates)


def test_shared_set_outside_the_window_is_refused() -> None:
    with pytest.raises(InputError, match="share no neuron in layers 1 to 3: widen --layers or raise --top-rate"):
        rank_candidates(data(9), ROWS, neurons({0: range(2)}), BRIDGES, WINDOW)


def test_few_probes_are_refused() -> None:
    with pytest.raises(InputError, match="7 probes are too few"):
        ranked(data(10)[:, :7])
    assert ranked(data(10)[:, :8]).n_probes == 8


def test_ranking_repeats_with_its_seed() -> None:
    values = data(11)
    assert ranked(values, seed=1) == ranked(values, seed=1) != ranked(values, seed=2)


@pytest.mark.parametrize(
    ("depth", "first", "last"), [(32, 10, 21), (18, 6, 12), (16, 5, 10), (64, 20, 42), (2, 1, 1), (1, 0, 0), (4, 1, 3)]
)
def test_default_window_is_the_references_scaled_to_the_depth(depth: int, first: int, last: int) -> None:
    # METHOD section 2: round(10L/32) to round(21L/32); the last layer at most.
    window = default_window(depth)
    assert (window[0], window[-1]) == (first, min(last, depth - 1))


def exchangeable(seed: int, sizes: dict[str, int], n: int = 60) -> Ranking:
    """Independent noise everywhere."""
    space = NeuronSpace((5 + sum(sizes.values()),))
    bounds = np.cumsum([5, *sizes.values()])
    bridges = {code: NeuronSet.of(space, range(a, b)) for code, a, b in zip(sizes, bounds, bounds[1:], strict=False)}
    rows = NeuronSet.of(space, range(len(space)))
    values = np.random.default_rng(seed).normal(size=(len(space), n))
    return rank_candidates(values, rows, NeuronSet.of(space, range(5)), bridges, range(1), seed=seed)


def test_noise_seldom_makes_a_winner() -> None:
    winners = sum(exchangeable(seed, dict.fromkeys("abcdef", 10)).winner is not None for seed in range(30))
    assert winners <= 6


def test_independent_sets_of_very_different_sizes_score_zero_alike() -> None:
    found = [exchangeable(seed, {"small": 1, "large": 100}) for seed in range(40)]
    for code in ("small", "large"):
        scores = np.array([next(c.score for c in one.candidates if c.code == code) for one in found])
        assert abs(scores.mean()) < 4 * scores.std(ddof=1) / np.sqrt(len(scores))
        assert abs(scores.mean()) < 0.01
    first = sum(one.candidates[0].code == "large" for one in found)
    assert 8 <= first <= 32  # size alone does not put a candidate first


def test_interval_over_probes_covers_no_dependence_of_noise() -> None:
    inside = total = 0
    for seed in range(15):
        for one in exchangeable(seed, dict.fromkeys("abcd", 10)).candidates:
            inside += one.low <= 0 <= one.high  # type: ignore[operator]
            total += 1
    assert inside / total > 0.85


def test_candidates_with_the_same_neurons_share_the_first_place_and_neither_wins() -> None:
    ranking = rank_candidates(data(planted="a"), ROWS, SHARED, {"x": BRIDGES["a"], "y": BRIDGES["a"]}, WINDOW)
    assert [one.best for one in ranking.candidates] == [0.5, 0.5]
    assert ranking.winner is None


def test_winner_needs_a_lead_that_is_not_chance() -> None:
    # Two candidates equally dependent on the shared neurons: one of them leads, seldom beyond chance.
    named = 0
    for seed in range(40):
        values = data(seed)
        rng = np.random.default_rng(seed)
        for code in ("a", "b"):
            rows = np.searchsorted(ROWS.flat, BRIDGES[code].flat)
            values[rows] = values[0] + 1.5 * rng.normal(size=(len(rows), N))
        values[np.searchsorted(ROWS.flat, SHARED.flat)] = values[0] + 0.5 * rng.normal(size=(len(SHARED), N))
        pair = {code: BRIDGES[code] for code in ("a", "b")}
        named += rank_candidates(values, ROWS, SHARED, pair, WINDOW).winner is not None
    assert named <= 8
