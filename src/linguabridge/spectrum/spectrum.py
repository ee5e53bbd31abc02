"""The linguistic spectrum of a model: the whole computation, from languages to matrices, a tree, a map and tests.

The steps, each in a file of its own: texts → activation statistics by block (``collect``) → overlap, Jaccard,
correlation and bootstrap samples (``similarity``) → CKA and HSIC on the same concepts (``parallel``) → controls (text
shuffled in ``collect``, token overlap) → tree → map → agreement with families and scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge import families
from linguabridge.cache import Cache, default_cache_dir
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.lexicons import load_cldr
from linguabridge.measure import Measurements
from linguabridge.model import DEFAULT_MODEL, LazyModel, ModelOptions, open_model
from linguabridge.neurons import NeuronSet
from linguabridge.profile import BlockedProfile, LanguageProfile, Profile
from linguabridge.progress import Reporter
from linguabridge.spectrum.distances import read_distances
from linguabridge.spectrum.kinship import curve, kinship, letters, same_language
from linguabridge.spectrum.neighbours import mutual, neighbours
from linguabridge.spectrum.parallel import cka, common_concepts, hsic
from linguabridge.spectrum.results import (
    CKA,
    CORRELATION,
    HSIC,
    JACCARD,
    OVERLAP,
    SHUFFLED,
    SHUFFLED_JACCARD,
    TOKENS,
    Measure,
    Spectrum,
)
from linguabridge.spectrum.scaling import place
from linguabridge.spectrum.settings import BLOCKS, FEWEST_BLOCKS, SpectrumSettings, asked_for, check_languages
from linguabridge.spectrum.similarity import (
    correlations,
    jaccard,
    overlaps,
    resampled_correlations,
    shared_counts,
    token_overlap,
)
from linguabridge.spectrum.support import Support, mutual_pairs, support
from linguabridge.spectrum.tree import cluster
from linguabridge.texts import Text, load_text
from linguabridge.words import listed

Array = NDArray[np.float64]


def spectrum(
    codes: Sequence[str] | None = None,
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    settings: SpectrumSettings | None = None,
    before: Callable[[Mapping[str, Any]], None] = lambda _: None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Spectrum:
    """Relate languages to each other in a model.

    Args:
        codes: languages, in any usual form; None for all that the built-in lexicon has enough names in.
        model: name of a model (embedded default, hub id, folder, GGUF file), or one from
            :func:`linguabridge.model.open_model`.
        options: how a model given by name is loaded; a model already opened has its own.
        settings: everything else.
        before: told what is asked for (:func:`linguabridge.spectrum.settings.asked_for`) once everything is there and
            before the work.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    settings = settings or SpectrumSettings()
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    cache.check_writable()
    wanted = lexicon_languages() if codes is None else check_languages(codes)
    texts, notes = _texts(wanted, settings, everything=codes is None)
    languages = tuple(one for one in wanted if one.code in texts)
    distances = {path.stem: read_distances(path, languages) for path in settings.distances}
    hashes = {path.stem: sha256(path.read_bytes()).hexdigest() for path in settings.distances}
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    before(asked_for([one.code for one in languages], lazy.files.name, plain(settings)))

    profiles = [_blocks(measure, texts[one.code], settings) for one in languages]
    whole = Profile({one.code: profile.whole for one, profile in zip(languages, profiles, strict=True)})
    tops = {one.code: whole.top(one.code, settings.top_rate) for one in languages}
    measures = _on_text(whole, tops)
    correlation = measures[-1].overall
    if np.isnan(correlation).any():
        raise InputError("A language's activation probabilities are all the same; read more text with --tokens.")
    sure = _support(profiles, settings, reporter)
    controls = [Measure(TOKENS, token_overlap(profiles))]
    tokens = [int(profile.tokens.sum()) for profile in profiles]
    widths = profiles[0].space.widths
    del profiles  # the largest of all that is held
    words, left_out = common_concepts(languages, most=settings.concepts, seed=settings.seed)
    if words:
        measures += _on_concepts(measure, languages, words, tops)
    if settings.shuffled:
        controls = [*_shuffled(measure, texts, languages, settings), *controls]
    paths = {one.code: families.family_path(one) for one in languages}
    scripts = {one.code: letters(one) for one in languages}
    if left_out:
        notes.append(_missing_concepts(left_out, everybody=not words))
    notes += [*_short(languages, tokens, settings), *_unknown(languages, paths), *_forms(languages)]
    points, shown = place(correlation)
    every = (*measures, *controls)
    with reporter.step("Comparing with families and scripts", 1) as advance:
        tests = kinship(languages, every, paths, scripts, distances, settings.seed)
        advance()
    return Spectrum(
        languages=languages,
        model=lazy.files.name,
        identity={
            **lazy.key,
            "revision": lazy.files.revision,
            "lexicon": load_cldr().fingerprint(),
            "distances": hashes,
        },
        settings=settings,
        profiled={
            one.code: (texts[one.code].source, texts[one.code].sha256, count)
            for one, count in zip(languages, tokens, strict=True)
        },
        families=paths,
        scripts=scripts,
        n_concepts=len(next(iter(words.values()))) if words else 0,
        widths=widths,
        measures=tuple(measures),
        controls=tuple(controls),
        tree=cluster([one.code for one in languages], 1 - correlation, sure.branches),
        points=points,
        shown=shown,
        neighbours=neighbours(languages, correlation, sure),
        mutual=mutual(languages, correlation, sure, paths, scripts),
        mutual_by_measure={
            one.name: tuple((languages[i].code, languages[j].code) for i, j in mutual_pairs(one.overall))
            for one in every
        },
        kinship=tests,
        curves=tuple(curve(one, languages, paths) for one in every if one.layers is not None),
        counts=shared_counts(list(tops.values())),
        notes=tuple(notes),
    )


def lexicon_languages() -> tuple[Language, ...]:
    """The languages that the built-in lexicon names things in, each once: no variants by region or script."""
    return tuple(one for one in load_cldr().languages() if "-" not in one.code)


def _texts(
    wanted: Sequence[Language], settings: SpectrumSettings, *, everything: bool
) -> tuple[dict[str, Text], list[str]]:
    """A text for each language; of all the lexicon's languages, those without one are left out, and said."""
    texts: dict[str, Text] = {}
    without: list[str] = []
    first = ""
    for one in wanted:
        try:
            texts[one.code] = load_text(settings.texts, one, settings.seed)
        except InputError as error:
            if not everything:
                raise
            without.append(one.name)
            first = first or str(error)
    if everything and len(texts) < 3:
        raise InputError(
            f"There is a text for fewer than 3 of the lexicon's languages; name the ones you have. {first}"
        )
    return texts, [f"Left out, for there is no text to read: {listed(without)}."] if without else []


def _blocks(
    measure: Measurements, text: Text, settings: SpectrumSettings, *, shuffle: int | None = None
) -> BlockedProfile:
    """Statistics of a text in blocks, enough of them to be resampled.

    Raises:
        InputError: the text has too few lines.
    """
    found = measure.blocks(text, max_tokens=settings.tokens, blocks=BLOCKS, shuffle=shuffle)
    if len(found.tokens) < FEWEST_BLOCKS:
        raise InputError(
            f"The text in {text.language.name} ({text.source}) has too few lines to tell how certain its place is "
            f"({len(found.tokens)} in the first {settings.tokens:,} tokens, {FEWEST_BLOCKS} are needed): put each "
            "sentence on a line of its own, add text, or raise --tokens."
        )
    return found


def _on_text(whole: Profile, tops: Mapping[str, NeuronSet]) -> list[Measure]:
    """Overlap, Jaccard and, last, correlation."""
    overlap, overlap_layers = overlaps(list(tops.values()))
    return [
        Measure(OVERLAP, overlap, overlap_layers),
        Measure(JACCARD, jaccard(overlap), jaccard(overlap_layers)),
        Measure(CORRELATION, *correlations(list(whole.languages.values()))),
    ]


def _shuffled(
    measure: Measurements, texts: Mapping[str, Text], languages: Sequence[Language], settings: SpectrumSettings
) -> list[Measure]:
    """The same on shuffled text; of each language, only the whole is kept."""
    found: dict[str, LanguageProfile] = {
        one.code: _blocks(measure, texts[one.code], settings, shuffle=settings.seed).whole for one in languages
    }
    whole = Profile(found)
    _, index, correlation = _on_text(whole, {code: whole.top(code, settings.top_rate) for code in found})
    return [
        Measure(SHUFFLED, correlation.overall, correlation.layers),
        Measure(SHUFFLED_JACCARD, index.overall, index.layers),
    ]


def _on_concepts(
    measure: Measurements,
    languages: Sequence[Language],
    words: Mapping[str, Sequence[str]],
    tops: Mapping[str, NeuronSet],
) -> list[Measure]:
    """CKA and HSIC on the same concepts; NaN for languages without words."""
    covered = [number for number, one in enumerate(languages) if one.code in words]
    names = [languages[number] for number in covered]
    kernels = [measure.linear_kernels(f"Reading words: {one.name}", words[one.code]) for one in names]
    rows = tops[names[0].code]
    for one in names[1:]:
        rows |= tops[one.code]
    values = {one.code: measure.probe_matrix(f"Shared neurons: {one.name}", words[one.code], rows) for one in names}
    with measure.reporter.step("Comparing shared neurons", 1) as advance:
        overall, layers = hsic(values, rows, {one.code: tops[one.code] for one in names})
        advance()
    aligned = cka(kernels)
    k = len(languages)

    def spread(matrix: Array) -> Array:
        out = np.full((*matrix.shape[:-2], k, k), np.nan)
        out[..., np.array(covered)[:, None], covered] = matrix
        return out

    return [
        Measure(CKA, spread(aligned.mean(axis=0)), spread(aligned)),
        Measure(HSIC, spread(overall), spread(layers)),
    ]


def _support(profiles: Sequence[BlockedProfile], settings: SpectrumSettings, reporter: Reporter) -> Support:
    with reporter.step("Resampling the text", settings.samples) as advance:

        def counted() -> Iterator[Array]:
            for one in resampled_correlations(profiles, samples=settings.samples, seed=settings.seed):
                yield one
                advance()

        return support(counted())


def _missing_concepts(left_out: Sequence[str], *, everybody: bool) -> str:
    if everybody:
        return (
            "Too few concepts are named in any three of these languages, so CKA and HSIC, which compare words for the "
            "same concepts, are missing."
        )
    return f"CKA and HSIC leave out {listed(list(left_out))}: too few concepts are named in so many languages."


def _short(languages: Sequence[Language], tokens: Sequence[int], settings: SpectrumSettings) -> list[str]:
    """Languages with less text than the others: their probabilities are less certain."""
    short = [
        f"{one.name} ({count:,} tokens)"
        for one, count in zip(languages, tokens, strict=True)
        if count < settings.tokens / 2
    ]
    return [f"Much less text than asked for: {listed(short)}; similarities of these are less certain."] if short else []


def _unknown(languages: Sequence[Language], paths: Mapping[str, tuple[str, ...]]) -> list[str]:
    names = [one.name for one in languages if not paths[one.code]]
    return [f"No family is known for {listed(names)}; comparisons with families leave them out."] if names else []


def _forms(languages: Sequence[Language]) -> list[str]:
    """Forms of one language, which are no evidence of kinship."""
    forms = same_language(languages)
    names = [one.name for one, row in zip(languages, forms, strict=True) if row.sum() > 1]
    return [f"Tests of kinship do not compare forms of one language with each other: {listed(names)}."] if names else []
