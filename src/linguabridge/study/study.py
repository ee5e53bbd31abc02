"""A study from pairs to an analysis: measure every pair, then see what each way of choosing would have lost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from linguabridge import languages
from linguabridge.cache import Cache, array_digest, computed_by, default_cache_dir, digest
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.progress import Reporter
from linguabridge.rebuilt import rebuilt
from linguabridge.study.analysis import Analysis, analyse
from linguabridge.study.measured import MeasuredPair, materials, measure_pair
from linguabridge.study.results import Study
from linguabridge.study.sets import ALL_SET, DEVELOPMENT_SET, REPORTED_SET
from linguabridge.study.settings import DEVELOPMENT, StudySettings, parse_pairs

METRICS = ("MRR", "P@1")
_SLOW = 5  # seconds; a pair that takes less was in the cache, and tells nothing of the time that the others take


def study(
    settings: StudySettings,
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Study:
    """Measure all pairs and analyse them.

    What the model is asked is kept in the cache as it is answered: a run that was killed goes on, and several runs over
    different pairs may fill one cache at a time.

    Args:
        settings: pairs and the rest.
        model: name of a model, or one from :func:`linguabridge.lazy_model.open_model`.
        options: how a model given by name is loaded.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        What every pair and bridge measured, and what each way of choosing loses, in MRR and P@1 (docs/study.md).

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    if not settings.pairs:
        raise InputError("A study needs pairs of languages, such as ar:he.")
    cache.check_writable()
    gathered = [materials(pair, settings, cache) for pair in settings.pairs]  # what is missing shows before the work
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    took: list[float] = []

    def measured(asked: Measurements, number: int) -> MeasuredPair:
        if asked is measure:  # else several are under way, and one bar shows all
            title = _title(settings.pairs[number])
            reporter.say(f"Pair {number + 1} of {len(settings.pairs)}: {title}{_left(took, number, settings)}")
        start = time.monotonic()
        pair = measure_pair(asked, gathered[number], settings)
        took.append(time.monotonic() - start)
        return pair

    pairs = measure.each("Pairs", range(len(gathered)), measured)
    return Study(
        model=lazy.files.name,
        identity={**lazy.key, "revision": lazy.files.revision, "lexicon": gathered[0].lexicon.fingerprint()},
        settings=settings,
        pairs=tuple(pairs),
        analyses=kept_analyses(pairs, seed=settings.seed, cache=cache),
    )


def analyses(
    pairs: Sequence[MeasuredPair], *, seed: int, everything: Sequence[MeasuredPair] | None = None
) -> tuple[Analysis, ...]:
    """Analyse pairs for development, the others, and all of them where there are both.

    Args:
        pairs: to analyse.
        seed: of the draws.
        everything: pairs that ways may learn from; these for None.
    """
    development = set(parse_pairs(DEVELOPMENT))
    sets = {
        DEVELOPMENT_SET: [one for one in pairs if one.pair in development],
        REPORTED_SET: [one for one in pairs if one.pair not in development],
    }
    sets = {name: some for name, some in sets.items() if some}
    if len(sets) > 1:
        sets[ALL_SET] = list(pairs)
    return tuple(
        analyse(name, some, everything or pairs, metric=metric, seed=seed)
        for metric in METRICS
        for name, some in sets.items()
    )


def kept_analyses(
    pairs: Sequence[MeasuredPair], *, seed: int, cache: Cache, everything: Sequence[MeasuredPair] | None = None
) -> tuple[Analysis, ...]:
    """:func:`analyses`, from the cache where the same pairs were analysed by the same code before."""
    key = {
        "pairs": [digest(_content(one)) for one in pairs],
        "learnt_from": [digest(_content(one)) for one in everything or pairs],
        "seed": seed,
        "computed_by": computed_by(
            "study/study.py", "study/sets.py", "study/analysis.py", "study/policies.py", "study/curves.py",
            "study/fixed.py", "study/picks.py", "study/regret.py", "study/settings.py", "choosing/combined.py",
            "paired.py",
        ),
    }  # fmt: skip
    found = cache.computed(
        "study-analyses", key, lambda: ({}, {"analyses": plain(analyses(pairs, seed=seed, everything=everything))})
    )
    return tuple(rebuilt(Analysis, one) for one in found.facts["analyses"])


def _content(one: MeasuredPair) -> dict[str, Any]:
    """A pair as JSON holds it, arrays by their content."""
    values = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
    return {
        name: array_digest(value) if isinstance(value, np.ndarray) else plain(value) for name, value in values.items()
    }


def _title(pair: tuple[str, str]) -> str:
    source, target = map(languages.parse, pair)
    return f"{source.name} → {target.name}"


def _left(took: Sequence[float], number: int, settings: StudySettings) -> str:
    slow = [seconds for seconds in took if seconds >= _SLOW]
    if not slow:
        return ""
    minutes = (len(settings.pairs) - number) * sum(slow) / len(slow) / 60
    left = f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.0f} minutes"
    return f" (all of them: about {left} left, if none is in the cache)"
