"""Peak memory above the loaded model while statistics are read, each in a process of its own.

``python -m bench.memory`` is such a process: it loads the model, notes what is resident, reads a little to warm up,
resets the peak that Linux keeps, reads a text that nobody holds, and prints the peak. What is resident is noted before
the warm-up, so that nothing which reading leaves behind counts as the model's.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench.readers import OURS, READERS
from bench.setting import ROOT, Setting, names
from bench.table import NotMeasured, Row, repeats
from linguabridge.cache import Cache
from linguabridge.hardware import set_threads
from linguabridge.lazy_model import open_model
from linguabridge.model import ModelOptions

SHARE, LEAST = 0.1, 300e6  # of the model's bytes, or bytes, the larger
FLAT = 16e6  # bytes that the largest text may take more than the smallest: what allocators keep varies from run to run
WARM = 2500  # tokens read before the peak is reset: more than a batch
# Tokens, and how many processes read so many.
DEFAULT_SIZES, TINY_SIZES = {10_000: 3, 100_000: 2}, {10_000: 3, 100_000: 3, 1_000_000: 2}
QUICK_SIZES = {2_000: 1, 20_000: 1}
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK, _NOW = "VmHWM", "VmRSS"


@dataclass(frozen=True)
class Peak:
    """What one process held, in bytes."""

    reader: str
    tokens: int
    model: int  # weights
    loaded: int  # resident before anything was read
    warm: int  # resident after the warm-up
    peak: int  # most that was resident while the text was read

    @property
    def above(self) -> int:
        """Peak above the loaded model."""
        return self.peak - self.loaded


@dataclass(frozen=True)
class Memory:
    """Peaks by size of the text, on the model and on the tiny one."""

    peaks: tuple[Peak, ...]
    tiny: tuple[Peak, ...]
    goal: float  # bytes above the loaded model
    goal_growth: float = FLAT


def supported() -> bool:
    """Whether this system keeps a peak that can be reset."""
    return sys.platform == "linux" and _STATUS.exists() and _RESET.exists()


def peak(model: str, cache: Cache, tokens: int, reader: str = OURS) -> Peak:
    """Measure in a process of its own.

    Args:
        model: name or folder.
        cache: where it is kept, converted.
        tokens: of the text.
        reader: one of :data:`bench.readers.READERS`.
    """
    command = [sys.executable, "-m", "bench.memory", model, str(cache.root), str(tokens), reader]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return Peak(**json.loads(done.stdout))


def bench_memory(setting: Setting) -> Memory | NotMeasured:
    """Peaks on the model, and over a wider range of sizes on the tiny one."""
    if not supported():
        return NotMeasured("needs Linux: a peak that can be reset, in /proc/self")
    small = Cache(setting.scratch / "cache")
    # Processes do not change each other's peaks; small ones run at once.
    tiny = _peaks(setting.tiny, small, QUICK_SIZES if setting.quick else TINY_SIZES, at_once=os.cpu_count() or 1)
    real = () if setting.quick else _peaks(setting.model, setting.cache, DEFAULT_SIZES)
    return Memory(real, tiny, max(LEAST, SHARE * (real or tiny)[0].model))


def _peaks(model: str, cache: Cache, sizes: Mapping[int, int], at_once: int = 1) -> tuple[Peak, ...]:
    every = [tokens for tokens, times in sizes.items() for _ in range(times)]
    with ThreadPoolExecutor(at_once) as pool:
        return tuple(pool.map(partial(peak, model, cache), every))


def rows(one: Memory) -> Iterator[Row]:
    """The table's part."""
    for name, some in (("the model", one.peaks), ("the tiny model", one.tiny)):
        if some:
            yield from _rows(name, some, one)


def _rows(name: str, peaks: Sequence[Peak], one: Memory) -> Iterator[Row]:
    most = max(peak.above for peak in peaks)
    by_size = {size: repeats(one.above / 1e6 for one in peaks if one.tokens == size) for size in _sizes(peaks)}
    every = "; ".join(f"{size:,} tokens: {one.spread('.0f')}" for size, one in by_size.items())
    yield Row(
        f"peak memory above {name} ({peaks[0].model / 1e6:,.0f} MB) while statistics are read",
        f"{most / 1e6:.0f} MB",
        f"{every} MB",
        f"≤ {one.goal / 1e6:.0f} MB",
        most <= one.goal,
    )
    least, *_, largest = by_size
    growth = 1e6 * (by_size[largest].median - by_size[least].median)
    yield Row(
        f"  from {least:,} to {largest:,} tokens",
        f"{growth / 1e6:+.1f} MB",
        "",
        f"flat: ≤ {one.goal_growth / 1e6:.0f} MB",
        growth <= one.goal_growth,
    )


def _sizes(peaks: Iterable[Peak]) -> list[int]:
    return list(dict.fromkeys(one.tokens for one in peaks))


def _kept(name: str) -> int:
    """Bytes under this name in the process's status."""
    found = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith(f"{name}:"))
    return int(found.split()[1]) * 1024


def main() -> None:
    """Be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("cache", type=Path)
    parser.add_argument("tokens", type=int)
    parser.add_argument("reader", choices=READERS)
    asked = parser.parse_args()
    set_threads()
    model = open_model(asked.model, ModelOptions(device="cpu"), Cache(asked.cache)).loaded
    read = READERS[asked.reader](model)
    weights = sum(one.nbytes for one in model.model.parameters())
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's
        trim(0)  # what loading freed must not count as the model's
    loaded = _kept(_NOW)
    read(names(), WARM)
    warm = _kept(_NOW)
    _RESET.write_text("5", "ascii")
    read(names(), asked.tokens)
    most = _kept(_PEAK)
    print(json.dumps(asdict(Peak(asked.reader, asked.tokens, weights, loaded, warm, most))))


if __name__ == "__main__":
    main()
