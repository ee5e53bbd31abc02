"""The tree of a spectrum: on its own, and as other figures draw it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Literal

import altair as alt

from linguabridge.report.charts import finished, language_label, language_name, measured, rows
from linguabridge.report.kinds import families_of, family_looks, known, language_tooltip
from linguabridge.report.labels import Box, overlap, width_of
from linguabridge.report.section import Figure, Share, Table
from linguabridge.report.theme import GREY
from linguabridge.spectrum.results import Spectrum
from linguabridge.words import share

SURE = 0.5  # support from which a branch's is shown
IS_SURE = f"datum.support >= {SURE} && isValid(datum.stem)"  # the last branch holds all languages, in every sample
_ROOMY, _MANY = 40, 70  # languages up to which every branch says its support, and up to which those with room do
_WIDTH = 460  # pixels
_FONT = 9
# Where a branch's support may stand: how it is aligned, and how far right of and below the branch, in pixels.
_PLACES: dict[str, tuple[Literal["left", "right"], int, int]] = {
    "above": ("right", -5, -6),
    "below": ("right", -5, 7),
    "right": ("left", 7, 0),
    "right-above": ("left", 5, -8),
    "right-below": ("left", 5, 8),
}


def tree_figure(result: Spectrum) -> Figure:
    """The tree on its side, a language a line."""
    lines, forks = brackets(result)
    n = len(result.languages)
    family, domain = families_of(result)
    leaves = [
        {"across": i, "height": 0, "language": language_label(code), "family": family[code], **known(result, code)}
        for i, code in enumerate(result.tree.order)
    ]
    step = 20 if n <= _ROOMY else 14
    y = alt.Y("across:Q", axis=None, scale=alt.Scale(domain=[-0.5, n - 0.5], nice=False, zero=False, reverse=True))
    widest = max((one["height"] for one in forks), default=1) * 1.03 or 1
    x = alt.X(
        "height:Q",
        title="distance: 1 − correlation of activation probabilities",
        scale=alt.Scale(domain=[0, widest], nice=False, reverse=True),
        axis=alt.Axis(grid=False, tickCount=6),
    )
    drawn = (
        alt.Chart(rows("lines"))
        .mark_line(color=GREY, strokeWidth=1.5, strokeJoin="miter")
        .encode(x=x, y=y, detail="branch:N", order="corner:Q")
    )
    fork = alt.Chart(rows("forks")).encode(x=x, y=y, tooltip=fork_tooltip())
    dots = (
        fork.transform_filter(IS_SURE)
        .mark_point(filled=True, color=GREY, opacity=1)
        .encode(size=alt.Size("support:Q", scale=alt.Scale(domain=[SURE, 1], range=[12, 60]), legend=None))
    )
    layers = [drawn, dots]
    if n <= _MANY:
        forks = _with_places(forks, lines, (_WIDTH / widest, step), every=n <= _ROOMY)
        for place, (align, dx, dy) in _PLACES.items():
            if any(one.get("place") == place for one in forks):
                said = fork.transform_filter(f"datum.place === '{place}'")
                layers.append(said.mark_text(align=align, dx=dx, dy=dy, fontSize=_FONT).encode(text="said:N"))
    leaf = alt.Chart(rows("leaves")).encode(x=x, y=y, tooltip=language_tooltip())
    layers.append(leaf.mark_point(filled=True, size=45, opacity=1, xOffset=6).encode(**family_looks(domain)))
    layers.append(leaf.mark_text(align="left", dx=14, fontSize=11).encode(text="language:N"))
    title = "Which languages the model keeps together"
    branches = tuple(
        (", ".join(map(language_label, one.members)), one.height, Share(one.support)) for one in result.tree.branches
    )
    return Figure(
        name="tree",
        title=title,
        caption=(
            "Languages joined early (near their names) are alike to the model. A dot marks a branch that comes out in "
            f"at least {share(SURE)} of the bootstrap samples of the text, the larger the more often"
            f"{_written(n)}. Colour and shape say the family, which the tree does not know."
        ),
        spec=finished(
            alt.layer(*layers).properties(width=_WIDTH, height=step * n), lines=lines, forks=forks, leaves=leaves
        ),
        table=Table(title, ("languages", "joined at distance", "support"), branches),
    )


def _written(n: int) -> str:
    if n > _MANY:
        return ""
    return f"; {'' if n <= _ROOMY else 'where there is room, '}in how many is written at it"


def _with_places(
    forks: list[dict[str, Any]], lines: list[dict[str, Any]], pixels: tuple[float, float], *, every: bool
) -> list[dict[str, Any]]:
    """Forks, each with the place where its support crosses neither a line nor another support.

    Args:
        forks: of :func:`brackets`.
        lines: likewise.
        pixels: in one unit of height, and in one of languages.
        every: whether also those without room say theirs.
    """

    def at(row: dict[str, Any]) -> tuple[float, float]:
        return -row["height"] * pixels[0], row["across"] * pixels[1]  # from the right edge, where languages are

    taken: list[Box] = []
    for one, other in itertools.pairwise(lines):
        if one["branch"] == other["branch"]:
            (x, y), (to_x, to_y) = at(one), at(other)
            taken.append((min(x, to_x) - 1, min(y, to_y) - 1, max(x, to_x) + 1, max(y, to_y) + 1))
    sure = [one for one in forks if one["support"] >= SURE and one["stem"] is not None]
    dots = {id(one): (at(one)[0] - 4, at(one)[1] - 4, at(one)[0] + 4, at(one)[1] + 4) for one in sure}
    found = []
    for fork in forks:
        place = None
        if id(fork) in dots:
            others = [*taken, *(box for key, box in dots.items() if key != id(fork))]
            boxes = {name: _text_box(at(fork), fork["said"], name) for name in _PLACES}
            free = [name for name, box in boxes.items() if box[2] <= 0 and not any(overlap(box, one) for one in others)]
            place = free[0] if free else next(iter(_PLACES)) if every else None
            if place:
                taken.append(boxes[place])
        found.append({**fork, "place": place})
    return found


def _text_box(at: tuple[float, float], text: str, place: str) -> Box:
    align, dx, dy = _PLACES[place]
    x, y = at[0] + dx, at[1] + dy
    width = width_of(text, _FONT)
    left = x - width if align == "right" else x
    return left, y - _FONT * 0.5, left + width, y + _FONT * 0.5


def brackets(result: Spectrum) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The tree's lines, four corners for each branch, and its forks; leaves are numbered in the tree's order."""
    codes, place = result.codes, {code: i for i, code in enumerate(result.tree.order)}
    at: list[tuple[float, float]] = [(float(place[code]), 0.0) for code in codes]  # across, height
    above = {part: one.height for one in result.tree.branches for part in (one.left, one.right)}
    lines, forks = [], []
    for number, branch in enumerate(result.tree.branches):
        (left, low), (right, high) = at[branch.left], at[branch.right]
        corners = ((left, low), (left, branch.height), (right, branch.height), (right, high))
        lines += [
            {"branch": number, "corner": i, "across": across, "height": measured(height)}
            for i, (across, height) in enumerate(corners)
        ]
        at.append(((left + right) / 2, branch.height))
        parent = above.get(len(codes) + number)
        forks.append(
            {
                "across": (left + right) / 2,
                "height": measured(branch.height),
                "support": measured(branch.support),
                "said": share(branch.support),
                "stem": None if parent is None else measured(parent - branch.height),
                "languages": _listed(branch.members),
            }
        )
    return lines, forks


def fork_tooltip() -> list[alt.Tooltip]:
    """What is said of a branch in every figure."""
    return [
        alt.Tooltip("languages:N", title="languages"),
        alt.Tooltip("height:Q", title="joined at distance"),
        alt.Tooltip("said:N", title="support"),
    ]


def _listed(codes: Iterable[str]) -> str:
    """Names of languages; of many, how many more there are."""
    names = [language_name(code) for code in codes]
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])} and {len(names) - 10} more"
