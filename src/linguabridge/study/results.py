"""What a study found."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linguabridge.cache import versions
from linguabridge.json_values import plain
from linguabridge.study.analysis import Analysis
from linguabridge.study.measured import MeasuredPair
from linguabridge.study.sets import main_set
from linguabridge.study.settings import StudySettings


@dataclass(frozen=True)
class Study:
    """A grid of pairs and bridges, and what it says of ways to choose.

    Attributes:
        model: what the user called it.
        identity: hashes of the model's files, its revision, device, dtype, and the lexicon's hash.
        settings: everything asked for.
        pairs: measured, in the order asked for.
        analyses: of the pairs for development, of the others, and of all, by MRR and by P@1; sets with pairs only.
        origin: ``command`` and ``versions`` of the run that asked the model, of a study that was read back; else empty.
    """

    model: str
    identity: dict[str, Any]
    settings: StudySettings
    pairs: tuple[MeasuredPair, ...]
    analyses: tuple[Analysis, ...]
    origin: dict[str, Any] = field(default_factory=dict)

    def analysis(self, name: str, metric: str = "MRR") -> Analysis | None:
        """The analysis of a set of pairs.

        Args:
            name: of the set.
            metric: ``MRR`` or ``P@1``.

        Returns:
            The analysis; None where the study has no such set.
        """
        return next((one for one in self.analyses if (one.name, one.metric) == (name, metric)), None)

    @property
    def main(self) -> Analysis:
        """What is said of the ways: of pairs that nothing was chosen on, where there are enough, else of all."""
        metric = self.analyses[0].metric
        by_name = {one.name: one for one in self.analyses if one.metric == metric}
        return by_name[main_set({name: len(one.pairs) for name, one in by_name.items()})]

    def summary(self) -> str:
        """What it says, in words."""
        from linguabridge.study.words import summary

        return summary(self)

    def tables(self) -> dict[str, Any]:
        """Ranks, hops, ways of choosing and policies, as Arrow tables (docs/export.md has the columns)."""
        from linguabridge.export.frames import study_tables

        return study_tables(self)

    def to_dict(self, command: str = "") -> dict[str, Any]:
        """Everything but the ranks, as JSON holds it; None for what is not defined.

        Args:
            command: that makes this; of a study that was read back, the one that asked the model is told instead.

        Returns:
            What ``study.json`` holds, but for its checksums.
        """
        made = {"command": command, "versions": versions(), **self.origin}
        return {
            "summary": self.summary(),
            "model": self.model,
            "identity": plain(self.identity),
            "settings": plain(self.settings),
            "pairs": [_pair(one) for one in self.pairs],
            "analyses": [plain(one) for one in self.analyses],
            **made,
            **({"analysed_again_with": versions()} if self.origin else {}),
        }


def _pair(one: MeasuredPair) -> dict[str, Any]:
    means, firsts = (1 / one.ranks).mean(axis=1), (one.ranks == 1).mean(axis=1)
    return {
        **{f.name: plain(getattr(one, f.name)) for f in dataclasses.fields(one) if f.name not in _NOT_IN_JSON},
        "n_words": len(one.words),
        "mrr": {arm: round(float(value), 4) for arm, value in zip(one.arms, means, strict=True)},
        "p_at_1": {arm: round(float(value), 4) for arm, value in zip(one.arms, firsts, strict=True)},
        "exact": {
            arm: round(float(row.mean()), 4)
            for arm, row in zip(one.arms, one.exact, strict=True)
            if not np.isnan(row).any()
        },
        "as_direct": {arm: round(float(value), 4) for arm, value in zip(one.arms, one.as_direct, strict=True) if value},
        "scores": {
            way: [value if math.isfinite(value) else None for value in some] for way, some in one.scores.items()
        },
    }


_NOT_IN_JSON = ("ranks", "exact", "first_hop", "second_hop", "words", "concepts", "as_direct", "scores")
