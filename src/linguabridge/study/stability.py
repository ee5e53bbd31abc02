"""Is a ranking by neurons the same when it is made again? From other probes, another lexicon, another top rate.

Agreement is Spearman's rank correlation of the candidates' scores: 1 for the same order, 0 for orders that have nothing
to do with each other. It says whether a ranking repeats, not whether it is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy import stats

from linguabridge import languages
from linguabridge.cache import Arrays, Cache, computed_by, default_cache_dir, versions
from linguabridge.choices import make_choices
from linguabridge.choosing.ways import neuron_scores
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.lexicons import load_lexicon, split
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.neuron_ranking import Probed, probe_neurons
from linguabridge.progress import Reporter
from linguabridge.ranking import content_key
from linguabridge.settings import Settings, check_pairs
from linguabridge.study.regret import DIFFERENCES, drawn_shares, over_pairs
from linguabridge.study.settings import StudySettings
from linguabridge.tables import new_table
from linguabridge.texts import load_text
from linguabridge.words import interval, number

RATES = (0.005, 0.01, 0.02, 0.05)
HALVINGS = 50
FEWEST_FOR_AN_INTERVAL = 5  # pairs; a bootstrap over fewer is far too narrow
ESTIMATORS: Mapping[str, dict[str, Any]] = {"cka": {}, "reference": {"reference": True}}

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class PairStability:
    """How far a pair's rankings agree with each other.

    Attributes:
        source: code.
        target: code.
        estimator: ``cka`` or ``reference``.
        n_probes: that the model understands, of the first lexicon.
        halves: mean agreement of two halves of the probes.
        lexicons: agreement of the two lexicons' probes; None also where the other lexicon has too few words for the
            pair.
        rates: agreement of every two top rates, by "0.005–0.01".

    All are None where too few candidates have a score, or all have the same.
    """

    source: str
    target: str
    estimator: str
    n_probes: int
    halves: float | None
    lexicons: float | None
    rates: dict[str, float | None]


@dataclass(frozen=True)
class Mean:
    """A mean over pairs.

    Attributes:
        value: the mean.
        low: lower end of its 95 % bootstrap interval over pairs; None for fewer than five pairs.
        high: upper end.
        pairs: that have it.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int


@dataclass(frozen=True)
class Stability:
    """Agreement of rankings, pair by pair.

    Attributes:
        model: what the user called it.
        lexicons: the two lexicons.
        pairs: one entry a pair and estimator.
    """

    model: str
    lexicons: tuple[str, str]
    pairs: tuple[PairStability, ...]

    def mean(self, estimator: str, what: str, seed: int = 0) -> Mean | None:
        """Mean agreement over the pairs that have it.

        Args:
            estimator: ``cka`` or ``reference``.
            what: ``halves``, ``lexicons``, or two rates such as "0.005–0.01".
            seed: of the bootstrap.

        Returns:
            The mean, a rank correlation in [-1, 1], with its interval; None where no pair has it.
        """
        found = [
            value
            for one in self.pairs
            if one.estimator == estimator and (value := getattr(one, what, one.rates.get(what))) is not None
        ]
        if not found:
            return None
        if len(found) < FEWEST_FOR_AN_INTERVAL:
            return Mean(float(np.mean(found)), None, None, len(found))
        one = over_pairs(np.array(found), drawn_shares(len(found), np.random.default_rng(seed)), DIFFERENCES)
        return Mean(one.value, one.low, one.high, len(found))

    @property
    def measures(self) -> tuple[str, ...]:
        """What :meth:`mean` knows."""
        return ("halves", "lexicons", *(f"{a:g}–{b:g}" for a, b in itertools.combinations(RATES, 2)))

    def tables(self) -> dict[str, Any]:
        """Agreement, pair by pair and on average, as Arrow tables (docs/export.md has the columns)."""
        from linguabridge.export.frames import stability_tables

        return stability_tables(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        means = {e: {what: plain(self.mean(e, what)) for what in self.measures} for e in ESTIMATORS}
        return {**plain(self), "means": means, "versions": versions()}


def stability(
    pairs: Sequence[tuple[str, str]],
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    settings: StudySettings | None = None,
    other: str = "muse",
    other_dir: Path | None = None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Stability:
    """Make rankings again from halves of the probes, from another lexicon, and at other top rates.

    Args:
        pairs: source and target of each, as codes or names.
        model: name of a model, or one from :func:`linguabridge.lazy_model.open_model`.
        options: how a model given by name is loaded.
        settings: candidates, lexicon, tokens, probes and seed are read.
        other: the other lexicon.
        other_dir: its folder, for MUSE dictionaries.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        Spearman's rank correlation of the candidates' scores between the rankings, pair by pair and estimator by
        estimator, with means over pairs.

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    if not pairs:
        raise InputError("Name pairs of languages, such as ar:he.")
    pairs = check_pairs(pairs)
    settings = settings or StudySettings(pairs=pairs)
    cache = cache or Cache(default_cache_dir())
    reporter = reporter or Reporter()
    cache.check_writable()
    lazy = open_model(model, options, cache, reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    lexicons = ((settings.lexicon, settings.lexicon_dir), (other, other_dir))
    for name, folder in lexicons:  # a misspelt one is named before the work, not taken for one without the pair
        source, target = map(languages.parse, pairs[0])
        load_lexicon(name, directory=folder, source=source, target=target, cache_dir=cache.root / "lexicons")
    found = []
    for number_, pair in enumerate(pairs, 1):
        reporter.say(f"Pair {number_} of {len(pairs)}: {pair[0]} → {pair[1]}")
        for estimator, changes in ESTIMATORS.items():
            asked = replace(
                Settings(tokens=settings.tokens, probes=settings.probes, seed=settings.seed), top_rate=0.01, **changes
            )
            found.append(_pair(measure, pair, estimator, asked, lexicons, settings.candidates, cache))
    return Stability(lazy.files.name, (settings.lexicon, other), tuple(found))


def _pair(
    measure: Measurements,
    pair: tuple[str, str],
    estimator: str,
    settings: Settings,
    lexicons: Sequence[tuple[str, Path | None]],
    candidates: Sequence[str],
    cache: Cache,
) -> PairStability:
    first = _probed(measure, pair, settings, lexicons[0], candidates, cache)
    rates = {
        rate: first if rate == settings.top_rate else _probed(
            measure, pair, replace(settings, top_rate=rate), lexicons[0], candidates, cache
        )
        for rate in RATES
    }  # fmt: skip
    by_rate = {rate: neuron_scores(probed, settings, cache) for rate, probed in rates.items()}
    try:
        second: Probed | None = _probed(measure, pair, settings, lexicons[1], candidates, cache)
    except InputError:
        second = None  # MUSE has no Swahili
    return PairStability(
        source=pair[0],
        target=pair[1],
        estimator=estimator,
        n_probes=len(first.probes.prompts),
        halves=_halves(first, settings, cache),
        lexicons=None
        if second is None
        else agreement(neuron_scores(first, settings, cache), neuron_scores(second, settings, cache)),
        rates={f"{a:g}–{b:g}": agreement(by_rate[a], by_rate[b]) for a, b in itertools.combinations(RATES, 2)},
    )


def _probed(
    measure: Measurements,
    pair: tuple[str, str],
    settings: Settings,
    lexicon: tuple[str, Path | None],
    candidates: Sequence[str],
    cache: Cache,
) -> Probed:
    source, target = map(languages.parse, pair)
    words = load_lexicon(
        lexicon[0], directory=lexicon[1], source=source, target=target, cache_dir=cache.root / "lexicons"
    )
    entries = words.pair(source, target)
    drawn = split(entries, probes=settings.probes, check=0, seed=settings.seed)
    bridges = [one for one in map(languages.parse, candidates) if one not in (source, target)]
    # The same texts whatever the lexicon: only the probes change.
    texts = {one.code: load_text(None, one, settings.seed) for one in (source, target, *bridges)}
    choices = make_choices(drawn.probes, entries.entries, settings.seed)
    return probe_neurons(measure, source, target, bridges, texts, choices, settings)


def _halves(probed: Probed, settings: Settings, cache: Cache) -> float | None:
    def compute() -> tuple[Arrays, dict[str, Any]]:
        rng = np.random.default_rng(settings.seed)
        n = probed.values.shape[1]
        found = []
        for _ in range(HALVINGS):
            order = rng.permutation(n)
            first, second = (
                neuron_scores(replace(probed, values=probed.values[:, np.sort(part)]), settings)
                for part in (order[: n // 2], order[n // 2 :])
            )
            found.append(agreement(first, second))
        return {}, {"agreements": found}

    key = {
        **content_key(probed.values, probed.rows, probed.shared, list(probed.bridges.values()), probed.layers),
        "estimator": settings.estimator_in_force,
        "empty_layers_count": settings.reference,
        "seed": settings.seed,
        "halvings": HALVINGS,
        "computed_by": computed_by(
            "study/stability.py", "ranking.py", "scorers.py", "dependence.py", "choosing/ways.py"
        ),
    }
    found = cache.computed("halves", key, compute).facts["agreements"]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def agreement(first: Scores, second: Scores) -> float | None:
    """Spearman's rank correlation over the candidates that both have a score for; None where nothing can be ranked."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 3 or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return None
    return float(stats.spearmanr(first[both], second[both]).statistic)


def stability_table(result: Stability) -> Table:
    """Mean agreement by estimator."""
    n = len({(one.source, one.target) for one in result.pairs})
    over = "of 1 pair" if n == 1 else f"mean over {n} pairs"
    table = new_table(f"Agreement of rankings by neurons (Spearman), {over}")
    table.add_column("made again from")
    for estimator in ESTIMATORS:
        table.add_column(estimator, justify="right")
        table.add_column("95 % interval", justify="right")
    titles = {"halves": "two halves of the probes", "lexicons": f"words of {' and of '.join(result.lexicons)}"}
    for what in result.measures:
        cells: list[str] = []
        for estimator in ESTIMATORS:
            mean = result.mean(estimator, what)
            cells += ["–", "–"] if mean is None else [number(mean.value), interval(mean.low, mean.high)]
        table.add_row(titles.get(what, f"top rates {what.replace('–', ' and ')}"), *cells)
    table.caption = (
        "1: the same order of candidates, 0: orders that have nothing to do with each other. Intervals are over pairs, "
        f"{FEWEST_FOR_AN_INTERVAL} at least."
    )
    return table
