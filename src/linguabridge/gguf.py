"""GGUF files: read once by transformers, kept as safetensors and tokenizer.json, loaded from there in seconds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from linguabridge.cache import MODE, Cache, set_aside, versions
from linguabridge.errors import CacheError, InputError, LinguabridgeError, ModelError, first_line
from linguabridge.json_values import check_seal, json_text, sealed
from linguabridge.model_files import file_sha256, remember_sha256
from linguabridge.paths import exists
from linguabridge.progress import Reporter, Step
from linguabridge.quiet import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONVERTER = 1  # raise when conversions made so far must be made again
DONE = "converted.json"  # written last, in a folder that is whole
ROUNDING = 1e-4  # of the largest logit: what the same weights may compute otherwise in another place in memory
CONVERTING = ".converting-"  # how names of folders begin in which a conversion is under way
EARLIER = "an earlier version converted it, which kept no checksums"
_ABSENT = "it is not there"
_CONVERSION = "conversion"  # what converted.json says that it tells of


def folder_of(cache: Cache, sha256: str) -> Path:
    """Where the conversion of a GGUF file of this SHA-256 is kept; it need not be there."""
    return cache.root / "models" / f"{sha256[:32]}-{CONVERTER}"


def converted_folder(
    cache: Cache, sha256: str, provide: Callable[[Path], Path], reporter: Reporter, file: Path | None = None
) -> Path:
    """The folder that holds the converted model, made now if it is not there yet, or not as it was made.

    Conversion happens in a neighbouring folder that is renamed when it is whole and checked; other processes wait.
    A damaged conversion is set aside.

    Args:
        cache: where converted models are kept.
        sha256: of the GGUF file; part of the folder's name.
        provide: given a scratch folder, returns the path of the GGUF file (which may lie elsewhere).
        reporter: shows the progress of a conversion, and is told why one is made again.
        file: the GGUF file if it is there already; checked before anything is made.

    Raises:
        ModelError: the file cannot be read as GGUF, or transformers cannot read its architecture.
        CacheError: the cache cannot be read or written.
    """
    folder = folder_of(cache, sha256)
    if _unfit(folder, cache) is None:
        return folder
    if file is not None:
        reporter.say(f"Checking {file.name}.")
        _check_whole(file)
    with cache.writing():  # reading the file has errors of its own, see _convert
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            why = _unfit(folder, cache)
            if why is None:
                return folder
            prefix = f"{CONVERTING}{sha256[:16]}-"
            for left_behind in folder.parent.glob(f"{prefix}*"):  # by a killed run; the lock is ours
                shutil.rmtree(left_behind, ignore_errors=True)
            if why == EARLIER:
                reporter.say(f"The converted model in {folder} is converted again, once: {why}.")
            elif why != _ABSENT:
                set_aside(folder)
                reporter.say(
                    f"Warning: the converted model in {folder} was damaged ({why}); it is set aside and converted "
                    "again."
                )
            scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=prefix))
            try:
                whole = scratch / "whole"
                with reporter.step("Converting the GGUF file, once", 100) as advance, quiet_transformers():
                    _convert(provide(scratch), whole, advance)
                written = _seal(whole, sha256)
                if why == EARLIER:
                    folder.rename(scratch / "earlier")  # and goes with it
                whole.rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            for name, content_sha256 in written.items():  # what was just hashed is not hashed again when it is used
                made = (folder / name).resolve()
                remember_sha256(made, made.stat(), content_sha256, cache)
    return folder


def damage_of(folder: Path, sha256_of: Callable[[Path], str]) -> str | None:
    """What of a conversion is not as it was written.

    Args:
        folder: of the converted model.
        sha256_of: gives the SHA-256 of a file's content, as it is or as it is remembered.

    Returns:
        What, in words; :data:`EARLIER` where nothing tells what was written; None where all is as it was.

    Raises:
        OSError: something cannot be read.
    """
    try:
        body = json.loads((folder / DONE).read_text("utf-8"))
        if body.keys() <= {"gguf_sha256", "versions"} and body:
            return EARLIER
        check_seal(folder / DONE, body, _CONVERSION)
        if not isinstance(body["sha256"], str) or not folder.name.startswith(f"{body['gguf_sha256'][:32]}-"):
            raise TypeError
        written = [(folder / name, one["size"], one["sha256"]) for name, one in body["files"].items()]
    except FileNotFoundError:
        return f"{DONE} is missing"
    except (InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{DONE} is not what was written"
    for file, size, sha256 in written:
        try:
            if file.stat().st_size != size:
                return f"{file.name} has another size than what was written"
            if sha256_of(file) != sha256:
                return f"{file.name} is not what was written (SHA-256)"
        except FileNotFoundError:
            return f"{file.name} is missing"
    return None


def _unfit(folder: Path, cache: Cache) -> str | None:
    """Why a model must be converted; None where its conversion is there as it was written.

    Large files are not read for that: their SHA-256 are remembered by size and time of change, as all models' are.
    """
    try:
        return damage_of(folder, partial(file_sha256, cache=cache)) if exists(folder) else _ABSENT
    except OSError as error:
        raise CacheError(f"The converted model in {folder} cannot be read ({error.strerror}).") from error


def _seal(whole: Path, gguf_sha256: str) -> dict[str, str]:
    """Write down sizes and SHA-256 of a conversion's files, and let them be read as other files; SHA-256 by name."""
    files = {}
    for file in sorted(one for one in whole.rglob("*") if one.is_file()):
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        files[file.relative_to(whole).as_posix()] = {"size": file.stat().st_size, "sha256": sha256}
        file.chmod(MODE)
    told = sealed(_CONVERSION, {"gguf_sha256": gguf_sha256, "versions": versions(), "files": files})
    (whole / DONE).write_text(json_text(told), "utf-8")
    (whole / DONE).chmod(MODE)
    return {name: str(one["sha256"]) for name, one in files.items()}


def _convert(file: Path, target: Path, advance: Step) -> None:
    """Write config.json, model.safetensors (float32) and the tokenizer of a GGUF file, and check them.

    ``advance`` is told the shares of the time that the phases took when they were measured, in per cent.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    _check_whole(file)
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        advance(30)
        with _without_its_bar():
            loaded: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForCausalLM.from_pretrained(  # type: ignore[assignment]
                **where,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
            )
        advance(50)
        model, loading = loaded
        # transformers fills weights that are not there with random numbers, and only warns.
        if missing := sorted(loading["missing_keys"]):
            raise ModelError(f"{file.name} lacks {len(missing)} weights that its model needs, {missing[0]} first.")
        # The weights are plain float32 now; the configuration must not say otherwise.
        model.hf_quantizer = None  # type: ignore[assignment]
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
    except LinguabridgeError:
        raise
    except Exception as error:
        raise ModelError(
            f"transformers cannot read {file.name} as a GGUF language model: {first_line(error)}"
        ) from error
    with _failures_as_os_errors():
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
    advance(10)
    if not _computes_the_same(model, tokenizer, target):
        raise ModelError(
            f"{file.name} was converted, but the copy does not compute what the original does; "
            "please report this with the file's name."
        )


@contextmanager
def _failures_as_os_errors() -> Iterator[None]:
    """Raise as OSError what safetensors and tokenizers could not write: they say it only in words."""
    try:
        yield
    except Exception as error:
        if said := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(said[1]), os.strerror(int(said[1]))) from error
        raise


@contextmanager
def _without_its_bar() -> Iterator[None]:
    """Keep the bar that transformers' reader of GGUF draws, whatever its logging is set to, from ours."""
    from transformers import modeling_gguf_pytorch_utils as reader

    bar = getattr(reader, "tqdm", None)
    if bar is None:  # a version that draws none
        yield
        return
    reader.__dict__["tqdm"] = partial(bar, disable=True)
    try:
        yield
    finally:
        reader.__dict__["tqdm"] = bar


def _computes_the_same(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> bool:
    """Whether a saved copy encodes as the model does, has its weights to the last bit, and computes the same.

    What the same weights compute is the same to rounding only: libraries may add in another order where the weights
    begin at another place in memory (as MKL was seen to do on an AMD processor).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    text = "linguabridge العربية 日本語"
    again = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    weights, copied = model.state_dict(), again.state_dict()
    if weights.keys() != copied.keys() or not all(torch.equal(weights[name], copied[name]) for name in weights):
        return False
    ids = torch.tensor([tokenizer(text).input_ids])
    with torch.inference_mode():
        before, after = (m(ids, logits_to_keep=1).logits for m in (model, again))
    same_words = AutoTokenizer.from_pretrained(folder)(text).input_ids == ids[0].tolist()
    close = (before - after).abs().max() <= ROUNDING * before.abs().max()
    return bool(same_words and torch.isfinite(after).all() and close)


def _check_whole(file: Path) -> None:
    """Read the header and see that every tensor lies inside the file: a truncated download is named as such."""
    from gguf import GGUFReader

    try:
        with file.open("rb") as content:
            magic = content.read(4)
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}).") from error
    if magic != b"GGUF":
        raise ModelError(f"{file} is not a GGUF file (it does not begin with 'GGUF'); download it again.")
    try:
        reader = GGUFReader(file)
        end = max((int(t.data_offset + t.n_bytes) for t in reader.tensors), default=0)
    except Exception as error:
        raise ModelError(
            f"{file} is truncated or damaged: its GGUF header or tensors end too early; download it again."
        ) from error
    if end == 0 or end > file.stat().st_size:
        raise ModelError(f"{file} is truncated: its tensors end at byte {end}, the file before; download it again.")
