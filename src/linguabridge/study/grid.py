"""The grid: every pair through every bridge, directly, and through chains of bridges in one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.check import CHAINED, DIRECT, is_copied, own_words, through
from linguabridge.choices import gold_ranks
from linguabridge.lexicons import is_among
from linguabridge.measure import Measurements
from linguabridge.prompts import WORD, answer_prompt, option_text
from linguabridge.settings import FIXED, OWN
from linguabridge.study.items import PairItems
from linguabridge.study.settings import CHAINS, VOTED

Words = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class PairScores:
    """Likelihoods of a pair's options in every arm.

    Attributes:
        items: what was asked.
        arms: ``direct``, the candidates' codes, chains such as ``en+fr`` (both in one prompt), and votes such as
            ``en&fr`` (likelihoods of separate prompts summed).
        scores: of shape (arms, items, options), natural logarithms up to a constant per item, the right option first.
            Where an arm's bridge word already is a right answer, or there is none, the item's scores are direct's: it
            shows nothing of bridging.
        words: each candidate's bridge words.
        as_direct: of shape (arms, items): the item is answered as direct, for that reason.
        exact: of shape (arms, items): 1 where the greedy answer equals a right word; NaN for votes, which have no
            answer of their own, and where none was asked for.
    """

    items: PairItems
    arms: tuple[str, ...]
    scores: NDArray[np.float64]
    words: Words
    as_direct: NDArray[np.bool_]
    exact: NDArray[np.float64]

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Rank of the right option, shape (arms, items); ties count against it."""
        arms, items, options = self.scores.shape
        return gold_ranks(self.scores.reshape(-1, options)).reshape(arms, items)


def run_pair(measure: Measurements, items: PairItems, bridge_words: str, *, exact: bool = True) -> PairScores:
    """Ask a pair's words in all arms.

    Args:
        measure: asks the model, or the cache.
        items: what to ask.
        bridge_words: ``dictionary``, or ``own`` for the model's greedy translations.
        exact: ask for greedy answers, too.
    """
    title = f"{items.source.code}→{items.target.code}"
    codes = [one.code for one in items.candidates]
    words: Words = items.glosses
    if bridge_words == OWN:
        words = own_words(measure, f"{title}, its own words", items.source, items.candidates, items.choices)
    chains = [tuple(parts) for n in CHAINS if len(parts := [code for code in FIXED if code in codes][:n]) == n]
    # Asked apart, so that other chains leave the answers of the single bridges as they are.
    asked = [_asked(measure, f"{title}, {len(codes)} bridges", items, [(), *((code,) for code in codes)], words, exact)]
    if chains:
        asked.append(_asked(measure, f"{title}, chains of bridges", items, chains, words, exact))
    scores, as_direct, right = (np.concatenate(parts) for parts in zip(*asked, strict=True))
    scores = np.where(as_direct[..., None], scores[:1], scores)
    votes = [[1 + codes.index(code) for code in chain] for chain in chains]
    scores = np.concatenate([scores, *(scores[vote].sum(axis=0, keepdims=True) for vote in votes)])
    as_direct = np.concatenate([as_direct, *(as_direct[vote].all(axis=0, keepdims=True) for vote in votes)])
    right = np.concatenate([right, np.full((len(votes), right.shape[1]), np.nan)])
    names = (DIRECT, *codes, *map(CHAINED.join, chains), *map(VOTED.join, chains))
    return PairScores(items, names, scores, words, as_direct, right)


def _asked(
    measure: Measurements, title: str, items: PairItems, ways: Sequence[tuple[str, ...]], words: Words, exact: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores (ways, items, options), items without a bridge word that could help, and right greedy answers.

    The last two are of shape (ways, items), the last NaN where no answers are asked for.
    """
    prompts, as_direct = [], np.zeros((len(ways), len(items.choices)), bool)
    for row, way in enumerate(ways):
        for at, choice in enumerate(items.choices):
            said = {code: word for code in way if (word := words[code][at])}
            alone = bool(way) and (not said or is_copied(said, choice.entry.targets))
            as_direct[row, at] = alone
            prompts.append(through(items.source, items.target, choice.entry.source, {} if alone else said))
    options = [[option_text(word) for word in choice.options] for _ in ways for choice in items.choices]
    scores = measure.option_scores(title, prompts, options).reshape(len(ways), len(items.choices), -1)
    right = np.full(as_direct.shape, np.nan)
    if exact:
        replies = measure.answers(f"{title}: exact answers", [answer_prompt(prompt) for prompt in prompts], WORD)
        gold = [choice.entry.targets for _ in ways for choice in items.choices]
        found = [is_among(WORD.cut(reply), some) for reply, some in zip(replies, gold, strict=True)]
        right = np.array(found, float).reshape(as_direct.shape)
    return scores, as_direct, right
