"""What SECURITY.md says of the source as a whole: no address without TLS, nothing unpacked, no pickle; and of archives,
which another library unpacks.
"""

from __future__ import annotations

import ast
import re
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


def test_members_of_a_data_sets_archive_that_lead_out_of_it_are_left_out(tmp_path: Path) -> None:
    """``datasets`` unpacks it, and what SECURITY.md says of that is true of the version that is installed."""
    import datasets

    root = tmp_path / "a" / "b" / "set"
    root.mkdir(parents=True)
    with zipfile.ZipFile(root / "sw.zip", "w") as archive:
        archive.writestr("rows.csv", "text\nmoja\n")
        for name in ("../evil.csv", "../../../../evil.csv", f"{tmp_path}/evil.csv"):
            archive.writestr(name, "text\nevil\n")
    (root / "README.md").write_text(
        "---\nconfigs:\n- config_name: sw\n  data_files:\n  - split: test\n    path: sw.zip\n---\n"
    )
    builder = datasets.load_dataset_builder(str(root), "sw", cache_dir=str(tmp_path / "a" / "cache"))
    builder.download_and_prepare()
    assert builder.as_dataset(split="test")["text"][:] == ["moja"]
    assert [file.name for file in tmp_path.rglob("*.csv")] == ["rows.csv"]
