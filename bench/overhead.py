"""``recommend`` end to end ÷ the time that its own forward passes and generations take bare.

Both from one and the same run, in this process, from an empty cache, with the model converted and loaded: while it
runs, the model's calls are timed. Bare is the layers' forward passes less the time spent in our hooks, plus the
vocabulary projection at the positions it is asked for; padding and batches are those of the run. All else is overhead:
texts, tokens, batches, copies of keys and values, softmax, kernels, and what is written to disk.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from bench.flops import Rates, body_operations, machine, products, projection_operations
from bench.moved import copied_per_s, moved
from bench.setting import Setting
from bench.table import Repeats, Row, rates, repeats
from bench.timing import timed
from linguabridge import collect, probing
from linguabridge.batches import token_budget
from linguabridge.cache import Cache
from linguabridge.lazy_model import LazyModel
from linguabridge.model import LanguageModel
from linguabridge.recommendation import recommend
from linguabridge.settings import Settings
from linguabridge.taps import Part, Reading, decoder_layers, record

SOURCE, TARGET = "ar", "he"
GOAL = 1.25
REPEATS = 2  # each takes minutes
QUICK = Settings(candidates=("en", "fr"), tokens=300, probes=30, check=10)


@dataclass
class Bare:
    """What the model's own calls took in seconds, and how much they were asked."""

    body: float = 0.0  # hooks included
    hooks: float = 0.0
    projection: float = 0.0
    tokens: float = 0  # padding included; those of a pass that ends early by the share of the layers that ran
    positions: int = 0
    passes: float = 0  # likewise by the share of the layers
    projections: int = 0

    @property
    def seconds(self) -> float:
        """All of them, hooks left out."""
        return self.body - self.hooks + self.projection


@dataclass(frozen=True)
class Overhead:
    """Seconds by part, medians over repeats, and the ratio."""

    pair: tuple[str, str]
    seconds: Repeats
    bare_s: Repeats
    hooks_s: Repeats
    ratio: Repeats
    gflop: float  # of the layers' matrices and of the projection; attention is left out
    bare_gflop_per_s: float
    products_gflop_per_s: float
    bare_gb_per_s: float
    copied_gb_per_s: float
    goal: float = GOAL


def bench_overhead(setting: Setting) -> Overhead:
    """Run ``recommend`` on the setting's model."""
    return measured(setting.opened(), QUICK if setting.quick else Settings(), REPEATS)


def measured(lazy: LazyModel, settings: Settings, n_repeats: int) -> Overhead:
    """Run ``recommend`` several times, each from an empty cache, and time it and the model's calls."""
    model = lazy.loaded
    plain, plain_operations = products(model, token_budget(model.device))
    runs: list[tuple[float, Bare, Rates]] = []
    for _ in range(n_repeats):
        seconds, bare = _run(lazy, settings)
        plain()  # to warm up
        plain_s = repeats(timed(plain) for _ in range(3)).median
        possible = Rates(body=plain_operations / plain_s, projection=machine(model).projection)
        runs.append((seconds, bare, possible))
    last = runs[-1][1]
    operations = body_operations(model, last.tokens), projection_operations(model, last.positions)
    bare_s = repeats(one.seconds for _, one, _ in runs)
    possible_s = repeats(operations[0] / rate.body + operations[1] / rate.projection for _, _, rate in runs)
    return Overhead(
        pair=(SOURCE, TARGET),
        seconds=repeats(seconds for seconds, _, _ in runs),
        bare_s=bare_s,
        hooks_s=repeats(one.hooks for _, one, _ in runs),
        ratio=repeats(seconds / one.seconds for seconds, one, _ in runs),
        gflop=sum(operations) / 1e9,
        bare_gflop_per_s=sum(operations) / bare_s.median / 1e9,
        products_gflop_per_s=sum(operations) / possible_s.median / 1e9,
        bare_gb_per_s=moved(model, last.tokens, last.passes, last.positions, last.projections) / bare_s.median / 1e9,
        copied_gb_per_s=copied_per_s(model.device) / 1e9,
    )


def _run(lazy: LazyModel, settings: Settings) -> tuple[float, Bare]:
    with tempfile.TemporaryDirectory() as folder, clocked(lazy.loaded) as bare:
        cache = Cache(Path(folder))
        return timed(lambda: recommend(SOURCE, TARGET, model=lazy, settings=settings, cache=cache)), bare


@contextmanager
def clocked(model: LanguageModel) -> Iterator[Bare]:
    """While open, the model's calls and our hooks in them are timed; nothing they compute changes."""
    bare = Bare()
    head = model.model.get_output_embeddings()  # type: ignore[no-untyped-call]

    layers = decoder_layers(model.model)[1]
    run: list[int] = []  # layers of a pass: it may end early

    def body(seconds: float, args: tuple[Any, ...], more: dict[str, Any]) -> None:
        bare.body += seconds
        bare.tokens += (args[0] if args else more["input_ids"]).numel() * len(run) / len(layers)
        bare.passes += len(run) / len(layers)
        run.clear()

    def projected(seconds: float, args: tuple[Any, ...], _more: dict[str, Any]) -> None:
        bare.projection += seconds
        bare.positions += args[0].numel() // args[0].shape[-1]
        bare.projections += 1

    @contextmanager
    def recorded(of: Any, names: tuple[str, ...], read: Reading) -> Iterator[None]:
        def reading(part: Part, values: Tensor) -> None:
            bare.hooks += timed(lambda: read(part, values))

        with record(of, names, reading):
            yield

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(lambda *_: run.append(1)).remove)
        stack.enter_context(_timed(model.model.base_model, body))
        stack.enter_context(_timed(head, projected))
        for module in (collect, probing):
            stack.enter_context(mock.patch.object(module, "record", recorded))
        yield bare


@contextmanager
def _timed(module: nn.Module, told: Callable[[float, tuple[Any, ...], dict[str, Any]], None]) -> Iterator[None]:
    """While open, ``told`` hears how long each call of a module's forward took, and its arguments."""
    forward = module.forward

    @functools.wraps(forward)
    def clocked_forward(*args: Any, **more: Any) -> Any:
        start = time.perf_counter()
        try:
            return forward(*args, **more)
        finally:  # a pass that ends after the last layer needed ends by an exception
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            told(time.perf_counter() - start, args, more)

    with mock.patch.object(module, "forward", clocked_forward):
        yield


def rows(one: Overhead) -> Iterator[Row]:
    """The table's part."""
    yield Row(
        f"recommend {' '.join(one.pair)}, empty cache ÷ its forwards and generations bare",
        f"{one.ratio.median:.2f}",
        one.ratio.spread(".2f"),
        f"≤ {one.goal}",
        one.ratio.median <= one.goal,
        rates(one.bare_gflop_per_s, one.products_gflop_per_s, one.bare_gb_per_s, one.copied_gb_per_s),
    )
    yield Row(
        "  all; bare; in our hooks",
        f"{one.seconds.median:.1f}; {one.bare_s.median:.1f}; {one.hooks_s.median:.1f} s",
        one.seconds.spread(".1f", " s"),
    )
