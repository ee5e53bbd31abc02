"""The viewer's server: who may call it, what it answers, and that it follows its files."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from conftest import Ended
from linguabridge.commands import view as view_module
from linguabridge.commands.view import view
from linguabridge.errors import InputError
from linguabridge.progress import Reporter, recorded
from linguabridge.report.shell import Watched, placed
from linguabridge.report.viewer import serve
from linguabridge.report.watching import build_report, watch
from test_recommend import write_lexicon


@dataclass
class Viewed:
    """A viewer of one folder, whose report is the text of its file."""

    folder: Path
    address: str = ""
    built: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "result.txt"

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def build(self) -> str | None:
        if not self.file.exists():
            return None
        text = self.file.read_text("utf-8")
        self.built.append(text)
        if text == "damaged":
            raise InputError("result.txt is damaged; mend it.")
        if text == "bug":
            raise KeyError("a\nb")
        return f"<!doctype html><title>t</title><p>{text}"

    def get(self, route: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, route, headers=headers)
        reply = connection.getresponse()
        body = reply.read().decode()
        connection.close()
        return reply.status, dict(reply.getheaders()), body

    def state(self) -> dict[str, Any]:
        return json.loads(self.get("/state")[2])

    def wait(self, until: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        end = time.monotonic() + 20
        while not until(state := self.state()):
            assert time.monotonic() < end, state
            time.sleep(0.02)
        return state


@pytest.fixture
def viewed(tmp_path: Path) -> Iterator[Viewed]:
    one = Viewed(tmp_path / "run ‹x›")
    one.folder.mkdir()
    with serve(one.build, [Watched(one.folder.name, one.folder, (one.file,))]) as one.address:
        yield one


def write(file: Path, text: str) -> None:
    """At once, as results are written."""
    (file.parent / "new").write_text(text, "utf-8")
    (file.parent / "new").replace(file)


def test_it_listens_on_this_machine_only(viewed: Viewed) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", viewed.address)
    tables = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else ""
    for line in tables.splitlines()[1:]:
        local, _, state = line.split()[1:4]
        if state == "0A" and int(local.rpartition(":")[2], 16) == viewed.port:
            assert local.startswith("0100007F:")
    # Whatever else this machine is called, nothing listens there.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address of this machine in its network
            own = probe.getsockname()[0]
        except OSError:
            own = "127.0.0.1"
    if own != "127.0.0.1":
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((own, viewed.port), timeout=2).close()


def test_only_names_of_this_machine_are_answered(viewed: Viewed) -> None:
    port = viewed.port
    for good in (f"127.0.0.1:{port}", f"localhost:{port}", f"LocalHost:{port}", f"[::1]:{port}"):
        assert viewed.get("/", Host=good)[0] == 200
    wrong = ["evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1", f"127.0.0.1.evil.example:{port}", ""]
    for bad in (*wrong, f"localhost:{port}@evil.example", f"a@localhost:{port}", f"127.0.0.1:{port}, evil.example"):
        for route in ("/", "/report", "/state", "/nothing"):
            status, headers, body = viewed.get(route, Host=bad)
            assert (status, body) == (403, "Open this page by the address that linguabridge view printed.\n")
            assert headers["Content-Type"].startswith("text/plain")


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 404),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 404),
        (b"GET ../result.txt HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 404),
        (b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 404),
        (b"\xff\xfe\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: 127.0.0.1:PORT\r\n\r\n", 505),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_what_browsers_do_not_send_is_refused(viewed: Viewed, request_: bytes, status: int) -> None:
    reply = raw(viewed.port, request_.replace(b"PORT", str(viewed.port).encode()))
    assert b"root:" not in reply
    assert b"<" not in reply
    if reply.startswith(b"HTTP/"):  # what is no HTTP gets no head
        assert int(reply.split()[1]) == status
        assert b"nosniff" in reply
    assert viewed.get("/")[0] == 200


def test_there_are_three_routes_to_read(viewed: Viewed) -> None:
    write(viewed.file, "Ergebnis")
    viewed.wait(lambda state: state["version"])
    kinds = {"/": "text/html", "/report": "text/html", "/state": "application/json"}
    for route, kind in kinds.items():
        status, headers, body = viewed.get(route)
        assert status == 200
        assert headers["Content-Type"] == f"{kind}; charset=utf-8"
        head, its, nothing = viewed.get(route, "HEAD")
        assert (head, nothing, its["Content-Length"]) == (200, "", str(len(body.encode())))
    assert "Ergebnis" in viewed.get("/report")[2]
    for route in (
        "//",
        "/report/",
        "/report?x=1",
        "/state.json",
        "/favicon.ico",
        "/result.txt",
        "/%2e%2e/x",
        "*",
        "/?",
    ):
        assert viewed.get(route)[0] == (200 if route == "//" else 404), route  # the library makes one slash of two
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NONSENSE"):
        status, headers, body = viewed.get("/", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert body == "This server only shows pages.\n"


def test_every_answer_is_closed_to_other_pages(viewed: Viewed) -> None:
    write(viewed.file, "x")
    viewed.wait(lambda state: state["version"])
    for route, method in (("/", "GET"), ("/report", "GET"), ("/state", "GET"), ("/x", "GET"), ("/", "POST")):
        headers = viewed.get(route, method)[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Server"] == "linguabridge"
        expected = "frame-ancestors 'self'" if route == "/report" else "frame-ancestors 'none'"
        assert expected in headers["Content-Security-Policy"]


def test_the_shell_runs_its_own_script_and_style_only(viewed: Viewed) -> None:
    write(viewed.file, "x")
    viewed.wait(lambda state: state["version"])
    _, headers, page = viewed.get("/")
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    for name, pattern in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        (text,) = re.findall(pattern, page, re.DOTALL)
        assert policy[name] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert policy["connect-src"] == policy["frame-src"] == "'self'"
    assert (policy["base-uri"], policy["form-action"]) == ("'none'", "'none'")
    (frame,) = re.findall(r"<iframe[^>]*>", page)
    assert 'sandbox="allow-scripts allow-downloads"' in frame
    assert not re.findall(r"\b(?:on\w+|style)=", re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S))


def test_names_and_words_of_runs_are_no_markup(tmp_path: Path) -> None:
    folder = tmp_path / "<img src=x>&\udcff"
    folder.mkdir()
    evil = "</script><script>alert(1)</script>"
    watched = Watched(folder.name, folder, ())
    with recorded(Reporter(), folder) as reporter, reporter.step(evil, 1), serve(lambda: None, [watched]) as address:
        with urlopen(address, timeout=20) as reply:
            page = reply.read().decode()
        with urlopen(f"{address}state", timeout=20) as reply:
            state = json.loads(reply.read())
    assert "<img" not in page
    assert "alert(1)</script>" not in page
    assert state["runs"][0]["step"] == evil
    (data,) = re.findall(r'<script type="application/json" id="state">(.*?)</script>', page)
    assert json.loads(data)["runs"] == state["runs"]


def test_a_run_without_results_is_waited_for(viewed: Viewed) -> None:
    state = viewed.wait(lambda state: state["waiting"] != "Reading the results…")
    assert state["waiting"].startswith("There are no results yet.")
    with recorded(Reporter(), viewed.folder) as reporter, reporter.step("Reading neurons: Hebrew", 10) as advance:
        advance(4)
        state = viewed.state()
        assert state["waiting"] == "The run goes on. The report appears here as soon as there are results."
        assert state["runs"][0] | {"name": viewed.folder.name, "state": "running", "done": 0} == state["runs"][0]
        assert state["runs"][0]["words"] == "Reading neurons: Hebrew, 0 %"
        assert viewed.get("/report")[0] == 404
        write(viewed.file, "first")
        state = viewed.wait(lambda state: state["version"])
        assert (state["waiting"], state["standing"]) == ("", "")
        assert "first" in viewed.get("/report")[2]
    state = viewed.state()
    assert (state["runs"][0]["state"], state["runs"][0]["words"], state["standing"]) == ("finished", "", "finished")


def test_the_report_is_built_once_for_each_change(viewed: Viewed) -> None:
    write(viewed.file, "first")
    first = viewed.wait(lambda state: state["version"])["version"]
    threads = [threading.Thread(target=viewed.get, args=(route,)) for route in ("/", "/report", "/state") * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (viewed.folder / "progress.json").write_text("{}")
    (viewed.folder / "other.txt").write_text("")
    time.sleep(1.5)
    assert viewed.built == ["first"]
    write(viewed.file, "again")  # of the same length
    again = viewed.wait(lambda state: state["version"] != first)["version"]
    assert viewed.built == ["first", "again"]
    os.utime(viewed.file)
    end = time.monotonic() + 20
    while len(viewed.built) < 3:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert viewed.state()["version"] == again  # the same page is no new one
    viewed.file.unlink()
    viewed.wait(lambda state: state["version"] == "" and state["waiting"])


@pytest.mark.parametrize(
    ("text", "error"),
    [("damaged", "result.txt is damaged; mend it."), ("bug", "The report could not be made (KeyError: 'a\\nb').")],
)
def test_a_damaged_file_is_told_and_mended(viewed: Viewed, text: str, error: str) -> None:
    write(viewed.file, text)
    assert viewed.wait(lambda state: state["error"])["error"] == error
    assert viewed.state()["waiting"] == "There is no report yet. It appears here when that is mended."
    assert viewed.get("/report")[0] == 404
    write(viewed.file, "well")
    version = viewed.wait(lambda state: state["version"])["version"]
    assert viewed.state()["error"] == ""
    write(viewed.file, text)
    state = viewed.wait(lambda state: state["error"])
    assert state["version"] == version  # what there was stays
    assert "well" in viewed.get("/report")[2]


def test_it_ends_with_the_block_and_leaves_no_threads(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with serve(lambda: "x", []) as address:
        with urlopen(f"{address}state", timeout=20) as reply:
            assert reply.status == 200
        port = int(address.rstrip("/").rpartition(":")[2])
        with (
            pytest.raises(InputError, match=rf"Port {port} is in use; choose another with --port"),
            serve(lambda: "x", [], port=port),
        ):
            pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    with serve(lambda: "x", [], port=port) as again:  # at once, on the same port
        assert again == address
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(threading.enumerate()) <= before


def test_what_is_no_run_is_refused_before_anything_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module.webbrowser, "open", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr("linguabridge.report.viewer.serve", lambda *_, **__: pytest.fail("served"))
    with pytest.raises(InputError, match=r"nowhere does not exist; give the folder of a run"):
        view([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"holds no recommend\.json"):
        view([tmp_path])


def test_a_run_that_has_just_begun_can_be_viewed(tmp_path: Path) -> None:
    with recorded(Reporter(), tmp_path) as reporter:
        reporter.begin()
        found = watch(tmp_path)
    assert (found.name, found.folder) == (tmp_path.name, tmp_path)
    names = {str(file.relative_to(tmp_path)) for file in found.files}
    assert {"recommend.json", "spectrum.json", "summary.json", "items.parquet", "unfinished/summary.json"} <= names
    assert "progress.json" not in names
    assert build_report([tmp_path]) is None


def test_reports_of_runs_on_disk_are_served_as_they_are(
    run: Callable[..., Ended], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    for package in ("altair", "jinja2", "vl_convert"):
        pytest.importorskip(package, reason="needs the extra report")
    lexicon = write_lexicon(tmp_path / "own.tsv")
    words = ["--model", tiny_model("llama"), "--candidates", "de,fr", "--lexicon", lexicon, "--device", "cpu"]
    assert run("recommend", "en", "sw", *words, "--tokens", 200, "--probes", 30, "--no-check", "--out", "run").code == 0
    assert {path.name for path in Path("run").iterdir()} == {"progress.json", "recommend.json"}
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "progress.json").write_bytes(Path("run/progress.json").read_bytes())
    text = build_report([Path("run"), Path("begun"), Path("run")])
    assert text is not None
    assert "<title>English → Swahili" in text
    # What is served has one more script, and allows it.
    served = placed(text)
    scripts = re.findall(r"<script>(.*?)</script>", served, re.DOTALL)
    policy = unescape(re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', served)[0])
    hashes = {f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}" for script in scripts}
    assert hashes == set(re.findall(r"sha256-[\w+/=]+", policy.partition("script-src")[2].partition(";")[0]))
    for script in scripts:
        if script not in text:
            served = served.replace(f"<script>{script}</script>", "")
            one = f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}' "
            served = served.replace(one, "")
    assert served == text


def test_files_are_watched_with_those_beside_them(tmp_path: Path) -> None:
    for name in ("summary.json", "other.json"):
        (tmp_path / name).write_text("{}")
    assert watch(tmp_path / "other.json").files == (tmp_path / "other.json",)
    found = watch(tmp_path / "summary.json")
    assert (found.name, found.folder) == ("summary.json", None)
    assert {file.name for file in found.files} == {"summary.json", "items.parquet", "manifest.json"}


def start(*words: str) -> subprocess.Popen[str]:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a test run in the background ignores it
        "from linguabridge.cli import main\n"
        "main()"
    )
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.Popen([sys.executable, "-c", code, "view", *words], **pipes)


@pytest.mark.skipif(os.name != "posix", reason="sends Ctrl-C as POSIX systems do")
def test_the_command_prints_its_address_and_ends_well_at_ctrl_c(tmp_path: Path) -> None:
    with recorded(Reporter(), tmp_path) as reporter:
        reporter.begin()
    process = start(str(tmp_path), "--no-browser")
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urlopen(f"{address}state", timeout=20) as reply:
            assert json.loads(reply.read())["runs"][0]["name"] == tmp_path.name
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


def test_the_browser_is_opened_unless_it_shall_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(Reporter(), tmp_path) as reporter:
        reporter.begin()

    def end(_: float) -> None:
        raise KeyboardInterrupt

    opened: list[str] = []
    monkeypatch.setattr(view_module.webbrowser, "open", opened.append)
    monkeypatch.setattr(view_module.time, "sleep", end)
    view([tmp_path], port=0, no_browser=True)
    assert opened == []
    view([tmp_path, tmp_path], port=0, no_browser=False)
    (address,) = opened
    assert address.startswith("http://127.0.0.1:")
