"""Statistics by two Ray workers of one thread each ÷ by one, steady state, on texts of equal size.

The workers have loaded the model and answered once before anything is timed. Then the same two calls are made one after
the other, a worker each, and at the same time; what plain matrix products of the model's sizes gain in the same way is
what this machine makes possible.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import torch

import bench
from bench.flops import count_read, products
from bench.moved import copied_per_s, moved_read
from bench.setting import Setting, names
from bench.table import NotMeasured, Repeats, Row, rates, repeats
from bench.timing import REPEATS, in_turns
from linguabridge.batches import batches, token_budget
from linguabridge.cluster.options import ClusterOptions
from linguabridge.cluster.workers import Workers
from linguabridge.collect import profile_text, sequences
from linguabridge.errors import ClusterError, InputError
from linguabridge.model import LanguageModel

GOAL = 1.8
TOKENS, QUICK_TOKENS = 4000, 20_000  # the tiny model is through with few in less time than a call takes
T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """Rates of one worker, and of two together."""

    tokens: int
    one_tokens_per_s: float
    two_tokens_per_s: float
    ratio: Repeats
    products_ratio: Repeats
    two_gflop_per_s: float
    two_products_gflop_per_s: float
    two_gb_per_s: float
    copied_gb_per_s: float  # by one process with all threads
    goal: float = GOAL


def bench_cluster(setting: Setting) -> Pair | NotMeasured:
    """Start two workers on the setting's model, and stop them in the end."""
    try:
        import ray
    except ImportError:
        return NotMeasured("Ray is not installed: pip install '.[bench]'")
    ray.cloudpickle.register_pickle_by_value(bench)  # type: ignore[no-untyped-call]  # workers need not find the benchmarks
    lazy = setting.opened(ClusterOptions(workers=2, gpus=0))
    try:
        workers = lazy.workers
        return measured(workers, QUICK_TOKENS if setting.quick else TOKENS, 2 if setting.quick else REPEATS)
    except (ClusterError, InputError) as error:
        return NotMeasured(str(error))
    finally:
        lazy.stop_workers()
        ray.shutdown()


def measured(workers: Workers, tokens: int, n_repeats: int) -> Pair:
    """Time two calls one after the other and at once, in turns with plain products."""
    lines = list(islice(names(), tokens))
    read = partial(workers.call, profile_text, lines, max_tokens=tokens)
    multiply = partial(workers.call, _products)
    with ThreadPoolExecutor(2) as pool:
        works: list[Callable[[], object]] = [
            partial(_one_by_one, read),
            partial(_at_once, pool, read),
            partial(_one_by_one, multiply),
            partial(_at_once, pool, multiply),
        ]
        while len(set(_at_once(pool, partial(workers.call, _prepared)))) < 2:
            pass  # one of them is not up yet
        for work in works:
            work()
        seconds = in_turns(works, n_repeats)
    gflop, gb = (value / 1e9 for value in workers.call(_counted, lines, tokens))
    one, two, _, plain = (repeats(column).median for column in zip(*seconds, strict=True))
    return Pair(
        tokens=tokens,
        one_tokens_per_s=2 * tokens / one,
        two_tokens_per_s=2 * tokens / two,
        ratio=repeats(some[0] / some[1] for some in seconds),
        products_ratio=repeats(some[2] / some[3] for some in seconds),
        two_gflop_per_s=2 * gflop / two,
        two_gb_per_s=2 * gb / two,
        copied_gb_per_s=copied_per_s(torch.device("cpu")) / 1e9,
        two_products_gflop_per_s=2 * multiply() / plain / 1e9,
    )


def _one_by_one(call: Callable[[], Any]) -> None:
    for _ in range(2):  # the worker that has been free for longest answers: each in its turn
        call()


def _at_once(pool: ThreadPoolExecutor, call: Callable[[], T]) -> list[T]:
    return [under_way.result() for under_way in [pool.submit(call) for _ in range(2)]]


def _prepared(_model: LanguageModel) -> int:
    """Compute with one thread from now on; the process's number, late enough for the other worker to be asked, too."""
    torch.set_num_threads(1)  # a machine of more than two cores gives a worker more than one
    time.sleep(0.5)
    return os.getpid()


def _products(model: LanguageModel) -> float:
    work, operations = products(model, token_budget(model.device))
    work()
    return operations


def _counted(model: LanguageModel, lines: Sequence[str], tokens: int) -> tuple[float, float]:
    """Operations of a bare forward over the text, and bytes that it must move."""
    prepared = list(batches(sequences(model, lines, tokens), token_budget(model.device), model.device))
    return count_read(model, prepared).total, moved_read(model, prepared)


def rows(one: Pair) -> Iterator[Row]:
    """The table's part."""
    yield Row(
        "statistics by two workers of one thread ÷ by one",
        f"{one.ratio.median:.2f} ×",
        one.ratio.spread(".2f"),
        f"≥ {one.goal} ×",
        one.ratio.median >= one.goal,
        rates(one.two_gflop_per_s, one.two_products_gflop_per_s, one.two_gb_per_s, one.copied_gb_per_s),
    )
    yield Row(
        "  tokens/s of one; of two",
        f"{one.one_tokens_per_s:,.0f}; {one.two_tokens_per_s:,.0f} tokens/s",
    )
    yield Row(
        "  matrix products alone, two ÷ one", f"{one.products_ratio.median:.2f} ×", one.products_ratio.spread(".2f")
    )
