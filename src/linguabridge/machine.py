"""The hardware that computations run on, for people: names, memory, what torch sees of it."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Gpu:
    """An accelerator that torch sees; ``memory`` in bytes, None where it shares the machine's."""

    name: str
    memory: int | None


@dataclass(frozen=True)
class Machine:
    """The hardware.

    Attributes:
        system: name and version of the operating system.
        cpu: name of the processor.
        cores: that this process may use. threads: that torch computes with; None without torch.
        memory: bytes; the container's limit where there is a lower one. available: bytes of it that are free.
        gpus: accelerators that torch sees.
    """

    system: str
    cpu: str
    cores: int
    threads: int | None
    memory: int
    available: int
    gpus: tuple[Gpu, ...]


def read_machine(*, torch_works: bool) -> Machine:
    """Look at the hardware.

    Args:
        torch_works: whether torch may be asked.
    """
    import psutil  # type: ignore[import-untyped]

    memory = psutil.virtual_memory()
    limit = _container_limit()
    total = min(memory.total, limit) if limit else memory.total
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads, gpus = _torch_sees() if torch_works else (None, ())
    return Machine(platform.platform(), _cpu_name(), cores, threads, total, min(memory.available, total), gpus)


def _torch_sees() -> tuple[int, tuple[Gpu, ...]]:
    """Threads that a run would compute with, and accelerators."""
    import torch

    from linguabridge.hardware import set_threads

    set_threads()
    gpus = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    found = [Gpu(one.name, one.total_memory) for one in gpus]
    if torch.backends.mps.is_available():
        found.append(Gpu("Apple's GPU (MPS)", None))
    return torch.get_num_threads(), tuple(found)


def _container_limit() -> int | None:
    """Bytes of memory that this process's container may use, on Linux; None where there is no limit."""
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return int(Path(file).read_text("utf-8"))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def unused_gpu() -> str | None:
    """What to do where the system has a GPU of NVIDIA and torch does not see it."""
    import torch

    if not Path("/proc/driver/nvidia/version").exists() and shutil.which("nvidia-smi") is None:
        return None
    if torch.version.cuda is None:
        return (
            f"There is an NVIDIA driver, but torch {torch.__version__} is built without CUDA: install the build for "
            "it, see https://pytorch.org/get-started."
        )
    return "There is an NVIDIA driver, but torch sees no GPU: look at CUDA_VISIBLE_DEVICES and the driver's version."
