"""Downloads come over an encrypted way alone, and are what was published; of each kind of file in its own tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sacrebleu.tokenizers import tokenizer_spm

from linguabridge import downloads
from linguabridge.downloads import fetch
from linguabridge.errors import DownloadError
from linguabridge.lexicons import muse
from linguabridge.tasks import math

CONTENT = b"en\tsw\n"
ELSEWHERE = "http://192.0.2.1/file"  # an address that is nobody's (RFC 5737)


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/file"
    server.shutdown()
    thread.join()
    server.server_close()


def content(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT)


def to(address: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def get(url: str, folder: Path, digest: str | None = None) -> Path:
    return fetch(url, folder / "kept", sha256=digest, publisher="Somebody", way_out="use another", timeout=5)


def test_what_others_could_exchange_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads.pooch, "retrieve", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(DownloadError) as refused:
        get(ELSEWHERE, tmp_path, sha256(CONTENT).hexdigest())
    assert str(refused.value) == f"{ELSEWHERE} is not fetched, for it is not encrypted (https://): use another."


@pytest.mark.parametrize("digest", [None, sha256(CONTENT).hexdigest()])
def test_redirections_are_followed_but_to_what_others_could_exchange(tmp_path: Path, digest: str | None) -> None:
    with ExitStack() as servers:
        there = servers.enter_context(serving(content))
        here = servers.enter_context(serving(to(there)))
        wrong = servers.enter_context(serving(to(ELSEWHERE)))
        twice = servers.enter_context(serving(to(wrong)))
        assert get(here, tmp_path / "good", digest).read_bytes() == CONTENT
        for url in (wrong, twice):
            with pytest.raises(DownloadError) as refused:
                get(url, tmp_path / "bad", digest)
            assert f"{url}, which leads to {ELSEWHERE}, is not fetched" in str(refused.value)
    assert list((tmp_path / "bad").iterdir()) == []


def test_another_sum_is_no_file_of_the_publishers_and_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    with serving(content) as url:
        with pytest.raises(DownloadError, match="is not the file that Somebody published: use another"):
            get(url, tmp_path, sha256(b"other").hexdigest())
        assert list(tmp_path.iterdir()) == []
        get(url, tmp_path, sha256(CONTENT).hexdigest())
    assert get(url, tmp_path, sha256(CONTENT).hexdigest()).read_bytes() == CONTENT


def test_publishers_are_asked_over_https() -> None:
    for url in (muse.BASE_URL, math.BASE_URL, tokenizer_spm.SPM_MODELS["flores200"]["url"]):
        assert url.startswith("https://")
