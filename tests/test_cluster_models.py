"""Several models on one local Ray cluster at the same time, and a driver that holds none of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
import pytest
from transformers import AutoModelForCausalLM

import tiny
from linguabridge.cache import Cache
from linguabridge.cluster import workers as workers_module
from linguabridge.cluster.connection import connected
from linguabridge.cluster.options import ClusterOptions, Shares
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions
from linguabridge.prompts import WORD
from linguabridge.texts import Text

FAMILIES = ("llama", "mixtral")
LINES = tiny.LINES
TEXT = Text(parse("en"), "made up", lambda: iter(LINES * 40), "made up")
OPTIONS = [["cat", "dog ran", "mat"]] * len(LINES)


@pytest.fixture(scope="module")
def ray() -> Iterator[object]:
    ray = pytest.importorskip("ray", reason="Ray has no package for this Python")
    connected(ClusterOptions())
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not have the tests' modules
    yield ray
    ray.shutdown()


def maps() -> set[str]:
    """Files of weights that this process has in its memory, where the system tells."""
    every = psutil.Process().memory_maps() if hasattr(psutil.Process, "memory_maps") else []
    return {one.path for one in every if one.path.endswith(".safetensors")}


def told(measure: Measurements) -> list[np.ndarray]:
    profile = measure.profile(TEXT, max_tokens=2000)
    return [
        profile.positive,
        profile.mean,
        measure.option_scores("Options", LINES, OPTIONS),
        np.array(measure.answers("Answers", LINES, WORD)),
    ]


def test_two_models_at_the_same_time_answer_as_each_alone(
    ray: object, tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker of one core each, whatever this machine has: otherwise the first run takes all there is.
    monkeypatch.setattr(workers_module, "shares", lambda *_: Shares(1, 0, 1))
    cluster = ClusterOptions(workers=1, gpus=0)
    spread, alone = (
        [
            Measurements(open_model(str(tiny_model(family)), options, cache), cache)
            for family in FAMILIES
            for cache in [Cache(tmp_path / name / family)]
        ]
        for name, options in [
            ("spread", ModelOptions("cpu", "float32", cluster=cluster)),
            ("alone", ModelOptions("cpu", "float32")),
        ]
    )
    before = maps()  # other tests of this process may have loaded models
    both = threading.Barrier(len(FAMILIES), timeout=60)
    found: dict[int, list[np.ndarray]] = {}

    def ask(number: int) -> None:
        assert len(spread[number].model.workers) == 1
        both.wait()  # both have a worker now
        found[number] = told(spread[number])

    # The driver asks and never loads a model: workers are processes of their own, which this does not reach.
    with mock.patch.object(AutoModelForCausalLM, "from_pretrained", side_effect=AssertionError("loaded")) as load:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(FAMILIES))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    load.assert_not_called()
    assert maps() <= before
    for one in spread:
        one.model.stop_workers()
    assert sorted(found) == [0, 1]  # else a thread failed
    for number, measure in enumerate(alone):
        for mine, expected in zip(found[number], told(measure), strict=True):
            if mine.dtype.kind in "iU":
                np.testing.assert_array_equal(mine, expected)
            else:
                np.testing.assert_allclose(mine, expected, rtol=1e-6, atol=1e-6)
    assert not np.array_equal(found[0][2], found[1][2])


def test_no_dashboard_runs(ray: object) -> None:
    family = psutil.Process().children(recursive=True)
    family = [one for one in family if one.status() != psutil.STATUS_ZOMBIE]
    commands = [" ".join(one.cmdline()) for one in family]
    assert any("raylet" in one for one in commands)
    # Its process runs for Ray's own counts of use, which are off; it has neither pages nor anything else to serve.
    assert all("--disable-frontend" in one for one in commands if "dashboard/dashboard.py" in one)
    listening = {c.laddr.port for one in family for c in one.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert listening
    assert 8265 not in listening  # where it would be
