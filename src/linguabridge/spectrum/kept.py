"""The four large computations of a spectrum, each kept whole: on text, on shuffled text, on concepts, agreement.

Each depends on answers of the model by their questions (texts, tokens, words), so that a second run reads four
artefacts and not a hundred, and imports no package that computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Arrays, array_digest, computed_by, digest
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.measure import Measurements
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.profile import BlockedProfile, Profile
from linguabridge.rebuilt import rebuilt
from linguabridge.spectrum.kinship import curve, kinship
from linguabridge.spectrum.parallel import cka, hsic
from linguabridge.spectrum.results import (
    CKA,
    CORRELATION,
    HSIC,
    JACCARD,
    OVERLAP,
    SHUFFLED,
    SHUFFLED_JACCARD,
    KinshipTest,
    LayerCurve,
    Measure,
)
from linguabridge.spectrum.settings import BLOCKS, FEWEST_BLOCKS, SpectrumSettings
from linguabridge.spectrum.similarity import (
    correlations,
    jaccard,
    overlaps,
    resampled_correlations,
    token_overlap,
)
from linguabridge.spectrum.support import Support, support
from linguabridge.spectrum.tree import Tree, cluster
from linguabridge.texts import Text

Array = NDArray[np.float64]

_TEXT_CODE = ("spectrum/kept.py", "spectrum/similarity.py", "spectrum/support.py", "spectrum/tree.py")
_AGREEMENT = {"tests": tuple[KinshipTest, ...], "curves": tuple[LayerCurve, ...]}
_SETS_CODE = ("profile.py", "neurons.py")


@dataclass(frozen=True)
class OnText:
    """What the text tells.

    Attributes:
        space: the model's neurons.
        tops: top set of each language, by code.
        measures: overlap, Jaccard and, last, correlation.
        token_overlap: of the languages, shape (K, K).
        tokens: read of each language.
        support: what samples of the text confirm.
        tree: of the languages.
    """

    space: NeuronSpace
    tops: dict[str, NeuronSet]
    measures: list[Measure]
    token_overlap: Array
    tokens: list[int]
    support: Support
    tree: Tree


def on_text(
    measure: Measurements, texts: Mapping[str, Text], languages: Sequence[Language], settings: SpectrumSettings
) -> OnText:
    """Compare languages by their texts, and samples of them.

    Raises:
        InputError: a text has too few lines, or a language's probabilities do not vary.
    """
    codes = [one.code for one in languages]

    def compute() -> tuple[Arrays, dict[str, Any]]:
        profiles = measure.each("Reading neurons", codes, lambda asked, code: _blocks(asked, texts[code], settings))
        whole = Profile({code: profile.whole for code, profile in zip(codes, profiles, strict=True)})
        tops = [whole.top(code, settings.top_rate) for code in codes]
        arrays = _compared(whole, tops)
        correlation = arrays["correlation"]
        if np.isnan(correlation).any():
            raise InputError("A language's activation probabilities are all the same; read more text with --tokens.")
        sure = _support(profiles, settings, measure)
        tree = cluster(codes, 1 - correlation, sure.branches)
        arrays |= {
            "tops": np.concatenate([one.flat for one in tops]),
            "sizes": np.array([len(one) for one in tops]),
            "token_overlap": token_overlap(profiles),
            "tokens": np.array([int(profile.tokens.sum()) for profile in profiles]),
            "nearest": sure.nearest,
            "mutual": sure.mutual,
            "branches": np.array([[i in group for i in range(len(codes))] for group in sure.branches]),
            "shares": np.array(list(sure.branches.values())),
        }
        return arrays, {"space": profiles[0].space.facts, "tree": plain(tree)}

    key = {
        "blocks": [digest(_blocks_key(measure, texts[code], settings)) for code in codes],
        "languages": codes,
        "top_rate": settings.top_rate,
        "samples": settings.samples,
        "seed": settings.seed,
        "computed_by": computed_by(*_TEXT_CODE, *_SETS_CODE),
    }
    found = measure.cache.computed("spectrum-text", key, compute)
    arrays = found.arrays
    space = NeuronSpace.of_facts(found.facts["space"])
    tops = np.split(arrays["tops"], np.cumsum(arrays["sizes"])[:-1])
    branches = {
        frozenset(np.flatnonzero(row).tolist()): float(share)
        for row, share in zip(arrays["branches"], arrays["shares"], strict=True)
    }
    return OnText(
        space=space,
        tops={code: NeuronSet.of(space, top) for code, top in zip(codes, tops, strict=True)},
        measures=_measures(arrays),
        token_overlap=arrays["token_overlap"],
        tokens=arrays["tokens"].tolist(),
        support=Support(branches, arrays["nearest"], arrays["mutual"]),
        tree=rebuilt(Tree, found.facts["tree"]),
    )


def on_shuffled_text(
    measure: Measurements, texts: Mapping[str, Text], languages: Sequence[Language], settings: SpectrumSettings
) -> list[Measure]:
    """The controls: correlation and Jaccard on the same texts with their tokens shuffled."""
    codes, seed = [one.code for one in languages], settings.seed

    def compute() -> tuple[Arrays, dict[str, Any]]:
        # Of each language, only the whole is held.
        wholes = measure.each(
            "Reading shuffled text",
            codes,
            lambda asked, code: _blocks(asked, texts[code], settings, shuffle=seed).whole,
        )
        whole = Profile(dict(zip(codes, wholes, strict=True)))
        return _compared(whole, [whole.top(code, settings.top_rate) for code in codes]), {}

    key = {
        "blocks": [digest(_blocks_key(measure, texts[code], settings, shuffle=seed)) for code in codes],
        "top_rate": settings.top_rate,
        "computed_by": computed_by(*_TEXT_CODE, *_SETS_CODE),
    }
    _, index, correlation = _measures(measure.cache.computed("spectrum-shuffled", key, compute).arrays)
    return [replace(correlation, name=SHUFFLED), replace(index, name=SHUFFLED_JACCARD)]


def on_concepts(
    measure: Measurements,
    languages: Sequence[Language],
    words: Mapping[str, Sequence[str]],
    tops: Mapping[str, NeuronSet],
) -> list[Measure]:
    """CKA and HSIC on the same concepts; NaN for languages without words."""
    covered = [number for number, one in enumerate(languages) if one.code in words]
    names = [languages[number] for number in covered]
    rows = tops[names[0].code]
    for one in names[1:]:
        rows |= tops[one.code]

    def compute() -> tuple[Arrays, dict[str, Any]]:
        kernels = measure.each(
            "Reading words",
            names,
            lambda asked, one: asked.linear_kernels(f"Reading words: {one.name}", words[one.code]),
        )
        matrices = measure.each(
            "Shared neurons",
            names,
            lambda asked, one: asked.probe_matrix(f"Shared neurons: {one.name}", words[one.code], rows),
        )
        values = {one.code: matrix for one, matrix in zip(names, matrices, strict=True)}
        with measure.reporter.step("Comparing shared neurons", 1) as advance:
            overall, layers = hsic(values, rows, {one.code: tops[one.code] for one in names})
            advance()
        aligned = cka(kernels)
        return {"cka": aligned.mean(axis=0), "cka_layers": aligned, "hsic": overall, "hsic_layers": layers}, {}

    key = measure.key(
        words=[digest(list(words[one.code])) for one in names],
        tops=[array_digest(tops[one.code].flat) for one in names],
    )
    key["computed_by"] = [
        key["computed_by"],
        computed_by("spectrum/kept.py", "spectrum/parallel.py", "dependence.py", "neurons.py"),
    ]
    found = measure.cache.computed("spectrum-concepts", key, compute).arrays
    k = len(languages)

    def spread(matrix: Array) -> Array:
        out = np.full((*matrix.shape[:-2], k, k), np.nan)
        out[..., np.array(covered)[:, None], covered] = matrix
        return out

    return [Measure(name, spread(found[name]), spread(found[f"{name}_layers"])) for name in (CKA, HSIC)]


def agreement(
    measure: Measurements,
    languages: Sequence[Language],
    measures: Sequence[Measure],
    paths: Mapping[str, tuple[str, ...]],
    scripts: Mapping[str, str],
    distances: Mapping[str, Array],
    seed: int,
) -> tuple[tuple[KinshipTest, ...], tuple[LayerCurve, ...]]:
    """Agreement of all measures with families, scripts and files, and how each sees families layer by layer.

    Arguments are those of :func:`linguabridge.spectrum.kinship.kinship`.
    """

    def compute() -> tuple[Arrays, dict[str, Any]]:
        with measure.reporter.step("Comparing with families and scripts", 1) as advance:
            tests = kinship(languages, measures, paths, scripts, distances, seed)
            advance()
        curves = [curve(one, languages, paths) for one in measures if one.layers is not None]
        return {}, {"tests": plain(tests), "curves": plain(curves)}

    key = {
        "languages": [one.code for one in languages],
        "measures": {one.name: array_digest(one.overall) for one in measures},
        "layers": {one.name: array_digest(one.layers) for one in measures if one.layers is not None},
        "families": plain(paths),
        "scripts": dict(scripts),
        "distances": {name: array_digest(matrix) for name, matrix in distances.items()},
        "seed": seed,
        "computed_by": computed_by(
            "spectrum/kept.py", "spectrum/kinship.py", "spectrum/agreement.py", "families.py", "spectrum/results.py"
        ),
    }
    found = measure.cache.computed("spectrum-agreement", key, compute).facts
    tests, curves = (rebuilt(kind, found[name]) for name, kind in _AGREEMENT.items())
    return tests, curves


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


def _blocks_key(
    measure: Measurements, text: Text, settings: SpectrumSettings, *, shuffle: int | None = None
) -> dict[str, Any]:
    return measure.blocks_key(text, max_tokens=settings.tokens, blocks=BLOCKS, shuffle=shuffle)


def _compared(whole: Profile, tops: Sequence[NeuronSet]) -> Arrays:
    overlap, overlap_layers = overlaps(tops)
    correlation, correlation_layers = correlations(list(whole.languages.values()))
    return {
        "overlap": overlap,
        "overlap_layers": overlap_layers,
        "correlation": correlation,
        "correlation_layers": correlation_layers,
    }


def _measures(arrays: Arrays) -> list[Measure]:
    """Overlap, Jaccard and, last, correlation."""
    overlap, overlap_layers = arrays["overlap"], arrays["overlap_layers"]
    return [
        Measure(OVERLAP, overlap, overlap_layers),
        Measure(JACCARD, jaccard(overlap), jaccard(overlap_layers)),
        Measure(CORRELATION, arrays["correlation"], arrays["correlation_layers"]),
    ]


def _support(profiles: Sequence[BlockedProfile], settings: SpectrumSettings, measure: Measurements) -> Support:
    with measure.reporter.step("Resampling the text", settings.samples) as advance:

        def counted() -> Iterator[Array]:
            for one in resampled_correlations(profiles, samples=settings.samples, seed=settings.seed):
                yield one
                advance()

        return support(counted())
