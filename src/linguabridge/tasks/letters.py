"""Which of the lettered options a model's free text chooses.

It would rather find nothing than guess: an answer that could not be read is counted as such, a wrong reading would
count silently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from linguabridge.lexicons import normalise_word
from linguabridge.tasks.options import ALPHABET
from linguabridge.tasks.reading import (
    CLOSING,
    EUROPEAN,
    OPENING,
    Sentences,
    line_from,
    normal,
    without_markup,
    words,
)

_DOUBT = 15  # a place that cannot be told
# How lists are lettered elsewhere, in their order. The scaffolds list Latin letters, so that one of these can only be
# meant by its place; Cyrillic С stands for its look, and В, Д and Е may be meant either way.
_NATIVE = ("أبجده", "אבגדה", "ΑΒΓΔ", "กขคง", "कखगघ", "কখগঘ")
_PLACES = {letter: place for some in _NATIVE for place, letter in enumerate(some)}
_PLACES |= {"ا": 0, "А": 0, "Б": 1, "С": 2, "Г": 3, "В": _DOUBT, "Д": _DOUBT, "Е": _DOUBT}

# A letter or digit that may name an option is marked: a character of private use, with its place, takes its place. One
# that may be a word, "A dog", is weak: it counts where more than its neighbours says that it is a letter.
_STRONG, _WEAK, _DIGIT = "\ue000-\ue00f", "\ue010-\ue01f", "\ue020-\ue02f"
_ENDS = rf"[{CLOSING}]*[ ]?(?:\Z|\n|[.:])|[)\]}}]"
_CLOSED = rf"(?:{_ENDS}|[{CLOSING}]*[ ]?(?:[।॥。!;؛,،、(\[—–]|-\s|(?:because|since|as the|as it)\b))"
_INDIC = "\u0900-\u0963\u0966-\u0eff"  # whose vowel signs are no \w
_LETTER = re.compile(
    rf"(?<![{EUROPEAN}\d°/@#&])(?<![{EUROPEAN}]['’.-])"
    rf"(?:[A-JАБВГДЕСΑΒΓΔ]|[bcdfghj](?={_ENDS})|(?<!\w )[aei](?={_ENDS}))"
    rf"(?![{EUROPEAN}\d+#/]|['’.-][{EUROPEAN}])"
    rf"|(?<![\w{_INDIC}])[أبجدهاאבגדהกขคงकखगघকখগঘ](?![\w{_INDIC}])"
)
_FIGURE = re.compile(  # $2 is money, $2$ is not
    rf"(?<![{EUROPEAN}\d$€£¥%+/=°^-])(?<!\d[.,:])\d(?={_CLOSED})(?!\$|[.,:]\d)|(?<=\$)\d(?=\$)"
)


@dataclass(frozen=True)
class _Mention:
    at: int
    place: int
    final: bool = False


def parse_letter(text: str, n_options: int, options: Sequence[str] = ()) -> str | None:
    r"""Read which option a text chooses.

    Read are a letter on its own (``B``, ``b.``, ``**B**``, ``(B)``, ``$B$``, ``\boxed{B}``), one that a line begins
    with (``B) Paris``), one that is said to be the answer ("the answer is B", "الإجابة: B", "B is correct"), letters
    of other scripts by their place in their lists (ب, ב), a digit where it can only count options, and an option's
    text, whole. A conclusion ("so the answer is C") counts more than what stands before it. Otherwise letters that
    differ, letters out of range and letters that may be words ("a dog") give None.

    Args:
        text: what the model wrote.
        n_options: how many there are, lettered from A.
        options: their texts, if they are to be recognised.

    Returns:
        The letter; None where in doubt.
    """
    reader = _Reader(text, options[:n_options])
    mentions = list(reader.mentions())
    last = max((one.at for one in mentions if one.final), default=-1)
    found = {one.place for one in mentions if one.at >= last} or {one.place for one in reader.named()}
    place = found.pop() if len(found) == 1 else _DOUBT
    return ALPHABET[place] if place < min(n_options, len(ALPHABET)) else None


@dataclass(frozen=True)
class _Patterns:
    lead: re.Pattern[str]
    said: re.Pattern[str]
    right: re.Pattern[str]
    concluded: re.Pattern[str]
    named: re.Pattern[str]
    rejected: re.Pattern[str]
    another: re.Pattern[str]
    listed: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """``rejected`` and ``another`` are matched behind a mark, ``listed`` at one, what is ``said`` ends before one."""
    w = words()
    answer, option, between, right = w.answer.pattern, w.option.pattern, w.between.pattern, w.right.pattern

    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern, re.IGNORECASE | re.MULTILINE)

    return _Patterns(
        lead=compiled(
            rf"^[ {OPENING}•-]*+([{_STRONG}{_DIGIT}])(?={_CLOSED})"
            rf"((?<=\(.)[^\n]{{0,300}}?\((?!\1)[{_STRONG}]\))?"  # (A) Paris (B) London
        ),
        said=compiled(rf"(?:{answer}|{right}[ ]?{option}){w.fillers.pattern}"),
        right=compiled(
            rf"([{_STRONG}{_WEAK}])[{CLOSING}]*(?:(?:\s*{between}){{1,4}}?\s*|\s*(?![{EUROPEAN}\s])){right}"
        ),
        concluded=compiled(rf"{w.so.pattern}[\s,:،、{OPENING}]*+([{_STRONG}])(?=[{CLOSING}]*[ ]?(?:\Z|[\n.。।!]))"),
        named=compiled(rf"[(\[$]([{_STRONG}{_WEAK}])(?=[)\]$])|{option}[\s:{OPENING}]*+([{_STRONG}{_WEAK}{_DIGIT}])"),
        rejected=compiled(rf"[\s{CLOSING}]*+(?:{between}\s*){{0,3}}+{w.denial.pattern}"),
        another=compiled(
            rf"[{CLOSING}]*\s*(?:{w.either.pattern}|{w.both.pattern}[\s{OPENING}]*+([{_STRONG}{_DIGIT}])"
            rf"|[])/&+,،、;:.-][ ]?(?:{w.both.pattern})?[ {OPENING}]*+([{_STRONG}{_DIGIT}])(?={_CLOSED})"
            rf"|[/&+,،、;][ ]?{w.either.pattern})"
        ),
        listed=compiled(rf"(.)[^\n]{{0,300}}?(?<!\()(?!\1)[{_STRONG}](?:[.):][ ]?\w|[ ]\()"),  # A. Paris B. London
    )


class _Reader:
    """A text, and the same with its letters marked."""

    def __init__(self, text: str, options: Sequence[str]) -> None:
        text = normal(without_markup(text)).translate({ord("*"): None, ord("`"): None, ord("_"): " "})
        text = re.sub("[\ue000-\uf8ff]", "", re.sub(r"[^\S\n]+", " ", text))
        self._text = re.sub(r"(?m)^ ?[#>]+ ?|^ +", "", re.sub(r" ?\n\s*", "\n", text)).strip()
        self._known: dict[str, int] = {}
        for place, option in enumerate(map(normalise_word, options)):
            self._known[option] = _DOUBT if option in self._known else place
        self._known.pop("", None)
        self._longest = 20 + max(map(len, options), default=0)
        marked = _LETTER.sub(self._mark, self._text)
        if not any(re.search(r"\d", option) for option in options):
            marked = _FIGURE.sub(lambda match: chr(0xE020 + (unicodedata.decimal(match[0]) - 1) % 16), marked)
        self._marked = marked
        self._sentences = Sentences(marked)

    @staticmethod
    def _mark(match: re.Match[str]) -> str:
        letter = match[0]
        place = _PLACES[letter] if letter in _PLACES else ALPHABET.index(letter.upper())
        rest = match.string[match.end() : match.end() + 16]
        word = letter in "AEI" or "А" <= letter <= "С"
        weak = word and re.match(rf"[ ]?[{EUROPEAN}\d]", rest) and not re.match(_CLOSED, rest)
        return chr((0xE010 if weak else 0xE000) + place)

    def mentions(self) -> Iterator[_Mention]:
        """Letters that are chosen."""
        patterns, marked, w = _patterns(), self._marked, words()
        for match in patterns.lead.finditer(marked):
            rest = line_from(self._text, match.end(1), self._longest)
            alone = not re.search(r"\w", rest)
            counts = marked[match.start(1)] >= "\ue020" and not alone and normalise_word(rest) not in self._known
            if not counts:  # "2. Then"
                yield from [_Mention(match.start(1), _DOUBT)] if match[2] else self._mention(match.start(1))
        for match in patterns.said.finditer(marked):
            end = match.end()
            if self._sentences.has_before(match.start(), w.denial):
                continue  # "the wrong answer is A"
            final = self._sentences.has_before(end, w.so) or w.so.search(marked, match.start(), end) is not None
            if re.match(f"[{_STRONG}{_DIGIT}]", marked[end : end + 1]):
                yield from self._mention(end, final=final)
            elif (place := self._option(end)) is not None:
                yield _Mention(end, place, final)
        for match in patterns.right.finditer(marked):
            at = match.start(1)
            if not self._sentences.has_before(at, w.denial):
                yield from self._mention(at, final=self._sentences.has_before(at, w.so))
        for match in patterns.concluded.finditer(marked):
            yield from self._mention(match.start(1), final=True)
        for match in re.finditer(r"[^\n]+", self._text):
            if (place := self._option(match.start())) is not None:
                yield _Mention(match.start(), place)

    def named(self) -> Iterator[_Mention]:
        """Letters that are marked as such, (B) or "option B", and not said to be wrong."""
        for match in _patterns().named.finditer(self._marked):
            if not self._sentences.has_before(match.start(), words().denial):
                yield from self._mention(match.start(match.lastindex or 0))

    def _mention(self, at: int, *, final: bool = False) -> Iterator[_Mention]:
        """None if it is said to be wrong; in doubt if another one is named in the same breath, or its text."""
        place = ord(self._marked[at]) % 16
        option = self._option(at + 1)
        if option is not None:
            yield _Mention(at, place if option == place else _DOUBT, final)
        elif not _patterns().rejected.match(self._marked, at + 1):
            other = _patterns().another.match(self._marked, at + 1)
            same = other is None or (other.lastindex and ord(other[other.lastindex]) % 16 == place)
            listed = _patterns().listed.match(self._marked, at)
            yield _Mention(at, place if same and not listed else _DOUBT, final)

    def _option(self, start: int) -> int | None:
        """Of the options, the one whose text is the rest of the line."""
        rest = line_from(self._text, start, self._longest)
        return self._known.get(normalise_word(rest)) if self._known else None
