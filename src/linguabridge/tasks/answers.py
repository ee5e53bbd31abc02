"""What a model's free text answers: one of the options' letters, or a number.

Both readers would rather find nothing than guess: an answer that could not be read is counted as such, a wrong reading
would count silently. The words that they look for are data, in ``data/answers.toml``, and looked for in every
language, since a model answers in the one it likes.
"""

from __future__ import annotations

import heapq
import re
import tomllib
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import cache
from importlib.resources import files
from itertools import pairwise

from linguabridge.languages import Language
from linguabridge.lexicons import normalise_word

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DOUBT = "?"  # stands for a letter that is meant but cannot be told, or is none of the options'
_LONGEST = 8_000  # characters that are read, the last ones: there the answer of a long text stands

# How lists are lettered elsewhere, in their order. The scaffolds list Latin letters, so that one of these can only be
# meant by its place. Cyrillic is told apart below: it shares the look of some letters with Latin, not their order.
_NATIVE = {
    "أبجده": "ABCDE",
    "ا": "A",
    "אבגדה": "ABCDE",
    "ΑΒΓΔ": "ABCD",
    "αβγδ": "ABCD",
    "กขคง": "ABCD",
    "कखगघ": "ABCD",
    "কখগঘ": "ABCD",
}
# А, С and Б stand where their Latin looks or sounds are; Г is the fourth. В may be the third, or look like a B; Д may
# be the fifth, or sound like a D; Е may be the sixth, or look like an E.
_CYRILLIC = {"А": "A", "Б": "B", "В": "BC", "Г": "D", "Д": "DE", "Е": "EF", "С": "C"}
_NATIVE_LETTERS = {
    **{letter: place for letters, places in _NATIVE.items() for letter, place in zip(letters, places, strict=True)},
    **_CYRILLIC,
    **{letter.lower(): place for letter, place in _CYRILLIC.items()},
}

_EUROPEAN = "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_CLOSING = "\"'”’»›」』)\\]}>$"
_OPENING = "\"'“‘«‹„「『([{<$"
_SENTENCE_END = re.compile(r"[.!?。！？।॥؟](?=\s|$)|[。！？।॥؟\n]")
_UNSEEN = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u0640\u064b-\u0652\u0591-\u05c7]")


@dataclass(frozen=True)
class _Words:
    """Patterns of the words in ``data/answers.toml``, all languages together."""

    answer: re.Pattern[str]
    between: re.Pattern[str]
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
def _words() -> _Words:
    tables = tomllib.loads(files("linguabridge").joinpath("data", "answers.toml").read_text("utf-8"))

    def listed(key: str) -> list[str]:
        return [word for table in tables.values() for word in table.get(key, ())]

    def powers(key: str) -> dict[str, int]:
        return {_plain(word).casefold(): zeros for table in tables.values() for word, zeros in table.get(key, ())}

    after, before = powers("list"), powers("before")
    return _Words(
        answer=_any_of(listed("answer")),
        between=_any_of(listed("is")),
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


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of some words, as whole words where their script has spaces between words; the longest first."""
    patterns = []
    for word in sorted({_plain(word) for word in words}, key=lambda one: (-len(one), one)):
        letters = _EUROPEAN if re.match(f"[{_EUROPEAN}]", word) else r"\w"
        whole = re.escape(word).replace(r"\ ", r"\s+")
        patterns.append(whole if re.match(f"[{_UNSPACED}]", word) else f"(?<![{letters}]){whole}(?![{letters}])")
    return re.compile("(?:" + "|".join(patterns) + ")", re.IGNORECASE)


def _plain(text: str) -> str:
    """NFKC, without characters that are not seen and without Arabic and Hebrew vowel signs."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def _without_markup(text: str) -> str:
    r"""Without thoughts, tags and LaTeX commands; what is ``\boxed`` becomes a final answer on a line of its own."""
    text = text[-_LONGEST:]
    text = re.sub(r"<<[^<>\n]*>>", "", text)  # GSM8K's notes to its calculator
    text = text.rpartition("</think>")[2].partition("<think>")[0]  # an unfinished thought is no answer
    text = re.sub(r"<[|/]?[a-zA-Z][\w|/-]{0,30}>", " ", text)
    text = re.sub(r"\\([$%#&_])", r"\1", text)
    text = re.sub(r"\\[()\[\]]", " ", text)
    text = re.sub(r"\\[,;:!]|\\ ", "\u00a0", text).replace("{,}", ",")
    inner = r"\s*\{([^{}]*)\}"
    for _ in range(4):  # commands within commands
        text = re.sub(rf"\\(?:text\w*|math\w*|operatorname|mbox|bf|rm){inner}", r" \1 ", text)
        text = re.sub(rf"\\[dt]?frac{inner}{inner}", r" \1/\2 ", text)
        text = re.sub(rf"\\f?boxed{inner}", "\nfinal answer: \\1\n", text)
    return text.replace("\\times", "×").replace("\\cdot", "×").replace("\\div", "÷")


# --- Letters


@dataclass(frozen=True)
class _Token:
    """A letter that stands alone, or a digit that may count options.

    ``letter`` is an option's, or DOUBT; ``maybe`` has the letters it may be. ``wordlike``: the letter may be a word.
    """

    start: int
    end: int
    letter: str
    maybe: str
    digit: bool = False
    wordlike: bool = False


@dataclass(frozen=True)
class _Mention:
    at: int
    letter: str
    final: bool = False


def parse_letter(text: str, letters: int | str, options: Sequence[str] = ()) -> str | None:
    r"""Read which option a text chooses.

    Read are a letter on its own (``B``, ``b.``, ``**B**``, ``(B)``, ``$B$``, ``\boxed{B}``), one that leads
    (``B) Paris``), one that is said to be the answer ("the answer is B", "الإجابة: B", "B is correct"), letters of
    other scripts by their place in their lists (ب, ב), a digit where options are counted, and an option's text, whole.
    A conclusion ("so the answer is C") counts more than what stands before it. Otherwise letters that differ, letters
    out of range and letters that may be words ("a dog") give None. Cyrillic В, Д and Е are ambiguous (place or look):
    they are read only where the option's text follows.

    Args:
        text: what the model wrote.
        letters: of the options; a number takes so many from A.
        options: their texts, if they are to be recognised.

    Returns:
        One of the letters; None where in doubt.
    """
    alphabet = ALPHABET[:letters] if isinstance(letters, int) else letters.upper()
    text = _plain(_without_markup(text)).translate({ord("*"): None, ord("`"): None, ord("_"): " "})
    text = re.sub(r"(?m)^[ \t]*[#>]+[ \t]*", "", text).strip()
    known = _known_texts(options[: len(alphabet)])
    tokens = [
        _with_text(text, token, known, alphabet)
        for token in _tokens(text, alphabet, digits=not any(re.search(r"\d", _ascii_digits(one)) for one in options))
    ]
    mentions = sorted(
        [
            *_leading(text, tokens, known),
            *_said_to_be_the_answer(text, tokens, known, alphabet),
            *_said_to_be_right(text, tokens),
            *_concluded(text, tokens),
            *_texts_alone(text, known, alphabet),
        ],
        key=lambda one: one.at,
    )
    last = max((one.at for one in mentions if one.final), default=-1)
    found = {one.letter for one in mentions if one.at >= last}
    if not found:
        found = {token.letter for token in _in_brackets(text, tokens)}
    return found.pop() if len(found) == 1 and DOUBT not in found else None


def _known_texts(options: Sequence[str]) -> dict[str, str]:
    """Letters by options' texts; DOUBT where options share one."""
    known: dict[str, str] = {}
    for letter, option in zip(ALPHABET, options, strict=False):
        words = normalise_word(option)
        if words:
            known[words] = DOUBT if words in known else letter
    return known


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _tokens(text: str, alphabet: str, *, digits: bool) -> list[_Token]:
    native = "".join(_NATIVE_LETTERS)
    tokens = []
    for match in re.finditer(rf"[A-Za-z{native}]|\d" if digits else f"[A-Za-z{native}]", text):
        start, end, sign = match.start(), match.end(), match[0]
        if sign.isdecimal():
            if _digit_alone(text, start, end):
                place = unicodedata.decimal(sign) - 1
                letter = alphabet[place] if 0 <= place < len(alphabet) else DOUBT
                tokens.append(_Token(start, end, letter, letter, digit=True))
            continue
        if not _letter_alone(text, start, end):
            continue
        bracketed = text[start - 1 : start] in ("(", "[")
        if sign in "Ii" and not (bracketed and text[end : end + 1] in (")", "]")):
            continue  # the pronoun
        if "\u0590" <= sign <= "\u05ff" and text[end : end + 1] in ("'", "׳"):
            end += 1  # geresh: how Hebrew writes a letter that counts
        maybe = "".join(one for one in _NATIVE_LETTERS.get(sign, sign.upper()) if one in alphabet)
        ambiguous = sign in _NATIVE_LETTERS and len(_NATIVE_LETTERS[sign]) > 1
        letter = maybe if len(maybe) == 1 and not ambiguous else DOUBT
        wordlike = sign.islower() or sign in "AEOUYSKVZ" or sign.upper() in _CYRILLIC
        tokens.append(_Token(start, end, letter, maybe, wordlike=wordlike))
    return tokens


def _letter_alone(text: str, start: int, end: int) -> bool:
    sign, before, after = text[start], text[max(0, start - 2) : start], text[end : end + 2]
    if (after and _belongs(sign, after[0])) or (before and _belongs(sign, before[-1])):
        return False
    # C'est, A-frame, B.C., C++, and the other way round; °C
    if re.match(rf"['’.-][{_EUROPEAN}]|[+#]", after):
        return False
    return not re.fullmatch(rf"[{_EUROPEAN}]['’.-]|.?[°/@#&]|[{_EUROPEAN}].?/", before, re.DOTALL)


def _belongs(sign: str, neighbour: str) -> bool:
    """Whether a neighbour makes a word with the letter, so that it does not stand alone."""
    if neighbour.isdecimal() or unicodedata.category(neighbour).startswith("M"):
        return True
    return neighbour.isalpha() and _script(sign) == _script(neighbour)


@cache
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0]
    return "EUROPEAN" if name in {"LATIN", "GREEK", "CYRILLIC"} or letter in "ªº" else name


def _digit_alone(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if re.search(rf"[{_EUROPEAN}\d€£¥%+/=°^-]$|\d[.,:]$", before) or (before[-1:] == "$" and after[:1] != "$"):
        return False
    return not re.match(rf"[{_EUROPEAN}\d€£¥%/=°^+×-]|[.,:]\d", after)


def _closed(text: str, token: _Token) -> bool:
    """Whether the text pauses after a letter, so that it is no word of a sentence."""
    return re.compile(
        rf"[{_CLOSING}]*[ \t]*(?:\Z|[\n.。।॥!！;؛:：,،、(\[—–]|-\s|(?:because|since|as\s+the|as\s+it)\b)"
    ).match(text, token.end) is not None or (text[token.end : token.end + 1] in (")", "]", "}") and not token.digit)


def _line_rest(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start : len(text) if end < 0 else end]


def _content(text: str, token: _Token) -> str:
    """What stands after a letter on its line."""
    return _line_rest(text, token.end)


def _with_text(text: str, token: _Token, known: dict[str, str], alphabet: str) -> _Token:
    """A letter that an option's text follows: settled if it may be that option's letter, in doubt if it is another."""
    content = normalise_word(_content(text, token)) if known else ""
    letter = _letter(known.get(content), alphabet)
    if letter is None:
        return token
    return replace(token, letter=letter if letter in token.maybe else DOUBT)


def _letter(of_known: str | None, alphabet: str) -> str | None:
    """From the letters A, B… under which texts are known to those of the options."""
    if of_known is None or of_known == DOUBT:
        return of_known
    return alphabet[ALPHABET.index(of_known)]


def _at_or_after(tokens: Sequence[_Token], position: int) -> _Token | None:
    index = bisect_left(tokens, position, key=lambda one: one.start)
    return tokens[index] if index < len(tokens) else None


def _settled(text: str, tokens: Sequence[_Token], token: _Token) -> str:
    """The letter of a mention, or DOUBT where another one is named in the same breath: "A or B", "A, C"."""
    words = _words()
    pause = re.compile(rf"[{_CLOSING}]*\s*([/&+,،、;:.-]?)\s*").match(text, token.end)
    position = pause.end() if pause else token.end
    either, both = words.either.match(text, position), words.both.match(text, position)
    if either:
        return DOUBT
    if both:
        position = both.end()
    opening = re.compile(rf"[\s{_OPENING}]*").match(text, position)
    position = opening.end() if opening else position
    other = _at_or_after(tokens, position)
    if other is None or other.start != position or other.letter == token.letter or other.digit != token.digit:
        return token.letter
    if both and not other.wordlike:
        return DOUBT
    same_line = "\n" not in text[token.end : other.start]
    return DOUBT if same_line and (both or (pause and pause[0].strip())) and _closed(text, other) else token.letter


def _denied(text: str, token: _Token) -> bool:
    """Whether what follows says at once that the letter is wrong: "(B) is not", "C) incorrect"."""
    position = _after_fillers(text, token.end, ())
    return _words().denial.match(text, position) is not None


def _after_fillers(text: str, position: int, tokens: Sequence[_Token]) -> int:
    """Where the answer itself begins after "answer": behind "is", "option", colons, quotes and brackets."""
    gap = re.compile(rf"[\s:：=→>|,،~{_OPENING}{_CLOSING}.\u2013\u2014-]+")
    for _ in range(12):
        token = _at_or_after(tokens, position)
        if token is not None and token.start == position and (text[position].isupper() or _acceptable(text, token)):
            return position  # "a" alone may be a filler, Hungarian's article
        match = gap.match(text, position) or _words().between.match(text, position)
        if not match:
            break
        position = match.end()
    return position


def _acceptable(text: str, token: _Token) -> bool:
    """Whether a letter right after "the answer is" is one, and no word ("the answer is a dog")."""
    if _closed(text, token):
        return True
    follows = _content(text, token).lstrip()
    if token.digit:
        return False
    if token.wordlike:
        return not re.match(rf"[{_EUROPEAN}\d]", follows)
    return True


def _leading(text: str, tokens: Sequence[_Token], known: dict[str, str]) -> Iterator[_Mention]:
    """Letters that lines begin with: alone, or with a text after them unless the options are but listed."""
    starts = {match.end(): match.start() for match in re.finditer(rf"(?m)^[\s{_OPENING}•-]*", text)}
    lines = [match.start() for match in re.finditer(r"(?m)^(?=[^\n]*\S)", text)]
    leads: list[tuple[_Token, bool, bool]] = []  # letter, alone on its line, an option's text after it
    for token in tokens:
        if token.start not in starts or not _closed(text, token):
            continue
        content = _content(text, token)
        alone = not re.search(r"\w", content)
        agrees = bool(known) and normalise_word(content) in known
        if token.digit and not alone and not agrees:
            continue  # a list that counts something
        if text[token.end : token.end + 1] == "," and token.wordlike and text[token.start] in _NATIVE_LETTERS:
            continue  # Russian "а," and the like
        edge = bool(lines) and (starts[token.start] <= lines[0] or starts[token.start] >= lines[-1])
        if alone and token.digit and not edge:
            continue
        leads.append((token, alone, edge))
    yield from (_Mention(token.start, _settled(text, tokens, token)) for token, alone, _ in leads if alone)
    with_text = [(token, edge) for token, alone, edge in leads if not alone]
    places = [token.letter for token, _ in with_text]
    if _ascending(places):
        return  # the options, repeated
    if _ascending(places[1:]):
        with_text = with_text[:1]  # an answer, then the others one by one
    for token, edge in with_text:
        if (edge or len(with_text) > 1) and not _denied(text, token):
            yield _Mention(token.start, _settled(text, tokens, token))


def _ascending(letters: Sequence[str]) -> bool:
    return len(letters) > 1 and all(one < other for one, other in pairwise(letters))


def _said_to_be_the_answer(
    text: str, tokens: Sequence[_Token], known: dict[str, str], alphabet: str
) -> Iterator[_Mention]:
    words = _words()
    for match in heapq.merge(words.answer.finditer(text), words.option.finditer(text), key=lambda one: one.start()):
        sentence = text[_sentence_start(text, match.start()) : match.start()]
        if match.re is words.option and not re.search(rf"(?:{words.right.pattern})\s*\Z", sentence, re.IGNORECASE):
            continue  # "the correct option is B" says as much as "the answer is B"; "option B" does not
        if words.denial.search(sentence):
            continue  # "the wrong answer is A"
        position = _after_fillers(text, match.end(), tokens)
        final = words.so.search(sentence) is not None or words.so.search(text, match.end(), position) is not None
        letter = _letter(known.get(normalise_word(_line_rest(text, position))), alphabet) if known else None
        token = _at_or_after(tokens, position)
        if token is not None and token.start == position and _acceptable(text, token):
            cut_off = token.end == len(text) and re.search(r"\w\s+[aeiouy]$", text) is not None
            if not cut_off:  # "the answer is a", where generation ended
                yield _Mention(position, _settled(text, tokens, token), final)
        elif letter is not None:
            yield _Mention(position, letter, final)


def _sentence_start(text: str, position: int) -> int:
    begin = max(0, position - 200)
    return max((match.end() for match in _SENTENCE_END.finditer(text, begin, position)), default=begin)


def _said_to_be_right(text: str, tokens: Sequence[_Token]) -> Iterator[_Mention]:
    """Letters with "is correct" after them."""
    words = _words()
    for token in tokens:
        if token.digit:
            continue
        pause = re.compile(rf"[{_CLOSING}]*\s*").match(text, token.end)
        position = pause.end() if pause else token.end
        verb = words.between.match(text, position)
        if words.right.match(text, position):  # 正解, or "Bです": no verb before it
            verb = None
        if verb is None and re.match(rf"[{_EUROPEAN}]", text[position : position + 1]):
            continue
        position = verb.end() if verb else position
        for _ in range(3):
            space = re.compile(r"\s*").match(text, position)
            position = space.end() if space else position
            if words.right.match(text, position):
                sentence = text[_sentence_start(text, token.start) : token.start]
                final = words.so.search(sentence) is not None
                if not words.denial.search(sentence):
                    yield _Mention(token.start, _settled(text, tokens, token), final)
                break
            filler = words.between.match(text, position)
            if not filler:
                break
            position = filler.end()


def _concluded(text: str, tokens: Sequence[_Token]) -> Iterator[_Mention]:
    """Letters with nothing but "so" before them and nothing after them in the sentence: "Therefore, B."."""
    for match in _words().so.finditer(text):
        gap = re.compile(rf"[\s,:：،、{_OPENING}]*").match(text, match.end())
        token = _at_or_after(tokens, gap.end() if gap else match.end())
        if token is None or token.digit or token.start != (gap.end() if gap else match.end()):
            continue
        if re.compile(rf"[{_CLOSING}]*[ \t]*(?:\Z|[\n.。।!])").match(text, token.end):
            yield _Mention(token.start, _settled(text, tokens, token), final=True)


def _texts_alone(text: str, known: dict[str, str], alphabet: str) -> Iterator[_Mention]:
    """An option's text that is all there is, or the first or last line."""
    lines = [match for match in re.finditer(r"[^\n]+", text) if match[0].strip()]
    for line in {line.start(): line for line in [*lines[:1], *lines[-1:]]}.values():
        letter = _letter(known.get(normalise_word(line[0])), alphabet)
        if letter is not None:
            yield _Mention(line.start(), letter)


def _in_brackets(text: str, tokens: Sequence[_Token]) -> Iterator[_Token]:
    """Letters that are marked as such, (B) or "option B", and not said to be wrong: enough if there is only one."""
    words = _words()
    for token in tokens:
        bracketed = text[token.start - 1 : token.start] in ("(", "[", "$") and text[token.end : token.end + 1] in (
            *(")", "]", "$"),
        )
        begin = max(0, token.start - 30)
        named = any(
            _after_fillers(text, match.end(), tokens) == token.start
            for match in words.option.finditer(text, begin, token.start)
        )
        if named and text[token.start].islower() and not _acceptable(text, token):
            named = False  # "the option a man has"
        if not (named or (bracketed and not token.digit)):
            continue
        if words.denial.search(text, _sentence_start(text, token.start), token.start) or _denied(text, token):
            continue
        yield replace(token, letter=_settled(text, tokens, token))


# --- Numbers

# Languages that write a decimal comma (CLDR). All others are read in the English way, whose separators they share.
_DECIMAL_COMMA = (
    *("af", "az", "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fo", "fr", "gl", "hr", "hu"),
    *("hy", "id", "is", "it", "ka", "kk", "ky", "lt", "lv", "mk", "nl", "no", "pl", "pt", "qu", "ro", "ru", "sk", "sl"),
    *("sq", "sr", "sv", "tr", "uk", "uz", "vi"),
)
_DECIMAL_POINT_ABROAD = ("de-CH", "es-419", "es-MX", "es-US")

_CURRENCY = r"(?:[A-Z]{0,3}[$€£¥₹₽฿₪₫₩৳₱]|(?:Rs|Rp|RM|EUR|USD|KSh|KES|TSh|TZS|Sh|INR|BDT|GBP|JPY|CNY)\.?)"
_NUMBER = re.compile(
    r"\d{1,3}(?:[ '’٬]\d{3})+(?!\d)(?:[.,٫]\d+)*|\d+(?:[.,'’٬٫]\d+)*|(?<![\d.])\.\d+",
)
_HAN_POWERS = {"百": 2, "千": 3, "万": 4, "萬": 4, "億": 8, "亿": 8}
_HAN_DIGITS = {
    digit: value for value, digits in enumerate(("零〇", "一", "二两兩", *"三四五六七八九")) for digit in digits
}
_MOST_DIGITS = 30  # longer strings are no answers


@dataclass(frozen=True)
class _Figure:
    """A number in a text; no value where it is one that cannot be read for certain (1/2, 10:30, 3-5)."""

    start: int
    end: int
    value: Decimal | None


def parse_number(text: str, language: Language | None = None) -> Decimal | None:
    r"""Read the final answer of a word problem, exactly.

    That is the number said to be the answer ("the answer is 18", "#### 18", ``\boxed{18}``), the last one if there are
    several, else the last number of the text. Digits of all scripts, units, currencies and "thousand" or "million" in
    many languages are understood; Chinese numerals (十八) where they are all there is, or are said to be the answer.

    A comma or point with exactly three digits behind it (1,234; 1.234) is read by the text's own usage if another
    number in it tells ("1.50", "1.234,5"), else by ``language``: in German 1.234 is a whole number, in English a
    fraction. Everywhere else the form is unambiguous: 1,5 and 1.5 are decimals, 1 234 and 1,234,567 whole numbers.

    Args:
        text: what the model wrote.
        language: that separators are read in; None for English.

    Returns:
        The number; None where there is none, and where the one that counts is no plain number: a fraction (1/2), a
        range (3-5), a time, a power, an operand whose result is missing (3 × 6), "18k", "18 or 20".
    """
    text = _for_numbers(text)
    figures = _figures(text, comma_is_decimal=_comma_is_decimal(text, language))
    said = list(_said(text, figures))
    if said:
        return said[-1].value
    if figures:
        figure = figures[-1]
        return None if _is_operand(text, figure) else figure.value
    return _han_number(text)


def plain(number: Decimal) -> str:
    """A number as digits, without separators, exponent or closing zeros: ``18``, ``-1.5``."""
    digits = f"{number:f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in {"-0", ""} else digits


def _for_numbers(text: str) -> str:
    text = re.sub(r"####", "\nfinal answer: ", text[-_LONGEST:])
    text = _without_markup(text)
    text = re.sub(r"(?<=\d)[⁰¹²³⁴-⁹]+", "^", text)  # before NFKC, which makes m² into m2 and 10² into 102
    text = re.sub(r"[⁰¹²³⁴-⁹₀-₉\u2460-\u249b\u24ea]", " ", text)
    text = re.sub(r"(?<=\d)([¼-¾⅐-⅞])", r" \1", text)
    text = _ascii_digits(_plain(text)).replace("⁄", "/").replace("−", "-").replace("–", "-").replace("‐", "-")
    text = re.sub(r"(?<=\d)[ \t]*\*{1,2}[ \t]*(?=\d)", " × ", text)
    return re.sub(r"[*`_]", "", text)


def _comma_is_decimal(text: str, language: Language | None) -> bool:
    """How the text itself separates, if it says so and does not contradict itself; else how its language does."""
    comma = point = False
    for match in _NUMBER.finditer(text):
        signs = re.findall(r"[.,]", match[0])
        if not signs:
            continue
        last = len(match[0]) - match[0].rindex(signs[-1]) - 1
        if len(set(signs)) == 2 or (len(signs) == 1 and (last != 3 or match[0].startswith("0"))):
            comma, point = comma or signs[-1] == ",", point or signs[-1] == "."
        elif len(signs) > 1:
            comma, point = comma or signs[-1] == ".", point or signs[-1] == ","
    if comma != point:
        return comma
    if language is None or language.code in _DECIMAL_POINT_ABROAD:
        return False
    return language.code.split("-")[0] in _DECIMAL_COMMA


def _figures(text: str, *, comma_is_decimal: bool) -> list[_Figure]:
    figures: list[_Figure] = []
    done = 0
    for match in _NUMBER.finditer(text):
        if match.start() < done or _is_no_number(text, match):
            continue
        value = _value(match[0], comma_is_decimal=comma_is_decimal)
        start, negative = _sign(text, match.start())
        end = match.end()
        value, end = _with_power(text, match, value, end)
        if _is_part(text, match.start(), start, end):
            value = None
        figures.append(_Figure(start, end, value.copy_negate() if negative and value is not None else value))
        done = end
    return figures


def _is_no_number(text: str, match: re.Match[str]) -> bool:
    """Parts of names (CO2, GPT-4), ordinals, counts of steps, and numbers of list entries."""
    before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 24]
    if re.search(rf"[{_EUROPEAN}]-?$", before) and not re.search(rf"(?<![{_EUROPEAN}]){_CURRENCY}-?$", before):
        return True
    if re.match(r"(?:st|nd|rd|th)\b", after):
        return True
    step = list(_words().step.finditer(before))
    if step and not before[step[-1].end() :].strip(" #"):
        return True
    line = text.rfind("\n", 0, match.start()) + 1
    listed = re.fullmatch(r"[\s#(]*", text[line : match.start()]) and re.match(r"[.)](?=\s|\Z)|:\s", after)
    if not listed or "." in match[0]:
        return False
    if re.search(r"\S", _line_rest(text, match.end() + 1)):
        return True
    # Nothing behind it: an answer that ends in a full stop, or an entry that was cut off.
    return (
        re.search(rf"(?m)^[\s#(]*{int(match[0]) - 1}[.)]\s", text[:line]) is not None if match[0].isdigit() else False
    )


def _sign(text: str, start: int) -> tuple[int, bool]:
    """Where a number begins with its sign and currency, and whether it is negative."""
    match = re.search(rf"(?:(-)[ \t]?)?(?:{_CURRENCY}[ \t]?)?(-)?$", text[max(0, start - 12) : start])
    if not match or not match[0]:
        return start, False
    begin = start - len(match[0])
    if not (match[1] or match[2]):
        return begin, False
    previous = text[max(0, begin - 1) : begin]
    spaced = match[1] is not None and re.match(r"-[ \t]", match[0]) is not None
    operand = re.search(r"[\d)%]\s*$", text[max(0, begin - 4) : begin]) is not None
    return (begin, True) if not (spaced or operand or previous.isalnum() or previous == "-") else (begin + 1, False)


def _is_part(text: str, digits: int, start: int, end: int) -> bool:
    """Whether a number is part of something else: fraction, ratio, time, power, range, abbreviation."""
    before, after = text[max(0, start - 3) : start], text[end : end + 12]
    if re.search(r"\d\s?[/:^]$|[\d%]\s?-$|\^\s?$", before) or re.search(r"\d-$", text[max(0, digits - 2) : digits]):
        return True
    if re.match(r"\s?/\s?\d|:\d|\s?\^|\s?-\s?\d+(?![\d\s]*[=×])", after):
        return True
    return re.match(r"(?:[kKMB]|bn|e[+-]?\d+)(?![A-Za-z])|\s+dozen\b", after) is not None


def _value(written: str, *, comma_is_decimal: bool) -> Decimal | None:
    """The value of digits and separators; None where they do not make a number (12.05.2020)."""
    whole = re.sub("[ ’٬]", "'", written)
    marks = re.findall(r"[.,٫]", whole)
    if "'" in whole:
        head = re.split(r"[.,٫]", whole)[0]
        if not re.fullmatch(r"\d{1,3}(?:'\d{3})+", head) or len(marks) > 1:
            return None
        return _exact(whole.replace("'", "").replace(",", ".").replace("٫", "."))
    decimal = _decimal_mark(whole, marks, comma_is_decimal=comma_is_decimal)
    groups, _, rest = whole.rpartition(decimal) if decimal else (whole, "", "")
    grouping = re.findall(r"[.,٫]", groups)
    if len(set(grouping)) > 1 or decimal in grouping:
        return None
    if grouping and not re.fullmatch(r"[1-9]\d{0,2}(?:[.,]\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}", groups):
        return None
    return _exact(re.sub(r"[.,]", "", groups) + (f".{rest}" if decimal else ""))


def _decimal_mark(written: str, marks: Sequence[str], *, comma_is_decimal: bool) -> str:
    """Which of the marks parts whole from fraction; none if empty."""
    if not marks:
        return ""
    if "٫" in marks or len(set(marks)) > 1:
        return marks[-1]
    if len(marks) > 1:
        return ""
    if re.search(r"^0*[.,]|[.,](?!\d{3}$)|^\d{4,}[.,]", written):
        return marks[0]
    return marks[0] if (marks[0] == ",") == comma_is_decimal else ""


def _exact(digits: str) -> Decimal | None:
    return Decimal(digits) if len(digits) <= _MOST_DIGITS else None


def _with_power(text: str, match: re.Match[str], value: Decimal | None, end: int) -> tuple[Decimal | None, int]:
    """A number together with what multiplies it: "3 million", "elfu 70", 8万5000."""
    words = _words()
    space = re.compile(r"[ \t]*").match(text, end)
    position = space.end() if space else end
    if value is None:
        return None, end
    if text[position : position + 1] in _HAN_POWERS:
        return _with_han_powers(text, value, position, end)
    after = words.powers.match(text, position)
    if after:
        return _times(value, words.zeros[after[0].casefold()]), after.end()
    before = list(words.powers_before.finditer(text, max(0, match.start() - 12), match.start()))
    if before and not text[before[-1].end() : match.start()].strip():
        return _times(value, words.zeros[before[-1][0].casefold()]), end
    return value, end


def _with_han_powers(text: str, value: Decimal, position: int, end: int) -> tuple[Decimal | None, int]:
    total, previous = Decimal(0), 99
    while text[position : position + 1] in _HAN_POWERS and text[position : position + 1]:
        sign = text[position]
        if re.match(r"千[米克瓦卡公]|百分", text[position : position + 2]):  # kilometre, kilogram; per cent
            break
        if _HAN_POWERS[sign] >= previous:
            return None, position + 1
        previous = _HAN_POWERS[sign]
        total += _times(value, previous)
        end = position + 1
        more = re.compile(r"\d{1,4}(?![\d.,])").match(text, end)
        if not more:
            return total, end
        value, end = Decimal(more[0]), more.end()
        position = end
    return total + value, end


def _times(value: Decimal, zeros: int) -> Decimal:
    with localcontext(prec=2 * _MOST_DIGITS):  # the default would round
        return value * Decimal(10**zeros)


def _said(text: str, figures: Sequence[_Figure]) -> Iterator[_Figure]:
    """Numbers that are said to be the answer, in their order."""
    words = _words()
    for match in words.answer.finditer(text):
        if words.denial.search(text, _sentence_start(text, match.start()), match.start()):
            continue
        position = _after_fillers(text, match.end(), ())
        figure = _figure_at(text, figures, position)
        if figure is None:
            value = _han_number(_line_rest(text, position))
            if value is not None:
                yield _Figure(position, position, value)
            continue
        yield _result(text, figures, figure)


def _figure_at(text: str, figures: Sequence[_Figure], position: int) -> _Figure | None:
    """The figure that begins here; fillers may have taken its sign or currency."""
    index = bisect_left(figures, position, key=lambda one: one.end)
    figure = figures[index] if index < len(figures) else None
    while figure is not None and figure.end <= position:
        index += 1
        figure = figures[index] if index < len(figures) else None
    if figure is None:
        return None
    power = _words().powers_before.match(text, position)
    position = power.end() if power else position
    return figure if re.fullmatch(rf"(?:\s|-|{_CURRENCY})*", text[position : figure.start]) else None


def _result(text: str, figures: Sequence[_Figure], figure: _Figure) -> _Figure:
    """The result, where the number said to be the answer begins a calculation; no value where it is missing."""
    unclear = replace(figure, value=None)
    end = _line_end(text, figure.end)
    if re.compile(r"[^,;.(:=\n]{0,30}?(?:[-+×÷*/=]|\bx\b)\s*[($]*\s*\d").match(text, figure.end):
        equals = text.rfind("=", figure.end, end)
        later = [one for one in figures if equals >= 0 and equals < one.start < end]
        if equals < 0 or not later or text[equals + 1 : later[0].start].strip(" $(-"):
            return unclear
        after = text[later[0].end : later[0].end + 4]
        return unclear if re.match(r"\s*[-+×÷*/]\s*\d", after) else later[0]
    following = re.compile(r"(?:,\s*\d+)*[^\w\n]{0,2}\s*").match(text, figure.end)
    position = following.end() if following else figure.end
    if _words().either.match(text, position) or re.compile(r"(?:to|bis|à)\s+\d").match(text, position):
        return unclear
    return figure


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _is_operand(text: str, figure: _Figure) -> bool:
    """Whether a number stands after an operator, so that a result is missing."""
    before = text[max(0, figure.start - 6) : figure.start]
    return re.search(r"[×÷+/]\s*$|[\d)%]\s*-\s*$|\d\s*x\s*$", before) is not None or (
        re.search(r"[\d)%]\s*$", before) is not None and text[figure.start : figure.start + 1] == "-"
    )


def _han_number(text: str) -> Decimal | None:
    """A number in Chinese numerals with nothing but a unit behind it."""
    match = re.match(
        r"\W*([零〇一二两兩三四五六七八九十百千万萬]{1,12})\s*"
        r"(?:美元|日元|元|円|ドル|块|塊|个|個|人|只|匹|本|天|日|年|岁|歳|分钟|分|小时|時間|颗|米|公里|枚|つ|です|だ)*\W*(?:\n|\Z)",
        text,
    )
    return _han_value(match[1]) if match else None


def _han_value(numeral: str) -> Decimal | None:
    tens, _, rest = numeral.replace("萬", "万").rpartition("万")
    low, high = _below_ten_thousand(rest), _below_ten_thousand(tens) if tens else 0
    if low is None or high is None or ("万" in numeral.replace("萬", "万") and not high):
        return None
    return Decimal(high * 10_000 + low)


def _below_ten_thousand(numeral: str) -> int | None:
    """None for what is not in the usual form: 二三 could be 23 or "two or three"."""
    if not numeral or numeral in "零〇":
        return 0
    match = re.fullmatch(
        r"(?:([一二两兩三四五六七八九])?千)?[零〇]?(?:([一二两兩三四五六七八九])?百)?[零〇]?"
        r"(?:([一二三四五六七八九])?十)?[零〇]?([一二两兩三四五六七八九])?",
        numeral,
    )
    if not match:
        return None
    total = 0
    for digit, sign, power in zip(match.groups(), "千百十", (1000, 100, 10), strict=False):
        if sign in numeral:
            total += (_HAN_DIGITS[digit] if digit else 1) * power
    return total + (_HAN_DIGITS[match[4]] if match[4] else 0)
