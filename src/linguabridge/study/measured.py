"""One pair of a study, measured: its grid, and what every way of choosing says of it without having seen that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linguabridge import languages
from linguabridge.cache import Cache
from linguabridge.choices import make_choices
from linguabridge.choosing.evidence import Evidence
from linguabridge.choosing.ways import WAYS, Way
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.lexicons import Lexicon, load_lexicon
from linguabridge.measure import Measurements
from linguabridge.settings import FIXED_OR_HOP, Settings
from linguabridge.study.grid import run_pair
from linguabridge.study.items import PairItems, pair_items
from linguabridge.study.settings import TEST_SHARE, StudySettings
from linguabridge.texts import Text, load_text

Pair = tuple[str, str]
ALWAYS = ("english", "random")  # what every other way is compared with
HOPPING = {"hops", "first-hop", "second-hop", FIXED_OR_HOP}


@dataclass(frozen=True)
class MeasuredPair:
    """A pair's results.

    Attributes:
        source: code.
        target: code.
        candidates: codes of the bridges.
        arms: ``direct``, the candidates, chains (``en+fr``: both in one prompt) and votes (``en&fr``: likelihoods of
            separate prompts summed).
        concepts: of the words, as the lexicon names them.
        words: the source words.
        ranks: rank of the right option among ten, shape (arms, words).
        exact: 1 where the greedy answer equals a right word, shape (arms, words); NaN for votes, and where none was
            asked for.
        as_direct: share of words that an arm answers as direct does: its bridge word already is a right answer, or
            there is none; shape (arms,).
        n_copied: words left out beforehand because a bridge's dictionary word already is a right answer.
        scores: what each way of choosing gives each candidate; NaN where it says nothing.
        first_hop: ranks of the right word in the hop from the source, shape (candidates, hop words); 0 for no word.
        second_hop: likewise to the target.
    """

    source: str
    target: str
    candidates: tuple[str, ...]
    arms: tuple[str, ...]
    concepts: tuple[str, ...]
    words: tuple[str, ...]
    ranks: NDArray[np.int64] = field(repr=False)
    exact: NDArray[np.float64] = field(repr=False)
    as_direct: NDArray[np.float64] = field(repr=False)
    n_copied: int
    scores: dict[str, tuple[float, ...]]
    first_hop: NDArray[np.int64] = field(repr=False)
    second_hop: NDArray[np.int64] = field(repr=False)

    @property
    def pair(self) -> Pair:
        """Codes of source and target."""
        return self.source, self.target

    @property
    def with_english(self) -> bool:
        """Whether English is source or target."""
        return "en" in self.pair


@dataclass(frozen=True)
class Materials:
    """What a pair is measured with, before a model is asked.

    Attributes:
        lexicon: of the words.
        items: words to ask.
        texts: to read neurons on, of all its languages, by code.
    """

    lexicon: Lexicon
    items: PairItems
    texts: dict[str, Text]


def measure_pair(measure: Measurements, found: Materials, settings: StudySettings) -> MeasuredPair:
    """Measure a pair whole, with the materials that :func:`materials` gathered for it.

    Raises:
        LinguabridgeError: texts or the model cannot be used; the message says how to mend it.
    """
    items = found.items
    grid = run_pair(measure, items, settings.bridge_words, exact=settings.exact)
    evidence = gather_evidence(measure, found, settings)
    scores = {way.name: _scores(way, evidence) for way in WAYS.values() if way.name in {*settings.ways, *ALWAYS}}
    hops = items.candidates if set(settings.ways) & HOPPING else ()
    return MeasuredPair(
        source=items.source.code,
        target=items.target.code,
        candidates=evidence.codes,
        arms=grid.arms,
        concepts=tuple(choice.entry.concept for choice in items.choices),
        words=tuple(choice.entry.source for choice in items.choices),
        ranks=grid.ranks,
        exact=grid.exact,
        as_direct=grid.as_direct.mean(axis=1),
        n_copied=items.n_copied,
        scores=scores,
        first_hop=_hops([(items.source, one) for one in hops], evidence, len(items.candidates)),
        second_hop=_hops([(one, items.target) for one in hops], evidence, len(items.candidates)),
    )


def _scores(way: Way, evidence: Evidence) -> tuple[float, ...]:
    """What a way gives each candidate; NaN for all where it cannot say anything of this pair (an empty set, say)."""
    try:
        return tuple(float(f"{value:.6g}") for value in way.score(evidence))  # as they are written, and read again
    except InputError:
        return (float("nan"),) * len(evidence.codes)


def materials(pair: Pair, settings: StudySettings, cache: Cache) -> Materials:
    """Gather the words and texts of a pair; cheap, and says what is missing before the work begins.

    Raises:
        InputError: too few words, or no text in one of the languages.
    """
    source, target = map(languages.parse, pair)
    lexicon = load_lexicon(
        settings.lexicon,
        directory=settings.lexicon_dir,
        source=source,
        target=target,
        cache_dir=cache.root / "lexicons",
    )
    candidates = [one for one in map(languages.parse, settings.candidates) if one not in (source, target)]
    everyone = sorted((source, target, *candidates), key=lambda one: one.code)
    texts = {one.code: load_text(None, one, settings.seed, lexicon, check_share=TEST_SHARE) for one in everyone}
    return Materials(lexicon, pair_items(lexicon, source, target, candidates, texts, settings), texts)


def gather_evidence(measure: Measurements, found: Materials, settings: StudySettings) -> Evidence:
    """What ways of choosing may look at: nothing that the pair is asked."""
    items = found.items
    pool = found.lexicon.pair(items.source, items.target).entries
    return Evidence(
        measure=measure,
        lexicon=found.lexicon,
        source=items.source,
        target=items.target,
        candidates=items.candidates,
        texts=found.texts,
        choices=make_choices(items.probes, pool, settings.seed),
        settings=Settings(tokens=settings.tokens, probes=settings.probes, seed=settings.seed),
        check_share=TEST_SHARE,
        asked=items.words,
    )


def _hops(hops: Sequence[tuple[Language, Language]], evidence: Evidence, candidates: int) -> NDArray[np.int64]:
    found = [evidence.hop(first, second) for first, second in hops]
    width = max((len(one) for one in found if one is not None), default=0)
    out = np.zeros((candidates, width), np.int64)
    for row, one in zip(out, found, strict=False):
        if one is not None:
            row[: len(one)] = one
    return out
