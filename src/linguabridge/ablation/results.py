"""What an ablation shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from linguabridge.ablation.settings import AblationSettings
from linguabridge.cache import versions
from linguabridge.json_values import plain
from linguabridge.languages import Language
from linguabridge.paired import Interval

TRANSLATION = "translation"
RANDOM, ALIKE = "random", "alike"  # from the same layers; from the same layers and about as active
OVERLAP, AMPLIFIED, SPECIFIC = "overlap", "amplified overlap", "specific"


@dataclass(frozen=True)
class Control:
    """What random sets of as many neurons change, and the tested set beside them.

    Attributes:
        kind: :data:`RANDOM` (as many neurons in every layer) or :data:`ALIKE` (and about as active).
        mean: over draws.
        low: 2.5 % of the draws change less than this.
        high: 97.5 % of the draws change less than this.
        draws: each draw's change.
        as_harmful: draws that do at least as much harm as the tested set.
        p: one-sided, (1 + as_harmful) / (1 + draws).
        excess: change by the tested set minus the mean of the draws, with an interval over items and draws.
    """

    kind: str
    mean: float
    low: float
    high: float
    draws: tuple[float, ...]
    as_harmful: int
    p: float
    excess: Interval


@dataclass(frozen=True)
class Change:
    """How changed neurons change one thing.

    Attributes:
        of: :data:`TRANSLATION` or a language's code.
        worse: 1 where a rise is harm, −1 where a fall is.
        before: translation: mean log-probability (natural) of the right translation, of a word; text: bits per byte.
        change: changed minus intact, with an interval over words or lines.
        perplexity: text: perplexity by token, intact and changed; None for translation.
        controls: random sets.
    """

    of: str
    worse: int
    before: float
    change: Interval
    perplexity: tuple[float, float] | None
    controls: tuple[Control, ...]

    def control(self, kind: str) -> Control:
        """The random sets of this kind."""
        return next(one for one in self.controls if one.kind == kind)


@dataclass(frozen=True)
class Arm:
    """A set of neurons, changed in one way.

    Attributes:
        set: :data:`OVERLAP`, :data:`AMPLIFIED` or :data:`SPECIFIC`.
        language: code of the language that the neurons are specific to; None for others.
        factor: by which their values were multiplied.
        neurons: each as (layer, unit).
        translation: of held-out words, source to target.
        mrr: change of the mean reciprocal rank of the right translation among ten, with an interval over words.
        texts: source, target, then the contrasts.
        selective: by the code of source, target and contrasts: how much more the right translation loses than text in
            that language, in bits per byte, each beyond the mean of :data:`ALIKE` draws.
        activation: mean activation of the set, and of both kinds of random sets on average.
        often: mean activation probability, likewise.
    """

    set: str
    language: str | None
    factor: float
    neurons: tuple[tuple[int, int], ...]
    translation: Change
    mrr: Interval
    texts: tuple[Change, ...]
    selective: dict[str, Interval]
    activation: dict[str, float]
    often: dict[str, float]

    def text(self, code: str) -> Change:
        """The change in this language."""
        return next(one for one in self.texts if one.of == code)


@dataclass(frozen=True)
class TextRead:
    """Text that perplexity was measured on.

    Attributes:
        source: where it came from, in words.
        sha256: of what it was taken from.
        lines: read.
        tokens: scored.
        bytes: that they stand for.
        unseen: whether neurons were not read on any of its lines.
        bits_per_byte: of the intact model.
        perplexity: by token, of the intact model.
    """

    source: str
    sha256: str
    lines: int
    tokens: int
    bytes: int
    unseen: bool
    bits_per_byte: float
    perplexity: float


@dataclass(frozen=True)
class Ablation:
    """What switching off and amplifying neurons does, with everything it rests on.

    Attributes:
        source: language of the words.
        target: language of their translations.
        contrasts: other languages whose text was measured.
        compared: languages among which neurons are specific.
        model: what the user called it.
        identity: hashes of the model's files, its revision, device, dtype, and the lexicon's hash.
        settings: everything asked for.
        layers: first and last layer in which neurons were changed.
        n_neurons: of the model.
        top: neurons in the top set of source and of target.
        profiled: for each language compared the source of the text, its SHA-256, and the number of tokens read.
        n_words: translated.
        log_probability: mean over words of the natural log-probability of the right translation, intact model.
        mrr: mean reciprocal rank of the right translation among ten, intact model.
        texts: what perplexity was measured on, by code.
        arms: sets of neurons, the overlap switched off first.
        notes: what else should be known, a sentence each.
    """

    source: Language
    target: Language
    contrasts: tuple[Language, ...]
    compared: tuple[Language, ...]
    model: str
    identity: dict[str, Any]
    settings: AblationSettings
    layers: tuple[int, int]
    n_neurons: int
    top: dict[str, int]
    profiled: dict[str, tuple[str, str, int]]
    n_words: int
    log_probability: float
    mrr: float
    texts: dict[str, TextRead]
    arms: tuple[Arm, ...]
    notes: tuple[str, ...]

    def language(self, code: str) -> Language:
        """The language compared that has a code.

        Args:
            code: canonical, such as ``sw``.

        Returns:
            The language.

        Raises:
            StopIteration: none has it.
        """
        return next(one for one in self.compared if one.code == code)

    def arm(self, name: str, language: str | None = None) -> Arm | None:
        """The arm of a set of neurons.

        Args:
            name: of the set.
            language: that the neurons are specific to; None of other sets.

        Returns:
            The arm; None where the set has no neurons.
        """
        return next((arm for arm in self.arms if (arm.set, arm.language) == (name, language)), None)

    def summary(self) -> str:
        """The answer in words."""
        from linguabridge.ablation.words import summary

        return summary(self)

    def tables(self) -> dict[str, Any]:
        """Changes and random controls, as Arrow tables (docs/export.md has the columns)."""
        from linguabridge.export.frames import ablation_tables

        return ablation_tables(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        body = {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return {"summary": self.summary(), **body, "versions": versions()}
