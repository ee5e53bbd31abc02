"""What an ablation depends on, besides the model and the pair; refused at once where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge import languages
from linguabridge.errors import InputError
from linguabridge.families import are_kin, family_path
from linguabridge.languages import PAPER_LANGUAGES, Language
from linguabridge.lape import SPECIFIC_RATE
from linguabridge.profile import TOP_RATE
from linguabridge.settings import DEFAULT_BRIDGE, FEWEST_TOKENS, check_seed

FEWEST_DRAWS = 20  # with which a one-sided p can fall below .05: 1 / 21
MOST_DRAWS = 10_000
FEWEST_WORDS, FEWEST_TEXT_TOKENS = 10, 100
_CONTRASTS = ("fi", "sw", "ja", "tl")  # beside English, the first that is neither in the pair nor of a family with it


@dataclass(frozen=True)
class AblationSettings:
    """What an ablation depends on, besides the model and the pair.

    Attributes:
        lexicon: ``cldr``, ``muse`` or the path of a word list.
        lexicon_dir: local folder of MUSE dictionaries.
        texts: where texts are, for neurons and for perplexity; None for CLDR names (see
            :func:`linguabridge.texts.load_text`).
        tokens: of text read for each language's neurons, at most.
        languages: codes of those among which neurons are specific; None for the paper's 15. Source, target and
            contrasts are always among them.
        contrasts: codes of languages outside of the pair whose perplexity is measured, too; None for English and one
            that is kin to neither.
        layers: first and last layer in which neurons are changed, both included; None for all.
        top_rate: share of neurons in a top set.
        specific_rate: share of neurons that are language-specific, over all languages together.
        amplify: factor by which neurons are amplified.
        words: held-out words to translate, at most.
        text_tokens: of held-out text in each language, at most.
        draws: random sets of each kind for each set tested.
        seed: of every draw.
    """

    lexicon: str = "cldr"
    lexicon_dir: Path | None = None
    texts: str | None = None
    tokens: int = 5000
    languages: tuple[str, ...] | None = None
    contrasts: tuple[str, ...] | None = None
    layers: tuple[int, int] | None = None
    top_rate: float = TOP_RATE
    specific_rate: float = SPECIFIC_RATE
    amplify: float = 2.0
    words: int = 100
    text_tokens: int = 500
    draws: int = FEWEST_DRAWS
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one sentence."""
        for name in ("languages", "contrasts"):
            if isinstance(given := getattr(self, name), str):
                raise InputError(f"{name.capitalize()} are a tuple, not one text: ('{given}',).")
        for option, rate in (("--top-rate", self.top_rate), ("--specific-rate", self.specific_rate)):
            if not 0 < rate < 1:
                raise InputError(f"{option} is a share of all neurons, between 0 and 1, not {rate}.")
        if self.tokens < FEWEST_TOKENS:
            raise InputError(f"--tokens {self.tokens} is too few to read neurons on; give at least {FEWEST_TOKENS}.")
        if not 1 < self.amplify < 1000:
            raise InputError(f"--amplify {self.amplify}: a factor greater than 1 amplifies, such as 2.")
        if self.words < FEWEST_WORDS:
            raise InputError(f"--words {self.words} is too few to tell anything; give at least {FEWEST_WORDS}.")
        if self.text_tokens < FEWEST_TEXT_TOKENS:
            raise InputError(
                f"--text-tokens {self.text_tokens} is too few to measure perplexity on; give at least "
                f"{FEWEST_TEXT_TOKENS}."
            )
        check_seed(self.seed)
        if self.draws > MOST_DRAWS:
            raise InputError(f"--draws {self.draws} would take days; give at most {MOST_DRAWS}.")
        if self.draws < FEWEST_DRAWS:
            raise InputError(
                f"--draws {self.draws} is too few random sets for a p-value under .05; give at least {FEWEST_DRAWS}."
            )


@dataclass(frozen=True)
class Languages:
    """The languages of an ablation.

    Attributes:
        source: of the words.
        target: of their translations.
        contrasts: others whose perplexity is measured.
        compared: those among which neurons are specific, all of the above first.
    """

    source: Language
    target: Language
    contrasts: tuple[Language, ...]
    compared: tuple[Language, ...]


def check_languages(source: str, target: str, settings: AblationSettings) -> Languages:
    """Parse all languages: cheap, so that a misspelt one is named before a model is touched.

    Raises:
        InputError: an unknown language, or one in two roles.
    """
    s, t = languages.parse(source), languages.parse(target)
    if s == t:
        raise InputError(f"Source and target are both {s.name} ({s.code}); name two languages.")
    if settings.contrasts is None:
        contrasts = _default_contrasts(s, t)
    else:
        contrasts = tuple(dict.fromkeys(map(languages.parse, settings.contrasts)))
        for one in contrasts:
            if one in (s, t):
                which = "source" if one == s else "target"
                raise InputError(
                    f"The contrast {one.name} ({one.code}) is the {which} language itself; leave it out of --contrast."
                )
    others = map(languages.parse, PAPER_LANGUAGES if settings.languages is None else settings.languages)
    return Languages(s, t, contrasts, tuple(dict.fromkeys([s, t, *contrasts, *others])))


def _default_contrasts(source: Language, target: Language) -> tuple[Language, ...]:
    hub = languages.parse(DEFAULT_BRIDGE)
    found = [] if hub in (source, target) else [hub]
    for one in map(languages.parse, _CONTRASTS):
        if not any(one == own or are_kin(family_path(one), family_path(own)) for own in (source, target)):
            return (*found, one)
    return tuple(found)


def asked_for(source: str, target: str, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two ablations the same: pair, model and settings, as JSON holds them."""
    return {"source": source, "target": target, "model": model, **settings}
