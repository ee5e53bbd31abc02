"""The studies that come with the package, and what is said of a way by them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

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
        row = {"way": "cka", "regret": interval, "over_english": interval}
        analysis = {"name": "reported", "metric": "MRR", "pairs": ["a:b"] * pairs, "ways": [row]}
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
