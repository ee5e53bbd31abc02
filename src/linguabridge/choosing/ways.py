"""Ways of choosing a bridge, each a few lines: evidence in, a score for every candidate out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Cache
from linguabridge.choosing.evidence import Evidence
from linguabridge.neuron_ranking import Probed
from linguabridge.permutation import permutation_p
from linguabridge.ranking import score_candidates
from linguabridge.settings import FIXED, FIXED_OR_HOP, Settings

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """A way of choosing.

    Attributes:
        name: short, as in ``--choose-by`` and in tables.
        title: what it goes by, in words.
        score: of each candidate in order; the highest is chosen; NaN says nothing. Of equals, the study takes the mean
            and :func:`linguabridge.choosing.choice.choose` one.
    """

    name: str
    title: str
    score: Callable[[Evidence], Scores]


def _ranked(evidence: Evidence, **changes: object) -> Scores:
    settings = _of_the_way(evidence.settings, **changes)
    return neuron_scores(evidence.neurons(settings), settings, evidence.measure.cache)


def _of_the_way(settings: Settings, **changes: object) -> Settings:
    # A way is what the study measured under its name, whatever estimator and sets the ranking by neurons is asked for.
    way = {"reference": False, "estimator": None, "shared_set": "overlap", "bridge_set": "rest", **changes}
    return replace(settings, **way)  # type: ignore[arg-type]


def neuron_scores(probed: Probed, settings: Settings, cache: Cache | None = None) -> Scores:
    """Dependence of each candidate's neurons on the shared ones; NaN for a candidate without neurons.

    Args:
        probed: neurons and what they did.
        settings: which estimator.
        cache: where scores are kept; None to compute them.
    """
    found = score_candidates(
        probed.values,
        probed.rows,
        probed.shared,
        probed.bridges,
        probed.layers,
        estimator=settings.estimator_in_force,
        empty_layers_count=settings.reference,
        cache=cache,
    )
    return np.array(list(found.values()))


def _length_given(evidence: Evidence) -> Scores:
    # What prompts of one length have in common is taken off: it is no kinship, and candidates differ in it.
    neurons = evidence.neurons(_of_the_way(evidence.settings))
    lengths = evidence.measure.token_counts("Lengths of probes", neurons.probes.prompts)
    tested = permutation_p(
        neurons.values,
        neurons.rows,
        neurons.shared,
        neurons.bridges,
        neurons.layers,
        given=lengths.astype(float),
        permutations=199,
        seed=evidence.settings.seed,
        cache=evidence.measure.cache,
    )
    return np.array([np.nan if (score := tested[code].score) is None else score for code in evidence.codes])


def _overlap(evidence: Evidence) -> Scores:
    top = {code: evidence.profile.top(code) for code in evidence.texts}
    return np.asarray(np.add(*evidence.with_both(lambda a, b: len(top[a] & top[b]))))


def _correlation(evidence: Evidence, combine: Callable[[Scores, Scores], Scores]) -> Scores:
    return combine(*evidence.with_both(evidence.profile.correlation))


def _harmonic(a: Scores, b: Scores) -> Scores:
    return np.where((a > 0) & (b > 0), 2 * a * b / np.where(a + b > 0, a + b, 1), 0.0)


def _family(evidence: Evidence) -> Scores:
    # An unknown family is as far as an unrelated one.
    far = [
        [np.nan_to_num(evidence.family_distance(one, end), nan=1.0) for end in (evidence.source, evidence.target)]
        for one in evidence.candidates
    ]
    return np.asarray(-np.array(far).mean(axis=1))


def _fixed(evidence: Evidence) -> Scores:
    # Others come after these, in no order of their own.
    return np.array([-float(FIXED.index(code) if code in FIXED else len(FIXED)) for code in evidence.codes])


def _hub(evidence: Evidence) -> Scores:
    hub = evidence.hub
    return np.array([evidence.profile.correlation(code, hub) if hub else np.nan for code in evidence.codes])


def _hub_hidden(evidence: Evidence) -> Scores:
    hub = evidence.hub
    # The hub itself is likest.
    likeness = [1.0 if code == hub else evidence.hidden_likeness(code, hub or "") for code in evidence.codes]
    return np.array(likeness)


def _central(evidence: Evidence) -> Scores:
    known = list(evidence.concepts)
    return np.array(
        [np.mean([evidence.hidden_likeness(code, one) for one in known if one != code]) for code in evidence.codes]
        if known
        else np.full(len(evidence.codes), np.nan)
    )


def hop_mrr(evidence: Evidence, *, first: bool) -> Scores:
    """Mean reciprocal rank of the right word in the first hop, or in the second, of each candidate.

    Args:
        evidence: of the pair.
        first: the hop from the source; else the hop to the target.
    """
    found = []
    for one in evidence.candidates:
        hop = evidence.hop(evidence.source, one) if first else evidence.hop(one, evidence.target)
        found.append(np.nan if hop is None else float((1 / hop).mean()))
    return np.array(found)


def _hops(evidence: Evidence) -> Scores:
    return hop_mrr(evidence, first=True) * hop_mrr(evidence, first=False)


def resolved(way: str, candidates: Collection[str]) -> str:
    """The way that is really gone by: ``english-or-hop`` is one of two others.

    Args:
        way: its name.
        candidates: their codes.
    """
    if way != FIXED_OR_HOP:
        return way
    # Where English is the source or the target, no other language is as sure a bridge.
    return "english" if FIXED[0] in candidates else "second-hop"


def _hidden(evidence: Evidence) -> Scores:
    return np.minimum(*evidence.with_both(evidence.hidden_likeness))


def _tokens(evidence: Evidence) -> Scores:
    return np.add(*evidence.with_both(evidence.token_overlap)) / 2


_ALL = (
    Way("english", "a fixed order: English, else French, Spanish, Portuguese", _fixed),
    Way(
        FIXED_OR_HOP,
        "English; where it is source or target, right words into the target, MRR",
        lambda e: WAYS[resolved(FIXED_OR_HOP, e.codes)].score(e),
    ),
    Way("random", "any candidate", lambda evidence: np.zeros(len(evidence.codes))),
    Way("reference", "the published measure (its HSIC, sets, window and layers)", lambda e: _ranked(e, reference=True)),
    Way("cka", "debiased CKA of bridge neurons with shared neurons", _ranked),
    Way("cka-length", "CKA, what the prompt's length explains taken off", _length_given),
    Way("cka-between", "CKA of neurons shared with one of the two", lambda e: _ranked(e, bridge_set="between")),
    Way("cka-specific", "CKA of language-specific neurons (LAPE)", lambda e: _ranked(e, bridge_set="specific")),
    Way("cka-anchored", "CKA with anchored shared neurons", lambda e: _ranked(e, shared_set="anchored")),
    Way("overlap", "neurons shared with source and with target", _overlap),
    Way("correlation-min", "activation correlation, the lower of both", lambda e: _correlation(e, np.minimum)),
    Way("correlation-mean", "activation correlation, mean", lambda e: _correlation(e, lambda a, b: (a + b) / 2)),
    Way("correlation-harmonic", "activation correlation, harmonic mean", lambda e: _correlation(e, _harmonic)),
    Way("hidden-cka", "CKA of hidden states, the lower of both", _hidden),
    Way("tokens", "tokens shared with source and with target", _tokens),
    Way("family", "kinship in the tree of families", _family),
    Way("bits", "bits per byte of the candidate's own text, fewest", lambda e: -_bits(e)),
    Way("hub", "activation correlation with the model's hub language", _hub),
    Way("hub-hidden", "CKA of hidden states with the model's hub language", _hub_hidden),
    Way("central", "CKA of hidden states with all languages, mean", _central),
    Way("hops", "right words in both hops, product of MRRs", _hops),
    Way("first-hop", "right words from the source, MRR", lambda e: hop_mrr(e, first=True)),
    Way("second-hop", "right words into the target, MRR", lambda e: hop_mrr(e, first=False)),
)


def _bits(evidence: Evidence) -> Scores:
    return np.array([evidence.bits_per_byte(code) for code in evidence.codes])


WAYS: Mapping[str, Way] = {way.name: way for way in _ALL}
