"""Results kept on disk and found again by content.

An artefact is two files: ``<kind>/<digest>.safetensors`` with its arrays and ``<kind>/<digest>.json``, its manifest.
The digest is the SHA-256 of the key, everything the result depends on; the manifest repeats the key for people, with
the versions, the SHA-256 of the arrays, and a checksum over format, kind, key, facts and that: what was altered is
noticed, said, set aside and computed again. Arrays are written first and the manifest last, each by an atomic rename: a
killed run leaves nothing that looks whole, and several runs may share a cache.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache as memoise
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_dir
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from linguabridge.errors import CacheError, InputError
from linguabridge.paths import expanded

FORMAT = 2  # raise when the meaning of what is stored changes; what has another is not found, and computed again
Arrays = dict[str, NDArray[Any]]
_LOG = logging.getLogger(__name__)  # without handlers Python prints warnings to standard error


def default_cache_dir() -> Path:
    """The folder named by ``LINGUABRIDGE_CACHE``, else the user's cache folder of this system."""
    named = os.environ.get("LINGUABRIDGE_CACHE")
    return expanded(named) if named else Path(user_cache_dir("linguabridge"))


@dataclass(frozen=True)
class Artefact:
    """A stored result: its arrays, and its facts (anything JSON holds)."""

    arrays: Arrays
    facts: dict[str, Any]


@dataclass(frozen=True)
class Cache:
    """A folder of artefacts.

    Attributes:
        root: the folder, made when something is stored.
    """

    root: Path

    def __post_init__(self) -> None:
        """Refuse what is no path, in one sentence."""
        if not isinstance(self.root, Path) or "\0" in str(self.root):
            raise InputError(f"{self.root!r} is no path of a cache folder; give one, such as Path('results').")

    def get(self, kind: str, key: Mapping[str, Any]) -> Artefact | None:
        """The artefact stored under a key. A damaged one is set aside and counts as absent.

        Args:
            kind: what it is ("profile", "check"…), a folder name.
            key: everything the result depends on; JSON values only.

        Returns:
            The artefact; None where there is none.

        Raises:
            CacheError: the folder cannot be read.
        """
        data, manifest_path = self._paths(kind, key)
        try:
            manifest = json.loads(manifest_path.read_text("utf-8"))
            if digest(manifest["key"]) != digest(key) or not isinstance(manifest["facts"], dict):
                raise ValueError("another artefact under this name, or none")
            if manifest["kind"] != kind or manifest["checksum"] != checksum(manifest):
                raise ValueError("checksum of the manifest")
            arrays: Arrays = {}
            if manifest["sha256"] is not None:
                content = data.read_bytes()
                if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
                    raise ValueError("checksum")
                arrays = load_tensors(content)
            return Artefact(arrays, manifest["facts"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CacheError(f"The cache folder {self.root} cannot be read ({error.strerror}).") from error
        except (ValueError, KeyError, TypeError, RecursionError, SafetensorError):
            try:
                for path in (data, manifest_path):
                    set_aside(path)
                _LOG.warning("%s was damaged; it is set aside and computed again.", manifest_path)
            except OSError as error:
                _LOG.warning(
                    "%s is damaged and cannot be set aside (%s); it is passed over and computed again.",
                    manifest_path,
                    error.strerror,
                )
            return None

    def put(self, kind: str, key: Mapping[str, Any], arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Store an artefact; whoever stores the same key at the same time stores the same thing.

        Args:
            kind: as in :meth:`get`.
            key: as in :meth:`get`.
            arrays: by name, of any shape; may be empty.
            facts: the rest, JSON values only.

        Raises:
            CacheError: the folder cannot be written.
            InputError: key or facts are no JSON.
        """
        data, manifest_path = self._paths(kind, key)
        content = save_tensors({name: np.ascontiguousarray(a) for name, a in arrays.items()}) if arrays else None
        told = {
            "format": FORMAT,
            "kind": kind,
            "key": dict(key),
            "facts": dict(facts),
            "sha256": hashlib.sha256(content).hexdigest() if content is not None else None,
        }
        with _only_json("facts"):
            as_read = json.loads(json.dumps(told))  # lists, and texts for keys
        manifest = {
            **told,
            "checksum": checksum(as_read),
            "versions": versions(),
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        with self.writing():
            data.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                write_atomically(data, content)
            # Half a character, as a path may hold, is no UTF-8: JSON has an escape for it.
            text = json.dumps(manifest, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
            write_atomically(manifest_path, text)

    def computed(
        self, kind: str, key: Mapping[str, Any], compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> Artefact:
        """The artefact stored under this key; where there is none, what ``compute`` makes is stored and given.

        For what is computed from results that are kept themselves: a second run then loads neither those nor the
        packages that compute.

        Args:
            kind: as in :meth:`get`.
            key: as in :meth:`get`; with :func:`computed_by`, so that another way of computing is another question.
            compute: gives arrays and facts.

        Returns:
            The artefact, as it is read again.
        """
        if found := self.get(kind, key):
            return found
        arrays, facts = compute()
        self.put(kind, key, arrays, facts)
        return Artefact(arrays, json.loads(json.dumps(facts)))  # as it will be read: lists, not tuples

    def remove(self, kind: str, key: Mapping[str, Any]) -> None:
        """Remove what is stored under this key, if anything is: the manifest first, so that no half of it looks whole.

        Args:
            kind: as in :meth:`get`.
            key: as in :meth:`get`.

        Raises:
            CacheError: the folder cannot be written.
        """
        data, manifest_path = self._paths(kind, key)
        with self.writing():
            for path in (manifest_path, data):
                path.unlink(missing_ok=True)

    def check_writable(self) -> None:
        """Fail before a long computation rather than after it.

        Raises:
            CacheError: the folder cannot be made or written.
        """
        with self.writing():
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn failures of the file system into one sentence."""
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"The cache folder {self.root} cannot be written ({error.strerror}); set LINGUABRIDGE_CACHE "
                "to a folder you can write, with space left."
            ) from error

    def _paths(self, kind: str, key: Mapping[str, Any]) -> tuple[Path, Path]:
        with _only_json("key"):
            name = digest({"format": FORMAT, **key})[:32]
        return self.root / kind / f"{name}.safetensors", self.root / kind / f"{name}.json"


_UMASK = os.umask(0)
os.umask(_UMASK)
MODE = 0o666 & ~_UMASK  # what a file made in the ordinary way gets; temporary files are for their owner only


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: into a neighbour, then renamed over the target.

    A link's target is written, not the link replaced; a device or a pipe is written as it is.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(MODE)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def set_aside(path: Path) -> None:
    """Rename a damaged file or folder, so that nothing takes it for whole; what was set aside before gives way.

    Raises:
        OSError: it cannot be renamed. One that is gone is no error.
    """
    aside = path.with_name(f"{path.name}.damaged")
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside)
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside)


def digest(value: Any) -> str:
    """SHA-256, in hexadecimal, of a JSON value written in one canonical way."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@contextlib.contextmanager
def _only_json(what: str) -> Iterator[None]:
    """Refuse what cannot be written, in one sentence."""
    try:
        yield
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"The {what} of an artefact cannot be JSON ({error}); give texts, numbers, lists and dictionaries."
        ) from error


def checksum(manifest: Mapping[str, Any]) -> str:
    """What a manifest is sealed with: a SHA-256 over all that a run takes from it, and over its arrays by theirs.

    Raises:
        KeyError: it lacks something.
    """
    return digest({name: manifest[name] for name in ("format", "kind", "key", "facts", "sha256")})


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256, in hexadecimal, of an array's type, shape and values."""
    whole = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


@memoise
def computed_by(*modules: str) -> dict[str, str]:
    """What computes something from stored results: versions of packages, and of our own modules the content.

    A version number of our own would have to be raised by hand; content cannot be forgotten.

    Args:
        modules: files of this package, such as ``spectrum/support.py``; all that the numbers depend on.
    """
    ours = files("linguabridge")
    return {**versions(("torch", "numpy", "scipy")), **{name: _sha256(ours.joinpath(name)) for name in modules}}


def _sha256(file: Traversable) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def computing_versions() -> dict[str, str]:
    """Versions of what computes: another one may compute other numbers, so they are part of every measurement's key."""
    return versions(("torch", "transformers", "tokenizers"))


@memoise
def versions(
    packages: tuple[str, ...] = ("linguabridge", "torch", "transformers", "tokenizers", "numpy"),
) -> dict[str, str]:
    """Versions that results may depend on; of those packages that are installed. All of them stand in manifests."""
    found = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
