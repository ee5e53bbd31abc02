"""What runs on the workers' side: a process that loads the model once, then answers."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from linguabridge.cache import versions
from linguabridge.errors import ClusterError, InputError, ModelError
from linguabridge.texts import Text, lines_sha256

if TYPE_CHECKING:
    from linguabridge.cache import Cache
    from linguabridge.model import LanguageModel, ModelOptions
    from linguabridge.model_files import ModelFiles

R = TypeVar("R")


class Worker:
    """Runs in a process of its own: loads the model once, then answers.

    Args:
        files: of the model, as they are where the command was given.
        cache: where hashes of files are remembered.
        options: how the model is loaded.
        cores: to compute with.
    """

    def __init__(self, files: ModelFiles, cache: Cache, options: ModelOptions, cores: int) -> None:
        self.files = files
        self.cache = cache
        self.options = options
        self.cores = cores
        self._checked: set[tuple[Path, str]] = set()  # files of texts, and what they were found to hold

    @cached_property
    def model(self) -> LanguageModel:
        """The model, loaded when it is first needed."""
        # Not loaded where the worker is made: of what fails there, Ray gives no exception but a text.
        import torch

        from linguabridge.model import load_model

        torch.set_num_threads(self.cores)
        return load_model(_found_here(self.files, self.cache), self.options)

    def run(self, function: Callable[..., R], args: tuple[Any, ...], more: dict[str, Any]) -> tuple[R, bool]:
        """What a function gives for the model, and whether memory has been short in this process.

        Raises:
            ClusterError: a text among the arguments is read from a file, and another one is under that path here.
        """
        for one in (*args, *more.values()):
            if isinstance(one, Text) and one.file is not None and (one.file, one.sha256) not in self._checked:
                check_text(one, one.file)
                self._checked.add((one.file, one.sha256))
        found = function(self.model, *args, **more)
        from linguabridge.memory import was_full  # after the model: it needs torch

        return found, was_full()

    def loaded(self) -> dict[str, str]:
        """Load the model; the versions that it computes with."""
        _ = self.model
        return versions()


def check_text(text: Text, file: Path) -> None:
    """Refuse a text that is another one on this machine: results are kept under the content that the driver read.

    Raises:
        ClusterError: the file is not here, or holds something else.
    """
    way_out = "put the same file there, or on a disk that all machines share, and leave it as it is during the run"
    where = f"A worker on {platform.node()}"
    try:
        same = lines_sha256(text.lines()) == text.sha256
    except InputError as error:
        raise ClusterError(f"{where} cannot read the text {file}: {way_out}.") from error
    if not same:
        raise ClusterError(f"{where} finds another text in {file} than the run was started with: {way_out}.")


def device_here(files: ModelFiles, cache: Cache, device: str, dtype: str) -> tuple[str, str]:
    """Device and type that this machine would compute with.

    Raises:
        LinguabridgeError: no such device here, or not the same model.
    """
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
