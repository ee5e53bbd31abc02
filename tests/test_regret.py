"""Regret, its oracle and its intervals, against truths that are known because the data are made up."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats

import made_up
from linguabridge.study import analysis, curves, regret
from linguabridge.study.regret import (
    Draws,
    Halves,
    agreement,
    best,
    ceiling,
    decided,
    drawn_halves,
    gained,
    halves,
    kendall,
    minus,
    picks_of,
    within_noise,
)

RNG = np.random.default_rng(7)


def noisy(means: list[float], words: int, rng: np.random.Generator) -> np.ndarray:
    """Scores of arms whose true means are known: a word's difficulty that all arms share, and noise of each."""
    shared = rng.normal(0, 0.3, words)
    return np.array(means)[:, None] + shared + rng.normal(0, 0.2, (len(means), words))


def only(n: int, arm: int) -> np.ndarray:
    return np.eye(n)[arm]


@pytest.mark.parametrize("words", [10, 11])
def test_no_word_is_in_both_halves(words: int) -> None:
    found = halves(np.eye(words), 50, RNG)
    assert not ((found.first > 0) & (found.second > 0)).any()
    assert ((found.first > 0) | (found.second > 0)).all()
    assert (np.count_nonzero(found.first, axis=1) == words // 2).all()
    np.testing.assert_allclose(found.first.sum(axis=1), 1)
    np.testing.assert_allclose(found.second.sum(axis=1), 1)


def test_words_drawn_again_keep_to_one_half_and_cuts_share_a_sample() -> None:
    words = 41
    found = drawn_halves(np.eye(words), 30, RNG)
    assert found.first.shape == (30 * regret.CUTS, words)
    assert not ((found.first > 0) & (found.second > 0)).any()
    np.testing.assert_allclose(found.first.sum(axis=1), 1)
    # Of a sample, a word's share of the whole is the times it was drawn, whatever the cut; and these are 41 in all.
    times = (found.share * found.first + (1 - found.share) * found.second).reshape(30, regret.CUTS, words) * words
    np.testing.assert_allclose(times, np.round(times), atol=1e-9)
    np.testing.assert_allclose(times.sum(axis=2), words)
    assert (times == times[:, :1]).all() or np.abs(times - times[:, :1]).max() < 1e-9
    assert len(np.unique(np.round(times[:, 0]), axis=0)) == 30
    # As often as a multinomial draws them: variance 1 - 1/n over samples.
    many = drawn_halves(np.eye(words), 2000, RNG)
    drawn = (many.share * many.first + (1 - many.share) * many.second)[:: regret.CUTS] * words
    assert drawn.var(axis=0).mean() == pytest.approx(1 - 1 / words, rel=0.05)


def test_half_means_are_those_of_the_words_drawn() -> None:
    values = RNG.normal(size=(3, 8))
    found = halves(values, 20, RNG)
    every = {
        tuple(np.round(values[:, list(part)].mean(axis=1), 9)) for part in itertools.combinations(range(8), 4)
    }  # all halves there are
    for row in (*found.first, *found.second):
        assert tuple(np.round(row, 9)) in every
    np.testing.assert_allclose((found.first + found.second) / 2, np.tile(values.mean(axis=1), (20, 1)))


@pytest.mark.parametrize(
    ("scores", "picks"),
    [
        ([1, 3, 2], [0, 1, 0]),
        ([3, 3, 2], [0.5, 0.5, 0]),
        ([np.nan, -5, np.nan], [0, 1, 0]),
        ([np.nan, np.nan], [0.5, 0.5]),
        ([-np.inf, 0, -1], [0, 1, 0]),
        ([0, 0, 0, 0], [0.25] * 4),
    ],
)
def test_the_highest_score_is_picked_and_equals_share(scores: list[float], picks: list[float]) -> None:
    np.testing.assert_allclose(picks_of(np.array(scores, float)), picks)


def test_kendall_is_scipys() -> None:
    for _ in range(50):
        a, b = RNG.integers(0, 6, 9).astype(float), RNG.integers(0, 6, 9).astype(float)
        np.testing.assert_allclose(kendall(a, b), stats.kendalltau(a, b).statistic)
    assert np.isnan(kendall(np.ones(4), np.arange(4.0)))


def test_agreement_and_ceiling_are_kendalls_of_the_halves() -> None:
    one = Halves(RNG.normal(size=(5, 6)), RNG.normal(size=(5, 6)))
    singles = np.array([1, 2, 4, 5])
    scores = np.array([0.1, np.nan, 0.3, 0.2])
    known = np.array([0.1, 0.25, 0.3, 0.2])
    for row in range(5):
        expected = stats.kendalltau(known, (one.first + one.second)[row, singles]).statistic
        np.testing.assert_allclose(agreement(known, singles)(one)[row], expected)
        halves_agree = stats.kendalltau(one.first[row, singles], one.second[row, singles]).statistic
        np.testing.assert_allclose(ceiling(singles)(one)[row], halves_agree)
    # A candidate without a score ties with every other; the rest is ordered as it is.
    whole = one.whole[:, singles]
    for row, found in enumerate(agreement(scores, singles)(one)):
        pairs = [(0, 2), (0, 3), (2, 3)]
        same = sum(np.sign(scores[i] - scores[j]) * np.sign(whole[row, i] - whole[row, j]) for i, j in pairs)
        assert found == pytest.approx(same / np.sqrt(3 * 6))


def test_arms_that_are_equal_stay_so_whatever_the_halves() -> None:
    values = np.tile((RNG.random(149) < 0.4).astype(float), (3, 1))
    found = halves(values, 50, RNG)
    assert (found.whole == found.whole[:, :1]).all()
    assert not agreement(np.arange(3.0), np.arange(3))(found).any()


def test_the_oracle_does_not_flatter_itself() -> None:
    """Thirteen arms all alike: the best in hindsight looks better than it is, the cross-fitted one does not."""
    rng = np.random.default_rng(1)
    naive, fitted = [], []
    for _ in range(60):
        values = noisy([0.5] * 13, 150, rng)
        found = halves(values, 20, rng)
        fitted.append(best(np.ones(13, bool))(found).mean() - values.mean())
        naive.append(values.mean(axis=1).max() - values.mean())
    spread = np.std(fitted) / np.sqrt(60)
    assert abs(np.mean(fitted)) < 4 * spread
    assert np.mean(naive) > 10 * spread


def test_regret_is_the_true_loss_where_arms_differ_clearly() -> None:
    rng = np.random.default_rng(2)
    truth = [0.3, 0.7, 0.5, 0.1]
    lost = {arm: [] for arm in range(4)}
    allowed = np.array([False, True, True, True])
    for _ in range(40):
        found = halves(noisy(truth, 200, rng), 10, rng)
        for arm in lost:
            lost[arm].append(minus(best(allowed), gained(only(4, arm)))(found).mean())
    for arm, values in lost.items():
        assert abs(np.mean(values) - (0.7 - truth[arm])) < 4 * np.std(values) / np.sqrt(40) + 1e-9


def test_the_oracle_keeps_to_the_arms_allowed() -> None:
    found = Halves(np.array([[9.0, 1, 2]]), np.array([[9.0, 3, 4]]))
    assert best(np.array([False, True, True]))(found) == pytest.approx((4 + 2) / 2)
    assert best(np.array([True, True, True]))(found) == pytest.approx(9)


def test_one_half_decides_and_the_other_is_scored() -> None:
    # Arms: direct, bridge. First half says bridge (3 > 2), where the second gives 5; the second says direct, giving 2.
    found = Halves(np.array([[2.0, 3.0]]), np.array([[6.0, 5.0]]))
    assert decided(only(2, 1), 0)(found) == pytest.approx((5 + 2) / 2)
    assert decided(only(2, 0), 0)(found) == pytest.approx(4)


def test_points_are_means_over_pairs_and_intervals_hold_them() -> None:
    rng = np.random.default_rng(3)
    values = {(str(i), "x"): noisy([0.5, 0.6], 60, rng) for i in range(6)}
    draws = Draws(values, 0)
    found = draws.mean({pair: gained(only(2, 1)) for pair in values})
    assert found.value == pytest.approx(np.mean([one[1].mean() for one in values.values()]))
    assert found.low < found.value < found.high
    assert draws.each(("0", "x"), gained(only(2, 0))) == pytest.approx(values["0", "x"][0].mean())
    again = Draws(values, 0).mean({pair: gained(only(2, 1)) for pair in values})
    assert again == found


def test_intervals_cover_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences vary from pair to pair around a truth; some 95 % of the intervals should hold it (here 12 pairs)."""
    monkeypatch.setattr(regret, "SAMPLES", 300)
    monkeypatch.setattr(regret, "HALVINGS", 5)
    rng = np.random.default_rng(4)
    inside = 0
    points, widths = [], []
    for trial in range(80):
        values = {(str(i), "x"): noisy([0.5, 0.55 + rng.normal(0, 0.03)], 60, rng) for i in range(12)}
        found = Draws(values, trial).mean({pair: minus(gained(only(2, 1)), gained(only(2, 0))) for pair in values})
        inside += found.low <= 0.05 <= found.high
        points.append(found.value)
        widths.append(found.high - found.low)
    assert inside >= 66  # binomial with p = .9: fewer happen once in two hundred
    # Nor are they too wide: as wide as the spread of such means over trials says, give or take.
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(points), rel=0.3)


def test_pairs_that_happen_to_agree_do_not_hide_the_noise_of_words() -> None:
    rng = np.random.default_rng(12)
    values = {(str(i), "x"): noisy([0.5, 0.5], 150, rng) for i in range(5)}
    for one in values.values():  # the same mean difference in every pair, to the digit
        one[1] += 0.02 - (one[1] - one[0]).mean()
    found = Draws(values, 0).difference({pair: minus(gained(only(2, 1)), gained(only(2, 0))) for pair in values})
    known = np.sqrt(sum((one[1] - one[0]).var() / 150 for one in values.values())) / 5  # standard error over words
    assert found.value == pytest.approx(0.02)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * known, rel=0.08)


def test_attainable_agreement_is_that_of_simulated_halves() -> None:
    rng = np.random.default_rng(13)
    truth = rng.normal(size=4000)
    halves_of = [truth + rng.normal(0, 1.4, truth.size) for _ in range(2)]
    tau = stats.kendalltau(*halves_of).statistic
    known = stats.kendalltau(truth, sum(halves_of)).statistic
    assert regret.attainable(tau) == pytest.approx(known, abs=0.02)
    assert regret.attainable(-0.1) == 0


def test_within_noise() -> None:
    rng = np.random.default_rng(5)
    values = noisy([0.5, 0.51, 0.9], 150, rng)
    assert within_noise(values).tolist() == [False, False, True]
    assert within_noise(values[:2]).tolist() == [True, True]


def test_intervals_over_words_are_scipys() -> None:
    differences = np.random.default_rng(8).choice([-0.5, 0.0, 0.0, 0.5, 1.0], size=(2, 150))
    for row, ends in zip(differences, regret.over_words(differences).T, strict=True):
        known = stats.ttest_1samp(row, 0).confidence_interval(0.95)
        np.testing.assert_allclose(ends, [known.low, known.high])
    np.testing.assert_allclose(regret.over_words(np.zeros((1, 9))), 0)


def test_differences_of_few_pairs_are_shown_by_signs_too() -> None:
    values = {(str(i), "x"): np.array([[0.5] * 40, [0.5 + 0.1 * (i + 1)] * 40]) for i in range(5)}
    gain = {pair: minus(gained(only(2, 1)), gained(only(2, 0))) for pair in values}
    found = Draws(values, 0).difference(gain)
    assert found.low > 0
    assert found.p == pytest.approx(2 / 2**5)  # all five of one sign is as far as five pairs go
    assert found.sign == 0
    alone = Draws({("0", "x"): values["0", "x"]}, 0).difference(gain)
    assert (alone.p, alone.sign) == (None, 1)


def test_a_few_words_of_a_hop_are_drawn_without_those_that_are_none() -> None:
    hop = np.array([[1, 2, 4, 0, 0], [5, 5, 5, 5, 5]])
    found = curves._few(hop, 2, np.random.default_rng(0))
    assert found.shape == (curves.HOP_DRAWS, 2)
    assert set(np.round(found[:, 0], 6)) == {0.75, 0.625, 0.375}  # means of every two of 1, 1/2 and 1/4
    np.testing.assert_allclose(found[:, 1], 0.2)
    np.testing.assert_allclose(curves._few(hop, 3, np.random.default_rng(0))[:, 0], 1.75 / 3)


def test_every_row_is_picked_from_by_itself() -> None:
    nan = np.nan
    scores = np.array([[1, 2, 0], [3, 3, 1], [nan, 0, -1], [nan, nan, nan], [-np.inf, 1, 1]])
    third = 1 / 3
    expected = [[0, 1, 0], [0.5, 0.5, 0], [0, 1, 0], [third, third, third], [0, 0.5, 0.5]]
    np.testing.assert_allclose(picks_of(scores), expected)


def test_the_pilot_curve_is_that_of_a_plain_loop() -> None:
    one = made_up.study(n_words=60).pairs[0]
    found = analysis.analyse("all", [one], [one], seed=0).curves[-1]
    values = (1 / one.ranks)[[one.arms.index(code) for code in one.candidates]]
    rng = np.random.default_rng(5)
    for n, lost in zip(found.words, found.regret, strict=True):
        scored = []
        for _ in range(1000):
            order = rng.permutation(60)
            scored.append(values[values[:, order[:n]].mean(axis=1).argmax(), order[n:]].mean())
        oracle = Draws({one.pair: values}, 0).each(one.pair, best(np.ones(len(values), bool)))
        assert lost == pytest.approx(oracle - np.mean(scored), abs=0.015)


def test_pair_without_a_third_fixed_bridge_has_its_chain_of_two() -> None:
    pairs = made_up.study().pairs
    full, short = pairs[0], pairs[1]
    kept = [at for at, arm in enumerate(short.arms) if arm.count("+") < 2 and arm.count("&") < 2]
    short = dataclasses.replace(
        short, arms=tuple(short.arms[at] for at in kept), ranks=short.ranks[kept], exact=short.exact[kept],
        as_direct=short.as_direct[kept],
    )  # fmt: skip
    found = analysis.analyse("all", [full, short], [full, short], seed=0)
    for label, sign in (("chain", "+"), ("vote", "&")):
        arms = [
            next(arm for arm in one.arms if arm.count(sign) == n)
            for one, n in ((full, 2), (short, 1))
        ]  # fmt: skip
        scores = [(1 / one.ranks[one.arms.index(arm)]).mean() for one, arm in zip((full, short), arms, strict=True)]
        assert found.policy(f"{label} of 3").score.value == pytest.approx(np.mean(scores), abs=1e-3)


def test_trying_four_ways_takes_the_best_of_one_half_and_scores_it_on_the_other() -> None:
    one = made_up.study().pairs[0]
    found = analysis.analyse("all", [one], [one], seed=0)
    picked = int(np.argmax(np.array(one.scores["english-or-hop"])))
    arms = [0, 1 + picked, one.arms.index("en"), next(at for at, arm in enumerate(one.arms) if arm.count("+") == 2)]
    values = (1 / one.ranks)[arms]
    rng = np.random.default_rng(3)
    scored = []
    for _ in range(2000):
        order = rng.permutation(values.shape[1])
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        scored.append(values[np.argmax(values[:, first].mean(axis=1)), second].mean())
    assert found.policy("tried").score.value == pytest.approx(np.mean(scored), abs=0.02)


def test_intervals_over_few_pairs_are_as_wide_as_students_and_do_not_depend_on_the_seed() -> None:
    rng = np.random.default_rng(11)
    for n, close in ((5, 0.2), (12, 0.1), (40, 0.05)):
        values = rng.normal(0.02, 0.05, n)
        found = [regret.over_pairs(values, regret.drawn_shares(n, np.random.default_rng(seed))) for seed in range(5)]
        half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
        for one in found:
            assert one.value == pytest.approx(values.mean())
            assert (one.high - one.low) / 2 == pytest.approx(half, rel=close)
            assert abs(one.low - found[0].low) < 0.05 * half


@pytest.mark.parametrize("n", [1, 3])
def test_intervals_end_where_scores_end(n: int) -> None:
    values = {(str(i), "x"): np.array([[1.0] * 39 + [i / n]]) for i in range(n)}  # nearly perfect, some pairs less so
    found = Draws(values, 0).mean({pair: gained(only(1, 0)) for pair in values}, regret.SCORES)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("n", [4, 8, 12])
def test_intervals_over_few_pairs_hold_the_truth_as_often_as_they_say(n: int) -> None:
    rng = np.random.default_rng(4)
    shares = regret.drawn_shares(n, rng)[:4000]
    held = [one.low <= 0 <= one.high for one in (regret.over_pairs(rng.normal(size=n), shares) for _ in range(600))]
    assert 0.925 <= np.mean(held) <= 0.985
