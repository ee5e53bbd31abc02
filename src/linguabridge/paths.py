"""Questions about paths that users give, answered for any text.

pathlib raises where a name is longer than the file system takes, or ``~name`` is nobody's home; such a path just does
not exist.
"""

from __future__ import annotations

import codecs
import errno
import os
from pathlib import Path

from linguabridge.errors import InputError

LARGEST = 256 * 2**20  # bytes of any file that is read whole


def expanded(text: str) -> Path:
    """The path with ``~`` put in, where there is such a home."""
    return Path(os.path.expanduser(text))  # noqa: PTH111


def exists(path: Path) -> bool:
    """Whether there is such a file or folder."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether there is such a file."""
    return os.path.isfile(path)  # noqa: PTH113


def is_dir(path: Path) -> bool:
    """Whether there is such a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def content_of(path: Path, most: int = LARGEST) -> bytes:
    """What a file holds, or a pipe until it ends; a device that never ends is refused, not read until memory is full.

    Raises:
        OSError: it cannot be read, or is larger than that.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most // 2**20} MiB", str(path))
    return content


def text_of(content: bytes, path: Path, expected: str) -> str:
    """The text of a table that a user wrote: UTF-8, or UTF-16 with a byte-order mark.

    Args:
        content: of the file.
        path: of the file, for messages.
        expected: what the file should be, as the end of a sentence.

    Returns:
        The text, without a mark.

    Raises:
        InputError: it is no such text, or holds NUL characters.
    """
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (byte {error.start}): save it as UTF-8; {expected}.") from error
    if "\0" in text:
        raise InputError(f"{path} is no text file: it holds NUL characters; {expected}.")
    return text
