"""The same Belebele items by linguabridge and by lm-evaluation-harness: one model, one process, one number of threads.

The harness gets a task file with ``dataset_path: json`` that holds our prompts and options as they are, and the model
and tokenizer that we use. Timed is the scoring alone, the encoding of texts included, on both sides; on the harness's
side its ``loglikelihood``, not its loading of data or its statistics. Its batch size is the fastest of a few on a few
items. Both compute the whole log-likelihood of every option; that ours are scored up to a constant per prompt by
default, which needs fewer positions, is timed beside it.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.table import NotMeasured, Row
from bench.timing import timed
from linguabridge import languages
from linguabridge.engines.engine import LETTERS, TEXT
from linguabridge.errors import LinguabridgeError
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel
from linguabridge.tasks import mrc
from linguabridge.tasks.task import Data, Item, Said

SOURCE, TARGET = "ar", "en"
BATCH_SIZES = (1, 2, 4, 8)
TRIED = {TEXT: 4, LETTERS: 8}  # items that a batch size is tried on: 16 and 8 sequences
_LOGITS_BYTES = 4 * 2**30  # the harness holds logits of a whole batch, twice over: larger batches are not tried
_TASK = "linguabridge_bench"


def bench_harness(load: Callable[[], LanguageModel], data: Path, n: int) -> dict[str, Any] | NotMeasured:
    """Items per second of both, and whether they choose alike."""
    try:
        version = metadata.version("lm-eval")
    except metadata.PackageNotFoundError:
        return NotMeasured("lm-eval is not installed: pip install '.[bench]'")
    source, target = languages.parse(SOURCE), languages.parse(TARGET)
    if not data.is_dir():
        return NotMeasured("no folder with Belebele: pass --data, or set LINGUABRIDGE_TEST_DATA")
    try:
        items = mrc.load(source, target, Data(folder=data)).items[:n]
    except LinguabridgeError as error:
        return NotMeasured(str(error))
    model = load()
    result: dict[str, Any] = {
        "lm_eval": version,
        "pair": [SOURCE, TARGET],
        "items": len(items),
        "passages": len({item.concept for item in items}),
        "threads": torch.get_num_threads(),
        "goal": {"ratio": 1, "same_picks": 0.99},
    }
    for scoring in (TEXT, LETTERS):
        questions = [mrc.ask(item, [Said(source, item.text)], target, scoring) for item in items]
        prompts, options = [one.prompt.written for one in questions], [one.options for one in questions]
        result[scoring] = _compared(model, items, prompts, options, TRIED[scoring])
    return result


def _compared(
    model: LanguageModel, items: Sequence[Item], prompts: Sequence[str], options: Sequence[Sequence[str]], tried: int
) -> dict[str, Any]:
    n = len(prompts)
    whole: list[NDArray[np.float64]] = []

    def ours() -> None:
        whole.append(option_log_probabilities(model, prompts, options, whole=True))

    default: list[NDArray[np.float64]] = []
    harness = _Harness(model)
    longest = max(len(model.encode(p + option)) for p, some in zip(prompts, options, strict=True) for option in some)
    row = longest * model.model.config.get_text_config(decoder=True).vocab_size * model.dtype.itemsize
    option_log_probabilities(model, prompts[:2], options[:2])
    harness.score(prompts[:1], options[:1], 1)
    speeds = {
        size: tried / harness.score(prompts[:tried], options[:tried], size)[1]
        for size in BATCH_SIZES
        if size == 1 or size * row <= _LOGITS_BYTES
    }
    best = max(speeds, key=lambda size: speeds[size])
    before = timed(ours)
    theirs, seconds = harness.score(prompts, options, best)
    after = timed(ours)
    partial = timed(lambda: default.append(option_log_probabilities(model, prompts, options)))
    picks, their_picks = whole[0].argmax(1), theirs.argmax(1)
    ratios = sorted([seconds / before, seconds / after])
    return {
        "ours_items_per_s": 2 * n / (before + after),
        "ours_default_items_per_s": n / partial,
        "harness_items_per_s": n / seconds,
        "ratio": seconds / ((before + after) / 2),
        "spread": ratios,
        "harness_batch_size": best,
        "harness_tried_items_per_s": {str(size): speed for size, speed in speeds.items()},
        "same_picks": float((picks == their_picks).mean()),
        "same_picks_default": float((default[0].argmax(1) == their_picks).mean()),
        "largest_difference": float(np.abs(whole[0] - theirs).max()),
        "smallest_margin": float(min(_margin(row) for row in theirs)),
        "border_merges": sum(
            model.encode(p + option)[: len(model.encode(p))] != model.encode(p)
            for p, some in zip(prompts, options, strict=True)
            for option in some
        ),
        "other_picks": [
            {
                "item": items[i].id,
                "ours": whole[0][i].tolist(),
                "harness": theirs[i].tolist(),
                "same_text_twice": len(set(options[i])) < len(options[i]),
            }
            for i in map(int, np.flatnonzero(picks != their_picks))
        ],
    }


def _margin(scores: NDArray[np.float64]) -> float:
    best, second = np.sort(scores)[::-1][:2]
    return float(best - second)


@dataclass(frozen=True)
class _Harness:
    """lm-evaluation-harness around a model that is loaded already."""

    model: LanguageModel

    def score(
        self, prompts: Sequence[str], options: Sequence[Sequence[str]], batch_size: int
    ) -> tuple[NDArray[np.float64], float]:
        """Log-likelihoods of the options, and the seconds that the scoring took."""
        for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
            os.environ.setdefault(name, "1")
        import lm_eval
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        seconds = 0.0
        # It shows bars and notices on stderr; a failure is an exception, and comes through.
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            _write_task(Path(folder), prompts, options)
            lm = HFLM(pretrained=self.model.model, tokenizer=self.model.tokenizer, batch_size=batch_size)
            score = lm.loglikelihood

            def clocked(requests: Any) -> Any:
                nonlocal seconds
                found: list[Any] = []
                seconds += timed(lambda: found.append(score(requests, disable_tqdm=True)))
                return found[0]

            lm.loglikelihood = clocked
            tasks = TaskManager(include_path=folder, include_defaults=False)
            result = lm_eval.simple_evaluate(
                model=lm, tasks=[_TASK], task_manager=tasks, log_samples=True, bootstrap_iters=0
            )
        samples = sorted(result["samples"][_TASK], key=lambda one: one["doc_id"])
        asked = [(p, option) for p, some in zip(prompts, options, strict=True) for option in some]
        assert [tuple(pair) for one in samples for pair in one["arguments"]] == asked, "it asked something else"
        return np.array([[float(value) for value, _ in one["filtered_resps"]] for one in samples]), seconds


def _write_task(folder: Path, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> None:
    rows = [{"prompt": p, "options": list(some), "right": 0} for p, some in zip(prompts, options, strict=True)]
    data = folder / "items.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    task = {
        "task": _TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",  # columns: taken as they stand
        "doc_to_choice": "options",
        "doc_to_target": "right",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / f"{_TASK}.yaml").write_text(json.dumps(task), encoding="utf-8")  # JSON is YAML


def rows(one: dict[str, Any]) -> Iterator[Row]:
    """The table's part."""
    about = f"{one['items']} items on {one['passages']} passages"
    for scoring in (TEXT, LETTERS):
        part = one[scoring]
        yield Row(
            f"Belebele by {scoring}, {about}: ours; harness {one['lm_eval']}, batches of {part['harness_batch_size']}",
            f"{part['ours_items_per_s']:.2f}; {part['harness_items_per_s']:.2f} items/s",
        )
        least, most = part["spread"]
        yield Row(
            f"  ours ÷ harness, {scoring}",
            f"{part['ratio']:.1f} ×",
            f"{least:.1f} to {most:.1f}",
            f"≥ {one['goal']['ratio']} ×",
            part["ratio"] >= one["goal"]["ratio"],
        )
        yield Row(
            f"  same pick, {scoring}",
            f"{part['same_picks']:.1%}",
            f"log-likelihoods differ by ≤ {part['largest_difference']:.1g}",
            f"≥ {one['goal']['same_picks']:.0%}",
            part["same_picks"] >= one["goal"]["same_picks"],
        )
