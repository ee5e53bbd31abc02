"""Files that are fetched once and kept, checked by their SHA-256 wherever it is known."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pooch

from linguabridge.engines.server import is_private
from linguabridge.errors import CacheError, DownloadError

TIMEOUT = 30.0  # seconds without an answer


def fetch(url: str, file: Path, *, sha256: str | None, publisher: str, way_out: str, timeout: float = TIMEOUT) -> Path:
    """Download a file, unless it is there.

    Args:
        url: where it is; ``https://``, but on this machine.
        file: where it is kept. One that is there but has another sum is downloaded anew.
        sha256: of its content, in hexadecimal; None where its publisher does not tell: then what comes is taken as it
            is, and the caller has to check it.
        publisher: whose file it is, for messages.
        way_out: what to do where it cannot be had, as the end of a sentence.
        timeout: seconds without an answer after which it counts as not to be had.

    Returns:
        The file.

    Raises:
        DownloadError: it cannot be fetched, is not the file that was published, or others could exchange it on the
            way.
        CacheError: it cannot be written.
    """

    def check_next(response: Any, *_: object, **__: object) -> None:
        if response.is_redirect and not is_private(there := urljoin(response.url, response.headers["location"])):
            response.close()
            raise _exchangeable(f"{url}, which leads to {there},", way_out)

    if not is_private(url):
        raise _exchangeable(url, way_out)
    pooch.get_logger().setLevel(logging.WARNING)  # it would print lines of its own for every download
    try:
        downloader = pooch.HTTPDownloader(timeout=timeout, hooks={"response": check_next})
        found = pooch.retrieve(url, known_hash=sha256, fname=file.name, path=file.parent, downloader=downloader)
    except ValueError as error:  # the wrong sum: a changed file, or a captive portal's page
        raise DownloadError(f"{url} is not the file that {publisher} published: {way_out}.") from error
    except OSError as error:  # what requests raises is an OSError too
        disk = isinstance(error, (PermissionError, NotADirectoryError, FileExistsError))
        if disk or error.errno in {errno.EROFS, errno.ENOSPC}:
            raise CacheError(
                f"Cannot write to {file.parent}: free it, or set LINGUABRIDGE_CACHE to a folder."
            ) from error
        raise DownloadError(f"Cannot download {url}: {way_out}.") from error
    return Path(found)


def _exchangeable(what: str, way_out: str) -> DownloadError:
    """The error that says that others on the way could send something else."""
    return DownloadError(f"{what} is not fetched, for it is not encrypted (https://): {way_out}.")
