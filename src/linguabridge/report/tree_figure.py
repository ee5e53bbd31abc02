"""The tree of a spectrum: on its own, and as other figures draw it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt

from linguabridge.report.charts import finished, language_label, language_name, measured, rows
from linguabridge.report.kinds import families_of, family_looks, known, language_tooltip
from linguabridge.report.section import Figure, Table
from linguabridge.report.theme import GREY
from linguabridge.spectrum.results import Spectrum
from linguabridge.words import share

SURE = 0.5  # support from which a branch's is shown
IS_SURE = f"datum.support >= {SURE} && isValid(datum.stem)"  # the last branch holds all languages, in every sample
_ROOMY, _MANY = 40, 70  # languages up to which lines stand apart, and up to which branches say their support
_WIDTH, _TEXT = 460, 34  # pixels: of the tree, and of the support that a branch says


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
    x = alt.X(
        "height:Q",
        title="distance: 1 − correlation of activation probabilities",
        scale=alt.Scale(reverse=True),
        axis=alt.Axis(grid=False, tickCount=8),
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
        room = result.tree.branches[-1].height * _TEXT / _WIDTH  # in distances; a shorter stem has no room for text
        said = fork.transform_filter(IS_SURE).transform_filter(f"datum.stem >= {room}")
        layers.append(said.mark_text(align="right", dx=-5, dy=-6, fontSize=9).encode(text="said:N"))
    leaf = alt.Chart(rows("leaves")).encode(x=x, y=y, tooltip=language_tooltip())
    layers.append(leaf.mark_point(filled=True, size=45, opacity=1, xOffset=6).encode(**family_looks(domain)))
    layers.append(leaf.mark_text(align="left", dx=14, fontSize=11).encode(text="language:N"))
    title = "Which languages the model keeps together"
    branches = tuple(
        (", ".join(map(language_label, one.members)), one.height, one.support) for one in result.tree.branches
    )
    return Figure(
        name="tree",
        title=title,
        caption=(
            "Languages joined early (near their names) are alike to the model. A dot marks a branch that comes out in "
            f"at least {share(SURE)} of the bootstrap samples of the text, the larger the more often"
            f"{'; where there is room, in how many is written at it' if n <= _MANY else ''}. Colour and shape say the "
            "family, which the tree does not know."
        ),
        spec=finished(
            alt.layer(*layers).properties(width=_WIDTH, height=step * n), lines=lines, forks=forks, leaves=leaves
        ),
        table=Table(title, ("languages", "joined at distance", "support"), branches),
    )


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
