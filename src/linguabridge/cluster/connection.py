"""Ray, connected to a cluster, or started on this machine alone."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any
from unittest import mock

from linguabridge.cluster.options import ADDRESS, AUTO, LOCAL, ClusterOptions
from linguabridge.errors import ClusterError, InputError

_REACH = 5.0  # seconds that a cluster may take to be reached
_connecting = threading.Lock()


def connected(cluster: ClusterOptions) -> Any:
    """Ray, connected to the cluster: a local one is started, and ends with this process.

    Raises:
        InputError: Ray is not installed.
        ClusterError: no cluster answers there, or it does not let this process in.
    """
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
        address = cluster.address
        if address == AUTO:  # as Ray does; see ClusterOptions for addresses
            address = os.environ.get("RAY_ADDRESS") or AUTO
        reached = False
        try:
            if found := ADDRESS.fullmatch(address):  # Ray itself would try for many minutes
                socket.create_connection((found["host"], int(found["port"])), _REACH).close()
                reached = True
            ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        except (ValueError, RuntimeError, OSError, OverflowError, ray.exceptions.RayError) as error:
            where = "on this machine (--ray auto)" if address == AUTO else f"at {address}"
            if reached or isinstance(error, ray.exceptions.RayError):
                raise ClusterError(
                    f"The Ray cluster {where} does not let this process in: if it asks for a token, set "
                    "RAY_AUTH_MODE=token and have the same token here, in ~/.ray/auth_token or RAY_AUTH_TOKEN; if "
                    "not, look whether it is one, and of this version of Ray."
                ) from error
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
    # there; with this switch, which it has for other systems, it takes the loopback. It is none of Ray's promises, so
    # what came of it is looked at.
    constants = getattr(getattr(ray, "_private", None), "ray_constants", None)
    switch = mock.patch.object(constants, "ENABLE_RAY_CLUSTER", new=False, create=True) if constants else nullcontext()
    with switch:
        ray.init(
            address=LOCAL,
            _node_ip_address="127.0.0.1",
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    for node in ray.nodes():
        address = str(node["NodeManagerAddress"])
        if not ipaddress.ip_address(address).is_loopback:
            ray.shutdown()
            raise ClusterError(
                f"Ray {ray.__version__} listens at {address} and not on the loopback alone, so --ray local is not "
                "safe with it: install the version that constraints.txt names, or start a cluster yourself with `ray "
                "start --head` and give --ray auto."
            )


def nodes(ray: Any) -> list[dict[str, float]]:
    """Resources of each machine of a cluster."""
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
