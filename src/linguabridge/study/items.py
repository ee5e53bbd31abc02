"""The words a pair is asked: the same for every arm, so that arms differ in nothing but their bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linguabridge.choices import Choice, make_choices
from linguabridge.errors import InputError
from linguabridge.evaluation.glosses import word_list
from linguabridge.languages import Language
from linguabridge.lexicons import Entry, Lexicon, is_among, normalise_word, split
from linguabridge.settings import FEWEST_PROBES
from linguabridge.study.settings import FEWEST_WORDS, TEST_SHARE, StudySettings
from linguabridge.texts import Text, unread


@dataclass(frozen=True)
class PairItems:
    """What is asked of a pair.

    Attributes:
        source: language of the words.
        target: language of the options.
        candidates: bridges.
        choices: words with their options.
        glosses: for each candidate's code the dictionary's word for each choice.
        probes: entries of other concepts, which share no word with the choices.
        n_copied: words left out because some bridge's word already is the answer.
    """

    source: Language
    target: Language
    candidates: tuple[Language, ...]
    choices: tuple[Choice, ...]
    glosses: dict[str, tuple[str, ...]]
    probes: tuple[Entry, ...]
    n_copied: int

    @property
    def words(self) -> frozenset[str]:
        """All words asked and all right answers, by their normal form: nothing else may show them."""
        return frozenset(
            normalise_word(word) for choice in self.choices for word in (choice.entry.source, *choice.entry.targets)
        )


def pair_items(
    lexicon: Lexicon,
    source: Language,
    target: Language,
    candidates: Sequence[Language],
    texts: Mapping[str, Text],
    settings: StudySettings,
) -> PairItems:
    """Draw the words of a pair that every candidate has a word for, and none already answers.

    A bridge word that is a right answer would be copied, which shows nothing of bridging; such words are left out for
    all arms alike, so that all answer the same ones. Left out too are words that neurons are read on, which a lexicon
    that splits its concepts in its own way may bring.

    Args:
        lexicon: of the words.
        source: language of the words.
        target: language of the options.
        candidates: bridges.
        texts: that neurons are read on, of source and target at least, by code.
        settings: how many words and probes.

    Raises:
        InputError: too few words are left.
    """
    if len(candidates) < 2:
        raise InputError(
            f"A choice from {source.name} to {target.name} needs two candidates or more besides these two; name more "
            "--candidates."
        )
    pair = lexicon.pair(source, target)
    drawn = split(pair, probes=settings.probes, check=len(pair.entries), seed=settings.seed, share=TEST_SHARE)
    known = {one.code: _words(lexicon, source, one) for one in candidates}
    kept: list[Entry] = []
    words: dict[str, list[str]] = {code: [] for code in known}
    n_copied = 0
    for entry in unread(drawn.check, (texts[source.code], texts[target.code])):
        bridged = {code: some.get(normalise_word(entry.source)) for code, some in known.items()}
        if not all(bridged.values()):
            continue
        if any(is_among(word or "", entry.targets) for word in bridged.values()):
            n_copied += 1
            continue
        kept.append(entry)
        for code, word in bridged.items():
            words[code].append(word or "")
        if len(kept) == settings.words:
            break
    if len(kept) < FEWEST_WORDS:
        raise InputError(
            f"{pair.lexicon} has only {len(kept)} words from {source.name} to {target.name} that every bridge has a "
            f"word for ({n_copied} more are the same in a bridge and {target.name}); a study needs {FEWEST_WORDS}: "
            "leave the pair out, or name fewer --candidates."
        )
    if len(drawn.probes) < FEWEST_PROBES:
        raise InputError(
            f"{pair.lexicon} has only {len(drawn.probes)} words to probe with from {source.name} to {target.name}, and "
            f"{FEWEST_PROBES} are needed: leave the pair out, or take another --lexicon."
        )
    return PairItems(
        source=source,
        target=target,
        candidates=tuple(candidates),
        choices=tuple(make_choices(kept, pair.entries, settings.seed)),
        glosses={code: tuple(some) for code, some in words.items()},
        probes=drawn.probes,
        n_copied=n_copied,
    )


def _words(lexicon: Lexicon, source: Language, bridge: Language) -> dict[str, str]:
    try:
        return word_list(lexicon, source, bridge)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}, or name --candidates without {bridge.code}.") from error
