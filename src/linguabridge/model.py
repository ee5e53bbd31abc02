"""Language models: found, identified by their content, and loaded with their taps checked.

Finding is cheap and needs no torch (:mod:`linguabridge.model_files`): it yields a folder and the hashes that results
are kept under. Loading (:func:`load_model`) happens when a result is missing.
"""

from __future__ import annotations

import inspect
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from linguabridge.errors import LinguabridgeError, ModelError, TooLongError
from linguabridge.model_files import ModelFiles
from linguabridge.neurons import NeuronSpace
from linguabridge.quiet import quiet_transformers

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from linguabridge.cluster.options import ClusterOptions


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
