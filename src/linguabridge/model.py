"""Language models: found, identified by their content, and loaded with their taps checked.

Finding is cheap and needs no torch (:mod:`linguabridge.model_files`): it yields a folder and the hashes that results
are kept under. Loading (:func:`load_model`) happens when a result is missing.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from linguabridge import embedded
from linguabridge.cache import Cache
from linguabridge.errors import LinguabridgeError, ModelError, TooLongError
from linguabridge.model_files import ModelFiles, find_model
from linguabridge.neurons import NeuronSpace
from linguabridge.progress import Reporter
from linguabridge.quiet import quiet_transformers

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from linguabridge.cluster.options import ClusterOptions
    from linguabridge.cluster.workers import Workers

DEFAULT_MODEL = embedded.NAME


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model: transformers' own objects, and where its neurons are read.

    Attributes:
        files: its folder and name.
        model: transformers' model, in evaluation mode.
        tokenizer: transformers' tokenizer.
        taps: name of the module that each layer's neurons are read at, in order.
        space: its neurons.
    """

    files: ModelFiles
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    taps: tuple[str, ...]
    space: NeuronSpace

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.files.name

    @property
    def device(self) -> torch.device:
        """Where its input goes."""
        from linguabridge.taps import input_embedding

        return input_embedding(self.model).device

    @property
    def dtype(self) -> torch.dtype:
        """Type it computes in."""
        return self.model.dtype

    def encode(self, text: str) -> list[int]:
        """Token numbers of a text, with BOS and the like as the tokenizer's own convention says.

        Args:
            text: any, also empty.

        Returns:
            The numbers, in order.
        """
        return list(self.tokenizer(text, verbose=False).input_ids)

    @property
    def window(self) -> int | None:
        """Number of tokens it can read at once; None where nothing limits them."""
        found = getattr(self.model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        return found if isinstance(found, int) else None

    def check_fits(self, tokens: int) -> None:
        """Refuse what is longer than the model can read: beyond its window it computes nonsense, or fails.

        Args:
            tokens: number of tokens of the input.

        Raises:
            TooLongError: there are more tokens than positions.
        """
        if self.window is not None and tokens > self.window:
            raise TooLongError(
                f"A prompt with its answer takes {tokens:,} tokens, and {self.name} reads {self.window:,} at most; "
                "shorten the text, or give fewer shots."
            )

    @cached_property
    def takes(self) -> frozenset[str]:
        """Names of the arguments that a forward pass takes."""
        return frozenset(inspect.signature(self.model.forward).parameters)

    def earlier(self, cache: Any) -> dict[str, Any]:
        """Keys and values of earlier tokens as an argument of a forward pass.

        Args:
            cache: transformers' cache of them; None for none.

        Returns:
            The argument under its name, which transformers changed in 5.24.
        """
        return {"cache" if "cache" in self.takes else "past_key_values": cache}

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Token numbers that are special (BOS and so on)."""
        return frozenset(self.tokenizer.all_special_ids)


@dataclass(frozen=True)
class ModelOptions:
    """How a model is loaded; all fields that change numbers are part of every cache key.

    Attributes:
        device: ``auto``, ``map``, ``cpu``, ``cuda`` or ``cuda:1``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        taps: module name with ``{layer}``, where the search fails.
        trust_remote_code: run code that comes with the model.
        cluster: workers that the model runs on; None for this process.
        allow_pickle: read pickled weights where there are no others, by torch's restricted reader.
    """

    device: str = "auto"
    dtype: str = "auto"
    taps: str | None = None
    trust_remote_code: bool = False
    cluster: ClusterOptions | None = None
    allow_pickle: bool = False


def token_counts(model: LanguageModel, texts: Sequence[str]) -> NDArray[np.int64]:
    """Number of tokens of each text, special ones left out; shape (texts,)."""
    import numpy as np

    return np.array([sum(token not in model.special_ids for token in model.encode(text)) for text in texts], np.int64)


def load_model(files: ModelFiles, options: ModelOptions | None = None) -> LanguageModel:
    """Load a model in evaluation mode and check its taps.

    Args:
        files: from :func:`find_model`.
        options: device, dtype, taps.

    Raises:
        ModelError: transformers cannot load it, its vocabulary is smaller than its tokenizer's, its values are not
            finite, or its neurons cannot be read.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from linguabridge.hardware import MAP, choose_device, choose_dtype, start_threads
    from linguabridge.model_config import brings_code, check_config
    from linguabridge.taps import find_taps, input_embedding, refuse_unreadable, tap_space

    start_threads()
    options = options or ModelOptions()
    check_config(files.folder, files.name, trust_remote_code=options.trust_remote_code)
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device, files.folder)
    scratch = None
    with quiet_transformers():
        try:
            config = AutoConfig.from_pretrained(files.folder, trust_remote_code=options.trust_remote_code)
            refuse_unreadable(config, files.name)  # transformers may load the decoder of such a model alone
            tokenizer = AutoTokenizer.from_pretrained(files.folder, trust_remote_code=options.trust_remote_code)
            if device == MAP:
                # What neither device nor memory can hold is read from the checkpoint's own files, except where
                # transformers stores it otherwise than it computes with it (experts); that it writes anew.
                scratch = tempfile.TemporaryDirectory(prefix="linguabridge-", ignore_cleanup_errors=True)
            loaded: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForCausalLM.from_pretrained(  # type: ignore[assignment]
                files.folder,
                output_loading_info=True,
                dtype=dtype,
                device_map={"cpu": None, MAP: "auto"}.get(device, device),
                **({"offload_folder": scratch.name} if scratch else {}),
                use_safetensors=None if options.allow_pickle else True,
                trust_remote_code=options.trust_remote_code,
            )
        except LinguabridgeError:
            raise
        except Exception as error:
            if scratch:
                scratch.cleanup()
            if brings_code(files.folder) and not options.trust_remote_code:
                raise ModelError(
                    f"{files.name} comes with code of its own, which is not run unless --trust-remote-code allows it: "
                    "give it if you trust who made the model, else another --model."
                ) from error
            first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise ModelError(
                f"transformers cannot load {files.name}: {first.rstrip('.')}; see that its files are whole, or give "
                "another --model."
            ) from error
    model, loading = loaded
    if scratch:
        weakref.finalize(model, scratch.cleanup)
    # transformers fills weights that are not there with random numbers, and only warns.
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(
            f"{files.name} lacks {len(missing)} weights of a {type(model).__name__}, {missing[0]} first: "
            "it is incomplete, or no causal language model."
        )
    model.eval()  # type: ignore[no-untyped-call]
    rows = input_embedding(model).shape[0]
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= rows and _used_beyond(tokenizer, rows):
        raise ModelError(
            f"The tokenizer of {files.name} has token {largest}, but the model knows only {rows}: "
            "they do not belong together."
        )
    taps = find_taps(model, options.taps)
    _check_finite(model, tokenizer, files.name)
    return LanguageModel(files, model, tokenizer, taps, tap_space(model, taps))


def _used_beyond(tokenizer: PreTrainedTokenizerBase, rows: int) -> bool:
    # Some tokenizers carry a few added tokens that text never yields; only those may lie beyond the embedding.
    added = set(tokenizer.get_added_vocab().values())
    return any(number >= rows and number not in added for number in tokenizer.get_vocab().values())


def _check_finite(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    import torch

    from linguabridge.taps import input_embedding

    # By the weights, too: attention on a CPU can turn NaN into 0.
    for key, weight in model.named_parameters():
        if weight.is_meta:  # not here but in memory or on disk, fetched for each pass (--device map)
            continue
        # Of the 8-bit types of quantised weights, torch cannot ask all.
        if not bool(torch.isfinite(weight.float() if weight.element_size() == 1 else weight).all()):
            raise ModelError(
                f"The weights of {name} are not finite (NaN or infinity) in {model.dtype}, {key} first: "
                "they are damaged, or try --dtype float32."
            )
    ids = torch.tensor([tokenizer("linguabridge").input_ids], device=input_embedding(model).device)
    with torch.inference_mode():
        hidden = model.base_model(input_ids=ids, use_cache=False)[0]
    if not bool(torch.isfinite(hidden).all()):
        raise ModelError(
            f"{name} computes values that are not finite (NaN or infinity) in {model.dtype}: "
            "its weights are damaged, or try --dtype float32."
        )


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
