"""Run experiments: every task on every pair, in every arm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from linguabridge.cache import Cache, default_cache_dir, digest
from linguabridge.engines.engine import Engine
from linguabridge.engines.local import Local
from linguabridge.evaluation.arms import run_arms
from linguabridge.evaluation.plans import Pair, make_plans
from linguabridge.evaluation.recommended import Recommended, computed
from linguabridge.evaluation.results import Evaluation, Result, Row
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.evaluation.statistics import with_holm
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.progress import Reporter


def evaluate(
    pairs: Sequence[tuple[str, str]],
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    settings: EvaluationSettings | None = None,
    chat: bool = False,
    engine: Engine | None = None,
    before: Callable[[dict[str, Any]], None] = lambda _: None,
    after: Callable[[Evaluation], None] = lambda _: None,
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
        after: told what there is so far after each result (a task on a pair) but the last. Its p-values are corrected
            over its own comparisons, so that verdicts may change with later results.
        cache: where results are kept; the user's cache folder by default. What is finished there is not done again.
        reporter: shows progress; silent by default.

    Returns:
        Of every pair and task each arm's figures with intervals and p-values, and every item (docs/evaluate.md has
        units and sources of the statistics).

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    settings = settings or EvaluationSettings()
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    cache.check_writable()
    plans = make_plans(pairs, settings, engine.scorings if engine else Local.scorings, cache)
    opened = _Opened(model, options, cache, reporter)
    answering = engine or Local(Measurements(opened.model, cache, reporter), chat=chat)
    for plan in plans:
        if plan.pair.earlier is not None:
            plan.pair.earlier.check_model(opened.model)
    asked = {
        "engine": dict(answering.identity),
        "ranked_by": dict(opened.model.key) if settings.needs_ranking else None,
        "items": {
            f"{plan.task.name} {plan.pair.source.code}:{plan.pair.target.code}": digest(plain(list(plan.items)))
            for plan in plans
        },
        "task_files": {name: _sha256(name) for name in settings.tasks if name.endswith(".py")},
        "earlier": [plan.pair.earlier.sha256 for plan in plans if plan.pair.earlier],
        **plain(settings),
    }
    before(asked)
    if settings.needs_ranking and engine is not None:
        reporter.say(f"The neurons of {opened.model.files.name} rank the bridges; {engine.name} answers.")
    rankings: dict[tuple[Language, Language], Recommended] = {}
    results: list[Result] = []
    rows: list[Row] = []
    for plan in plans:
        pair = (plan.pair.source, plan.pair.target)
        if settings.needs_ranking and pair not in rankings:
            rankings[pair] = _ranking(plan.pair, opened, settings, cache, reporter)
        result, its_rows = run_arms(plan, answering, settings, rankings.get(pair))
        results.append(result)
        rows += its_rows
        if len(results) < len(plans):
            after(Evaluation(answering.name, with_holm(results), tuple(rows), asked))
    return Evaluation(answering.name, with_holm(results), tuple(rows), asked)


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


def _ranking(
    pair: Pair, opened: _Opened, settings: EvaluationSettings, cache: Cache, reporter: Reporter
) -> Recommended:
    if pair.earlier is not None:
        return pair.earlier.ranking
    return computed(
        pair.source,
        pair.target,
        model=opened.model,
        settings=settings.recommend,
        cache=cache,
        reporter=reporter,
    )


def _sha256(file: str) -> str:
    return hashlib.sha256(Path(file).expanduser().read_bytes()).hexdigest()
