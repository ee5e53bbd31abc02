"""Results as tables: what stands in them is what the results hold, and data frames come of them in one call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import made_up
from linguabridge.ablation.results import ALIKE, OVERLAP, TRANSLATION, Ablation, Arm, Change, Control
from linguabridge.ablation.settings import AblationSettings
from linguabridge.languages import parse
from linguabridge.paired import Interval
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


def test_an_ablation() -> None:
    control = Control(ALIKE, 0.1, 0.0, 0.2, (0.0, 0.2), 1, 2 / 3, Interval(0.4, 0.3, 0.5))
    change = Change(TRANSLATION, -1, -3.0, Interval(-0.5, -0.6, -0.4), None, (control,))
    text = Change("ar", 1, 2.0, Interval(0.3, 0.2, 0.4), (9.0, 10.0), ())
    arm = Arm(OVERLAP, None, 0.0, ((1, 2),), change, Interval(-0.1, -0.2, 0.0), (text,), {}, {}, {})
    pair = (parse("ar"), parse("he"))
    result = Ablation(
        *pair, (), pair, "tiny", {}, AblationSettings(), (1, 2), 64, {}, {}, 40, -3.0, 0.5, {}, (arm,), ()
    )
    tables = result.tables()
    assert [(row["of"], row["before"], row["change"]) for row in rows(tables["changes"])] == [
        (TRANSLATION, -3.0, -0.5), ("ar", 2.0, 0.3), ("MRR", 0.5, -0.1),
    ]  # fmt: skip
    (row,) = rows(tables["controls"])
    assert (row["control"], row["draws"], row["mean"], row["excess"], row["of"]) == (ALIKE, 2, 0.1, 0.4, TRANSLATION)


def test_a_stability() -> None:
    pairs = tuple(
        PairStability(code, "he", "cka", 40, 0.1 * place, None, {"0.005–0.01": 0.5})
        for place, code in enumerate(("ar", "sw", "id"))
    )
    tables = Stability("tiny", ("cldr", "muse"), pairs).tables()
    assert rows(tables["agreement"], source="sw", between="halves")[0]["agreement"] == pytest.approx(0.1)
    assert rows(tables["agreement"], source="sw", between="lexicons")[0]["agreement"] is None
    (halves,) = rows(tables["means"], between="halves")
    assert (halves["pairs"], halves["low"]) == (3, None)  # too few pairs for an interval
    assert halves["value"] == pytest.approx(0.1)


def test_frames_come_of_tables() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is no dependency")
    frame = made_up.evaluation().tables()["arms"].to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.query("metric == 'MRR' and arm == 'en'")["gain"].tolist() == [0.2, 0.2]


def test_polars_frames_come_of_tables() -> None:
    polars = pytest.importorskip("polars", reason="polars is no dependency")
    frame = polars.from_arrow(made_up.evaluation().tables()["arms"])
    assert frame.filter(polars.col("metric") == "MRR", polars.col("arm") == "en")["gain"].to_list() == [0.2, 0.2]


def test_what_a_tokenizer_left_of_a_character_is_no_reason_to_fail() -> None:
    result = made_up.recommendation()
    assert result.check is not None
    direct = result.check.arms[0]
    items = (replace(direct.items[0], answer="a\udc80"), *direct.items[1:])
    check = replace(result.check, arms=(replace(direct, items=items), *result.check.arms[1:]))
    assert replace(result, check=check).tables()["items"]["answer"][0].as_py() == "a\\udc80"
