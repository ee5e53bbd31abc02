"""The same statistics by us and by nnsight (bench/readers.py): tokens per second, and peak memory beside each other.

nnsight's sums are measured in two ways: as one would write them, and with the two matrix products that ours makes of
each batch, which leaves nothing to compare but how the values are reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import islice

import numpy as np

from bench.flops import count_read, products
from bench.memory import Peak, peak, supported
from bench.moved import copied_per_s, moved_read
from bench.readers import NNSIGHT, NNSIGHT_PRODUCTS, OURS, READERS, nnsight_missing
from bench.setting import Setting, names
from bench.table import NotMeasured, Repeats, Row, rates, repeats
from bench.timing import REPEATS, in_turns
from linguabridge.batches import batches, token_budget
from linguabridge.collect import sequences
from linguabridge.model import LanguageModel

GOAL = 1.0
TOKENS, QUICK_TOKENS = 4000, 2000


@dataclass(frozen=True)
class Peer:
    """One way of summing in nnsight's trace.

    Attributes:
        tokens_per_s: its median.
        gflop_per_s: likewise.
        gb_per_s: likewise.
        ratio: our tokens per second ÷ its.
        same_counts: whether all counts of values > 0 equal ours.
        largest_difference: of sums, relative to the largest sum.
    """

    tokens_per_s: float
    gflop_per_s: float
    gb_per_s: float
    ratio: Repeats
    same_counts: bool
    largest_difference: float


@dataclass(frozen=True)
class Peers:
    """Both, and what they hold; peaks are None where this system cannot tell."""

    nnsight: str
    tokens: int
    ours_tokens_per_s: float
    ours_gflop_per_s: float
    ours_gb_per_s: float
    products_gflop_per_s: float
    copied_gb_per_s: float
    plain: Peer
    products: Peer
    ours_peak: Peak | None
    nnsight_peak: Peak | None
    goal: float = GOAL


def bench_nnsight(setting: Setting) -> Peers | NotMeasured:
    """Compare on the setting's model."""
    if reason := nnsight_missing():
        return NotMeasured(reason)
    tokens = QUICK_TOKENS if setting.quick else TOKENS
    peaks: list[Peak | None] = [None, None]
    if supported():
        peaks = [peak(setting.model, setting.cache, tokens, reader) for reader in (OURS, NNSIGHT)]
    return compared(setting.loaded, tokens, 2 if setting.quick else REPEATS, peaks[0], peaks[1])


def compared(
    model: LanguageModel, tokens: int, n_repeats: int, ours_peak: Peak | None = None, nnsight_peak: Peak | None = None
) -> Peers:
    """Time all readers in turns, and compare what they found."""
    lines = list(islice(names(), tokens))
    readers = [READERS[name](model) for name in (OURS, NNSIGHT, NNSIGHT_PRODUCTS)]
    prepared = list(batches(sequences(model, lines, tokens), token_budget(model.device), model.device))
    gflop = count_read(model, prepared).total / 1e9
    gb = moved_read(model, prepared) / 1e9
    plain, plain_operations = products(model, token_budget(model.device))
    plain()
    found = [read(lines, tokens) for read in readers]
    measured = in_turns([*(partial(read, lines, tokens) for read in readers), plain], n_repeats)
    seconds = [repeats(column).median for column in zip(*measured, strict=True)]

    def peer(number: int) -> Peer:
        gap = np.abs(found[number].total - found[0].total).max() / np.abs(found[0].total).max()
        return Peer(
            tokens_per_s=tokens / seconds[number],
            gflop_per_s=gflop / seconds[number],
            gb_per_s=gb / seconds[number],
            ratio=repeats(one[number] / one[0] for one in measured),
            same_counts=found[number].tokens == found[0].tokens
            and bool((found[number].positive == found[0].positive).all()),
            largest_difference=float(gap),
        )

    return Peers(
        nnsight=metadata.version("nnsight"),
        tokens=tokens,
        ours_tokens_per_s=tokens / seconds[0],
        ours_gflop_per_s=gflop / seconds[0],
        ours_gb_per_s=gb / seconds[0],
        copied_gb_per_s=copied_per_s(model.device) / 1e9,
        products_gflop_per_s=plain_operations / seconds[3] / 1e9,
        plain=peer(1),
        products=peer(2),
        ours_peak=ours_peak,
        nnsight_peak=nnsight_peak,
    )


def rows(one: Peers) -> Iterator[Row]:
    """The table's part."""
    yield Row(
        f"the same statistics: ours; nnsight {one.nnsight}",
        f"{one.ours_tokens_per_s:,.0f}; {one.plain.tokens_per_s:,.0f} tokens/s",
        possible=rates(one.ours_gflop_per_s, one.products_gflop_per_s, one.ours_gb_per_s, one.copied_gb_per_s),
    )
    for name, some in (("sums as one would write them", one.plain), ("with our two products a batch", one.products)):
        yield Row(
            f"  ours ÷ nnsight, {name}",
            f"{some.ratio.median:.2f} ×",
            some.ratio.spread(".2f"),
            f"≥ {one.goal:.0f} ×",
            some.ratio.median >= one.goal,
            rates(some.gflop_per_s, one.products_gflop_per_s, some.gb_per_s, one.copied_gb_per_s),
        )
        alike = "the same counts" if some.same_counts else "other counts"
        yield Row(f"  {name}: agree", alike, f"sums differ by ≤ {some.largest_difference:.1g}", "", some.same_counts)
    if one.ours_peak and one.nnsight_peak:
        yield Row(
            f"  peak memory above the model, {one.tokens:,} tokens: ours; nnsight",
            f"{one.ours_peak.above / 1e6:.0f}; {one.nnsight_peak.above / 1e6:.0f} MB",
        )
