"""What the machine does well: device, floating-point type, threads."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch

from linguabridge.errors import InputError, ModelError

MAP = "map"  # all accelerators of this machine, and its memory and disk for what they cannot hold
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str = "auto") -> str:
    """The device to compute on.

    Args:
        wanted: ``auto`` (an accelerator if there is one, else the CPU), ``map`` (the layers over all there are), or a
            name that torch knows.

    Raises:
        InputError: no such device here.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if wanted == MAP:
        return MAP
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"There is no device '{wanted}' on this machine; --device auto finds what there is."
        ) from error
    return str(device)


def choose_dtype(wanted: str, device: str, folder: Path) -> torch.dtype:
    """The type to compute in: the checkpoint's own where the hardware is good at it, else float32.

    Args:
        wanted: ``auto`` or a name of :data:`DTYPES`.
        device: from :func:`choose_device`.
        folder: the model's; its config.json names the checkpoint's type.

    Raises:
        InputError: an unknown name.
    """
    if wanted != "auto":
        if wanted not in DTYPES:
            raise InputError(f"Unknown dtype '{wanted}': choose one of auto, {', '.join(DTYPES)}.")
        return DTYPES[wanted]
    stored = _stored_dtype(folder)
    if stored == torch.float32:
        return stored
    if device == MAP:
        device = choose_device()
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device == "mps":
        return torch.float16
    return stored if stored == torch.bfloat16 and cpu_is_good_at_bfloat16() else torch.float32


def read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'} is damaged or cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{folder / 'config.json'} is damaged: it holds no settings.")
    return config


def _stored_dtype(folder: Path) -> torch.dtype:
    config = read_config(folder)
    text = config.get("text_config") or {}
    name = config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or text.get("torch_dtype")
    return DTYPES.get(str(name).removeprefix("torch."), torch.float32)


@cache
def cpu_is_good_at_bfloat16() -> bool:
    """Whether bfloat16 matrix products are clearly faster than float32 ones here, by trying.

    The margin keeps the answer, which results are kept under, the same from run to run on a busy machine. Without AMX
    or AVX512-BF16 in use they are up to hundreds of times slower, and processor flags do not tell.
    """
    return _seconds(torch.bfloat16) < 0.7 * _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    a = torch.ones(256, 256, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return best


def set_threads() -> None:
    """Use all cores this process may run on, unless OMP_NUM_THREADS says otherwise."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
