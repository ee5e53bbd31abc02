"""Which entries the model fully understands: only they probe its neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linguabridge.choices import Choice, gold_ranks
from linguabridge.languages import Language
from linguabridge.lexicons import Entry, is_among
from linguabridge.measure import Measurements
from linguabridge.prompts import WORD, answer_prompt, endonym, option_text, translation_prompt

FEWEST = 30  # understood entries under which the best-ranked ones are taken instead
BEST_RANKED = 100


@dataclass(frozen=True)
class Probes:
    """The entries that probe the neurons.

    Attributes:
        entries: chosen entries.
        prompts: one for each.
        n_asked: entries the model was asked.
        n_understood: entries it translated rightly by the rule.
        rule: how that was judged: ``ranked`` (a gold translation ranks first among 10) or ``greedy`` (its greedy answer
            equals one).
        fell_back: whether there were too few, and the best-ranked entries were taken.
    """

    entries: tuple[Entry, ...]
    prompts: tuple[str, ...]
    n_asked: int
    n_understood: int
    rule: str
    fell_back: bool

    def describe(self) -> str:
        """Say in one sentence what the neurons are probed with."""
        judged = "ranked the right word first among 10" if self.rule == "ranked" else "answered with the right word"
        said = f"The model {judged} for {self.n_understood} of {self.n_asked} words"
        if self.fell_back:
            return f"{said}, too few to probe with; the {len(self.entries)} best-ranked words probe its neurons."
        return f"{said}; those probe its neurons."


def understood_probes(
    measure: Measurements,
    source: Language,
    target: Language,
    choices: Sequence[Choice],
    *,
    reference: bool = False,
) -> Probes:
    """Ask the model to translate each entry, and keep those it gets right.

    Args:
        measure: asks the model or the cache.
        source: language of the words.
        target: language to translate into.
        choices: entries with their options.
        reference: first try the published rule, that the greedy answer equals a gold translation; where fewer than 30
            entries pass it, as on any small model, the default rule applies. Also spells endonyms as published.
    """
    names = [endonym(source, reference=reference), endonym(target, reference=reference)]
    prompts = [translation_prompt(names, [choice.entry.source]) for choice in choices]
    if reference:
        replies = measure.answers("Words the model understands", [answer_prompt(prompt) for prompt in prompts], WORD)
        right = [
            is_among(WORD.cut(reply), choice.entry.targets) for choice, reply in zip(choices, replies, strict=True)
        ]
        if sum(right) >= FEWEST:
            return _probes(choices, prompts, np.flatnonzero(right).tolist(), sum(right), "greedy", fell_back=False)
    options = [[option_text(word) for word in choice.options] for choice in choices]
    scores = measure.option_scores("Words the model understands", prompts, options)
    ranks = gold_ranks(scores)
    first = np.flatnonzero(ranks == 1)
    if len(first) >= FEWEST:
        return _probes(choices, prompts, first.tolist(), len(first), "ranked", fell_back=False)
    # Among equal ranks, the one whose gold translation comes closest to the best option.
    margin = scores[:, 0] - scores[:, 1:].max(axis=1)
    best = np.sort(np.lexsort((-margin, ranks))[:BEST_RANKED])
    return _probes(choices, prompts, best.tolist(), len(first), "ranked", fell_back=True)


def _probes(
    choices: Sequence[Choice], prompts: Sequence[str], kept: list[int], n_right: int, rule: str, *, fell_back: bool
) -> Probes:
    return Probes(
        entries=tuple(choices[i].entry for i in kept),
        prompts=tuple(prompts[i] for i in kept),
        n_asked=len(choices),
        n_understood=n_right,
        rule=rule,
        fell_back=fell_back,
    )
