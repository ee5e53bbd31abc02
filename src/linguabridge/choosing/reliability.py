"""How reliable a way of choosing was in the studies that come with the package (``linguabridge study`` made them)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from linguabridge.study.sets import main_set
from linguabridge.study.shipped import STUDY, shipped_studies


@dataclass(frozen=True)
class Reliability:
    """What a study found of one way of choosing.

    Attributes:
        model: studied.
        weights: hash of its weights.
        bridge_words: whose words stood in the prompt.
        pairs: that the figures are of.
        pair_set: which these are (:mod:`linguabridge.study.sets`): nothing was chosen on reported ones, the default on
            those for development.
        regret: MRR lost against the best single bridge, with its 95 % interval.
        over_fixed: MRR gained over the fixed bridge.
        fixed: which bridge that is: ``best-fixed`` or ``english``, as in a study.
    """

    model: str
    weights: str
    bridge_words: str
    pairs: int
    pair_set: str
    regret: tuple[float, float, float]
    over_fixed: tuple[float, float, float]
    fixed: str


def reliability(way: str, *, weights: str, bridge_words: str) -> Reliability | None:
    """What is known of a way: of this model and these bridge words if studied, else of the nearest study there is.

    Of several that are equally near, the one of most pairs counts.

    Args:
        way: its name.
        weights: hash of the model's weights.
        bridge_words: ``own`` or ``dictionary``.

    Returns:
        None where no study has this way.
    """
    found = [one for body in _studies() if (one := _of(body, way))]
    return max(
        found, key=lambda one: (one.weights == weights, one.bridge_words == bridge_words, one.pairs), default=None
    )


@lru_cache(maxsize=1)
def _studies() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads((one / STUDY).read_text("utf-8")) for one in shipped_studies().values())


def _of(body: dict[str, Any], way: str) -> Reliability | None:
    by_set = {one["name"]: one for one in body["analyses"] if one["metric"] == "MRR"}
    name = main_set({name: len(one["pairs"]) for name, one in by_set.items()})
    row = next((one for one in by_set[name]["ways"] if one["way"] == way), None)
    if row is None:
        return None

    def three(value: dict[str, float]) -> tuple[float, float, float]:
        return value["value"], value["low"], value["high"]

    return Reliability(
        model=body["model"],
        weights=body["identity"]["weights"],
        bridge_words=body["settings"]["bridge_words"],
        pairs=len(by_set[name]["pairs"]),
        pair_set=name,
        regret=three(row["regret"]),
        over_fixed=three(row["over_fixed"]),
        fixed=by_set[name]["fixed"],
    )
