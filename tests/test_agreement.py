from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kstest

from linguabridge.errors import InputError
from linguabridge.languages import PAPER_LANGUAGES, Language, parse
from linguabridge.spectrum.agreement import mantel, nearest_share, separation
from linguabridge.spectrum.distances import read_distances

Matrix = NDArray[np.float64]
nan = float("nan")


def symmetric(seed: int, n: int, *, whole: bool = False) -> Matrix:
    random = np.random.default_rng(seed)
    values = random.integers(0, 4, (n, n)).astype(float) if whole else random.random((n, n))
    upper = np.triu(values, 1)
    return upper + upper.T


def within(p: float, exact: float, n: int = 9999) -> bool:
    """Whether a share of draws is the exact one, to 4.5 standard errors."""
    return abs(p - exact) < 4.5 * math.sqrt(exact * (1 - exact) / n) + 2 / n


# Nearest neighbours


def hits_by_hand(similarity: Matrix, kinds: Sequence[str | None]) -> float:
    total = 0.0
    for i, kind in enumerate(kinds):
        others = [(similarity[i, j], j) for j in range(len(kinds)) if j != i and not math.isnan(similarity[i, j])]
        if not others:
            continue
        best = max(others)[0]
        nearest = [j for value, j in others if value == best]
        total += sum(kind is not None and kinds[j] == kind for j in nearest) / len(nearest)
    return total


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kinds", ["aabbc", "aaabb", "aab??", "ab?ba"])
def test_nearest_share_is_what_all_permutations_give(kinds: str, whole: bool) -> None:
    named = [None if kind == "?" else kind for kind in kinds]
    similarity = symmetric(3, 5, whole=whole)
    found = nearest_share(similarity, named, seed=0)
    assert found is not None
    counts = [named.count(kind) for kind in named if kind is not None and named.count(kind) > 1]
    assert found.n == len(counts)
    observed = hits_by_hand(similarity, named)
    assert found.share == pytest.approx(observed / found.n)
    assert found.chance == pytest.approx(sum(count - 1 for count in counts) / 4 / len(counts))
    reached = [hits_by_hand(similarity, order) >= observed - 1e-12 for order in itertools.permutations(named)]
    assert within(found.p, float(np.mean(reached)))


def test_nearest_share_by_hand() -> None:
    # fr, es, en, de, ja: fr and es choose each other; en chooses fr; de chooses en; ja has no kin.
    similarity = np.array(
        [
            [1.0, 0.9, 0.6, 0.3, 0.1],
            [0.9, 1.0, 0.4, 0.2, 0.1],
            [0.6, 0.4, 1.0, 0.5, 0.2],
            [0.3, 0.2, 0.5, 1.0, 0.2],
            [0.1, 0.1, 0.2, 0.2, 1.0],
        ]
    )
    found = nearest_share(similarity, ["roa", "roa", "gem", "gem", "jpx"], seed=1)
    assert found is not None
    assert (found.n, found.share, found.chance) == (4, 0.75, 0.25)


def test_chance_is_that_of_random_neighbours() -> None:
    kinds = [*"aaaabbc", None]
    random = np.random.default_rng(5)
    drawn = [
        nearest_share(symmetric(int(s), 8), kinds, seed=0, permutations=1) for s in random.integers(10**9, size=1500)
    ]
    shares = [one.share for one in drawn if one is not None]
    assert drawn[0] is not None
    assert drawn[0].chance == pytest.approx((4 * 3 / 7 + 2 * 1 / 7) / 6)
    assert abs(np.mean(shares) - drawn[0].chance) < 4 * np.std(shares) / math.sqrt(len(shares))


def test_equally_near_languages_count_by_their_share_whatever_the_order() -> None:
    similarity = np.array([[0, 5, 5], [5, 0, 1], [5, 1, 0]], dtype=float)
    for order in itertools.permutations(range(3)):
        kinds = ["aab"[i] for i in order]
        found = nearest_share(similarity[np.ix_(order, order)], kinds, seed=0)
        assert found is not None
        assert (found.n, found.share) == (2, 0.75)  # the first: half of two; the second: the first


def test_language_that_is_compared_with_none_is_left_out() -> None:
    similarity = symmetric(0, 5)
    similarity[2] = similarity[:, 2] = nan
    kept = [0, 1, 3, 4]
    assert nearest_share(similarity, list("aaabb"), seed=4) == nearest_share(
        similarity[np.ix_(kept, kept)], list("aabb"), seed=4
    )
    assert nearest_share(similarity, list("abacd"), seed=4) is None  # the one relative is not compared


def test_pair_that_is_not_compared_is_no_neighbour() -> None:
    similarity = np.array([[0, nan, 1], [nan, 0, 2], [1, 2, 0]])
    found = nearest_share(similarity, list("aab"), seed=0)
    assert found is not None
    assert (found.n, found.share, found.chance) == (2, 0.0, 0.0)


@pytest.mark.parametrize("kinds", [[None] * 4, ["a", "b", "c", None], []])
def test_nearest_share_needs_two_of_a_kind(kinds: list[str | None]) -> None:
    assert nearest_share(symmetric(0, len(kinds)), kinds, seed=0) is None


def test_p_of_nearest_share_is_uniform_where_nothing_is_shared() -> None:
    kinds = [*"aaaaabbbbcccdd", None]
    found = [nearest_share(symmetric(seed, 15), kinds, seed=seed, permutations=199) for seed in range(600)]
    p = np.array([one.p for one in found if one is not None])
    for level in (0.05, 0.1, 0.25, 0.5):  # counts: p is coarse, and may only be too large
        assert np.mean(p <= level) < level + 4 * math.sqrt(level * (1 - level) / len(p))
    assert np.mean(p <= 0.5) > 0.3


# Mantel's correlation


def pairs_of(matrix: Matrix) -> list[float]:
    return [float(matrix[i, j]) for i, j in itertools.combinations(range(len(matrix)), 2)]


def correlation_by_hand(first: Matrix, second: Matrix, given: Matrix | None) -> float:
    """By regression: what is left of both when the third is taken out."""
    columns = np.array([pairs_of(first), pairs_of(second)] + ([] if given is None else [pairs_of(given)]))
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    explained = np.stack([np.ones(columns.shape[1]), *columns[2:]], axis=1)
    left = columns[:2].T - explained @ np.linalg.lstsq(explained, columns[:2].T, rcond=None)[0]
    return float(np.corrcoef(left.T)[0, 1])


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_mantel_is_what_all_permutations_give(seed: int, partial: bool, missing: bool) -> None:
    third = symmetric(seed + 200, 6)
    second = symmetric(seed + 100, 6) + third
    first = symmetric(seed, 6) + 0.7 * second + third
    if missing:
        first[0, 4] = first[4, 0] = second[1, 5] = second[5, 1] = third[2, 3] = third[3, 2] = nan
    given = third if partial else None
    found = mantel(first, second, given=given, seed=0)
    assert found is not None
    assert found.n_pairs == 15 - missing * (2 + partial)
    assert found.r == pytest.approx(correlation_by_hand(first, second, given))
    all_orders = [
        correlation_by_hand(first[np.ix_(order, order)], second, given) for order in itertools.permutations(range(6))
    ]
    assert within(found.p, float(np.mean(np.array(all_orders) >= found.r - 1e-9)))


def test_mantel_by_hand() -> None:
    # Pairs 12, 13, 23: distances 1 2 3 and 1 3 2.
    first = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0]], dtype=float)
    second = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]], dtype=float)
    found = mantel(first, second, seed=0)
    assert found is not None
    assert (found.n_pairs, found.r) == (3, pytest.approx(0.5))
    assert within(found.p, 3 / 6)  # the six orders of 1 2 3 correlate with 1 3 2 by 1, .5, .5, -.5, -.5, -1


def test_perfect_agreement_has_the_least_p_there_is() -> None:
    distances = symmetric(0, 12)
    found = mantel(distances, 3 * distances + 1, seed=0, permutations=999)
    assert found is not None
    assert (found.r, found.p) == (pytest.approx(1), 0.001)
    opposite = mantel(distances, -distances, seed=0, permutations=999)
    assert opposite is not None
    assert (opposite.r, opposite.p) == (pytest.approx(-1), 1)


def test_scale_and_offset_do_not_matter() -> None:
    first, second, third = symmetric(0, 8), symmetric(1, 8), symmetric(2, 8)
    plain = mantel(first, second, given=third, seed=0, permutations=499)
    for scale, offset in ((1e-200, 0.0), (1e150, 0.0), (1e-3, 1e3), (1e308, 0.0)):
        moved = mantel(first * scale + offset, second, given=third * scale, seed=0, permutations=499)
        assert plain is not None
        assert moved is not None
        assert moved.r == pytest.approx(plain.r, abs=1e-6)
        assert moved.p == pytest.approx(plain.p, abs=0.01)


def test_language_that_one_matrix_lacks_is_left_out_of_the_permutations() -> None:
    first, second = symmetric(0, 7), symmetric(1, 7)
    second[3] = second[:, 3] = nan
    kept = [0, 1, 2, 4, 5, 6]
    alone = mantel(first[np.ix_(kept, kept)], second[np.ix_(kept, kept)], seed=5)
    assert mantel(first, second, seed=5) == alone


def test_mantel_needs_something_that_varies() -> None:
    distances, flat = symmetric(0, 6), np.full((6, 6), 0.3)
    assert mantel(distances, flat, seed=0) is None
    assert mantel(flat, distances, seed=0) is None
    assert mantel(distances, distances, given=flat, seed=0) is None
    assert mantel(distances, symmetric(1, 6), given=2 * distances + 1, seed=0) is None  # nothing is left of the first
    assert mantel(symmetric(1, 6), distances, given=2 * distances + 1, seed=0) is None
    assert mantel(symmetric(0, 2), symmetric(1, 2), seed=0) is None
    assert mantel(symmetric(0, 3), symmetric(1, 3), given=symmetric(2, 3), seed=0) is None  # three pairs, three numbers
    assert mantel(np.full((4, 4), nan), symmetric(1, 4), seed=0) is None
    assert mantel(np.zeros((0, 0)), np.zeros((0, 0)), seed=0) is None


@pytest.mark.parametrize("partial", [False, True])
def test_p_of_mantel_is_uniform_where_nothing_is_shared(partial: bool) -> None:
    # Distances between points, as languages' are: pairs with a language in common depend on each other. The third,
    # where it is given, is a part of both.
    random = np.random.default_rng(11)

    def distances() -> Matrix:
        points = random.normal(size=(12, 2))
        return np.linalg.norm(points[:, None] - points, axis=-1)

    p = []
    for seed in range(400):
        third = distances() if partial else np.zeros((12, 12))
        given = third if partial else None
        found = mantel(distances() + third, distances() + third, given=given, seed=seed, permutations=199)
        assert found is not None
        p.append(found.p)
    assert kstest(p, "uniform").pvalue > 0.001


# Separation


@given(st.integers(0, 10**6), st.booleans())
def test_separation_is_the_share_of_pairs_of_pairs(seed: int, missing: bool) -> None:
    similarity = symmetric(seed, 6, whole=True)
    if missing:
        similarity[0, 1] = similarity[1, 0] = nan
    kinds = np.random.default_rng(seed).integers(0, 3, 6)
    same = kinds[:, None] == kinds
    pairs = list(itertools.combinations(range(6), 2))
    kin = [similarity[i, j] for i, j in pairs if same[i, j] and not math.isnan(similarity[i, j])]
    other = [similarity[i, j] for i, j in pairs if not same[i, j] and not math.isnan(similarity[i, j])]
    found = separation(similarity, same)
    if not kin or not other:
        assert found is None
    else:
        wins = [(a > b) + (a == b) / 2 for a in kin for b in other]
        assert found == pytest.approx(sum(wins) / len(wins))


# Files of distances

THREE = [parse(code) for code in ("sw", "de", "ja")]
EXPECTED = [[0, 0.5, 1], [0.5, 0, 0.25], [1, 0.25, 0]]


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "distances.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_uriels_table_is_read_as_it_is(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("lang2vec/geographic.tsv")
    found = read_distances(path, [parse(code) for code in PAPER_LANGUAGES])
    # The table is in the paper's order: numpy reads it without knowing of languages.
    expected = np.genfromtxt(path, skip_header=1, usecols=range(1, 16))
    np.testing.assert_allclose(found, expected)


def test_other_order_and_other_languages(shared_data: Callable[[str], Path]) -> None:
    languages = [parse(code) for code in ("ja", "ko", "en", "ar")]
    found = read_distances(shared_data("lang2vec/geographic.tsv"), languages)
    missing = [nan] * 4
    expected = [[0, nan, 0.4670, 0.4181], missing, [0.4670, nan, 0, 0.2294], [0.4181, nan, 0.2294, 0]]
    np.testing.assert_array_equal(found, np.array(expected))  # read off the file


@pytest.mark.parametrize(
    "content",
    [
        "\tsw\tde\tja\nsw\t0\t.5\t1\nde\t.5\t0\t.25\nja\t1\t.25\t0\n",
        "lang,sw,de,ja\nsw,0,.5,1\nde,.5,0,.25\nja,1,.25,0",
        'x;"Swahili";German;"Japanese"\r\nKiswahili;0;0.5;1\r\ndeu_Latn;0.5;0;2.5e-1\r\n日本語;1;0.25;0\r\n',
        "\ufeff,ja,xx-unknown,swh_Latn,ger,en\nen,7,8,9,6,0\nnobody knows,n,o,n,e,!\n"
        "sw,1,,0,.5,9\nde,.25,,.5,0,6\nja,0,,1,.25,7",
        "# from somewhere\n\n\tsw\tde\tja\nsw\t\t\t\nde\t.5\tNA\t\n\nja\t1\t.25\tnan\n",  # one half, no diagonal
        "\tsw\tde\tja\nsw\t0\t.5\t1\nde\t0.5000004\t0\t.25\nja\t1\t.25\t0\n",  # rounded
        "\tsw\tde\tja\nsw\t0\t.5\t1\nde\t.5\t0\t.25\nja\t1\t.25\t0\n".encode("utf-16"),
    ],
)
def test_usual_forms_of_a_table(tmp_path: Path, content: str | bytes) -> None:
    found = read_distances(write(tmp_path, content), THREE)
    np.testing.assert_allclose(found, EXPECTED, atol=1e-6)
    assert (found == found.T).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\tsw\tde\tja\n", "between 0 of the languages"),
        ("just words\n", "1 columns"),
        ("\tsw\tde\tja\nsw\t0\t.5\t1\nde\t.5\t0\nja\t1\t.25\t0\n", "Line 3 of .* has 3 columns, its first line 4"),
        ("\tsw\tde\tja\nsw\t0\t.5\t1\nde\t.4\t0\t.25\nja\t1\t.25\t0\n", "0.5 from sw to de and 0.4 from de to sw"),
        ("\tsw\tde\tja\nsw\t0\t.5\t1\nde\t.5\t0\t-1\nja\t1\t-1\t0\n", "line 3, column 4: '-1' is no distance"),
        ("\tsw\tde\tja\nsw\t0\t.5\t1\nde\t.5\t0\tinf\nja\t1\tinf\t0\n", "line 3, column 4: 'inf' is no distance"),
        ("\tsw\tde\tja\nsw\t0\tfar\t1\nde\t.5\t0\t1\nja\t1\t1\t0\n", "line 2, column 3: 'far' is no distance"),
        ("\tsw\tde\tja\nsw\t1\t.5\t1\nde\t.5\t1\t1\nja\t1\t1\t1\n", "sw is at 1 from itself"),
        ("\tsw\tde\tKiswahili\nsw\t0\t.5\t0\n", "The first line of .* has sw twice"),
        ("\tsw\tde\tja\nsw\t0\t.5\t1\nswh\t0\t.5\t1\nja\t1\t1\t0\n", "The first column of .* has sw twice"),
        ("\tsw\tde\ten\nsw\t0\t.5\t1\nde\t.5\t0\t1\nen\t1\t1\t0\n", "between 2 of the languages compared"),
        ("\tsw\tde\tja\nsw\t0\t.5\t\nde\t.5\t0\t\nja\t\t\t0\n", "between 2 of the languages compared"),
        (b"\tsw\tde\tja\nsw\t0\t\xff\t1\n", "is not text in UTF-8"),
        (b"\tsw\tde\tja\nsw\t0\t\0\t1\n", "NUL"),
        ("\tsw\tde\tja\n" + "sw\t0\t0\t0\n" * 6000, "6,001 lines"),
        ("sw," * 6000, "6,001 columns"),
        (" " * (16 * 2**20 + 1), "larger than 16 MiB"),
        ('"' + "a" * 200_000 + "\tb\tc\td", "cannot be read as a table"),
    ],
)
def test_what_is_no_table_of_distances_is_refused_in_one_sentence(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_distances(write(tmp_path, content), THREE)
    assert "distances.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.tsv", Path("a\0b")):
        with pytest.raises(InputError, match="Cannot read"):
            read_distances(path, THREE)


CELLS = st.sampled_from(["", "sw", "de", "ja", "0", ".5", "1", "nan", "NA", "-1", "1e999", '"', "x", "\ufeff", "#"])
TABLES = st.lists(st.lists(CELLS, max_size=5), max_size=6).map(
    lambda rows: "\n".join("\t".join(row) for row in rows).encode()
)


@given(st.binary(max_size=200) | TABLES | st.text().map(str.encode))
@example(b"\xff\xfe\x00")
@example(b'\tsw\tde\tja\nsw\t"0\t.5\t1')
def test_any_bytes_give_distances_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    path.write_bytes(content)
    try:
        found = read_distances(path, THREE)
    except InputError:
        return
    assert found.shape == (3, 3)
    assert np.array_equal(found, found.T, equal_nan=True)
    assert not (found < 0).any()
    assert not np.isinf(found).any()


@given(st.integers(0, 10**6), st.permutations(range(6)), st.sampled_from("\t;,"))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, order: list[int], delimiter: str
) -> None:
    languages: list[Language] = [parse(code) for code in PAPER_LANGUAGES[:6]]
    distances = symmetric(seed, 6)
    labels = [languages[i].code for i in order]
    rows = [[labels[k], *(repr(float(distances[i, j])) for j in order)] for k, i in enumerate(order)]
    path = tmp_path_factory.getbasetemp() / "written.txt"
    path.write_text("\n".join(delimiter.join(row) for row in [["", *labels], *rows]), encoding="utf-8")
    np.testing.assert_array_equal(read_distances(path, languages), distances)
