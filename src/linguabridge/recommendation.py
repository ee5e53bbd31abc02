"""Recommend a bridge language: the whole method, from a pair of languages to a ranking and a check.

The steps, each in a file of its own: lexicon and split → texts → activation statistics → top sets → understood probes →
probe matrix → ranking by neurons → choice → check.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from linguabridge import languages
from linguabridge.cache import Cache, default_cache_dir, versions
from linguabridge.check import HELPS, Arm, Check, run_check
from linguabridge.choices import make_choices
from linguabridge.choosing.choice import Chosen, choose
from linguabridge.choosing.evidence import Evidence
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.lexicons import Entry, Lexicon, PairEntries, Split, load_lexicon, normalise_word, split
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.neuron_ranking import Sets, probe_neurons, rank_by_neurons, window
from linguabridge.progress import Reporter
from linguabridge.ranking import Ranking
from linguabridge.settings import (
    CHAINED_BRIDGES,
    DICTIONARY,
    FALLBACK,
    FEWEST_CHECK,
    FEWEST_PROBES,
    FIXED,
    Settings,
    check_pair,
)
from linguabridge.texts import Text, load_text, unread, without, words_read
from linguabridge.understood import Probes


@dataclass(frozen=True)
class Recommendation:
    """The answer, with everything it rests on.

    Attributes:
        source: language of the input.
        target: language of the output.
        candidates: languages to choose from.
        model: what the user called it.
        identity: hashes of the model's files, its revision, device, dtype, and the lexicon's hash.
        settings: everything asked for.
        pair: what the lexicon offers.
        tokens_per_word: mean number of tokens of the lexicon's words in source and target.
        profiled: for each language the source of the text, its SHA-256, and the number of tokens read.
        probes: entries that probe the neurons.
        sets: sizes of the neuron sets.
        ranking: of the candidates by their neurons, the best first.
        chosen: the candidates in the order of the way of choosing.
        similarity: correlation of each candidate's activation probabilities with source and with target.
        check: whether it helps; None with ``check=0``.
        n_seen: check entries with a word that occurs within a longer line of the text that neurons were read on.
        notes: what else should be known, a sentence each.
    """

    source: Language
    target: Language
    candidates: tuple[Language, ...]
    model: str
    identity: dict[str, Any]
    settings: Settings
    pair: PairEntries
    tokens_per_word: tuple[float, float]
    profiled: dict[str, tuple[str, str, int]]
    probes: Probes
    sets: Sets
    ranking: Ranking
    chosen: Chosen
    similarity: dict[str, tuple[float, float]]
    check: Check | None
    n_seen: int
    notes: tuple[str, ...]

    def language(self, code: str) -> Language:
        """The source, target or candidate with a code.

        Args:
            code: canonical, such as ``sw``.

        Returns:
            The language.

        Raises:
            StopIteration: none has it.
        """
        return next(one for one in (self.source, self.target, *self.candidates) if one.code == code)

    @property
    def bridge(self) -> Language | None:
        """The bridge chosen; None where the way of choosing says nothing of any candidate."""
        return self.language(self.chosen.first) if self.chosen.first else None

    @property
    def route(self) -> Arm | None:
        """What to do: of the check's ways that are shown to help the one that gains most, else direct.

        None without a check.
        """
        if self.check is None:
            return None
        helping = [(arm.fair.mrr.value, arm) for arm in self.check.arms[1:] if arm.fair and arm.effect == HELPS]
        return max(helping, key=lambda one: one[0])[1] if helping else self.check.arm(None)

    def summary(self) -> str:
        """The answer in words."""
        from linguabridge.words import summary

        return summary(self)

    def tables(self) -> dict[str, Any]:
        """Candidates, layers, arms and items of the check, as Arrow tables (docs/export.md has the columns)."""
        from linguabridge.export.frames import recommendation_tables

        return recommendation_tables(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        from linguabridge.words import summary

        body = {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "pair"}
        pair = {f.name: plain(getattr(self.pair, f.name)) for f in dataclasses.fields(self.pair) if f.name != "entries"}
        route = self.route
        return {
            "bridge": self.bridge.code if self.bridge else None,
            "route": None if route is None else list(route.bridges),
            "summary": summary(self),
            **body,
            "pair": {**pair, "n_usable": len(self.pair.entries)},
            "versions": versions(),
        }


def recommend(
    source: str,
    target: str,
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    settings: Settings | None = None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Recommendation:
    """Recommend a bridge language for a pair, in a model.

    Args:
        source: language of the input, in any usual form.
        target: language of the output.
        model: name of a model (embedded default, hub id, folder, GGUF file), or one from
            :func:`linguabridge.lazy_model.open_model`.
        options: how a model given by name is loaded: device, dtype, taps; a model already opened has its own.
        settings: everything else.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        What to do, by what the bridge was chosen, the ranking by neurons, and the check on held-out words. The idea is
        Xu et al.'s (EMNLP 2025); docs/method.md has the formulas and our departures.

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    settings = settings or Settings()
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    s, t, candidates = check_pair(source, target, settings)
    cache.check_writable()
    found = materials(s, t, candidates, settings, cache)
    lexicon, pair, texts, drawn, notes = found.lexicon, found.pair, found.texts, found.drawn, found.notes
    candidates = found.candidates
    choices = make_choices(drawn.probes, pair.entries, settings.seed)
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    if lazy.n_layers is not None:
        window(lazy.n_layers, settings)  # before the work, not after it
    neurons = probe_neurons(measure, s, t, candidates, texts, choices, settings)
    profile, ranking = neurons.profile, rank_by_neurons(neurons, settings, cache)
    similarity = {
        c.code: (profile.correlation(c.code, s.code), profile.correlation(c.code, t.code)) for c in candidates
    }
    if not all(isfinite(value) for both in similarity.values() for value in both):
        raise InputError("A language's activation probabilities are all the same; read more text with --tokens.")
    evidence = Evidence(
        measure=measure,
        lexicon=lexicon,
        source=s,
        target=t,
        candidates=candidates,
        texts=texts,
        choices=choices,
        settings=settings,
    )
    chosen = choose(evidence, settings.way_in_force)
    if chosen.first is None and settings.choose_by is None:
        # Languages that the default way knows nothing of: what everybody tries is better than nothing.
        chosen = choose(evidence, FALLBACK)
    check = _check(measure, s, t, chosen.first, drawn, pair, lexicon, settings)
    return Recommendation(
        source=s,
        target=t,
        candidates=candidates,
        model=lazy.files.name,
        identity={**lazy.key, "revision": lazy.files.revision, "lexicon": lexicon.fingerprint()},
        settings=settings,
        pair=pair,
        tokens_per_word=(
            float(measure.token_counts(f"Words of {s.name}", [entry.source for entry in pair.entries]).mean()),
            float(measure.token_counts(f"Words of {t.name}", [entry.targets[0] for entry in pair.entries]).mean()),
        ),
        profiled={code: (text.source, text.sha256, profile.languages[code].tokens) for code, text in texts.items()},
        probes=neurons.probes,
        sets=neurons.sets,
        ranking=ranking,
        chosen=chosen,
        similarity=similarity,
        check=check,
        n_seen=_seen_within_lines(drawn.check, texts, s, t, settings),
        notes=notes,
    )


@dataclass(frozen=True)
class Materials:
    """What a ranking is made from, before a model is asked.

    Attributes:
        lexicon: of the words.
        pair: its entries.
        texts: to read neurons on, by the language's code.
        candidates: those that have a text.
        drawn: probes, and words for the check.
        notes: what should be known, a sentence each.
    """

    lexicon: Lexicon
    pair: PairEntries
    texts: dict[str, Text]
    candidates: tuple[Language, ...]
    drawn: Split
    notes: tuple[str, ...]


def materials(
    source: Language, target: Language, candidates: Sequence[Language], settings: Settings, cache: Cache
) -> Materials:
    """Gather words and texts; cheap, and says what is missing before the work begins.

    Raises:
        InputError: there are too few words for the pair, or no text in one of its languages.
    """
    lexicon = load_lexicon(
        settings.lexicon,
        directory=settings.lexicon_dir,
        source=source,
        target=target,
        cache_dir=cache.root / "lexicons",
    )
    pair = lexicon.pair(source, target)
    texts, kept, notes = _texts(source, target, candidates, lexicon, settings)
    drawn = _draw(pair, texts, settings)
    # What is checked has not been read: of a small lexicon the text loses these words, not the check.
    held = {normalise_word(word) for entry in drawn.check for word in (entry.source, *entry.targets)}
    texts |= {one.code: without(texts[one.code], held) for one in (source, target)}
    return Materials(lexicon, pair, texts, kept, drawn, notes)


def _texts(
    source: Language, target: Language, candidates: Sequence[Language], lexicon: Lexicon, settings: Settings
) -> tuple[dict[str, Text], tuple[Language, ...], tuple[str, ...]]:
    """A text for each language; default candidates without one are left out, and said."""
    texts = {one.code: load_text(settings.texts, one, settings.seed, lexicon) for one in (source, target)}
    kept: list[Language] = []
    notes: list[str] = []
    for one in candidates:
        try:
            texts[one.code] = load_text(settings.texts, one, settings.seed, lexicon)
            kept.append(one)
        except InputError as error:
            if settings.candidates is not None:
                raise
            notes.append(f"{one.name} is left out as a candidate: {error}")
    if not kept:
        raise InputError("There is a text for none of the candidates; give one for each with --texts.")
    return texts, tuple(kept), tuple(notes)


def _draw(pair: PairEntries, texts: Mapping[str, Text], settings: Settings) -> Split:
    """Probes and check entries; where there are enough without, no check word is a line of a word list that is read."""
    drawn = split(pair, probes=settings.probes, check=len(pair.entries), seed=settings.seed)
    check = unread(drawn.check, (texts[code] for code in (pair.source.code, pair.target.code)))
    if len(check) < settings.check:
        check = list(drawn.check)
    check = check[: settings.check]
    wanting = "lower --probes, add entries, choose another --lexicon, or"
    if len(drawn.probes) < FEWEST_PROBES:
        raise InputError(
            f"{pair.lexicon} has only {len(drawn.probes)} words to probe with for {pair.source.name} to "
            f"{pair.target.name}, and {FEWEST_PROBES} are needed: {wanting} another pair. {pair.describe()}"
        )
    if settings.check and len(check) < FEWEST_CHECK:
        raise InputError(
            f"{pair.lexicon} has only {len(check)} words left to check with for {pair.source.name} to "
            f"{pair.target.name}, and {FEWEST_CHECK} are needed: {wanting} --no-check. {pair.describe()}"
        )
    return Split(drawn.probes, tuple(check))


def _seen_within_lines(
    check: Sequence[Entry], texts: Mapping[str, Text], source: Language, target: Language, settings: Settings
) -> int:
    """Number of check entries with a word among the words of the lines that were, at most, profiled."""
    pairs = [(normalise_word(entry.source), {normalise_word(word) for word in entry.targets}) for entry in check]
    in_source = words_read({word for word, _ in pairs}, texts[source.code], settings.tokens)
    in_target = words_read({word for _, words in pairs for word in words}, texts[target.code], settings.tokens)
    return sum(word in in_source or not words.isdisjoint(in_target) for word, words in pairs)


def _check(
    measure: Measurements,
    source: Language,
    target: Language,
    first: str | None,
    drawn: Split,
    pair: PairEntries,
    lexicon: Lexicon,
    settings: Settings,
) -> Check | None:
    if not settings.check:
        return None
    pair_codes = (source.code, target.code)
    chain = tuple(code for code in FIXED if code not in pair_codes)[:CHAINED_BRIDGES]
    # The fixed bridge, English or the next, is what everybody would take.
    codes = dict.fromkeys(way for way in (chain[:1], (first,) if first else (), chain) if way)
    ways = [tuple(map(languages.parse, way)) for way in codes]
    glosses: dict[str, dict[str, Sequence[str]]] = {}
    for bridge in {one for way in ways for one in way}:
        try:
            entries = lexicon.pair(source, bridge, keep_identical=True, keep_multiword=True).entries
            glosses[bridge.code] = {normalise_word(entry.source): entry.targets for entry in entries}
        except InputError:
            glosses[bridge.code] = {}  # the lexicon cannot judge this hop
    if settings.bridge_words == DICTIONARY:
        ways = [way for way in ways if all(glosses[one.code] for one in way)]
        if not ways:
            raise InputError(
                f"{lexicon.name} has no words from {source.name} into a bridge, so --bridge-words dictionary cannot be "
                "checked: add columns for bridges to the word list, or leave the option out."
            )
    choices = make_choices(drawn.check, pair.entries, settings.seed)
    return run_check(
        measure,
        source,
        target,
        ways,
        choices,
        glosses=glosses,
        bridge_words=settings.bridge_words,
        reference=settings.reference,
        seed=settings.seed,
    )
