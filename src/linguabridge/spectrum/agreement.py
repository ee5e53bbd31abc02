"""Statistics of agreement between similarities and what is known: nearest neighbours, Mantel's test, separation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 9999
FEWEST = 3  # languages, and pairs of them; on fewer, nothing correlates

_ROUNDING = 1e-9  # relative; numbers nearer to each other than this are taken for equal


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
    from scipy.stats import rankdata  # here: scipy's statistics take a second to import

    ranks = rankdata(values)
    return float((ranks[alike].sum() - n_alike * (n_alike + 1) / 2) / (n_alike * n_other))


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
