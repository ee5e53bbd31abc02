"""A report in the browser, by a server of this machine for this machine, that follows its runs as they go on.

Three routes, to be read only: ``/`` is a thin page that tells how far the runs are and holds the report in a frame,
``/report`` is the report, ``/state`` says what there is. The server listens on 127.0.0.1 alone, and answers only who
calls it by a name of this machine: otherwise a web page could have its own name point here, and read along.

One thread looks at the files and builds the report; those that answer requests only hand out what it has made.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from linguabridge.errors import InputError, LinguabridgeError
from linguabridge.report.inline import escaped_json
from linguabridge.report.shell import POLICY, Made, Watched, placed, shell, state

ADDRESS = "127.0.0.1"
_NAMES = (ADDRESS, "localhost", "[::1]")  # by which this machine calls itself
LOOK_SECONDS = 0.5  # how often the files are looked at

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_CLOSED = "default-src 'none'; frame-ancestors 'none'"


class _Builder:
    """Builds the report, once for each change of its files."""

    def __init__(self, build: Callable[[], str | None], watched: Sequence[Watched]) -> None:
        self.made = Made()  # replaced as a whole, so that who reads it needs no lock
        self.watched = watched
        self._build = build
        self._files = [file for one in watched for file in one.files]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="report", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(timeout=2)

    def _follow(self) -> None:
        built = seen = self._signature()
        self._renew()
        while not self._ended.wait(LOOK_SECONDS):
            now = self._signature()
            # A run writes several files in a row: they are read when they have come to rest.
            if now == seen and now != built:
                built = now
                self._renew()
            seen = now

    def _signature(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, self._files))

    def _renew(self) -> None:
        try:
            text = self._build()
        except LinguabridgeError as error:
            self.made = replace(self.made, error=str(error), looked=True)
        except Exception as error:  # the viewer goes on, and tries again when the files change
            what = f"{type(error).__name__}: {error}".replace("\n", " ")
            self.made = replace(self.made, error=f"The report could not be made ({what}).", looked=True)
        else:
            page = None if text is None else placed(text).encode("utf-8", "replace")
            version = "" if page is None else hashlib.sha256(page).hexdigest()[:16]
            self.made = Made(page, version, looked=True)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextlib.contextmanager
def serve(build: Callable[[], str | None], watched: Sequence[Watched], *, port: int = 0) -> Iterator[str]:
    """Serve a report until the end of the block.

    Args:
        build: gives the report, a whole page; None as long as there are no results. Called in a thread of its own:
            first at once, then after each change of the watched files.
        watched: the runs.
        port: of 127.0.0.1; 0 takes a free one.

    Yields:
        The address.

    Raises:
        InputError: the port cannot be had.
    """
    builder = _Builder(build, watched)
    try:
        server = _Server(builder, port)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise InputError(f"Port {port} {why}; choose another with --port, or leave it out for a free one.") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="viewer", daemon=True)
        builder.start()
        thread.start()
        try:
            yield f"http://{ADDRESS}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
            builder.end()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs have the same port

    def __init__(self, builder: _Builder, port: int) -> None:
        self.builder = builder
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        """Bind, without asking a name server for the name of the address, as the standard library does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, *_: Any) -> None:
        """Say nothing: browsers hang up as they please."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        if not self._is_called_rightly():
            self._refuse(HTTPStatus.FORBIDDEN, "Open this page by the address that linguabridge view printed.")
            return
        builder = self.server.builder
        made = builder.made
        if self.path == "/":
            self._send(HTTPStatus.OK, "text/html", shell(state(made, builder.watched)), POLICY)
        elif self.path == "/report" and made.page is not None:
            # The page says itself what it may load and run.
            self._send(HTTPStatus.OK, "text/html", made.page, "frame-ancestors 'self'")
        elif self.path == "/state":
            self._send(HTTPStatus.OK, "application/json", escaped_json(state(made, builder.watched)).encode(), _CLOSED)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")

    do_HEAD = do_GET  # noqa: N815 - a name of the standard library

    def send_error(self, code: int, *_: Any) -> None:
        """Answer what is no request for a page: another method, or no HTTP at all."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True
        self._refuse(status, "This server only shows pages.")

    def version_string(self) -> str:
        return "linguabridge"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _is_called_rightly(self) -> bool:
        port = self.server.server_port
        names = {f"{name}:{port}" for name in _NAMES} | {name for name in _NAMES if port == 80}
        hosts = self.headers.get_all("Host", [])
        return len(hosts) == 1 and hosts[0].strip().lower() in names

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self._send(status, "text/plain", f"{sentence}\n".encode(), _CLOSED)

    def _send(self, status: HTTPStatus, kind: str, content: bytes, policy: str) -> None:
        self.send_response(status)
        more = {"Allow": "GET, HEAD"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content))}
        for name, value in {**headers, "Content-Security-Policy": policy, **_HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
