"""Names beside the points of a map, placed so that none covers another name or a point."""

from __future__ import annotations

import math
from collections.abc import Sequence

Box = tuple[float, float, float, float]  # left, top, right, bottom; pixels
_CHARACTER, _LINE = 0.6, 1.1  # width of a letter and height of a line by the size of the font, on the safe side
_POINT = 6.0  # half the width of a point
_DIRECTIONS = (0.0, math.pi, math.pi / 2, -math.pi / 2, math.pi / 4, -math.pi / 4, 3 * math.pi / 4, -3 * math.pi / 4)


def placed(
    points: Sequence[tuple[float, float]], texts: Sequence[str], size: tuple[float, float], font: float = 11.0
) -> list[tuple[float, float] | None]:
    """The middle of each text; None where there is no room for it.

    Args:
        points: in pixels.
        texts: one for each.
        size: width and height of the picture.
        font: size of the texts, in pixels.
    """
    taken: list[Box] = [(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in points]
    found: list[tuple[float, float] | None] = []
    for number, ((x, y), text) in enumerate(zip(points, texts, strict=True)):
        half = (width_of(text, font) / 2, _LINE * font / 2)
        others = taken[:number] + taken[number + 1 :]
        middle = next(
            (
                at
                for at in (_beside(x, y, half, direction) for direction in _DIRECTIONS)
                if _is_within(_box(at, half), size) and not any(overlap(_box(at, half), one) for one in others)
            ),
            None,
        )
        if middle:
            taken.append(_box(middle, half))
        found.append(middle)
    return found


def _beside(x: float, y: float, half: tuple[float, float], direction: float) -> tuple[float, float]:
    """The middle of a text that touches the point's surroundings in this direction."""
    across, down = round(math.cos(direction), 6), round(math.sin(direction), 6)
    return x + _sign(across) * (half[0] + _POINT), y + _sign(down) * (half[1] + _POINT - 2 * bool(across))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _box(middle: tuple[float, float], half: tuple[float, float]) -> Box:
    return middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]


def _is_within(box: Box, size: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def width_of(text: str, font: float) -> float:
    """Of a text in a font of this size, in pixels, on the safe side."""
    return len(text) * _CHARACTER * font


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have any room in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
