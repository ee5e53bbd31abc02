"""Questions about paths that users give, and reading what lies there without filling the memory.

pathlib raises where a name is longer than the file system takes, or ``~name`` is nobody's home; such a path just does
not exist.
"""

from __future__ import annotations

import codecs
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from linguabridge.errors import InputError

LARGEST = 256 * 2**20  # bytes of any file that is read whole
LONGEST_LINE = 1_000_000  # characters of a file that is read line by line; without line ends it would be read whole


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


def fault_of(text: str) -> str | None:
    """Why a text is not read that does not come as a line of a file, as the end of a sentence; None where it is.

    The limits are those of :func:`lines_of`.
    """
    if len(text) > LONGEST_LINE:
        return f"is longer than {LONGEST_LINE:,} characters"
    return "holds NUL characters" if "\0" in text else None


def lines_of(path: Path, newline: str | None = None) -> Iterator[tuple[int, str]]:
    """The lines of a text, with their ends, one at a time, with their numbers from 1.

    Args:
        path: of a file in UTF-8, with or without a byte-order mark.
        newline: what ends a line, as for :func:`open`.

    Raises:
        InputError: it cannot be read, is not UTF-8, holds NUL characters or a line longer than :data:`LONGEST_LINE`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as content:
            for number, line in enumerate(iter(lambda: content.readline(LONGEST_LINE + 1), ""), 1):
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"Line {number} of {path} is longer than {LONGEST_LINE:,} characters: break it into lines."
                    )
                if "\0" in line:
                    raise InputError(f"{path} is no text file: it holds NUL characters; save it as UTF-8.")
                yield number, line
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); convert it first.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error
