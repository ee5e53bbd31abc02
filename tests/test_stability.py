"""Rankings made again: agreement against naive computations on a tiny model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from linguabridge.cache import Cache
from linguabridge.dependence import score
from linguabridge.errors import CacheError, InputError
from linguabridge.model import ModelOptions
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.ranking import rank_candidates, score_candidates
from linguabridge.study import stability as module
from linguabridge.study.settings import StudySettings
from linguabridge.study.stability import PairStability, Stability, agreement, stability, stability_table
from test_recommend import write_lexicon

SPACE = NeuronSpace((30, 30, 30))


def made() -> tuple[np.ndarray, NeuronSet, NeuronSet, dict[str, NeuronSet]]:
    rng = np.random.default_rng(0)
    rows = NeuronSet(SPACE, np.arange(90))
    values = rng.normal(size=(90, 24)).astype(np.float32)
    shared = NeuronSet(SPACE, np.array([0, 1, 2, 31, 61, 62]))
    bridges = {
        "a": NeuronSet(SPACE, np.array([5, 6, 40, 70])),
        "b": NeuronSet(SPACE, np.array([7, 41, 42, 43])),
        "c": NeuronSet(SPACE, np.array([8, 9, 10])),
    }
    return values, rows, shared, bridges


@pytest.mark.parametrize("empty_layers_count", [False, True])
@pytest.mark.parametrize("estimator", ["cka", "reference"])
def test_scores_alone_are_those_of_the_ranking(estimator: str, empty_layers_count: bool) -> None:
    values, rows, shared, bridges = made()
    options = {"estimator": estimator, "empty_layers_count": empty_layers_count}
    ranking = rank_candidates(values, rows, shared, bridges, range(3), **options)  # type: ignore[arg-type]
    found = score_candidates(values, rows, shared, bridges, range(3), **options)  # type: ignore[arg-type]
    assert found == pytest.approx({one.code: one.score for one in ranking.candidates})
    layer = score(values[[0, 1, 2]], values[[8, 9, 10]], estimator=estimator)
    assert found["c"] == pytest.approx(layer / 3 if empty_layers_count else layer, rel=1e-4)


def test_agreement_is_spearmans_over_what_both_know() -> None:
    first, second = np.array([1.0, 5, np.nan, 2, 9]), np.array([2.0, 1, 7, np.nan, 30])
    assert agreement(first, second) == pytest.approx(stats.spearmanr([1, 5, 9], [2, 1, 30]).statistic)
    assert agreement(first, np.ones(5)) is None
    assert agreement(np.array([1.0, 2]), np.array([2.0, 1])) is None


def test_means_leave_out_pairs_that_have_no_other_lexicon() -> None:
    one = PairStability("a", "b", "cka", 30, 0.5, None, {"0.005–0.01": 0.9})
    two = PairStability("c", "d", "cka", 30, 0.7, 0.2, {"0.005–0.01": 0.7})
    found = Stability("m", ("cldr", "muse"), (one, two))
    mean = found.mean("cka", "halves")
    assert mean is not None
    assert mean.value == pytest.approx(0.6)
    assert (mean.low, mean.high, mean.pairs) == (None, None, 2)
    lexicons, rates = found.mean("cka", "lexicons"), found.mean("cka", "0.005–0.01")
    assert lexicons is not None
    assert rates is not None
    assert (lexicons.value, rates.value) == pytest.approx((0.2, 0.8))
    assert lexicons.pairs == 1
    five = Stability("m", ("cldr", "muse"), (one, two, one, two, one)).mean("cka", "halves")
    assert five is not None
    half = stats.t.ppf(0.975, 4) * np.std([0.5, 0.7, 0.5, 0.7, 0.5], ddof=1) / np.sqrt(5)
    assert (five.low, five.high) == pytest.approx((0.58 - half, 0.58 + half), abs=0.02)
    assert found.mean("reference", "halves") is None
    assert stability_table(found).row_count == 2 + 6


def test_a_tiny_model_is_ranked_again(
    tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HALVINGS", 3)
    lexicon = str(write_lexicon(tmp_path / "own.tsv", languages="en sw de fr es"))
    settings = StudySettings(
        pairs=(("en", "sw"),), candidates=("de", "fr", "es", "it"), lexicon=lexicon, tokens=300, probes=40
    )
    found = stability(
        [("en", "sw")],
        model=str(tiny_model("llama")),
        options=ModelOptions("cpu", "float32"),
        settings=settings,
        other="cldr",
        cache=Cache(tmp_path),
    )
    assert [one.estimator for one in found.pairs] == ["cka", "reference"]
    for one in found.pairs:
        assert set(one.rates) == {f"{a:g}–{b:g}" for a, b in itertools.combinations(module.RATES, 2)}
        assert all(value is None or -1 <= value <= 1 for value in (one.halves, one.lexicons, *one.rates.values()))
    assert found.pairs[0].lexicons is not None
    assert found.to_dict()["means"]["cka"]["halves"]["value"] == pytest.approx(found.pairs[0].halves)


def test_cache_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    monkeypatch.setattr(module, "open_model", lambda *_: pytest.fail("looked for the model"))
    with pytest.raises(CacheError, match="LINGUABRIDGE_CACHE"):
        stability([("en", "sw")], cache=Cache(tmp_path / "file"))


def test_no_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="Name pairs"):
        stability([])
