"""Does a bridge help? Word translation on held-out entries: direct, through a bridge, through several in one prompt.

The bridge word in a prompt is the model's own, generated greedily, or the dictionary's. All arms choose among the same
options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linguabridge import languages
from linguabridge.choices import Choice, gold_ranks
from linguabridge.languages import Language
from linguabridge.lexicons import is_among, normalise_word
from linguabridge.measure import Measurements
from linguabridge.paired import Comparison, Interval, compare, mean_interval
from linguabridge.prompts import WORD, answer_prompt, endonym, option_text, translation_prompt
from linguabridge.settings import DICTIONARY, FEWEST_FOR_A_VERDICT

DIRECT = "direct"
HELPS, HURTS, UNCLEAR = "helps", "hurts", "unclear"
CHAINED = "+"  # between the codes of bridges that stand in one prompt, in the name of an arm


@dataclass(frozen=True)
class CheckItem:
    """One held-out entry in one arm.

    Attributes:
        concept: of the entry.
        source: word to translate.
        gold: right translations, the first among the options.
        bridge_words: what stands in the prompt, by the bridge's code; a bridge without a word is not in it.
        prompt: what the model was asked.
        rank: of the first gold translation among the options, 1 for the best.
        answer: the greedy answer, parsed.
        exact: whether it equals a gold translation after normalisation.
        copied: whether a bridge word already is a gold translation.
    """

    concept: str
    source: str
    gold: tuple[str, ...]
    bridge_words: dict[str, str]
    prompt: str
    rank: int
    answer: str
    exact: bool
    copied: bool


@dataclass(frozen=True)
class Arm:
    """One way of going from source to target.

    Attributes:
        bridge: code of the bridge, or several such as ``en+fr``; None for direct.
        items: held-out entries, in the same order in every arm.
        p_at_1: share of entries whose gold translation ranks first.
        mrr: mean reciprocal rank.
        exact: share of greedy answers that equal a gold translation.
        n_copied: entries of which a bridge word already is a gold translation: copying, not bridging.
        n_no_word: entries without any bridge word; they go direct.
        first_hop: share of the model's own bridge words that the lexicon has as translations, among entries it knows;
            None if none, for the dictionary's words and for several bridges.
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
        """``direct``, the bridge's code, or several such as ``en+fr``."""
        return self.bridge or DIRECT

    @property
    def bridges(self) -> tuple[str, ...]:
        """Codes of the bridges, in the order of the prompt."""
        return tuple(self.bridge.split(CHAINED)) if self.bridge else ()

    @property
    def fair(self) -> Comparison | None:
        """Against direct, copied entries left out; None for direct itself and where nothing is left."""
        return self.against_direct_without_copies if self.n_copied else self.against_direct

    @property
    def effect(self) -> str:
        """Whether it helps, hurts, or neither is shown; a verdict needs 30 entries that are not copied."""
        if self.fair is None or len(self.items) - self.n_copied < FEWEST_FOR_A_VERDICT:
            return UNCLEAR
        if self.fair.mrr.low > 0:
            return HELPS
        return HURTS if self.fair.mrr.high < 0 else UNCLEAR


@dataclass(frozen=True)
class Check:
    """All arms over the same held-out entries.

    Attributes:
        arms: direct first.
        n: held-out entries.
    """

    arms: tuple[Arm, ...]
    n: int

    def arm(self, bridge: str | None) -> Arm:
        """The arm that goes through a bridge.

        Args:
            bridge: its code, or several such as ``en+fr``; None for direct.

        Returns:
            The arm.

        Raises:
            StopIteration: none does.
        """
        return next(arm for arm in self.arms if arm.bridge == bridge)


def run_check(
    measure: Measurements,
    source: Language,
    target: Language,
    ways: Sequence[tuple[Language, ...]],
    choices: Sequence[Choice],
    *,
    glosses: Mapping[str, Mapping[str, Sequence[str]]],
    bridge_words: str,
    reference: bool = False,
    seed: int = 0,
) -> Check:
    """Run the direct arm and one arm a way.

    Args:
        measure: asks the model or the cache.
        source: language of the words.
        target: language of the options.
        ways: languages to go through, one or several.
        choices: held-out entries with their options.
        glosses: for each bridge's code, the lexicon's translations by normalised source word: what stands in the
            prompt, or what the model's own word is judged by.
        bridge_words: ``own`` (the model's greedy translation) or ``dictionary``.
        reference: spell endonyms as the published code does.
        seed: of the bootstrap.
    """
    every = list(dict.fromkeys(one for way in ways for one in way))
    words = (
        {one.code: [_gloss(glosses, one, choice) for choice in choices] for one in every}
        if bridge_words == DICTIONARY
        else own_words(measure, "Check: bridge words", source, every, choices, reference=reference)
    )
    arms: list[Arm] = []
    for way in ((), *ways):
        arm = _run_arm(measure, source, target, way, choices, words, reference, seed)
        if len(way) == 1 and bridge_words != DICTIONARY:
            arm = replace(arm, first_hop=_first_hop(arm, way[0].code, glosses))
        arms.append(_compared(arm, arms[0], seed) if arms else arm)
    return Check(tuple(arms), len(choices))


def own_words(
    measure: Measurements,
    title: str,
    source: Language,
    bridges: Sequence[Language],
    choices: Sequence[Choice],
    *,
    reference: bool = False,
) -> dict[str, list[str | None]]:
    """The model's own greedy translation of each word into each bridge, by the bridge's code; None for no answer."""
    found: dict[str, list[str | None]] = {}
    for one in bridges:
        names = [endonym(source, reference=reference), endonym(one, reference=reference)]
        prompts = [answer_prompt(translation_prompt(names, [choice.entry.source])) for choice in choices]
        replies = measure.answers(f"{title}, {one.name}", prompts, WORD)
        found[one.code] = [WORD.cut(reply) or None for reply in replies]
    return found


def through(source: Language, target: Language, word: str, said: Mapping[str, str], *, reference: bool = False) -> str:
    """The prompt that asks for a word's translation after its bridge words.

    Args:
        source: language of the word.
        target: language asked for.
        word: to translate.
        said: bridge words by their languages' codes, in order; none for direct.
        reference: spell endonyms as the published code does.
    """
    names = [source, *map(languages.parse, said), target]
    return translation_prompt([endonym(one, reference=reference) for one in names], [word, *said.values()])


def is_copied(said: Mapping[str, str], gold: Sequence[str]) -> bool:
    """Whether a bridge word already is a right answer: copying it is no bridging."""
    return any(is_among(word, gold) for word in said.values())


def _gloss(glosses: Mapping[str, Mapping[str, Sequence[str]]], bridge: Language, choice: Choice) -> str | None:
    known = glosses.get(bridge.code, {}).get(normalise_word(choice.entry.source))
    return known[0] if known else None


def _run_arm(
    measure: Measurements,
    source: Language,
    target: Language,
    way: Sequence[Language],
    choices: Sequence[Choice],
    words: Mapping[str, Sequence[str | None]],
    reference: bool,
    seed: int,
) -> Arm:
    title = f"Check through {' and '.join(one.name for one in way)}" if way else f"Check {DIRECT}"
    said = [{one.code: word for one in way if (word := words[one.code][number])} for number in range(len(choices))]
    prompts = [
        through(source, target, choice.entry.source, some, reference=reference)
        for choice, some in zip(choices, said, strict=True)
    ]
    options = [[option_text(option) for option in choice.options] for choice in choices]
    ranks = gold_ranks(measure.option_scores(f"{title}: ranking", prompts, options))
    replies = measure.answers(f"{title}: answers", [answer_prompt(prompt) for prompt in prompts], WORD)
    items = []
    for choice, some, prompt, rank, reply in zip(choices, said, prompts, ranks, replies, strict=True):
        answer = WORD.cut(reply)
        items.append(
            CheckItem(
                concept=choice.entry.concept,
                source=choice.entry.source,
                gold=choice.entry.targets,
                bridge_words=some,
                prompt=prompt,
                rank=int(rank),
                answer=answer,
                exact=is_among(answer, choice.entry.targets),
                copied=is_copied(some, choice.entry.targets),
            )
        )
    return Arm(
        bridge=CHAINED.join(one.code for one in way) or None,
        items=tuple(items),
        p_at_1=mean_interval((ranks == 1).astype(float), seed),
        mrr=mean_interval(1 / ranks, seed),
        exact=mean_interval(np.array([float(item.exact) for item in items]), seed),
        n_copied=sum(item.copied for item in items),
        n_no_word=sum(not item.bridge_words for item in items) if way else 0,
    )


def _first_hop(arm: Arm, code: str, glosses: Mapping[str, Mapping[str, Sequence[str]]]) -> float | None:
    known = glosses.get(code, {})
    hops = [
        is_among(item.bridge_words.get(code, ""), right)
        for item in arm.items
        if (right := known.get(normalise_word(item.source)))
    ]
    return sum(hops) / len(hops) if hops else None


def _compared(arm: Arm, direct: Arm, seed: int) -> Arm:
    own = np.array([item.rank for item in arm.items])
    base = np.array([item.rank for item in direct.items])
    kept = np.array([not item.copied for item in arm.items])
    return replace(
        arm,
        against_direct=compare(own, base, seed),
        against_direct_without_copies=compare(own[kept], base[kept], seed) if arm.n_copied and kept.any() else None,
    )
