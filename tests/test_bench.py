"""The benchmarks run in small, and what they compare computes the same."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from conftest import REPOSITORY
from linguabridge.batches import batches
from linguabridge.collect import sequences
from linguabridge.model import LanguageModel

sys.path.append(str(REPOSITORY))  # bench is no part of the package

from bench import peers, readers
from bench.flops import count_read, products
from bench.growth import exponent
from bench.overhead import clocked
from bench.setting import names
from bench.timing import in_turns

Load = Callable[[str], LanguageModel]


def test_quick_figures_are_measured_and_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--quick", "--only", "memory,dependence,growth", "--json", str(file)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert "for its figures to mean anything" in done.stdout
    found = json.loads(file.read_text("utf-8"))
    assert found["quick"]
    assert found["dependence"]["largest_difference"] < found["dependence"]["goal_difference"] == 1e-5
    grown = {one["of"].split(",")[0].split()[0]: one for one in found["growth"]["grown"]}
    assert {of: one["goal"] for of, one in grown.items()} == {"languages": 1, "tokens": 1, "probes": 2, "neurons": 1}
    assert all(len(one["sizes"]) >= 4 and math.isfinite(one["exponent"]) for one in grown.values())
    if sys.platform == "linux":
        peaks = found["memory"]["tiny"]
        assert peaks[0]["tokens"] < peaks[-1]["tokens"]
        assert all(0 < one["model"] < one["loaded"] < one["peak"] for one in peaks)
    for row in found["table"]:
        assert row["figure"]
        assert (row["met"] is None) == (row["goal"] == "" or row["measured"] == "not measured")


@pytest.mark.parametrize("name", [readers.NNSIGHT, readers.NNSIGHT_PRODUCTS])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_nnsight_counts_the_same(tiny_loaded: Load, family: str, name: str) -> None:
    pytest.importorskip("nnsight", reason="part of the extra bench alone")
    model = tiny_loaded(family)
    lines = list(islice(names(), 150))
    mine = readers.READERS[readers.OURS](model)(lines, 600)
    theirs = readers.READERS[name](model)(lines, 600)
    assert mine.tokens == theirs.tokens == 600
    assert (mine.positive == theirs.positive).all()
    assert abs(mine.total - theirs.total).max() < 1e-5 * abs(mine.total).max()
    assert len({len(model.encode(line)) for line in lines}) > 1  # so that there was padding to leave out


def test_a_missing_nnsight_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "nnsight_missing", lambda: "nnsight is not installed")
    found = peers.bench_nnsight(None)  # type: ignore[arg-type]
    (row,) = found.rows("nnsight")
    assert (row.measured, row.spread) == ("not measured", "nnsight is not installed")


def test_counted_operations_are_those_that_torch_counts(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    prepared = list(batches(sequences(model, islice(names(), 20), None), 1, torch.device("cpu")))  # no padding
    counted = count_read(model, prepared)
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        for batch in prepared:
            model.model.base_model(input_ids=batch.ids, use_cache=False)
    by_kind = {str(kind): flops for kind, flops in counter.get_flop_counts()["Global"].items()}
    body = sum(flops for kind, flops in by_kind.items() if kind in ("aten.mm", "aten.addmm"))
    assert counted.body == pytest.approx(body, rel=0.02)  # norms count as parameters, and are no products
    work, operations = products(model, counted.tokens)
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    assert operations == counter.get_total_flops() == body


def test_clocked_calls_are_the_models_own(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        before = model.model(input_ids=ids).logits
        with clocked(model) as bare:
            during = model.model(input_ids=ids).logits
            readers.ours(model)(["one line"], 100)
        after = model.model(input_ids=ids).logits
    assert torch.equal(before, during)
    assert torch.equal(before, after)
    assert (bare.tokens, bare.positions) == (3 + len(model.encode("one line")), 3)
    assert 0 < bare.hooks < bare.body
    assert bare.projection > 0


def test_exponent_of_a_power_is_the_power() -> None:
    assert exponent((1, 2, 4, 8), [3 * size**1.5 for size in (1, 2, 4, 8)]) == pytest.approx(1.5)


def test_work_runs_in_turns_and_in_both_orders() -> None:
    order: list[str] = []
    seconds = in_turns([lambda: order.append("a"), lambda: order.append("b")], 2)
    assert order == ["a", "b", "b", "a"]
    assert [len(one) for one in seconds] == [2, 2]
