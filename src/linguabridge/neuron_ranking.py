"""From texts and words to a ranking of candidates by their neurons: statistics → sets → probes → dependence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Cache
from linguabridge.choices import Choice
from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.lape import specific_sets
from linguabridge.measure import Measurements
from linguabridge.neurons import NeuronSet, anchored, bridge_between, bridge_set, overlap
from linguabridge.profile import TOP_RATE, Profile
from linguabridge.ranking import Ranking, chosen_layers, default_window, rank_candidates
from linguabridge.settings import ENOUGH_NEURONS, TOP_RATES, Settings
from linguabridge.texts import Text
from linguabridge.understood import Probes, understood_probes


@dataclass(frozen=True)
class Sets:
    """Sizes of the neuron sets.

    Attributes:
        rate: top rate in force.
        raised: whether it rose from its default because candidates had too few neurons.
        top: neurons in each language's top set.
        overlap: in O(s, t), over all layers.
        overlap_in_window: of those, in the layers compared.
        anchored: in the anchored part of the overlap, within the window.
        thin: candidates with fewer than 30 bridge neurons in the window.
    """

    rate: float
    raised: bool
    top: dict[str, int]
    overlap: int
    overlap_in_window: int
    anchored: int
    thin: tuple[str, ...]


@dataclass(frozen=True)
class Probed:
    """Neurons of a pair and its candidates, and what they did on the probes.

    Attributes:
        profile: statistics of all languages.
        probes: entries that probed the neurons.
        sets: sizes of the neuron sets.
        values: probe matrix, shape (neurons, probes).
        rows: the neurons of its rows.
        shared: those of source and target that are compared.
        bridges: those of each candidate, by code.
        layers: compared.
    """

    profile: Profile
    probes: Probes
    sets: Sets
    values: NDArray[np.float32] = field(repr=False)
    rows: NeuronSet = field(repr=False)
    shared: NeuronSet = field(repr=False)
    bridges: dict[str, NeuronSet] = field(repr=False)
    layers: range


def rank_by_neurons(probed: Probed, settings: Settings, cache: Cache | None = None) -> Ranking:
    """Rank candidates by how strongly their neurons depend on those that source and target share.

    Args:
        probed: neurons and what they did.
        settings: which estimator, and the seed.
        cache: where scores are kept; None to compute them.

    Raises:
        InputError: the sets are empty, or there are too few probes.
    """
    return rank_candidates(
        probed.values,
        probed.rows,
        probed.shared,
        probed.bridges,
        probed.layers,
        estimator=settings.estimator_in_force,
        empty_layers_count=settings.reference,
        seed=settings.seed,
        cache=cache,
    )


def probe_neurons(
    measure: Measurements,
    source: Language,
    target: Language,
    candidates: Sequence[Language],
    texts: Mapping[str, Text],
    choices: Sequence[Choice],
    settings: Settings,
) -> Probed:
    """Pick the neurons of a pair and its candidates, and read them on words that the model understands.

    Args:
        measure: asks the model, or the cache.
        source: language of the input.
        target: language of the output.
        candidates: to rank.
        texts: to read neurons on, of source, target and all candidates, by code.
        choices: entries of which those that the model understands probe the neurons.
        settings: which sets and layers.

    Raises:
        InputError: the model has no such layers.
    """
    read = measure.each(
        "Reading neurons",
        list(texts.values()),
        lambda asked, text: asked.profile(text, max_tokens=settings.tokens, count_special=settings.reference),
    )
    profile = Profile(dict(zip(texts, read, strict=True)))
    layers = window(next(iter(profile.languages.values())).space.n_layers, settings)
    probes = understood_probes(measure, source, target, choices, reference=settings.reference)
    rate, top, shared, bridges = _sets(profile, source, target, candidates, layers, settings)
    everything = shared
    for one in bridges.values():
        everything |= one
    everything = everything.within(layers)
    values = measure.probe_matrix("Probing neurons", probes.prompts, everything, count_special=settings.reference)
    in_window = shared.within(layers)
    active = (values[np.searchsorted(everything.flat, in_window.flat)] > 0).mean(axis=1)
    fixed = anchored(in_window, active)
    if settings.shared_set == "anchored" and in_window and not fixed:
        raise InputError(
            f"None of the {len(in_window):,} neurons that source and target share in layers {layers[0]} to "
            f"{layers[-1]} is active on half of the probes: take all of them with --shared-set overlap."
        )
    sets = Sets(
        rate=rate,
        raised=settings.top_rate is None and not settings.reference and rate > TOP_RATE,
        top={code: len(one) for code, one in top.items()},
        overlap=len(shared),
        overlap_in_window=len(in_window),
        anchored=len(fixed),
        thin=tuple(c.code for c in candidates if len(bridges[c.code].within(layers)) < ENOUGH_NEURONS),
    )
    return Probed(
        profile=profile,
        probes=probes,
        sets=sets,
        values=values,
        rows=everything,
        shared=fixed if settings.shared_set == "anchored" else shared,
        bridges=bridges,
        layers=layers,
    )


def window(n_layers: int, settings: Settings) -> range:
    """Layers to compare in.

    Raises:
        InputError: the model has no such layers.
    """
    return chosen_layers(settings.layers, n_layers, default_window(n_layers))


def _sets(
    profile: Profile,
    source: Language,
    target: Language,
    candidates: Sequence[Language],
    window: range,
    settings: Settings,
) -> tuple[float, dict[str, NeuronSet], NeuronSet, dict[str, NeuronSet]]:
    """Top rate, and at that rate each language's top set, the shared set, and each candidate's bridge set."""
    rates: tuple[float, ...] = TOP_RATES
    if settings.top_rate is not None:
        rates = (settings.top_rate,)
    elif settings.reference:
        rates = (TOP_RATE,)
    for rate in rates:
        top = {code: profile.top(code, rate, keep_ties=settings.reference) for code in profile.languages}
        shared = overlap(top[source.code], top[target.code])
        if settings.bridge_set == "between":
            bridges = {c.code: bridge_between(top[c.code], top[source.code], top[target.code]) for c in candidates}
        else:
            own = specific_sets(profile, rate) if settings.bridge_set == "specific" else top
            bridges = {c.code: bridge_set(own[c.code], shared) for c in candidates}
        if all(len(one.within(window)) >= ENOUGH_NEURONS for one in bridges.values()):
            break
    return rate, top, shared, bridges
