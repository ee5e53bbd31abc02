"""Benchmarks: ``make bench`` prints a table and writes JSON. Every figure is measured in this run, ratios side by side.

- statistics: tokens per second of activation statistics ÷ those of a bare forward pass (bench/reading.py).
- nnsight: ours ÷ the same statistics by nnsight, and the memory of both (bench/peers.py). Needs nnsight.
- memory: peak above the loaded model while statistics are read, by length of the text (bench/memory.py). Linux only.
- dependence: all-pairs HSIC against loops over pairs that multiply n × n matrices (bench/kernels.py).
- overhead: ``recommend`` end to end ÷ its own forward passes and generations, bare (bench/overhead.py).
- again: seconds of commands from an empty cache, and of the same ones again (bench/again.py).
- growth: exponents of time on languages, tokens, probes and neurons (bench/growth.py).
- cluster: two Ray workers of one thread ÷ one (bench/workers.py). Needs Ray.
- likelihood: seconds to rank 100 words among 10 options each, Arabic to Hebrew (bench/likelihood.py).
- harness: items of Belebele per second by our likelihoods ÷ by lm-evaluation-harness, and whether both pick the same
  options (bench/harness.py). Needs lm-eval and Belebele (``--data``).

Packages that are compared with: ``pip install '.[bench]'``. A figure whose package or data is missing is said to be not
measured. Beside figures whose operations can be counted stand the operations a second that were achieved, and those of
matrix products alone of the same sizes (bench/flops.py), and the bytes that had to be moved a second beside those of a
plain copy (bench/moved.py). The JSON is written anew after each figure: a run that is killed keeps those it has.
``--quick`` runs everything in small, on a tiny random model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from bench import again, growth, harness, kernels, likelihood, memory, overhead, peers, reading, workers
from bench.setting import ROOT, Setting
from bench.table import NotMeasured, Row
from linguabridge.cache import versions, write_atomically
from linguabridge.hardware import set_threads

_MET = {None: "", True: "yes", False: "no"}


@dataclass(frozen=True)
class Figure:
    """How a figure is measured, and shown."""

    measure: Callable[[Setting], Any]
    rows: Callable[[Any], Iterator[Row]]


def _dependence(setting: Setting) -> kernels.Dependence:
    return kernels.bench_dependence(8, 62) if setting.quick else kernels.bench_dependence()


def _harness(setting: Setting) -> dict[str, Any] | NotMeasured:
    if setting.quick:
        return NotMeasured("its passages are too long for the tiny model of --quick")
    return harness.bench_harness(lambda: setting.loaded, setting.data, setting.items)


def _likelihood(setting: Setting) -> dict[str, Any]:
    words = likelihood.QUICK_WORDS if setting.quick else likelihood.WORDS
    return likelihood.bench_likelihood(setting.loaded, words)


FIGURES = {
    "statistics": Figure(reading.bench_statistics, reading.rows),
    "nnsight": Figure(peers.bench_nnsight, peers.rows),
    "memory": Figure(memory.bench_memory, memory.rows),
    "dependence": Figure(_dependence, kernels.rows),
    "overhead": Figure(overhead.bench_overhead, overhead.rows),
    "again": Figure(again.bench_again, again.rows),
    "growth": Figure(growth.bench_growth, growth.rows),
    "cluster": Figure(workers.bench_cluster, workers.rows),
    "likelihood": Figure(_likelihood, likelihood.rows),
    "harness": Figure(_harness, harness.rows),
}


def figures(text: str) -> list[str]:
    """Names of figures, separated by commas."""
    names = text.split(",")
    if unknown := set(names) - set(FIGURES):
        raise argparse.ArgumentTypeError(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    return names


def shown(rows: Sequence[Row], quick: bool) -> Table:
    """The table."""
    title = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}"
    if quick:
        title += "; --quick: everything is too small for its figures to mean anything"
    table = Table("figure", "measured", "spread", "goal", "met", "achieved ÷ possible", title=title)
    for row in rows:
        table.add_row(row.figure, row.measured, row.spread, row.goal, _MET[row.met], row.possible)
    return table


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench/results.json"))
    parser.add_argument("--only", type=figures, default=list(FIGURES), help=f"some of {','.join(FIGURES)}")
    parser.add_argument("--quick", action="store_true", help="everything in small; the figures mean nothing")
    data = Path(os.environ.get("LINGUABRIDGE_TEST_DATA") or ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data, help="folder with belebele/ in it")
    parser.add_argument("--items", type=int, default=60, help="of Belebele")
    chosen = parser.parse_args()
    set_threads()
    console = Console()
    results: dict[str, Any] = {}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(chosen.quick, chosen.data, chosen.items, Path(scratch))
        for name in FIGURES:
            if name in chosen.only:
                console.print(f"{name}…")
                result = FIGURES[name].measure(setting)
                rows += result.rows(name) if isinstance(result, NotMeasured) else FIGURES[name].rows(result)
                results[name] = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
                write(chosen.json, results, rows, chosen.quick)
    if not console.is_terminal:
        console = Console(width=200)  # a file has no width of its own
    console.print(shown(rows, chosen.quick))


def write(file: Path, results: Mapping[str, Any], rows: Sequence[Row], quick: bool) -> None:
    """Write the figures that there are, in place of fewer."""
    about = {"quick": quick, "threads": torch.get_num_threads(), "versions": versions()}
    whole = {**results, "table": [asdict(row) for row in rows], **about}
    write_atomically(file, (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
