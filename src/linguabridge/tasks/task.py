"""What a task is: the interface that every file in this folder fills, and that a file outside the package can fill.

A task turns data into items, an item and a chain of texts into a question, and a generated answer into a judgement. It
knows nothing of models, bridges' choice or statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linguabridge.languages import Language
from linguabridge.lexicons import is_among, normalise_word
from linguabridge.prompts import Ending, Prompt, endonym

LINE = Ending(stops=("\n",), max_new_tokens=64)


@dataclass(frozen=True)
class Data:
    """Where items come from.

    Attributes:
        folder: local copies in the upstream layouts, a folder a data set (``belebele``, ``sib200``…); None for the
            official source, downloaded on first use.
        cache_dir: where downloads are kept.
        lexicon: ``cldr``, ``muse`` or the path of a word list.
        lexicon_dir: local folder of MUSE dictionaries.
        seed: of every draw.
    """

    folder: Path | None = None
    cache_dir: Path = field(default_factory=lambda: Path())
    lexicon: str = "cldr"
    lexicon_dir: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        id: the same in every language, and on every machine.
        concept: what it is about (a lexicon's concept, a sentence's or passage's number): test and probe are disjoint
            by it.
        text: in the source language; what a bridge renders.
        gold: right answers, in the target language; of a choice, the right option alone.
        options: to choose from, in the target language, in the data's own order; none where the answer is free.
        right: index of the right option; None where there are none.
        fields: whatever else the prompt needs, by its name in the scaffold.
    """

    id: str
    concept: str
    text: str
    gold: tuple[str, ...]
    options: tuple[str, ...] = ()
    right: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded:
    """A task's data for one pair of languages.

    Attributes:
        items: to be answered, in an order that the seed alone decides, so that the first n are a fair sample.
        demonstrations: items that may be shown with their answers; none of them among ``items``.
        source: where they came from, in words.
        notes: what else should be known, a sentence each.
    """

    items: tuple[Item, ...]
    demonstrations: tuple[Item, ...]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """A text in one language: the item's own, or what a bridge made of it."""

    language: Language
    text: str


@dataclass(frozen=True)
class Question:
    """What the model is asked: a prompt, and the continuations to choose from (none for a free answer)."""

    prompt: Prompt
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What a generated answer is worth.

    Attributes:
        parsed: the answer that was read from the text; None where none could be read.
        score: 0 to 1 (chrF++: 0 to 100); 0 where nothing could be read.
    """

    parsed: str | None
    score: float


def equals_gold(item: Item, answer: str, target: Language) -> Judgement:  # noqa: ARG001 - the interface
    """Right if it equals a right answer after normalisation; an empty answer counts as unreadable."""
    if not normalise_word(answer):
        return Judgement(None, 0.0)
    return Judgement(answer, float(is_among(answer, item.gold)))


@dataclass(frozen=True)
class Task:
    """A kind of question, as data and functions. Each file of this folder ends in one, named ``TASK``.

    Attributes:
        name: on the command line.
        about: what it is, in one line.
        load: ``load(source, target, data)`` gives the items of a pair; raises InputError or DownloadError.
        ask: ``ask(item, chain, target, scoring)`` makes the question. The chain begins with the item's own text, then
            what each bridge made of it; without a bridge it has one link.
        scorings: of :data:`linguabridge.engines.engine.SCORINGS`, those that make sense here, the default first.
        metric: of the items' scores: ``accuracy``, ``MRR``, ``chrF++``.
        words: texts are single words, and bridges translate them as words; else as lines.
        ending: of a generated answer.
        judge: ``judge(item, answer, target)`` judges a generated answer, cut at its ending.
        reasons: a generated answer may come after reasoning of several paragraphs, and ``judge`` finds it there. A chat
            model then gets the room to write all of it, and ``ending`` is for plain prompts alone.
    """

    name: str
    about: str
    load: Callable[[Language, Language, Data], Loaded]
    ask: Callable[[Item, Sequence[Said], Language, str], Question]
    scorings: tuple[str, ...]
    metric: str = "accuracy"
    words: bool = False
    ending: Ending = LINE
    judge: Callable[[Item, str, Language], Judgement] = equals_gold
    reasons: bool = False


def one_line(text: str) -> str:
    """A text without line ends, which would end an answer."""
    return " ".join(text.split())


def chain_text(chain: Sequence[Said]) -> str:
    """The text in every language it is there in, a line each: ``Kiswahili: …``."""
    return "\n".join(f"{endonym(said.language)}: {one_line(said.text)}" for said in chain)
