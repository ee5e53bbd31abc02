"""Natural language inference, XNLI: the premise in the source language, the hypothesis in the target's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linguabridge.engines.engine import SCORINGS
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.tasks.options import pose
from linguabridge.tasks.scaffolds import fill
from linguabridge.tasks.sources import Row, find_file, held_out, hub_rows, hub_source, ordered, read_tsv
from linguabridge.tasks.task import Data, Item, Loaded, Question, Said, Task

NAME = "nli"
LABELS = ("entailment", "neutral", "contradiction")  # in the hub's numbering; names of their words in the scaffolds
_NO_LABEL = "-"  # the annotators did not agree
_HUB, _SPLIT = "facebook/xnli", "validation"
_FILES = "xnli/dev-*.tsv"
_HYPOTHESES = 3  # each premise comes with so many, one after the other: one for each label


@dataclass(frozen=True)
class _Pair:
    label: int | None
    premise: str
    hypothesis: str


def load(source: Language, target: Language, data: Data) -> Loaded:
    """Premises in the source language with hypotheses in the target language, joined by the row's number.

    Raises:
        InputError: a language is not there, or a row is malformed.
        DownloadError: the data set could not be read from the hub.
    """
    (premises, where), (hypotheses, _) = _pairs(source, data), _pairs(target, data)
    common = min(len(premises), len(hypotheses))
    n_rows = max(len(premises), len(hypotheses))
    width = len(str(n_rows))
    numbers = {f"dev-{number:0{width}}": number for number in range(n_rows)}
    order = ordered(numbers, NAME, data.seed)
    demonstrations = held_out(order, lambda one: str(numbers[one] // _HYPOTHESES))
    words = tuple(fill(NAME, target, label, {}) for label in LABELS)
    items: list[Item] = []
    shown: list[Item] = []
    unlabelled, misaligned = 0, n_rows - common
    for one in order:
        number = numbers[one]
        if number >= common:
            continue
        told, claimed = premises[number], hypotheses[number]
        if told.label is None or claimed.label is None:
            unlabelled += 1
        elif told.label != claimed.label:
            misaligned += 1
        else:
            concept = f"premise-{number // _HYPOTHESES}"
            right = claimed.label
            item = Item(one, concept, told.premise, (words[right],), words, right, {"hypothesis": claimed.hypothesis})
            (shown if one in demonstrations else items).append(item)
    notes = []
    if unlabelled:
        notes.append(f"{unlabelled} rows have no label ('{_NO_LABEL}'); they are left out.")
    if misaligned:
        notes.append(
            f"{misaligned} rows differ between {source.name} and {target.name} (label, or in one only); they are left "
            "out."
        )
    return Loaded(tuple(items), tuple(shown), f"XNLI ({where})", tuple(notes))


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:
    """The premise, the hypothesis, and whether it is true."""
    return pose(NAME, item, chain, target, scoring, item.fields)


def _pairs(language: Language, data: Data) -> tuple[list[_Pair], str]:
    """All rows of a language, and where they come from."""
    if data.folder is None:
        rows = hub_rows(_HUB, language, _SPLIT, "xnli/dev-{language}.tsv")
        pairs = [_Pair(_hub_label(row), row.text("premise"), row.text("hypothesis")) for row in rows]
        return pairs, hub_source(_HUB, rows)
    rows = read_tsv(find_file(data.folder, _FILES, language), ("label", "sentence1", "sentence2"))
    pairs = [_Pair(_label(row), row.text("sentence1"), row.text("sentence2")) for row in rows]
    return pairs, str(data.folder / "xnli")


def _label(row: Row) -> int | None:
    label = row.text("label")
    if label != _NO_LABEL and label not in LABELS:
        raise InputError(f"{row.where}: 'label' must be {', '.join(LABELS)} or {_NO_LABEL}.")
    return None if label == _NO_LABEL else LABELS.index(label)


def _hub_label(row: Row) -> int | None:
    label = row.number("label")
    if not -1 <= label < len(LABELS):
        raise InputError(f"{row.where}: 'label' must be -1 to {len(LABELS) - 1}.")
    return None if label < 0 else label


TASK = Task(
    name=NAME,
    about="natural language inference (XNLI): premise in the source, hypothesis in the target language",
    load=load,
    ask=ask,
    scorings=SCORINGS,
)
