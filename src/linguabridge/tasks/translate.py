"""Sentence translation, FLORES: from the source into the target language, scored by chrF++ a sentence.

Figures of the whole corpus are in :mod:`linguabridge.tasks.corpus`.
"""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge.engines.engine import GENERATED
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.prompts import Ending, Prompt, endonym
from linguabridge.tasks.corpus import sentence_score
from linguabridge.tasks.sources import (
    Row,
    files_by_language,
    find_file,
    held_out,
    hub_rows,
    hub_source,
    ordered,
    read_lines,
)
from linguabridge.tasks.task import Data, Item, Judgement, Loaded, Question, Said, Task, chain_text, one_line

NAME = "translate"
_HUB = "openlanguagedata/flores_plus"
_FILES = "flores200/{part}/*.{part}"


def load(source: Language, target: Language, data: Data) -> Loaded:
    """Sentences in the source language with their translations into the target language.

    Items are the part ``devtest``, demonstrations are ``dev``. Where a local copy has no devtest in both languages,
    items are dev, and a seeded tenth of it (20 at most) are demonstrations. A sentence's id is its place, from 0.

    Raises:
        InputError: a language is not there, or the files are not parallel.
        DownloadError: the data set could not be read from the hub.
    """
    if data.folder is None:
        expected = "flores200/devtest/{language}.devtest"
        rows = {part: [hub_rows(_HUB, one, part, expected) for one in (source, target)] for part in ("devtest", "dev")}
        devtest, dev = (_pairs(*map(_by_id, both)) for both in rows.values())
        where = hub_source(_HUB, [row for both in rows.values() for some in both for row in some])
        return _with_dev(devtest, dev, where, data.seed)
    where = str(data.folder / "flores200")
    found = {part: files_by_language(data.folder, _FILES.format(part=part)) for part in ("devtest", "dev")}
    both = {part: source in there and target in there for part, there in found.items()}
    if both["devtest"]:
        dev = _local(data, "dev", source, target) if both["dev"] else {}
        return _with_dev(_local(data, "devtest", source, target), dev, where, data.seed)
    pairs = _local(data, "dev", source, target)
    order = ordered(pairs, NAME, data.seed)
    held = held_out(order, lambda one: one)
    return Loaded(
        items=tuple(_item(one, pairs[one]) for one in order if one not in held),
        demonstrations=tuple(_item(one, pairs[one]) for one in order if one in held),
        source=f"FLORES, dev ({where})",
        notes=(f"The local copy has no devtest in {source.name} and {target.name}; items are sentences of dev.",),
    )


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:  # noqa: ARG001 - the interface
    """``{S}: sentence``, a line for each bridge, ``{T}:``."""
    return Question(Prompt(f"{chain_text(chain)}\n{endonym(target)}:"))


def judge(item: Item, answer: str, target: Language) -> Judgement:  # noqa: ARG001 - the interface
    """The answer's chrF++, 0 to 100; an empty answer counts as unreadable."""
    answer = one_line(answer)
    return Judgement(answer, sentence_score(answer, item.gold[0])) if answer else Judgement(None, 0.0)


def _with_dev(devtest: dict[str, tuple[str, str]], dev: dict[str, tuple[str, str]], where: str, seed: int) -> Loaded:
    return Loaded(
        items=tuple(_item(one, devtest[one]) for one in ordered(devtest, NAME, seed)),
        # dev numbers its sentences from 0 as well
        demonstrations=tuple(_item(f"dev:{one}", dev[one]) for one in ordered(dev, NAME, seed)),
        source=f"FLORES, devtest ({where})",
    )


def _item(item_id: str, pair: tuple[str, str]) -> Item:
    return Item(item_id, item_id, pair[0], (pair[1],))


def _by_id(rows: Sequence[Row]) -> dict[str, Row]:
    return {str(row.number("id")): row for row in rows}


def _local(data: Data, part: str, source: Language, target: Language) -> dict[str, tuple[str, str]]:
    assert data.folder is not None
    pattern = _FILES.format(part=part)
    files = [find_file(data.folder, pattern, language) for language in (source, target)]
    ours, theirs = ({str(number): row for number, row in enumerate(read_lines(file))} for file in files)
    if len(ours) != len(theirs):
        raise InputError(
            f"{files[0]} has {len(ours)} lines and {files[1]} has {len(theirs)}: they must be translations of each "
            "other, line by line."
        )
    return _pairs(ours, theirs)


def _pairs(ours: dict[str, Row], theirs: dict[str, Row]) -> dict[str, tuple[str, str]]:
    """Sentences and translations by id; where either is missing or empty, neither."""
    pairs = {one: (_clean(ours[one]), _clean(theirs[one])) for one in ours if one in theirs}
    return {one: pair for one, pair in pairs.items() if all(pair)}


def _clean(row: Row) -> str:
    # FLORES files copied from CSV carry stray quotes and trailing spaces (as in texts.py).
    text = row.values.get("text")
    if not isinstance(text, str):
        raise InputError(f"{row.where}: 'text' must be a text.")
    return one_line(text.strip().strip('"'))


TASK = Task(
    name=NAME,
    about="sentence translation (FLORES): from the source into the target language",
    load=load,
    ask=ask,
    scorings=(GENERATED,),
    metric="chrF++",
    ending=Ending(stops=("\n",), max_new_tokens=160),
    judge=judge,
)
