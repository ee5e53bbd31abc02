"""Recommend a bridge language: the whole method, from a pair of languages to a ranking and a check.

The steps, each in a file of its own: lexicon and split → texts → activation statistics → top sets → understood probes →
probe matrix → ranking → check.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linguabridge import languages
from linguabridge.cache import Cache, default_cache_dir, versions
from linguabridge.check import Check, run_check
from linguabridge.choices import make_choices
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.lexicons import Entry, Lexicon, PairEntries, Split, load_lexicon, normalise_word, split
from linguabridge.measure import Measurements
from linguabridge.model import DEFAULT_MODEL, LazyModel, ModelOptions, open_model
from linguabridge.neurons import NeuronSet, anchored, overlap
from linguabridge.profile import TOP_RATE, Profile
from linguabridge.progress import Reporter
from linguabridge.ranking import Ranking, default_window, rank_candidates
from linguabridge.settings import (
    BRIDGE_SETS,
    ENOUGH_NEURONS,
    FEWEST_CHECK,
    FEWEST_PROBES,
    HUB,
    TOP_RATES,
    Settings,
    check_pair,
)
from linguabridge.texts import Text, lines_read, load_text
from linguabridge.understood import Probes, understood_probes


@dataclass(frozen=True)
class Sets:
    """Sizes of the neuron sets.

    Attributes:
        rate: top rate in force.
        raised: whether it rose from its default because candidates had too few neurons.
        top: neurons in each language's top set.
        overlap: in O(s, t), over all layers.
        overlap_in_window: of those, in the layers compared.
        anchored: in the anchored part of the overlap, within the window.
        thin: candidates with fewer than 30 bridge neurons in the window.
    """

    rate: float
    raised: bool
    top: dict[str, int]
    overlap: int
    overlap_in_window: int
    anchored: int
    thin: tuple[str, ...]


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
        ranking: of the candidates, the best first.
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
    similarity: dict[str, tuple[float, float]]
    check: Check | None
    n_seen: int
    notes: tuple[str, ...]

    def language(self, code: str) -> Language:
        """The source, target or candidate with this code."""
        return next(one for one in (self.source, self.target, *self.candidates) if one.code == code)

    @property
    def bridge(self) -> Language | None:
        """The bridge that stands out, or None; none does where the model understands too few words to probe it with."""
        winner = self.ranking.winner
        return self.language(winner.code) if winner and not self.probes.fell_back else None

    def summary(self) -> str:
        """The answer in words."""
        from linguabridge.words import summary

        return summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        from linguabridge.words import summary

        body = {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "pair"}
        pair = {f.name: plain(getattr(self.pair, f.name)) for f in dataclasses.fields(self.pair) if f.name != "entries"}
        bridge = self.bridge.code if self.bridge else None
        return {
            "bridge": bridge,
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
            :func:`linguabridge.model.open_model`.
        options: how a model given by name is loaded: device, dtype, taps; a model already opened has its own.
        settings: everything else.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

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
        _window(lazy.n_layers, settings)  # before the work, not after it

    profile = Profile(
        {
            code: measure.profile(text, max_tokens=settings.tokens, count_special=settings.reference)
            for code, text in texts.items()
        }
    )
    window = _window(next(iter(profile.languages.values())).space.n_layers, settings)
    probes = understood_probes(measure, s, t, choices, reference=settings.reference)
    rate, top, shared, bridges = _sets(profile, s, t, candidates, window, settings)
    everything = shared
    for one in bridges.values():
        everything |= one
    everything = everything.within(window)
    values = measure.probe_matrix("Probing neurons", probes.prompts, everything, count_special=settings.reference)
    in_window = shared.within(window)
    active = (values[np.searchsorted(everything.flat, in_window.flat)] > 0).mean(axis=1)
    fixed = anchored(in_window, active)
    ranking = rank_candidates(
        values,
        everything,
        fixed if settings.shared_set == "anchored" else shared,
        bridges,
        window,
        estimator=settings.estimator_in_force,
        empty_layers_count=settings.reference,
        seed=settings.seed,
    )
    sets = Sets(
        rate=rate,
        raised=settings.top_rate is None and not settings.reference and rate > TOP_RATE,
        top={code: len(one) for code, one in top.items()},
        overlap=len(shared),
        overlap_in_window=len(in_window),
        anchored=len(fixed),
        thin=tuple(c.code for c in candidates if len(bridges[c.code].within(window)) < ENOUGH_NEURONS),
    )
    similarity = {
        c.code: (profile.correlation(c.code, s.code), profile.correlation(c.code, t.code)) for c in candidates
    }
    check = _check(measure, s, t, ranking.candidates[0].code, drawn, pair, lexicon, settings)
    return Recommendation(
        source=s,
        target=t,
        candidates=candidates,
        model=lazy.files.name,
        identity={**lazy.key, "revision": lazy.files.revision, "lexicon": lexicon.fingerprint()},
        settings=settings,
        pair=pair,
        tokens_per_word=(
            measure.tokens_per_word(f"Words of {s.name}", [entry.source for entry in pair.entries]),
            measure.tokens_per_word(f"Words of {t.name}", [entry.targets[0] for entry in pair.entries]),
        ),
        profiled={code: (text.source, text.sha256, profile.languages[code].tokens) for code, text in texts.items()},
        probes=probes,
        sets=sets,
        ranking=ranking,
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
    return Materials(lexicon, pair, texts, kept, _draw(pair, texts, settings), notes)


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
    """Probes and check entries; no check word is a line of the texts that were profiled."""
    seen = {
        normalise_word(line)
        for code in (pair.source.code, pair.target.code)
        for line in texts[code].lines()
        if texts[code].words
    }
    drawn = split(pair, probes=settings.probes, check=len(pair.entries), seed=settings.seed)
    check = [
        entry
        for entry in drawn.check
        if not seen & {normalise_word(entry.source), *(normalise_word(word) for word in entry.targets)}
    ][: settings.check]
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
    seen: dict[str, set[str]] = {}
    for code in (source.code, target.code):
        words = seen.setdefault(code, set())
        for line in lines_read(texts[code], settings.tokens):
            words.update(map(normalise_word, line.split()))
    return sum(
        normalise_word(entry.source) in seen[source.code]
        or any(normalise_word(word) in seen[target.code] for word in entry.targets)
        for entry in check
    )


def _window(n_layers: int, settings: Settings) -> range:
    if settings.layers is None:
        return default_window(n_layers)
    first, last = settings.layers
    if not 0 <= first <= last < n_layers:
        raise InputError(
            f"--layers {first}-{last}: the model's layers are 0 to {n_layers - 1}, the first not after the last."
        )
    return range(first, last + 1)


def _sets(
    profile: Profile,
    source: Language,
    target: Language,
    candidates: Sequence[Language],
    window: range,
    settings: Settings,
) -> tuple[float, dict[str, NeuronSet], NeuronSet, dict[str, NeuronSet]]:
    """Top rate, and at that rate each language's top set, the shared set, and each candidate's bridge set."""
    rates: tuple[float, ...] = TOP_RATES
    if settings.top_rate is not None:
        rates = (settings.top_rate,)
    elif settings.reference:
        rates = (TOP_RATE,)
    for rate in rates:
        top = {code: profile.top(code, rate, keep_ties=settings.reference) for code in profile.languages}
        shared = overlap(top[source.code], top[target.code])
        make = BRIDGE_SETS[settings.bridge_set]
        bridges = {c.code: make(top[c.code], top[source.code], top[target.code]) for c in candidates}
        if all(len(one.within(window)) >= ENOUGH_NEURONS for one in bridges.values()):
            break
    return rate, top, shared, bridges


def _check(
    measure: Measurements,
    source: Language,
    target: Language,
    first: str,
    drawn: Split,
    pair: PairEntries,
    lexicon: Lexicon,
    settings: Settings,
) -> Check | None:
    if not settings.check:
        return None
    hub = [HUB] if HUB not in (source.code, target.code) else []
    bridges = [languages.parse(code) for code in dict.fromkeys([*hub, first])]
    gold: dict[str, dict[str, Sequence[str]]] = {}
    for bridge in bridges:
        try:
            entries = lexicon.pair(source, bridge, keep_identical=True, keep_multiword=True).entries
            gold[bridge.code] = {normalise_word(entry.source): entry.targets for entry in entries}
        except InputError:
            gold[bridge.code] = {}  # the lexicon cannot judge this hop; nothing else depends on it
    choices = make_choices(drawn.check, pair.entries, settings.seed)
    return run_check(
        measure,
        source,
        target,
        bridges,
        choices,
        bridge_gold=gold,
        reference=settings.reference,
        seed=settings.seed,
    )
