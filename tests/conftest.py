"""What all tests share."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from fake_server import Fake, Replies
    from linguabridge.cache import Cache
    from linguabridge.model import LanguageModel
    from linguabridge.report.runs import Run
    from small_runs import Small, Undisturbed
    from task_data import Hub

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts; tiny models lose time to more threads
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # and threads that spin while they wait slow other processes down

# sacrebleu looks here for spBLEU's tokenizer, and would fetch it; a file where a folder is needed keeps it from trying.
os.environ.setdefault("SACREBLEU", os.devnull)

REPOSITORY = Path(__file__).parent.parent
sys.path.append(str(REPOSITORY / "scripts"))  # screenshot.py starts the same browser as tests do

# The same examples on every run, and no folder left behind: a failure in CI is one that can be repeated here.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=100)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give ``shared_data(name)``: a file or folder of the test data, which are no part of the repository.

    They lie in the folder that LINGUABRIDGE_TEST_DATA names, or in ../shared/data. A test that needs one that is not
    there is skipped.
    """
    root = Path(os.environ.get("LINGUABRIDGE_TEST_DATA") or REPOSITORY.parent / "shared" / "data")

    def find(name: str) -> Path:
        path = root / name
        if not path.exists():
            pytest.skip(f"needs the test data {name}: set LINGUABRIDGE_TEST_DATA to the folder that holds it")
        return path

    return find


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """For tests on the default model: an empty cache, which all processes share and in which it is converted once.

    LINGUABRIDGE_TEST_CACHE names another, which saves the conversion when tests run again.
    """
    from linguabridge.cache import Cache

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Cache(Path(os.environ.get("LINGUABRIDGE_TEST_CACHE") or shared / "real"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path_factory.getbasetemp() / "linguabridge-cache"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give ``tiny_model(family)``: the folder of a random model of this family (``tests/tiny.py`` lists them)."""
    import tiny

    root = tmp_path_factory.mktemp("tiny")

    def folder(family: str) -> Path:
        path = root / family
        return path if path.exists() else tiny.save(path, family)

    return folder


@pytest.fixture(scope="session")
def tiny_loaded(
    tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], LanguageModel]:
    """Give ``tiny_loaded(family)``: the same, loaded on the CPU in float32. Tests must not change it."""
    from linguabridge.cache import Cache
    from linguabridge.model import ModelOptions, load_model
    from linguabridge.model_files import find_model

    cache = Cache(tmp_path_factory.mktemp("hashes"))

    @functools.cache
    def load(family: str) -> LanguageModel:
        return load_model(find_model(str(tiny_model(family)), cache), ModelOptions("cpu", "float32"))

    return load


@pytest.fixture(scope="session")
def small_job(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Small:
    """What small runs ask; see ``tests/small_runs.py``."""
    import small_runs

    return small_runs.small(tiny_model("llama"), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def undisturbed(small_job: Small, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Undisturbed]:
    """Give ``undisturbed(name)``: what a small run of this command finds when nothing disturbs it."""
    import small_runs

    @functools.cache
    def run(name: str) -> Undisturbed:
        return small_runs.undisturbed(small_job, name, tmp_path_factory.mktemp(name))

    return run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Stands in for the hub of data sets, empty at first."""
    from task_data import Hub

    return Hub(monkeypatch)


@pytest.fixture(scope="session")
def evaluation_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A made-up evaluation, written and read back."""
    from report_sections import written_evaluation

    return written_evaluation(tmp_path_factory.mktemp("evaluation"))


@pytest.fixture
def start() -> Iterator[Callable[[Replies], Fake]]:
    """Give ``start(reply)``: a server in this process that answers by this function; see ``tests/fake_server.py``."""
    import fake_server

    with fake_server.servers() as run:
        yield run


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server of files, and the folder that they lie in."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium: the one that LINGUABRIDGE_CHROMIUM names, or PATH holds."""
    import screenshot
    from playwright.sync_api import sync_playwright

    file = screenshot.find_chromium()
    if file is None:
        pytest.skip("needs Chromium: apt-get install chromium, or name it in LINGUABRIDGE_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=file, args=screenshot.ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ended]:
    """Run the command line in this process, as the installed command does."""
    from linguabridge import cli

    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)

    def once(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["linguabridge", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return once
