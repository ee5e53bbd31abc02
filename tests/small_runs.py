"""Small runs of the commands that compute, in processes of their own that can be killed.

A server that has imported torch once forks them (multiprocessing's forkserver), so that a run takes a second or two
instead of six, and a moment drawn over its length falls into what it computes and writes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import multiprocessing.process
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from test_recommend import write_lexicon

COMMANDS = {
    "recommend": "recommend en sw --candidates de,fr,es --tokens 1000 --probes 40 --check 12",
    "spectrum": "spectrum pt es ar he sw --tokens 1000 --samples 100 --concepts 60",
    "evaluate": "evaluate en:sw fr:de --bridge es --arms all --best 2 --candidates es,id --limit 10 --tokens 1000 "
    "--probes 30",
    "study": "study en:sw --candidates en,sw,de,fr,es --ways cka,bits,hops --words 40 --tokens 500 --probes 30 "
    "--no-exact",
}
# Those that no test kills: nothing of their own is written on the way.
REPEATED = {
    "ablate": "ablate en sw --languages de,fr --tokens 300 --words 12 --text-tokens 100 --top-rate 0.1 "
    "--specific-rate 0.05",
    "stability": "stability en:sw --other cldr --tokens 300 --probes 30 --json out/stability.json",
}
RESULTS = {
    "recommend": ("recommend.json",),
    "spectrum": ("spectrum.json", "pairs.parquet"),
    "evaluate": ("summary.json", "items.parquet"),
    "study": ("study.json", "ranks.parquet", "hops.parquet"),
    "ablate": ("ablation.json",),
    "stability": ("stability.json",),
}

CANNOT = 77  # exit code of a process that may not do what a test needs: mount a disk, give up root's privileges

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    [
        "linguabridge.cli",
        "linguabridge.collect",
        "linguabridge.evaluation.evaluate",
        "linguabridge.evaluation.files",
        "linguabridge.generate",
        "linguabridge.likelihood",
        "linguabridge.recommendation",
        "linguabridge.spectrum.files",
        "linguabridge.spectrum.spectrum",
        "linguabridge.study.files",
        "transformers.models.llama.modeling_llama",
    ]
)


@dataclass(frozen=True)
class Small:
    """What small runs ask: a tiny model, and made-up words in five languages."""

    model: Path
    lexicon: Path

    def words(self, name: str) -> list[str]:
        """A command's arguments. Results go to the folder ``out`` of where it runs."""
        own = [] if name == "spectrum" else ["--lexicon", str(self.lexicon)]
        where = ["--model", str(self.model), "--device", "cpu", "--dtype", "float32"]
        out = [] if name == "stability" else ["--out", "out"]
        return [*shlex.split((COMMANDS | REPEATED)[name]), *own, *where, *out]


def small(model: Path, folder: Path) -> Small:
    """Write the words, and start the server."""
    job = Small(model, write_lexicon(folder / "own.tsv", rows=300, languages="en sw de fr es"))
    whole(["--version"], folder / "version", folder / "cache")
    return job


@dataclass(frozen=True)
class Running:
    """A command under way in a folder; what it says goes to ``log`` there."""

    process: multiprocessing.process.BaseProcess
    folder: Path

    @property
    def said(self) -> str:
        return log(self.folder)

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def ended(self, seconds: float = 120) -> int:
        """Its exit code: negative for a signal."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "still running"
        return self.process.exitcode


def start(words: list[str], folder: Path, cache: Path) -> Running:
    """Start a command in a folder, with this cache."""
    return forked(folder, cache, command, words)


def forked(folder: Path, cache: Path, function: Callable[..., None], *arguments: object) -> Running:
    """Call a function of a module in a process of its own, which ends with it."""
    folder.mkdir(parents=True, exist_ok=True)
    process = _FORKING.Process(target=_in_folder, args=(folder, cache, function, *arguments), daemon=True)
    process.start()
    return Running(process, folder)


def _in_folder(folder: Path, cache: Path, function: Callable[..., None], *arguments: object) -> None:
    os.environ.update(LINGUABRIDGE_CACHE=str(cache), COLUMNS="120")
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    function(*arguments)


def bound_by_permissions(words: list[str]) -> None:
    """The same, bound by the permissions of files, which root is not; CANNOT where root cannot be."""
    if os.geteuid() == 0:
        try:
            _obey_permissions()
        except (AttributeError, OSError):
            raise SystemExit(CANNOT) from None
    command(words)


def _obey_permissions() -> None:
    """Give up, for good, what lets this process of root's read and write whatever it likes (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, of this process
    held = (ctypes.c_uint32 * 6)()  # what is effective, permitted and inheritable; bits 0 to 31, then the others
    if libc.capget(header, held) == 0:
        for which in range(3):
            held[which] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.capset(header, held) == 0:
            return
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# Ctrl-C works in it also where the tests run in the background and it is ignored.
_WITH_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from linguabridge.__main__ import main; main()"
)


def own_process(
    words: list[str], folder: Path, cache: Path, *, new_group: bool = False, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a command in a process that is none of the server's, as a user does; what it says is :func:`log`.

    Args:
        words: the command's.
        folder: where it runs.
        cache: of this run.
        new_group: in a group of processes of its own, as a shell starts it: Ctrl-C goes to the whole group.
        environment: more of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", _WITH_CTRL_C, *words],
            cwd=folder,
            env={**os.environ, "LINGUABRIDGE_CACHE": str(cache), "COLUMNS": "120", **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=new_group,
        )


def log(folder: Path) -> str:
    """What a command said that runs in a folder."""
    return (folder / "log").read_text("utf-8") if (folder / "log").exists() else ""


def command(words: list[str]) -> None:
    """The installed command, in this process."""
    from linguabridge import cli

    sys.argv = ["linguabridge", *words]
    cli.main()


def whole(words: list[str], folder: Path, cache: Path) -> tuple[float, Running]:
    """An undisturbed run to its end, and how many seconds it took."""
    began = time.monotonic()
    run = start(words, folder, cache)
    assert run.ended() == 0, run.said
    return time.monotonic() - began, run


@dataclass(frozen=True)
class Undisturbed:
    """What a command finds when nothing disturbs it, in which cache, and how long that takes."""

    results: dict[str, bytes]
    kept: dict[str, object]
    seconds: float


def undisturbed(job: Small, name: str, folder: Path) -> Undisturbed:
    seconds, _ = whole(job.words(name), folder, folder / "cache")
    found = results(name, folder)
    assert set(found) == set(RESULTS[name])
    return Undisturbed(found, kept(folder / "cache"), seconds)


def results(name: str, folder: Path) -> dict[str, bytes]:
    """Those of a command's result files that are there."""
    files = [folder / "out" / one for one in RESULTS[name]]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def assert_nearly(found: Any, expected: Any, tolerance: float) -> None:
    """The same values as JSON or a table holds them, numbers within a tolerance, absolute or relative."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_nearly(found[name], value, tolerance)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, value in zip(found, expected, strict=True):
            assert_nearly(one, value, tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance, nan_ok=True)
    else:
        assert found == expected


def found_in(file: Path) -> Any:
    """What a result file holds, but for the command that made it and checksums, over it and over files beside it."""
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()
    body = json.loads(file.read_text("utf-8"))
    return {name: value for name, value in body.items() if name not in ("command", "sha256", "files")}


def kept(cache: Path) -> dict[str, object]:
    """What a cache holds, by file: bytes of arrays, and manifests but for the moment they were written."""
    found: dict[str, object] = {}
    for file in cache.rglob("*"):
        name = str(file.relative_to(cache))
        if file.suffix == ".safetensors":
            found[name] = file.read_bytes()
        elif file.suffix == ".json":
            found[name] = {key: value for key, value in json.loads(file.read_text("utf-8")).items() if key != "written"}
        elif file.is_file() and not file.name.startswith(".writing-"):  # what a killed run had begun to write
            found[name] = None
    return found
