"""What reading a letter and reading a number from a model's free text have in common.

The words that are looked for are data, in ``data/answers.toml``, and looked for in every language, since a model
answers in the one it likes.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LONGEST = 8_000  # characters that are read, the last ones: there the answer of a long text stands
EUROPEAN = "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff"
CLOSING = "\"'”’»›」』)\\]}>$"
OPENING = "\"'“‘«‹„「『([{<$"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_SENTENCE_END = re.compile(r"[.!?؟](?=\s|$)|[。！？।॥\n]")
_UNSEEN = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u0640\u064b-\u0652\u0591-\u05c7]")


@dataclass(frozen=True)
class Words:
    """Patterns of the words in ``data/answers.toml``, all languages together.

    ``between`` is one word that may stand between "answer" and the answer; ``fillers`` are all that do, with colons,
    quotes and brackets. ``zeros`` has the powers of ten that ``powers`` and ``powers_before`` name.
    """

    answer: re.Pattern[str]
    between: re.Pattern[str]
    fillers: re.Pattern[str]
    so: re.Pattern[str]
    option: re.Pattern[str]
    right: re.Pattern[str]
    denial: re.Pattern[str]
    either: re.Pattern[str]
    both: re.Pattern[str]
    step: re.Pattern[str]
    powers: re.Pattern[str]
    powers_before: re.Pattern[str]
    zeros: dict[str, int]


@cache
def words() -> Words:
    """The words, read once."""
    tables = tomllib.loads(files("linguabridge").joinpath("data", "answers.toml").read_text("utf-8"))

    def listed(key: str) -> list[str]:
        return [word for table in tables.values() for word in table.get(key, ())]

    def powers(key: str) -> dict[str, int]:
        return {normal(word).casefold(): zeros for table in tables.values() for word, zeros in table.get(key, ())}

    between, after, before = _any_of(listed("is")), powers("list"), powers("before")
    gap = rf"(?:[\s:=→>|,،~{OPENING}{CLOSING}–—]|\.(?!\d)|-(?![\d¤]))++"
    return Words(
        answer=_any_of(listed("answer")),
        between=between,
        fillers=re.compile(f"(?:{gap}|{between.pattern}){{0,12}}+", re.IGNORECASE),
        so=_any_of(listed("so")),
        option=_any_of(listed("option")),
        right=_any_of(listed("right")),
        denial=re.compile(_any_of(listed("not")).pattern + r"|n't\b|n’t\b", re.IGNORECASE),
        either=_any_of(listed("or")),
        both=_any_of(listed("and")),
        step=_any_of(listed("step")),
        powers=_any_of(after),
        powers_before=_any_of(before),
        zeros={**after, **before},
    )


def _any_of(listed: Iterable[str]) -> re.Pattern[str]:
    """Any of some words, as whole words where their script has spaces between words; the longest first."""
    european: list[str] = []
    unspaced: list[str] = []
    others: list[str] = []
    for word in sorted({normal(word) for word in listed}, key=lambda one: (-len(one), one)):
        script = european if re.match(f"[{EUROPEAN}]", word) else others
        script = unspaced if re.match(f"[{_UNSPACED}]", word) else script
        script.append(re.escape(word).replace(r"\ ", r"\s+"))
    patterns = ["|".join(unspaced)] if unspaced else []
    patterns += [
        f"(?<![{letters}])(?:{'|'.join(script)})(?![{letters}])"
        for letters, script in ((EUROPEAN, european), (r"\w", others))
        if script
    ]
    return re.compile(f"(?:{'|'.join(patterns)})", re.IGNORECASE)


def normal(text: str) -> str:
    """NFKC, without characters that are not seen and without Arabic and Hebrew vowel signs."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def ascii_digits(text: str) -> str:
    """Digits of all scripts as 0 to 9."""
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def without_markup(text: str) -> str:
    r"""Without thoughts, tags and LaTeX commands; what is ``\boxed`` becomes a final answer on a line of its own."""
    text = text[-LONGEST:].rpartition("</think>")[2].partition("<think>")[0]  # an unfinished thought is no answer
    text = re.sub(r"<[|/]?[a-zA-Z][\w|/-]{0,30}>", " ", text)
    text = re.sub(r"\\([$%#&_])", r"\1", text)
    text = re.sub(r"\\[()\[\]]", " ", text)
    text = re.sub(r"\\[,;:!]|\\ ", "\u00a0", text).replace("{,}", ",")
    inner = r" ?\{([^{}\n]{0,200})\}"
    for _ in range(3):  # commands within commands
        text = re.sub(rf"\\(?:text\w{{0,6}}|math\w{{0,6}}|mbox|bf|rm){inner}", r"\1", text)
        text = re.sub(rf"\\[dt]?frac{inner}{inner}", r" \1/\2 ", text)
        text = re.sub(rf"\\f?boxed{inner}", "\nfinal answer: \\1\n", text)
    return text.replace("\\times", "×").replace("\\cdot", "×").replace("\\div", "÷")


class Sentences:
    """Where words of some kind stand before a place in its own sentence; the text is searched once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text))]
        self._places: dict[re.Pattern[str], list[int]] = {}

    def has_before(self, place: int, pattern: re.Pattern[str]) -> bool:
        """Whether the sentence that has this place has the pattern before it."""
        if pattern not in self._places:
            self._places[pattern] = [match.start() for match in pattern.finditer(self._text)]
        found = self._places[pattern]
        last = bisect_right(found, place - 1) - 1
        return last >= 0 and found[last] >= self._starts[bisect_right(self._starts, place) - 1]


def line_from(text: str, start: int, longest: int = LONGEST) -> str:
    """The rest of a line, or its first characters if it is long."""
    return text[start : start + longest].partition("\n")[0]
