"""Several bridges combined: likelihoods summed, or answers voted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from linguabridge.evaluation.experiment import chosen, is_graded
from linguabridge.evaluation.results import Row
from linguabridge.lexicons import normalise_word
from linguabridge.prompts import WORD
from linguabridge.tasks.task import Item


def vote(rows: Sequence[Row], item: Item, metric: str) -> Row:
    """One item's rows through several bridges, made one.

    Likelihoods of options are summed over the bridges. Generated answers are counted, and the most frequent wins, at a
    tie that of the better bridge; of translations, which hardly ever agree, the one most like the others by chrF++ wins
    (minimum Bayes risk; Kumar and Byrne, 2004).

    A vote counts as copied when the word of any of its bridges already is a right answer, even if the others' are not
    and whichever answer won: such a word carries the vote, so that what is gained may be copying and no bridging.

    Args:
        rows: of the same item, the best bridge first.
        item: what was asked.
        metric: of the task.
    """
    bridges = tuple(code for row in rows for code in row.bridges)
    texts = tuple(text for row in rows for text in row.bridge_texts)
    copied = any(row.copied for row in rows)
    without = all(row.without_bridge for row in rows)
    if rows[0].option_scores:
        total = np.sum([row.option_scores for row in rows], axis=0)
        best = chosen(replace(rows[0], option_scores=tuple(map(float, total))), item, metric)
        if rows[0].exact is not None:
            most = rows[_most([normalise_word(WORD.cut(row.output or "")) or None for row in rows])]
            best = replace(best, output=most.output, exact=most.exact)
    elif is_graded(metric):
        best = rows[_central([row.parsed for row in rows])]
    else:
        best = rows[_most([None if row.parsed is None else normalise_word(row.parsed) for row in rows])]
    return replace(best, bridges=bridges, bridge_texts=texts, copied=copied, without_bridge=without)


def _most(answers: Sequence[str | None]) -> int:
    """Place of the first answer that is as frequent as any; unreadable ones have no vote."""
    counted = Counter(one for one in answers if one is not None)
    if not counted:
        return 0
    most = max(counted.values())
    return next(i for i, one in enumerate(answers) if one is not None and counted[one] == most)


def _central(texts: Sequence[str | None]) -> int:
    from linguabridge.tasks.corpus import sentence_score  # needs sacrebleu, which other tasks do not

    likeness = [
        -1.0 if own is None else sum(sentence_score(own, other) for j, other in enumerate(texts) if other and j != i)
        for i, own in enumerate(texts)
    ]
    return int(np.argmax(likeness))
