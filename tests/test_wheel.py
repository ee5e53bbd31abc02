"""The wheel and the source archive: nothing is left behind in the repository, and the wheel alone does its work."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import REPOSITORY
from linguabridge.cache import Cache
from test_recommend import write_lexicon


def wheel_of(source: Path, folder: Path) -> Path:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(source)], check=True)
    (found,) = folder.glob("linguabridge-*.whl")
    return found


def tracked(folder: str) -> set[str]:
    """Files in the repository; none where there is no repository, as in an unpacked archive."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", folder], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return {name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).exists()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(REPOSITORY, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("archive")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (file,) = folder.glob("linguabridge-*.tar.gz")
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    return folder / file.name.removesuffix(".tar.gz")


def test_all_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    source = REPOSITORY / "src"
    wanted = {str(Path(name).relative_to("src")) for name in tracked("src")}
    if not wanted:
        wanted = {str(one.relative_to(source)) for one in source.rglob("*.py")}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


def test_all_that_tests_and_documentation_need_is_in_the_archive(unpacked: Path) -> None:
    wanted = tracked(".") or {str(one.relative_to(REPOSITORY)) for one in (REPOSITORY / "docs").iterdir()}
    missing = {name for name in wanted if not (unpacked / name).exists()}
    assert {name for name in missing if not name.startswith(".ci/")} == set()


def test_the_archive_makes_the_same_wheel(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    ours, theirs = zipfile.ZipFile(wheel), zipfile.ZipFile(wheel_of(unpacked, tmp_path))
    assert {one.filename: one.CRC for one in ours.infolist()} == {one.filename: one.CRC for one in theirs.infolist()}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that holds the wheel, what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [folder / "bin" / "python", "-m", "pip"]
    tried = [*pip, "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", folder / "tried", "packaging"]
    if subprocess.run(tried, check=False, capture_output=True).returncode:
        pytest.skip("pip cannot reach a package index")
    constraints = REPOSITORY / "constraints.txt"
    wanted = f"linguabridge[demo,report] @ {wheel.as_uri()}"
    subprocess.run([*pip, "install", "--quiet", "--constraint", constraints, wanted], check=True)
    return folder / "bin"


@pytest.mark.long
@pytest.mark.real_model
@pytest.mark.parametrize(
    ("pair", "options"),
    [
        ("ar he", "--candidates en,fr,sw"),  # the demo, smaller
        ("x-own de", "--candidates en,fr,es --lexicon words.tsv --bridge-words dictionary"),  # the tutorial, too
    ],
)
def test_a_clean_environment_goes_from_the_wheel_to_a_report(
    pair: str, options: str, installed: Path, real_cache: Cache, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"LINGUABRIDGE_CACHE": str(real_cache.root), "OMP_NUM_THREADS": str(os.cpu_count() or 1)}
    (tmp_path / "words.tsv").write_bytes((REPOSITORY / "examples" / "words.tsv").read_bytes())

    def call(line: str) -> str:
        ended = subprocess.run(
            [installed / "linguabridge", *line.split()],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    said = call(f"recommend {pair} {options} --tokens 300 --probes 40 --check 30 --out run")
    assert "Check on 30 held-out words" in " ".join(said.split())
    call("report run --out report.html")
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "gemma-3-270m" in report
    assert pair.split()[1] in report


@pytest.mark.long
def test_the_wheel_without_the_repository_recommends_and_reports(
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
