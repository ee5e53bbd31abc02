"""The studies that come with the package, and what is said of a way by them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from linguabridge.choosing import reliability as module
from linguabridge.choosing.reliability import reliability
from linguabridge.settings import CHOOSE_BY
from linguabridge.study.files import read_folder
from linguabridge.study.sets import main_set
from linguabridge.study.shipped import STUDY, shipped_studies

FOLDERS = list(shipped_studies().values())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name)
def test_shipped_figures_are_those_of_the_shipped_ranks(folder: Path) -> None:
    body, pairs = read_folder(folder)
    by_name = {f"{one.source}:{one.target}": one for one in pairs}
    for one, said in zip(pairs, body["pairs"], strict=True):
        for arm, row in zip(one.arms, one.ranks, strict=True):
            assert said["mrr"][arm] == pytest.approx((1 / row).mean(), abs=1e-4)
            assert said["p_at_1"][arm] == pytest.approx((row == 1).mean(), abs=1e-4)
    for analysis in body["analyses"]:
        some = [by_name[name] for name in analysis["pairs"]]
        score = (lambda row: 1 / row) if analysis["metric"] == "MRR" else (lambda row: (row == 1).astype(float))
        direct = np.mean([score(one.ranks[one.arms.index("direct")]).mean() for one in some])
        assert analysis["direct"]["value"] == pytest.approx(direct)
        policies = {one["policy"]: one for one in analysis["policies"]}
        english = [
            score(one.ranks[one.arms.index(next(c for c in ("en", "fr", "es") if c in one.candidates))]).mean()
            for one in some
        ]
        assert policies["english"]["score"]["value"] == pytest.approx(np.mean(english))
        assert policies["english"]["over_direct"]["value"] == pytest.approx(np.mean(english) - direct)


def test_what_the_page_says_is_found_in_the_ranks_by_another_program() -> None:
    """Regret, gains, tau and exact answers of the main study, with pandas and scipy from its Parquet file alone."""
    folder = shipped_studies()["gemma-3-270m-dictionary"]
    body = json.loads((folder / STUDY).read_text("utf-8"))
    said = next(one for one in body["analyses"] if (one["name"], one["metric"]) == ("reported", "MRR"))
    table = pd.read_parquet(folder / "ranks.parquet")
    table["pair"] = table.source.astype(str) + ":" + table.target.astype(str)
    table["rr"] = 1 / table["rank"]
    pairs = said["pairs"]
    singles = {one["source"] + ":" + one["target"]: one["candidates"] for one in body["pairs"]}
    scores = {one["source"] + ":" + one["target"]: one["scores"] for one in body["pairs"]}
    grid = {
        pair: rows.pivot_table(index="arm", columns="word", values="rr", aggfunc="first", sort=False)
        for pair, rows in table.astype({"arm": str, "word": str}).groupby("pair")
    }
    mean = {pair: one.mean(axis=1) for pair, one in grid.items()}
    # The best fixed bridge: English, or the one with the highest mean gain on the development pairs with English.
    development = [pair for pair in grid if pair not in pairs and "en" in pair.split(":")]

    def fixed(pair: str) -> str:
        if "en" in singles[pair]:
            return "en"
        others = [one for one in development if set(one.split(":")) != set(pair.split(":"))]
        gains = pd.DataFrame({one: mean[one][singles[one]] - mean[one][singles[one]].mean() for one in others})
        return str(gains.mean(axis=1)[singles[pair]].idxmax())

    longest = {pair: max((arm for arm in mean[pair].index if "+" in arm), key=len) for pair in pairs}
    hop = {pair: singles[pair][int(np.nanargmax(scores[pair]["english-or-hop"]))] for pair in pairs}
    picks = {
        "best-fixed": {pair: fixed(pair) for pair in pairs},
        "chain of 3": longest,
        "english-or-hop": hop,
        "chain-or-hop": {pair: longest[pair] if "en" in singles[pair] else hop[pair] for pair in pairs},
    }
    policies = {one["policy"]: one for one in said["policies"]}
    score = {name: pd.Series({pair: mean[pair][arm] for pair, arm in some.items()}) for name, some in picks.items()}
    for name, values in score.items():
        gain = values - score["best-fixed"]
        assert policies[name]["score"]["value"] == pytest.approx(values.mean())
        found = policies[name]["over_fixed"]
        assert found["value"] == pytest.approx(gain.mean(), abs=1e-9)
        if name in ("chain of 3", "chain-or-hop"):
            by_pairs = stats.t.interval(0.95, len(gain) - 1, gain.mean(), stats.sem(gain))
            words = [
                (grid[pair].loc[arm] - grid[pair].loc[picks["best-fixed"][pair]]).var() / grid[pair].shape[1]
                for pair, arm in picks[name].items()
            ]
            over_words = 1.96 * np.sqrt(sum(words)) / len(gain)
            low = min(by_pairs[0], gain.mean() - over_words)
            high = max(by_pairs[1], gain.mean() + over_words)
            assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.004)
    # Regret: the best single bridge of one half of the words, scored on the other.
    rng = np.random.default_rng(1)
    lost = []
    for pair in pairs:
        values = grid[pair].loc[singles[pair]].to_numpy()
        best = []
        for _ in range(300):
            order = rng.permutation(values.shape[1])
            first, second = order[: len(order) // 2], order[len(order) // 2 :]
            best.append(values[values[:, first].mean(axis=1).argmax(), second].mean())
        lost.append(np.mean(best) - score["english-or-hop"][pair])
    ways = {one["way"]: one for one in said["ways"]}
    assert ways["english-or-hop"]["regret"]["value"] == pytest.approx(np.mean(lost), abs=0.002)
    for way in ("hops", "cka", "reference", "family"):
        tau = [
            stats.kendalltau(
                np.nan_to_num(np.array(scores[pair][way], float), nan=-9), mean[pair][singles[pair]]
            ).statistic
            for pair in pairs
        ]
        assert ways[way]["tau"]["value"] == pytest.approx(np.mean(tau), abs=0.005)
    exact = table.groupby(["pair", "arm"], observed=True).exact.mean()
    for name, some in picks.items():
        found = policies[name]["exact"]["value"]
        assert found == pytest.approx(np.mean([exact[pair, arm] for pair, arm in some.items()]))


def test_no_shipped_file_names_a_place_on_a_machine() -> None:
    for folder in FOLDERS:
        assert not re.findall(r"(?<![a-z])/(?:home|root|tmp|work|Users)/[^\"]*", (folder / STUDY).read_text("utf-8"))


def test_the_default_has_been_studied() -> None:
    found = reliability(CHOOSE_BY, weights="another", bridge_words="dictionary")
    assert found is not None
    body = json.loads((FOLDERS[0] / STUDY).read_text("utf-8"))
    names = {len(one["pairs"]): one["name"] for one in body["analyses"]}
    assert found.pair_set == names[found.pairs]
    assert found.regret[1] <= found.regret[0] <= found.regret[2]


def test_a_way_that_nobody_studied_is_unknown() -> None:
    assert reliability("tea leaves", weights="", bridge_words="own") is None


def test_the_same_model_and_words_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(weights: str, words: str, pairs: int) -> dict[str, object]:
        interval = {"value": 0.1, "low": 0.0, "high": 0.2}
        row = {"way": "cka", "regret": interval, "over_fixed": interval}
        analysis = {"name": "reported", "metric": "MRR", "fixed": "english", "pairs": ["a:b"] * pairs, "ways": [row]}
        settings = {"bridge_words": words}
        return {"model": weights, "identity": {"weights": weights}, "settings": settings, "analyses": [analysis]}

    studies = (body("w", "own", 9), body("w", "dictionary", 10), body("v", "own", 11))
    monkeypatch.setattr(module, "_studies", lambda: studies)
    for weights, words, pairs in (("w", "own", 9), ("w", "dictionary", 10), ("v", "dictionary", 11), ("u", "own", 11)):
        found = reliability("cka", weights=weights, bridge_words=words)
        assert found is not None
        assert found.pairs == pairs


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ({"development": 12, "reported": 8, "all": 20}, "reported"),
        ({"development": 12, "reported": 7, "all": 19}, "all"),
        ({"development": 3, "reported": 3, "all": 6}, "all"),
        ({"reported": 2}, "reported"),
        ({"development": 20}, "development"),
    ],
)
def test_pairs_that_nothing_was_chosen_on_count_where_there_are_enough(sizes: dict[str, int], counts: str) -> None:
    assert main_set(sizes) == counts
