"""Agreement of a spectrum with what is known about languages: families, scripts, distances."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from linguabridge.errors import InputError
from linguabridge.languages import Language, parse

PERMUTATIONS = 9999
FEWEST = 3  # languages, and pairs of them; on fewer, nothing correlates

_ROUNDING = 1e-9  # relative; numbers nearer to each other than this are taken for equal
_SYMMETRY = 1e-6  # tables are rounded
_UNKNOWN = {"", "na", "n/a", "nan"}
_LARGEST_FILE = 16 * 2**20  # bytes; a table of 1,500 languages
_LARGEST_TABLE = 5000  # lines, columns
_FORMAT = "a table of distances has the languages in its first line and its first column, and is in UTF-8"


@dataclass(frozen=True)
class NeighbourShare:
    """How often a language's nearest neighbour is of its own kind (family, script).

    Attributes:
        n: languages that share their kind with another one in the set; the others cannot have such a neighbour.
        share: of these, those whose nearest neighbour is of their kind.
        chance: the share expected if neighbours were drawn at random.
        p: share of permutations of the kinds over all languages with so high a share or a higher one.
    """

    n: int
    share: float
    chance: float
    p: float


@dataclass(frozen=True)
class Mantel:
    """Correlation between two matrices of distances (Mantel, 1967).

    Attributes:
        n_pairs: of languages that both matrices have a distance for.
        r: Pearson correlation over these pairs; the partial one where a third matrix is taken out.
        p: one-sided: share of permutations of the languages with so high a correlation or a higher one.
    """

    n_pairs: int
    r: float
    p: float


def nearest_share(
    similarity: NDArray[np.float64], kinds: Sequence[str | None], *, seed: int, permutations: int = PERMUTATIONS
) -> NeighbourShare | None:
    """Count how often the most similar language is of the same kind.

    A language that is equally near to several counts by their share: by half, where one of two is of its kind. One that
    is compared with no other at all is left out.

    Args:
        similarity: of languages, shape (K, K); the diagonal does not matter; NaN where not defined.
        kinds: of the languages, K of them, such as families; None where not known, which is no kind.
        seed: of the permutations.
        permutations: how many, drawn at random; the observed order counts as one more, so that p is never 0.

    Returns:
        The count; None where no two languages are of the same kind.
    """
    defined = np.isfinite(similarity) & ~np.eye(len(kinds), dtype=bool)
    kept = np.flatnonzero(defined.any(axis=1))
    similarity, defined = similarity[np.ix_(kept, kept)], defined[np.ix_(kept, kept)]
    labels = _labels([kinds[int(i)] for i in kept])
    same = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    having_kin = same.any(axis=1)
    n = int(having_kin.sum())
    if n == 0:
        return None
    candidates = np.where(defined, similarity, -np.inf)
    nearest = defined & (candidates == candidates.max(axis=1, keepdims=True))
    rows, columns = np.nonzero(nearest)
    credit = 1 / nearest.sum(axis=1)[rows]
    hits = float(credit @ same[rows, columns])
    expected = (same & defined).sum(axis=1) / defined.sum(axis=1)
    random = np.random.default_rng(seed)
    higher = 0
    for size in _chunks(permutations, len(rows)):
        # Only the kinds move: how many languages share theirs stays the same, and with it what hits are divided by.
        permuted = random.permuted(np.tile(labels, (size, 1)), axis=1)
        among = (permuted[:, rows] == permuted[:, columns]) @ credit
        higher += int((among >= hits - _ROUNDING).sum())
    return NeighbourShare(
        n=n, share=hits / n, chance=float(expected[having_kin].mean()), p=(higher + 1) / (permutations + 1)
    )


def mantel(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    given: NDArray[np.float64] | None = None,
    seed: int,
    permutations: int = PERMUTATIONS,
) -> Mantel | None:
    """Correlate two matrices of distances (Mantel, 1967), or what a third one leaves of them.

    Pairs of languages are not independent of each other, so p is from permutations of the languages of the first
    matrix, rows and columns alike, while the others stay. A third matrix is taken out by the partial correlation
    (Smouse, Long and Sokal, 1986), computed anew from the three plain ones in each permutation (method 1 of Legendre,
    2000; vegan's ``mantel.partial`` does the same).

    Args:
        first: distances, shape (K, K), symmetric; the diagonal does not matter; NaN where not defined.
        second: the same.
        given: what to take out; None for the plain correlation.
        seed: of the permutations.
        permutations: how many, drawn at random; the observed order counts as one more, so that p is never 0.

    Returns:
        The correlation over pairs that all matrices have a distance for; None where there are fewer than three (four
        for the partial one), or where either matrix does not vary over them (or not beyond what the third explains).
    """
    matrices = [first, second] if given is None else [first, second, given]
    off = ~np.eye(len(first), dtype=bool)
    # A language that one of the matrices knows nothing of would only thin out the permutations: it is left out of them.
    known = np.all([(np.isfinite(one) & off).any(axis=1) for one in matrices], axis=0)
    here, *held = [(np.isfinite(one) & off)[np.ix_(known, known)].astype(np.float64) for one in matrices]
    kept = np.prod(held, axis=0)
    x, *fixed = [_scaled(one[np.ix_(known, known)], where) for one, where in zip(matrices, (here, *held), strict=True)]
    compared = _Fixed(kept.ravel(), np.stack([(one * kept).ravel() for one in fixed]))
    n_pairs = int((here * kept).sum()) // 2
    r = compared.correlations(x.reshape(1, -1), here.reshape(1, -1))[0]
    if n_pairs < FEWEST + (given is not None) or np.isnan(r):
        return None
    complete = bool((here + np.eye(len(here)) > 0).all())
    random = np.random.default_rng(seed)
    lower = 0
    for size in _chunks(permutations, x.size):
        orders = random.permuted(np.tile(np.arange(len(x)), (size, 1)), axis=1)
        permuted = _permuted(x, orders)
        weights = here.reshape(1, -1) if complete else _permuted(here, orders)
        # One that leaves nothing to correlate is no lower: p errs on the side of caution.
        lower += int((compared.correlations(permuted, weights) < r - _ROUNDING).sum())
    return Mantel(n_pairs=n_pairs, r=float(r), p=(permutations - lower + 1) / (permutations + 1))


def separation(similarity: NDArray[np.float64], same: NDArray[np.bool_]) -> float | None:
    """Give the probability that a pair of one kind is more alike than a pair of two.

    It is the area under the ROC curve, the statistic of Mann and Whitney (1947) as a share; ties count half.

    Args:
        similarity: of languages, shape (K, K), symmetric; NaN where not defined: those pairs are left out.
        same: whether they are of one kind, shape (K, K).

    Returns:
        0 to 1, .5 at chance; None where all pairs are of one kind, or none is.
    """
    upper = np.triu_indices(len(similarity), 1)
    values, alike = similarity[upper], same[upper]
    defined = ~np.isnan(values)
    values, alike = values[defined], alike[defined]
    n_alike, n_other = int(alike.sum()), int((~alike).sum())
    if n_alike == 0 or n_other == 0:
        return None
    ranks = rankdata(values)
    return float((ranks[alike].sum() - n_alike * (n_alike + 1) / 2) / (n_alike * n_other))


def read_distances(path: Path, languages: Sequence[Language]) -> NDArray[np.float64]:
    """Read distances between languages.

    The file is a square table in TSV or CSV, with the languages in the first line and in the first column, under any
    code or name that the command line takes. Other languages than those asked for may be in it, and are passed over.
    Empty cells and ``NA`` or ``nan`` are distances not known; one half of the table may be empty. Empty lines and lines
    that start with ``#`` are passed over. UTF-8, or UTF-16 with a byte-order mark.

    Args:
        path: the file.
        languages: K of them.

    Returns:
        Distances, shape (K, K), symmetric, NaN where not known; 0 on the diagonal where a language is in the table.

    Raises:
        InputError: the file cannot be read, is no such table, holds values that are no distances, or names fewer than
            three of the languages.
    """
    lines = _table(path)
    wanted = {one.code: i for i, one in enumerate(languages)}
    columns = _positions(lines[0][1][1:], wanted, path, "first line")
    rows = _positions([cells[0] for _, cells in lines[1:]], wanted, path, "first column")
    found = np.full((len(languages), len(languages)), np.nan)
    for row, i in rows.items():
        number, cells = lines[row + 1]
        for column, j in columns.items():
            found[i, j] = _distance(cells[column + 1], f"{path}, line {number}, column {column + 2}")
    _check(found, [one.code for one in languages], path)
    np.fmax(found, found.T.copy(), out=found)  # the one that is known, where only one is
    np.fill_diagonal(found, np.nan)
    known = np.isfinite(found).any(axis=1)
    if known.sum() < FEWEST:
        raise InputError(
            f"{path} has distances between {known.sum()} of the languages compared: it must have them between at least "
            f"{FEWEST}, with the codes in its first line and first column."
        )
    found[known, known] = 0
    return found


def _check(found: NDArray[np.float64], codes: Sequence[str], path: Path) -> None:
    """Refuse distances that depend on the direction, or that are not 0 from a language to itself."""
    for first, second in np.argwhere(np.abs(found - found.T) > _SYMMETRY):
        one, other, there, back = codes[first], codes[second], found[first, second], found[second, first]
        raise InputError(
            f"{path} says {there:g} from {one} to {other} and {back:g} from {other} to {one}: give the same distance "
            "both ways, or only once."
        )
    for code, distance in zip(codes, np.diag(found), strict=True):
        if distance > _SYMMETRY:
            raise InputError(
                f"{path} says that {code} is at {distance:g} from itself: give distances, with 0 on the diagonal, not "
                "similarities."
            )


def _labels(kinds: Sequence[str | None]) -> NDArray[np.int64]:
    """Number the kinds; each unknown one has a number of its own."""
    numbers: dict[str, int] = {}
    return np.array(
        [-i - 1 if kind is None else numbers.setdefault(kind, len(numbers)) for i, kind in enumerate(kinds)]
    )


def _chunks(permutations: int, width: int) -> list[int]:
    """Part permutations so that one part's values take some 16 MB."""
    size = max(1, 2_000_000 // max(width, 1))
    return [min(size, permutations - done) for done in range(0, permutations, size)]


def _scaled(matrix: NDArray[np.float64], here: NDArray[np.float64]) -> NDArray[np.float64]:
    """Center and scale what is defined to −1…1, which no correlation notices; 0 elsewhere, and if it does not vary."""
    if not here.any():
        return here
    values = np.where(here > 0, matrix, 0)
    values = values / max(np.abs(values).max(), np.finfo(np.float64).tiny)
    centered = (values - values.sum() / here.sum()) * here
    widest = np.abs(centered).max()
    return centered / widest if widest > _ROUNDING else np.zeros_like(values)


def _permuted(matrix: NDArray[np.float64], orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Permute rows and columns alike: shape (orders, cells)."""
    return np.stack([matrix.take(order, axis=0).take(order, axis=1).ravel() for order in orders])


@dataclass(frozen=True)
class _Fixed:
    """What is not permuted: matrices as rows of cells, 0 where one of them is not defined.

    Attributes:
        kept: 1 where all are defined, else 0, shape (cells,).
        matrices: one, and one to take out if there is, shape (1 or 2, cells).
    """

    kept: NDArray[np.float64]
    matrices: NDArray[np.float64]

    def correlations(self, values: NDArray[np.float64], here: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correlate rows of values.

        Args:
            values: shape (n, cells), 0 where not defined.
            here: 1 where defined, else 0, shape (n, cells) or, the same for all, (1, cells).

        Returns:
            Shape (n,); NaN where something does not vary over the cells defined.
        """
        n = np.maximum(here @ self.kept, 1)
        sum_x = values @ self.kept
        square_x = values**2 @ self.kept - sum_x**2 / n
        sums = [here @ one for one in self.matrices]
        squares = [here @ one**2 - total**2 / n for one, total in zip(self.matrices, sums, strict=True)]
        to = [
            _ratio(values @ one - sum_x * total / n, square_x, square)
            for one, total, square in zip(self.matrices, sums, squares, strict=True)
        ]
        if len(to) == 1:
            return to[0]
        between = _ratio(here @ np.prod(self.matrices, axis=0) - sums[0] * sums[1] / n, *squares)
        return _ratio(to[0] - to[1] * between, 1 - to[1] ** 2, 1 - between**2)


def _ratio(
    product: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divide a product by the root of two squares; NaN where either is no more than rounding."""
    defined = (first > _ROUNDING) & (second > _ROUNDING)
    root = np.sqrt(np.where(defined, first * second, 1))
    return np.where(defined, product / root, np.nan)


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """Read the lines of a square table, with their numbers: cells, as many as the first line has."""
    text = _text(path)
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise InputError(f"{path} is empty: {_FORMAT}.")
    delimiter = max("\t;,", key=lines[0][1].count)
    try:
        table = [
            (number, [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]) for number, line in lines
        ]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}): {_FORMAT}.") from error
    width = len(table[0][1])
    if not FEWEST < width <= _LARGEST_TABLE or len(table) > _LARGEST_TABLE:
        raise InputError(
            f"{path} has {len(table):,} lines of {width:,} columns: {_FORMAT}, and at least {FEWEST} of them."
        )
    for number, cells in table:
        if len(cells) != width:
            raise InputError(f"Line {number} of {path} has {len(cells)} columns, its first line {width}: {_FORMAT}.")
    return table


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"Cannot read {path} ({reason}): give a file of distances; {_FORMAT}.") from error
    if len(content) > _LARGEST_FILE:
        raise InputError(
            f"{path} is larger than {_LARGEST_FILE // 2**20} MiB: keep only the languages to compare in it."
        )
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (byte {error.start}): save it as UTF-8; {_FORMAT}.") from error
    if "\0" in text:
        raise InputError(f"{path} is no text file: it holds NUL characters; {_FORMAT}.")
    return text


def _positions(labels: Sequence[str], wanted: dict[str, int], path: Path, where: str) -> dict[int, int]:
    """Map positions of labels to positions of the languages that they stand for, of those wanted."""
    found: dict[int, int] = {}
    for position, label in enumerate(labels):
        try:
            code = parse(label).code
        except InputError:  # the table may hold more languages than we know
            continue
        if code not in wanted:
            continue
        if wanted[code] in found.values():
            raise InputError(f"The {where} of {path} has {code} twice ({label!r} is it, too): leave one out.")
        found[position] = wanted[code]
    return found


def _distance(cell: str, where: str) -> float:
    if cell.casefold() in _UNKNOWN:
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not 0 <= value < np.inf:  # NaN is not
        raise InputError(
            f"{where}: {cell[:40]!r} is no distance; give a number from 0 on, such as 0.25, or leave the cell empty."
        )
    return value
