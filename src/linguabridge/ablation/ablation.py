"""Switch off and amplify neurons of a pair of languages, and measure what becomes of translation and of text.

The steps: words and texts (``materials.py``) → activation statistics → the sets to test, each with random ones of its
own size and layers (``controls.py``) → bits of words and texts under each (``intervene.py``, ``measured.py``) →
intervals (``statistics.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linguabridge.ablation.controls import alike_sets, random_sets
from linguabridge.ablation.materials import Materials, gather
from linguabridge.ablation.measured import Changed, Scores
from linguabridge.ablation.results import (
    ALIKE,
    AMPLIFIED,
    OVERLAP,
    RANDOM,
    SPECIFIC,
    TRANSLATION,
    Ablation,
    Arm,
    Change,
    Control,
    TextRead,
)
from linguabridge.ablation.settings import AblationSettings, Languages, check_languages
from linguabridge.ablation.statistics import (
    Changes,
    change_interval,
    difference_interval,
    excess_interval,
    p_of_draws,
)
from linguabridge.cache import Cache, default_cache_dir
from linguabridge.errors import InputError
from linguabridge.lape import specific_sets
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.neurons import NeuronSet, overlap
from linguabridge.paired import mean_interval
from linguabridge.profile import Profile
from linguabridge.progress import Reporter
from linguabridge.ranking import chosen_layers


@dataclass(frozen=True)
class _Tested:
    """A set to test, and the random sets of each kind to compare it with."""

    set: str
    language: str | None
    factor: float
    neurons: NeuronSet
    controls: dict[str, list[NeuronSet]]


def ablate(
    source: str,
    target: str,
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    settings: AblationSettings | None = None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Ablation:
    """Measure what the neurons that two languages share do for translation between them, and for the languages.

    Args:
        source: language of the words, in any usual form.
        target: language of their translations.
        model: name of a model (embedded default, hub id, folder, GGUF file), or one from
            :func:`linguabridge.lazy_model.open_model`.
        options: how a model given by name is loaded: device, dtype, taps; a model already opened has its own.
        settings: everything else.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        Of every set of neurons what becomes of MRR (0 to 1) and of the bits per byte of translations and texts, with
        intervals, against random sets (docs/ablation.md has formulas and sources).

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    settings = settings or AblationSettings()
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    wanted = check_languages(source, target, settings)
    cache.check_writable()
    materials = gather(wanted, settings, cache)
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    if lazy.options.cluster is not None:
        raise InputError("Neurons are switched off in this process, not on workers: leave out the model's cluster.")
    measure = Measurements(lazy, cache, reporter)
    if lazy.n_layers is not None:
        chosen_layers(settings.layers, lazy.n_layers, range(lazy.n_layers))  # before the work, not after it

    profile = Profile(
        {code: measure.profile(text, max_tokens=settings.tokens) for code, text in materials.texts.items()}
    )
    own = [profile.languages[one.code] for one in (wanted.source, wanted.target)]
    n_layers = own[0].space.n_layers
    layers = chosen_layers(settings.layers, n_layers, range(n_layers))
    both = [one.over_all for one in own]  # what a neuron gives to the whole text
    activation, often = (both[0].mean + both[1].mean) / 2, (both[0].probability + both[1].probability) / 2
    tested, notes = _tested(profile, wanted, layers, activation, settings)
    changed = Changed(measure, materials, settings.text_tokens)
    nothing = NeuronSet.of(own[0].space, [])
    with reporter.step("The intact model", 1) as advance:
        intact = changed.scores(nothing, 1.0, advance)
    ranks = changed.ranks(nothing, 1.0)
    arms = [_arm(changed, one, wanted, intact, ranks, activation, often, settings.seed, reporter) for one in tested]
    return Ablation(
        source=wanted.source,
        target=wanted.target,
        contrasts=tuple(one for one in wanted.contrasts if one.code in materials.held_out),
        compared=tuple(one for one in wanted.compared if one.code in materials.texts),
        model=lazy.files.name,
        identity={**lazy.key, "revision": lazy.files.revision, "lexicon": materials.lexicon.fingerprint()},
        settings=settings,
        layers=(layers[0], layers[-1]),
        n_neurons=len(own[0].space),
        top={one.code: len(profile.top(one.code, settings.top_rate)) for one in (wanted.source, wanted.target)},
        profiled={
            code: (text.source, text.sha256, profile.languages[code].tokens) for code, text in materials.texts.items()
        },
        n_words=len(materials.choices),
        log_probability=float(-np.log(2) * intact.words.mean()),
        mrr=float((1 / ranks).mean()),
        texts=_texts(materials, intact),
        arms=tuple(arms),
        notes=(*materials.notes, *notes),
    )


def _tested(
    profile: Profile, wanted: Languages, layers: range, activation: NDArray[np.float64], settings: AblationSettings
) -> tuple[list[_Tested], list[str]]:
    """The sets to test with their random ones, and what should be known of them."""
    source, target = wanted.source, wanted.target
    top = {one.code: profile.top(one.code, settings.top_rate) for one in (source, target)}
    shared = overlap(top[source.code], top[target.code]).within(layers)
    if not shared:
        raise InputError(
            f"{source.name} and {target.name} share none of their most often active neurons in layers {layers[0]} to "
            f"{layers[-1]}: raise --top-rate, now {settings.top_rate}, or widen --layers."
        )
    specific = specific_sets(profile, settings.specific_rate)
    sets: list[tuple[str, str | None, float, NeuronSet]] = [
        (OVERLAP, None, 0.0, shared),
        (AMPLIFIED, None, settings.amplify, shared),
        *((SPECIFIC, one.code, 0.0, specific[one.code].within(layers)) for one in (source, target)),
    ]
    notes = [
        f"No neuron is specific to {next(one for one in (source, target) if one.code == code).name} in these layers, "
        "so none was switched off; a higher --specific-rate finds some."
        for _, code, _, neurons in sets
        if not neurons
    ]
    tested = []
    for name, code, factor, neurons in sets:
        if neurons:
            controls = {
                RANDOM: random_sets(neurons, settings.draws, settings.seed),
                ALIKE: alike_sets(neurons, activation, settings.draws, settings.seed),
            }
            tested.append(_Tested(name, code, factor, neurons, controls))
    return tested, notes


def _arm(
    changed: Changed,
    tested: _Tested,
    wanted: Languages,
    intact: Scores,
    ranks: NDArray[np.int64],
    activation: NDArray[np.float64],
    often: NDArray[np.float64],
    seed: int,
    reporter: Reporter,
) -> Arm:
    """Run a set and its random sets, and compare them."""
    names = {OVERLAP: "Shared neurons off", AMPLIFIED: f"Shared neurons × {tested.factor:g}"}
    title = names.get(tested.set) or f"Neurons of {_name(wanted, tested.language)} off"
    every = [tested.neurons, *(one for some in tested.controls.values() for one in some)]
    with reporter.step(f"{title}, and random sets", len(every)) as advance:
        found = [changed.scores(neurons, tested.factor, advance) for neurons in every]
    own, rest = found[0], found[1:]
    controls: dict[str, list[Scores]] = {}
    for kind, some in tested.controls.items():
        controls[kind], rest = rest[: len(some)], rest[len(some) :]

    in_nats = {kind: _changes_of_words(own, some, intact, None) for kind, some in controls.items()}
    sizes = np.array([len(right.encode()) for right in changed.materials.right], dtype=np.float64)
    words = _changes_of_words(own, controls[ALIKE], intact, sizes)
    by_language = {
        code: {kind: _changes_of_text(own, some, intact, code) for kind, some in controls.items()}
        for code in intact.texts
    }
    per_word = float(-np.log(2) * intact.words.mean())
    return Arm(
        set=tested.set,
        language=tested.language,
        factor=tested.factor,
        neurons=tuple(tested.neurons),
        translation=_change(TRANSLATION, -1, per_word, None, in_nats, seed),
        mrr=mean_interval(1 / changed.ranks(tested.neurons, tested.factor) - 1 / ranks, seed),
        texts=tuple(
            _change(
                code,
                1,
                intact.texts[code].per_byte,
                (intact.texts[code].perplexity, own.texts[code].perplexity),
                changes,
                seed,
            )
            for code, changes in by_language.items()
        ),
        selective={code: difference_interval(words, some[ALIKE], seed) for code, some in by_language.items()},
        activation=_means(activation, tested),
        often=_means(often, tested),
    )


def _changes_of_words(
    own: Scores, controls: Sequence[Scores], intact: Scores, sizes: NDArray[np.float64] | None
) -> Changes:
    """Changes of words: of log-probability a word, or, with their sizes, of bits per byte."""
    unit = -np.log(2) if sizes is None else 1.0
    return Changes(
        own=unit * (own.words - intact.words),
        random=unit * np.array([one.words - intact.words for one in controls]),
        sizes=np.ones(len(own.words)) if sizes is None else sizes,
    )


def _changes_of_text(own: Scores, controls: Sequence[Scores], intact: Scores, code: str) -> Changes:
    """Changes of a text in bits per byte, over its lines."""
    before = intact.texts[code]
    return Changes(
        own=own.texts[code].bits - before.bits,
        random=np.array([one.texts[code].bits - before.bits for one in controls]),
        sizes=before.bytes.astype(np.float64),
    )


def _change(
    of: str,
    worse: int,
    before: float,
    perplexity: tuple[float, float] | None,
    changes: dict[str, Changes],
    seed: int,
) -> Change:
    controls = []
    for kind, one in changes.items():
        draws = one.of_draws
        low, high = np.quantile(draws, (0.025, 0.975))
        count, p = p_of_draws(one.value, draws, worse)
        controls.append(
            Control(
                kind=kind,
                mean=float(draws.mean()),
                low=float(low),
                high=float(high),
                draws=tuple(draws.tolist()),
                as_harmful=count,
                p=p,
                excess=excess_interval(one, seed),
            )
        )
    return Change(of, worse, before, change_interval(changes[RANDOM], seed), perplexity, tuple(controls))


def _means(values: NDArray[np.float64], tested: _Tested) -> dict[str, float]:
    """Mean of the values of the set's neurons, and of those of each kind of random set."""
    means = {
        kind: float(values[np.concatenate([one.flat for one in some])].mean()) for kind, some in tested.controls.items()
    }
    return {"set": float(values[tested.neurons.flat].mean()), **means}


def _texts(materials: Materials, intact: Scores) -> dict[str, TextRead]:
    return {
        code: TextRead(
            source=one.text.source,
            sha256=one.text.sha256,
            lines=len(intact.texts[code].bits),
            tokens=int(intact.texts[code].tokens.sum()),
            bytes=int(intact.texts[code].bytes.sum()),
            unseen=one.unseen,
            bits_per_byte=intact.texts[code].per_byte,
            perplexity=intact.texts[code].perplexity,
        )
        for code, one in materials.held_out.items()
    }


def _name(wanted: Languages, code: str | None) -> str:
    return next(one.name for one in wanted.compared if one.code == code)
