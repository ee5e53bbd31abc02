"""Models that are found at once and loaded, or started on workers, when a result needs them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from linguabridge import embedded
from linguabridge.cache import Cache
from linguabridge.errors import LinguabridgeError
from linguabridge.model import LanguageModel, ModelOptions, load_model
from linguabridge.model_files import ModelFiles, find_model
from linguabridge.progress import Reporter

if TYPE_CHECKING:
    from linguabridge.cluster.options import ClusterOptions
    from linguabridge.cluster.workers import Workers

DEFAULT_MODEL = embedded.NAME


class LazyModel:
    """A model that is found at once and loaded when a result needs it; results found in the cache need it not."""

    def __init__(
        self,
        files: ModelFiles,
        options: ModelOptions,
        cache: Cache,
        load: Callable[[ModelOptions], LanguageModel],
        reporter: Reporter,
    ) -> None:
        self.files = files
        self.options = options
        self.cache = cache
        self._load = load
        self._reporter = reporter
        self._starting, self._asking = threading.Lock(), threading.Lock()
        self._stopping = threading.Event()
        self._workers: Workers | None = None
        self._failed: LinguabridgeError | None = None

    @cached_property
    def loaded(self) -> LanguageModel:
        """The model itself, on the device and in the type that results are kept under.

        Raises:
            ModelError: as :func:`load_model`, or what is remembered of the machine no longer holds.
        """
        from linguabridge.hardware import check_choice

        check_choice(self.options.device, self.options.dtype, self.files.folder, self.cache)
        device, dtype = self.computes
        return self._load(replace(self.options, device=device, dtype=dtype))

    @property
    def workers(self) -> Workers:
        """The workers of the cluster that the options name, started when first needed.

        Raises:
            LinguabridgeError: as :func:`linguabridge.cluster.workers.start_workers`.
        """
        assert self.options.cluster is not None
        with self._starting:  # by one of several threads
            if self._failed is not None:  # none of them tries again
                raise self._failed
            if self._workers is None:
                try:
                    self._workers = self._started(self.options.cluster)
                except LinguabridgeError as error:
                    self._failed = error
                    raise
            return self._workers

    def _started(self, cluster: ClusterOptions) -> Workers:
        from linguabridge.cluster.options import LOCAL
        from linguabridge.cluster.workers import start_workers
        from linguabridge.hardware import check_choice

        device, dtype = self.computes
        if cluster.address == LOCAL and cluster.gpus != 0:
            check_choice(self.options.device, self.options.dtype, self.files.folder, self.cache)
        return start_workers(
            self.files,
            replace(self.options, device=device, dtype=dtype, cluster=None),
            cluster,
            cache=self.cache,
            reporter=self._reporter,
            stopping=self._stopping,
        )

    @property
    def at_a_time(self) -> int:
        """How many questions to have under way: as many as there are workers, and a few that wait for one."""
        cluster = self.options.cluster
        if cluster is None:
            return 1
        known = len(self._workers) if self._workers is not None else cluster.workers or os.cpu_count() or 1
        return known + 2

    def stop_workers(self) -> None:
        """Stop the workers, whatever they do, also where they are about to start; there are none from then on."""
        self._stopping.set()
        if self._workers is not None:
            self._workers.stop()

    @cached_property
    def computes(self) -> tuple[str, str]:
        """Device and type that the model computes with; torch is asked only where it is not remembered.

        Raises:
            InputError: a device or dtype that does not exist.
        """
        from linguabridge.hardware import remembered_choice

        device, dtype, cluster = self.options.device, self.options.dtype, self.options.cluster
        if cluster is not None:
            from linguabridge.cluster.options import LOCAL
            from linguabridge.cluster.workers import device_there

            if cluster.gpus == 0 and device == "auto":
                device = "cpu"
            elif cluster.address != LOCAL:  # its machines may have what this one has not
                with self._asking:  # by one of several threads; Ray tries for long where it is not let in
                    if self._failed is not None:
                        raise self._failed
                    try:
                        return device_there(
                            self.files, device, dtype, cluster, cache=self.cache, reporter=self._reporter
                        )
                    except LinguabridgeError as error:
                        self._failed = error
                        raise
        return remembered_choice(device, dtype, self.files.folder, self.cache)

    @cached_property
    def n_layers(self) -> int | None:
        """Number of layers as config.json promises it; None where it does not say."""
        from linguabridge.hardware import read_config

        config = read_config(self.files.folder)
        text = config.get("text_config") or {}
        for name in ("num_hidden_layers", "n_layer", "n_layers"):
            if isinstance(found := config.get(name, text.get(name)), int):
                return found
        return None

    @cached_property
    def key(self) -> dict[str, Any]:
        """The part of every cache key that stands for the model and how it computes."""
        device, dtype = self.computes
        return {
            **self.files.identity,
            "device": device.split(":")[0],
            "dtype": dtype,
            "taps": self.options.taps,
            "remote_code": self.options.trust_remote_code,
        }


def open_model(
    name: str = DEFAULT_MODEL,
    options: ModelOptions | None = None,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> LazyModel:
    """Find a model now and load it when it is first needed.

    Args:
        name: the embedded default's name, a Hugging Face id, a local folder, or a GGUF file.
        options: how it is loaded: device, dtype, taps, workers.
        cache: where converted weights and hashes are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        The model, which every function here that takes a ``model`` takes in place of a name.

    Raises:
        ModelError: nothing usable is there under this name.
        InputError: a device or dtype that does not exist.
    """
    from linguabridge.cache import default_cache_dir

    cache = cache or Cache(default_cache_dir())
    shown = reporter or Reporter()
    options = options or ModelOptions()
    files = find_model(name, cache, shown, allow_pickle=options.allow_pickle)

    def load(options: ModelOptions) -> LanguageModel:
        shown.say(f"Loading {name}.")
        return load_model(files, options)

    return LazyModel(files, options, cache, load, shown)
