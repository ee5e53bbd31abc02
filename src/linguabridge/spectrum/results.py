"""What a spectrum found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import versions
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.spectrum.agreement import Mantel, NeighbourShare
from linguabridge.spectrum.settings import SpectrumSettings
from linguabridge.spectrum.tree import Tree

Matrix = NDArray[np.float64]  # (languages, languages), symmetric; NaN where a value is not defined

OVERLAP, JACCARD, CORRELATION, CKA, HSIC = "overlap", "jaccard", "correlation", "cka", "hsic"
SHUFFLED, SHUFFLED_JACCARD, TOKENS = "shuffled", "shuffled_jaccard", "tokens"
CONTROLS = (SHUFFLED, SHUFFLED_JACCARD, TOKENS)
LABELS = {
    OVERLAP: "neurons in both top sets",
    JACCARD: "Jaccard index of top sets",
    CORRELATION: "correlation of activation probabilities",
    CKA: "CKA of activations on the same concepts",
    HSIC: "HSIC (normalised) between shared neurons",
    SHUFFLED: "correlation on shuffled text",
    SHUFFLED_JACCARD: "Jaccard index on shuffled text",
    TOKENS: "overlap of token frequencies",
}


@dataclass(frozen=True)
class Measure:
    """One way of comparing languages.

    Attributes:
        name: of :data:`LABELS`.
        overall: over all layers together.
        layers: in each layer, shape (layers, languages, languages); None for a control.
    """

    name: str
    overall: Matrix = field(repr=False)
    layers: NDArray[np.float64] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Neighbour:
    """A language near another one, by correlation of activation probabilities.

    Attributes:
        code: of the neighbour.
        similarity: the correlation.
        support: share of bootstrap samples of the text in which it is the nearest of all.
    """

    code: str
    similarity: float
    support: float


@dataclass(frozen=True)
class MutualPair:
    """Two languages each of which is the other's nearest neighbour.

    Attributes:
        first: code. second: code.
        similarity: correlation of activation probabilities.
        kin: whether they are of one family; None where a family is not known.
        same_script: whether they are written in one script.
        support: share of bootstrap samples in which they are mutual nearest neighbours.
    """

    first: str
    second: str
    similarity: float
    kin: bool | None
    same_script: bool
    support: float


@dataclass(frozen=True)
class LayerCurve:
    """How one measure sees families, layer by layer.

    Attributes:
        measure: its name.
        within: mean over pairs of one family; None in a layer where nothing is defined.
        between: mean over pairs of two families.
        separation: probability that a pair of kin is more alike than a pair that is none (area under the ROC curve;
            .5 is chance).
    """

    measure: str
    within: tuple[float | None, ...]
    between: tuple[float | None, ...]
    separation: tuple[float | None, ...]


@dataclass(frozen=True)
class SharedCounts:
    """Neurons by the number of languages in whose top sets they are, layer by layer.

    Attributes:
        one: of exactly one language. some: of several. all: of every language.
    """

    one: tuple[int, ...]
    some: tuple[int, ...]
    all: tuple[int, ...]


@dataclass(frozen=True)
class KinshipTest:
    """Agreement of one measure (or control) with one thing known about languages.

    Attributes:
        measure: of :data:`LABELS`.
        known: ``family``, ``script``, or the name of a file of distances.
        neighbours: of languages that have kin (share a script) in the set; None for distances of a file.
        mantel: of dissimilarities with distances (0 or 1 for ``script``); None where they do not vary.
        given_tokens: the partial one, with the overlap of token frequencies taken out; None for a control.
    """

    measure: str
    known: str
    neighbours: NeighbourShare | None
    mantel: Mantel | None
    given_tokens: Mantel | None


@dataclass(frozen=True)
class Spectrum:
    """How a model relates languages, with everything it rests on. Matrices follow the order of ``languages``.

    Attributes:
        languages: compared.
        model: what the user called it.
        identity: hashes of the model's files, its revision, device and dtype.
        settings: everything asked for.
        profiled: for each language the source of the text, its SHA-256, and the number of tokens read.
        families: groups of each language, the widest first: ("Indo-European", "Italic", "Romance"); () if not known.
        scripts: ISO 15924 code of each language's script; Hani for Chinese and Japanese alike, Zzzz if not known.
        n_concepts: words compared between languages by CKA and HSIC; 0 where too few are named in all of them.
        widths: neurons in each layer.
        measures: overlap, jaccard, correlation, and cka and hsic where there are concepts.
        controls: shuffled and shuffled_jaccard (unless not asked for), and tokens.
        tree: average-linkage clustering on 1 − correlation.
        points: place of each language on the map, shape (languages, 2): classical scaling of the same distances.
        shown: share of the distances' variance that the map shows, 0 to 1.
        neighbours: of each language, the nearest three.
        mutual: pairs of mutual nearest neighbours by correlation, the most alike first.
        mutual_by_measure: codes of such pairs by each measure and control.
        kinship: agreement with families and scripts, and with files of distances.
        curves: of each measure.
        counts: of shared neurons.
        notes: what else should be known, a sentence each.
    """

    languages: tuple[Language, ...]
    model: str
    identity: dict[str, Any]
    settings: SpectrumSettings
    profiled: dict[str, tuple[str, str, int]]
    families: dict[str, tuple[str, ...]]
    scripts: dict[str, str]
    n_concepts: int
    widths: tuple[int, ...]
    measures: tuple[Measure, ...]
    controls: tuple[Measure, ...]
    tree: Tree
    points: Matrix = field(repr=False)
    shown: float
    neighbours: dict[str, tuple[Neighbour, ...]]
    mutual: tuple[MutualPair, ...]
    mutual_by_measure: dict[str, tuple[tuple[str, str], ...]]
    kinship: tuple[KinshipTest, ...]
    curves: tuple[LayerCurve, ...]
    counts: SharedCounts
    notes: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the languages, in the matrices' order."""
        return tuple(one.code for one in self.languages)

    def measure(self, name: str) -> Measure:
        """The measure or control of a name.

        Args:
            name: such as ``correlation`` or ``tokens``.

        Returns:
            The measure.

        Raises:
            StopIteration: none has it.
        """
        return next(one for one in (*self.measures, *self.controls) if one.name == name)

    def summary(self) -> str:
        """What it says, in words."""
        from linguabridge.spectrum.words import summary

        return summary(self)

    def tables(self) -> dict[str, Any]:
        """Pairs of languages, languages and neighbours, as Arrow tables (docs/export.md has the columns)."""
        from linguabridge.export.frames import spectrum_tables

        return spectrum_tables(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the values by layer, as JSON holds it; None for what is not defined."""
        body = {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name not in _ARRAYS}
        return {
            "summary": self.summary(),
            **body,
            "points": {code: [_rounded(x), _rounded(y)] for code, (x, y) in zip(self.codes, self.points, strict=True)},
            "measures": {one.name: _rows(one.overall) for one in self.measures},
            "controls": {one.name: _rows(one.overall) for one in self.controls},
            "versions": versions(),
        }


_ARRAYS = ("measures", "controls", "points")


def _rows(matrix: Matrix) -> list[list[float | None]]:
    return [[_rounded(value) for value in row] for row in matrix]


def _rounded(value: float) -> float | None:
    """Six decimals, more than any of it is certain to; None for what is not defined."""
    return None if np.isnan(value) else round(float(value), 6)
