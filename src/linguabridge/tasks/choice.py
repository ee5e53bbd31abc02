"""Causal choice, XCOPA: the premise in the source language, two causes or two effects in the target's.

Upstream ``question`` (cause or effect) is wrong in some rows of some languages, in all of th and tr; the sound files of
et and zh say by ``idx`` what it is in every language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linguabridge import languages
from linguabridge.engines.engine import SCORINGS
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.tasks.options import pose
from linguabridge.tasks.scaffolds import fill
from linguabridge.tasks.sources import (
    Row,
    files_by_language,
    find_file,
    held_out,
    hub_rows,
    hub_source,
    hub_table,
    ordered,
    read_jsonl,
)
from linguabridge.tasks.task import Data, Item, Loaded, Question, Said, Task

NAME = "choice"
QUESTIONS = ("cause", "effect")
_SOUND = ("et", "zh")  # their 'question' is right, the first of them that is there decides
_WRONG = frozenset({"th", "tr", "sw", "id", "it"})
_HUB, _SPLIT = "cambridgeltl/xcopa", "validation"
_ENGLISH = ("aps/super_glue", "copa")  # what was translated; not among XCOPA's languages
_FILES = "xcopa/val.*.jsonl"


@dataclass(frozen=True)
class _Case:
    premise: str
    choices: tuple[str, str]
    question: str
    right: int
    where: str  # it comes from: a folder, or a data set of the hub


def load(source: Language, target: Language, data: Data) -> Loaded:
    """Premises in the source language with choices in the target language, joined by ``idx``.

    Raises:
        InputError: a language is not there, or a row is malformed.
        DownloadError: the data set could not be read from the hub.
    """
    told, choosing = _cases(source, data), _cases(target, data)
    questions, decided_by = _questions(source, target, told, choosing, data)
    order = ordered({*told, *choosing}, NAME, data.seed)
    demonstrations = held_out(order, lambda one: one)
    items: list[Item] = []
    shown: list[Item] = []
    left_out = 0
    for one in order:
        if one not in told or one not in choosing or one not in questions or told[one].right != choosing[one].right:
            left_out += 1
            continue
        right, choices = choosing[one].right, choosing[one].choices
        item = Item(one, one, told[one].premise, (choices[right],), choices, right, {"question": questions[one]})
        (shown if one in demonstrations else items).append(item)
    notes = []
    for language, cases in {source: told, target: choosing}.items():
        wrong = sum(one in questions and case.question != questions[one] for one, case in cases.items())
        if wrong:
            notes.append(
                f"XCOPA says cause for effect, or effect for cause, in {wrong} rows of {language.name}; they are put "
                f"right by {decided_by}."
            )
    if decided_by is None:
        notes.append(
            f"XCOPA confuses cause and effect in some rows of {target.name}, and no file of {' or '.join(_SOUND)} is "
            "there to put them right."
        )
    if left_out:
        notes.append(
            f"{left_out} rows differ between {source.name} and {target.name} (right choice, or in one only); they are "
            "left out."
        )
    where = " and ".join(dict.fromkeys(case.where for cases in (told, choosing) for case in cases.values()))
    return Loaded(tuple(items), tuple(shown), f"XCOPA ({where})", tuple(notes))


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:
    """The premise, then what caused it or what follows."""
    which = item.fields["question"]
    fields = {"connector": fill(NAME, target, which, {}), "question": fill(NAME, target, f"ask_{which}", {})}
    return pose(NAME, item, chain, target, scoring, fields)


def _questions(
    source: Language, target: Language, told: dict[str, _Case], choosing: dict[str, _Case], data: Data
) -> tuple[dict[str, str], str | None]:
    """Cause or effect by id, and the name of the language that says so; None where it may be wrong."""
    known = {source: told, target: choosing}
    sound = [languages.parse(code) for code in _SOUND]
    for language in sound:
        if language in known:
            return _asked(known[language]), language.name
    if data.folder is None:
        return _asked(_cases(sound[0], data)), sound[0].name
    files = files_by_language(data.folder, _FILES)
    for language in sound:
        if language in files:
            return _asked(_cases(language, data)), language.name
    for language in (target, source):
        if language.code not in _WRONG:
            return _asked(known[language]), language.name
    return _asked(choosing), None


def _asked(cases: dict[str, _Case]) -> dict[str, str]:
    return {one: case.question for one, case in cases.items()}


def _cases(language: Language, data: Data) -> dict[str, _Case]:
    if data.folder is not None:
        rows, where = read_jsonl(find_file(data.folder, _FILES, language)), str(data.folder / "xcopa")
    elif language.code == "en":
        rows = hub_table(*_ENGLISH, _SPLIT, "xcopa/val.en.jsonl")
        where = hub_source(_ENGLISH[0], rows)
    else:
        rows = hub_rows(_HUB, language, _SPLIT, "xcopa/val.{language}.jsonl")
        where = hub_source(_HUB, rows)
    cases: dict[str, _Case] = {}
    for row in rows:
        item_id = f"val-{row.number('idx'):03}"
        if item_id in cases:
            raise InputError(f"{row.where}: idx {row.number('idx')} stands there twice.")
        cases[item_id] = _case(row, where)
    return cases


def _case(row: Row, where: str) -> _Case:
    question, right = row.text("question"), row.number("label")
    if question not in QUESTIONS:
        raise InputError(f"{row.where}: 'question' must be {' or '.join(QUESTIONS)}.")
    if right not in (0, 1):
        raise InputError(f"{row.where}: 'label' must be 0 or 1.")
    return _Case(row.text("premise"), (row.text("choice1"), row.text("choice2")), question, right, where)


TASK = Task(
    name=NAME,
    about="causal choice (XCOPA): premise in the source, two causes or effects in the target language",
    load=load,
    ask=ask,
    scorings=SCORINGS,
)
