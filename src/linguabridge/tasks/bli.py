"""Word translation (bilingual lexicon induction): the right word ranked among ten, an exact answer beside it."""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge.choices import N_OPTIONS, make_choices
from linguabridge.engines.engine import GENERATED, TEXT
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.lexicons import Entry, load_lexicon, split
from linguabridge.prompts import WORD, Prompt, endonym, translation_prompt, without_plain_quotes
from linguabridge.tasks.task import Data, Item, Loaded, Question, Said, Task

FEWEST = 10


def load(source: Language, target: Language, data: Data) -> Loaded:
    """Words kept back for checks: neither they nor their translations are among the words that may probe neurons.

    Raises:
        InputError: the lexicon has too few words for the pair.
    """
    lexicon = load_lexicon(
        data.lexicon, directory=data.lexicon_dir, source=source, target=target, cache_dir=data.cache_dir / "lexicons"
    )
    pair = lexicon.pair(source, target)
    # All that is not kept back counts as a probe here, so that test words are disjoint from any choice of probes.
    drawn = split(pair, probes=len(pair.entries), check=len(pair.entries), seed=data.seed)
    if len(drawn.check) < FEWEST or len(pair.entries) < N_OPTIONS:
        raise InputError(
            f"{pair.lexicon} has only {len(drawn.check)} words to test with for {source.name} to {target.name}, and "
            f"{FEWEST} are needed: add entries, or choose another --lexicon. {pair.describe()}"
        )
    return Loaded(
        items=tuple(_items(drawn.check, pair.entries, data.seed)),
        demonstrations=tuple(_items(drawn.probes, pair.entries, data.seed)),
        source=pair.lexicon,
        notes=(pair.describe(),),
    )


def _items(entries: Sequence[Entry], pool: Sequence[Entry], seed: int) -> list[Item]:
    return [
        Item(
            id=f"{choice.entry.concept}:{choice.entry.source}",
            concept=choice.entry.concept,
            text=choice.entry.source,
            gold=choice.entry.targets,
            options=choice.options,
            right=0,
        )
        for choice in make_choices(entries, pool, seed)
    ]


def ask(item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:
    """``{S}:"word"→{B}:"word"→{T}:"``, and the options with their closing quotes."""
    names = [endonym(said.language) for said in chain]
    prompt = Prompt(translation_prompt([*names, endonym(target)], [said.text for said in chain]), '"')
    return Question(
        prompt, tuple(f'{without_plain_quotes(option)}"' for option in item.options) if scoring == TEXT else ()
    )


TASK = Task(
    name="bli",
    about="word translation: the right word ranked among ten",
    load=load,
    ask=ask,
    scorings=(TEXT, GENERATED),
    metric="MRR",
    words=True,
    ending=WORD,
)
