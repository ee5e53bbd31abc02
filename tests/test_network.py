"""No telemetry: the main job on a local model asks for no network, and does with none at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from test_recommend import write_lexicon

# Runs before anything of ours: whoever looks up a name or connects is written down, and refused.
WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        with open(os.environ["WATCHED"], "a") as file:
            print(event, arguments[:2], file=file)
        raise OSError(event)

sys.addaudithook(watch)
"""


@pytest.fixture
def command(tiny_model: Callable[[str], Path], tmp_path: Path) -> list[str]:
    lexicon = write_lexicon(tmp_path / "own.tsv")
    return [
        *(sys.executable, "-m", "linguabridge.cli", "recommend", "en", "sw", "--model", str(tiny_model("llama"))),
        *("--candidates", "de,fr", "--lexicon", str(lexicon), "--tokens", "200", "--probes", "30", "--check", "10"),
        *("--device", "cpu", "--out", str(tmp_path / "run")),
    ]


def test_the_main_job_looks_up_no_name_and_connects_to_nobody(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH, "utf-8")
    watched = tmp_path / "watched"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WATCHED": str(watched)}
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert not watched.exists(), watched.read_text()
    assert (tmp_path / "run").is_dir()


def test_the_watcher_watches(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH, "utf-8")
    watched = tmp_path / "watched"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WATCHED": str(watched)}
    asking = "import urllib.request; urllib.request.urlopen('http://example.org')"
    assert subprocess.run([sys.executable, "-c", asking], env=environment, stderr=subprocess.DEVNULL).returncode
    assert "getaddrinfo" in watched.read_text()


def test_the_main_job_does_without_any_network(command: list[str], tmp_path: Path) -> None:
    alone = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs Linux, and the right to be without a network (unshare)")
    subprocess.run([*alone, *command], check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "run").is_dir()
