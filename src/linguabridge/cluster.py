"""A model on workers of a Ray cluster, of this machine or many: functions of a model, each run on one of them.

A worker is a process that has loaded the model once. What it is asked is a pure function of the model and the question,
so a call that was lost with its worker is made again by the one that takes its place, and nothing is lost or counted
twice: the caller takes one result a question.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from linguabridge.cache import versions
from linguabridge.errors import ClusterError, InputError, LinguabridgeError, ModelError

if TYPE_CHECKING:
    from linguabridge.cache import Cache
    from linguabridge.model import LanguageModel, ModelOptions
    from linguabridge.model_files import ModelFiles
    from linguabridge.progress import Reporter

LOCAL = "local"  # a cluster of this machine alone, for this run alone
AUTO = "auto"  # the one that runs on this machine, or that this machine is part of
_ADDRESS = re.compile(r"(?P<host>[^\s:/]+):(?P<port>\d{1,5})")
_REACH = 5.0  # seconds that a cluster may take to be reached
_connecting = threading.Lock()
TRIES = 4  # of a call whose worker died; a question that kills every worker must not run for ever
_PATIENCE = 60.0  # seconds until a run says that it waits for room
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ClusterOptions:
    """Where workers run, and what each of them asks for.

    Attributes:
        address: ``local``, or that of a running cluster: ``auto``, ``HOST:PORT``.
        workers: number of them; None for one a GPU, or where no GPUs are asked for or found, one for two cores.
        gpus: that each asks for; None for one where the cluster has any. A model that needs several: ``--device map``.
    """

    address: str = LOCAL
    workers: int | None = None
    gpus: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, in one sentence."""
        if self.address.startswith("ray://"):
            raise InputError(
                f"--ray {self.address} is the address of a Ray client; run the command on a machine of the cluster, "
                "with --ray auto."
            )
        if self.address not in (LOCAL, AUTO) and not _ADDRESS.fullmatch(self.address):
            raise InputError(f"--ray '{self.address}' is no address of a cluster; give local, auto or HOST:PORT.")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers} is no number of workers; give 1 or more.")
        if self.gpus is not None and not 0 <= self.gpus < float("inf"):
            raise InputError(f"--gpus-per-worker {self.gpus} is no number of GPUs; give 0 or more.")


@dataclass(frozen=True)
class Shares:
    """What workers are and take: their number, and each one's GPUs and cores."""

    workers: int
    gpus: float
    cores: int


def shares(options: ClusterOptions, nodes: Sequence[Mapping[str, float]]) -> Shares:
    """Divide a cluster among workers.

    Args:
        options: what is asked for.
        nodes: of each machine its resources as Ray counts them: ``CPU``, ``GPU``.

    Raises:
        ClusterError: no machines hold so many workers.
    """
    gpus = options.gpus if options.gpus is not None else float(any(node.get("GPU", 0) > 0 for node in nodes))
    has = [int(node.get("CPU", 0)) for node in nodes]
    room = [_fit(node.get("GPU", 0.0), gpus) for node in nodes] if gpus else has  # workers on each machine
    usual = sum(room) if gpus else sum(max(1, cores // 2) for cores in has if cores)
    workers = options.workers or max(1, usual)
    if gpus and workers > sum(room):
        raise ClusterError(
            f"The cluster's GPUs have room for {sum(room)} workers of {gpus:g}, and {workers} "
            f"{'is' if workers == 1 else 'are'} asked for: lower --workers or --gpus-per-worker."
        )
    for cores in range(max(has, default=0), 0, -1):
        if sum(min(fit, mine // cores) for fit, mine in zip(room, has, strict=True)) >= workers:
            return Shares(workers, gpus, cores)
    raise ClusterError(f"The cluster has {sum(has)} cores for {workers} workers: lower --workers.")


def _fit(has: float, gpus: float) -> int:
    """Workers on a machine: of several GPUs each, or several on one GPU, which none of them shares with another GPU."""
    return int(has // gpus) if gpus >= 1 else int(has) * int(1 / gpus + 1e-9)


class Workers:
    """Workers that load one model. Safe to call from several threads; each call takes a worker that is free.

    They join as they come up, so that two runs which share a cluster never wait for each other's workers.
    """

    def __init__(self, actors: Sequence[Any], reporter: Reporter) -> None:
        self._all = tuple(actors)
        self._reporter = reporter
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._joined = threading.Event()  # the first one
        self._stopped = threading.Event()
        self._failure: LinguabridgeError | None = None
        threading.Thread(target=self._join, name="workers join", daemon=True).start()

    def __len__(self) -> int:
        return len(self._all)

    def call(self, function: Callable[..., R], *args: Any, **more: Any) -> R:
        """Run ``function(model, *args, **more)`` on a worker, and wait for what it gives.

        Args:
            function: of a module that the workers have, too.
            args: what can travel.
            more: likewise, by name.

        Raises:
            LinguabridgeError: as the function raises it.
            ClusterError: the worker died again and again, the cluster fails, or the workers were stopped.
        """
        import ray
        from ray.exceptions import RayActorError, RayError, RayTaskError

        actor = self._take()
        try:
            found: R = ray.get(actor.run.remote(function, args, more))
        except RayTaskError as error:
            if isinstance(error.cause, LinguabridgeError):
                raise error.cause from None
            raise
        except RayActorError as error:
            self._check()
            raise ClusterError(
                f"A worker of the Ray cluster died {TRIES} times at the same question (out of memory?); ask for fewer "
                "--workers and run again: what is done is kept."
            ) from error
        except RayError as error:
            raise ClusterError(
                f"The Ray cluster failed ({type(error).__name__}); run again: what is done is kept."
            ) from error
        finally:
            self._free.put(actor)
        return found

    def wait(self, stopping: threading.Event) -> None:
        """Wait until there is a worker.

        Raises:
            LinguabridgeError: one cannot load the model, or the wait was broken off.
        """
        while not self._joined.wait(0.2):
            if stopping.is_set():
                self.stop()
            self._check()
        self._check()

    def stop(self) -> None:
        """End the workers, whatever they do."""
        import ray

        self._stopped.set()
        for actor in self._all:
            with contextlib.suppress(Exception):  # it is gone already, or Ray is
                ray.kill(actor)

    def _take(self) -> Any:
        while True:
            self._check()
            with contextlib.suppress(queue.Empty):
                return self._free.get(timeout=1.0)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._stopped.is_set():
            raise ClusterError("The workers of this model were stopped; open the model again.")

    def _join(self) -> None:
        import ray

        since, told = time.monotonic(), False
        coming = {actor.loaded.remote(): actor for actor in self._all}
        while coming and not self._stopped.is_set():
            ready, _ = ray.wait(list(coming), timeout=0.5)
            for one in ready:
                try:
                    _check_versions(_got(ray, one))
                except LinguabridgeError as error:
                    self._failure = error
                    self.stop()
                    return
                self._free.put(coming.pop(one))
                self._joined.set()
            if not told and not self._joined.is_set() and time.monotonic() - since > _PATIENCE:
                told = True
                self._reporter.say("No worker is up yet: the cluster may be busy. They start when others end.")


def start_workers(
    files: ModelFiles,
    options: ModelOptions,
    cluster: ClusterOptions,
    *,
    cache: Cache,
    reporter: Reporter,
    stopping: threading.Event,
) -> Workers:
    """Start workers that load a model, and wait for the first. They end with this process, or by :meth:`Workers.stop`.

    Args:
        files: of the model. A worker on another machine finds it by its name, and must find the same content.
        options: how it is loaded; device and type are those that results are kept under.
        cluster: where.
        cache: where hashes of the model's files are remembered.
        reporter: told what is waited for.
        stopping: when set, they are not waited for any longer.

    Raises:
        InputError: Ray is not installed.
        ClusterError: no cluster there, or not enough of what the workers ask for.
        ModelError: a worker cannot load the model, or finds another one under its name.
    """
    if options.device.startswith("cuda:"):
        raise InputError(
            f"--device {options.device} names one GPU, and every worker has its own: --device cuda with --ray."
        )
    ray = _connected(cluster)
    share = shares(cluster, _nodes(ray))
    each = f"{share.gpus:g} GPU" if share.gpus else ("1 core" if share.cores == 1 else f"{share.cores} cores")
    many = "1 worker" if share.workers == 1 else f"{share.workers} workers"
    reporter.say(f"Starting {many} of {each} with {files.name}.")
    kind = ray.remote(_Worker).options(
        num_cpus=share.cores, num_gpus=share.gpus, max_restarts=-1, max_task_retries=TRIES - 1
    )
    workers = Workers([kind.remote(files, cache, options, share.cores) for _ in range(share.workers)], reporter)
    workers.wait(stopping)
    return workers


def device_there(
    files: ModelFiles, device: str, dtype: str, cluster: ClusterOptions, *, cache: Cache, reporter: Reporter
) -> tuple[str, str]:
    """Device and type that a worker of a cluster would compute with.

    Raises:
        LinguabridgeError: as :func:`start_workers`, or no such device there.
    """
    ray = _connected(cluster)
    gpus = shares(cluster, _nodes(ray)).gpus
    # A sliver of a GPU shows what it is, and is sooner to be had than all that a worker takes.
    asked = ray.remote(_device).options(num_cpus=0, num_gpus=min(gpus, 0.01)).remote(files, cache, device, dtype)
    if not ray.wait([asked], timeout=_PATIENCE)[0]:
        reporter.say("The cluster has not said yet what it computes with: it may be busy.")
    found: tuple[str, str] = _got(ray, asked)
    return found


def in_threads(
    ask: Callable[[T], R],
    items: Sequence[T],
    *,
    at_a_time: int,
    done: Callable[[T], None],
    cancel: Callable[[], None],
    stop: Callable[[], None],
) -> list[R]:
    """What ``ask`` gives for each item, several at a time, in the order of the items.

    Args:
        ask: called from threads.
        items: what to ask.
        at_a_time: so many are under way.
        done: told each item that is finished; called from this thread.
        cancel: called when one fails, so that those under way end soon.
        stop: called when waiting is broken off (Ctrl-C), so that they end at once.
    """
    if not items:
        return []
    pool = ThreadPoolExecutor(min(len(items), at_a_time))
    try:
        under_way = {pool.submit(ask, item): item for item in items}
        try:
            for one in as_completed(under_way):
                one.result()
                done(under_way[one])
        except Exception:
            cancel()
            pool.shutdown(cancel_futures=True)
            raise
    except (KeyboardInterrupt, SystemExit):
        cancel()
        stop()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return [one.result() for one in under_way]


class _Worker:
    """Runs in a process of its own: loads the model once, then answers."""

    def __init__(self, files: ModelFiles, cache: Cache, options: ModelOptions, cores: int) -> None:
        self.files = files
        self.cache = cache
        self.options = options
        self.cores = cores

    @cached_property
    def model(self) -> LanguageModel:
        # Not loaded where the worker is made: of what fails there, Ray gives no exception but a text.
        import torch

        from linguabridge.model import load_model

        torch.set_num_threads(self.cores)
        return load_model(_found_here(self.files, self.cache), self.options)

    def run(self, function: Callable[..., R], args: tuple[Any, ...], more: dict[str, Any]) -> R:
        return function(self.model, *args, **more)

    def loaded(self) -> dict[str, str]:
        """Load the model; the versions that it computes with."""
        _ = self.model
        return versions()


def _check_versions(there: dict[str, str]) -> None:
    """Refuse workers that may compute other numbers: results are kept under this process's versions."""
    here = versions()
    if there != here:
        name = next(one for one in sorted({*here, *there}) if here.get(one) != there.get(one))
        raise ClusterError(
            f"The workers have {name} {there.get(name, 'not at all')}, and this process has {here.get(name, 'none')}: "
            "install the same versions on all machines."
        )


def _device(files: ModelFiles, cache: Cache, device: str, dtype: str) -> tuple[str, str]:
    from linguabridge.hardware import choose_device, choose_dtype

    chosen = choose_device(device)
    return chosen, choose_dtype(dtype, chosen, _found_here(files, cache).folder)


def _found_here(files: ModelFiles, cache: Cache) -> ModelFiles:
    """The same model on the machine of a worker: at the same place, or by its name."""
    from linguabridge.model_files import find_model, identify

    if (files.folder / "config.json").is_file():
        # Pickles were let in or refused where the command was given; loading them is refused once more.
        here = identify(files.name, files.folder, files.revision, cache, allow_pickle=True)
    else:
        here = find_model(files.name, cache)
    if here.identity != files.identity:
        raise ModelError(
            f"A worker on {platform.node()} finds another model under the name {files.name}: put the same files there, "
            "or on a disk that all machines share."
        )
    return here


def _connected(cluster: ClusterOptions) -> Any:
    """Ray, connected to the cluster: a local one is started, and ends with this process."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise InputError("--ray needs Ray: pip install 'linguabridge[ray]'.") from error
    with _connecting:
        if ray.is_initialized():
            return ray
        if cluster.address == LOCAL:
            _in_a_lasting_thread(lambda: _start_local(ray))
            return ray
        try:
            if found := _ADDRESS.fullmatch(cluster.address):  # Ray itself would try for many minutes
                socket.create_connection((found["host"], int(found["port"])), _REACH).close()
            ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError, OSError, OverflowError) as error:
            where = "on this machine (--ray auto)" if cluster.address == AUTO else f"at {cluster.address}"
            raise ClusterError(
                f"No Ray cluster answers {where}: start one with `ray start --head`, or give --ray local."
            ) from error
    return ray


def _in_a_lasting_thread(start: Callable[[], None]) -> None:
    """Run what starts processes in a thread that ends with this process.

    On Linux, Ray's processes die with the thread that started them, and threads that ask for workers come and go.
    """
    started: Future[None] = Future()

    def run() -> None:
        try:
            start()
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(None)
        threading.Event().wait()

    threading.Thread(target=run, name="starts Ray", daemon=True).start()
    started.result()


def _start_local(ray: Any) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # On Linux, Ray takes the machine's address in the network even for a cluster of this machine alone, and listens
    # there; with this switch, which it has for other systems, it takes the loopback.
    with mock.patch("ray._private.ray_constants.ENABLE_RAY_CLUSTER", new=False):
        ray.init(
            address=LOCAL,
            _node_ip_address="127.0.0.1",
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )


def _nodes(ray: Any) -> list[dict[str, float]]:
    """Resources of each machine of a cluster."""
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def _got(ray: Any, asked: Any) -> Any:
    """What a worker gives, its own errors as they are."""
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(asked)
    except RayError as error:
        cause = error.cause if isinstance(error, RayTaskError) else None
        if isinstance(cause, LinguabridgeError):
            raise cause from None
        raise ClusterError(
            "A worker could not load the model, or died as it did (out of memory?): "
            f"{str(error).strip().splitlines()[-1]}"
        ) from error
