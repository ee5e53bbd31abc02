"""Where workers run, what each asks for, and how a cluster is divided among them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linguabridge.errors import ClusterError, InputError

LOCAL = "local"  # a cluster of this machine alone, for this run alone
AUTO = "auto"  # the one that runs on this machine, or that this machine is part of
LEAST_OF_A_GPU = 0.0001  # Ray counts in such steps
ADDRESS = re.compile(r"(?P<host>[^\s:/]+):(?P<port>\d{1,5})")


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
        if self.address not in (LOCAL, AUTO) and not ADDRESS.fullmatch(self.address):
            raise InputError(f"--ray '{self.address}' is no address of a cluster; give local, auto or HOST:PORT.")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers} is no number of workers; give 1 or more.")
        if self.gpus is not None and not 0 <= self.gpus < float("inf"):
            raise InputError(f"--gpus-per-worker {self.gpus} is no number of GPUs; give 0 or more.")
        if self.gpus and self.gpus < LEAST_OF_A_GPU:
            raise InputError(
                f"--gpus-per-worker {self.gpus} is less of a GPU than Ray gives out; give {LEAST_OF_A_GPU} or more, or "
                "0 for none."
            )


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
