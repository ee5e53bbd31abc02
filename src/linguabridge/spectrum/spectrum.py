"""The linguistic spectrum of a model: the whole computation, from languages to matrices, a tree, a map and tests.

The steps, each in a file of its own: texts → activation statistics by block (``collect``) → overlap, Jaccard,
correlation and bootstrap samples (``similarity``) → CKA and HSIC on the same concepts (``parallel``) → controls (text
shuffled in ``collect``, token overlap) → tree → map → agreement with families and scripts. What takes time is kept
(``kept``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from linguabridge import families
from linguabridge.cache import Cache, default_cache_dir
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.lexicons import load_cldr
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.progress import Reporter
from linguabridge.spectrum.distances import distances_content, distances_of
from linguabridge.spectrum.kept import agreement, on_concepts, on_shuffled_text, on_text
from linguabridge.spectrum.kinship import letters, same_language
from linguabridge.spectrum.neighbours import mutual, neighbours
from linguabridge.spectrum.parallel import common_concepts
from linguabridge.spectrum.results import TOKENS, Measure, Spectrum
from linguabridge.spectrum.scaling import place
from linguabridge.spectrum.settings import SpectrumSettings, asked_for, check_languages
from linguabridge.spectrum.similarity import shared_counts
from linguabridge.spectrum.support import mutual_pairs
from linguabridge.texts import Text, load_text
from linguabridge.words import listed


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
            :func:`linguabridge.lazy_model.open_model`.
        options: how a model given by name is loaded; a model already opened has its own.
        settings: everything else.
        before: told what is asked for (:func:`linguabridge.spectrum.settings.asked_for`) once everything is there and
            before the work.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        Matrices of shape (languages, languages) by each measure, overall and in each layer, with tree, map, neighbours
        and tests (docs/spectrum.md has units and sources).

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
    contents = {path: distances_content(path) for path in settings.distances}
    distances = {path.stem: distances_of(content, path, languages) for path, content in contents.items()}
    hashes = {path.stem: sha256(content).hexdigest() for path, content in contents.items()}
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    before(asked_for([one.code for one in languages], lazy.files.name, plain(settings)))

    text = on_text(measure, texts, languages, settings)
    measures, tokens = list(text.measures), text.tokens
    correlation = measures[-1].overall
    controls = [Measure(TOKENS, text.token_overlap)]
    words, left_out = common_concepts(languages, most=settings.concepts, seed=settings.seed)
    if words:
        measures += on_concepts(measure, languages, words, text.tops)
    if settings.shuffled:
        controls = [*on_shuffled_text(measure, texts, languages, settings), *controls]
    paths = {one.code: families.family_path(one) for one in languages}
    scripts = {one.code: letters(one) for one in languages}
    if left_out:
        notes.append(_missing_concepts(left_out, everybody=not words))
    notes += [*_short(languages, tokens, settings), *_unknown(languages, paths), *_forms(languages)]
    points, shown = place(correlation)
    every = (*measures, *controls)
    tests, curves = agreement(measure, languages, every, paths, scripts, distances, settings.seed)
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
        widths=text.space.widths,
        measures=tuple(measures),
        controls=tuple(controls),
        tree=text.tree,
        points=points,
        shown=shown,
        neighbours=neighbours(languages, correlation, text.support),
        mutual=mutual(languages, correlation, text.support, paths, scripts),
        mutual_by_measure={
            one.name: tuple((languages[i].code, languages[j].code) for i, j in mutual_pairs(one.overall))
            for one in every
        },
        kinship=tests,
        curves=curves,
        counts=shared_counts(list(text.tops.values())),
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
