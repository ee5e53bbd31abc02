"""A model on workers of a Ray cluster, of this machine or many: functions of a model, each run on one of them.

A worker is a process that has loaded the model once. What it is asked is a pure function of the model and the question,
so a call that was lost with its worker is made again by the one that takes its place, and nothing is lost or counted
twice: the caller takes one result a question.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from linguabridge.cache import versions
from linguabridge.cluster.connection import connected, nodes
from linguabridge.cluster.options import ClusterOptions, shares
from linguabridge.cluster.worker import Worker, device_here
from linguabridge.errors import ClusterError, InputError, LinguabridgeError

if TYPE_CHECKING:
    from linguabridge.cache import Cache
    from linguabridge.model import ModelOptions
    from linguabridge.model_files import ModelFiles
    from linguabridge.progress import Reporter

TRIES = 4  # of a call whose worker died; a question that kills every worker must not run for ever
_PATIENCE = 60.0  # seconds until a run says that it waits for room
R = TypeVar("R")


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
        self._said_full = threading.Event()  # that memory was short on a worker
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
            found: R
            found, full = ray.get(actor.run.remote(function, args, more))
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
        if full and not self._said_full.is_set():
            self._said_full.set()
            from linguabridge.memory import SAID

            self._reporter.say(SAID)
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
    ray = connected(cluster)
    share = shares(cluster, nodes(ray))
    each = f"{share.gpus:g} GPU" if share.gpus else ("1 core" if share.cores == 1 else f"{share.cores} cores")
    many = "1 worker" if share.workers == 1 else f"{share.workers} workers"
    reporter.say(f"Starting {many} of {each} with {files.name}.")
    kind = ray.remote(Worker).options(
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
    ray = connected(cluster)
    gpus = shares(cluster, nodes(ray)).gpus
    # A sliver of a GPU shows what it is, and is sooner to be had than all that a worker takes.
    asked = ray.remote(device_here).options(num_cpus=0, num_gpus=min(gpus, 0.01)).remote(files, cache, device, dtype)
    if not ray.wait([asked], timeout=_PATIENCE)[0]:
        reporter.say("The cluster has not said yet what it computes with: it may be busy.")
    found: tuple[str, str] = _got(ray, asked)
    return found


def _check_versions(there: dict[str, str]) -> None:
    """Refuse workers that may compute other numbers: results are kept under this process's versions."""
    here = versions()
    if there != here:
        name = next(one for one in sorted({*here, *there}) if here.get(one) != there.get(one))
        raise ClusterError(
            f"The workers have {name} {there.get(name, 'not at all')}, and this process has {here.get(name, 'none')}: "
            "install the same versions on all machines."
        )


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
