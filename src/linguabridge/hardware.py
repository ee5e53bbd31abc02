"""What the machine does well: device, floating-point type, threads.

Results are kept under the device and the type they are computed with, so that every run has to know them. Only torch
can tell, and torch takes seconds to import: what it said is remembered (:func:`remembered_choice`).
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from linguabridge.cache import Cache, versions
from linguabridge.errors import InputError, ModelError

MAP = "map"  # all accelerators of this machine, and its memory and disk for what they cannot hold
DTYPES = ("float32", "bfloat16", "float16")


def choose_device(wanted: str = "auto") -> str:
    """The device to compute on.

    Args:
        wanted: ``auto`` (a GPU if there is one that has 64-bit numbers, else the CPU), ``map`` (the layers over all
            there are), or a name that torch knows.

    Raises:
        InputError: no such device here.
    """
    if wanted in ("cpu", MAP):
        return wanted
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("mps"):
        raise InputError(
            f"--device {wanted} cannot be used: Apple's GPUs lack 64-bit numbers, which sums and likelihoods need; "
            "take --device cpu."
        )
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"There is no device '{wanted}' on this machine; --device auto finds what there is."
        ) from error
    return str(device)


def choose_dtype(wanted: str, device: str, folder: Path) -> str:
    """The type to compute in: the checkpoint's own where the hardware is good at it, else float32.

    Args:
        wanted: ``auto`` or a name of :data:`DTYPES`.
        device: from :func:`choose_device`.
        folder: the model's; its config.json names the checkpoint's type.

    Returns:
        A name of :data:`DTYPES`.

    Raises:
        InputError: an unknown name.
    """
    if wanted != "auto":
        if wanted not in DTYPES:
            raise InputError(f"Unknown dtype '{wanted}': choose one of auto, {', '.join(DTYPES)}.")
        return wanted
    stored = _stored_dtype(folder)
    if stored == "float32":
        return stored
    if device == MAP:
        device = choose_device()
    if device.startswith("cuda"):
        import torch

        # Not in the other type of 16 bits: float16 overflows where bfloat16 does not, and bfloat16 has fewer digits.
        return stored if stored == "float16" or torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return stored if stored == "bfloat16" and cpu_is_good_at_bfloat16() else "float32"


def remembered_choice(device: str, dtype: str, folder: Path, cache: Cache) -> tuple[str, str]:
    """Device and type as :func:`choose_device` and :func:`choose_dtype` give them; torch is asked once a machine.

    Where torch would say something else by now although the machine looks the same, :func:`check_choice` finds out
    before anything is computed.

    Args:
        device: wanted.
        dtype: wanted.
        folder: the model's.
        cache: where the answer is kept, under the machine, its accelerators as the system shows them, what
            in the environment concerns them, and the version of torch.

    Raises:
        InputError: no such device here, or an unknown type.
    """

    def ask() -> tuple[dict[str, Any], dict[str, str]]:
        chosen = choose_device(device)
        return {}, {"device": chosen, "dtype": choose_dtype(dtype, chosen, folder)}

    if device in ("cpu", MAP) and (dtype != "auto" or (device == "cpu" and _stored_dtype(folder) != "bfloat16")):
        found: Mapping[str, Any] = ask()[1]  # costs nothing: torch is not asked
    else:
        found = cache.computed("hardware", _choice_key(device, dtype, folder), ask).facts
    return found["device"], found["dtype"]


def check_choice(device: str, dtype: str, folder: Path, cache: Cache) -> None:
    """Ask torch again where it chose the device, and correct what is remembered.

    Raises:
        ModelError: it says something else now; what was found in the cache so far is of the other device.
    """
    chosen, _ = remembered_choice(device, dtype, folder, cache)
    if device == "auto" and (now := choose_device()) != chosen:
        facts = {"device": now, "dtype": choose_dtype(dtype, now, folder)}
        cache.put("hardware", _choice_key(device, dtype, folder), {}, facts)
        raise ModelError(
            f"This machine now computes on {now}, and did on {chosen} when it was last asked; that is corrected: run "
            "the same command again."
        )


def _choice_key(device: str, dtype: str, folder: Path) -> dict[str, Any]:
    stored = _stored_dtype(folder) if dtype == "auto" else None
    return {"device": device, "dtype": dtype, "stored": stored, "machine": _machine()}


# Beginnings of names; none under which somebody keeps a key.
_ENVIRONMENT = (
    "CUDA_", "NVIDIA_VISIBLE", "NVIDIA_DRIVER", "HIP_VISIBLE", "ROCR_VISIBLE", "HSA_OVERRIDE", "GPU_DEVICE_ORDINAL",
    "PYTORCH_", "OMP_", "MKL_", "LD_LIBRARY_PATH",
)  # fmt: skip
_DEVICES = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg", "dri/*")
_SYSTEM = ("driver/nvidia/version", "driver/nvidia/gpus/*/information")


def _machine() -> dict[str, Any]:
    """All that torch's answer may depend on, as far as it shows without torch; JSON values."""
    torch = importlib.util.find_spec("torch")  # finds it, and does not run it
    built = Path(torch.origin).with_name("version.py") if torch and torch.origin else None
    return {
        "torch": versions(("torch",)),
        "built": built.stat().st_mtime_ns if built and built.is_file() else None,
        "system": [platform.node(), platform.system(), platform.release(), platform.machine()],
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "devices": sorted(str(one) for pattern in _DEVICES for one in Path("/dev").glob(pattern)),
        "drivers": {str(one): _text(one) for pattern in _SYSTEM for one in sorted(Path("/proc").glob(pattern))},
        "environment": {name: value for name, value in os.environ.items() if name.startswith(_ENVIRONMENT)},
    }


def _processor() -> list[str]:
    """Name and flags of the first processor."""
    lines = _text(Path("/proc/cpuinfo")).partition("\n\n")[0].splitlines()
    return [line for line in lines if line.startswith(("model name", "flags", "Features"))] or [platform.processor()]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{folder / 'config.json'} is damaged or cannot be read ({error}): download the model again."
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("text_config") or {}, dict):
        raise ModelError(f"{folder / 'config.json'} is damaged: it holds no settings; download the model again.")
    return config


def _stored_dtype(folder: Path) -> str:
    config = read_config(folder)
    text = config.get("text_config") or {}
    name = config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or text.get("torch_dtype")
    stored = str(name).removeprefix("torch.")
    return stored if stored in DTYPES else "float32"


@cache
def cpu_is_good_at_bfloat16() -> bool:
    """Whether bfloat16 matrix products are clearly faster than float32 ones here, by trying.

    The margin keeps the answer, which results are kept under, the same from run to run on a busy machine. Without AMX
    or AVX512-BF16 in use they are up to hundreds of times slower, and processor flags do not tell.
    """
    return _seconds("bfloat16") < 0.7 * _seconds("float32")


def _seconds(dtype: str) -> float:
    import torch

    a = torch.ones(256, 256, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return best


_threads: list[int] = []  # what set_threads asked for, until torch is there


def set_threads() -> None:
    """Use all cores this process may run on, unless OMP_NUM_THREADS says otherwise; from when torch is imported."""
    if "OMP_NUM_THREADS" not in os.environ:
        _threads[:] = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    if "torch" in sys.modules:
        start_threads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, of torch's operations that this thread calls.

    For many small operations, such as kernels over some hundred probes: to share one among threads gains little, and to
    wait for a core that other processes use costs a hundred times more than that.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def start_threads() -> None:
    """Tell torch what :func:`set_threads` asked for; called by whatever computes with torch, before it does."""
    import torch

    if _threads:
        torch.set_num_threads(_threads.pop())
