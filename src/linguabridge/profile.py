"""Activation statistics per language, and the top sets they give.

For every feed-forward neuron: the share of a language's tokens at which its value is > 0 (activation probability) and
its mean value over the same tokens. Padding never counts; special tokens count only in reference mode. In a mixture of
experts, a neuron's tokens are those that are routed to its expert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet, NeuronSpace

TOP_RATE = 0.01
NO_TOKENS = "The text to profile on holds no tokens."


@dataclass(frozen=True)
class LanguageProfile:
    """One language's statistics in one model.

    Attributes:
        space: all neurons of the model.
        positive: tokens at which each neuron's value is > 0, shape (neurons,).
        total: sum of each neuron's values, shape (neurons,), in the units of the activation function.
        tokens: that were read.
        routed: tokens that came to each expert, shape (experts of all layers,); None without experts.
    """

    space: NeuronSpace
    positive: NDArray[np.int64]
    total: NDArray[np.float64]
    tokens: int
    routed: NDArray[np.int64] | None = None

    @property
    def probability(self) -> NDArray[np.float64]:
        """Activation probability of each neuron, shape (neurons,), between 0 and 1.

        It is over the tokens routed to the neuron's expert, and 0 where there were none.
        """
        return self.positive / self._reached

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean activation of each neuron, shape (neurons,), in the units of the activation function.

        It is over the tokens routed to the neuron's expert, and 0 where there were none.
        """
        return self.total / self._reached

    @property
    def over_all(self) -> LanguageProfile:
        """The same statistics over all tokens, at which a neuron whose expert is not asked gives 0."""
        return replace(self, routed=None)

    @property
    def _reached(self) -> NDArray[np.int64] | int:
        return self.tokens if self.routed is None else np.repeat(np.maximum(self.routed, 1), self.space.expert_widths)


def summed(parts: Sequence[LanguageProfile]) -> LanguageProfile:
    """Statistics of a text from those of its parts, which have nothing in common; sums, so their order is no matter.

    Args:
        parts: at least one, all of one model.
    """
    routed = [one.routed for one in parts if one.routed is not None]
    return LanguageProfile(
        space=parts[0].space,
        positive=np.sum([one.positive for one in parts], axis=0),
        total=np.sum([one.total for one in parts], axis=0),
        tokens=sum(one.tokens for one in parts),
        routed=np.sum(routed, axis=0) if routed else None,
    )


def check_read(profile: LanguageProfile) -> None:
    """Refuse a profile of nothing.

    Raises:
        InputError: the text has no tokens.
    """
    if not profile.tokens:
        raise InputError(NO_TOKENS)


@dataclass(frozen=True)
class BlockedProfile:
    """One language's statistics in one model, kept apart for blocks of its text, so that the text can be resampled."""

    space: NeuronSpace
    positive: NDArray[np.integer[Any]]  # (blocks, neurons): tokens at which the value is > 0
    total: NDArray[np.float64]  # (neurons,): sum of the values over all blocks
    tokens: NDArray[np.int64]  # (blocks,), none of them 0
    token_ids: NDArray[np.int64]  # (types,): the tokenizer's numbers that occur, ascending
    token_counts: NDArray[np.int64]  # (types,): how often
    routed: NDArray[np.int64] | None = None  # (blocks, experts of all layers): tokens that came to each expert

    @property
    def whole(self) -> LanguageProfile:
        """The statistics of the whole text."""
        routed = None if self.routed is None else self.routed.sum(0)
        positive = self.positive.sum(0, dtype=np.int64)
        return LanguageProfile(self.space, positive, self.total, int(self.tokens.sum()), routed)


@dataclass(frozen=True)
class Profile:
    """Statistics of several languages in one model.

    Attributes:
        languages: each language's, by its code.
    """

    languages: Mapping[str, LanguageProfile]

    def top(self, language: str, rate: float = TOP_RATE, *, keep_ties: bool = False) -> NeuronSet:
        """T[k]: the ``rate`` share of all neurons, over all layers together, with the highest activation probability.

        Args:
            language: a code this profile has.
            rate: share of neurons, in (0, 1).
            keep_ties: as the reference does: all neurons with p >= the value that ``torch.kthvalue`` gives for
                k = round(N(1 − rate)), so the size varies. By default exactly round(N · rate) neurons, ties at the
                threshold broken by the higher mean activation, then by position.

        Returns:
            The set, as in the paper (Xu et al., EMNLP 2025; docs/method.md).

        Raises:
            InputError: the profile has no such language, or the rate is no share.
        """
        one = self._of(language)
        if not 0 < rate < 1:
            raise InputError(f"rate={rate} is no share of neurons; give one between 0 and 1, such as {TOP_RATE}.")
        p, n = one.probability, len(one.space)
        if keep_ties:
            k = min(max(round(n * (1 - rate)), 1), n)
            return NeuronSet.of(one.space, np.flatnonzero(p >= np.partition(p, k - 1)[k - 1]))
        order = np.lexsort((np.arange(n), -one.mean, -p))
        return NeuronSet.of(one.space, order[: max(1, round(n * rate))])

    def tables(self) -> dict[str, Any]:
        """What each neuron does in each language, as an Arrow table (docs/export.md has the columns)."""
        from linguabridge.export.frames import profile_tables

        return profile_tables(self)

    def correlation(self, first: str, second: str) -> float:
        """Pearson's correlation of two languages' activation probabilities over all neurons.

        Args:
            first: a code this profile has.
            second: another.

        Returns:
            The correlation, dimensionless, in [-1, 1]; NaN where all of a language's probabilities are equal.

        Raises:
            InputError: the profile has no such language.
        """
        with np.errstate(invalid="ignore"):
            return float(np.corrcoef(self._of(first).probability, self._of(second).probability)[0, 1])

    def _of(self, code: str) -> LanguageProfile:
        if code not in self.languages:
            raise InputError(f"This profile has no language '{code}', only {', '.join(self.languages)}.")
        return self.languages[code]
