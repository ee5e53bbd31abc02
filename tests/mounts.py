"""Disks of a process's own, which end with it: small ones, and such that cannot be written. On Linux, as root."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS


def own_mounts() -> None:
    """What this process mounts from now on, no other one sees.

    Raises:
        OSError: it may not mount, or the system has no such thing.
    """
    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is None or unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _mount("--make-rprivate", "/")


def small_disk(folder: Path, kib: int) -> None:
    """Put an empty disk of so many KiB over a folder, or change the size of the one that lies there."""
    size = f"size={kib}k"
    if folder.is_mount():
        _mount("-o", f"remount,{size}", str(folder))
    else:
        _mount("-t", "tmpfs", "-o", size, "tmpfs", str(folder))


def read_only(folder: Path) -> None:
    """Let nobody write into a folder, whatever its permissions say: root ignores those."""
    _mount("--bind", str(folder), str(folder))
    _mount("-o", "remount,bind,ro", str(folder))


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise OSError(error.returncode, error.stderr.decode()) from error
