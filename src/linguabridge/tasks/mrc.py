"""Reading comprehension, Belebele: the passage in the source language, question and four options in the target's."""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge import languages
from linguabridge.engines.engine import SCORINGS
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.tasks.options import pose
from linguabridge.tasks.sources import (
    Row,
    files_by_language,
    find_file,
    held_out,
    hub_rows,
    hub_source,
    no_language,
    ordered,
    read_jsonl,
)
from linguabridge.tasks.task import Data, Item, Loaded, Question, Said, Task

NAME = "mrc"
_HUB, _SPLIT = "facebook/belebele", "test"
_FILES = "belebele/*.jsonl"
_PASSAGES = "belebele/passages_15lang.jsonl"  # passages alone, a column a language
_ANSWERS = ("mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4")


def load(source: Language, target: Language, data: Data) -> Loaded:
    """Questions in the target language on passages in the source language, joined by the passage's address.

    Raises:
        InputError: a language is not there, or a row is malformed.
        DownloadError: the data set could not be read from the hub.
    """
    if data.folder is None:
        expected = "belebele/{language}.jsonl"
        asked = hub_rows(_HUB, target, _SPLIT, expected)
        told = _passages(hub_rows(_HUB, source, _SPLIT, expected), "flores_passage")
        where = hub_source(_HUB, asked)
    else:
        asked = read_jsonl(find_file(data.folder, _FILES, target))
        told = _local_passages(source, data)
        where = str(data.folder / "belebele")
    by_id: dict[str, Row] = {}
    for row in asked:
        item_id = _id(row)
        if item_id in by_id:
            raise InputError(f"{row.where}: this question stands there twice (same link and question_number).")
        by_id[item_id] = row
    order = ordered(by_id, NAME, data.seed)
    demonstrations = held_out(order, lambda one: by_id[one].text("link"))
    items = {one: _item(one, by_id[one], told) for one in order}
    kept = {one: item for one, item in items.items() if item is not None}
    notes = []
    if len(kept) < len(order):
        notes.append(f"{len(order) - len(kept)} questions have no passage in {source.name}; they are left out.")
    twice = sum(item.options.count(item.gold[0]) > 1 for item in kept.values())
    if twice:
        notes.append(f"In {twice} of {len(kept)} items the right option stands there twice; either counts.")
    return Loaded(
        items=tuple(item for one, item in kept.items() if one not in demonstrations),
        demonstrations=tuple(item for one, item in kept.items() if one in demonstrations),
        source=f"Belebele ({where})",
        notes=tuple(notes),
    )


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:
    """The passage, then the question."""
    return pose(NAME, item, chain, target, scoring, item.fields)


def _id(row: Row) -> str:
    return f"{row.text('link')}#{row.number('question_number')}"


def _item(item_id: str, row: Row, passages: dict[str, str]) -> Item | None:
    options = tuple(row.text(column) for column in _ANSWERS)
    right = row.number("correct_answer_num") - 1
    if not 0 <= right < len(options):
        raise InputError(f"{row.where}: 'correct_answer_num' must be 1 to {len(options)}.")
    question, link = row.text("question"), row.text("link")
    if link not in passages:
        return None
    return Item(item_id, link, passages[link], (options[right],), options, right, {"question": question})


def _passages(rows: Sequence[Row], column: str) -> dict[str, str]:
    """Passage by its address; questions on the same passage repeat it."""
    return {row.text("link"): row.text(column) for row in rows}


def _local_passages(source: Language, data: Data) -> dict[str, str]:
    assert data.folder is not None
    own = files_by_language(data.folder, _FILES)
    if source in own:
        return _passages(read_jsonl(own[source]), "flores_passage")
    extra = data.folder / _PASSAGES
    if not extra.is_file():
        raise no_language(str(data.folder / _FILES), source, own)
    rows = read_jsonl(extra)
    columns: dict[Language, str] = {}
    for column in rows[0].values:
        if "_" in column:  # eng_Latn; "link" is a code of some language, too
            try:
                columns.setdefault(languages.parse(column), column)
            except InputError:
                continue
    if source not in columns:
        raise no_language(str(data.folder / "belebele"), source, {*own, *columns})
    return _passages(rows, columns[source])


TASK = Task(
    name=NAME,
    about="reading comprehension (Belebele): passage in the source, question and four options in the target language",
    load=load,
    ask=ask,
    scorings=SCORINGS,
)
