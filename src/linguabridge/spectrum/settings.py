"""What a spectrum depends on, besides the model and the languages; refused at once where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge import languages
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.profile import TOP_RATE
from linguabridge.settings import check_seed

FEWEST_LANGUAGES = 3
RESERVED = ("family", "script", "tokens", "shuffled", "shuffled_jaccard")  # what a spectrum is compared with anyway
BLOCKS, FEWEST_BLOCKS = 20, 10  # parts of each language's text, resampled for the support of branches
FEWEST_TOKENS = 10 * BLOCKS
MOST_SAMPLES = 100_000


@dataclass(frozen=True)
class SpectrumSettings:
    """What a spectrum depends on, besides the model and the languages.

    Attributes:
        texts: where the texts to read neurons on are; None for CLDR names (see :func:`linguabridge.texts.load_text`).
        tokens: of text read for each language, at most.
        top_rate: share of neurons in a top set.
        concepts: words compared between languages, at most.
        samples: bootstrap samples of the text.
        shuffled: also read shuffled text, as a control.
        distances: files of distances between languages to compare with (see
            :func:`linguabridge.spectrum.distances.read_distances`).
        seed: of every draw.
    """

    texts: str | None = None
    tokens: int = 2000
    top_rate: float = TOP_RATE
    concepts: int = 200
    samples: int = 1000
    shuffled: bool = True
    distances: tuple[Path, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one sentence."""
        if self.tokens < FEWEST_TOKENS:
            raise InputError(f"--tokens {self.tokens} is too few to read neurons on; give at least {FEWEST_TOKENS}.")
        if not 0 < self.top_rate < 1:
            raise InputError(f"--top-rate is a share of all neurons, between 0 and 1, not {self.top_rate}.")
        if self.concepts < 10:
            raise InputError(f"--concepts {self.concepts} is too few to compare languages on; give at least 10.")
        if self.samples > MOST_SAMPLES:
            raise InputError(f"--samples {self.samples} would take days; give at most {MOST_SAMPLES}.")
        check_seed(self.seed)
        if self.samples < 100:
            raise InputError(f"--samples {self.samples} is too few to tell a branch's support; give at least 100.")
        names = [path.stem for path in self.distances]
        for name in names:
            if name in RESERVED or names.count(name) > 1:
                raise InputError(
                    f"--distances: a file named {name} cannot be told from another, or from what is compared with in "
                    "any case; rename it."
                )


def check_languages(codes: Sequence[str]) -> tuple[Language, ...]:
    """Parse the languages to compare; each is taken once.

    Raises:
        InputError: an unknown one, or too few.
    """
    if isinstance(codes, str):
        raise InputError(f"Codes are a list of languages, not one text: ['{codes}'].")
    found = tuple(dict.fromkeys(map(languages.parse, codes)))
    if len(found) < FEWEST_LANGUAGES:
        raise InputError(f"A spectrum relates languages to each other: name at least {FEWEST_LANGUAGES} of them.")
    return found


def asked_for(codes: Sequence[str], model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two spectra the same: languages, model and settings, as JSON holds them."""
    return {"languages": list(codes), "model": model, **settings}
