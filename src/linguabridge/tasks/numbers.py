"""Which number a model's free text answers.

It would rather find nothing than guess: an answer that could not be read is counted as such, a wrong reading would
count silently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from linguabridge.languages import Language
from linguabridge.tasks.reading import (
    EUROPEAN,
    LONGEST,
    Sentences,
    ascii_digits,
    line_from,
    normal,
    without_markup,
    words,
)

# Languages that write a decimal comma (CLDR). All others are read in the English way, whose separators they share.
_DECIMAL_COMMA = (
    *("af", "az", "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fo", "fr", "gl", "hr", "hu"),
    *("hy", "id", "is", "it", "ka", "kk", "ky", "lt", "lv", "mk", "nl", "no", "pl", "pt", "qu", "ro", "ru", "sk", "sl"),
    *("sq", "sr", "sv", "tr", "uk", "uz", "vi"),
)
_DECIMAL_POINT_ABROAD = ("de-CH", "es-419", "es-MX", "es-US")
_MOST_DIGITS = 30  # longer strings are no answers

_ONE_SIGN = str.maketrans({"⁄": "/", "−": "-", "–": "-", "‐": "-", "_": None, "`": None})
_CURRENCY = re.compile(
    rf"(?:[A-Z]{{0,3}}[$€£¥₹₽฿₪₫₩৳₱]|(?<![{EUROPEAN}])"
    r"(?:Rs|Rp|RM|EUR|USD|KSh|KES|TSh|TZS|Sh|INR|BDT|GBP|JPY|CNY)\.?(?= ?-?\d))"
)
_DIGITS = r"\d{1,3}(?:[ '’٬]\d{3})+(?!\d)(?:[.,٫]\d+)*|\d+(?:[.,'’٬٫]\d+)*|(?<![\d.])\.\d+"
_FIGURE = re.compile(  # ¤ stands for all currencies; a minus behind a number or word is none of the next number's
    rf"(?:(?<![\w)%¤-])(?<![\d)%] )(-))?(?:¤ ?(-)?)?(?<![{EUROPEAN}\d])(?<![{EUROPEAN}]-)(?<!\d[.,'’٬٫])({_DIGITS})"
)
# Parts of something else: fraction, ratio, time, power, range, operand whose result is missing, abbreviation.
_PART_BEFORE = re.compile(r"(?:\d ?[/:]|\^|[\d)%] ?-|[×÷+/*]|\dx| x|[百千万萬億亿]) ?\Z")
_PART_AFTER = re.compile(r" ?/ ?¤?\d|:\d| ?\^| ?- ?\d|(?:[kKMB]|bn|e[+-]?\d+)(?![A-Za-z])| ?[百千]| dozen\b")
_CALCULATION = re.compile(r"[^,;.(:=\n]{0,30}?(?:[-+×÷*/=]|\bx\b) ?[(¤]* ?\d")
_ALTERNATIVES = re.compile(r"(?:, ?\d+)*\W{0,2} ?")

_HAN_POWERS = {"十": 1, "百": 2, "千": 3}
_HAN_DIGITS = {digit: value for value, digits in enumerate(("一", "二两兩", *"三四五六七八九"), 1) for digit in digits}
_HAN = re.compile(  # one power at least, and no digit right after 百: 一百五 is 150; a short unit may follow
    r"\W*(?=[D十])((?:[零〇]?[D]?[十百千万萬])+(?:(?:[零〇]|(?<=十))[D])?)(?:(?![零〇D十百千万萬億亿])\w){0,4}\W*(?:\n|\Z)".replace(
        "D", "".join(_HAN_DIGITS)
    )
)


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
    text = _prepared(text)
    figures = _figures(text, comma_is_decimal=_comma_is_decimal(text, language))
    starts = {figure.start: number for number, figure in enumerate(figures)}
    sentences = Sentences(text)
    for match in reversed(list(words().answer.finditer(text))):
        filler = words().fillers.match(text, match.end())
        start = filler.end() if filler else match.end()
        han = None if start in starts else _han_number(line_from(text, start, 40))
        if (start in starts or han is not None) and not sentences.has_before(match.start(), words().denial):
            return han if start not in starts else _result(text, figures, starts[start])
    return figures[-1].value if figures else _han_number(text)


def plain(number: Decimal) -> str:
    """A number as digits, without separators, exponent or closing zeros: ``18``, ``-1.5``."""
    digits = f"{number:f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in {"-0", ""} else digits


def _prepared(text: str) -> str:
    """Without markup and without numbers that count steps, list entries or days; one sign for each meaning."""
    text = re.sub(r"<<[^<>\n]*>>", "", text[-LONGEST:])  # GSM8K's notes to its calculator
    text = without_markup(text.replace("####", "\nfinal answer: "))
    text = re.sub(r"(?<=\d)[⁰¹²³⁴-⁹]+", "^", text)  # before NFKC, which makes m² into m2 and 10² into 102
    text = re.sub(r"[⁰¹²³⁴-⁹₀-₉\u2460-\u249b\u24ea]", " ", text)
    text = re.sub(r"(?<=\d)([¼-¾⅐-⅞])", r" \1", text)
    text = ascii_digits(normal(text)).translate(_ONE_SIGN)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r"(?<=\d) ?\*{1,2} ?(?=\d)", " × ", text).replace(" * ", " × ").replace("*", "")
    text = _CURRENCY.sub("¤", text)
    for pattern in (r"(?<!\d)(\d{1,4})[億亿](\d{1,4})(?=[万萬])", r"(?<!\d)(\d{1,8})[万萬](\d{1,4})(?![\d.,])"):
        text = re.sub(pattern, lambda match: str(int(match[1]) * 10_000 + int(match[2])), text)  # 8万5000
    text = re.sub(rf"(?:{words().step.pattern})[ #]{{0,2}}\d++(?![.,]\d)", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<!\d)\d++(?:st|nd|rd|th)\b", " ", text)
    text, entries = re.subn(r"(?m)^[ #(]*\d{1,2}[.)] (?=\S)", "", text)
    return re.sub(r"(?m)^[ #(]*\d{1,2}[.)] ?$", "", text) if entries else text


def _comma_is_decimal(text: str, language: Language | None) -> bool:
    """How the text itself separates, if it says so and does not contradict itself; else how its language does."""
    decimal = set()
    for written in re.findall(_DIGITS, text):
        signs = re.findall(r"[.,]", written)
        if signs and (len(set(signs)) == 2 or (len(signs) == 1 and not re.search(r"^(?!0).*[.,]\d{3}$", written))):
            decimal.add(signs[-1])
        elif len(signs) > 1:
            decimal.add("." if signs[-1] == "," else ",")
    if len(decimal) == 1:
        return decimal == {","}
    code = language.code if language else "en"
    return code.split("-")[0] in _DECIMAL_COMMA and code not in _DECIMAL_POINT_ABROAD


def _figures(text: str, *, comma_is_decimal: bool) -> list[_Figure]:
    figures: list[_Figure] = []
    for match in _FIGURE.finditer(text):
        start, end, value = match.start(), match.end(), _value(match[3], comma_is_decimal=comma_is_decimal)
        before = text[max(0, start - 12) : start]
        power = words().powers.match(text, end + (text[end : end + 1] == " "))
        multiplier = next((one for one in words().powers_before.finditer(before) if before[one.end() :] == " "), None)
        zeros = 0
        if power:
            zeros, end = words().zeros[power[0].casefold()], power.end()
        elif multiplier:
            zeros, start = words().zeros[multiplier[0].casefold()], start - len(before) + multiplier.start()
        if _PART_BEFORE.search(text, max(0, start - 4), start) or _PART_AFTER.match(text, end):
            value = None
        if value is not None:
            with localcontext(prec=2 * _MOST_DIGITS):  # the default would round
                value *= Decimal(-1 if match[1] or match[2] else 1) * Decimal(10**zeros)
        figures.append(_Figure(start, end, value))
    return figures


def _value(written: str, *, comma_is_decimal: bool) -> Decimal | None:
    """The value of digits and separators; None where they do not make a number (12.05.2020)."""
    if len(written) > _MOST_DIGITS:
        return None
    written = re.sub("[ '’٬]", "'", written)
    either = re.fullmatch(r"[1-9]\d{0,2}([.,])\d{3}", written)
    if either and (either[1] == ",") == comma_is_decimal:
        return Decimal(written.replace(",", "."))
    for separator, point in (("'", "[.,٫]"), (",", "[.٫]"), (r"\.", "[,٫]")):
        groups = rf"[1-9]\d{{0,2}}(?:{separator}\d{{3}})+|[1-9]\d?(?:,\d{{2}})+,\d{{3}}"
        match = re.fullmatch(rf"({groups})(?:{point}(\d+))?", written)
        if match:
            return Decimal(re.sub(r"\D", "", match[1]) + "." + (match[2] or "0"))
    return Decimal(re.sub("[,٫]", ".", written)) if re.fullmatch(r"\d+|\d*[.,٫]\d+", written) else None


def _result(text: str, figures: Sequence[_Figure], index: int) -> Decimal | None:
    """Of the number said to be the answer, or of the calculation that it begins; None where a result is missing."""
    figure = figures[index]
    if _CALCULATION.match(text, figure.end):
        equals = figure.end + line_from(text, figure.end).rfind("=")
        result = next((one for one in figures[index + 1 :] if one.start > equals), None)
        told = equals >= figure.end and result is not None and not text[equals + 1 : result.start].strip(" (")
        return result.value if result and told else None
    others = _ALTERNATIVES.match(text, figure.end)
    position = others.end() if others else figure.end
    several = words().either.match(text, position) or re.compile(r"(?:to|bis|à) \d").match(text, position)
    return None if several else figure.value


def _han_number(text: str) -> Decimal | None:
    """A number in Chinese numerals with nothing but a unit behind it."""
    match = _HAN.match(text)
    if not match or not 2 <= len(match[1]) <= 12:
        return None
    total = section = digit = 0
    for sign in match[1]:
        if sign in "万萬":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        elif sign in _HAN_POWERS:
            section, digit = section + (digit or 1) * 10 ** _HAN_POWERS[sign], 0
        else:
            digit = _HAN_DIGITS.get(sign, 0)
    return Decimal(total + section + digit)
