from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linguabridge.tasks.letters import parse_letter

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
    ("**B. London**", "B"),
    ("**B.** London", "B"),
    ("B. a city in England", "B"),
    ("B. Not mentioned", "B"),
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
    # Said to be the answer.
    ("Answer: B", "B"),
    ("answer: b", "B"),
    ("Answer:B", "B"),
    ("Answer:\n\nB", "B"),
    ("**Answer:** B", "B"),
    ("Answer: B. London. A is wrong.", "B"),
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
    ("The correct answer is (C) because it says so, and (A) is far.", "C"),
    ("The answer is b.", "B"),
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
    ("答案：B", "B"),
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
    ("Jibu: B", "B"),
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
    "A. Paris B. London C. Rome D. New York",
    "A. Paris, B. London",
    "A. Paris or B. London",
    "(A) Paris (B) London",
    "A (Paris) or B (London)",
    "Answer: A. Paris B. London",
    "Answer: A/B",
    "Please choose A, B, C, or D",
    "Not A. B.",
    "选A和B",
    "Bではない",
    "la respuesta es a",
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
    "A. Paris\nB. London\nC. Rome\nD. New York\nAnswer: C",
    "B. London\n\nA) is too far.\nC) is in Italy.",
    "В. London",
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


@pytest.mark.parametrize(
    "piece", ["A ", "B. ", "(B) ", "answer: ", "the answer is ", "选", "so ", "\n", "B\n", "(", "not B "]
)
def test_repetitive_text_takes_linear_time(piece: str) -> None:
    parse_letter("B", 4)  # compiles the patterns
    start = time.process_time()
    parse_letter((piece * 10_000)[:10_000], 4, PLACES)
    assert time.process_time() - start < 2
