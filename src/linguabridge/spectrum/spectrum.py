"""The linguistic spectrum of a model: the whole computation, from languages to matrices, a tree, a map and tests.

The steps, each in a file of its own: texts → activation statistics by block (``collect``) → overlap, Jaccard,
correlation and bootstrap samples (``similarity``) → CKA and HSIC on the same concepts (``parallel``) → controls (text
shuffled in ``collect``, token overlap) → tree → map → agreement with families and scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge import families
from linguabridge.cache import Cache, default_cache_dir
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.languages import Language, script
from linguabridge.lexicons import load_cldr
from linguabridge.measure import Measurements
from linguabridge.model import DEFAULT_MODEL, LazyModel, ModelOptions, open_model
from linguabridge.neurons import NeuronSet
from linguabridge.profile import BlockedProfile, Profile
from linguabridge.progress import Reporter
from linguabridge.spectrum.agreement import mantel, nearest_share, read_distances, separation
from linguabridge.spectrum.parallel import FEWEST_CONCEPTS, cka, common_concepts, hsic
from linguabridge.spectrum.results import (
    CKA,
    CORRELATION,
    HSIC,
    JACCARD,
    OVERLAP,
    SHUFFLED,
    TOKENS,
    KinshipTest,
    LayerCurve,
    Measure,
    MutualPair,
    Neighbour,
    Spectrum,
)
from linguabridge.spectrum.settings import BLOCKS, SpectrumSettings, check_languages
from linguabridge.spectrum.similarity import (
    correlations,
    jaccard,
    overlaps,
    resampled_correlations,
    shared_counts,
    token_overlap,
)
from linguabridge.spectrum.tree import cluster
from linguabridge.texts import Text, load_text
from linguabridge.words import listed

NEIGHBOURS = 3  # shown for each language
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
        before: told what is asked for (:func:`asked_for`), once everything is known to be there and before the work.
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
    distances = {path: read_distances(path, languages) for path in settings.distances}
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    before(asked_for([one.code for one in languages], lazy.files.name, plain(settings)))

    profiles = [measure.blocks(texts[one.code], max_tokens=settings.tokens, blocks=BLOCKS) for one in languages]
    whole = Profile({one.code: profile.whole for one, profile in zip(languages, profiles, strict=True)})
    tops = {one.code: whole.top(one.code, settings.top_rate) for one in languages}
    overlap, overlap_layers = overlaps(list(tops.values()))
    correlation, correlation_layers = correlations(profiles)
    if np.isnan(correlation).any():
        raise InputError("A language's activation probabilities are all the same; read more text with --tokens.")
    measures = [
        Measure(OVERLAP, overlap, overlap_layers),
        Measure(JACCARD, jaccard(overlap), jaccard(overlap_layers)),
        Measure(CORRELATION, correlation, correlation_layers),
    ]
    words, left_out = common_concepts(languages, most=settings.concepts, seed=settings.seed)
    if words:
        measures += _on_concepts(measure, languages, words, tops)
    if left_out:
        notes.append(_missing_concepts(left_out, everybody=not words))
    controls = [Measure(TOKENS, token_overlap(profiles))]
    if settings.shuffled:
        shuffled = [
            measure.blocks(texts[one.code], max_tokens=settings.tokens, blocks=BLOCKS, shuffle=settings.seed)
            for one in languages
        ]
        controls.insert(0, Measure(SHUFFLED, *correlations(shuffled)))
    samples = _samples(profiles, settings, reporter)
    paths = {one.code: families.family_path(one) for one in languages}
    scripts = {one.code: letters(one) for one in languages}
    notes += _short(languages, profiles, settings)
    notes += _unknown(languages, paths)
    points, shown = place(correlation)
    every = (*measures, *controls)
    with reporter.step("Comparing with families and scripts", 1) as advance:
        kinship = _kinship(languages, every, paths, scripts, distances, settings.seed)
        advance()
    return Spectrum(
        languages=languages,
        model=lazy.files.name,
        identity={**lazy.key, "revision": lazy.files.revision, "lexicon": load_cldr().fingerprint()},
        settings=settings,
        profiled={
            one.code: (texts[one.code].source, texts[one.code].sha256, int(profile.tokens.sum()))
            for one, profile in zip(languages, profiles, strict=True)
        },
        families=paths,
        scripts=scripts,
        n_concepts=len(next(iter(words.values()))) if words else 0,
        widths=profiles[0].space.widths,
        measures=tuple(measures),
        controls=tuple(controls),
        tree=cluster([one.code for one in languages], 1 - correlation, [1 - one for one in samples]),
        points=points,
        shown=shown,
        neighbours=_neighbours(languages, correlation, samples),
        mutual=_mutual(languages, correlation, samples, paths, scripts),
        mutual_by_measure={
            one.name: tuple((languages[i].code, languages[j].code) for i, j in mutual_nearest(one.overall))
            for one in every
        },
        kinship=kinship,
        curves=tuple(_curve(one, paths, languages) for one in every if one.layers is not None),
        counts=shared_counts(list(tops.values())),
        notes=tuple(notes),
    )


def asked_for(codes: Sequence[str], model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two spectra the same: languages, model and settings, as JSON holds them."""
    return {"languages": list(codes), "model": model, **settings}


def lexicon_languages() -> tuple[Language, ...]:
    """The languages that the built-in lexicon names things in, regional variants (``en-GB``) left out."""
    return tuple(
        one
        for one in load_cldr().languages()
        if not any(len(part) == 2 or part.isdigit() for part in one.code.split("-")[1:])
    )


def letters(language: Language) -> str:
    """Script of a language, as far as languages share it: Japanese is written with Chinese characters, too."""
    own = script(language)
    return "Hani" if own in ("Hans", "Hant", "Jpan") else own


def place(correlation: Array) -> tuple[Array, float]:
    """Classical scaling (Torgerson, 1952) of languages in two dimensions.

    The distance between two languages is sqrt(2 − 2r): that of their standardised activation probabilities, so that it
    is Euclidean, and scaling is exact up to the dimensions left out.

    Args:
        correlation: of activation probabilities, shape (K, K).

    Returns:
        Points of shape (K, 2), and the share of all squared distances from the centre that they show, 0 to 1.
    """
    centred = correlation - correlation.mean(axis=0) - correlation.mean(axis=1)[:, None] + correlation.mean()
    values, vectors = np.linalg.eigh(centred)
    values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
    # An axis has no direction of its own: the point farthest out lies on the positive side.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
    points = vectors[:, :2] * signs[:2] * np.sqrt(values[:2])
    return points, float(values[:2].sum() / values.sum()) if values.sum() > 0 else 0.0


def _texts(
    wanted: Sequence[Language], settings: SpectrumSettings, *, everything: bool
) -> tuple[dict[str, Text], list[str]]:
    """A text for each language; of all the lexicon's languages, those without one are left out, and said."""
    texts: dict[str, Text] = {}
    without = []
    for one in wanted:
        try:
            texts[one.code] = load_text(settings.texts, one, settings.seed)
        except InputError:
            if not everything:
                raise
            without.append(one.name)
    if everything and len(texts) < 3:
        raise InputError("There is a text for fewer than 3 of the lexicon's languages; name the languages you have.")
    return texts, [f"Left out for want of text: {listed(without)}."] if without else []


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


def _samples(profiles: Sequence[BlockedProfile], settings: SpectrumSettings, reporter: Reporter) -> list[Array]:
    found = []
    with reporter.step("Resampling the text", settings.samples) as advance:
        for one in resampled_correlations(profiles, samples=settings.samples, seed=settings.seed):
            found.append(one)
            advance()
    return found


def _nearest(similarity: Array) -> NDArray[np.int64]:
    """Number of each language's nearest neighbour, shape (K,); its own where nothing is defined."""
    known = np.where((np.eye(len(similarity)) > 0) | np.isnan(similarity), -np.inf, similarity)
    return np.asarray(np.where(np.isinf(known).all(axis=1), np.arange(len(known)), known.argmax(axis=1)))


def mutual_nearest(similarity: Array) -> list[tuple[int, int]]:
    """Pairs of languages each of which is the other's nearest neighbour, the most alike first."""
    nearest = _nearest(similarity)
    pairs = [(i, int(j)) for i, j in enumerate(nearest) if i < j and nearest[j] == i]
    return sorted(pairs, key=lambda pair: -float(similarity[pair]))


def _neighbours(
    languages: Sequence[Language], correlation: Array, samples: Sequence[Array]
) -> dict[str, tuple[Neighbour, ...]]:
    nearest = np.stack([_nearest(one) for one in samples])
    found = {}
    for number, one in enumerate(languages):
        order = [int(i) for i in np.argsort(-correlation[number], kind="stable") if i != number][:NEIGHBOURS]
        found[one.code] = tuple(
            Neighbour(languages[i].code, float(correlation[number, i]), float((nearest[:, number] == i).mean()))
            for i in order
        )
    return found


def _mutual(
    languages: Sequence[Language],
    correlation: Array,
    samples: Sequence[Array],
    paths: Mapping[str, tuple[str, ...]],
    scripts: Mapping[str, str],
) -> tuple[MutualPair, ...]:
    resampled = np.stack([_nearest(one) for one in samples])
    return tuple(
        MutualPair(
            first=languages[i].code,
            second=languages[j].code,
            similarity=float(correlation[i, j]),
            kin=families.are_kin(paths[languages[i].code], paths[languages[j].code]),
            same_script=share_script(scripts[languages[i].code], scripts[languages[j].code]),
            support=float(((resampled[:, i] == j) & (resampled[:, j] == i)).mean()),
        )
        for i, j in mutual_nearest(correlation)
    )


def share_script(first: str, second: str) -> bool:
    """Whether two scripts are one; an unknown one (Zzzz) is not."""
    return first == second != "Zzzz"


def _curve(measure: Measure, paths: Mapping[str, tuple[str, ...]], languages: Sequence[Language]) -> LayerCurve:
    assert measure.layers is not None
    k = len(languages)
    upper = np.triu(np.ones((k, k), dtype=bool), 1)
    known = np.array([bool(paths[one.code]) for one in languages])
    upper &= known[:, None] & known[None, :]
    kin = np.array([[families.are_kin(paths[a.code], paths[b.code]) is True for b in languages] for a in languages])

    def mean(layer: Array, which: NDArray[np.bool_]) -> float | None:
        values = layer[upper & which]
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else None

    blanked = [np.where(upper | upper.T, layer, np.nan) for layer in measure.layers]
    return LayerCurve(
        measure=measure.name,
        within=tuple(mean(layer, kin) for layer in measure.layers),
        between=tuple(mean(layer, ~kin) for layer in measure.layers),
        separation=tuple(separation(layer, kin) for layer in blanked),
    )


def _kinship(
    languages: Sequence[Language],
    measures: Sequence[Measure],
    paths: Mapping[str, tuple[str, ...]],
    scripts: Mapping[str, str],
    files: Mapping[Path, Array],
    seed: int,
) -> tuple[KinshipTest, ...]:
    """Every measure and control against families, scripts and files; the correlation also against the controls."""
    kinds = [paths[one.code][0] if paths[one.code] else None for one in languages]
    apart = [[families.tree_distance(a, b) for b in languages] for a in languages]
    written = [scripts[one.code] if scripts[one.code] != "Zzzz" else None for one in languages]
    strange = [[float(not share_script(scripts[a.code], scripts[b.code])) for b in languages] for a in languages]
    known: list[tuple[str, Sequence[str | None] | None, Array]] = [
        ("family", kinds, np.array(apart, dtype=np.float64)),
        ("script", written, np.array(strange) * (1 - np.eye(len(languages)))),
        *((path.stem, None, matrix) for path, matrix in files.items()),
    ]
    tokens = next(one for one in measures if one.name == TOKENS)
    found = []
    for name, labels, distance in known:
        for one in measures:
            far = -one.overall  # Mantel's r does not depend on the scale
            partial = None if one.name in (SHUFFLED, TOKENS) else -tokens.overall
            found.append(
                KinshipTest(
                    measure=one.name,
                    known=name,
                    neighbours=None if labels is None else nearest_share(one.overall, labels, seed=seed),
                    mantel=mantel(far, distance, seed=seed),
                    given_tokens=None if partial is None else mantel(far, distance, given=partial, seed=seed),
                )
            )
    main = next(one for one in measures if one.name == CORRELATION)
    for one in measures:
        if one.name in (SHUFFLED, TOKENS):
            agreed = mantel(-main.overall, -one.overall, seed=seed)
            found.append(KinshipTest(CORRELATION, one.name, None, agreed, None))
    return tuple(found)


def _missing_concepts(left_out: Sequence[str], *, everybody: bool) -> str:
    if everybody:
        return (
            f"Fewer than {FEWEST_CONCEPTS} concepts are named in any three of these languages, so CKA and HSIC, which "
            "compare words for the same concepts, are missing."
        )
    return f"Too few concepts are named in {listed(list(left_out))}: CKA and HSIC leave them out."


def _short(languages: Sequence[Language], profiles: Sequence[BlockedProfile], settings: SpectrumSettings) -> list[str]:
    """Languages with less text than the others: their probabilities are less certain."""
    short = [
        f"{one.name} ({int(profile.tokens.sum()):,} tokens)"
        for one, profile in zip(languages, profiles, strict=True)
        if profile.tokens.sum() < settings.tokens / 2
    ]
    return [f"Much less text than asked for: {listed(short)}; similarities of these are less certain."] if short else []


def _unknown(languages: Sequence[Language], paths: Mapping[str, tuple[str, ...]]) -> list[str]:
    names = [one.name for one in languages if not paths[one.code]]
    return [f"No family is known for {listed(names)}; comparisons with families leave them out."] if names else []
