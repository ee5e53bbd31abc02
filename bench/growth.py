"""How time grows with languages, tokens, probes and neurons: exponents fitted to sizes, and the stated ones.

An exponent is the slope of the straight line through the logarithms of sizes and median seconds, by least squares. What
does not grow (a start, a check) makes it smaller. Languages and tokens are read by the tiny model, whatever the others
run on, so that large sizes take seconds; probes and neurons are those of :func:`linguabridge.dependence.score`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.setting import Setting, names
from bench.table import Repeats, Row, repeats
from bench.timing import REPEATS, in_turns
from linguabridge.cache import Cache
from linguabridge.collect import profile_text
from linguabridge.dependence import score
from linguabridge.languages import PAPER_LANGUAGES
from linguabridge.lazy_model import LazyModel
from linguabridge.text_profiles import profile_languages

NOISE = 0.1  # what a fit to times of a machine that does other things, too, may be off


@dataclass(frozen=True)
class Growth:
    """One exponent: of the medians, with those of each repeat as its spread, and that of the last two sizes alone.

    What does not grow hides least in the last two sizes; two times are all that their slope rests on.
    """

    of: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float
    last_slope: float
    spread: Repeats
    goal: float
    noise: float = NOISE


@dataclass(frozen=True)
class Exponents:
    """All of them."""

    grown: tuple[Growth, ...]


def bench_growth(setting: Setting) -> Exponents:
    """Time all sizes; with ``quick`` small ones."""
    lazy = setting.tiny_opened
    quick, n = setting.quick, 1 if setting.quick else REPEATS
    per_language = 200 if quick else 4000
    return Exponents(
        (
            growth(
                f"languages, {per_language:,} tokens each",
                (2, 4, 8, 15),
                lambda size: partial(_languages, lazy, PAPER_LANGUAGES[:size], per_language),
                goal=1,
                n_repeats=n,
            ),
            growth(
                "tokens",
                (1000, 2000, 4000, 8000) if quick else (20_000, 40_000, 80_000, 160_000),
                lambda size: lambda: profile_text(lazy.loaded, names(), max_tokens=size),
                goal=1,
                n_repeats=n,
            ),
            growth(
                "probes, 2 × 20 neurons",
                (60, 120, 240, 480) if quick else (100, 200, 400, 800, 1600),
                lambda size: _score(20, size),
                goal=2,
                n_repeats=n,
            ),
            growth(
                "neurons in each set, 200 probes",
                (10, 20, 40, 80) if quick else (50, 100, 200, 400, 800),
                lambda size: _score(size, 200),
                goal=1,
                n_repeats=n,
            ),
        )
    )


def growth(
    of: str, sizes: tuple[int, ...], work: Callable[[int], Callable[[], object]], *, goal: float, n_repeats: int
) -> Growth:
    """Time work of several sizes, in turns, and fit."""
    works = [work(size) for size in sizes]
    works[-1]()
    measured = in_turns(works, n_repeats)
    seconds = tuple(repeats(column).median for column in zip(*measured, strict=True))
    spread = repeats(exponent(sizes, one) for one in measured)
    return Growth(of, sizes, seconds, exponent(sizes, seconds), exponent(sizes[-2:], seconds[-2:]), spread, goal)


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds on log sizes."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _languages(lazy: LazyModel, codes: Sequence[str], tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        profile_languages(codes, model=lazy, tokens=tokens, cache=Cache(Path(folder)))


def _score(neurons: int, probes: int) -> Callable[[], float]:
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(neurons, probes)).astype(np.float32) for _ in range(2))
    return partial(score, x, y)


def rows(one: Exponents) -> Iterator[Row]:
    """The table's part."""
    for some in one.grown:
        yield Row(
            f"time grows with {some.of} ({some.sizes[0]:,} to {some.sizes[-1]:,}) to the power of",
            f"{some.exponent:.2f}",
            f"{some.spread.spread('.2f')}; last two sizes {some.last_slope:.2f}",
            f"≤ {some.goal:g} (+ {some.noise:g} of noise)",
            some.exponent <= some.goal + some.noise,
        )
