"""The prompts of an evaluation as they will stand, without a model: ``--show-prompts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from linguabridge.cache import Cache
from linguabridge.engines.engine import SCORINGS
from linguabridge.evaluation.experiment import Experiment
from linguabridge.evaluation.plans import Plan, make_plans
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.languages import Language, parse
from linguabridge.settings import HUB
from linguabridge.tasks.task import Said


class _NoEngine:
    """Stands where an engine would; it is never asked."""

    name = "none"
    identity: Mapping[str, Any] = {}
    chat = False
    scorings = SCORINGS

    def option_scores(self, *_: object, **__: object) -> Any:
        """Never asked."""
        raise NotImplementedError

    def answers(self, *_: object, **__: object) -> Any:
        """Never asked."""
        raise NotImplementedError


def preview(pairs: Sequence[tuple[str, str]], settings: EvaluationSettings, cache: Cache) -> str:
    """The first item's prompts of every task and pair: direct, into a bridge, and through it.

    What a model would write stands as ``⟨…⟩``; continuations that are scored follow the prompt, a line each.
    """
    return "\n".join(_of(plan) for plan in make_plans(pairs, settings, SCORINGS, cache))


def _of(plan: Plan) -> str:
    experiment = Experiment(
        _NoEngine(), plan.task, plan.pair.source, plan.pair.target, plan.items, plan.scoring, shown=plan.shown
    )
    item = plan.items[0]
    bridge = _bridge(plan)
    own = [Said(plan.pair.source, item.text)]
    through = [*own, Said(bridge, f"⟨the model's {bridge.name}⟩")]
    parts = [f"== {plan.task.name}, {plan.pair.source.name} to {plan.pair.target.name}, scored by {plan.scoring} =="]
    parts += ["-- direct --", *_question(experiment, own)]
    parts += [f"-- into {bridge.name} --", experiment.bridge_question(own, bridge).written]
    parts += [f"-- via {bridge.name} --", *_question(experiment, through)]
    parts.append("(Other bridges stand in the same place; a chain has several, one after the other.)")
    return "\n".join([*parts, ""])


def _question(experiment: Experiment, chain: Sequence[Said]) -> list[str]:
    question = experiment.question(experiment.items[0], chain)
    return [question.prompt.written, *(f"   … {option!r}" for option in question.options)]


def _bridge(plan: Plan) -> Language:
    if plan.pair.bridges:
        return plan.pair.bridges[0]
    hub = parse(HUB)
    return hub if hub not in (plan.pair.source, plan.pair.target) else plan.pair.candidates[0]
