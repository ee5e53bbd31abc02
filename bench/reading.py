"""Tokens per second with activation statistics ÷ those of a bare forward pass over the same batches.

The bare pass has no hooks and no vocabulary projection, and finds its batches made; ours begins with the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch

from bench.flops import count_read, products
from bench.moved import copied_per_s, moved_read
from bench.setting import Setting, names
from bench.table import Repeats, Row, rates, repeats
from bench.timing import REPEATS, in_turns
from linguabridge.batches import batches, token_budget
from linguabridge.collect import profile_text, sequences
from linguabridge.model import LanguageModel

GOAL = 0.97
TOKENS, QUICK_TOKENS = 4000, 2000


@dataclass(frozen=True)
class Reading:
    """Rates of both, and of matrix products of the model's sizes."""

    tokens: int
    bare_tokens_per_s: float
    ours_tokens_per_s: float
    ratio: Repeats
    gflop: float
    bare_gflop_per_s: float
    ours_gflop_per_s: float
    products_gflop_per_s: float
    gb: float
    copied_gb_per_s: float
    bare_share: Repeats
    ours_share: Repeats
    goal: float = GOAL


def bench_statistics(setting: Setting) -> Reading:
    """Measure on the setting's model."""
    return measured(setting.loaded, QUICK_TOKENS, 2) if setting.quick else measured(setting.loaded, TOKENS, REPEATS)


def measured(model: LanguageModel, tokens: int, n_repeats: int) -> Reading:
    """Time a bare pass, statistics, and plain products in turns."""
    lines = list(islice(names(), tokens))  # a name has a token at least
    prepared = list(batches(sequences(model, lines, tokens), token_budget(model.device), model.device))
    operations = count_read(model, prepared).total
    gb = moved_read(model, prepared) / 1e9

    def bare() -> None:
        with torch.inference_mode():
            for batch in prepared:
                model.model.base_model(input_ids=batch.ids, use_cache=False)
            if model.device.type == "cuda":
                torch.cuda.synchronize()

    def ours() -> None:
        profile_text(model, lines, max_tokens=tokens)

    plain, plain_operations = products(model, token_budget(model.device))
    works = [bare, ours, plain]
    for work in works:
        work()
    seconds = in_turns(works, n_repeats)
    bare_s, ours_s, plain_s = (repeats(column).median for column in zip(*seconds, strict=True))
    possible = [plain_operations / one[2] for one in seconds]
    return Reading(
        tokens=tokens,
        bare_tokens_per_s=tokens / bare_s,
        ours_tokens_per_s=tokens / ours_s,
        ratio=repeats(one[0] / one[1] for one in seconds),
        gflop=operations / 1e9,
        bare_gflop_per_s=operations / bare_s / 1e9,
        ours_gflop_per_s=operations / ours_s / 1e9,
        products_gflop_per_s=plain_operations / plain_s / 1e9,
        gb=gb,
        copied_gb_per_s=copied_per_s(model.device) / 1e9,
        bare_share=repeats(operations / one[0] / rate for one, rate in zip(seconds, possible, strict=True)),
        ours_share=repeats(operations / one[1] / rate for one, rate in zip(seconds, possible, strict=True)),
    )


def rows(one: Reading) -> Iterator[Row]:
    """The table's part."""
    yield Row(
        "tokens/s with activation statistics ÷ bare forward",
        f"{one.ratio.median:.3f}",
        one.ratio.spread(),
        f"≥ {one.goal}",
        one.ratio.median >= one.goal,
        _rates(one, one.ours_gflop_per_s),
    )
    yield Row(
        "  bare forward",
        f"{one.bare_tokens_per_s:,.0f} tokens/s",
        "",
        possible=_rates(one, one.bare_gflop_per_s),
    )


def _rates(one: Reading, gflop_per_s: float) -> str:
    return rates(gflop_per_s, one.products_gflop_per_s, one.gb * gflop_per_s / one.gflop, one.copied_gb_per_s)
