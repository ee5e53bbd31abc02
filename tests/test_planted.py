"""Is it the neurons? Scores of independent sets of any size, and bridges that were planted, beside the reference."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from linguabridge import ranking
from linguabridge.dependence import score, summed_unit_kernel
from linguabridge.errors import InputError
from linguabridge.planted import Plan, PlannedBridge, planted_activations
from linguabridge.ranking import rank_candidates

sys.path.append(str(Path(__file__).parent.parent))  # bench is no part of the package

from bench.planted import CONDITIONS, plan, scores, success

SIZES = (1, 2, 5, 10, 30, 100, 500)
CKA, GIVEN, REFERENCE = "cka", "cka, length given", "reference"


@pytest.mark.parametrize("of_x", [1, 20])
def test_scores_of_independent_sets_are_zero_from_1_to_500_neurons(of_x: int) -> None:
    repeats, n = 40, 40
    found = np.empty((repeats, len(SIZES)))
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        x = summed_unit_kernel(torch.from_numpy(rng.normal(size=(of_x, n)).astype(np.float32)))
        for i, size in enumerate(SIZES):
            y = summed_unit_kernel(torch.from_numpy(rng.normal(size=(size, n)).astype(np.float32)))
            found[repeat, i] = float((x * y).sum()) / (of_x * size)
    standard_errors = found.std(axis=0, ddof=1) / np.sqrt(repeats)
    assert (np.abs(found.mean(axis=0)) < 4 * standard_errors).all()
    # What the bound can see: less than a fiftieth of a score that is 1 at most, and much less for large sets.
    assert (standard_errors < 0.02).all()
    slopes = np.polyfit(np.log(SIZES), found.T, 1)[0]  # of each repeat's scores on the logarithm of the size
    assert abs(slopes.mean()) < 4 * slopes.std(ddof=1) / np.sqrt(repeats)


def test_the_references_score_of_independent_sets_rises_with_their_size() -> None:
    # Its known flaw (docs/method.md).
    rng = np.random.default_rng(0)
    sizes = SIZES[3:]
    found = np.array(
        [
            [score(rng.normal(size=(20, 40)), rng.normal(size=(n, 40)), estimator="reference") for n in sizes]
            for _ in range(20)
        ]
    )
    means, errors = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.diff(means) > 0).all()
    assert means[-1] - means[0] > 4 * (errors[-1] + errors[0])
    assert means[-1] > 1.4 * means[0]


def test_single_neurons_are_scored_on_their_data_and_not_on_their_number() -> None:
    plan_of_one = Plan((PlannedBridge(1, (1,), 0.9), PlannedBridge(0, (1,), 0.9)), (1,), 60, factors=1, loading=0.9)
    ours, reference = [], []
    for seed in range(30):
        planted = planted_activations(plan_of_one, seed)
        ours.append(scores(planted, CKA))
        reference.append(scores(planted, REFERENCE))
    assert np.mean([one["a"] > one["b"] for one in ours]) > 0.9
    assert abs(np.mean([one["b"] for one in ours])) < 0.05
    # With at most two rows on a side its score is n − 1 whatever the data, but for values nearer than 1e-6.
    assert all(value == pytest.approx(59, abs=0.5) for one in reference for value in one.values())


def test_layers_with_two_rows_decide_the_references_ranking() -> None:
    # The right bridge has 20 neurons a layer, all of them on the shared factors; the wrong one has 2, of noise.
    thin = Plan((PlannedBridge(1, (20, 20)), PlannedBridge(0, (2, 2))), (2, 2), 60)
    for seed in range(10):
        planted = planted_activations(thin, seed)
        assert max(planted.bridges, key=lambda c: scores(planted, CKA)[c]) == "a"
        assert max(planted.bridges, key=lambda c: scores(planted, REFERENCE)[c]) == "b"


@pytest.mark.parametrize(
    ("condition", "estimator", "least", "most"),
    [
        ("all sets alike", CKA, 0.9, 1),
        ("wrong ones 10 times larger", CKA, 0.9, 1),
        ("wrong ones 10 times larger", REFERENCE, 0, 0.2),
        ("right one 10 times larger", CKA, 0.9, 1),
        ("thin and empty layers", CKA, 0.4, 1),
        ("thin and empty layers", REFERENCE, 0, 0.2),
        ("all carry prompt length", CKA, 0.6, 1),
        ("all carry prompt length", GIVEN, 0.8, 1),
        # Where prompt length moves the wrong ones' neurons more, only taking it into account helps.
        ("wrong ones carry more of it", CKA, 0, 0.3),
        ("wrong ones carry more of it", GIVEN, 0.8, 1),
        ("wrong ones carry more of it", REFERENCE, 0, 0.2),
        # And where ours fails, too: the truth is a share of neurons, and a score knows only dependence.
        ("right one's loading weaker", CKA, 0, 0.2),
        ("30 factors", CKA, 0, 0.7),
    ],
)
def test_planted_bridge_comes_first(condition: str, estimator: str, least: float, most: float) -> None:
    first, _ = success(CONDITIONS[condition], estimator, range(1000, 1012))
    assert least <= first <= most


def test_order_of_all_candidates_is_near_the_true_one() -> None:
    seeds = range(1000, 1015)
    large = CONDITIONS["wrong ones 10 times larger"]
    assert success(large, CKA, seeds)[1] > 0.9
    assert success(large, REFERENCE, seeds)[1] < 0.6


def test_the_benchs_scores_are_the_rankings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "HALF_SAMPLES_REFERENCE", 1)
    monkeypatch.setattr(ranking, "HALF_SAMPLES", 1)
    planted = planted_activations(CONDITIONS["thin and empty layers"], 3)
    for estimator in (CKA, REFERENCE):
        found = rank_candidates(
            planted.values,
            planted.rows,
            planted.shared,
            planted.bridges,
            planted.window,
            estimator=estimator,
            empty_layers_count=estimator == REFERENCE,
        )
        assert scores(planted, estimator) == pytest.approx({one.code: one.score for one in found.candidates}, rel=1e-6)


def test_what_is_planted_is_what_was_planned() -> None:
    made = Plan((PlannedBridge(0.5, (4, 0, 2)), PlannedBridge(1, (1, 3, 0))), (2, 0, 1), 500, factors=2, nuisance=0)
    planted = planted_activations(made, 7)
    assert planted.values.shape == (13, 500)
    assert planted.values.dtype == np.float32
    assert planted.shared.per_layer() == [2, 0, 1]
    assert {code: one.per_layer() for code, one in planted.bridges.items()} == {"a": [4, 0, 2], "b": [1, 3, 0]}
    assert len(planted.shared | planted.bridges["a"] | planted.bridges["b"]) == 13 == len(planted.rows)
    assert planted.shares == {"a": 0.5, "b": 1}
    assert planted.best == "b"
    assert {next(iter(planted_activations(made, seed).bridges)) for seed in range(10)} == {"a", "b"}
    again = planted_activations(made, 7)
    np.testing.assert_array_equal(planted.values, again.values)


def test_shared_factors_nuisance_and_noise_have_the_planned_weights() -> None:
    # One factor, all loading on it: before the bend two neurons correlate at ± loading², and gelu weakens that.
    one = Plan((PlannedBridge(1, (40,), 0.8), PlannedBridge(0, (40,), 0.8)), (40,), 3000, factors=1, loading=0.8)
    planted = planted_activations(one, 0)
    values = planted.values

    def correlation(first: np.ndarray, second: np.ndarray) -> float:
        both = np.abs(np.corrcoef(values[np.concatenate([first, second])]))
        return float(both[: len(first), len(first) :].mean())

    a, b = planted.bridges["a"].flat, planted.bridges["b"].flat
    assert 0.35 < correlation(planted.shared.flat, a) < 0.8**2
    assert correlation(planted.shared.flat, b) < 0.05
    assert correlation(b[:20], b[20:]) > 0.35  # private neurons depend on each other

    loud = planted_activations(Plan((PlannedBridge(0, (30,), 0, 0.9),), (30,), 3000, loading=0), 0)
    by = [abs(float(np.corrcoef(row, loud.nuisance)[0, 1])) for row in loud.values]
    assert max(by[:30]) < 0.1
    assert np.median(by[30:]) > 0.5
    assert abs(loud.nuisance.mean()) < 0.1
    assert loud.nuisance.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Plan((PlannedBridge(0.5, (1, 2)),), (1,)), "each layer"),
        (Plan((PlannedBridge(1.5, (1,)),), (1,)), "between 0 and 1"),
        (Plan((PlannedBridge(0.5, (1,), loading=2),), (1,)), "between 0 and 1"),
        (Plan((PlannedBridge(0.5, (1,)),), (1,), loading=-1), "between 0 and 1"),
        (Plan((PlannedBridge(0.5, (1,)),) * 27, (1,)), "26"),
    ],
)
def test_plans_that_cannot_be_are_refused(bad: Plan, message: str) -> None:
    with pytest.raises(InputError, match=message):
        planted_activations(bad, 0)


def test_conditions_put_the_right_one_first_in_share() -> None:
    for condition in (*CONDITIONS.values(), plan()):
        assert planted_activations(condition, 0).best == "a"
