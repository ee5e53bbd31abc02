"""What SECURITY.md says of the source as a whole: no address without TLS, nothing unpacked, no pickle; and of archives,
which another library opens.
"""

from __future__ import annotations

import ast
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY
from linguabridge.lexicons import muse
from linguabridge.tasks import math

SOURCE = REPOSITORY / "src"
# Modules that unpack archives, or run what they read.
REFUSED = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "tarfile", "zipfile"}
HERE = re.compile(r"http://(localhost|127\.0\.0\.1|\{ADDRESS\})[:/]")


def test_addresses_have_tls_unless_they_are_this_machine() -> None:
    assert math.BASE_URL.startswith("https://")
    assert muse.BASE_URL.startswith("https://")
    seen = set()
    for file in SOURCE.rglob("*"):
        if file.suffix in (".py", ".j2", ".js", ".css", ".json", ".toml", ".tsv"):
            text = file.read_text("utf-8")
            found = {text[at.start() :][:40] for at in re.finditer(r"http://[\w\[{]", text)}
            assert [one for one in found if not HERE.match(one)] == [], file
            seen |= found
    assert seen


def unsafe(code: str) -> Iterator[str]:
    """What code imports or calls that unpacks archives, or that runs what it reads."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.split(".")[0] in REFUSED)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in REFUSED:
            yield node.module
        elif isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}
            if called in ("import_module", "importlib.import_module", "__import__") and node.args:
                yield from (name for name in REFUSED if repr(name) == ast.unparse(node.args[0]))
            elif (
                called.endswith(("unpack_archive", "read_pickle"))
                or (called == "torch.load" and given.get("weights_only") != "True")
                or (called in ("np.load", "numpy.load") and given.get("allow_pickle") == "True")
            ):
                yield called


def test_nothing_is_unpacked_and_no_pickle_is_read() -> None:
    found = {file.name: list(unsafe(file.read_text("utf-8"))) for file in SOURCE.rglob("*.py")}
    assert len(found) > 150
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import os, tarfile", ["tarfile"]),
        ("def f():\n    from pickle import loads", ["pickle"]),
        ("import zipfile.x as y", ["zipfile.x"]),
        ("importlib.import_module('shelve')", ["shelve"]),
        ("torch.load(path)", ["torch.load"]),
        ("torch.load(path, weights_only=False)", ["torch.load"]),
        ("torch.load(path, weights_only=True)", []),
        ("np.load(path, allow_pickle=True)", ["np.load"]),
        ("shutil.unpack_archive(path)", ["shutil.unpack_archive"]),
        ("open_model('x', allow_pickle=True)", []),  # weights, by torch's reader of weights alone
    ],
)
def test_what_is_unsafe_would_be_seen(code: str, seen: list[str]) -> None:
    assert list(unsafe(code)) == seen


OUTSIDE = ("../evil.csv", "../../../../evil.csv")


def packed(folder: Path, kind: str, names: tuple[str, ...]) -> Path:
    """An archive of a table, and of tables under these names."""
    tables = {"rows.csv": b"text\nmoja\n", **dict.fromkeys(names, b"text\nevil\n")}
    path = folder / f"sw.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in tables.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w") as archive:
        for name, content in tables.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_a_data_sets_archive_of_tables_is_read_in_place(tmp_path: Path) -> None:
    """By ``datasets``: what SECURITY.md says of it is true of the version that is installed."""
    import datasets

    files, cache = {"test": str(packed(tmp_path, "zip", ()))}, str(tmp_path / "cache")
    builder = datasets.load_dataset_builder("csv", data_files=files, cache_dir=cache)
    builder.download_and_prepare()
    assert builder.as_dataset(split="test")["text"][:] == ["moja"]
    assert list(tmp_path.rglob("*.csv")) == []


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_where_an_archive_is_unpacked_nothing_leads_out_of_its_folder(kind: str, tmp_path: Path) -> None:
    from datasets import DownloadConfig, DownloadManager

    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    path = packed(deep, kind, (*OUTSIDE, f"{tmp_path}/evil.csv"))
    DownloadManager(download_config=DownloadConfig(cache_dir=deep / "cache")).extract(str(path))
    assert [file.relative_to(deep).parts[:2] for file in tmp_path.rglob("rows.csv")] == [("cache", "extracted")]
    assert list(tmp_path.rglob("evil.csv")) == []
