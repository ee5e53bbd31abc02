"""Neurons that are active in few languages: language activation probability entropy.

Tang et al., *Language-Specific Neurons: The Key to Multilingual Capabilities in Large Language Models*, ACL 2024.
"""

from __future__ import annotations

import numpy as np

from linguabridge.errors import InputError
from linguabridge.neurons import NeuronSet
from linguabridge.profile import Profile

SPECIFIC_RATE = 0.01
_OFTEN = 0.95  # quantile of all activation probabilities beyond which a neuron counts as active in a language


def specific_sets(profile: Profile, rate: float = SPECIFIC_RATE) -> dict[str, NeuronSet]:
    """Language-specific neurons, by the entropy of their activation probabilities over languages.

    A neuron's probabilities p[k], divided by their sum over the languages k, are a distribution q; its entropy
    −Σ q ln q is low where the neuron is active in few languages. Neurons that are active nowhere have low entropy by
    chance, so only those whose largest p is above a threshold count: the value that 95 % of all p of all neurons and
    languages do not exceed. Of these, the ``rate`` share of all neurons with the lowest entropy is kept, equal ones in
    their own order; a neuron belongs to every language in which its p is above the threshold.

    Args:
        profile: two or more languages. Which they are matters: a neuron is specific among these.
        rate: share of all neurons, over all layers together, that is kept; fewer where fewer are active enough.

    Returns:
        For each language's code its neurons. Sizes differ, and sets of kin overlap.

    Raises:
        InputError: fewer than two languages, or a rate that is no share.
    """
    if len(profile.languages) < 2:
        raise InputError("Language-specific neurons show in comparison only: give two languages or more.")
    if not 0 < rate < 1:
        raise InputError(f"The rate of language-specific neurons is a share, between 0 and 1, not {rate}.")
    space = next(iter(profile.languages.values())).space
    p = np.stack([one.probability for one in profile.languages.values()])  # (languages, neurons)
    k = min(max(round(p.size * _OFTEN), 1), p.size)
    threshold = np.partition(p, k - 1, axis=None)[k - 1]
    active = np.flatnonzero(p.max(axis=0) > threshold)
    q = p[:, active] / p[:, active].sum(axis=0)
    entropy = -(q * np.log(np.where(q > 0, q, 1))).sum(axis=0)
    # What lies beyond the ninth decimal is rounding, by which equal ones would differ.
    kept = active[np.argsort(entropy.round(9), kind="stable")[: max(1, round(len(space) * rate))]]
    return {code: NeuronSet.of(space, kept[p[row, kept] > threshold]) for row, code in enumerate(profile.languages)}
