"""A spectrum against what is known about its languages: families, scripts, files of distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from linguabridge import families
from linguabridge.languages import Language, script
from linguabridge.spectrum.agreement import mantel, nearest_share, separation
from linguabridge.spectrum.results import CONTROLS, CORRELATION, TOKENS, KinshipTest, LayerCurve, Measure

Array = NDArray[np.float64]


def letters(language: Language) -> str:
    """Script of a language, as far as languages share it: Japanese is written with Chinese characters, too."""
    own = script(language)
    return "Hani" if own in ("Hans", "Hant", "Jpan") else own


def share_script(first: str, second: str) -> bool:
    """Whether two scripts are one; an unknown one (Zzzz) is not."""
    return first == second != "Zzzz"


def same_language(languages: Sequence[Language]) -> NDArray[np.bool_]:
    """Whether two are forms of one language, such as in two scripts, shape (K, K)."""
    base = [one.code if one.code.startswith("x-") else one.code.split("-")[0] for one in languages]
    return np.array([[a == b for b in base] for a in base])


def curve(measure: Measure, languages: Sequence[Language], paths: Mapping[str, tuple[str, ...]]) -> LayerCurve:
    """How a measure with layers sees families, layer by layer."""
    assert measure.layers is not None
    k = len(languages)
    upper = np.triu(np.ones((k, k), dtype=bool), 1)
    known = np.array([bool(paths[one.code]) for one in languages])
    upper &= known[:, None] & known[None, :] & ~same_language(languages)
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


def kinship(
    languages: Sequence[Language],
    measures: Sequence[Measure],
    paths: Mapping[str, tuple[str, ...]],
    scripts: Mapping[str, str],
    files: Mapping[str, Array],
    seed: int,
) -> tuple[KinshipTest, ...]:
    """Test every measure and control against families, scripts and files; the correlation also against controls.

    Forms of one language (``zh``, ``zh-Hant``) are not compared with each other: that they are alike says nothing of
    kinship.

    Args:
        languages: in the order of the matrices.
        measures: and controls.
        paths: of families, by code.
        scripts: by code (:func:`letters`).
        files: distances by the name of their file.
        seed: of permutations.
    """
    same = same_language(languages)

    def apart_from_itself(matrix: Array) -> Array:
        return np.where(same & ~np.eye(len(languages), dtype=bool), np.nan, matrix)

    kinds = [paths[one.code][0] if paths[one.code] else None for one in languages]
    apart = [[families.tree_distance(a, b) for b in languages] for a in languages]
    written = [scripts[one.code] if scripts[one.code] != "Zzzz" else None for one in languages]
    strange = [[float(not share_script(scripts[a.code], scripts[b.code])) for b in languages] for a in languages]
    known: list[tuple[str, Sequence[str | None] | None, Array]] = [
        ("family", kinds, np.array(apart, dtype=np.float64)),
        ("script", written, np.array(strange) * (1 - np.eye(len(languages)))),
        *((file, None, matrix) for file, matrix in files.items()),
    ]
    tokens = next(one for one in measures if one.name == TOKENS)
    found = []
    for name, labels, distance in known:
        for one in measures:
            far = -apart_from_itself(one.overall)  # Mantel's r does not depend on the scale
            partial = None if one.name in CONTROLS else -tokens.overall
            found.append(
                KinshipTest(
                    measure=one.name,
                    known=name,
                    neighbours=None if labels is None else nearest_share(-far, labels, seed=seed),
                    mantel=mantel(far, distance, seed=seed),
                    given_tokens=None if partial is None else mantel(far, distance, given=partial, seed=seed),
                )
            )
    main = next(one for one in measures if one.name == CORRELATION)
    for one in measures:
        if one.name in CONTROLS:
            agreed = mantel(-main.overall, -one.overall, seed=seed)
            found.append(KinshipTest(CORRELATION, one.name, None, agreed, None))
    return tuple(found)
