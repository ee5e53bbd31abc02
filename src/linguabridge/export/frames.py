"""Results as tables: one row a thing found, named columns, null for what is not defined.

They are Arrow tables, which come with linguabridge; ``table.to_pandas()`` and ``polars.from_arrow(table)`` make data
frames of them where those packages are there. Columns are described in docs/export.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from linguabridge.paired import Interval

if TYPE_CHECKING:
    from linguabridge.ablation.results import Ablation, Change
    from linguabridge.ablation.results import Arm as AblationArm
    from linguabridge.check import Check
    from linguabridge.evaluation.results import Arm, Evaluation, Result
    from linguabridge.profile import Profile
    from linguabridge.recommendation import Recommendation
    from linguabridge.spectrum.results import Spectrum
    from linguabridge.study.results import Study
    from linguabridge.study.stability import Stability

Row = Mapping[str, Any]
_TEXT, _REAL, _WHOLE, _BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_TEXTS = pa.list_(_TEXT)
_PAIR = {"source": _TEXT, "target": _TEXT}
_ESTIMATE = {"value": _REAL, "low": _REAL, "high": _REAL}
_GAIN = {"gain": _REAL, "gain_low": _REAL, "gain_high": _REAL}

CANDIDATES = _PAIR | {
    "bridge": _TEXT, "place": _WHOLE, "score": _REAL, "low": _REAL, "high": _REAL, "best": _REAL, "neurons": _WHOLE,
    "like_source": _REAL, "like_target": _REAL, "chosen_place": _WHOLE, "chosen_score": _REAL,
}  # fmt: skip
LAYERS = _PAIR | {"bridge": _TEXT, "layer": _WHOLE, "score": _REAL, "neurons": _WHOLE}
CHECK_ARMS = (
    _PAIR | {"arm": _TEXT, "bridges": _TEXTS, "metric": _TEXT, "n": _WHOLE, "n_copied": _WHOLE} | _ESTIMATE | _GAIN
    | {"verdict": _TEXT}
)  # fmt: skip
CHECK_ITEMS = _PAIR | {
    "arm": _TEXT, "concept": _TEXT, "text": _TEXT, "gold": _TEXTS, "bridges": _TEXTS, "bridge_texts": _TEXTS,
    "prompt": _TEXT, "rank": _WHOLE, "answer": _TEXT, "exact": _BOOL, "copied": _BOOL,
}  # fmt: skip
ARMS = (
    _PAIR | {"task": _TEXT, "arm": _TEXT, "label": _TEXT, "bridges": _TEXTS, "metric": _TEXT, "n": _WHOLE}
    | {"n_copied": _WHOLE} | _ESTIMATE | _GAIN | {"p": _REAL, "p_holm": _REAL, "verdict": _TEXT}
)  # fmt: skip
LANGUAGES = {"language": _TEXT, "name": _TEXT, "family": _TEXT, "script": _TEXT, "x": _REAL, "y": _REAL}
NEIGHBOURS = {"language": _TEXT, "place": _WHOLE, "neighbour": _TEXT, "similarity": _REAL, "support": _REAL}
_SET = _PAIR | {"set": _TEXT, "language": _TEXT, "factor": _REAL, "of": _TEXT}
CHANGES = _SET | {"before": _REAL, "change": _REAL, "low": _REAL, "high": _REAL}
CONTROLS = _SET | {
    "control": _TEXT, "mean": _REAL, "low": _REAL, "high": _REAL, "draws": _WHOLE, "as_harmful": _WHOLE, "p": _REAL,
    "excess": _REAL, "excess_low": _REAL, "excess_high": _REAL,
}  # fmt: skip
_ANALYSIS = {"pairs": _TEXT, "metric": _TEXT}
WAYS = _ANALYSIS | {"way": _TEXT, "figure": _TEXT} | _ESTIMATE
POLICIES = _ANALYSIS | {"policy": _TEXT, "figure": _TEXT} | _ESTIMATE
NEURONS = {"language": _TEXT, "layer": _WHOLE, "unit": _WHOLE, "probability": _REAL, "mean": _REAL}
AGREEMENT = _PAIR | {"estimator": _TEXT, "n_probes": _WHOLE, "between": _TEXT, "agreement": _REAL}
MEANS = {"estimator": _TEXT, "between": _TEXT, "pairs": _WHOLE} | _ESTIMATE


def recommendation_tables(result: Recommendation) -> dict[str, pa.Table]:
    """``candidates``, ``layers``, and of a check ``arms`` and ``items``."""
    pair = {"source": result.source.code, "target": result.target.code}
    order = list(result.chosen.scores)
    candidates, layers = [], []
    for place, one in enumerate(result.ranking.candidates, 1):
        like = result.similarity[one.code]
        chosen = {"chosen_place": order.index(one.code) + 1, "chosen_score": result.chosen.scores[one.code]}
        own = {"bridge": one.code, "place": place, "score": one.score, "low": one.low, "high": one.high}
        about = {"best": one.best, "neurons": sum(one.neurons), "like_source": like[0], "like_target": like[1]}
        candidates.append({**pair, **own, **about, **chosen})
        for layer, (score, neurons) in enumerate(zip(one.layers, one.neurons, strict=True), result.ranking.window[0]):
            layers.append({**pair, "bridge": one.code, "layer": layer, "score": score, "neurons": neurons})
    found = {"candidates": _table(CANDIDATES, candidates), "layers": _table(LAYERS, layers)}
    return found | (_check_tables(result.check, pair) if result.check else {})


def _check_tables(check: Check, pair: Row) -> dict[str, pa.Table]:
    arms, items = [], []
    for arm in check.arms:
        about = {**pair, "arm": arm.name, "bridges": list(arm.bridges), "n": check.n, "n_copied": arm.n_copied}
        fair = arm.fair
        for metric, value, gain in (
            ("MRR", arm.mrr, fair.mrr if fair else None),
            ("P@1", arm.p_at_1, fair.p_at_1 if fair else None),
            ("exact", arm.exact, None),
        ):
            verdict = arm.effect if metric == "MRR" and arm.bridges else None
            arms.append({**about, "metric": metric, "verdict": verdict, **_estimate(value), **_gain(gain)})
        for item in arm.items:
            own = {name: getattr(item, name) for name in ("concept", "prompt", "rank", "answer", "exact", "copied")}
            said = {"bridges": list(item.bridge_words), "bridge_texts": list(item.bridge_words.values())}
            items.append({**pair, "arm": arm.name, "text": item.source, "gold": list(item.gold), **said, **own})
    return {"arms": _table(CHECK_ARMS, arms), "items": _table(CHECK_ITEMS, items)}


def evaluation_tables(result: Evaluation) -> dict[str, pa.Table]:
    """``items``, as in ``items.parquet``, and ``arms``."""
    from linguabridge.evaluation.files import items_table

    arms = [row for one in result.results for arm in one.arms for row in _arm_rows(one, arm)]
    return {"items": items_table(result.rows), "arms": _table(ARMS, arms)}


def _arm_rows(result: Result, arm: Arm) -> Iterable[Row]:
    """A row for each metric; what is compared is the task's own, the first."""
    from linguabridge.evaluation.settings import ORACLE
    from linguabridge.evaluation.statistics import verdict

    about = {name: getattr(result, name) for name in ("source", "target", "task", "n")}
    own = {"arm": arm.name, "label": arm.label, "bridges": list(arm.bridges), "n_copied": arm.n_copied}
    for place, (metric, value) in enumerate(arm.metrics.items()):
        fair = arm.fair if place == 0 else None
        tests = {"p": fair.p, "p_holm": fair.p_holm} if fair else {}
        judged = {"verdict": verdict(arm, result.n)} if fair and arm.name != ORACLE else {}
        gain = _gain(fair.difference if fair else None)
        yield {**about, **own, "metric": metric, **_estimate(value), **gain, **tests, **judged}
    for metric, figure in arm.corpus.items():
        yield {**about, **own, "metric": f"{metric} of the corpus", "value": figure}


def spectrum_tables(result: Spectrum) -> dict[str, pa.Table]:
    """``pairs``, as in ``pairs.parquet``, ``languages`` and ``neighbours``."""
    from linguabridge.spectrum.files import pairs_table

    names = [
        {
            "language": one.code,
            "name": one.name,
            "family": next(iter(result.families[one.code]), None),
            "script": result.scripts[one.code],
            "x": x,
            "y": y,
        }
        for one, (x, y) in zip(result.languages, result.points.tolist(), strict=True)
    ]
    near = [
        {"language": code, "place": i, "neighbour": n.code, "similarity": n.similarity, "support": n.support}
        for code, some in result.neighbours.items()
        for i, n in enumerate(some, 1)
    ]
    tables = {"languages": _table(LANGUAGES, names), "neighbours": _table(NEIGHBOURS, near)}
    return {"pairs": pairs_table(result), **tables}


def ablation_tables(result: Ablation) -> dict[str, pa.Table]:
    """``changes`` by each set of neurons, and ``controls``: what random sets change."""
    changes, controls = [], []
    for arm in result.arms:
        for one in (arm.translation, *arm.texts):
            about = _changed(result, arm, one)
            changes.append({**about, "before": one.before, **_named(one.change, "change", "low", "high")})
            for control in one.controls:
                own = {name: getattr(control, name) for name in ("mean", "low", "high", "as_harmful", "p")}
                excess = _named(control.excess, "excess", "excess_low", "excess_high")
                controls.append({**about, "control": control.kind, **own, "draws": len(control.draws), **excess})
        changes.append({**_changed(result, arm), "before": result.mrr, **_named(arm.mrr, "change", "low", "high")})
    return {"changes": _table(CHANGES, changes), "controls": _table(CONTROLS, controls)}


def _changed(result: Ablation, arm: AblationArm, change: Change | None = None) -> Row:
    pair = {"source": result.source.code, "target": result.target.code}
    of = change.of if change else "MRR"
    return {**pair, "set": arm.set, "language": arm.language, "factor": arm.factor, "of": of}


def study_tables(result: Study) -> dict[str, pa.Table]:
    """``ranks`` and ``hops``, as in the Parquet files of a study, ``ways`` and ``policies``."""
    from linguabridge.study.files import hops_table, ranks_table

    ways, policies = [], []
    for one in result.analyses:
        about = {"pairs": one.name, "metric": one.metric}
        for way in one.ways:
            for figure in ("regret", "over_fixed", "over_random", "over_reference", "tau", "fine"):
                ways.append({**about, "way": way.way, "figure": figure, **_estimate(getattr(way, figure))})
        for policy in one.policies:
            for figure in ("score", "over_fixed", "over_direct", "regret", "exact"):
                value = _estimate(getattr(policy, figure))
                policies.append({**about, "policy": policy.policy, "figure": figure, **value})
    measured = {"ranks": ranks_table(result.pairs), "hops": hops_table(result.pairs)}
    return {**measured, "ways": _table(WAYS, ways), "policies": _table(POLICIES, policies)}


def stability_tables(result: Stability) -> dict[str, pa.Table]:
    """``agreement`` of each pair's rankings, and ``means`` over pairs."""
    rows: list[Row] = []
    for one in result.pairs:
        about = {name: getattr(one, name) for name in ("source", "target", "estimator", "n_probes")}
        for between, value in {"halves": one.halves, "lexicons": one.lexicons, **one.rates}.items():
            rows.append({**about, "between": between, "agreement": value})
    means: list[Row] = []
    for estimator in dict.fromkeys(one.estimator for one in result.pairs):
        for between in result.measures:
            mean = result.mean(estimator, between)
            if mean is not None:
                means.append({"estimator": estimator, "between": between, **vars(mean)})
    return {"agreement": _table(AGREEMENT, rows), "means": _table(MEANS, means)}


def profile_tables(result: Profile) -> dict[str, pa.Table]:
    """``neurons``: what each neuron does in each language."""
    schema = pa.schema(list(NEURONS.items()))
    parts = [schema.empty_table()]
    for code, one in result.languages.items():
        space = one.space
        layers = np.repeat(np.arange(space.n_layers), space.widths)
        units = np.arange(len(space)) - space.starts[layers]
        figures = [pa.array(values, from_pandas=True) for values in (one.probability, one.mean)]  # NaN becomes null
        columns = [pa.repeat(code, len(space)), pa.array(layers), pa.array(units), *figures]
        parts.append(pa.Table.from_arrays(columns, schema=schema))
    return {"neurons": pa.concat_tables(parts)}


def _estimate(value: Interval | None) -> Row:
    return _named(value, "value", "low", "high")


def _gain(value: Interval | None) -> Row:
    return _named(value, "gain", "gain_low", "gain_high")


def _named(value: Interval | None, *names: str) -> Row:
    """A value and its interval under these names; nothing for none."""
    return {} if value is None else dict(zip(names, (value.value, value.low, value.high), strict=True))


def _table(columns: Mapping[str, pa.DataType], rows: Iterable[Row]) -> pa.Table:
    """Rows as a table; what a row does not name, and what is no number (NaN), is null."""
    known = [{name: _known(row.get(name)) for name in columns} for row in rows]
    return pa.Table.from_pylist(known, schema=pa.schema(list(columns.items())))


def _known(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # what a tokenizer left of a broken character
    if isinstance(value, list):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
