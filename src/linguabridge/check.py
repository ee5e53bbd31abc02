"""Does the bridge help? Word translation on held-out entries: direct, through English, through the recommended bridge.

The bridge word in a prompt is the model's own, generated greedily. All arms choose among the same options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linguabridge.choices import Choice, gold_ranks
from linguabridge.languages import Language
from linguabridge.lexicons import normalise_word
from linguabridge.measure import Measurements
from linguabridge.paired import Comparison, Interval, compare, mean_interval
from linguabridge.prompts import WORD, answer_prompt, endonym, option_text, translation_prompt

DIRECT = "direct"


@dataclass(frozen=True)
class CheckItem:
    """One held-out entry in one arm.

    Attributes:
        concept: of the entry.
        source: word to translate.
        gold: right translations, the first among the options.
        bridge_word: the model's own bridge word; None when there is no bridge or the model gave none.
        prompt: what the model was asked.
        rank: of the first gold translation among the options, 1 for the best.
        answer: the greedy answer, parsed.
        exact: whether it equals a gold translation after normalisation.
        copied: whether the bridge word already is a gold translation.
    """

    concept: str
    source: str
    gold: tuple[str, ...]
    bridge_word: str | None
    prompt: str
    rank: int
    answer: str
    exact: bool
    copied: bool


@dataclass(frozen=True)
class Arm:
    """One way of going from source to target.

    Attributes:
        bridge: code of the bridge language; None for direct.
        items: held-out entries, in the same order in every arm.
        p_at_1: share of entries whose gold translation ranks first.
        mrr: mean reciprocal rank.
        exact: share of greedy answers that equal a gold translation.
        n_copied: entries whose bridge word already is a gold translation: copying, not bridging.
        n_no_word: entries for which the model gave no bridge word; they go direct.
        first_hop: share of bridge words that the lexicon has as translations, among entries it knows; None if none.
        against_direct: comparison with the direct arm, over all entries.
        against_direct_without_copies: the same without copied entries; None where nothing was copied.
    """

    bridge: str | None
    items: tuple[CheckItem, ...]
    p_at_1: Interval
    mrr: Interval
    exact: Interval
    n_copied: int = 0
    n_no_word: int = 0
    first_hop: float | None = None
    against_direct: Comparison | None = None
    against_direct_without_copies: Comparison | None = None

    @property
    def name(self) -> str:
        """``direct`` or the bridge's code."""
        return self.bridge or DIRECT


@dataclass(frozen=True)
class Check:
    """All arms over the same held-out entries, direct first."""

    arms: tuple[Arm, ...]
    n: int

    def arm(self, bridge: str | None) -> Arm:
        """The arm that goes through this language, or direct."""
        return next(arm for arm in self.arms if arm.bridge == bridge)


def run_check(
    measure: Measurements,
    source: Language,
    target: Language,
    bridges: Sequence[Language],
    choices: Sequence[Choice],
    *,
    bridge_gold: Mapping[str, Mapping[str, Sequence[str]]],
    reference: bool = False,
    seed: int = 0,
) -> Check:
    """Run the direct arm and one arm a bridge.

    Args:
        measure: asks the model or the cache.
        source: language of the words.
        target: language of the options.
        bridges: languages to go through.
        choices: held-out entries with their options.
        bridge_gold: for each bridge's code, the lexicon's translations by normalised source word, to judge the first
            hop.
        reference: spell endonyms as the published code does.
        seed: of the bootstrap.
    """
    arms: list[Arm] = []
    for bridge in (None, *bridges):
        arm = _run_arm(measure, source, target, bridge, choices, bridge_gold, reference, seed)
        arms.append(_compared(arm, arms[0], seed) if arms else arm)
    return Check(tuple(arms), len(choices))


def _run_arm(
    measure: Measurements,
    source: Language,
    target: Language,
    bridge: Language | None,
    choices: Sequence[Choice],
    bridge_gold: Mapping[str, Mapping[str, Sequence[str]]],
    reference: bool,
    seed: int,
) -> Arm:
    def name(language: Language) -> str:
        return endonym(language, reference=reference)

    way = "direct" if bridge is None else f"through {bridge.name}"
    words: list[str | None] = [None] * len(choices)
    if bridge is not None:
        asked = [translation_prompt([name(source), name(bridge)], [choice.entry.source]) for choice in choices]
        replies = measure.answers(f"Check {way}: bridge words", [answer_prompt(prompt) for prompt in asked], WORD)
        words = [WORD.cut(reply) or None for reply in replies]
    prompts = [
        translation_prompt([name(source), name(target)], [choice.entry.source])
        if bridge is None or word is None
        else translation_prompt([name(source), name(bridge), name(target)], [choice.entry.source, word])
        for choice, word in zip(choices, words, strict=True)
    ]
    options = [[option_text(option) for option in choice.options] for choice in choices]
    ranks = gold_ranks(measure.option_scores(f"Check {way}: ranking", prompts, options))
    replies = measure.answers(f"Check {way}: answers", [answer_prompt(prompt) for prompt in prompts], WORD)
    items = []
    for choice, word, prompt, rank, reply in zip(choices, words, prompts, ranks, replies, strict=True):
        gold = {normalise_word(one) for one in choice.entry.targets}
        answer = WORD.cut(reply)
        items.append(
            CheckItem(
                concept=choice.entry.concept,
                source=choice.entry.source,
                gold=choice.entry.targets,
                bridge_word=word,
                prompt=prompt,
                rank=int(rank),
                answer=answer,
                exact=normalise_word(answer) in gold,
                copied=word is not None and normalise_word(word) in gold,
            )
        )
    known = bridge_gold.get(bridge.code, {}) if bridge else {}
    hops = [
        normalise_word(item.bridge_word or "") in {normalise_word(one) for one in known[normalise_word(item.source)]}
        for item in items
        if normalise_word(item.source) in known
    ]
    return Arm(
        bridge=bridge.code if bridge else None,
        items=tuple(items),
        p_at_1=mean_interval((ranks == 1).astype(float), seed),
        mrr=mean_interval(1 / ranks, seed),
        exact=mean_interval(np.array([float(item.exact) for item in items]), seed),
        n_copied=sum(item.copied for item in items),
        n_no_word=sum(item.bridge_word is None for item in items) if bridge else 0,
        first_hop=sum(hops) / len(hops) if hops else None,
    )


def _compared(arm: Arm, direct: Arm, seed: int) -> Arm:
    own = np.array([item.rank for item in arm.items])
    base = np.array([item.rank for item in direct.items])
    kept = np.array([not item.copied for item in arm.items])
    return replace(
        arm,
        against_direct=compare(own, base, seed),
        against_direct_without_copies=compare(own[kept], base[kept], seed) if arm.n_copied and kept.any() else None,
    )
