"""Words ranked among ten by likelihood: seconds, and what share of the machine's matrix products they get."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from bench.flops import Rates, count, machine
from bench.moved import copied_per_s, moved
from bench.table import Row, rates
from bench.timing import timed
from linguabridge import languages
from linguabridge.engines.engine import TEXT
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel
from linguabridge.tasks import bli
from linguabridge.tasks.task import Data, Said

SOURCE, TARGET, WORDS, QUICK_WORDS, REPEATS = "ar", "he", 100, 4, 3


def bench_likelihood(model: LanguageModel, words: int = WORDS) -> dict[str, Any]:
    """Seconds for so many words × 10 options, beside counted operations and the machine's own rate, interleaved."""
    source, target = languages.parse(SOURCE), languages.parse(TARGET)
    items = bli.load(source, target, Data()).items[:words]
    questions = [bli.ask(item, [Said(source, item.text)], target, TEXT) for item in items]
    prompts, options = [one.prompt.written for one in questions], [one.options for one in questions]
    counted = count(model, prompts, options)
    option_log_probabilities(model, prompts[:4], options[:4])
    measured: list[tuple[Rates, float]] = [
        (machine(model), timed(lambda: option_log_probabilities(model, prompts, options))) for _ in range(REPEATS)
    ]
    shares = [rates.seconds(counted) / seconds for rates, seconds in measured]
    seconds = statistics.median(one for _, one in measured)
    return {
        "words": len(items),
        "options": len(options[0]),
        "tokens": counted.tokens,
        "scored_positions": counted.positions,
        "body_gflop": counted.body / 1e9,
        "attention_gflop": counted.attention / 1e9,
        "projection_gflop": counted.projection / 1e9,
        "seconds": seconds,
        "seconds_spread": [min(one for _, one in measured), max(one for _, one in measured)],
        "gflop_per_s": counted.total / seconds / 1e9,
        # Weights once in all: in how many passes the words run is not counted.
        "gb_per_s": moved(model, counted.tokens, 1, counted.positions, 1) / seconds / 1e9,
        "copied_gb_per_s": copied_per_s(model.device) / 1e9,
        "machine_gflop_per_s": counted.total / statistics.median(rates.seconds(counted) for rates, _ in measured) / 1e9,
        "machine_body_gflop_per_s": statistics.median(rates.body for rates, _ in measured) / 1e9,
        "machine_projection_gflop_per_s": statistics.median(rates.projection for rates, _ in measured) / 1e9,
        "share": statistics.median(shares),
        "share_spread": [min(shares), max(shares)],
    }


def rows(one: dict[str, Any]) -> Iterator[Row]:
    """The table's part."""
    least, most = one["seconds_spread"]
    yield Row(
        f"likelihood of {one['words']} words × {one['options']} options",
        f"{one['seconds']:.1f} s",
        f"{least:.1f} to {most:.1f} s",
        possible=rates(one["gflop_per_s"], one["machine_gflop_per_s"], one["gb_per_s"], one["copied_gb_per_s"]),
    )
