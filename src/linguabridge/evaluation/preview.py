"""The prompts of an evaluation as they will stand, without a model: ``--show-prompts``."""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge.cache import Cache
from linguabridge.engines.engine import SCORINGS
from linguabridge.evaluation.experiment import bridge_prompt, full_question
from linguabridge.evaluation.plans import Plan, make_plans
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.languages import Language, parse
from linguabridge.settings import DEFAULT_BRIDGE
from linguabridge.tasks.task import Said


def preview(pairs: Sequence[tuple[str, str]], settings: EvaluationSettings, cache: Cache) -> str:
    """The first item's prompts of every task and pair: direct, into a bridge, and through it.

    What a model would write stands as ``⟨…⟩``; continuations that are scored follow the prompt, a line each.
    """
    return "\n".join(_of(plan) for plan in make_plans(pairs, settings, SCORINGS, cache))


def _of(plan: Plan) -> str:
    item = plan.items[0]
    bridge = _bridge(plan)
    own = [Said(plan.pair.source, item.text)]
    through = [*own, Said(bridge, f"⟨the model's {bridge.name}⟩")]
    parts = [f"== {plan.task.name}, {plan.pair.source.name} to {plan.pair.target.name}, scored by {plan.scoring} =="]
    parts += ["-- direct --", *_question(plan, own)]
    parts += [f"-- into {bridge.name} --", bridge_prompt(own, bridge, words=plan.task.words).written]
    parts += [f"-- via {bridge.name} --", *_question(plan, through)]
    parts.append("(Other bridges stand in the same place; a chain has several, one after the other.)")
    return "\n".join([*parts, ""])


def _question(plan: Plan, chain: Sequence[Said]) -> list[str]:
    question = full_question(plan.task, plan.items[0], chain, plan.pair.target, plan.scoring, plan.shown)
    return [question.prompt.written, *(f"   … {option!r}" for option in question.options)]


def _bridge(plan: Plan) -> Language:
    if plan.pair.bridges:
        return plan.pair.bridges[0]
    hub = parse(DEFAULT_BRIDGE)
    return hub if hub not in (plan.pair.source, plan.pair.target) else plan.pair.candidates[0]
