"""What a recommendation depends on, besides the model and the pair; refused at once where it cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge import languages, run_files
from linguabridge.errors import InputError
from linguabridge.languages import PAPER_LANGUAGES, Language
from linguabridge.profile import TOP_RATE

REFERENCE_CANDIDATES = ("en", "de", "fr", "it", "pt", "es")
TOP_RATES = (TOP_RATE, 0.02, 0.05, 0.1)
ENOUGH_NEURONS = 30  # in the window, for every candidate, before the top rate stops rising
FEWEST_PROBES, FEWEST_CHECK, FEWEST_TOKENS = 20, 10, 200
FEWEST_FOR_A_VERDICT = 30  # items, bridge words that are right answers left out, to say that a bridge helps or harms
RESULT = run_files.RECOMMENDATION  # in the folder of a run
DEFAULT_BRIDGE = "en"  # the bridge that everybody tries first; always among the arms of the check
# The bridge that everybody tries, and those to try where it is the source or the target; in this order, without the
# two, they are the fixed way of choosing, and what a chain of bridges is made of.
FIXED = (DEFAULT_BRIDGE, "fr", "es", "pt")
CHAINED_BRIDGES = 3  # in the check's chain: their words stand in one prompt
OWN, DICTIONARY = "own", "dictionary"  # whose bridge words stand in a prompt

ESTIMATORS = ("cka", "reference")  # as in linguabridge.dependence; named here so that settings need no torch
MIN_PROBES = 4  # of any estimate: the unbiased one divides by n - 3
# Ways of choosing, as in linguabridge.choosing.ways; the default is the one that lost least on the study's pairs for
# development (docs/study.md).
FIXED_OR_HOP = "english-or-hop"  # English, or by hops where it is source or target
WAYS_TO_CHOOSE = (
    "english", FIXED_OR_HOP, "random", "reference", "cka", "cka-length", "cka-between", "cka-specific", "cka-anchored",
    "overlap", "correlation-min", "correlation-mean", "correlation-harmonic", "hidden-cka", "tokens", "family", "bits",
    "hub", "hub-hidden", "central", "hops", "first-hop", "second-hop",
)  # fmt: skip
CHOOSE_BY, FALLBACK = FIXED_OR_HOP, "english"  # the default, and what is taken where it says nothing
SHARED_SETS: tuple[str, ...] = ("overlap", "anchored")
BRIDGE_SETS = ("rest", "between", "specific")  # made in linguabridge.neuron_ranking


@dataclass(frozen=True)
class Settings:
    """What a recommendation depends on, besides the model and the pair.

    Attributes:
        candidates: codes of the languages to choose from; None for the paper's 15 (reference mode: its 6).
        lexicon: ``cldr``, ``muse`` or the path of a word list.
        lexicon_dir: local folder of MUSE dictionaries.
        texts: where the texts to profile on are; None for CLDR names (see :func:`linguabridge.texts.load_text`).
        tokens: of text read for each language, at most.
        estimator: of the dependence; None for the default, or the reference's in reference mode.
        reference: the published procedure as far as it can be run (docs/method.md).
        layers: first and last layer, both included; None for the reference's window scaled to the model.
        top_rate: share of neurons in a top set; None to let it rise until every candidate has enough.
        shared_set: ``overlap`` or ``anchored``.
        bridge_set: ``rest`` (T[b] without O), ``between`` (what b shares with exactly one of the two) or ``specific``
            (neurons of few languages, b among them; :mod:`linguabridge.lape`).
        probes: entries the model is asked, to find those it understands.
        check: held-out entries for the check; 0 for none.
        bridge_words: in the check's prompts: ``own`` (the model's greedy translation) or ``dictionary``.
        choose_by: way of choosing (:mod:`linguabridge.choosing.ways`); None for the default, or the published measure
            in reference mode.
        seed: of every draw.
    """

    candidates: tuple[str, ...] | None = None
    lexicon: str = "cldr"
    lexicon_dir: Path | None = None
    texts: str | None = None
    tokens: int = 5000
    estimator: str | None = None
    reference: bool = False
    layers: tuple[int, int] | None = None
    top_rate: float | None = None
    shared_set: str = "overlap"
    bridge_set: str = "rest"
    probes: int = 200
    check: int = 100
    seed: int = 0
    bridge_words: str = OWN
    choose_by: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one sentence."""
        if self.estimator not in (None, *ESTIMATORS):
            raise InputError(f"Unknown estimator '{self.estimator}': choose one of {', '.join(ESTIMATORS)}.")
        if self.reference and self.estimator not in (None, "reference"):
            raise InputError("--reference uses the published estimator; leave out --estimator, or --reference.")
        if self.top_rate is not None and not 0 < self.top_rate < 1:
            raise InputError(f"--top-rate is a share of all neurons, between 0 and 1, not {self.top_rate}.")
        if self.probes < FEWEST_PROBES:
            raise InputError(f"--probes {self.probes} is too few to rank by; give at least {FEWEST_PROBES}.")
        if 0 < self.check < FEWEST_CHECK or self.check < 0:
            raise InputError(
                f"--check {self.check} is too few to tell anything; give at least {FEWEST_CHECK}, or --no-check."
            )
        if self.tokens < FEWEST_TOKENS:
            raise InputError(f"--tokens {self.tokens} is too few to read neurons on; give at least {FEWEST_TOKENS}.")
        check_seed(self.seed)
        check_bridge_words(self.bridge_words)
        if self.choose_by is not None and self.choose_by not in WAYS_TO_CHOOSE:
            raise InputError(f"Unknown way of choosing '{self.choose_by}': take one of {', '.join(WAYS_TO_CHOOSE)}.")
        if isinstance(self.candidates, str):
            raise InputError(f"Candidates are a tuple of languages, not one text: ('{self.candidates}',).")
        if self.shared_set not in SHARED_SETS:
            raise InputError(f"Unknown shared set '{self.shared_set}': choose one of {', '.join(SHARED_SETS)}.")
        if self.bridge_set not in BRIDGE_SETS:
            raise InputError(f"Unknown bridge set '{self.bridge_set}': choose one of {', '.join(BRIDGE_SETS)}.")

    @property
    def way_in_force(self) -> str:
        """The way of choosing asked for, or the default one."""
        return self.choose_by or ("reference" if self.reference else CHOOSE_BY)

    @property
    def estimator_in_force(self) -> str:
        """The estimator asked for, or the default one."""
        return self.estimator or ("reference" if self.reference else "cka")


def check_seed(seed: int) -> None:
    """Refuse what random generators do not take.

    Raises:
        InputError: it is negative.
    """
    if seed < 0:
        raise InputError(f"--seed {seed}: a seed is a whole number, 0 or more.")


def check_bridge_words(name: str) -> None:
    """Refuse what is neither the model's own bridge words nor the dictionary's.

    Raises:
        InputError: it is neither.
    """
    if name not in (OWN, DICTIONARY):
        raise InputError(f"Unknown bridge words '{name}': choose {OWN} or {DICTIONARY}.")


def check_pairs(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Codes of the languages in pairs, each pair once.

    Args:
        pairs: source and target of each, as codes or names.

    Raises:
        InputError: one of them is no pair, names an unknown language, or one language twice.
    """
    found: dict[tuple[str, str], None] = {}
    given: Any = pairs  # whatever the types promise
    for pair in given if isinstance(given, Iterable) and not isinstance(given, str) else [given]:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise InputError(f"{pair!r} is no pair of languages; give source and target, such as ('ar', 'he').")
        source, target = _two(*map(languages.parse, pair))
        found[source.code, target.code] = None
    return tuple(found)


def check_pair(source: str, target: str, settings: Settings) -> tuple[Language, Language, tuple[Language, ...]]:
    """Parse source, target and candidates: cheap, so that a misspelt language is named before a model is touched.

    Raises:
        InputError: an unknown language, or one language in two roles.
    """
    s, t = _two(languages.parse(source), languages.parse(target))
    return s, t, _candidates(s, t, settings)


def _two(source: Language, target: Language) -> tuple[Language, Language]:
    if source == target:
        raise InputError(f"Source and target are both {source.name} ({source.code}); name two languages.")
    return source, target


def _candidates(source: Language, target: Language, settings: Settings) -> tuple[Language, ...]:
    if settings.candidates is None:
        codes = REFERENCE_CANDIDATES if settings.reference else PAPER_LANGUAGES
        return tuple(one for one in map(languages.parse, codes) if one not in (source, target))
    chosen = tuple(dict.fromkeys(map(languages.parse, settings.candidates)))
    for one in chosen:
        if one in (source, target):
            which = "source" if one == source else "target"
            raise InputError(
                f"The candidate {one.name} ({one.code}) is the {which} language itself; leave it out of --candidates."
            )
    if not chosen:
        raise InputError("--candidates names no language; leave it out for the default ones.")
    return chosen
