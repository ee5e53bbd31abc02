"""What an evaluation depends on, besides the model and the pairs; refused at once where it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linguabridge import languages
from linguabridge.engines.engine import SCORINGS
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.settings import DEFAULT_BRIDGE, Settings

RECOMMENDED, RANDOM, ORACLE = "recommended", "random", "oracle"
DICTIONARY, CHAIN, VOTE = "dictionary", "chain", "vote"
ARMS = (RECOMMENDED, RANDOM, ORACLE, DICTIONARY, CHAIN, VOTE)  # beside direct and the bridges named
NORMALISATIONS = ("sum", "byte", "pmi")
FEWEST_ITEMS = 10
MOST_TOGETHER = 8  # bridges in a chain or a vote


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation depends on, besides the model and the pairs.

    Attributes:
        tasks: names of tasks, or paths of files that define one.
        data: folder of local data sets; None for their official sources.
        bridges: codes of languages to go through in any case; None for English where it is neither source nor target.
        arms: more ways, of :data:`ARMS`.
        best: how many bridges ``chain`` and ``vote`` take, the best of the ranking.
        limit: items of each task and pair, at most.
        shots: demonstrations in each prompt.
        shots_language: of their texts; None for the source.
        scoring: how questions with options are decided; None for each task's default.
        normalise: of an option's likelihood: ``sum``, ``byte`` (divided by the option's length in UTF-8), ``pmi``
            (minus its likelihood after the prompt's last line alone).
        recommendations: files or folders of earlier ``recommend`` runs; what they lack is computed.
        recommend: how bridges are recommended; also the candidates, the lexicon and the seed of everything.
    """

    tasks: tuple[str, ...] = ("bli",)
    data: Path | None = None
    bridges: tuple[str, ...] | None = None
    arms: tuple[str, ...] = (RECOMMENDED,)
    best: int = 3
    limit: int | None = None
    shots: int = 0
    shots_language: str | None = None
    scoring: str | None = None
    normalise: str = "sum"
    recommendations: tuple[Path, ...] = ()
    recommend: Settings = field(default_factory=lambda: Settings(check=0))

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one sentence."""
        for name in ("tasks", "bridges", "arms", "recommendations"):
            if isinstance(given := getattr(self, name), str):
                raise InputError(f"{name.capitalize()} are a tuple, not one text: ('{given}',).")
        if not self.tasks:
            raise InputError("--task names no task; leave it out for word translation (bli).")
        for one in self.arms:
            if one not in ARMS:
                raise InputError(
                    f"Unknown arm '{one}': choose among {', '.join(ARMS)}. A bridge by its language is --bridge {one}."
                )
        if self.scoring not in (None, *SCORINGS):
            raise InputError(f"Unknown scoring '{self.scoring}': choose one of {', '.join(SCORINGS)}.")
        if self.normalise not in NORMALISATIONS:
            raise InputError(f"Unknown normalisation '{self.normalise}': choose one of {', '.join(NORMALISATIONS)}.")
        if self.limit is not None and self.limit < FEWEST_ITEMS:
            raise InputError(f"--limit {self.limit} is too few to tell anything; give at least {FEWEST_ITEMS}.")
        if self.shots < 0:
            raise InputError(f"--shots {self.shots}: the number of demonstrations is 0 or more.")
        if self.shots_language is not None and not self.shots:
            raise InputError("--shots-language needs --shots, the number of demonstrations.")
        if not 2 <= self.best <= MOST_TOGETHER:
            raise InputError(f"--best {self.best}: a chain or a vote takes 2 to {MOST_TOGETHER} bridges.")
        if self.data is not None and not self.data.is_dir():
            raise InputError(f"--data {self.data} is no folder.")

    @property
    def needs_ranking(self) -> bool:
        """Whether an arm depends on the recommendation's ranking."""
        return bool({RECOMMENDED, CHAIN, VOTE} & set(self.arms))


def fixed_bridges(source: Language, target: Language, settings: EvaluationSettings) -> tuple[Language, ...]:
    """The bridges to go through in any case.

    Raises:
        InputError: one of them is the source or the target.
    """
    if settings.bridges is None:
        hub = languages.parse(DEFAULT_BRIDGE)
        return () if hub in (source, target) else (hub,)
    found = tuple(dict.fromkeys(map(languages.parse, settings.bridges)))
    for one in found:
        if one in (source, target):
            which = "source" if one == source else "target"
            raise InputError(
                f"The bridge {one.name} ({one.code}) is the {which} of {source.code}:{target.code}; leave it out of "
                "--bridge."
            )
    return found


def parse_pairs(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs as they are given: ``ar:he sw:de``, or one pair as two words.

    Raises:
        InputError: something else; the languages are parsed later.
    """
    if len(words) == 2 and not any(":" in word for word in words):
        return ((words[0], words[1]),)
    pairs = [tuple(word.split(":")) for word in words]
    for word, pair in zip(words, pairs, strict=True):
        if len(pair) != 2 or not all(part.strip() for part in pair):
            raise InputError(f"'{word}' is no pair of languages: write SOURCE:TARGET, such as ar:he sw:de.")
    if not pairs:
        raise InputError("Name a pair of languages: linguabridge evaluate ar:he.")
    return tuple(dict.fromkeys((source, target) for source, target in pairs))
