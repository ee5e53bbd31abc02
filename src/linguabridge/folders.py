"""Several files at once, or none of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from linguabridge.cache import MODE

_FOLDER_MODE = MODE | (MODE & 0o444) >> 2  # who may read a file may look into a folder


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files or none, where the disk is full as where the process is killed.

    A folder that is new is made under another name and renamed; where there is one, files are made in a folder in it
    and renamed one by one, in their order. Files of the same names are replaced.

    Raises:
        OSError: they cannot be written.
    """
    new = not folder.exists()
    if new:
        folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent if new else folder, prefix=".writing-"))
    try:
        for name, content in files.items():
            (scratch / name).write_bytes(content)
        if new:
            scratch.chmod(_FOLDER_MODE)
            scratch.rename(folder)
            return
        for name in files:
            (scratch / name).replace(folder / name)
        scratch.rmdir()
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
