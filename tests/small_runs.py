"""Small runs of the commands that compute, in processes of their own that can be killed.

A server that has imported torch once forks them (multiprocessing's forkserver), so that a run takes a second or two
instead of six, and a moment drawn over its length falls into what it computes and writes.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.process
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
        return (self.folder / "log").read_text("utf-8") if (self.folder / "log").exists() else ""

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
