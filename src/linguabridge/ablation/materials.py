"""What an ablation is measured on: held-out words to translate, and text on which neurons were not read."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from linguabridge.ablation.settings import FEWEST_WORDS, AblationSettings, Languages
from linguabridge.cache import Cache, digest
from linguabridge.choices import Choice, make_choices
from linguabridge.errors import InputError
from linguabridge.lexicons import (
    Entry,
    Lexicon,
    PairEntries,
    kept_for_check,
    load_cldr,
    load_lexicon,
    split,
)
from linguabridge.prompts import endonym, option_text, translation_prompt
from linguabridge.settings import Settings
from linguabridge.texts import Text, lines_read, load_text, unread

FEWEST_LINES = 20  # of held-out text; with fewer, the text that neurons were read on serves, and the output says so
_RANDOM_ORDER = "held-out names"


@dataclass(frozen=True)
class HeldOut:
    """Text to measure perplexity on.

    Attributes:
        text: its lines.
        unseen: whether none of them is among those that neurons were read on.
    """

    text: Text
    unseen: bool


@dataclass(frozen=True)
class Materials:
    """What an ablation needs, before a model is asked.

    Attributes:
        lexicon: of the words.
        pair: its entries.
        choices: held-out words with ten options each, the right one first.
        prompts: one for each, direct.
        texts: to read neurons on, by the language's code: all languages compared that have one.
        held_out: to measure perplexity on, by code: source, target, then the contrasts.
        notes: what should be known, a sentence each.
    """

    lexicon: Lexicon
    pair: PairEntries
    choices: tuple[Choice, ...]
    prompts: tuple[str, ...]
    texts: dict[str, Text]
    held_out: dict[str, HeldOut]
    notes: tuple[str, ...]

    @property
    def right(self) -> list[str]:
        """The first right translation of each word, as it stands after the prompt, closing quote included."""
        return [option_text(choice.options[0]) for choice in self.choices]


def gather(wanted: Languages, settings: AblationSettings, cache: Cache) -> Materials:
    """Gather words and texts; cheap, and says what is missing before the work begins.

    Raises:
        InputError: there are too few words for the pair, or no text in one of its languages or one asked for.
    """
    source, target = wanted.source, wanted.target
    lexicon = load_lexicon(
        settings.lexicon,
        directory=settings.lexicon_dir,
        source=source,
        target=target,
        cache_dir=cache.root / "lexicons",
    )
    pair = lexicon.pair(source, target)
    texts: dict[str, Text] = {}
    notes: list[str] = []
    for one in wanted.compared:
        try:
            texts[one.code] = load_text(settings.texts, one, settings.seed, lexicon)
        except InputError as error:
            asked = settings.contrasts if one in wanted.contrasts else settings.languages
            if one in (source, target) or asked is not None:
                raise
            notes.append(f"{one.name} is left out: {error}")
    held_out = {
        one.code: _held_out(texts[one.code], lexicon, settings)
        for one in (source, target, *wanted.contrasts)
        if one.code in texts
    }
    entries = held_out_words(pair, [texts[source.code], texts[target.code]], settings)
    names = [endonym(source), endonym(target)]
    return Materials(
        lexicon=lexicon,
        pair=pair,
        choices=tuple(make_choices(entries, pair.entries, settings.seed)),
        prompts=tuple(translation_prompt(names, [entry.source]) for entry in entries),
        texts=texts,
        held_out=held_out,
        notes=tuple(notes),
    )


def held_out_words(pair: PairEntries, texts: Sequence[Text], settings: AblationSettings) -> list[Entry]:
    """The words that the check of ``recommend`` would ask: none is a line of the names that neurons were read on.

    Raises:
        InputError: too few are left.
    """
    drawn = split(pair, probes=Settings.probes, check=len(pair.entries), seed=settings.seed).check
    entries = unread(drawn, texts)[: settings.words]
    if len(entries) < FEWEST_WORDS:
        raise InputError(
            f"{pair.lexicon} has only {len(entries)} words kept back for {pair.source.name} to {pair.target.name}, and "
            f"{FEWEST_WORDS} are needed: choose another --lexicon or another pair. {pair.describe()}"
        )
    return entries


def _held_out(text: Text, lexicon: Lexicon, settings: AblationSettings) -> HeldOut:
    """Text in the manner of another that it has no line in common with; where there is too little, that text itself."""
    if text.words:
        return HeldOut(_held_out_names(text, lexicon, settings.seed), unseen=True)
    n_read = sum(1 for _ in lines_read(text, settings.tokens))

    def rest() -> Iterator[str]:
        return islice(text.lines(), n_read, None)

    if sum(1 for _ in islice(rest(), FEWEST_LINES)) < FEWEST_LINES:
        return HeldOut(text, unseen=False)
    after = f"{text.source}, after line {n_read:,}"
    return HeldOut(Text(text.language, after, rest, digest([text.sha256, n_read])), unseen=True)


def _held_out_names(text: Text, lexicon: Lexicon, seed: int) -> Text:
    """The names of concepts kept for the check, in seeded order, from where the others were taken."""
    names = _names_like(text, lexicon)
    kept = sorted({name for concept, name in names.items() if kept_for_check(concept, seed)})
    random.Random(f"{seed}\0{_RANDOM_ORDER}").shuffle(kept)  # noqa: S311 - order, not secrets
    return Text(text.language, f"{text.source}, those kept for checks", lambda: iter(kept), digest(kept), words=True)


def _names_like(text: Text, lexicon: Lexicon) -> dict[str, str]:
    """All names in a language by concept, from where those of a text were taken: CLDR, where it has enough."""
    read = set(text.lines())
    try:
        names = load_cldr().names(text.language)
    except InputError:
        return lexicon.names(text.language)
    return names if read <= set(names.values()) else lexicon.names(text.language)
