"""A model on workers of a Ray cluster, of this machine or many: functions of a model, each run on one of them.

A worker is a process that has loaded the model once. What it is asked is a pure function of the model and the question,
so a call that was lost with its worker is made again by the one that takes its place, and nothing is lost or counted
twice: the caller takes one result a question.
"""

from __future__ import annotations

import logging
import os
import platform
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from linguabridge.errors import ClusterError, InputError, LinguabridgeError, ModelError

if TYPE_CHECKING:
    from linguabridge.model import LanguageModel, ModelFiles, ModelOptions
    from linguabridge.progress import Reporter

LOCAL = "local"  # a cluster of this machine alone, for this run alone
AUTO = "auto"  # the one that runs on this machine, or that this machine is part of
_ADDRESS = re.compile(r"(?P<host>[^\s:/]+):(?P<port>\d{1,5})")
_REACH = 5.0  # seconds that a cluster may take to be reached
_connecting = threading.Lock()
TRIES = 4  # of a call whose worker died; a question that kills every worker must not run for ever
_AT_A_TIME = 64  # questions under way; many more than workers only cost memory
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


def shares(options: ClusterOptions, resources: dict[str, float]) -> Shares:
    """Divide a cluster among workers.

    Args:
        options: what is asked for.
        resources: of the whole cluster, as Ray counts them: ``CPU``, ``GPU``.

    Raises:
        ClusterError: it has not so many GPUs or cores.
    """
    has_cores, has_gpus = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
    gpus = options.gpus if options.gpus is not None else float(has_gpus > 0)
    workers = options.workers or max(1, int(has_gpus // gpus) if gpus else has_cores // 2)
    if gpus and workers * gpus > has_gpus:
        raise ClusterError(
            f"The cluster has {has_gpus:g} GPUs, and {workers} workers of {gpus:g} are asked for: lower --workers or "
            "--gpus-per-worker."
        )
    if workers > has_cores:
        raise ClusterError(f"The cluster has {has_cores} cores for {workers} workers: lower --workers.")
    return Shares(workers, gpus, has_cores // workers)


class Workers:
    """Workers that have loaded one model. Safe to call from several threads; each call takes a worker that is free."""

    def __init__(self, actors: Sequence[Any]) -> None:
        self._all = tuple(actors)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for actor in actors:
            self._free.put(actor)

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
            ClusterError: the worker died again and again, or the cluster fails.
        """
        import ray
        from ray.exceptions import RayActorError, RayError, RayTaskError

        actor = self._free.get()
        try:
            found: R = ray.get(actor.run.remote(function, args, more))
        except RayTaskError as error:
            if isinstance(error.cause, LinguabridgeError):
                raise error.cause from None
            raise
        except RayActorError as error:
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

    def processes(self) -> list[int]:
        """Process number of each worker."""
        import ray

        return [int(one) for one in ray.get([actor.loaded.remote() for actor in self._all])]

    def stop(self) -> None:
        """End the workers, whatever they do."""
        import ray

        for actor in self._all:
            ray.kill(actor)


def start_workers(
    files: ModelFiles, options: ModelOptions, cluster: ClusterOptions, reporter: Reporter, stopping: threading.Event
) -> Workers:
    """Start workers that load a model. They end with this process, or by :meth:`Workers.stop`.

    Args:
        files: of the model. A worker on another machine finds it by its name, and must find the same content.
        options: how it is loaded; device and type are those that results are kept under.
        cluster: where.
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
    _check_not(stopping)
    ray = _connected(cluster)
    share = shares(cluster, ray.cluster_resources())
    each = f"{share.gpus:g} GPU" if share.gpus else ("1 core" if share.cores == 1 else f"{share.cores} cores")
    reporter.say(f"Starting {share.workers} workers of {each} with {files.name}.")
    kind = ray.remote(_Worker).options(
        num_cpus=share.cores, num_gpus=share.gpus, max_restarts=-1, max_task_retries=TRIES - 1
    )
    actors = [kind.remote(files, replace(options, cluster=None), share.cores) for _ in range(share.workers)]
    workers = Workers(actors)
    try:
        _wait(ray, [actor.loaded.remote() for actor in actors], reporter, stopping)
    except ClusterError:
        workers.stop()
        raise
    return workers


def device_there(files: ModelFiles, device: str, dtype: str, cluster: ClusterOptions) -> tuple[str, str]:
    """Device and type that a worker of a cluster would compute with.

    Raises:
        LinguabridgeError: as :func:`start_workers`, or no such device there.
    """
    from linguabridge.progress import Reporter

    ray = _connected(cluster)
    share = shares(cluster, ray.cluster_resources())
    asked = ray.remote(_device).options(num_cpus=share.cores, num_gpus=share.gpus).remote(files, device, dtype)
    found: tuple[str, str] = _wait(ray, [asked], Reporter(), threading.Event())[0]
    return found


def in_threads(
    ask: Callable[[T], R], items: Sequence[T], done: Callable[[T], None], stop: Callable[[], None]
) -> list[R]:
    """What ``ask`` gives for each item, several at a time, in the order of the items.

    Args:
        ask: called from threads.
        items: what to ask.
        done: told each item that is finished; called from this thread.
        stop: called when waiting is broken off (Ctrl-C), so that the threads end.
    """
    if not items:
        return []
    pool = ThreadPoolExecutor(min(len(items), _AT_A_TIME))
    try:
        under_way = {pool.submit(ask, item): item for item in items}
        for one in as_completed(under_way):
            one.result()
            done(under_way[one])
    except Exception:
        pool.shutdown(cancel_futures=True)  # what is under way is finished and kept
        raise
    except BaseException:
        stop()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return [one.result() for one in under_way]


class _Worker:
    """Runs in a process of its own: loads the model once, then answers."""

    def __init__(self, files: ModelFiles, options: ModelOptions, cores: int) -> None:
        self.files = files
        self.options = options
        self.cores = cores

    @cached_property
    def model(self) -> LanguageModel:
        # Not loaded where the worker is made: of what fails there, Ray gives no exception but a text.
        import torch

        from linguabridge.model import load_model

        torch.set_num_threads(self.cores)
        return load_model(_found_here(self.files), self.options)

    def run(self, function: Callable[..., R], args: tuple[Any, ...], more: dict[str, Any]) -> R:
        return function(self.model, *args, **more)

    def loaded(self) -> int:
        """Load the model; the process's number."""
        _ = self.model
        return os.getpid()


def _device(files: ModelFiles, device: str, dtype: str) -> tuple[str, str]:
    from linguabridge.hardware import choose_device, choose_dtype

    chosen = choose_device(device)
    return chosen, choose_dtype(dtype, chosen, _found_here(files).folder)


def _found_here(files: ModelFiles) -> ModelFiles:
    """The same model on the machine of a worker."""
    if (files.folder / "config.json").is_file():
        return files
    from linguabridge.cache import Cache, default_cache_dir
    from linguabridge.model import find_model

    here = find_model(files.name, Cache(default_cache_dir()))
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
            raise ClusterError(
                f"No Ray cluster answers at {cluster.address}: start one with `ray start --head`, or give --ray local."
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
    from ray._private import ray_constants

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # On Linux, Ray takes the machine's address in the network even for a cluster of this machine alone, and listens
    # there; with this switch, which it has for other systems, it takes the loopback.
    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        ray.init(
            address=LOCAL,
            _node_ip_address="127.0.0.1",
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _check_not(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise ClusterError("The workers were stopped before they were up; run again.")


def _wait(ray: Any, asked: list[Any], reporter: Reporter, stopping: threading.Event) -> list[Any]:
    """Wait for workers to come up, and say so if the cluster has no room for them."""
    from ray.exceptions import RayActorError, RayTaskError

    since, told = time.monotonic(), False
    while len(ray.wait(asked, num_returns=len(asked), timeout=0.5)[0]) < len(asked):
        _check_not(stopping)
        if not told and time.monotonic() - since > _PATIENCE:
            told = True
            reporter.say("The workers are not up yet: the cluster may be busy. They start when others end.")
    try:
        found: list[Any] = ray.get(asked)
    except (RayTaskError, RayActorError) as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, LinguabridgeError):
            raise cause from None
        raise ClusterError(
            f"A worker could not load the model, or died as it did (out of memory?): "
            f"{str(error).strip().splitlines()[-1]}"
        ) from error
    return found
