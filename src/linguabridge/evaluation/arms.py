"""All arms of one task on one pair: the same items, direct and through bridges, each compared with direct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linguabridge.engines.engine import Engine
from linguabridge.errors import InputError, TooLongError
from linguabridge.evaluation.experiment import Experiment, is_graded
from linguabridge.evaluation.glosses import gloss, word_list
from linguabridge.evaluation.plans import Plan
from linguabridge.evaluation.recommended import Recommended
from linguabridge.evaluation.results import DIRECT, Arm, Result, Row
from linguabridge.evaluation.settings import CHAIN, DICTIONARY, ORACLE, RANDOM, RECOMMENDED, VOTE, EvaluationSettings
from linguabridge.evaluation.votes import vote
from linguabridge.languages import Language, parse
from linguabridge.lexicons import normalise_word
from linguabridge.paired import Contrast, Interval, contrast, mean_interval, share_interval

Scores = NDArray[np.float64]
_RIGHT_OR_WRONG = ("accuracy", "exact")


def run_arms(
    plan: Plan, engine: Engine, settings: EvaluationSettings, ranking: Recommended | None
) -> tuple[Result, list[Row]]:
    """Run every arm that is asked for.

    Args:
        plan: what is asked.
        engine: answers.
        settings: which arms.
        ranking: of the candidates; None where no arm needs it.

    Returns:
        The result, not corrected for the number of comparisons, and every item in every arm.
    """
    return _Arms(plan, engine, settings, ranking).run()


class _Arms:
    def __init__(self, plan: Plan, engine: Engine, settings: EvaluationSettings, ranking: Recommended | None) -> None:
        self.plan, self.settings, self.ranking = plan, settings, ranking
        self.source, self.target = plan.pair.source, plan.pair.target
        self.experiment = Experiment(
            engine, plan.task, self.source, self.target, plan.items, plan.scoring, settings.normalise, plan.shown
        )
        self.seed = settings.recommend.seed
        self.groups = [item.concept for item in plan.items]  # items about one text are not independent
        self.through: dict[tuple[Language, ...], list[Row]] = {}
        self.arms: list[Arm] = []
        self.rows: list[Row] = []
        self.notes = list(plan.notes)

    def run(self) -> tuple[Result, list[Row]]:
        plan, wanted = self.plan, set(self.settings.arms)
        try:
            self._add(DIRECT, "direct", self._rows())
        except TooLongError as error:
            raise TooLongError(
                f"{error} That is for {plan.task.name}, {self.source.code}:{self.target.code}, directly: leave the "
                "task out, lower --shots, or take a model that reads more."
            ) from error
        for bridge in plan.pair.bridges:
            with self._left_out_if_too_long(bridge.name):
                self._add(bridge.code, f"via {bridge.name}", self._rows(bridge))
        first = self._first()
        if first and RECOMMENDED in wanted:
            with self._left_out_if_too_long(f"{first.name} (recommended)"):
                self._recommended(first)
        if DICTIONARY in wanted:
            for bridge in dict.fromkeys([*plan.pair.bridges, *([first] if first else [])]):
                with self._left_out_if_too_long(f"{bridge.name} (dictionary)"):
                    self._dictionary(bridge)
        for name in (CHAIN, VOTE):
            if name in wanted:
                with self._left_out_if_too_long(f"the {name}"):
                    self._several(name)
        if {RANDOM, ORACLE} & wanted:
            with self._left_out_if_too_long("all candidates (random, oracle)"):
                self._all_candidates(wanted)
        result = Result(
            source=self.source.code,
            target=self.target.code,
            task=plan.task.name,
            metric=plan.metric,
            scoring=plan.scoring,
            n=len(plan.items),
            recommended=first.code if first else None,
            arms=tuple(self.arms),
            notes=tuple(self.notes),
        )
        return result, self.rows

    def _rows(self, *bridges: Language) -> list[Row]:
        if bridges not in self.through:
            self.through[bridges] = self.experiment.rows(bridges)
        return self.through[bridges]

    @contextmanager
    def _left_out_if_too_long(self, way: str) -> Iterator[None]:
        """An arm whose prompts the model cannot read is left out, and said; the rest of the run goes on."""
        try:
            yield
        except TooLongError as error:
            self.notes.append(f"There is no arm through {way}: {error}")

    def _first(self) -> Language | None:
        """The bridge that is recommended; None where none was asked for, or none can be."""
        if self.ranking is None or RECOMMENDED not in self.settings.arms:
            return None
        if not self.ranking.order:
            self.notes.append("No candidate could be ranked, so there is no recommended bridge.")
            return None
        return self.ranking.order[0]

    def _recommended(self, first: Language) -> None:
        assert self.ranking is not None
        self.notes.append(f"{first.name} is recommended by {self.ranking.way}.")
        if first in self.plan.pair.bridges:
            self.notes.append(f"The recommended bridge, {first.name}, is an arm already.")
            return
        self._add(RECOMMENDED, f"via {first.name} (recommended)", self._rows(first))

    def _dictionary(self, bridge: Language) -> None:
        try:
            words = word_list(self.plan.pair.lexicon, self.source, bridge)
        except InputError as error:
            self.notes.append(f"There is no dictionary arm through {bridge.name}: {error}")
            return

        def look(text: str) -> str | None:
            if self.plan.task.words:
                return words.get(normalise_word(text))
            return gloss(text, words, spaced=self.source.spaced)

        rows = self.experiment.rows([bridge], look=look)
        self._add(f"{DICTIONARY}:{bridge.code}", f"via {bridge.name} (dictionary)", rows)

    def _several(self, name: str) -> None:
        assert self.ranking is not None
        best = self.ranking.order[: self.settings.best]
        if len(best) < 2:
            self.notes.append(f"Fewer than two candidates could be ranked, so there is no {name}.")
            return
        codes = [one.code for one in best]
        if name == CHAIN:
            self._add(CHAIN, f"chain {' → '.join(codes)}", self._rows(*best))
            return
        single = [self._rows(one) for one in best]
        rows = [vote(some, item, self.plan.metric) for item, *some in zip(self.plan.items, *single, strict=True)]
        self._add(VOTE, f"vote of {', '.join(codes)}", rows)

    def _all_candidates(self, wanted: set[str]) -> None:
        candidates = self.plan.pair.candidates
        every = [self._rows(one) for one in candidates]
        for one, rows in zip(candidates, every, strict=True):
            self.rows += [replace(row, arm=f"candidate:{one.code}") for row in rows]
        if RANDOM in wanted:
            self._random(candidates, every)
        if ORACLE in wanted:
            # Copied words win for no bridge: they are left out of what an arm is judged by.
            base = _scores(self._rows())
            gains = np.array([_gain(rows, base) for rows in every])
            best = int(np.argmax(gains))
            self._add(ORACLE, f"via {candidates[best].name} (best in hindsight)", every[best])

    def _random(self, candidates: Sequence[Language], every: Sequence[Sequence[Row]]) -> None:
        """The mean over all candidates, item by item; of the comparison, over those that copied no right answer."""
        values = [_values(rows, self.plan.metric) for rows in every]
        mean = {name: np.mean([some[name] for some in values], axis=0) for name in values[0]}
        scores, copied = np.array([_scores(rows) for rows in every]), np.array([_copied(rows) for rows in every])
        kept = np.asarray(~copied.all(axis=0), dtype=bool)
        fair = np.where(copied, 0.0, scores).sum(axis=0) / np.maximum(1, (~copied).sum(axis=0))
        rows = [_mean_row(some, float(score)) for *some, score in zip(*every, mean[self.plan.metric], strict=True)]
        self._put(
            Arm(
                name=RANDOM,
                label=f"a random bridge (mean of {len(candidates)})",
                bridges=tuple(one.code for one in candidates),
                metrics=self._intervals(mean),
                corpus={},
                n_unparsed=sum(row.parsed is None for some in every for row in some),
                n_copied=int(copied.sum()),
                n_without_bridge=sum(row.without_bridge for some in every for row in some),
            ),
            rows,
            mean[self.plan.metric],
            (fair, kept) if copied.any() else None,
            graded=True,
        )
        self.notes.append(
            f"Counts of the random bridge are of {len(candidates)} × {len(rows)} answers; its comparison leaves out "
            "those that were copied."
        )

    def _add(self, name: str, label: str, rows: Sequence[Row]) -> None:
        copied = _copied(rows)
        arm = Arm(
            name=name,
            label=label,
            bridges=tuple(dict.fromkeys(code for row in rows for code in row.bridges)),
            metrics=self._intervals(_values(rows, self.plan.metric)),
            corpus=_corpus(rows) if is_graded(self.plan.metric) else {},
            n_unparsed=sum(row.parsed is None for row in rows),
            n_copied=int(copied.sum()),
            n_without_bridge=sum(row.without_bridge for row in rows),
            first_hop=self._first_hop(rows),
        )
        scores = _scores(rows)
        self._put(arm, rows, scores, (scores, ~copied) if copied.any() else None)

    def _put(
        self,
        arm: Arm,
        rows: Sequence[Row],
        scores: Scores,
        fair: tuple[Scores, NDArray[np.bool_]] | None,
        *,
        graded: bool = False,
    ) -> None:
        """Keep an arm with its comparison: over all items, and by ``fair`` scores of items that are kept."""
        if arm.name != DIRECT:
            base = _scores(self._rows())
            binary = self.plan.metric in _RIGHT_OR_WRONG and not graded

            def against(own: Scores, kept: NDArray[np.bool_]) -> Contrast:
                groups = [group for group, keep in zip(self.groups, kept, strict=True) if keep]
                return contrast(own[kept], base[kept], self.seed, binary=binary, groups=groups)

            arm = replace(arm, against_direct=against(scores, np.ones(len(base), dtype=bool)))
            if fair is not None and fair[1].any():
                arm = replace(arm, without_copies=against(*fair))
        self.rows += [replace(row, arm=arm.name) for row in rows]
        self.arms.append(arm)

    def _intervals(self, values: Mapping[str, Scores]) -> dict[str, Interval]:
        of = {name: mean_interval if is_graded(name) else share_interval for name in values}
        return {name: of[name](some, self.seed, groups=self.groups) for name, some in values.items()}

    def _first_hop(self, rows: Sequence[Row]) -> float | None:
        """Share of the bridge words that the lexicon has as translations, among words that it knows."""
        codes = {code for row in rows for code in row.bridges}
        if not self.plan.task.words or len(codes) != 1:
            return None
        try:
            pair = self.plan.pair.lexicon.pair(
                self.source, parse(codes.pop()), keep_identical=True, keep_multiword=True
            )
        except InputError:
            return None
        known = {normalise_word(entry.source): {normalise_word(one) for one in entry.targets} for entry in pair.entries}
        judged = [
            bool(row.bridge_texts) and normalise_word(row.bridge_texts[0]) in known[normalise_word(row.text)]
            for row in rows
            if normalise_word(row.text) in known
        ]
        return sum(judged) / len(judged) if judged else None


def _scores(rows: Sequence[Row]) -> Scores:
    return np.array([row.score for row in rows])


def _gain(rows: Sequence[Row], base: Scores) -> float:
    """Mean difference to direct, copied items left out; minus infinity where nothing is left."""
    kept = ~_copied(rows)
    return float((_scores(rows) - base)[kept].mean()) if kept.any() else -np.inf


def _copied(rows: Sequence[Row]) -> NDArray[np.bool_]:
    return np.array([row.copied for row in rows], dtype=bool)


def _values(rows: Sequence[Row], metric: str) -> dict[str, Scores]:
    """Items' scores by metric, the task's own first."""
    values = {metric: _scores(rows)}
    if metric == "MRR":
        values["P@1"] = np.array([float(row.right or False) for row in rows])
    if rows[0].exact is not None:
        values["exact"] = np.array([float(row.exact or False) for row in rows])
    return values


def _mean_row(rows: Sequence[Row], score: float) -> Row:
    return replace(
        rows[0],
        bridges=tuple(code for row in rows for code in row.bridges),
        bridge_texts=tuple(text for row in rows for text in row.bridge_texts),
        prompt="",
        option_scores=(),
        output=None,
        parsed=None,
        score=score,
        right=None,
        exact=None,
        copied=all(row.copied for row in rows),
        without_bridge=all(row.without_bridge for row in rows),
    )


def _corpus(rows: Sequence[Row]) -> dict[str, float]:
    from linguabridge.tasks.corpus import corpus_figures  # needs sacrebleu, which other tasks do not

    return corpus_figures([row.parsed or "" for row in rows], [row.gold[0] for row in rows])
