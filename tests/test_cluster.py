"""A model on workers of a real local Ray cluster: the same results as without, and none lost with a worker."""

from __future__ import annotations

import dataclasses
import heapq
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import psutil
import pytest
import torch

import tiny
from conftest import Ended
from linguabridge import lazy_model, memory
from linguabridge.batches import batches, window
from linguabridge.cache import Cache
from linguabridge.cache_care.checking import verify
from linguabridge.cache_care.contents import read_contents
from linguabridge.cluster import workers as workers_module
from linguabridge.cluster.connection import _start_local, connected
from linguabridge.cluster.options import ClusterOptions, Shares, shares
from linguabridge.cluster.worker import Worker
from linguabridge.cluster.workers import Workers, device_there
from linguabridge.collect import profile_part, profile_text
from linguabridge.errors import ClusterError, InputError, ModelError
from linguabridge.languages import parse
from linguabridge.lazy_model import LazyModel, open_model
from linguabridge.measure import Measurements
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.model_files import ModelFiles
from linguabridge.neurons import NeuronSet
from linguabridge.parts import shares_each
from linguabridge.profile import summed
from linguabridge.progress import Reporter
from linguabridge.prompts import WORD
from linguabridge.recommendation import recommend
from linguabridge.settings import Settings
from linguabridge.study import policies, regret, stability
from linguabridge.study.settings import StudySettings
from linguabridge.study.study import study
from linguabridge.texts import Text, load_text
from linguabridge.threads import in_threads
from small_runs import Small, assert_nearly, found_in
from test_recommend import write_lexicon

Folder = Callable[[str], Path]
TWO = ClusterOptions(workers=2, gpus=0)


def opened(folder: Path, cache: Cache, cluster: ClusterOptions | None = TWO) -> LazyModel:
    return open_model(str(folder), ModelOptions("cpu", "float32", cluster=cluster), cache)


@pytest.fixture(scope="module")
def clustered(tiny_model: Folder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LazyModel]:
    """A tiny model on two workers, each of one core."""
    pytest.importorskip("ray", reason="Ray has no package for this Python")
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not have the tests' modules
    lazy = opened(tiny_model("llama"), Cache(tmp_path_factory.mktemp("results")))
    first = threading.Thread(target=lambda: lazy.workers)  # as where several things are asked at a time
    first.start()
    first.join()
    assert len(lazy.workers) == 2
    yield lazy
    lazy.stop_workers()
    ray.shutdown()


@pytest.fixture
def alone(tiny_model: Folder, tmp_path: Path) -> Iterator[Measurements]:
    """The same model in this process, with as many threads as a worker has, and nothing kept yet."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Measurements(opened(tiny_model("llama"), Cache(tmp_path / "alone"), None), Cache(tmp_path / "alone"))
    torch.set_num_threads(threads)


@pytest.fixture
def spread(clustered: LazyModel, tmp_path: Path) -> Measurements:
    return Measurements(clustered, Cache(tmp_path / "spread"))


def processes(workers: Workers) -> list[int]:
    import ray

    return [ray.get(actor.run.remote(process, (), {}))[0] for actor in workers._all]


def process(model: LanguageModel) -> int:
    return os.getpid()


def long_text(lines: int) -> Text:
    words = " ".join(tiny.LINES).split()
    rng = np.random.default_rng(5)
    body = [" ".join(rng.choice(words, 1 + int(rng.integers(30)))) for _ in range(lines)]
    return Text(parse("en"), "made up", lambda: iter(body), f"{lines} lines")


class Bars(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[list] = []
        self.said: list[str] = []

    def step(self, title, total):
        from contextlib import contextmanager

        @contextmanager
        def shown():
            assert threading.current_thread() is threading.main_thread()
            row = [title, total, 0.0]
            self.steps.append(row)

            def advance(done: float = 1.0) -> None:
                row[2] += done

            yield advance

        return shown()

    def say(self, message: str) -> None:
        self.said.append(message)


def test_shares_of_batches_are_all_batches_as_they_are() -> None:
    rng = np.random.default_rng(1)
    texts = [list(rng.integers(1, 9, 1 + int(rng.integers(12)))) for _ in range(4000)]
    cpu = torch.device("cpu")

    def told(part: int, parts: int) -> list[tuple]:
        return [(one.rows, one.ids.tolist()) for one in batches(texts, 64, cpu, part=part, parts=parts)]

    whole = told(0, 1)
    shared = [told(part, 3) for part in range(3)]
    assert all(shared)
    assert sorted(one for some in shared for one in some) == sorted(whole)


def test_counts_of_shares_add_up_to_the_texts(tiny_loaded: Callable[[str], LanguageModel]) -> None:
    model, lines = tiny_loaded("mixtral"), list(long_text(6000))
    whole = profile_text(model, lines, max_tokens=90_000)
    parts = [profile_part(model, lines, max_tokens=90_000, part=part, parts=4) for part in range(4)]
    assert sum(one.tokens > 0 for one in parts) > 1
    assert not parts[3].tokens  # shares may be empty
    merged = summed(list(reversed(parts)))
    assert merged.tokens == whole.tokens == 90_000
    np.testing.assert_array_equal(merged.positive, whole.positive)
    np.testing.assert_array_equal(merged.routed, whole.routed)
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-6, atol=1e-12)


def test_profile_by_workers_is_the_same(spread: Measurements, alone: Measurements) -> None:
    text = long_text(12_000)
    bars = spread.reporter = Bars()
    found, expected = (one.profile(text, max_tokens=150_000) for one in (spread, alone))
    assert found.tokens == expected.tokens > 2 * window(torch.device("cpu"))  # enough for two shares
    np.testing.assert_array_equal(found.positive, expected.positive)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-6, atol=1e-12)
    assert bars.steps == [["Reading neurons: English", 150_000, 150_000]]
    with pytest.raises(InputError, match="holds no tokens"):
        spread.profile(Text(parse("sw"), "nothing", lambda: iter([""]), "none"), max_tokens=150_000)


def test_everything_asked_of_workers_is_answered_as_without(spread: Measurements, alone: Measurements) -> None:
    prompts = [f"the {a} and the {b}" for a in "abcdefghijklm" for b in "nopqrstuvwxyz"]
    neurons = NeuronSet(alone.model.loaded.space, np.arange(0, len(alone.model.loaded.space), 3))
    options = [["cat", "dog ran", "mat"]] * len(prompts)
    texts = [long_text(n) for n in (40, 50, 60)]

    def told(one: Measurements) -> list[np.ndarray]:
        blocks = one.each("Texts", texts, lambda asked, text: asked.blocks(text, max_tokens=300, blocks=5))
        return [
            one.probe_matrix("Probes", prompts, neurons),
            one.option_scores("Options", prompts, options),
            one.linear_kernels("Kernels", prompts[:20]),
            one.bits_per_byte(texts[0], max_tokens=200).bits,
            one.token_counts("Tokens", prompts),
            *(block.positive for block in blocks),
        ]

    for found, expected in zip(told(spread), told(alone), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert spread.answers("Answers", prompts[:40], WORD) == alone.answers("Answers", prompts[:40], WORD)


def test_recommendation_is_the_same(
    clustered: LazyModel, tiny_model: Folder, alone: Measurements, tmp_path: Path
) -> None:
    lexicon = write_lexicon(tmp_path / "own.tsv", languages="en sw de fr it")
    settings = Settings(candidates=("de", "fr", "it"), lexicon=str(lexicon), tokens=300, probes=40, check=12)
    bars = Bars()
    found = recommend("en", "sw", model=clustered, settings=settings, cache=Cache(tmp_path / "a"), reporter=bars)
    expected = recommend("en", "sw", model=alone.model, settings=settings, cache=Cache(tmp_path / "b"))
    assert found.summary() == expected.summary()
    assert found.identity == expected.identity  # found in the cache by either
    assert ["Reading neurons", 5, 5.0] in bars.steps  # one bar for all languages
    assert all(done == pytest.approx(total) for _, total, done in bars.steps)


def test_several_threads_that_ask_the_same_compute_it_once(
    spread: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = spread.model.workers.call
    monkeypatch.setattr(spread.model.workers, "call", lambda *a, **k: (asked.append(a[0]), real(*a, **k))[1])
    text = long_text(30)
    found = spread.each("Same", range(8), lambda one, _: one.blocks(text, max_tokens=200, blocks=3).tokens.sum())
    assert len(set(map(int, found))) == 1
    assert len(asked) == 1


def slow_count(model: LanguageModel, folder: str, number: int) -> int:
    """Marks its start, takes a while, and gives the number back."""
    with (Path(folder) / f"{number}.{os.getpid()}").open("a") as file:
        file.write("started\n")
    time.sleep(0.5)
    return number


def test_worker_killed_in_the_middle_is_replaced_and_nothing_is_lost_or_counted_twice(
    clustered: LazyModel, tmp_path: Path
) -> None:
    workers = clustered.workers
    victim = processes(workers)[0]
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            if list(tmp_path.glob(f"*.{victim}")):  # it is at work
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    done: list[int] = []
    found = in_threads(
        lambda number: workers.call(slow_count, str(tmp_path), number),
        range(8),
        at_a_time=4,
        done=done.append,
        cancel=lambda: None,
        stop=workers.stop,
    )
    killer.join()
    assert killed
    assert found == list(range(8))
    assert sorted(done) == list(range(8))
    started = [int(one.name.split(".")[0]) for one in tmp_path.glob("*.*")]
    assert len(started) == 9  # one question was begun twice: the one that died with its worker
    assert victim not in processes(workers)
    assert len(set(processes(workers))) == 2


def test_worker_that_finds_another_text_refuses_it(spread: Measurements, alone: Measurements, tmp_path: Path) -> None:
    file = tmp_path / "en.txt"
    file.write_text("\n".join(tiny.LINES), "utf-8")
    text = load_text(str(tmp_path), parse("en"), 0)
    found, expected = (one.profile(text, max_tokens=60) for one in (spread, alone))
    np.testing.assert_array_equal(found.positive, expected.positive)
    file.write_text("\n".join(reversed(tiny.LINES)), "utf-8")
    other = dataclasses.replace(text, sha256="0" * 64)  # as if the driver had read another file than its workers
    message = rf"^A worker on \S+ finds another text in {re.escape(str(file))} than .*: put the same file there"
    with pytest.raises(ClusterError, match=message):
        spread.profile(other, max_tokens=60)
    file.unlink()
    with pytest.raises(ClusterError, match=r"cannot read the text .*en\.txt: put the same file there"):
        spread.profile(dataclasses.replace(text, sha256="1" * 64), max_tokens=60)


def test_worker_compares_a_text_once(tmp_path: Path) -> None:
    file = tmp_path / "en.txt"
    file.write_text("one\ntwo\n", "utf-8")
    text = load_text(str(tmp_path), parse("en"), 0)
    worker = Worker(mock.Mock(), Cache(tmp_path), ModelOptions(), 1)
    vars(worker)["model"] = "the model"
    reads: list[int] = []

    def lines() -> Iterator[str]:
        reads.append(1)
        return text.lines()

    counted = dataclasses.replace(text, lines=lines)
    for _ in range(3):
        found, full = worker.run(lambda model, some, *, more: (model, list(some), more), (counted,), {"more": 1})
        assert (found, full) == (("the model", ["one", "two"], 1), memory.was_full())
    assert len(reads) == 3 + 1
    file.write_text("one\n", "utf-8")
    with pytest.raises(ClusterError, match="finds another text"):  # given by name, too
        Worker(mock.Mock(), Cache(tmp_path), ModelOptions(), 1).run(len, (), {"lines": text})


def short_of_memory(model: LanguageModel, numbers: list[int]) -> None:
    import torch

    from linguabridge.memory import Halving

    def run(some: list[int]) -> None:
        if len(some) > 1:
            raise torch.OutOfMemoryError

    Halving().run(numbers, run)


def test_halves_on_workers_are_said_once_by_the_driver(clustered: LazyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = Bars()
    monkeypatch.setattr(clustered.workers, "_reporter", bars)
    for _ in range(3):
        clustered.workers.call(short_of_memory, [1, 2, 3])
    assert bars.said == [memory.SAID]


def fail(model: LanguageModel) -> None:
    raise ModelError(f"{type(model).__name__} cannot do that; do something else.")


def test_error_of_a_worker_is_the_users_sentence(clustered: LazyModel) -> None:
    with pytest.raises(ModelError, match=r"^LanguageModel cannot do that; do something else\.$"):
        clustered.workers.call(fail)


def test_local_cluster_listens_on_the_loopback_alone(clustered: LazyModel) -> None:
    assert len(clustered.workers) == 2
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    addresses = set()
    for process in family:
        try:
            addresses |= {one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    assert addresses
    assert {one.removeprefix("::ffff:") for one in addresses} <= {"127.0.0.1", "::1"}


def test_statistics_are_right_although_a_worker_is_killed_as_it_reads(
    spread: Measurements, alone: Measurements
) -> None:
    text = long_text(40_000)
    victim = processes(spread.model.workers)[0]
    read: list[dict] = []
    asking = threading.Thread(target=lambda: read.append(vars(spread.profile(text, max_tokens=450_000))))
    asking.start()
    worker = psutil.Process(victim)
    used = worker.cpu_times().user
    while asking.is_alive() and worker.cpu_times().user < used + 0.5:  # in the middle of its share
        time.sleep(0.02)
    assert asking.is_alive()
    os.kill(victim, signal.SIGKILL)
    asking.join()
    expected = alone.profile(text, max_tokens=450_000)
    assert read[0]["tokens"] == expected.tokens == 450_000
    np.testing.assert_array_equal(read[0]["positive"], expected.positive)
    assert victim not in processes(spread.model.workers)


def test_a_stopped_run_asks_only_for_the_shares_that_are_missing(
    spread: Measurements, alone: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = long_text(12_000)
    prompts = [f"the {a} and the {b}" for a in "abcdefghijklm" for b in "nopqrstuvwxyz"]
    neurons = NeuronSet(alone.model.loaded.space, np.arange(0, len(alone.model.loaded.space), 3))
    real, asked = spread.model.workers.call, []

    def stopped_in_the_middle(function: Callable, *args: object, **more: object) -> object:
        asked.append(more.get("part", args[0]))
        if asked[-1] in (1, prompts[85:]):
            raise ClusterError("Stopped.")
        return real(function, *args, **more)

    def ask(one: Measurements) -> list[np.ndarray]:
        return [one.profile(text, max_tokens=150_000).positive, one.probe_matrix("Probes", prompts, neurons)]

    monkeypatch.setattr(spread.model.workers, "call", stopped_in_the_middle)
    for question in (
        lambda: spread.profile(text, max_tokens=150_000),
        lambda: spread.probe_matrix("Probes", prompts, neurons),
    ):
        with pytest.raises(ClusterError, match="Stopped"):
            question()
    assert sorted(map(str, asked)) == sorted(map(str, [0, 1, prompts[:85], prompts[85:]]))
    left = read_contents(spread.cache.root)
    assert [one.kind for one in left.items] == ["shares", "shares"]
    assert all(one.owner for one in left.items)  # so that `cache clear --model` finds them
    assert verify(left).damaged == ()

    monkeypatch.setattr(
        spread.model.workers, "call", lambda *a, **k: (asked.append(k.get("part", a[1])), real(*a, **k))[1]
    )
    asked.clear()
    for found, expected in zip(ask(spread), ask(alone), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert asked == [1, prompts[85:]]
    assert sorted(one.kind for one in read_contents(spread.cache.root).items) == ["probes", "profile"]


def test_study_on_workers_is_the_same(
    clustered: LazyModel, alone: Measurements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = StudySettings(
        pairs=(("ar", "he"), ("fi", "hu")), candidates=("en", "fr", "es"), words=40, tokens=300, probes=30,
        ways=("english-or-hop", "hub", "cka"), exact=False,
    )  # fmt: skip
    for module, name, draws in (
        (regret, "SAMPLES", 60),
        (regret, "HALVINGS", 40),
        (policies, "CHANCES", 60),
    ):
        monkeypatch.setattr(module, name, draws)
    bars = Bars()
    found = study(settings, model=clustered, cache=Cache(tmp_path / "a"), reporter=bars)
    expected = study(settings, model=alone.model, cache=Cache(tmp_path / "b"))
    assert [row[0] for row in bars.steps] == ["Pairs"]
    for one, other in zip(found.pairs, expected.pairs, strict=True):
        np.testing.assert_array_equal(one.ranks, other.ranks)
        for way, scores in one.scores.items():
            np.testing.assert_allclose(scores, other.scores[way], rtol=1e-4, atol=1e-5)


def commands(model: Path, folder: Path) -> dict[str, list[str]]:
    """What is asked of a tiny model in the commands whose work no other test spreads."""
    job = Small(model, write_lexicon(folder / "own.tsv", rows=300, languages="en sw de fr es"))
    # Of stability fewer probes than are cut: its ranks tell numbers apart that differ by less than 1e-7.
    few = ["--lexicon", str(job.lexicon), "--other", "cldr", "--tokens", "300", "--probes", "60"]
    of_model = ["--model", str(model), "--device", "cpu", "--dtype", "float32"]
    return {
        "evaluate": [*job.words("evaluate"), "--probes", "80"],  # so many that they are cut
        "spectrum": [*job.words("spectrum"), "--concepts", "80"],
        "stability": ["stability", "en:sw", *few, *of_model, "--json", "found.json"],
    }


@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("evaluate", ["out/summary.json", "out/items.parquet"]),
        ("spectrum", ["out/spectrum.json", "out/pairs.parquet"]),
        ("stability", ["found.json"]),
    ],
)
def test_commands_on_workers_find_the_same(
    name: str,
    results: list[str],
    clustered: LazyModel,
    tiny_model: Folder,
    run: Callable[..., Ended],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = commands(tiny_model("llama"), tmp_path)[name]
    monkeypatch.setattr(stability, "HALVINGS", 5)

    def found(where: str, *more: str) -> list[Any]:
        folder = tmp_path / where
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("LINGUABRIDGE_CACHE", str(folder / "cache"))
        ended = run(*words, *more)
        assert ended.code == 0, ended.err
        return [found_in(folder / one) for one in results]

    alone = found("alone")
    started: list[ClusterOptions] = []

    def lent(files: ModelFiles, options: ModelOptions, cluster: ClusterOptions, **_: object) -> Workers:
        """The workers that are there already: they hold all cores, and load the same model in the same way."""
        assert files.identity == clustered.files.identity
        assert options == ModelOptions("cpu", "float32")
        started.append(cluster)
        return clustered.workers

    monkeypatch.setattr(workers_module, "start_workers", lent)
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("the model was loaded here"))
    spread = found("spread", "--ray", "local", "--workers", "2", "--gpus-per-worker", "0")
    assert started == [ClusterOptions("local", 2, 0.0)]
    assert_nearly(spread, alone, 1e-5)


def test_what_a_running_cluster_computes_with_is_asked_there(clustered: LazyModel) -> None:
    given = {"cache": clustered.cache, "reporter": Reporter()}
    running = ClusterOptions("auto")  # this process is connected already
    assert device_there(clustered.files, "cpu", "auto", running, **given) == ("cpu", "float32")
    other = dataclasses.replace(clustered.files, weights_sha256="0" * 64)
    with pytest.raises(ModelError, match="finds another model under the name"):
        device_there(other, "cpu", "auto", running, **given)


def test_other_versions_on_workers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {**workers_module.versions(), "torch": "0.1"}
    with pytest.raises(ClusterError, match=r"The workers have torch 0\.1, and this process has \d"):
        workers_module._check_versions(there)


def test_model_that_workers_cannot_load_is_said_once_to_all_who_ask(
    clustered: LazyModel, tiny_model: Folder, tmp_path: Path
) -> None:
    cluster = ClusterOptions(workers=2, gpus=0)
    options = ModelOptions("cpu", "float32", taps="model.layers.{layer}.nonsense", cluster=cluster)
    lazy = open_model(str(tiny_model("llama")), options, Cache(tmp_path))
    clustered.stop_workers()  # they hold all cores
    with pytest.raises(ClusterError, match="workers of this model were stopped; open the model again"):
        clustered.workers.call(process)
    asked = Measurements(lazy, Cache(tmp_path))
    texts = [long_text(20 + n) for n in range(6)]
    starts = mock.Mock(wraps=workers_module.start_workers)
    with (
        mock.patch.object(workers_module, "start_workers", starts),
        pytest.raises(ModelError, match=r"no module 'model.layers.0.nonsense'"),
    ):
        asked.each("Texts", texts, lambda one, text: one.profile(text, max_tokens=100))
    assert starts.call_count == 1


@pytest.mark.parametrize(
    ("options", "nodes", "expected"),
    [
        (ClusterOptions(), [{"CPU": 16, "GPU": 4}], Shares(4, 1, 4)),
        (ClusterOptions(gpus=2), [{"CPU": 16, "GPU": 4}], Shares(2, 2, 8)),
        (ClusterOptions(gpus=0.5), [{"CPU": 16, "GPU": 2}], Shares(4, 0.5, 4)),
        (ClusterOptions(gpus=0.4), [{"CPU": 16, "GPU": 2}], Shares(4, 0.4, 4)),
        (ClusterOptions(gpus=0.1), [{"CPU": 20, "GPU": 1}], Shares(10, 0.1, 2)),
        (ClusterOptions(gpus=0), [{"CPU": 16, "GPU": 4}], Shares(8, 0, 2)),
        (ClusterOptions(workers=2, gpus=0.0001), [{"CPU": 16, "GPU": 4}], Shares(2, 0.0001, 8)),
        (ClusterOptions(), [{"CPU": 16}], Shares(8, 0, 2)),
        (ClusterOptions(workers=2), [{"CPU": 2}], Shares(2, 0, 1)),
        (ClusterOptions(), [{"CPU": 1}], Shares(1, 0, 1)),
        # Several machines: nothing is divided that is not on one of them.
        (ClusterOptions(workers=2), [{"CPU": 8}] * 3, Shares(2, 0, 8)),
        (ClusterOptions(workers=4), [{"CPU": 8}] * 3, Shares(4, 0, 4)),
        (ClusterOptions(), [{"CPU": 64}, {"CPU": 16, "GPU": 1}, {"CPU": 8, "GPU": 1}], Shares(2, 1, 8)),
    ],
)
def test_cluster_is_divided(options: ClusterOptions, nodes: list[dict[str, float]], expected: Shares) -> None:
    assert shares(options, nodes) == expected


@pytest.mark.parametrize(
    ("options", "nodes", "message"),
    [
        (ClusterOptions(workers=3, gpus=2), [{"CPU": 16, "GPU": 4}], "room for 2 workers of 2, and 3 are asked for"),
        (ClusterOptions(gpus=2), [{"CPU": 16, "GPU": 1}] * 2, "room for 0 workers of 2, and 1 is asked for"),
        (ClusterOptions(gpus=1), [{"CPU": 16}], "room for 0 workers of 1, and 1 is asked for"),
        (ClusterOptions(workers=3), [{"CPU": 2}], "has 2 cores for 3 workers: lower --workers"),
        (ClusterOptions(workers=10**18), [{"CPU": 2}], "has 2 cores for 10{18} workers: lower --workers"),
        (ClusterOptions(workers=10**30), [{"CPU": 2, "GPU": 1}], "room for 1 workers of 1, and 10{30} are asked for"),
    ],
)
def test_cluster_without_room_is_said(options: ClusterOptions, nodes: list[dict[str, float]], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        shares(options, nodes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray", ""], "--ray '' is no address of a cluster; give local, auto or HOST:PORT"),
        (["--ray", "http://10.0.0.1:80"], "--ray 'http://10.0.0.1:80' is no address of a cluster"),
        (["--ray", "ray://10.0.0.1:10001"], "is the address of a Ray client"),
        (["--ray", "local", "--workers", "0"], "--workers 0 is no number of workers"),
        (["--ray", "local", "--gpus-per-worker", "-1"], "--gpus-per-worker -1.0 is no number of GPUs"),
        (["--ray", "local", "--gpus-per-worker", "nan"], "--gpus-per-worker nan is no number of GPUs"),
        (["--ray", "local", "--gpus-per-worker", "1e-320"], "--gpus-per-worker 1e-320 is less of a GPU than Ray"),
        (["--workers", "2"], "are for --ray: add --ray local"),
    ],
)
@pytest.mark.parametrize(
    "command", [["recommend", "ar", "he"], ["spectrum", "ar", "he", "sw"], ["study"], ["stability", "ar:he"],
                ["evaluate", "ar:he"]], ids=lambda one: one[0],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(
    command: list[str], options: list[str], message: str, run: Callable[..., Ended], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ended = run(*command, *options)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no-such-host.invalid:6379", "127.0.0.1:99999", "auto"])
def test_cluster_that_does_not_answer_is_said_soon(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    if address == "auto":  # as Ray does where it finds none
        monkeypatch.setattr(ray, "init", mock.Mock(side_effect=ConnectionError))
    began = time.monotonic()
    where = r"on this machine \(--ray auto\)" if address == "auto" else f"at {address}"
    with pytest.raises(ClusterError, match=f"No Ray cluster answers {where}: start one with `ray start --head`"):
        connected(ClusterOptions(address))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("auto", [False, True])
def test_cluster_that_lets_nobody_in_is_told_from_none(monkeypatch: pytest.MonkeyPatch, *, auto: bool) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", mock.Mock(side_effect=ConnectionError))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        if auto:
            monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ClusterError, match=f"The Ray cluster at {address} does not let this process in: .*token"):
            connected(ClusterOptions("auto" if auto else address))


def test_cluster_that_does_not_let_in_is_asked_once(tiny_model: Folder, tmp_path: Path) -> None:
    lazy = opened(tiny_model("llama"), Cache(tmp_path), ClusterOptions("127.0.0.1:9", 2, 0))
    asked = Measurements(lazy, Cache(tmp_path))
    there = mock.Mock(side_effect=ClusterError("Not let in."))
    with mock.patch.object(workers_module, "device_there", there), pytest.raises(ClusterError, match=r"Not let in\."):
        asked.each("Texts", range(4), lambda one, _: one.profile(long_text(20), max_tokens=100))
    there.assert_called_once()


def test_local_cluster_that_is_not_on_the_loopback_is_ended() -> None:
    ray = mock.Mock(__version__="9.9")
    ray.nodes.return_value = [{"NodeManagerAddress": "127.0.0.1"}]
    _start_local(ray)
    ray.shutdown.assert_not_called()
    ray.nodes.return_value = [{"NodeManagerAddress": "192.168.0.7"}]
    with pytest.raises(
        ClusterError, match=r"^Ray 9\.9 listens at 192\.168\.0\.7 and not on the loopback alone.*: install"
    ):
        _start_local(ray)
    ray.shutdown.assert_called_once_with()


@pytest.mark.parametrize(
    ("workers", "texts", "most", "expected"),
    [
        (8, 1, 99, 8),
        (8, 2, 99, 4),
        (8, 5, 99, 3),
        (8, 8, 99, 1),
        (8, 100, 99, 1),
        (2, 1, 1, 1),
        (4, 3, 2, 1),
        (1, 1, 9, 1),
    ],
)
def test_texts_are_cut_in_shares_for_all_workers(workers: int, texts: int, most: int, expected: int) -> None:
    assert shares_each(workers, texts, most) == expected


def test_shares_end_sooner_than_one_text_a_worker() -> None:
    def ends(workers: int, texts: int, shares: int) -> float:
        """When the last of them ends, each given to the worker that is free first."""
        free = [0.0] * workers
        for _ in range(texts * shares):
            heapq.heapreplace(free, free[0] + 1 / shares + 0.05)
        return max(free)

    for workers in range(1, 17):
        for texts in range(1, 33):
            found = ends(workers, texts, shares_each(workers, texts, 99))
            assert found <= ends(workers, texts, max(1, workers // texts)) + 1e-9
            assert found <= 1.35 * (texts / workers + 0.05 * max(1, texts / workers)) + 0.15


def test_missing_ray_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"--ray needs Ray: pip install 'linguabridge\[ray\]'"):
        connected(ClusterOptions())
