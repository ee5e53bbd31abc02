"""Made-up sections for tests of the page: small, of many languages, hostile, and large."""

from __future__ import annotations

import math
from typing import Any

from linguabridge.report.section import Choice, Figure, Items, Section, Table, Written

WORDS = {
    "ar": "كتاب",
    "he": "ספר",
    "ur": "کتاب",
    "ja": "直す",
    "zh": "骨直す",
    "zh-Hant": "骨書",
    "ko": "책",
    "hi": "किताब",
    "th": "หนังสือ",
    "am": "መጽሐፍ",
    "de": "Straße",
    "en": "book",
}
LAYERS = range(4, 14)
CANDIDATES = (("en", "English"), ("fr", "French"), ("fa", "Persian"))


def _value(layer: int, place: int) -> float:
    return round(0.3 + 0.2 * math.sin(layer / 3 + 2 * place) + 0.05 * place, 4)


def layers() -> Figure:
    """Lines of one candidate, which the reader chooses."""
    rows = [
        {"layer": layer, "candidate": code, "score": _value(layer, place)}
        for place, (code, _) in enumerate(CANDIDATES)
        for layer in LAYERS
    ]
    return Figure(
        name="layers",
        title="Dependence by layer",
        caption="The higher, the more a candidate's bridge neurons depend on those that source and target share.",
        spec={
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "data": {"values": rows},
            "params": [{"name": "candidate", "value": "en"}],
            "transform": [{"filter": "datum.candidate === candidate"}],
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {"field": "layer", "type": "ordinal", "title": "Layer", "axis": {"labelAngle": 0}},
                "y": {"field": "score", "type": "quantitative", "title": "Score", "scale": {"domain": [0, 0.7]}},
                "tooltip": [{"field": "layer"}, {"field": "score"}],
            },
            "width": 560,
            "height": 220,
        },
        table=Table(
            "Dependence by layer",
            ("Candidate", "Layer", "Score"),
            tuple((row["candidate"], row["layer"], row["score"]) for row in rows),  # type: ignore[misc]
        ),
        choices=(Choice("candidate", "Candidate", CANDIDATES, "en"),),
    )


def heat_map(n: int, name: str = "similarity") -> Figure:
    """n x n cells."""
    names = [f"Language {i}" for i in range(n)]
    rows: list[dict[str, Any]] = [
        {"a": names[i], "b": names[j], "v": round(math.exp(-abs(i - j) / 12), 4)} for i in range(n) for j in range(n)
    ]
    axis = {"labelOverlap": True, "title": None}
    return Figure(
        name=name,
        title="How like languages are",
        caption="Correlation of activation probabilities; the darker, the more alike.",
        spec={
            "data": {"values": rows},
            "mark": "rect",
            "encoding": {
                "x": {"field": "a", "type": "nominal", "axis": axis, "sort": None},
                "y": {"field": "b", "type": "nominal", "axis": axis, "sort": None},
                "color": {"field": "v", "type": "quantitative", "scale": {"scheme": "cividis"}, "title": "r"},
                "tooltip": [{"field": "a", "title": "One"}, {"field": "b", "title": "Other"}, {"field": "v"}],
            },
            "width": 560,
            "height": 560,
        },
        table=Table("How like languages are", ("One", "Other", "r"), tuple((r["a"], r["b"], r["v"]) for r in rows)),
    )


def items(n: int) -> Items:
    """n rows: every third answer right, long prompts, words of many scripts."""
    codes = list(WORDS)
    rows = tuple(
        (
            i,
            Written(WORDS[codes[i % len(codes)]], codes[i % len(codes)]),
            ("direct", "through English")[i % 2],
            Written("Translate the word.\n" + f"A line of a prompt, number {i}. " * 12, None),
            (Written("كتاب", "ar"), Written("مكتوب", "ar")),
            i % 3 == 0,
            None if i % 7 == 0 else (i * 37 % 1000) / 1000,
        )
        for i in range(n)
    )
    return Items(
        "Every word in every arm",
        ("Item", "Word", "Arm", "Prompt", "Right answers", "Right", "Score"),
        rows,
        ("Arm", "Right"),
    )


def arms() -> Table:
    return Table(
        "What the check says",
        ("Arm", "Answers", "P@1", "MRR", "Words", "Copied"),
        (
            ("direct", Written("ספר", "he"), "41 %", 0.512, 12_345, False),
            ("through English", Written("本", "ja"), "<1 %", 0.0625, 60, True),
            ("through French", (Written("كتاب", "ar"), Written("کتاب", "fa")), "–", None, 60, False),
        ),
        "Ranking the right word among ten; a dash where nothing was measured.",
    )


def section(name: str = "ar-he", title: str = "Arabic → Hebrew: which bridge", n: int = 240, size: int = 7) -> Section:
    return Section(
        name=name,
        title=title,
        summary=(
            "English stands out as the bridge from Arabic to Hebrew. In the check, going through English helps.",
            "Why English: its 1,204 bridge neurons in layers 6 to 11 depend on the 310 neurons that Arabic and Hebrew "
            "share there, most in layer 9, with a score of .412 (95 % interval .380 to .447).",
        ),
        parts=(layers(), arms(), heat_map(size)),
        items=items(n) if n else None,
        notes=("Neurons were read on 5,000 tokens a language (CLDR).", "A word takes 2.1 tokens in Arabic."),
        manifest=(
            ("Model", "gemma-3-270m"),
            ("SHA-256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ("linguabridge", "0.1.0"),
        ),
        command="linguabridge recommend ar he --candidates en,fr,fa --out runs/ar-he",
    )


EVIL = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    "{{ 7 * 7 }} {% raw %} ${7*7} & &amp; \u2028 \u202e",
)


def hostile() -> Section:
    """Every text is markup that must stay text."""
    e = " ".join(EVIL)
    rows = tuple((text, Written(text, None), Written(text, text), (Written(text, "he"),)) for text in EVIL)
    columns = tuple(f"{one} {e}" for one in "abcd")
    spec = {**layers().spec, "title": e}
    spec["encoding"]["y"]["title"] = e
    choice = Choice("candidate", e, (("en", e), (e, e)), "en")
    return Section(
        name="evil",
        title=e,
        summary=(e,),
        parts=(
            Figure("plot", e, e, spec, Table(e, columns, rows, e), (choice,)),
            Table(f"t {e}", columns, rows, e),
        ),
        items=Items(e, columns, rows, columns),
        notes=(e,),
        manifest=((e, e),),
        command=e,
    )
