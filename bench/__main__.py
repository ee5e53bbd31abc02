"""Benchmarks: ``make bench`` prints a table and writes JSON. Every figure is measured in this run, ratios side by side.

- recommend: seconds for ``recommend ar he`` with default settings from an empty cache (the model converted already),
  and for the same command again.
- dependence: all-pairs HSIC of 60 × 60 neurons and 500 probes against two loops over pairs that multiply n × n
  matrices: tr(K H L H) as it is written, and the cheapest we could write, which computes the very same numbers as ours.
- statistics: tokens per second of activation statistics ÷ those of a bare forward pass over the same batches, without
  hooks and without the vocabulary projection.
- likelihood: seconds to rank 100 words among 10 options each, Arabic to Hebrew, and achieved operations per second
  beside the machine's own in matrix products of the model's sizes; bench/flops.py says what is counted.
- harness: items of Belebele per second by our likelihoods ÷ by lm-evaluation-harness, and whether both pick the same
  options; bench/harness.py says how. Needs lm-eval (``pip install '.[bench]'``) and Belebele (``--data``).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.harness import bench_harness
from bench.likelihood import bench_likelihood
from bench.timing import REPEATS, timed
from linguabridge import languages
from linguabridge.batches import batches, token_budget
from linguabridge.cache import Cache, default_cache_dir, versions
from linguabridge.collect import profile_text, sequences
from linguabridge.dependence import cka_pairs
from linguabridge.hardware import set_threads
from linguabridge.model import LanguageModel, open_model
from linguabridge.texts import load_text

ROOT = Path(__file__).parent.parent
FIGURES = ("dependence", "statistics", "likelihood", "harness", "recommend")
Matrix = NDArray[np.float32]


def bench_recommend() -> dict[str, Any]:
    """Seconds from an empty cache, and again, process start included."""
    source = default_cache_dir()
    with tempfile.TemporaryDirectory() as folder:
        for part in ("models", "hashes"):  # the converted model, and what is remembered of its files
            (source / part).mkdir(parents=True, exist_ok=True)
            (Path(folder) / part).symlink_to(source / part)
        environment = {**os.environ, "LINGUABRIDGE_CACHE": folder}
        command = [
            sys.executable,
            "-m",
            "linguabridge.cli",
            "recommend",
            "ar",
            "he",
            "--json",
            str(Path(folder) / "result.json"),
        ]
        first, second = (
            timed(lambda: subprocess.run(command, env=environment, check=True, capture_output=True))  # noqa: S603
            for _ in range(2)
        )
    return {"first_s": first, "second_s": second, "goal_first_s": 300, "goal_second_s": 30}


def naive_hsic(x: Matrix, y: Matrix) -> NDArray[np.float64]:
    """Debiased CKA pair by pair, each with products of n × n matrices (Song et al. 2012, equation 5)."""
    n = x.shape[1]
    ones = np.ones((n, n), dtype=x.dtype)

    def kernel(row: Matrix) -> Matrix:
        gap = np.abs(row[:, None] - row[None, :])
        k: Matrix = np.exp(-(gap**2) / (2 * np.median(gap[np.triu_indices(n, 1)]) ** 2))
        np.fill_diagonal(k, 0)
        return k

    def unbiased(k: Matrix, m: Matrix) -> float:
        product = k @ m
        value = (
            np.trace(product) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (ones[0] @ product @ ones[0])
        )
        return float(value / (n * (n - 3)))

    kx, ky = [kernel(row) for row in x], [kernel(row) for row in y]
    sx, sy = [unbiased(k, k) for k in kx], [unbiased(k, k) for k in ky]
    return np.array(
        [[unbiased(k, m) / np.sqrt(a * b) for m, b in zip(ky, sy, strict=True)] for k, a in zip(kx, sx, strict=True)]
    )


def textbook_hsic(x: Matrix, y: Matrix) -> NDArray[np.float64]:
    """tr(K H L H) / (n − 1)² pair by pair, as the formula is written (Gretton et al. 2005): three products a pair."""
    n = x.shape[1]
    h = np.eye(n, dtype=x.dtype) - np.float32(1 / n)
    kx, ky = ([np.exp(-((row[:, None] - row[None, :]) ** 2) / 2) for row in rows] for rows in (x, y))
    return np.array([[np.trace(k @ h @ m @ h) / (n - 1) ** 2 for m in ky] for k in kx])


def bench_dependence(neurons: int = 60, probes: int = 500) -> dict[str, Any]:
    """All pairs in one product against a loop over pairs; the loop runs once, it is slow."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(neurons, probes)).astype(np.float32)
    y = (x + rng.normal(size=(neurons, probes))).astype(np.float32)
    fast: list[NDArray[np.float64]] = []
    cka_pairs(x, y)
    ours = [timed(lambda: fast.append(cka_pairs(x, y))) for _ in range(REPEATS)]
    slow: list[NDArray[np.float64]] = []
    loop = timed(lambda: slow.append(naive_hsic(x, y)))
    textbook = timed(lambda: textbook_hsic(x, y))
    difference = float(np.abs(fast[0] - slow[0]).max())
    ratios = [loop / one for one in ours]
    return {
        "textbook_s": textbook,
        "textbook_ratio": textbook / statistics.median(ours),
        "loop_s": loop,
        "ours_s": statistics.median(ours),
        "ratio": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "largest_difference": difference,
        "goal": 50,
    }


def bench_statistics(model: LanguageModel) -> dict[str, Any]:
    """Tokens per second with statistics ÷ without, interleaved."""
    lines = list(load_text(None, languages.parse("fi"), 0).lines())
    tokens = 4000
    prepared = list(batches(sequences(model, lines, tokens), token_budget(model.device), model.device))

    def bare() -> None:
        with torch.inference_mode():
            for batch in prepared:
                model.model.base_model(input_ids=batch.ids, use_cache=False)

    def ours() -> None:
        profile_text(model, lines, max_tokens=tokens)

    bare()
    pairs = [(timed(bare), timed(ours)) for _ in range(REPEATS)]
    ratios = [one / other for one, other in pairs]
    return {
        "bare_tokens_per_s": tokens / statistics.median(one for one, _ in pairs),
        "ours_tokens_per_s": tokens / statistics.median(other for _, other in pairs),
        "ratio": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "goal": 0.95,
    }


def rows(results: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The table: figure, measured, spread, goal."""
    if one := results.get("dependence"):
        spread = f"{one['spread'][0]:.0f} to {one['spread'][1]:.0f}"
        goal = f"≥ {one['goal']} ×"
        yield "loop over pairs, tr(K H L H) ÷ all pairs at once", f"{one['textbook_ratio']:.0f} ×", "", goal
        yield "loop over pairs, one product each ÷ the same", f"{one['ratio']:.0f} ×", spread, ""
    if one := results.get("statistics"):
        spread = f"{one['spread'][0]:.3f} to {one['spread'][1]:.3f}"
        yield "tokens/s with statistics ÷ bare", f"{one['ratio']:.3f}", spread, f"≥ {one['goal']}"
    if one := results.get("likelihood"):
        spread = f"{one['seconds_spread'][0]:.1f} to {one['seconds_spread'][1]:.1f} s"
        counted = one["body_gflop"] + one["attention_gflop"] + one["projection_gflop"]
        yield f"likelihood of {one['words']} words × {one['options']} options", f"{one['seconds']:.1f} s", spread, ""
        yield (
            f"operations per second, {counted:,.0f} GFLOP counted; matrix products alone",
            f"{one['gflop_per_s']:.0f}; {one['machine_gflop_per_s']:.0f} GFLOP/s",
            "",
            "",
        )
        spread = f"{one['share_spread'][0]:.0%} to {one['share_spread'][1]:.0%}"
        yield "share of the machine's matrix products", f"{one['share']:.0%}", spread, ""
    if one := results.get("harness"):
        yield from harness_rows(one)
    if one := results.get("recommend"):
        yield "recommend ar he, empty cache", f"{one['first_s']:.0f} s", "", f"≤ {one['goal_first_s']} s"
        yield "the same again", f"{one['second_s']:.1f} s", "", f"≤ {one['goal_second_s']} s"


def harness_rows(one: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The table's part on lm-evaluation-harness."""
    if reason := one.get("not_measured"):
        yield "items/s ÷ lm-evaluation-harness", "not measured", reason, ""
        return
    about = f"{one['items']} items on {one['passages']} passages"
    for scoring in ("text", "letters"):
        part = one[scoring]
        yield (
            f"Belebele by {scoring}, {about}: ours; harness {one['lm_eval']}, batches of {part['harness_batch_size']}",
            f"{part['ours_items_per_s']:.2f}; {part['harness_items_per_s']:.2f} items/s",
            "",
            "",
        )
        spread = f"{part['spread'][0]:.1f} to {part['spread'][1]:.1f}"
        yield f"  ours ÷ harness, {scoring}", f"{part['ratio']:.1f} ×", spread, f"≥ {one['goal']['ratio']} ×"
        difference = f"log-likelihoods differ by ≤ {part['largest_difference']:.1g}"
        yield f"  same pick, {scoring}", f"{part['same_picks']:.1%}", difference, f"≥ {one['goal']['same_picks']:.0%}"


def figures(text: str) -> list[str]:
    """Names of figures, separated by commas."""
    names = text.split(",")
    if unknown := set(names) - set(FIGURES):
        raise argparse.ArgumentTypeError(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    return names


def main() -> None:
    """Run all benchmarks, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench/results.json"))
    parser.add_argument("--only", type=figures, default=FIGURES, help=f"some of {','.join(FIGURES)}")
    data = Path(os.environ.get("LINGUABRIDGE_TEST_DATA") or ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data, help="folder with belebele/ in it")
    parser.add_argument("--items", type=int, default=60, help="of Belebele")
    chosen = parser.parse_args()
    set_threads()
    console = Console()

    @functools.cache
    def load() -> LanguageModel:
        return open_model(cache=Cache(default_cache_dir())).loaded

    work: dict[str, Callable[[], dict[str, Any]]] = {
        "dependence": bench_dependence,
        "statistics": lambda: bench_statistics(load()),
        "likelihood": lambda: bench_likelihood(load()),
        "harness": lambda: bench_harness(load, chosen.data, chosen.items),
        "recommend": bench_recommend,
    }
    results: dict[str, Any] = {}
    for name in FIGURES:
        if name in chosen.only:
            console.print(f"{name}…")
            results[name] = work[name]()
    table = Table("figure", "measured", "spread", "goal", title=f"{os.cpu_count()} cores, {platform.machine()}")
    for row in rows(results):
        table.add_row(*row)
    console.print(table)
    chosen.json.write_text(json.dumps({**results, "versions": versions()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
