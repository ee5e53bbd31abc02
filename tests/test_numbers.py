from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.languages import Language, parse
from linguabridge.tasks.numbers import parse_number, plain

# What was written, in which language, and the number that it answers.
NUMBERS = [
    ("18", "en", "18"),
    ("18.", "en", "18"),
    ("18.00", "en", "18"),
    ("1,234", "en", "1234"),
    ("1,234,567", "en", "1234567"),
    ("1,14,200", "en", "114200"),
    ("1.234", "en", "1.234"),
    ("1.5", "en", "1.5"),
    (".5", "en", "0.5"),
    ("1.234", "de", "1234"),
    ("1,234", "de", "1.234"),
    ("1.234,5", "de", "1234.5"),
    ("1.234,5", "en", "1234.5"),
    ("1,234.5", "de", "1234.5"),
    ("1.234.567", "en", "1234567"),
    ("1,5", "de", "1.5"),
    ("0,125", "en", "0.125"),
    ("0.125", "de", "0.125"),
    ("Each costs $1.50, together $1,234", "de", "1234"),
    ("Jeder kostet 1,50 €, zusammen 1.234 €", "en", "1234"),
    ("1 234", "fr", "1234"),
    ("1\u00a0234", "fr", "1234"),
    ("1\u202f234,50", "fr", "1234.5"),
    ("1\u2009234\u2009567", "en", "1234567"),
    ("1'234", "de-CH", "1234"),
    ("1’234.50", "de-CH", "1234.5"),
    ("$18", "en", "18"),
    ("$ 18", "en", "18"),
    ("US$18.50", "en", "18.5"),
    ("18 dollars", "en", "18"),
    ("18$", "en", "18"),
    ("€18", "de", "18"),
    ("18 €", "de", "18"),
    ("Rp18.000", "id", "18000"),
    ("18%", "en", "18"),
    ("18 %", "de", "18"),
    (r"18\%", "en", "18"),
    ("18kg", "en", "18"),
    ("25 m²", "en", "25"),
    ("-5", "en", "-5"),
    ("−5", "en", "-5"),
    ("-$5", "en", "-5"),
    ("The answer is -5.", "en", "-5"),
    ("20 - 5 = 15", "en", "15"),
    ("5 - 20 = -15", "en", "-15"),
    ("ל-18", "he", "18"),
    ("ב־18 שקלים", "he", "18"),
    ("18-at", "hu", "18"),
    # Digits of other scripts.
    ("١٨", "ar", "18"),
    ("١٬٢٣٤٫٥", "ar", "1234.5"),
    ("۱۸", "fa", "18"),
    ("१८", "hi", "18"),
    ("১৮টি", "bn", "18"),
    ("๑๘ บาท", "th", "18"),
    ("౧౮", "te", "18"),
    ("１８", "ja", "18"),
    ("１，２３４円", "ja", "1234"),
    ("十八", "zh", "18"),
    ("答案是十八。", "zh", "18"),
    ("答えは二十五円です。", "ja", "25"),
    ("一百零五", "zh", "105"),
    ("三万五千", "zh", "35000"),
    # The number that counts.
    ("#### 18", "en", "18"),
    ("She sells 9 eggs for $2 each.\n#### 18", "en", "18"),
    (r"\boxed{18}", "en", "18"),
    (r"So it is $\boxed{1{,}234}$ dollars, or 7 a day.", "en", "1234"),
    (r"\boxed{\$18}", "en", "18"),
    (r"\boxed{18 \text{ dollars}}", "en", "18"),
    ("The answer is 18.", "en", "18"),
    ("The answer is **18**.", "en", "18"),
    ("The answer is $18 for 3 days.", "en", "18"),
    ("The answer is: 9 × 2 = 18", "en", "18"),
    ("The answer is 9 * 2 = $18 a day.", "en", "18"),
    ("Answer: 5 apples + 3 pears = 8 fruits", "en", "8"),
    ("**Final Answer:** 9 eggs × $2 = **$18**", "en", "18"),
    ("The answer is $18 profit ($20 - $2).", "en", "18"),
    ("The answer is 18, since 9*2=18", "en", "18"),
    ("16 - 3 - 4 = 9. 9 * 2 = <<9*2=18>>18", "en", "18"),
    ("First 3, then 4. She makes 18 dollars every day.", "en", "18"),
    ("Answer: 20. Wait, the final answer is 18, not 20.", "en", "18"),
    ("Answer: 18\nCheck: 9 + 9 makes it.", "en", "18"),
    ("Die Antwort ist 70.000.", "de", "70000"),
    ("La respuesta es 50 000 dólares.", "es", "50000"),
    ("La réponse est 18.", "fr", "18"),
    ("Ответ: 18", "ru", "18"),
    ("Jibu ni 18.", "sw", "18"),
    ("答えは18です。", "ja", "18"),
    ("答案是 18 美元", "zh", "18"),
    ("答案：18。", "zh", "18"),
    ("సమాధానం 18", "te", "18"),
    ("উত্তর হল ১৮।", "bn", "18"),
    ("คำตอบคือ 18", "th", "18"),
    ("الإجابة: ١٨", "ar", "18"),
    ("1. Eggs are laid.\n2. Eggs are sold.\n18", "en", "18"),
    ("Step 1: 16 - 7 = 9\nStep 2: 9 * 2 = 18", "en", "18"),
    ("She needs 18 kg of CO2", "en", "18"),
    ("It takes 18 minutes on the 3rd day.", "en", "18"),
    # Words for powers of ten.
    ("3 million", "en", "3000000"),
    ("1.5 million dollars", "en", "1500000"),
    ("70 thousand", "en", "70000"),
    ("70 mil", "es", "70000"),
    ("70 ribu", "id", "70000"),
    ("elfu 70", "sw", "70000"),
    ("Jibu ni elfu 70", "sw", "70000"),
    ("70 тысяч", "ru", "70000"),
    ("7万", "zh", "70000"),
    ("8万5000円", "ja", "85000"),
    ("1億2000万", "ja", "120000000"),
    ("70 ألف", "ar", "70000"),
]

NO_NUMBER = [
    "",
    "eighteen",
    "no numbers here",
    "1/2",
    "The answer is 1/2.",
    "½",
    "2½",
    "千万不要",
    r"\frac{1}{2}",
    "3-5",
    "between 3–5 apples",
    "The answer is 3-5.",
    "10:30",
    "12.05.2020",
    "1.2.3",
    "12,34,5",
    "10²",
    "10^2",
    "2**3",
    "3 × 6",
    "16 - 3",
    "The answer is 3 * 6",
    "The answer is 18 or 20.",
    "The answer is 17, 18 or 20.",
    "18k",
    "1e5",
    "CO2",
    "GPT-4",
    "GPT-3.5",
    "5 -20",
    "on the 3rd",
    "1. Eggs are laid.\n2.",
    "Step 3:",
    "5千米",
    "一百五",
    "一番",
    "一生懸命",
    "9" * 1000,
    "<think>It is 18",
]


@pytest.mark.parametrize(("text", "language", "number"), NUMBERS)
def test_number_is_read(text: str, language: str, number: str) -> None:
    assert parse_number(text, parse(language)) == Decimal(number)


@pytest.mark.parametrize("text", NO_NUMBER)
def test_no_number_is_read_where_in_doubt(text: str) -> None:
    assert parse_number(text) is None


def test_numbers_are_exact() -> None:
    assert parse_number("0.1") == Decimal("0.1")
    assert parse_number("0.1") != Decimal(0.1)  # noqa: RUF032 - the very surprise
    assert parse_number("12345678901234567890123") == 12345678901234567890123
    assert parse_number("12345678901234567890.123 million") == Decimal("12345678901234567890123000")


@pytest.mark.parametrize(
    ("number", "text"), [("18.00", "18"), ("1.50", "1.5"), ("-0", "0"), ("1E+3", "1000"), ("0.000", "0"), ("-5", "-5")]
)
def test_plain_number(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


SOME = st.sampled_from([None, *(parse(code) for code in ("en", "de", "fr", "ar", "zh", "sw", "bn", "th"))])


@given(st.text(max_size=200), SOME)
def test_number_never_raises(text: str, language: Language | None) -> None:
    number = parse_number(text, language)
    assert number is None or Fraction(plain(number)) == Fraction(number)


@given(st.text("0123456789.,'- ٫٬/=×*$%()\n١۲万十答案是", max_size=30), SOME)
def test_number_never_raises_on_what_looks_like_one(text: str, language: Language | None) -> None:
    number = parse_number(text, language)
    assert number is None or number.is_finite()


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["{}", "**{}**", "({})", "${}$", "#### {}", "\\boxed{{{}}}", "{}."])
)
def test_whole_numbers_are_read_as_written(number: int, dress: str) -> None:
    assert parse_number(dress.format(number)) == number
    assert parse_number(dress.format(f"{number:,}")) == number


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_both_conventions_agree_where_both_separators_stand(whole: int, cents: int) -> None:
    english = f"{whole:,}.{cents:02}"
    german = english.translate({ord(","): ".", ord("."): ","})
    for language in ("en", "de"):
        assert parse_number(english, parse(language)) == Decimal(f"{whole}.{cents:02}")
        assert parse_number(german, parse(language)) == Decimal(f"{whole}.{cents:02}")


@given(st.integers(0, 10**9), st.sampled_from("٠۰०০౦๐０"))
def test_digits_of_other_scripts(number: int, zero: str) -> None:
    assert parse_number("".join(chr(ord(zero) + int(digit)) for digit in str(number))) == number


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "1,", "1, ", "answer 1 + ", "answer 1 = ", "选", "十", "1万", "$", "\n", "step 1 "]
)
def test_repetitive_text_takes_linear_time(piece: str) -> None:
    parse_number("1")  # compiles the patterns
    start = time.process_time()
    parse_number((piece * 10_000)[:10_000])
    assert time.process_time() - start < 2
