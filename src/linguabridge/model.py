"""Language models: found, identified by their content, and loaded with their taps checked.

Finding is cheap and needs no torch (:func:`find_model`): it yields a folder and the hashes that results are kept under.
Loading (:func:`load_model`) happens when a result is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linguabridge import embedded
from linguabridge.cache import Cache, write_atomically
from linguabridge.errors import DownloadError, LinguabridgeError, ModelError, TooLongError
from linguabridge.neurons import NeuronSpace
from linguabridge.paths import exists, expanded, is_dir, is_file
from linguabridge.progress import Reporter
from linguabridge.quiet import quiet_transformers

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from linguabridge.cluster import ClusterOptions, Workers

DEFAULT_MODEL = embedded.NAME
_WEIGHTS = ("*.safetensors",)
_PICKLED = ("pytorch_model*.bin",)  # read only when asked to
_DESCRIPTION = ("config.json", "*.safetensors.index.json", "generation_config.json", "*.py")
CHAT_TEMPLATES = "chat_template*"  # no part of the identity: only prompts in a chat's form depend on them
_TOKENIZER = ("tokenizer*", "*.model", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True)
class ModelFiles:
    """A model on disk: where it is, and what it is (hashes of its content)."""

    name: str
    folder: Path
    revision: str | None  # commit on the hub, where it came from there
    weights_sha256: str
    config_sha256: str
    tokenizer_sha256: str

    @property
    def identity(self) -> dict[str, str]:
        """The part of every cache key that stands for this model."""
        return {"weights": self.weights_sha256, "config": self.config_sha256, "tokenizer": self.tokenizer_sha256}


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model: transformers' own objects, and where its neurons are read."""

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
        """Token numbers of a text, with BOS and the like as the tokenizer's own convention says."""
        return list(self.tokenizer(text, verbose=False).input_ids)

    def check_fits(self, tokens: int) -> None:
        """Refuse what is longer than the model can read: beyond its window it computes nonsense, or fails.

        Raises:
            TooLongError: there are more tokens than positions.
        """
        config = self.model.config.get_text_config(decoder=True)
        window = getattr(config, "max_position_embeddings", None)
        if isinstance(window, int) and tokens > window:
            raise TooLongError(
                f"A prompt with its answer takes {tokens:,} tokens, and {self.name} reads {window:,} at most; shorten "
                "the text, or give fewer shots."
            )

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Token numbers that are special (BOS and so on)."""
        return frozenset(self.tokenizer.all_special_ids)


@dataclass(frozen=True)
class ModelOptions:
    """How a model is loaded; all fields that change numbers are part of every cache key."""

    device: str = "auto"  # auto, map, cpu, cuda, cuda:1, mps
    dtype: str = "auto"  # auto, float32, bfloat16, float16
    taps: str | None = None  # module name with {layer}, where the search fails
    trust_remote_code: bool = False
    cluster: ClusterOptions | None = None  # workers that the model runs on; None for this process
    allow_pickle: bool = False  # read pickled weights where there are no others, by torch's restricted reader


def token_counts(model: LanguageModel, texts: Sequence[str]) -> NDArray[np.int64]:
    """Number of tokens of each text, special ones left out; shape (texts,)."""
    import numpy as np

    return np.array([sum(token not in model.special_ids for token in model.encode(text)) for text in texts], np.int64)


def find_model(name: str, cache: Cache, reporter: Reporter | None = None, *, allow_pickle: bool = False) -> ModelFiles:
    """Find a model's files and hash them.

    Args:
        name: the embedded default's name, a Hugging Face id, a local folder, or a GGUF file.
        cache: where converted models and remembered hashes are kept.
        reporter: shows what takes long; silent by default.
        allow_pickle: as in :class:`ModelOptions`.

    Raises:
        ModelError: nothing usable is there.
        DownloadError: the hub could not be reached.
    """
    reporter = reporter or Reporter()
    revision = None
    path = expanded(name)
    if not name.strip():
        raise ModelError(f"The model's name is empty; the default is {embedded.NAME}.")
    if name == embedded.NAME and not exists(path):
        from linguabridge.gguf import converted_folder

        folder = converted_folder(cache, embedded.SHA256, embedded.assemble, reporter)
    elif is_file(path):
        if path.suffix.lower() != ".gguf":
            raise ModelError(f"{path} is a file but not a GGUF file; --model takes a folder, a .gguf file or a hub id.")
        from linguabridge.gguf import converted_folder

        sha256 = file_sha256(path, cache)
        folder = converted_folder(cache, sha256, lambda _scratch: path.resolve(), reporter, path)
    elif is_dir(path):
        folder = path.resolve()  # workers on other machines have another working folder
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        folder, revision = _download(name, allow_pickle)
    else:
        raise ModelError(
            f"No model '{name}': it is no folder or GGUF file here, and no hub id (owner/name). "
            f"The default is {embedded.NAME}."
        )
    files = identify(name, folder, revision, cache, allow_pickle=allow_pickle)
    if allow_pickle and not _files(folder, _WEIGHTS):
        reporter.say(
            f"Warning: the weights of {name} are pickles, which --allow-pickle lets in; torch reads nothing but "
            "weights from them, but only safetensors are safe by design."
        )
    return files


def identify(name: str, folder: Path, revision: str | None, cache: Cache, *, allow_pickle: bool = False) -> ModelFiles:
    """Hash a model's files in a folder.

    Args:
        name: what the user called it.
        folder: of the model.
        revision: commit on the hub, where it came from there.
        cache: where hashes are remembered.
        allow_pickle: as in :class:`ModelOptions`.

    Raises:
        ModelError: there is no model whose weights can be loaded.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no model: there is no config.json in it.")
    weights = _files(folder, _WEIGHTS) or (_files(folder, _PICKLED) if allow_pickle else [])
    if not weights:
        other = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
        why = (
            f"{other[0].name} is a pickle, which can run code when it is loaded; convert it to safetensors first, or "
            "give --allow-pickle if you trust who made it"
            if other
            else "there are no safetensors in it"
        )
        raise ModelError(f"{folder} holds no weights that can be loaded: {why}.")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            wanted = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{index} is damaged: it is no index of weight files; download it again.") from error
        missing = sorted(wanted - {file.name for file in weights})
        if missing:
            raise ModelError(f"{folder} lacks {len(missing)} of {len(wanted)} weight files, {missing[0]} first.")
    return ModelFiles(
        name=name,
        folder=folder,
        revision=revision,
        weights_sha256=_combined(weights, cache),
        config_sha256=_combined(_files(folder, _DESCRIPTION), cache),
        tokenizer_sha256=_combined(_files(folder, _TOKENIZER), cache),
    )


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})


def _combined(files: list[Path], cache: Cache) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.name}\0{file_sha256(file, cache)}\n".encode())
    return whole.hexdigest()


def file_sha256(file: Path, cache: Cache) -> str:
    """SHA-256 of a file's content, remembered by its path, size and time of change.

    The hub's cache names large files by their SHA-256 already; it is taken from there.
    """
    real = file.resolve()
    if real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name):
        return real.name
    stat = real.stat()
    entry = cache.root / "hashes" / f"{hashlib.sha256(os.fsencode(real)).hexdigest()[:32]}.json"
    state = [str(real), stat.st_size, stat.st_mtime_ns]
    try:
        remembered = json.loads(entry.read_text("utf-8"))
        if remembered["state"] == state:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # nothing remembered, or nothing readable: hash again
    try:
        with real.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}).") from error
    with cache.writing():
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(entry, json.dumps({"state": state, "sha256": sha256}).encode())
    return sha256


def _download(name: str, allow_pickle: bool) -> tuple[Path, str | None]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    patterns = [*_WEIGHTS, *(_PICKLED if allow_pickle else ()), *_DESCRIPTION, *_TOKENIZER, CHAT_TEMPLATES]
    try:
        folder = Path(snapshot_download(name, allow_patterns=patterns))
    except GatedRepoError as error:
        raise DownloadError(f"{name} is gated: accept its terms on the hub and log in with `hf auth login`.") from error
    except RepositoryNotFoundError as error:
        raise DownloadError(
            f"The hub has no model '{name}', or it is private: check the id, or `hf auth login`."
        ) from error
    except HFValidationError as error:
        raise ModelError(f"'{name}' is no folder or file here, and no hub id (owner/name).") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise DownloadError(
            f"{name} is not on this machine and could not be downloaded (no network?); "
            f"pass --model with a local folder or a GGUF file, or use the default {embedded.NAME}."
        ) from error
    return folder, folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else None


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
    from linguabridge.taps import find_taps, input_embedding, refuse_unreadable, tap_space

    start_threads()
    options = options or ModelOptions()
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
        self._starting = threading.Lock()
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
            LinguabridgeError: as :func:`linguabridge.cluster.start_workers`.
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
        from linguabridge.cluster import LOCAL, start_workers
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
            from linguabridge.cluster import LOCAL, device_there

            if cluster.gpus == 0 and device == "auto":
                device = "cpu"
            elif cluster.address != LOCAL:  # its machines may have what this one has not
                return device_there(self.files, device, dtype, cluster, cache=self.cache, reporter=self._reporter)
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
