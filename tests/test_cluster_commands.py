"""Commands with Ray as users start them: on a cluster that runs already, and on their own, stopped by Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

import tiny
from small_runs import Small, Undisturbed, assert_nearly, found_in, log, own_process, start

pytest.importorskip("ray", reason="Ray has no package for this Python")
pytestmark = pytest.mark.long

RESULT = Path("out") / "recommend.json"
TOLERANCE = 1e-5
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "made-up-0123456789abcdef0123456789"}
NO_GPUS = ["--workers", "2", "--gpus-per-worker", "0"]


@dataclass(frozen=True)
class Head:
    """A cluster of this machine, as `ray start --head` starts it."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def drivers(self) -> int:
        """How many programs have been connected to it."""
        return len(list(self.folder.glob("session_2*/logs/python-core-driver-*.log")))


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A cluster on a free port; its processes are ended by their own ids, as other clusters may run here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not pytest's folder: Ray puts sockets there, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
            "--node-ip-address", "127.0.0.1", "--port", str(port), "--num-cpus", "2",
            "--include-dashboard", "false", "--disable-usage-stats", "--temp-dir", name,
        ]  # fmt: skip
        with (folder / "log").open("wb") as file:
            process = subprocess.Popen(command, env={**os.environ, **TOKEN}, stdout=file, stderr=subprocess.STDOUT)
        try:
            until(lambda: "block forever" in log(folder) or process.poll() is not None, 90)
            assert process.poll() is None, log(folder)
            yield Head(f"127.0.0.1:{port}", process, folder)
        finally:
            family = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for one in running(family):
                one.kill()


def until(reached: Callable[[], bool], seconds: float) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds, "it takes too long"
        time.sleep(0.02)


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; one that nobody has asked for its exit code has."""
    found = []
    for one in processes:
        try:
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize("way", ["address", "auto"])
def test_a_cluster_that_runs_already_finds_the_same_and_goes_on(
    head: Head, way: str, small_job: Small, undisturbed: Callable[[str], Undisturbed], tmp_path: Path
) -> None:
    where, environment = (head.address, TOKEN) if way == "address" else ("auto", {**TOKEN, "RAY_ADDRESS": head.address})
    before = head.drivers
    words = [*small_job.words("recommend"), "--ray", where, *NO_GPUS]
    process = own_process(words, tmp_path / "spread", tmp_path / "cache", **environment)
    assert process.wait(240) == 0, log(tmp_path / "spread")
    assert "Starting 2 workers of 1 core" in log(tmp_path / "spread")
    assert head.drivers == before + 1
    alone = tmp_path / "recommend.json"
    alone.write_bytes(undisturbed("recommend").results["recommend.json"])
    assert_nearly(found_in(tmp_path / "spread" / RESULT), found_in(alone), TOLERANCE)
    assert head.process.poll() is None  # it is not the command's to end
    workers = [one for one in psutil.Process(head.process.pid).children(recursive=True) if "Worker" in one.name()]
    until(lambda: not running(workers), 20)  # but its workers are


@pytest.mark.parametrize(
    ("where", "environment"),
    [
        ("address", {"RAY_AUTH_MODE": "disabled"}),
        ("address", {**TOKEN, "RAY_AUTH_TOKEN": "another"}),
        ("auto", {"RAY_AUTH_MODE": "disabled"}),
    ],
)
def test_a_cluster_whose_token_is_not_given_says_so_soon(
    head: Head, where: str, environment: dict[str, str], small_job: Small, tmp_path: Path
) -> None:
    words = [*small_job.words("recommend"), "--ray", head.address if where == "address" else "auto", *NO_GPUS]
    environment = environment if where == "address" else {**environment, "RAY_ADDRESS": head.address}
    process = own_process(words, tmp_path, tmp_path / "cache", **environment)
    began = time.monotonic()
    assert process.wait(240) == 2
    assert time.monotonic() - began < 60
    said = log(tmp_path)
    last = said.splitlines()[-1]  # after warnings of Ray's own
    assert last.startswith(f"Error: The Ray cluster at {head.address} does not let this process in: if it asks for a")
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def long_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts that take a tiny model a few seconds each."""
    folder = tmp_path_factory.mktemp("texts")
    words = " ".join(tiny.LINES).split()
    for seed, code in enumerate(("en", "sw", "de", "fr", "es")):
        rng = np.random.default_rng(seed)
        lines = [" ".join(rng.choice(words, 1 + int(rng.integers(30)))) for _ in range(30_000)]
        (folder / f"{code}.txt").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.mark.parametrize("whole_group", [False, True], ids=["of the process", "of the terminal"])
def test_ctrl_c_ends_a_local_cluster_and_the_same_command_goes_on(
    small_job: Small, long_texts: Path, tmp_path: Path, *, whole_group: bool
) -> None:
    alone = [*small_job.words("recommend"), "--texts", str(long_texts), "--tokens", "300000"]
    words = [*alone, "--ray", "local", *NO_GPUS]
    folder, cache = tmp_path / "stopped", tmp_path / "cache"

    def profiles() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in cache.glob("profile/*.json")}

    process = own_process(words, folder, cache, new_group=True)
    family: list[psutil.Process] = []
    try:
        until(lambda: bool(profiles()) or process.poll() is not None, 120)  # others are being computed
        assert process.poll() is None, log(folder)
        family = psutil.Process(process.pid).children(recursive=True)
        assert any("raylet" in one.name() for one in family)
        if whole_group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        code = process.wait(30)
        took = time.monotonic() - asked
        until(lambda: not running(family), 30)
        all_gone = time.monotonic() - asked
    finally:
        process.kill()
        process.wait()
        for one in running(family):
            one.kill()
    said = log(folder)
    assert code == 130, said
    # Ray may say after it that the workers' calls have ended.
    assert "Stopped; what was finished is kept, and the same command goes on from there.\n" in said
    assert "Traceback" not in said
    assert took < 10, f"its cluster was gone after {all_gone:.2f} s"  # Ray takes its processes down one by one
    assert all_gone < took + 5
    assert not (folder / RESULT).exists()

    kept = profiles()
    assert 0 < len(kept) < 5
    again = own_process(words, folder, cache)
    assert again.wait(240) == 0, log(folder)
    assert {file: profiles()[file] for file in kept} == kept  # not computed once more
    undisturbed = start(alone, tmp_path / "alone", tmp_path / "another")
    assert undisturbed.ended() == 0, undisturbed.said
    assert_nearly(found_in(folder / RESULT), found_in(tmp_path / "alone" / RESULT), TOLERANCE)
