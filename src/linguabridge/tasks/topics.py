"""Topic classification, SIB-200: the text in the source language, names of seven topics in the target's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linguabridge.engines.engine import SCORINGS
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.tasks.options import pose
from linguabridge.tasks.scaffolds import fill
from linguabridge.tasks.sources import Row, files_by_language, find_file, hub_rows, hub_source, ordered, read_tsv
from linguabridge.tasks.task import Data, Item, Loaded, Question, Said, Task

NAME = "topics"
TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
_HUB = "Davlan/sib200"
_COLUMNS = ("index_id", "category", "text")


def load(source: Language, target: Language, data: Data) -> Loaded:
    """Texts in the source language with topics named in the target language, which needs no texts of its own.

    Items are the test part, or the development part where a local copy has no test part; demonstrations are the
    training part.

    Raises:
        InputError: the source language is not there, or a row is malformed.
        DownloadError: the data set could not be read from the hub.
    """
    notes = []
    if data.folder is None:
        expected = "sib200/{language}/test.tsv"
        part = "test"
        rows = hub_rows(_HUB, source, "test", expected)
        train = hub_rows(_HUB, source, "train", expected)
        where = hub_source(_HUB, [*rows, *train])
    else:
        where = str(data.folder / "sib200")
        tests = files_by_language(data.folder, "sib200/*/test.tsv")
        part = "test" if source in tests else "dev"
        rows = _read(tests.get(source) or find_file(data.folder, "sib200/*/dev.tsv", source))
        training = files_by_language(data.folder, "sib200/*/train.tsv")
        train = _read(training[source]) if source in training else []
        if part == "dev":
            notes.append("The local copy has no test part; items are the development part's.")
    names = tuple(fill(NAME, target, topic, {}) for topic in TOPICS)
    items = _items(rows, names, data.seed)
    asked = {item.concept for item in items}
    demonstrations = tuple(item for item in _items(train, names, data.seed) if item.concept not in asked)
    return Loaded(items, demonstrations, f"SIB-200, {part} ({where})", tuple(notes))


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:
    """The text, then what it is about."""
    return pose(NAME, item, chain, target, scoring, item.fields)


def _read(file: Path) -> list[Row]:
    return read_tsv(file, _COLUMNS, quoted=True)


def _items(rows: Sequence[Row], names: tuple[str, ...], seed: int) -> tuple[Item, ...]:
    by_id: dict[str, Item] = {}
    for row in rows:
        number, topic = str(row.number("index_id")), row.text("category")
        if topic not in TOPICS:
            raise InputError(f"{row.where}: 'category' must be one of {', '.join(TOPICS)}.")
        if number in by_id:
            raise InputError(f"{row.where}: index_id {number} stands there twice.")
        right = TOPICS.index(topic)
        by_id[number] = Item(number, number, row.text("text"), (names[right],), names, right)
    return tuple(by_id[one] for one in ordered(by_id, NAME, seed))


TASK = Task(
    name=NAME,
    about="topic classification (SIB-200): text in the source, names of seven topics in the target language",
    load=load,
    ask=ask,
    scorings=SCORINGS,
)
