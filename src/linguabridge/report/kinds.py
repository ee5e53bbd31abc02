"""What is known of languages beside what a model sees in them: family and script, as figures show them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import altair as alt
import langcodes

from linguabridge.report.theme import BLUE, BROWN, GREEN, GREY, OLIVE, ORANGE, PINK, SKY, VERMILION
from linguabridge.spectrum.results import Spectrum

_LOOKS = (
    (BLUE, "circle"),
    (VERMILION, "square"),
    (GREEN, "triangle-up"),
    (ORANGE, "diamond"),
    (PINK, "triangle-down"),
    (OLIVE, "cross"),
    # Vega has no more shapes: a star, an hourglass, a bar, a post.
    (BROWN, "M0,-1L.24,-.32L.95,-.31L.38,.12L.59,.81L0,.4L-.59,.81L-.38,.12L-.95,-.31L-.24,-.32Z"),
    (SKY, "M-.8,-.9L.8,-.9L-.8,.9L.8,.9Z"),
    # From here on, colours repeat.
    (PINK, "M-1,-.4L1,-.4L1,.4L-1,.4Z"),
    (ORANGE, "M-.4,-1L.4,-1L.4,1L-.4,1Z"),
)
_OTHERS, _UNKNOWN = "other families", "family not known"
_OTHER_LOOKS = {_OTHERS: (GREY, "triangle-right"), _UNKNOWN: (GREY, "triangle-left")}


def families_of(result: Spectrum) -> tuple[dict[str, str], list[str]]:
    """Each language's family as figures name it, and those names: the most frequent first, then the rest as one."""
    widest = {code: groups[0] if groups else None for code, groups in result.families.items()}
    frequent = Counter(one for one in widest.values() if one).most_common()
    named = [family for family, _ in sorted(frequent, key=lambda item: (-item[1], item[0]))]
    kept = named if len(named) <= len(_LOOKS) else named[: len(_LOOKS)]
    found = {code: _UNKNOWN if one is None else one if one in kept else _OTHERS for code, one in widest.items()}
    return found, [*kept, *(one for one in _OTHER_LOOKS if one in found.values())]


def family_looks(domain: list[str]) -> dict[str, Any]:
    """Colour and shape by family: Vega joins the two legends into one."""
    looks = [_OTHER_LOOKS.get(family) or _LOOKS[i] for i, family in enumerate(domain)]
    legend = alt.Legend(
        title="family", orient="bottom", columns=alt.expr("width < 400 ? 2 : 4"), symbolOpacity=1, symbolSize=70
    )
    return {
        "color": alt.Color(
            "family:N", scale=alt.Scale(domain=domain, range=[colour for colour, _ in looks]), legend=legend
        ),
        "shape": alt.Shape(
            "family:N", scale=alt.Scale(domain=domain, range=[shape for _, shape in looks]), legend=legend
        ),
    }


def known(result: Spectrum, code: str) -> dict[str, str]:
    """What is known of a language, for tooltips."""
    return {"groups": " › ".join(result.families[code]) or "not known", "script": script_name(result.scripts[code])}


def language_tooltip() -> list[alt.Tooltip]:
    """What is said of a language in every figure."""
    return [
        alt.Tooltip("language:N", title="language"),
        alt.Tooltip("groups:N", title="family"),
        alt.Tooltip("script:N", title="script"),
    ]


def script_name(code: str) -> str:
    """English name of a script by its ISO 15924 code."""
    return langcodes.Language.make(script=code).script_name() if code else ""
