"""The tree of languages: joins, order and support, on cases that can be seen by eye."""

from __future__ import annotations

import numpy as np
import pytest

from linguabridge.spectrum.scaling import place
from linguabridge.spectrum.support import support
from linguabridge.spectrum.tree import cluster

CODES = ("ar", "he", "pt", "es", "zh")
#                ar   he   pt   es   zh
DISTANCES = np.array(
    [
        [0.0, 0.1, 0.5, 0.5, 0.8],
        [0.1, 0.0, 0.5, 0.5, 0.8],
        [0.5, 0.5, 0.0, 0.2, 0.8],
        [0.5, 0.5, 0.2, 0.0, 0.8],
        [0.8, 0.8, 0.8, 0.8, 0.0],
    ]
)


def test_the_nearest_join_first_at_the_mean_distance() -> None:
    tree = cluster(CODES, DISTANCES, {})
    assert [set(one.members) for one in tree.branches] == [
        {"ar", "he"},
        {"pt", "es"},
        {"ar", "he", "pt", "es"},
        set(CODES),
    ]
    assert [one.height for one in tree.branches] == pytest.approx([0.1, 0.2, 0.5, 0.8])


def test_kin_stand_side_by_side_in_the_order() -> None:
    order = cluster(CODES, DISTANCES, {}).order
    assert sorted(order) == sorted(CODES)
    assert abs(order.index("ar") - order.index("he")) == 1
    assert abs(order.index("pt") - order.index("es")) == 1
    assert order.index("zh") in (0, 4)


def test_support_is_the_share_of_samples_with_the_same_branch() -> None:
    torn = DISTANCES.copy()
    torn[[0, 2], [2, 0]] = 0.01  # ar and pt join first: neither ar–he nor pt–es is a branch
    tree = cluster(CODES, DISTANCES, support([1 - one for one in (DISTANCES, DISTANCES, DISTANCES, torn)]).branches)
    assert [one.support for one in tree.branches] == [0.75, 0.75, 1.0, 1.0]


def test_a_part_is_a_leaf_or_an_earlier_branch() -> None:
    tree = cluster(CODES, DISTANCES, {})
    below: list[set[str]] = [{code} for code in CODES]
    for number, one in enumerate(tree.branches):
        assert max(one.left, one.right) < len(CODES) + number
        below.append(below[one.left] | below[one.right])
        assert below[-1] == set(one.members)


def test_the_map_keeps_distances_that_two_dimensions_hold() -> None:
    rng = np.random.default_rng(0)
    # Unit vectors on a circle: their inner products are correlations of two dimensions.
    angles = rng.uniform(0, np.pi, 7)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points, shown = place(vectors @ vectors.T)
    assert shown == pytest.approx(1)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(vectors[:, None] - vectors[None], axis=-1), atol=1e-7)


def test_the_map_says_how_much_it_shows() -> None:
    points, shown = place(np.eye(4))  # a tetrahedron: three equal dimensions
    assert shown == pytest.approx(2 / 3)
    assert points.shape == (4, 2)
