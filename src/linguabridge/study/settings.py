"""What a study depends on, besides the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge import languages
from linguabridge.errors import InputError
from linguabridge.languages import PAPER_LANGUAGES
from linguabridge.settings import DICTIONARY, WAYS_TO_CHOOSE, Settings, check_bridge_words, check_pairs, check_seed

# Pairs of the paper's languages. Those for development were looked at while ways of choosing were made and a default
# was picked; what is said of the ways rests on the others. A third of them and more have English as source or target.
# No pair is the reverse of one of the other set, whose words it would share; words of one source language do recur.
DEVELOPMENT = (
    "ar:he", "he:ar", "id:tl", "tl:id", "zh:ja", "fi:hu", "en:tl", "zh:en", "hu:en", "ja:en", "en:he", "en:fi",
)  # fmt: skip
REPORTED = (
    "ar:sw", "id:sw", "sw:de", "de:hu", "es:tl", "ja:fi", "it:he", "en:sw", "ar:en", "en:id", "es:en", "en:de",
)  # fmt: skip
CHAINS = (2, 3)  # numbers of bridges in one prompt
VOTED = "&"  # between the codes of bridges whose prompts' likelihoods are summed, in the name of an arm
# Of all concepts, those kept for the study's questions: more than recommend's check keeps, because 150 words a pair
# must be left that every language has and no bridge already answers.
TEST_SHARE = 2 / 3
FEWEST_WORDS, FEWEST_CANDIDATES = 40, 4  # two candidates must be left of a pair whose languages are among them


@dataclass(frozen=True)
class StudySettings:
    """What a study depends on, besides the model.

    Attributes:
        pairs: (source, target), as codes or names; kept as codes, each pair once.
        candidates: codes of the bridges; each pair leaves its own two languages out.
        words: asked in each pair, at most.
        bridge_words: ``dictionary`` (the lexicon's own word stands in the prompt) or ``own`` (the model's).
        lexicon: ``cldr``, ``muse`` or the path of a word list.
        lexicon_dir: local folder of MUSE dictionaries.
        tokens: of text read for each language, at most.
        probes: entries the model is asked, to find those it understands, and to measure hops on.
        exact: ask for greedy answers beside ranks.
        ways: names of the ways of choosing to compare; ``english`` and ``random`` are always among them.
        seed: of every draw.
    """

    pairs: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...] = PAPER_LANGUAGES
    words: int = 150
    bridge_words: str = DICTIONARY
    lexicon: str = "cldr"
    lexicon_dir: Path | None = None
    tokens: int = 2000
    probes: int = 200
    exact: bool = True
    ways: tuple[str, ...] = WAYS_TO_CHOOSE
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one sentence."""
        object.__setattr__(self, "pairs", check_pairs(self.pairs))
        check_bridge_words(self.bridge_words)
        check_seed(self.seed)
        ways: Any = self.ways  # whatever the types promise
        if isinstance(ways, str):
            raise InputError(f"Ways of choosing are a tuple of names, not one text: ('{ways}',).")
        if not self.candidates:
            raise InputError("--candidates names no language; leave it out for the default ones.")
        # Refuses what is unknown, too few or one text.
        Settings(candidates=self.candidates, tokens=self.tokens, probes=self.probes)
        for way in self.ways:
            Settings(choose_by=way)
        if self.words < FEWEST_WORDS:
            raise InputError(f"--words {self.words} is too few to tell bridges apart; give at least {FEWEST_WORDS}.")


def parse_pairs(pairs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Codes of the languages in ``ar:he``, each pair once.

    Raises:
        InputError: not a pair, an unknown language, or one language twice.
    """
    for text in pairs:
        if text.count(":") != 1:
            raise InputError(f"'{text}' is no pair of languages; write it as ar:he, source first.")
    return check_pairs([(source, target) for source, _, target in (text.partition(":") for text in pairs)])


def parse_candidates(names: Sequence[str] | None) -> tuple[str, ...]:
    """Codes of the bridges to try; the paper's languages for None.

    Raises:
        InputError: an unknown language, or fewer than four.
    """
    if names is None:
        return PAPER_LANGUAGES
    codes = tuple(dict.fromkeys(languages.parse(name).code for name in names))
    if len(codes) < FEWEST_CANDIDATES:
        raise InputError(f"--candidates names {len(codes)} languages; a choice needs {FEWEST_CANDIDATES} or more.")
    return codes
