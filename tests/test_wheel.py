"""The wheel, installed by itself: nothing that the package needs is left behind in the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import REPOSITORY
from test_recommend import write_lexicon


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(REPOSITORY)], check=True)
    (found,) = folder.glob("linguabridge-*.whl")
    return found


def test_all_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    source = REPOSITORY / "src"
    tracked = subprocess.run(
        ["git", "ls-files", "--", "src"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    wanted = {str(Path(name).relative_to("src")) for name in tracked if name}
    if not wanted:  # no repository: an unpacked archive
        wanted = {str(one.relative_to(source)) for one in source.rglob("*.py")}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.long
def test_the_installed_wheel_recommends_and_reports(
    wheel: Path, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    place = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", place, wheel], check=True)
    environment = {**os.environ, "PYTHONPATH": str(place)}

    def call(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert call("-c", "import linguabridge; print(linguabridge.__file__)").startswith(str(place))
    lexicon = write_lexicon(tmp_path / "own.tsv")
    asked = ["en", "sw", "--model", str(tiny_model("llama")), "--candidates", "de,fr", "--lexicon", str(lexicon)]
    small = ["--tokens", "200", "--probes", "30", "--check", "10", "--device", "cpu", "--out", "run"]
    assert "English to Swahili" in call("-m", "linguabridge.cli", "recommend", *asked, *small)
    call("-m", "linguabridge.cli", "report", "run", "--out", "report.html")
    assert "English" in (tmp_path / "report.html").read_text("utf-8")
    assert "24 pairs" in call("-m", "linguabridge.cli", "study", "--from", "gemma-3-270m-dictionary")
