"""What may be known of a pair and its candidates before a bridge is chosen; measured when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linguabridge.choices import Choice, gold_ranks, make_choices
from linguabridge.errors import InputError
from linguabridge.families import tree_distance
from linguabridge.languages import Language
from linguabridge.lexicons import (
    CHECK_SHARE,
    Entry,
    Lexicon,
    is_symbol,
    kept_for_check,
    load_cldr,
    normalise_word,
    split,
)
from linguabridge.measure import Measurements
from linguabridge.neuron_ranking import Probed, probe_neurons
from linguabridge.profile import BlockedProfile, Profile
from linguabridge.prompts import endonym, option_text, translation_prompt
from linguabridge.settings import Settings
from linguabridge.spectrum.parallel import cka, common_concepts
from linguabridge.spectrum.similarity import token_overlap
from linguabridge.texts import Text

HOP_WORDS = 30  # asked of a hop, at most
BLOCKS = 20  # of a text, as the spectrum reads it
CONCEPTS = 200  # compared between languages
FEWEST_HOP_WORDS = 10

Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Evidence:
    """What the model does with a pair and its candidates, short of translating the pair's own held-out words.

    Attributes:
        measure: asks the model, or the cache.
        lexicon: of the words that probe; where it has none for a hop, CLDR's names serve.
        source: language of the input.
        target: language of the output.
        candidates: bridges to choose from, in the order of all scores.
        texts: of source, target and candidates, by code, without the concepts kept for the check.
        choices: entries of the pair, of which those that the model understands probe its neurons.
        settings: of the neuron ranking; the candidates in it are not read.
        check_share: of all concepts, those that must not be looked at.
        asked: normal forms of words that must not be looked at, whatever their concept.
    """

    measure: Measurements
    lexicon: Lexicon
    source: Language
    target: Language
    candidates: tuple[Language, ...]
    texts: Mapping[str, Text]
    choices: Sequence[Choice]
    settings: Settings = field(default_factory=Settings)
    check_share: float = CHECK_SHARE
    asked: frozenset[str] = frozenset()

    @property
    def codes(self) -> tuple[str, ...]:
        """The candidates' codes."""
        return tuple(one.code for one in self.candidates)

    @property
    def languages(self) -> tuple[Language, ...]:
        """Source, target and candidates, by code."""
        return tuple(sorted((self.source, self.target, *self.candidates), key=lambda one: one.code))

    def with_both(self, value: Callable[[str, str], float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A measure of two languages, of each candidate with the source, and with the target."""
        to_source = np.array([value(code, self.source.code) for code in self.codes])
        return to_source, np.array([value(code, self.target.code) for code in self.codes])

    # Statistics of texts

    @cached_property
    def reading(self) -> dict[str, BlockedProfile]:
        """Activation statistics of each language's text, with its tokens."""
        read = self.measure.each(
            "Reading neurons",
            list(self.texts.values()),
            lambda asked, text: asked.blocks(text, max_tokens=self.settings.tokens, blocks=BLOCKS),
        )
        return dict(zip(self.texts, read, strict=True))

    @cached_property
    def profile(self) -> Profile:
        """Activation statistics of all languages."""
        return Profile({code: one.whole for code, one in self.reading.items()})

    def token_overlap(self, first: str, second: str) -> float:
        """Share of tokens that two languages' texts have in common."""
        return float(token_overlap([self.reading[first], self.reading[second]])[0, 1])

    def bits_per_byte(self, code: str) -> float:
        """Bits the model needs for a byte of a language's text; fewer where it knows the language better."""
        return self.measure.bits_per_byte(self.texts[code], max_tokens=self.settings.tokens).per_byte

    def neurons(self, settings: Settings) -> Probed:
        """Neurons of the pair and its candidates on probes, picked in the way that settings say."""
        return probe_neurons(
            self.measure, self.source, self.target, self.candidates, self.texts, self.choices, settings
        )

    # The same concepts in all languages

    @cached_property
    def concepts(self) -> dict[str, list[str]]:
        """Words for the same concepts, by code, none of those kept for the check.

        Languages of which CLDR names too little are left out.
        """
        seed, share = self.settings.seed, self.check_share
        names = [_names(one) for one in (self.source, self.target)]
        words, _ = common_concepts(
            self.languages,
            most=CONCEPTS,
            seed=seed,
            skip=lambda concept: (
                is_symbol(concept)
                or kept_for_check(concept, seed, share)
                or any(normalise_word(some.get(concept, "")) in self.asked for some in names)
            ),
        )
        return words

    @cached_property
    def hidden(self) -> dict[tuple[str, str], float]:
        """Debiased linear CKA of two languages' hidden states on the same concepts, mean of layers.

        Only for languages that concepts are named in.
        """
        names = {one.code: one.name for one in self.languages}
        kernels = self.measure.each(
            "Concepts",
            list(self.concepts),
            lambda asked, code: asked.linear_kernels(f"Concepts: {names[code]}", self.concepts[code], of="hidden"),
        )
        if not kernels:
            return {}
        mean = cka(kernels).mean(axis=0)
        codes = list(self.concepts)
        return {(a, b): float(mean[i, j]) for i, a in enumerate(codes) for j, b in enumerate(codes)}

    def hidden_likeness(self, first: str, second: str) -> float:
        """CKA of hidden states; NaN for languages that no concepts are named in."""
        return self.hidden.get((first, second), np.nan)

    @cached_property
    def hub(self) -> str | None:
        """The language whose hidden states are most like those of all others on the same concepts, if any are known."""
        codes = list(self.concepts)
        return max(
            codes, key=lambda code: sum(self.hidden[code, other] for other in codes if other != code), default=None
        )

    # Words

    def hop(self, first: Language, second: Language, words: int = HOP_WORDS) -> Ranks | None:
        """Ranks of the right translation among ten for probe words of a hop; None without enough words."""
        if (first, second) not in self._hops:  # several ways ask for the same ones
            self._hops[first, second] = self._ranks(first, second)
        found = self._hops[first, second]
        return None if found is None else found[:words]

    @cached_property
    def _hops(self) -> dict[tuple[Language, Language], Ranks | None]:
        return {}

    def _ranks(self, first: Language, second: Language) -> Ranks | None:
        for lexicon in (self.lexicon, load_cldr()):
            try:
                pair = lexicon.pair(first, second)
                seed = self.settings.seed
                drawn = self._not_asked(
                    split(pair, probes=HOP_WORDS, check=0, seed=seed, share=self.check_share).probes
                )
                choices = make_choices(drawn, pair.entries, seed)
            except InputError:
                continue
            if len(drawn) >= FEWEST_HOP_WORDS:
                break
        else:
            return None
        names = [endonym(first), endonym(second)]
        prompts = [translation_prompt(names, [choice.entry.source]) for choice in choices]
        options = [[option_text(option) for option in choice.options] for choice in choices]
        title = f"Hop {first.code}→{second.code}"
        return gold_ranks(self.measure.option_scores(title, prompts, options))

    def _not_asked(self, entries: Sequence[Entry]) -> list[Entry]:
        return [
            entry for entry in entries if self.asked.isdisjoint(map(normalise_word, (entry.source, *entry.targets)))
        ]

    def family_distance(self, first: Language, second: Language) -> float:
        """Distance in the tree of families, 0 to 1; NaN where a family is not known."""
        distance = tree_distance(first, second)
        return np.nan if distance is None else distance


def _names(language: Language) -> dict[str, str]:
    try:
        return load_cldr().names(language)
    except InputError:
        return {}
