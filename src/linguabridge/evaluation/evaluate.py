"""Run experiments: every task on every pair, in every arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Cache, default_cache_dir, digest
from linguabridge.engines.engine import Engine
from linguabridge.engines.local import Local
from linguabridge.errors import InputError
from linguabridge.evaluation.disjoint import overlap_note, texts_read, unread
from linguabridge.evaluation.experiment import Experiment, demonstrations, is_graded
from linguabridge.evaluation.glosses import gloss, word_list
from linguabridge.evaluation.recommended import Recommended, ranking_for
from linguabridge.evaluation.results import DIRECT, Arm, Evaluation, Result, Row
from linguabridge.evaluation.settings import (
    CHAIN,
    DICTIONARY,
    FEWEST_ITEMS,
    ORACLE,
    RANDOM,
    RECOMMENDED,
    VOTE,
    EvaluationSettings,
    fixed_bridges,
)
from linguabridge.evaluation.statistics import with_holm
from linguabridge.evaluation.votes import vote
from linguabridge.json_values import plain
from linguabridge.languages import Language, parse
from linguabridge.lexicons import Lexicon, load_lexicon, normalise_word
from linguabridge.measure import Measurements
from linguabridge.model import DEFAULT_MODEL, LazyModel, ModelOptions, open_model
from linguabridge.paired import contrast, mean_interval
from linguabridge.progress import Reporter
from linguabridge.settings import check_pair
from linguabridge.tasks import find_task
from linguabridge.tasks.scaffolds import has_scaffolds, is_native
from linguabridge.tasks.task import Data, Item, Loaded, Task

Values = Mapping[str, NDArray[np.float64]]  # items' scores by metric, the task's own first


@dataclass(frozen=True)
class Plan:
    """One task on one pair, loaded: what is asked, before anything is asked."""

    task: Task
    source: Language
    target: Language
    candidates: tuple[Language, ...]
    bridges: tuple[Language, ...]
    items: tuple[Item, ...]
    scoring: str
    shown: str
    notes: tuple[str, ...]


def evaluate(
    pairs: Sequence[tuple[str, str]],
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    settings: EvaluationSettings | None = None,
    chat: bool = False,
    engine: Engine | None = None,
    before: Callable[[dict[str, Any]], None] = lambda _: None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Evaluate ways of going from one language to another, on tasks.

    Args:
        pairs: source and target of each, in any usual form.
        model: answers, and is the one whose neurons are read; as in :func:`linguabridge.recommend`.
        options: how a model given by name is loaded.
        settings: everything else.
        chat: put prompts by the model's chat template.
        engine: answers instead of the model in this process, which then is only loaded where an arm needs its neurons.
        before: told :attr:`Evaluation.settings` when all data are loaded, before the first question.
        cache: where results are kept; the user's cache folder by default. What is finished there is not done again.
        reporter: shows progress; silent by default.

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    settings = settings or EvaluationSettings()
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    cache.check_writable()
    opened = _Opened(model, options, cache, reporter)
    plans = make_plans(pairs, settings, engine.scorings if engine else Local.scorings, cache)
    engine = engine or Local(Measurements(opened.model, cache, reporter), chat=chat)
    asked = {
        "engine": dict(engine.identity),
        "pairs": [f"{source}:{target}" for source, target in pairs],
        "items": {
            f"{plan.task.name} {plan.source.code}:{plan.target.code}": digest([plain(item) for item in plan.items])
            for plan in plans
        },
        **plain(settings),
    }
    before(asked)
    rankings: dict[tuple[Language, Language], Recommended] = {}
    results: list[Result] = []
    rows: list[Row] = []
    for plan in plans:
        pair = (plan.source, plan.target)
        if settings.needs_ranking and pair not in rankings:
            rankings[pair] = ranking_for(
                *pair,
                files=settings.recommendations,
                model=lambda: opened.model,
                settings=settings.recommend,
                cache=cache,
                reporter=reporter,
            )
        result, its_rows = _Run(plan, engine, settings, rankings.get(pair), _lexicon(plan, settings, cache)).run()
        results.append(result)
        rows += its_rows
    return Evaluation(
        model=engine.name,
        results=with_holm(results),
        rows=tuple(rows),
        settings=asked,
    )


@dataclass(frozen=True)
class _Opened:
    """Opens the model when something needs it, once."""

    name: str | LazyModel
    options: ModelOptions | None
    cache: Cache
    reporter: Reporter

    @cached_property
    def model(self) -> LazyModel:
        """The model."""
        if isinstance(self.name, str):
            return open_model(self.name, self.options, self.cache, self.reporter)
        return self.name


def make_plans(
    pairs: Sequence[tuple[str, str]], settings: EvaluationSettings, scorings: Sequence[str], cache: Cache
) -> list[Plan]:
    """Load all data, so that what is missing is said before the work and not in the middle of it.

    Args:
        pairs: source and target of each.
        settings: what is asked for.
        scorings: that the engine can do.
        cache: whose folder downloads are kept in.
    """
    parsed = [check_pair(source, target, settings.recommend) for source, target in pairs]
    bridges = [fixed_bridges(source, target, settings) for source, target, _ in parsed]
    tasks = [find_task(name) for name in dict.fromkeys(settings.tasks)]
    return [
        _plan(task, source, target, candidates, fixed, settings, scorings, cache)
        for (source, target, candidates), fixed in zip(parsed, bridges, strict=True)
        for task in tasks
    ]


def _plan(
    task: Task,
    source: Language,
    target: Language,
    candidates: tuple[Language, ...],
    bridges: tuple[Language, ...],
    settings: EvaluationSettings,
    scorings: Sequence[str],
    cache: Cache,
) -> Plan:
    choices = settings.recommend
    data = Data(settings.data, cache.root, choices.lexicon, choices.lexicon_dir, choices.seed)
    loaded = task.load(source, target, data)
    lexicon = load_lexicon(
        choices.lexicon, directory=choices.lexicon_dir, source=source, target=target, cache_dir=cache.root / "lexicons"
    )
    read = texts_read([source, target], lexicon, choices)
    items = (unread(loaded.items, read) if task.words else loaded.items)[: settings.limit]
    if len(items) < FEWEST_ITEMS:
        raise InputError(
            f"{task.name} has only {len(items)} items for {source.name} to {target.name}; {FEWEST_ITEMS} are needed."
        )
    scoring = _scoring(task, settings, scorings)
    shown = _shown(task, source, target, loaded, items, data, scoring, settings)
    notes = [f"{len(items)} of {len(loaded.items)} items from {loaded.source}.", *loaded.notes]
    if settings.needs_ranking:
        notes.append(overlap_note(items, read, words=task.words))
    if has_scaffolds(task.name) and not is_native(task.name, target):
        notes.append(f"There is no scaffold in {target.name}: what stands around the data is in English.")
    if is_graded(task.metric):
        notes += _graded_notes()
    if settings.shots:
        notes.append(f"{settings.shots} demonstrations stand before every question; none of them is a test item.")
    return Plan(task, source, target, candidates, bridges, items, scoring, shown, tuple(notes))


def _scoring(task: Task, settings: EvaluationSettings, can: Sequence[str]) -> str:
    if settings.scoring is not None and settings.scoring not in task.scorings:
        raise InputError(
            f"The task {task.name} cannot be scored by {settings.scoring}: choose {' or '.join(task.scorings)}."
        )
    wanted = (settings.scoring,) if settings.scoring else task.scorings
    for one in wanted:
        if one in can:
            return one
    raise InputError(
        f"The server can score by {', '.join(can)}, and {task.name} needs {' or '.join(wanted)}: options are scored by "
        "likelihood only where a server gives log-probabilities (vLLM does); choose another --scoring or --task."
    )


def _shown(
    task: Task,
    source: Language,
    target: Language,
    loaded: Loaded,
    items: Sequence[Item],
    data: Data,
    scoring: str,
    settings: EvaluationSettings,
) -> str:
    if not settings.shots:
        return ""
    language = parse(settings.shots_language) if settings.shots_language else source
    if language != source:
        if language == target and task.words:
            raise InputError(f"--shots-language {language.code} is the target: its words need no translation.")
        loaded = task.load(language, target, data)
    concepts = {item.concept for item in items}
    kept = [item for item in loaded.demonstrations if item.concept not in concepts][: settings.shots]
    if len(kept) < settings.shots:
        raise InputError(f"{task.name} has only {len(kept)} items for demonstrations; lower --shots {settings.shots}.")
    return demonstrations(task, kept, language, target, scoring)


def _lexicon(plan: Plan, settings: EvaluationSettings, cache: Cache) -> Lexicon:
    return load_lexicon(
        settings.recommend.lexicon,
        directory=settings.recommend.lexicon_dir,
        source=plan.source,
        target=plan.target,
        cache_dir=cache.root / "lexicons",
    )


class _Run:
    """All arms of one plan."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        settings: EvaluationSettings,
        ranking: Recommended | None,
        lexicon: Lexicon,
    ) -> None:
        self.plan, self.settings, self.ranking, self.lexicon = plan, settings, ranking, lexicon
        self.experiment = Experiment(
            engine, plan.task, plan.source, plan.target, plan.items, plan.scoring, settings.normalise, plan.shown
        )
        self.through: dict[tuple[Language, ...], list[Row]] = {}
        self.arms: list[Arm] = []
        self.rows: list[Row] = []
        self.notes = list(plan.notes)
        self.direct: Values = {}

    def run(self) -> tuple[Result, list[Row]]:
        """Run every arm."""
        plan, wanted = self.plan, set(self.settings.arms)
        self._add(DIRECT, "direct", self._rows())
        for bridge in plan.bridges:
            self._add(bridge.code, f"via {bridge.name}", self._rows(bridge))
        first = self._recommended() if RECOMMENDED in wanted else None
        if DICTIONARY in wanted:
            for bridge in dict.fromkeys([*plan.bridges, *([first] if first else [])]):
                self._dictionary(bridge)
        if {CHAIN, VOTE} & wanted:
            self._several(wanted)
        if {RANDOM, ORACLE} & wanted:
            self._all_candidates(wanted)
        result = Result(
            source=plan.source.code,
            target=plan.target.code,
            task=plan.task.name,
            metric=plan.task.metric,
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

    def _recommended(self) -> Language | None:
        assert self.ranking is not None
        if not self.ranking.order:
            self.notes.append("No candidate could be ranked, so there is no recommended bridge.")
            return None
        first = self.ranking.order[0]
        if not self.ranking.stands_out:
            self.notes.append(f"No bridge stands out for this pair; {first.name} is the first in the ranking.")
        if first in self.plan.bridges:
            self.notes.append(f"The recommended bridge is {first.name}, which is an arm already.")
        else:
            self._add(RECOMMENDED, f"via {first.name} (recommended)", self._rows(first))
        return first

    def _dictionary(self, bridge: Language) -> None:
        try:
            words = word_list(self.lexicon, self.plan.source, bridge)
        except InputError as error:
            self.notes.append(f"No dictionary arm through {bridge.name}: {error}")
            return
        spaced = self.plan.source.spaced

        def look(text: str) -> str | None:
            if self.plan.task.words:
                return words.get(normalise_word(text))
            return gloss(text, words, spaced=spaced)

        self._add(
            f"{DICTIONARY}:{bridge.code}", f"via {bridge.name} (dictionary)", self.experiment.rows([bridge], look=look)
        )

    def _several(self, wanted: set[str]) -> None:
        assert self.ranking is not None
        best = self.ranking.order[: self.settings.best]
        codes = ", ".join(one.code for one in best)
        if len(best) < 2:
            self.notes.append("Fewer than two candidates could be ranked, so there is no chain and no vote.")
            return
        if CHAIN in wanted:
            self._add(CHAIN, f"chain {' → '.join(one.code for one in best)}", self._rows(*best))
        if VOTE in wanted:
            single = [self._rows(one) for one in best]
            rows = [
                vote(some, item, self.plan.task.metric) for item, *some in zip(self.plan.items, *single, strict=True)
            ]
            self._add(VOTE, f"vote of {codes}", rows)

    def _all_candidates(self, wanted: set[str]) -> None:
        candidates = self.plan.candidates
        every = {one: self._rows(one) for one in candidates}
        values = {one: _values(rows, self.plan.task) for one, rows in every.items()}
        for one, rows in every.items():
            self.rows += [replace(row, arm=f"candidate:{one.code}") for row in rows]
        metric = self.plan.task.metric
        if RANDOM in wanted:
            mean = {name: np.mean([some[name] for some in values.values()], axis=0) for name in values[candidates[0]]}
            rows = [_mean_row(some, score) for *some, score in zip(*every.values(), mean[metric], strict=True)]
            self._add(RANDOM, f"a random bridge (mean of {len(candidates)})", rows, mean)
        if ORACLE in wanted:
            best = max(candidates, key=lambda one: float(values[one][metric].mean()))
            self._add(ORACLE, f"via {best.name} (best in hindsight)", every[best])

    def _add(self, name: str, label: str, rows: Sequence[Row], values: Values | None = None) -> None:
        task, seed = self.plan.task, self.settings.recommend.seed
        values = values or _values(rows, task)
        self.rows += [replace(row, arm=name) for row in rows]
        copied = np.array([row.copied for row in rows])
        arm = Arm(
            name=name,
            label=label,
            bridges=tuple(dict.fromkeys(code for row in rows for code in row.bridges)),
            metrics={metric: mean_interval(some, seed) for metric, some in values.items()},
            corpus=_corpus(rows) if is_graded(task.metric) and name != RANDOM else {},
            n_unparsed=sum(row.parsed is None for row in rows) if name != RANDOM else 0,
            n_copied=int(copied.sum()),
            n_without_bridge=sum(row.without_bridge for row in rows),
            first_hop=self._first_hop(rows) if task.words and len(rows[0].bridges) <= 1 else None,
        )
        if name == DIRECT:
            self.direct = values
        else:
            own, base = values[task.metric], self.direct[task.metric]
            binary = task.metric == "accuracy" and name != RANDOM
            kept = ~copied
            arm = replace(
                arm,
                against_direct=contrast(own, base, seed, binary=binary),
                without_copies=contrast(own[kept], base[kept], seed, binary=binary)
                if copied.any() and kept.any()
                else None,
            )
        self.arms.append(arm)

    def _first_hop(self, rows: Sequence[Row]) -> float | None:
        """Share of the bridge words that the lexicon has as translations, among words that it knows."""
        codes = {code for row in rows for code in row.bridges}
        if len(codes) != 1:
            return None
        try:
            pair = self.lexicon.pair(self.plan.source, parse(codes.pop()), keep_identical=True, keep_multiword=True)
        except InputError:
            return None
        known = {normalise_word(entry.source): {normalise_word(one) for one in entry.targets} for entry in pair.entries}
        judged = [
            bool(row.bridge_texts) and normalise_word(row.bridge_texts[0]) in known[normalise_word(row.text)]
            for row in rows
            if normalise_word(row.text) in known
        ]
        return sum(judged) / len(judged) if judged else None


def _values(rows: Sequence[Row], task: Task) -> dict[str, NDArray[np.float64]]:
    values = {task.metric: np.array([row.score for row in rows])}
    if task.metric == "MRR":
        values["P@1"] = np.array([float(row.right or False) for row in rows])
    if rows[0].exact is not None:
        values["exact"] = np.array([float(row.exact or False) for row in rows])
    return values


def _graded_notes() -> list[str]:
    from linguabridge.tasks.corpus import signatures, spbleu_note

    signed = "; ".join(f"{name} {signature}" for name, signature in signatures().items())
    missing = spbleu_note()
    return [f"Scored by sacrebleu: {signed}.", *([missing] if missing else [])]


def _corpus(rows: Sequence[Row]) -> dict[str, float]:
    from linguabridge.tasks.corpus import corpus_figures  # needs sacrebleu, which other tasks do not

    return corpus_figures([row.parsed or "" for row in rows], [row.gold[0] for row in rows])


def _mean_row(rows: Sequence[Row], score: float) -> Row:
    return replace(
        rows[0],
        bridges=tuple(code for row in rows for code in row.bridges),
        bridge_texts=tuple(text for row in rows for text in row.bridge_texts),
        prompt="",
        option_scores=(),
        output=None,
        parsed=None,
        score=float(score),
        right=None,
        exact=None,
        copied=any(row.copied for row in rows),
        without_bridge=all(row.without_bridge for row in rows),
    )
