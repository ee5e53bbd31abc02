from __future__ import annotations

import string
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.languages import Language, parse
from linguabridge.tasks.answers import parse_letter, parse_number, plain

PLACES = ("Paris", "London", "Rome", "New York")

# What was written, and which of four options it chooses.
LETTERS = [
    # On its own, however it is dressed.
    ("B", "B"),
    ("b", "B"),
    ("a", "A"),
    ("A", "A"),
    (" B\n", "B"),
    ("B.", "B"),
    ("b.", "B"),
    ("B)", "B"),
    ("(B)", "B"),
    ("(b).", "B"),
    ("[B]", "B"),
    ("{B}", "B"),
    ("**B**", "B"),
    ("**B.**", "B"),
    ("__B__", "B"),
    ("*B*", "B"),
    ("`B`", "B"),
    ('"B"', "B"),
    ("'B'", "B"),
    ("“B”", "B"),
    ("$B$", "B"),
    (r"\boxed{B}", "B"),
    (r"$\boxed{\text{B}}$", "B"),
    (r"\[ \boxed{\mathrm{C}} \]", "C"),
    (r"\(B\)", "B"),
    ("# B", "B"),
    ("B<|im_end|>", "B"),
    ("<answer>B</answer>", "B"),
    ("<think>A looks right. The answer is A.</think>\nB", "B"),
    ("ⓑ", "B"),
    # Leading, with a text.
    ("B. London", "B"),
    ("B) London", "B"),
    ("B: London", "B"),
    ("(B) London", "B"),
    ("B - London", "B"),
    ("B – London", "B"),
    ("B, because it says so.", "B"),
    ("B because it says so.", "B"),
    ("A because it says so.", "A"),
    ("B (London)", "B"),
    ("B\n\nThe passage says so.", "B"),
    ("B. London\n\nA) is too far.\nC) is in Italy.\nD) is in America.", "B"),
    # Said to be the answer.
    ("Answer: B", "B"),
    ("answer: b", "B"),
    ("Answer:B", "B"),
    ("Answer:\n\nB", "B"),
    ("**Answer:** B", "B"),
    ("**Answer: B. London**", "B"),
    ("Ans. B", "B"),
    ("Answer - B", "B"),
    ('{"answer": "B"}', "B"),
    ("The answer is B.", "B"),
    ("The answer is (B).", "B"),
    ("The answer is **B**.", "B"),
    ("The answer is B", "B"),
    ("The answer is A.", "A"),
    ("The answer is A because it says so.", "A"),
    ("The answer is option B, London.", "B"),
    ("The correct answer is: B", "B"),
    ("The correct option is B.", "B"),
    ("The answer to the question is C.", "C"),
    ("I think the correct answer is (C).", "C"),
    ("I would choose D.", "D"),
    ("I'd go with option C.", "C"),
    ("Option B", "B"),
    ("Option B is correct.", "B"),
    ("Option A says so.", "A"),
    ("It is not option A. The correct choice is C", "C"),
    ("option (b)", "B"),
    ("It must be (C), as the text says.", "C"),
    ("C is the correct answer.", "C"),
    ("A is correct.", "A"),
    ("D is right.", "D"),
    ("The answer is B, not A.", "B"),
    # A later conclusion wins.
    ("B looks good, but so the answer is C.", "C"),
    ("The answer is A. Wait, the answer is B.", "B"),
    ("A. Paris is named first. Therefore, the correct answer is D.", "D"),
    ("Let us see: (A) is far, (B) is near. So the answer is (B).", "B"),
    ("A. Paris\nB. London\nC. Rome\nD. New York\nAnswer: C", "C"),
    ("A. Paris\nB. London\nC. Rome\nD. New York\n\nC", "C"),
    ("It is cold there, hence B.", "B"),
    ("The answer is A.\nFinal answer: D", "D"),
    # In other languages.
    ("الإجابة: B", "B"),
    ("الإجابة هي B", "B"),
    ("الإجابة الصحيحة هي (ج)", "C"),
    ("الجواب هو ب.", "B"),
    ("أ", "A"),
    ("ب", "B"),
    ("ج)", "C"),
    ("(د)", "D"),
    ("א", "A"),
    ("ב'", "B"),
    ("התשובה היא ג.", "C"),
    ("ד", "D"),
    ("תשובה: B", "B"),
    ("答案是B", "B"),
    ("答案：Ｂ。", "B"),
    ("正确答案是 C。", "C"),
    ("所以选D。", "D"),
    ("选项B", "B"),
    ("回答はＢ", "B"),
    ("答えはBです。", "B"),
    ("Bが正解です。", "B"),
    ("Ｂ", "B"),
    ("（Ｂ）", "B"),
    ("정답은 B입니다.", "B"),
    ("정답: C", "C"),
    ("Die Antwort ist B.", "B"),
    ("Richtige Antwort: C", "C"),
    ("La réponse est B.", "B"),
    ("La bonne réponse est l'option B.", "B"),
    ("La respuesta correcta es la B.", "B"),
    ("La risposta è C.", "C"),
    ("A resposta é B.", "B"),
    ("Jawabannya adalah B.", "B"),
    ("Ang sagot ay B.", "B"),
    ("Jibu ni B.", "B"),
    ("Jibu sahihi ni C", "C"),
    ("Oikea vastaus on B.", "B"),
    ("A helyes válasz a B.", "B"),
    ("Doğru cevap B", "B"),
    ("Đáp án: B", "B"),
    ("Правильный ответ: Б", "B"),
    ("Ответ: А", "A"),
    ("С", "C"),
    ("Г)", "D"),
    ("คำตอบคือ ข", "B"),
    ("คำตอบคือ B", "B"),
    ("सही उत्तर B है।", "B"),
    ("সঠিক উত্তর: B", "B"),
    # Counted options.
    ("2", "B"),
    ("(3)", "C"),
    ("4.", "D"),
    ("Answer: 2", "B"),
    ("The answer is 2.", "B"),
    ("Option 3", "C"),
    ("٢", "B"),
    ("الإجابة: ٣", "C"),
    ("۴", "D"),
    ("２", "B"),
    # An option's text.
    ("London", "B"),
    ("london.", "B"),
    ("**New York**", "D"),
    ("The answer is London.", "B"),
    ("Answer: New York", "D"),
    ("Rome\nIt is in Italy.", "C"),
    ("2. London", "B"),
    ("В. London", "B"),
    ("В. Rome", "C"),
]

# What chooses none for certain.
NO_LETTER = [
    "",
    " \n",
    "**",
    "...",
    "a dog is what he saw",
    "A dog",
    "A dog.",
    "a dog is…",
    "Answer: a dog",
    "The answer is a dog.",
    "I",
    "I think so.",
    "I don't know.",
    "both A and B",
    "A and B",
    "A or B",
    "A, B",
    "A/B",
    "A & C",
    "A, B, C, D",
    "The answer is A or B.",
    "The answer is B and C.",
    "Either (A) or (B)",
    "It could be option A or option B.",
    "Option A says more than option C.",
    "B. A",
    "B) C",
    "The answer is a",
    "B\nC",
    "The answer is A. The answer is B.",
    "Option B is wrong.",
    "(B) is not correct.",
    "It is not (C).",
    "The answer is not B.",
    "The wrong answer is A.",
    "B is wrong.",
    "B) is incorrect.",
    "E",
    "Answer: E",
    "(F)",
    "Z.",
    "Vitamin C is healthy.",
    "B.C. 44",
    "C'est la vie",
    "C++",
    "N/A",
    "A-frame",
    "Plan B worked.",
    "5",
    "0",
    "12",
    "2 apples",
    "The answer is 2 apples.",
    "1. First, read the text.\n2. Then think.",
    "3.14",
    "В",
    "Ответ: В",
    "а дальше?",
    "Y a-t-il un chien ?",
    "è vero",
    "A. Paris\nB. London\nC. Rome\nD. New York",
    "Berlin",
    "Paris and London",
    "B. Paris",
    "<think>The answer is B, or is it",
    "وB",
    "ABCD",
    "\ud800",
]


@pytest.mark.parametrize(("text", "letter"), LETTERS)
def test_letter_is_read(text: str, letter: str) -> None:
    assert parse_letter(text, 4, PLACES) == letter


@pytest.mark.parametrize("text", NO_LETTER)
def test_no_letter_is_read_where_in_doubt(text: str) -> None:
    assert parse_letter(text, 4, PLACES) is None


@pytest.mark.parametrize(("text", "letter"), [pair for pair in LETTERS if not any(p in pair[0] for p in PLACES)])
def test_most_letters_need_no_knowledge_of_the_options(text: str, letter: str) -> None:
    if text.lower() not in {"london.", "rome\nit is in italy."}:
        assert parse_letter(text, 4) == letter


def test_digits_are_no_places_where_options_have_digits() -> None:
    assert parse_letter("2", 4, ("4", "6", "2", "8")) == "C"
    assert parse_letter("3", 4, ("4", "6", "2", "8")) is None
    assert parse_letter("3", 4, ("٤", "٦", "٢", "٨")) is None


def test_text_of_two_options_is_no_answer() -> None:
    assert parse_letter("Rome", 4, ("Paris", "Rome", "rome", "Oslo")) is None
    assert parse_letter("B. Rome", 4, ("Paris", "Rome", "rome", "Oslo")) is None


def test_letters_may_be_given() -> None:
    assert parse_letter("The answer is Y.", "XY", ("Paris", "London")) == "Y"
    assert parse_letter("London", "XY", ("Paris", "London")) == "Y"
    assert parse_letter("B", "XY") is None


@given(st.text(max_size=200), st.integers(1, 10), st.lists(st.text(max_size=8), max_size=4))
def test_letter_never_raises_and_is_in_range(text: str, n: int, options: list[str]) -> None:
    assert parse_letter(text, n, options) in {None, *string.ascii_uppercase[:n]}


PIECES = [
    "the answer is",
    "Answer:",
    "so",
    "not",
    "or",
    "and",
    "A",
    "B",
    "(C)",
    "d",
    "٢",
    "ب",
    "В",
    "2",
    ".",
    ",",
    "\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_letter_read_is_in_the_text(text: str) -> None:
    letter = parse_letter(text, 4)
    signs = {"A": "A", "B": "B٢ب2", "C": "C", "D": "d"}
    assert letter is None or any(sign in text for sign in signs[letter])


@given(
    st.sampled_from("ABCD"), st.lists(st.sampled_from(["**{}**", "({})", "[{}]", "`{}`", "$({})$", "{}."]), max_size=4)
)
def test_dress_of_a_letter_does_not_matter(letter: str, dresses: list[str]) -> None:
    text = letter
    for dress in dresses:
        text = dress.format(text)
    assert parse_letter(text, 4) == letter


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
    ("5千米", "zh", "5"),
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
    "on the 3rd",
    "1. Eggs are laid.\n2.",
    "Step 3:",
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
