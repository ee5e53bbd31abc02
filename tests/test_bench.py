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

from bench import __main__ as main
from bench import growth, peers, readers
from bench.flops import count_read, products
from bench.growth import exponent
from bench.moved import copied_per_s, moved, moved_read
from bench.overhead import clocked
from bench.setting import names
from bench.table import Row
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
    pytest.importorskip("nnsight", reason="part of the extras bench and dev")
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


def test_counted_bytes_are_those_of_the_products(tiny_loaded: Load) -> None:
    model = tiny_loaded("llama")
    prepared = list(batches(sequences(model, islice(names(), 20), None), 1, torch.device("cpu")))  # no padding
    seen: list[int] = []

    def hook(module: torch.nn.Linear, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        seen.append(module.weight.nbytes + inputs[0].nbytes + output.nbytes)

    linear = [one for one in model.model.modules() if isinstance(one, torch.nn.Linear)]
    handles = [one.register_forward_hook(hook) for one in linear]
    with torch.inference_mode():
        for batch in prepared:
            model.model.base_model(input_ids=batch.ids, use_cache=False)
        assert moved_read(model, prepared) == sum(seen)
        seen.clear()
        model.model(input_ids=prepared[0].ids, use_cache=False)
    for one in handles:
        one.remove()
    n = prepared[0].ids.numel()
    assert moved(model, n, 1, n, 1) == sum(seen)
    assert copied_per_s(torch.device("cpu")) > 1e8


def test_figures_are_written_as_they_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_setting: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "results.json"
    figures = {
        "one": main.Figure(lambda _: {"found": 1}, lambda found: iter([Row("one", str(found["found"]))])),
        "two": main.Figure(fails, lambda _: iter([])),
    }
    monkeypatch.setattr(main, "FIGURES", figures)
    monkeypatch.setattr(main, "set_threads", lambda: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--json", str(file)])
    with pytest.raises(KeyboardInterrupt):
        main.main()
    found = json.loads(file.read_text("utf-8"))
    assert found["one"] == {"found": 1}
    assert [row["figure"] for row in found["table"]] == ["one"]


def test_growth_tells_the_slope_of_the_last_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = (1.0, 1.0, 2.0, 8.0)  # flat first, then times 4 with twice the size
    monkeypatch.setattr(growth, "in_turns", lambda *_: [seconds, seconds])
    found = growth.growth("x", (1, 2, 4, 8), lambda _: lambda: None, goal=1, n_repeats=2)
    assert found.last_slope == pytest.approx(2)
    (row,) = growth.rows(growth.Exponents((found,)))
    assert row.spread.endswith("; last two sizes 2.00")


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
    assert (bare.passes, bare.projections) == (2, 1)
    assert 0 < bare.hooks < bare.body
    assert bare.projection > 0


def test_exponent_of_a_power_is_the_power() -> None:
    assert exponent((1, 2, 4, 8), [3 * size**1.5 for size in (1, 2, 4, 8)]) == pytest.approx(1.5)


def test_work_runs_in_turns_and_in_both_orders() -> None:
    order: list[str] = []
    seconds = in_turns([lambda: order.append("a"), lambda: order.append("b")], 2)
    assert order == ["a", "b", "b", "a"]
    assert [len(one) for one in seconds] == [2, 2]
