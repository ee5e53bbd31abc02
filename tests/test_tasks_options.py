"""Questions of the tasks with options: scaffolds in every language, continuations, chains."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from linguabridge.languages import PAPER_LANGUAGES, parse
from linguabridge.prompts import endonym
from linguabridge.tasks import choice, mrc, nli, topics
from linguabridge.tasks.scaffolds import is_native, scaffolds
from linguabridge.tasks.task import Item, Question, Said

TASKS = {task.NAME: task for task in (mrc, nli, topics, choice)}
SCAFFOLDED = [(name, code) for name in TASKS for code in scaffolds(name)]
XCOPA = ("et", "ht", "id", "it", "sw", "ta", "th", "tr", "vi", "zh")
XNLI = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
SW, EN, DE, JA, QU = (parse(code) for code in ("sw", "en", "de", "ja", "qu"))

OWN = {  # options that the task takes from the data; the others name theirs in the scaffolds
    "mrc": ("red", "{green}", "blue", "two\nlines"),
    "choice": ("It rained.", "It {chain} snowed."),
}
FIELDS = {"mrc": {"question": "Why {so}?"}, "nli": {"hypothesis": "It is {so}."}, "topics": {}}
LABELS = {"mrc": (), "nli": nli.LABELS, "topics": topics.TOPICS, "choice": choice.QUESTIONS}


def item(name: str, code: str, which: str = "cause") -> Item:
    table = scaffolds(name).get(code, scaffolds(name)["en"])
    options = OWN.get(name) or tuple(table[label] for label in LABELS[name])
    fields = FIELDS.get(name, {"question": which})
    return Item("1", "1", "Habari {x}.", (options[0],), options, 0, fields)


def asked(name: str, code: str, scoring: str, which: str = "cause") -> Question:
    one = item(name, code, which)
    chain = [Said(SW, one.text), Said(EN, "News\n{y}.")]
    question: Question = TASKS[name].ask(one, chain, parse(code), scoring)
    return question


@pytest.mark.parametrize(("name", "code"), SCAFFOLDED)
def test_every_scaffold_fills(name: str, code: str) -> None:
    for scoring in ("text", "letters", "generated"):
        for which in ("cause", "effect") if name == "choice" else ("",):
            question = asked(name, code, scoring, which)
            text = question.prompt.written
            assert text.startswith("Kiswahili: Habari {x}.\nEnglish: News {y}.\n")
            # Braces of the data stay, those of the scaffold are gone.
            assert set(re.findall(r"\{[^}]*\}?", text)) <= {"{x}", "{y}", "{so}", "{green}", "{chain}"}
            assert not text[-1].isspace()  # the space belongs to the continuation: tokenizers join it to the word
            assert "\n\n" not in text
            assert re.search(r"[:：…]$", text) or name == "choice"
            for option in question.options:
                assert option.strip()


@pytest.mark.parametrize(("name", "code"), SCAFFOLDED)
def test_scaffolds_are_whole_and_their_labels_distinct(name: str, code: str) -> None:
    table = scaffolds(name)[code]
    assert table.keys() == scaffolds(name)["en"].keys()
    assert code == parse(code).code
    assert all(value == value.strip() and value for value in table.values())
    labels = [table[label].casefold() for label in LABELS[name]]
    assert len(set(labels)) == len(labels)
    if name == "choice":
        assert table["ask_cause"] != table["ask_effect"]
    if code != "en":  # an English sentence left standing in another language's table
        words = re.sub(r"\{\w+\}", "", table["text"] + table["letters"])
        assert not re.search(r"\b(Answer|What|Is|the)\b", words)


@pytest.mark.parametrize("name", TASKS)
def test_languages_with_a_scaffold_of_their_own(name: str) -> None:
    more = {"nli": XNLI, "choice": XCOPA}.get(name, ())
    assert {*PAPER_LANGUAGES, *more} <= scaffolds(name).keys()
    assert not is_native(name, QU)


@pytest.mark.parametrize("name", TASKS)
def test_no_latin_words_stand_in_scaffolds_of_other_scripts(name: str) -> None:
    for code in {"ar", "bg", "el", "he", "hi", "ja", "ru", "ta", "th", "ur", "zh"} & scaffolds(name).keys():
        for template, text in scaffolds(name)[code].items():
            assert not re.search("[A-Za-z]", re.sub(r"\{\w+\}", "", text)), (name, code, template)


def test_texts_end_with_a_terminator_and_letters_do_not() -> None:
    texts = asked("mrc", "de", "text")
    assert texts.prompt.written.endswith("\nFrage: Why {so}?\nAntwort:")
    assert texts.options == (" red\n", " {green}\n", " blue\n", " two lines\n")
    letters = asked("mrc", "de", "letters")
    assert letters.prompt.written.endswith("\nFrage: Why {so}?\nA. red\nB. {green}\nC. blue\nD. two lines\nAntwort:")
    assert letters.options == (" A", " B", " C", " D")
    generated = asked("mrc", "de", "generated")
    assert (generated.prompt, generated.options) == (letters.prompt, ())


def test_languages_without_spaces_have_none_before_an_option() -> None:
    assert asked("topics", "ja", "text").options[1] == "旅行\n"
    assert asked("topics", "ja", "letters").options == tuple("ABCDEFG")
    # Khmer has no spaces either, but is asked in English: "Answer: …".
    assert asked("mrc", "km", "text").options[0] == " red\n"


def test_inference_asks_about_the_last_sentence() -> None:
    question = asked("nli", "de", "text")
    assert question.prompt.written == (
        "Kiswahili: Habari {x}.\nEnglish: News {y}.\nDeutsch: It is {so}.\n"
        "Ist der letzte Satz wahr? Ja, vielleicht oder nein?\nAntwort:"
    )
    assert question.options == (" Ja\n", " Vielleicht\n", " Nein\n")


@pytest.mark.parametrize(
    ("code", "which", "end"),
    [
        ("en", "cause", "English: … because"),
        ("en", "effect", "English: … therefore"),
        ("tr", "cause", "Türkçe: … çünkü"),
        ("zh", "effect", "中文: … 所以"),
        ("qu", "cause", "Runasimi: … because"),
    ],
)
def test_choices_go_on_from_a_connector(code: str, which: str, end: str) -> None:
    assert asked("choice", code, "text", which).prompt.written.endswith(f"\n{end}")


@pytest.mark.parametrize(("which", "ask"), [("cause", "Was war die Ursache?"), ("effect", "Was war die Folge?")])
def test_listed_choices_are_asked_for(which: str, ask: str) -> None:
    text = asked("choice", "de", "letters", which).prompt.written
    assert text.endswith(f"\n{ask}\nA. It rained.\nB. It {{chain}} snowed.\nAntwort:")


@pytest.mark.parametrize("module", TASKS.values(), ids=list(TASKS))
def test_a_chain_of_one_link_is_the_direct_question(module: ModuleType) -> None:
    one = item(module.NAME, "de")
    text = module.ask(one, [Said(SW, one.text)], DE, "text").prompt.written
    assert text.startswith(f"{endonym(SW)}: Habari {{x}}.\n")
    assert "English" not in text


@pytest.mark.parametrize("module", TASKS.values(), ids=list(TASKS))
def test_the_tasks_declare_themselves(module: ModuleType) -> None:
    task = module.TASK
    assert (task.name, task.load, task.ask) == (module.NAME, module.load, module.ask)
    assert task.scorings[0] == "text"
    assert task.metric == "accuracy"
    assert not task.words
