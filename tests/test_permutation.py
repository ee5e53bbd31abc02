"""p-values against orders written out, their distribution where nothing depends on anything, and a nuisance."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from linguabridge import permutation
from linguabridge.cache import Cache
from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.permutation import alike, permutation_p, residual_ranks
from linguabridge.planted import Plan, PlannedBridge, Planted, planted_activations
from linguabridge.ranking import rank_candidates
from test_dependence import naive_cka


def p_of(planted: Planted, **arguments: object) -> dict[str, permutation.Tested]:
    return permutation_p(
        planted.values,
        planted.rows,
        planted.shared,
        planted.bridges,
        planted.window,
        **arguments,  # type: ignore[arg-type]
    )


MIXED = Plan((PlannedBridge(1, (3, 0, 2)), PlannedBridge(0, (1, 2, 5)), PlannedBridge(0.5, (0, 4, 0))), (2, 3, 0), 40)


def test_scores_are_the_rankings() -> None:
    planted = planted_activations(MIXED, 0)
    ranking = rank_candidates(planted.values, planted.rows, planted.shared, planted.bridges, planted.window)
    tested = p_of(planted, permutations=20)
    assert list(tested) == list(planted.bridges)
    for one in ranking.candidates:
        assert tested[one.code].score == pytest.approx(one.score, rel=1e-9)


def test_p_counts_the_orders_that_score_at_least_as_high(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every order scored by a naive loop on probes that really change places, one order for all layers and neurons.
    planted = planted_activations(MIXED, 1)
    values = planted.values[:, :12].astype(float)
    orders = np.array([np.random.default_rng(i).permutation(12) for i in range(30)])
    monkeypatch.setattr(permutation, "_orders", lambda *_: orders)

    def naive(bridge: NeuronSet, order: np.ndarray) -> float:
        blocks = [(values[planted.shared.layer(i)], values[bridge.layer(i)][:, order]) for i in planted.window]
        return float(np.concatenate([naive_cka(x, y).ravel() for x, y in blocks if len(x) and len(y)]).mean())

    found = permutation_p(values, planted.rows, planted.shared, planted.bridges, planted.window, permutations=30)
    for code, bridge in planted.bridges.items():
        seen = naive(bridge, np.arange(12))
        # The program permutes X, so its orders are the inverse ones of these.
        scores = np.array([naive(bridge, np.argsort(order)) for order in orders])
        assert found[code].p == (1 + (scores >= seen).sum()) / 31


def test_orders_that_change_nothing_count_as_equal() -> None:
    # Two values only: among 8 probes many orders give the same matrix, and with it the same score.
    space = NeuronSpace((2,))
    first, second = NeuronSet.of(space, [0]), NeuronSet.of(space, [1])
    row = np.repeat([0.0, 1.0], 4)
    found = permutation_p(np.stack([row, row]), first | second, first, {"b": second}, range(1), permutations=5000)
    same = sum(set(half) in ({0, 1, 2, 3}, {4, 5, 6, 7}) for half in itertools.combinations(range(8), 4))
    assert found["b"].score == pytest.approx(1)
    assert found["b"].p == pytest.approx(same / 70, abs=0.01)


def uniform(ps: list[float], permutations: int) -> None:
    """Assert what holds of p-values that are uniform on 1/m, 2/m … 1, m = permutations + 1."""
    m = permutations + 1
    assert min(ps) > 0
    # p − U/m is uniform on (0, 1): the continuous test is exact for it.
    spread = np.array(ps) - np.random.default_rng(0).random(len(ps)) / m
    assert stats.kstest(spread, "uniform").pvalue > 0.01
    rejected = sum(p <= 0.05 for p in ps)
    assert stats.binomtest(rejected, len(ps), np.floor(0.05 * m) / m).pvalue > 0.01


@pytest.mark.parametrize(
    ("shared", "bridge"), [((5, 5), (5, 5)), ((1,), (1,)), ((10, 3), (1, 40)), ((2, 0, 4), (30, 3, 0)), ((1,), (30,))]
)
def test_p_is_uniform_where_sets_are_independent(shared: tuple[int, ...], bridge: tuple[int, ...]) -> None:
    # Neurons of a set depend on each other, through factors of their own: only the sets are independent.
    plan = Plan((PlannedBridge(0, bridge),), shared, probes=30)
    ps = [p_of(planted_activations(plan, seed), permutations=199, seed=seed)["a"].p for seed in range(200)]
    uniform(ps, 199)  # type: ignore[arg-type]


def test_a_planted_bridge_has_a_small_p_and_the_others_have_not() -> None:
    plan = Plan((PlannedBridge(0.6, (8, 8)), PlannedBridge(0, (8, 8)), PlannedBridge(0, (40, 0))), (8, 8), 80)
    found = [p_of(planted_activations(plan, seed), permutations=199) for seed in range(40)]
    assert all(one["a"].p == 1 / 200 for one in found)
    for code in "bc":
        assert 0.3 < np.mean([one[code].p for one in found]) < 0.7


LONG = Plan((PlannedBridge(0, (20, 20), nuisance=0.8),), (20, 20), 80, nuisance=0.8)


def test_a_nuisance_makes_p_tiny_and_given_it_is_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    without, taken = [], []
    for seed in range(120):
        planted = planted_activations(LONG, seed)
        taken.append(p_of(planted, given=planted.nuisance, permutations=99, seed=seed)["a"].p)
        if seed < 30:
            without.append(p_of(planted, permutations=99, seed=seed)["a"].p)
    assert np.mean(np.array(without) == 1 / 100) > 0.9
    uniform(taken, 99)  # type: ignore[arg-type]
    # Residuals alone do not suffice: gelu bends, and the straight line leaves what it bends.
    monkeypatch.setattr(permutation, "alike", lambda given: [np.arange(len(given))])
    drawn = [planted_activations(LONG, seed) for seed in range(20)]
    ps = [p_of(one, given=one.nuisance, permutations=99)["a"].p for one in drawn]
    assert np.mean(np.array(ps) <= 0.05) > 0.5


def test_given_a_number_without_equals_p_is_nearly_uniform() -> None:
    rejected = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        number = rng.normal(size=100)
        values = np.maximum(rng.normal(size=(20, 100)) + 0.5 * number, 0)
        space = NeuronSpace((20,))
        x, y = NeuronSet.of(space, range(10)), NeuronSet.of(space, range(10, 20))
        found = permutation_p(values, x | y, x, {"y": y}, range(1), given=number, permutations=99, seed=seed)
        rejected.append(found["y"].p <= 0.05)  # type: ignore[operator]
    assert np.mean(rejected) < 0.15


def test_a_score_given_the_nuisance_is_near_zero_and_keeps_what_was_planted() -> None:
    plan = Plan(
        (PlannedBridge(0, (8, 8), nuisance=0.8), PlannedBridge(0.6, (8, 8), nuisance=0.2)), (8, 8), 100, nuisance=0.5
    )
    plain: dict[str, list[float]] = {"a": [], "b": []}
    given: dict[str, list[float]] = {"a": [], "b": []}
    for seed in range(25):
        planted = planted_activations(plan, seed)
        for scores, number in ((plain, None), (given, planted.nuisance)):
            for code, one in p_of(planted, given=number, permutations=99).items():
                scores[code].append(one.score)  # type: ignore[arg-type]
    assert np.mean(plain["a"]) > np.mean(plain["b"])
    assert abs(np.mean(given["a"])) < 4 * np.std(given["a"], ddof=1) / 5
    assert np.mean(given["b"]) > 4 * np.std(given["b"], ddof=1) / 5
    assert np.mean(np.array(given["b"]) > given["a"]) > 0.9


def test_residual_ranks_are_those_of_a_regression() -> None:
    rng = np.random.default_rng(2)
    given = rng.integers(0, 5, 30).astype(float)
    values = rng.normal(size=(3, 30)) + given
    left = residual_ranks(values, given)
    for row, expected in zip(left, values, strict=True):
        line = stats.linregress(stats.rankdata(given), stats.rankdata(expected))
        fitted = line.intercept + line.slope * stats.rankdata(given)
        np.testing.assert_allclose(row, stats.rankdata(expected) - fitted, atol=1e-9)


def test_nothing_is_left_of_a_constant_neuron_or_of_the_nuisance_itself() -> None:
    given = np.random.default_rng(3).normal(size=20)
    left = residual_ranks(np.stack([np.full(20, 0.1), np.exp(given), given**2]), given)
    assert (left[:2] == 0).all()
    assert left[2].any()
    assert np.isfinite(residual_ranks(left, np.ones(20))).all()


def test_blocks_hold_probes_of_one_number_where_many_share_theirs() -> None:
    given = np.random.default_rng(4).poisson(4, 100).astype(float)
    blocks = alike(given)
    assert sorted(np.concatenate(blocks)) == list(range(100))
    assert [set(given[one]) for one in blocks] == [{number} for number in np.unique(given)]


def test_blocks_of_neighbours_have_five_probes_at_least() -> None:
    rng = np.random.default_rng(4)
    for given in (rng.normal(size=37), np.arange(8.0), rng.integers(0, 40, 50).astype(float)):
        blocks = alike(given)
        assert sorted(np.concatenate(blocks)) == list(range(len(given)))
        assert min(map(len, blocks)) >= 5
        for one, after in itertools.pairwise(blocks):
            assert given[one].max() < given[after].min()
    assert len(alike(rng.normal(size=37))) == 7


def test_probes_change_places_within_their_block_only() -> None:
    blocks = alike(np.random.default_rng(5).poisson(4, 50))
    orders = permutation._orders(blocks, 40, np.random.default_rng(0))
    for block in blocks:
        assert (np.sort(orders[:, block], axis=1) == np.sort(block)).all()
    assert len({tuple(order) for order in orders.tolist()}) == 40


def test_candidate_without_pairs_has_neither_score_nor_p() -> None:
    planted = planted_activations(Plan((PlannedBridge(0, (0, 3)), PlannedBridge(0, (0, 0))), (2, 0), 20), 0)
    for given in (None, planted.nuisance):
        assert set(p_of(planted, given=given).values()) == {permutation.Tested(None, None)}


def test_a_silent_candidate_has_p_one() -> None:
    planted = planted_activations(Plan((PlannedBridge(0, (3,)),), (2,), 20), 0)
    planted.values[planted.bridges["a"].flat] = 0
    for given in (None, planted.nuisance):
        assert p_of(planted, given=given, permutations=50)["a"] == permutation.Tested(0, 1)


def test_whole_numbers_are_no_other_values() -> None:
    planted = planted_activations(MIXED, 2)
    whole = np.round(planted.values * 10).astype(np.int64)
    found, expected = (
        permutation_p(some, planted.rows, planted.shared, planted.bridges, planted.window, permutations=20)
        for some in (whole, whole.astype(float))
    )
    assert found == expected


def test_it_repeats_with_its_seed() -> None:
    planted = planted_activations(MIXED, 2)
    assert p_of(planted, permutations=50, seed=1) == p_of(planted, permutations=50, seed=1)
    assert p_of(planted, permutations=50, seed=1) != p_of(planted, permutations=50, seed=2)


def test_bad_input_is_named() -> None:
    planted = planted_activations(MIXED, 0)
    for given in (np.zeros(39), np.zeros((40, 1)), np.full(40, np.nan)):
        with pytest.raises(InputError, match="one finite number for each of the 40 probes"):
            p_of(planted, given=given)
    others = planted.rows - planted.bridges["b"]
    with pytest.raises(InputError, match="the bridge set of b has 8 neurons that rows lacks"):
        permutation_p(planted.values[: len(others)], others, planted.shared, planted.bridges, planted.window)
    few = planted.values[:, :7]
    with pytest.raises(InputError, match="7 probes are too few"):
        permutation_p(few, planted.rows, planted.shared, planted.bridges, planted.window)


def test_blocks_at_their_borders() -> None:
    def sizes(given: list[float], size: int) -> list[int]:
        blocks = alike(np.array(given), size)
        assert sorted(np.concatenate(blocks)) == list(range(len(given)))
        return [len(block) for block in blocks]

    # Exactly half share theirs with exactly as many as it takes: each number is a block.
    assert sizes([1, 1, 1, 2, 3, 4], 3) == [3, 1, 1, 1]
    # One fewer than half: neighbours join, the first block and the last as small as may be.
    assert sizes([1, 1, 1, 2, 3, 4, 5], 3) == [3, 4]
    assert sizes([1, 2, 3, 4, 5, 6], 3) == [3, 3]
    assert sizes([1, 2, 3, 4, 5], 3) == [5]
    # A third share theirs.
    assert sizes([1, 1, 1, 2, 3, 4, 5, 6, 7], 3) == [3, 3, 3]
    assert sizes([1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8], 4) == [4, 7]


def test_the_seed_decides_and_is_zero_unless_given() -> None:
    planted = planted_activations(MIXED, 3)
    found = [
        {code: one.p for code, one in p_of(planted, permutations=50, **some).items()} for some in ({}, {"seed": 0})
    ]
    assert found[0] == found[1]
    others = [p_of(planted, permutations=50, seed=seed) for seed in (1, 2, 3)]
    assert any({code: one.p for code, one in other.items()} != found[0] for other in others)


def test_too_few_probes_are_told_how_many_it_takes() -> None:
    planted = planted_activations(MIXED, 0)
    with pytest.raises(InputError, match=r"^7 probes are too few for permutations; at least 8 are needed\.$"):
        permutation_p(planted.values[:, :7], planted.rows, planted.shared, planted.bridges, planted.window)


def test_what_is_kept_is_found_by_all_that_it_depends_on(tmp_path: Path) -> None:
    planted, cache = planted_activations(MIXED, 0), Cache(tmp_path)
    some = {code: one for code, one in planted.bridges.items() if code != "b"}
    numbers = np.arange(planted.values.shape[1]) % 5.0
    base = {
        "values": planted.values,
        "rows": planted.rows,
        "shared": planted.shared,
        "bridges": planted.bridges,
        "window": planted.window,
        "given": None,
        "permutations": 50,
        "seed": 0,
    }
    changes = [
        {},
        {"values": planted.values[:, ::-1] ** 3},
        {"shared": planted.bridges["a"], "bridges": {"a": planted.shared, **some}},
        {"bridges": some},
        {"bridges": {"a": planted.bridges["b"], "b": planted.bridges["a"], "c": planted.bridges["c"]}},
        {"window": range(2)},
        {"window": range(1, 2)},
        {"given": numbers},
        {"given": numbers[::-1].copy()},
        {"permutations": 60},
        {"seed": 4},
    ]
    asked = [{**base, **change} for change in changes]
    alone = [permutation_p(**one) for one in asked]  # type: ignore[arg-type]
    for _ in range(2):  # computed, then found
        assert [permutation_p(**one, cache=cache) for one in asked] == alone  # type: ignore[arg-type]
    assert len(list(tmp_path.rglob("*.json"))) == len(changes)
