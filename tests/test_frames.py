"""Results as tables: what stands in them is what the results hold, and data frames come of them in one call."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pytest

import linguabridge
import made_up
from linguabridge.ablation.results import ALIKE, OVERLAP, TRANSLATION, Ablation, Arm, Change, Control
from linguabridge.ablation.settings import AblationSettings
from linguabridge.languages import parse
from linguabridge.neurons import NeuronSpace
from linguabridge.paired import Interval
from linguabridge.profile import LanguageProfile, Profile
from linguabridge.study.stability import PairStability, Stability


def rows(table: pa.Table, **wanted: object) -> list[dict[str, object]]:
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def test_a_recommendation() -> None:
    result = made_up.recommendation()
    tables = result.tables()
    assert list(tables) == ["candidates", "layers", "arms", "items"]
    (english,) = rows(tables["candidates"], bridge="en")
    assert english == {
        "source": "ar", "target": "he", "bridge": "en", "place": 2, "score": pytest.approx(0.054321),
        "low": pytest.approx(0.03), "high": pytest.approx(0.08), "best": 0.1, "neurons": 60, "like_source": 0.7,
        "like_target": 0.8, "chosen_place": 2, "chosen_score": pytest.approx(0.89),
    }  # fmt: skip
    # The last candidate has no neurons in the first layer of the window, 6 to 8.
    layers = [(row["layer"], row["score"]) for row in rows(tables["layers"], bridge="sw")]
    assert layers == [(6, None), (7, 0.05), (8, 0.068)]
    (mrr,) = rows(tables["arms"], arm="en", metric="MRR")
    assert (mrr["value"], mrr["gain"], mrr["gain_low"], mrr["verdict"]) == (0.65, 0.2, 0.1, "helps")
    assert {row["verdict"] for row in rows(tables["arms"], arm="direct")} == {None}
    assert rows(tables["arms"], arm="en+fr+es")[0]["bridges"] == ["en", "fr", "es"]
    assert tables["items"].num_rows == 4 * 40
    assert set(made_up.recommendation(check=False).tables()) == {"candidates", "layers"}


def test_an_evaluation() -> None:
    result = made_up.evaluation()
    tables = result.tables()
    assert tables["items"].to_pylist()[1]["bridge_texts"] == ["elephant"]
    arms = tables["arms"]
    assert arms.num_rows == sum(len(arm.metrics) for one in result.results for arm in one.arms)
    (own,) = rows(arms, source="sw", arm="en", metric="MRR")
    assert (own["value"], own["gain"], own["verdict"], own["n"]) == (0.6, 0.2, "helps", 40)
    assert own["p_holm"] == pytest.approx(6 * 0.0004)  # of six comparisons, all alike
    assert rows(arms, source="sw", arm="en", metric="P@1")[0]["gain"] is None
    assert rows(arms, source="sw", arm="oracle", metric="MRR")[0]["verdict"] is None


def test_a_spectrum() -> None:
    result = made_up.spectrum(5)
    tables = result.tables()
    assert tables["pairs"].num_rows == 10 * (18 + 1)
    assert tables["languages"]["language"].to_pylist() == list(result.codes)
    assert np.allclose(tables["languages"]["x"], result.points[:, 0])
    nearest = [(row["language"], row["neighbour"]) for row in rows(tables["neighbours"], place=1)]
    assert nearest == [(code, some[0].code) for code, some in result.neighbours.items()]


def test_a_study() -> None:
    result = made_up.study()
    tables = result.tables()
    assert tables["ranks"].num_rows == sum(one.ranks.size for one in result.pairs)
    assert tables["hops"].num_rows == sum(one.first_hop.size + one.second_hop.size for one in result.pairs)
    main = result.main
    (row,) = rows(tables["ways"], pairs=main.name, metric="MRR", way="english", figure="regret")
    assert row["value"] == main.way("english").regret.value
    assert len(rows(tables["policies"], figure="score")) == sum(len(one.policies) for one in result.analyses)


def ablation() -> Ablation:
    control = Control(ALIKE, 0.1, 0.0, 0.2, (0.0, 0.2), 1, 2 / 3, Interval(0.4, 0.3, 0.5))
    change = Change(TRANSLATION, -1, -3.0, Interval(-0.5, -0.6, -0.4), None, (control,))
    text = Change("ar", 1, 2.0, Interval(0.3, 0.2, 0.4), (9.0, 10.0), ())
    arm = Arm(OVERLAP, None, 0.0, ((1, 2),), change, Interval(-0.1, -0.2, 0.0), (text,), {}, {}, {})
    pair = (parse("ar"), parse("he"))
    return Ablation(*pair, (), pair, "tiny", {}, AblationSettings(), (1, 2), 64, {}, {}, 40, -3.0, 0.5, {}, (arm,), ())


def test_an_ablation() -> None:
    tables = ablation().tables()
    assert [(row["of"], row["before"], row["change"]) for row in rows(tables["changes"])] == [
        (TRANSLATION, -3.0, -0.5), ("ar", 2.0, 0.3), ("MRR", 0.5, -0.1),
    ]  # fmt: skip
    (row,) = rows(tables["controls"])
    assert (row["control"], row["draws"], row["mean"], row["excess"], row["of"]) == (ALIKE, 2, 0.1, 0.4, TRANSLATION)


def stability() -> Stability:
    pairs = tuple(
        PairStability(code, "he", "cka", 40, 0.1 * place, None, {"0.005–0.01": 0.5})
        for place, code in enumerate(("ar", "sw", "id"))
    )
    return Stability("tiny", ("cldr", "muse"), pairs)


def test_a_stability() -> None:
    tables = stability().tables()
    assert rows(tables["agreement"], source="sw", between="halves")[0]["agreement"] == pytest.approx(0.1)
    assert rows(tables["agreement"], source="sw", between="lexicons")[0]["agreement"] is None
    (halves,) = rows(tables["means"], between="halves")
    assert (halves["pairs"], halves["low"]) == (3, None)  # too few pairs for an interval
    assert halves["value"] == pytest.approx(0.1)


def profile() -> Profile:
    """Two languages in layers of two and three neurons; in the second, those of the last layer are an expert that
    no token came to."""
    space = NeuronSpace.of_experts(((2,), (3,)))
    total = np.array([1.0, -2.0, 4.0, 0.0, 8.0])
    plain = LanguageProfile(space, np.array([0, 5, 10, 2, 1]), total, 10)
    routed = LanguageProfile(space, np.array([4, 2, 0, 0, 0]), total * [1, 1, 0, 0, 0], 8, np.array([8, 0]))
    return Profile({"ar": plain, "he": routed})


def test_a_profile() -> None:
    table = profile().tables()["neurons"]
    assert table["layer"].to_pylist() == 2 * [0, 0, 1, 1, 1]
    assert table["unit"].to_pylist() == 2 * [0, 1, 0, 1, 2]
    assert table["language"].to_pylist() == ["ar"] * 5 + ["he"] * 5
    assert table["probability"].to_pylist() == [0, 0.5, 1, 0.2, 0.1, 0.5, 0.25, 0, 0, 0]
    assert table["mean"].to_pylist() == pytest.approx([0.1, -0.2, 0.4, 0, 0.8, 0.125, -0.25, 0, 0, 0])
    assert Profile({}).tables()["neurons"].num_rows == 0


RESULTS: dict[str, Callable[[], Any]] = {
    "Ablation": ablation,
    "Evaluation": made_up.evaluation,
    "Profile": profile,
    "Recommendation": made_up.recommendation,
    "Spectrum": lambda: made_up.spectrum(5),
    "Stability": stability,
    "Study": made_up.study,
}
TABLES = [(kind, name) for kind, made in RESULTS.items() for name in made().tables()]
NO_RESULTS = ("Language", "LazyModel")  # what a public function gives and no experiment found


def test_every_public_result_has_tables() -> None:
    """A result is a class that a public function gives."""
    functions = [getattr(linguabridge, name) for name in linguabridge.__all__]
    given = {inspect.signature(one).return_annotation for one in functions if inspect.isfunction(one)}
    named = {one for one in given if one.isidentifier() and one[0].isupper()} - set(NO_RESULTS)
    assert named == set(RESULTS)
    assert {type(made()).__name__ for made in RESULTS.values()} == named <= set(linguabridge.__all__)
    public = {name for name in linguabridge.__all__ if hasattr(getattr(linguabridge, name), "tables")}
    assert public == named


def same(found: Any, held: Any) -> bool:
    """Whether a cell of a frame is that of the table: pandas has arrays for lists, and NaN for null."""
    if isinstance(held, list):
        return len(found) == len(held) and all(map(same, found, held))
    if held is None or (isinstance(held, float) and math.isnan(held)):
        return found is None or math.isnan(found)
    return bool(found == held)


@pytest.mark.parametrize(("kind", "name"), TABLES)
def test_frames_hold_what_tables_hold(kind: str, name: str) -> None:
    table = RESULTS[kind]().tables()[name]
    assert table.num_rows
    held = table.to_pylist()
    for frame in (table.to_pandas().to_dict("records"), polars.from_arrow(table).to_dicts()):
        assert len(frame) == len(held)
        for found, row in zip(frame, held, strict=True):
            assert list(found) == list(row)
            assert [column for column in row if not same(found[column], row[column])] == []


def test_frames_are_asked_as_the_page_says() -> None:
    table = made_up.evaluation().tables()["arms"]
    assert table.to_pandas().query("metric == 'MRR' and arm == 'en'")["gain"].tolist() == [0.2, 0.2]
    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)
    assert frame.filter(polars.col("metric") == "MRR", polars.col("arm") == "en")["gain"].to_list() == [0.2, 0.2]


def test_what_a_tokenizer_left_of_a_character_is_no_reason_to_fail() -> None:
    result = made_up.recommendation()
    assert result.check is not None
    direct = result.check.arms[0]
    items = (replace(direct.items[0], answer="a\udc80"), *direct.items[1:])
    check = replace(result.check, arms=(replace(direct, items=items), *result.check.arms[1:]))
    assert replace(result, check=check).tables()["items"]["answer"][0].as_py() == "a\\udc80"
