"""Grade-school mathematics, MGSM: a problem in the source language, a scaffold in the target's, a number to find."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from linguabridge import languages
from linguabridge.downloads import fetch
from linguabridge.engines.engine import GENERATED
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.prompts import Ending, Prompt, endonym
from linguabridge.tasks.numbers import parse_number, plain
from linguabridge.tasks.scaffolds import fill
from linguabridge.tasks.sources import find_file, held_out, no_language, ordered, read_tsv
from linguabridge.tasks.task import Data, Item, Judgement, Loaded, Question, Said, Task, chain_text

NAME = "math"
BASE_URL = "https://raw.githubusercontent.com/google-research/url-nlp/main/mgsm/"
_FILES = "mgsm/mgsm_*.tsv"
_ENGLISH = languages.parse("en")  # in which all files of MGSM write the answers, thousands commas and all


def load(source: Language, target: Language, data: Data) -> Loaded:  # noqa: ARG001 - the interface
    """Problems in the source language; of the target language nothing is needed, its scaffold at most.

    A problem's id is its line, the same in every language. A seeded tenth (20 at most) are demonstrations.

    Raises:
        InputError: the source language is not there, or a row is malformed.
        DownloadError: the file cannot be fetched.
        CacheError: the cache folder cannot be written.
    """
    file = _fetch(source, data.cache_dir) if data.folder is None else find_file(data.folder, _FILES, source)
    items: dict[str, Item] = {}
    for number, row in enumerate(read_tsv(file, ("question", "answer"), header=False), 1):
        answer = parse_number(row.text("answer"), _ENGLISH)
        if answer is None:
            raise InputError(f"{row.where}: the answer must be a number.")
        items[str(number)] = Item(str(number), str(number), row.text("question"), (plain(answer),))
    order = ordered(items, NAME, data.seed)
    held = held_out(order, lambda one: one)
    return Loaded(
        items=tuple(items[one] for one in order if one not in held),
        demonstrations=tuple(items[one] for one in order if one in held),
        source=f"MGSM ({'google-research/url-nlp' if data.folder is None else data.folder / 'mgsm'})",
    )


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:  # noqa: ARG001
    """The problem, then a request for an answer step by step."""
    return Question(Prompt(fill(NAME, target, "text", {"chain": chain_text(chain), "target": endonym(target)})))


def judge(item: Item, answer: str, target: Language) -> Judgement:
    """Right if the answer's final number is the same; see :func:`linguabridge.tasks.numbers.parse_number`."""
    number = parse_number(_own_part(answer, target), target)
    if number is None:
        return Judgement(None, 0.0)
    return Judgement(plain(number), float(number == Decimal(item.gold[0])))


def _own_part(answer: str, target: Language) -> str:
    """An answer without the problem of its own making that a model may go on with."""
    return answer.partition("\n" + fill(NAME, target, "problem", {}))[0]


@lru_cache(maxsize=1)
def _registry() -> dict[str, str]:
    text = files("linguabridge").joinpath("data", "mgsm.sha256").read_text("utf-8")
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def _fetch(language: Language, cache_dir: Path, base_url: str | None = None) -> Path:
    name, url = f"mgsm_{language.code}.tsv", base_url or BASE_URL
    if name not in _registry():
        there = (languages.parse(one.removeprefix("mgsm_").removesuffix(".tsv")) for one in _registry())
        raise no_language("MGSM", language, there)
    way_out = f"give a folder that holds mgsm/{name} with --data DIR"
    return fetch(url + name, cache_dir / "mgsm" / name, sha256=_registry()[name], publisher="MGSM", way_out=way_out)


TASK = Task(
    name=NAME,
    about="grade-school mathematics (MGSM): problem in the source, scaffold in the target language",
    load=load,
    ask=ask,
    scorings=(GENERATED,),
    ending=Ending(stops=("\n\n",), max_new_tokens=256),
    judge=judge,
    reasons=True,
)
