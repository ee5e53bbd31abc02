"""The files of a model: found under its name, and hashed: results are kept under what they were computed with."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from linguabridge import embedded
from linguabridge.cache import Cache, write_atomically
from linguabridge.errors import DownloadError, ModelError
from linguabridge.paths import exists, expanded, is_dir, is_file
from linguabridge.progress import Reporter

_WEIGHTS = ("*.safetensors",)
_PICKLED = ("pytorch_model*.bin",)  # read only when asked to
_DESCRIPTION = ("config.json", "*.safetensors.index.json", "generation_config.json", "*.py")
_ADAPTER = "adapter_config.json"  # fetched so that it is noticed
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
    if (folder / _ADAPTER).exists():
        # With peft installed transformers would apply it unasked; without, leave it out. Neither is what was hashed.
        raise ModelError(
            f"{folder} holds an adapter ({_ADAPTER}), which is not read: merge it into its model (peft's "
            "merge_and_unload) and give the folder of that, or move it away."
        )
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
            if not all(isinstance(name, str) for name in wanted):
                raise TypeError
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
    return combined_sha256({file.name: file_sha256(file, cache) for file in files})


def combined_sha256(by_name: Mapping[str, str]) -> str:
    """One hash for several files of a folder, from theirs by name; in the order of names."""
    lines = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(by_name.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()  # names of files need not be UTF-8


def file_sha256(file: Path, cache: Cache) -> str:
    """SHA-256 of a file's content, remembered by its path, size and time of change.

    The hub's cache names large files by their SHA-256 already; it is taken from there.
    """
    real = file.resolve()
    if real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name):
        return real.name
    status = real.stat()
    known = remembered(_entry(real, cache))
    if known is not None and known[:3] == (str(real), status.st_size, status.st_mtime_ns):
        return known[3]
    try:
        with real.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}).") from error
    remember_sha256(real, status, sha256, cache)
    return sha256


def remember_sha256(file: Path, status: os.stat_result, sha256: str, cache: Cache) -> None:
    """Remember the SHA-256 of a file's content.

    Args:
        file: without links on the way to it.
        status: of the file before it was read.
        sha256: of the content.
        cache: where it is remembered.

    Raises:
        CacheError: the cache cannot be written.
    """
    entry = _entry(file, cache)
    with cache.writing():
        entry.parent.mkdir(parents=True, exist_ok=True)
        state = [str(file), status.st_size, status.st_mtime_ns]
        write_atomically(entry, json.dumps({"state": state, "sha256": sha256}).encode())


def remembered(entry: Path) -> tuple[str, int, int, str] | None:
    """Path, size, time of change and SHA-256 of a file, as an entry remembers them; None where it holds none."""
    try:
        body = json.loads(entry.read_text("utf-8"))
        (path, size, changed), sha256 = body["state"], body["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # JSON may hold anything in these places: half a character, an infinite size, lists in lists.
    if [type(one) for one in (path, size, changed, sha256)] != [str, int, int, str]:
        return None
    return (path, size, changed, sha256) if re.fullmatch(r"[0-9a-f]{64}", sha256) else None


def _entry(file: Path, cache: Cache) -> Path:
    return cache.root / "hashes" / f"{hashlib.sha256(os.fsencode(file)).hexdigest()[:32]}.json"


def _download(name: str, allow_pickle: bool) -> tuple[Path, str | None]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    patterns = [*_WEIGHTS, *(_PICKLED if allow_pickle else ()), *_DESCRIPTION, *_TOKENIZER, CHAT_TEMPLATES, _ADAPTER]
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
