"""The notebook in examples/ runs from top to bottom on the default model, and shows tables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conftest import REPOSITORY
from linguabridge.cache import Cache

NOTEBOOKS = sorted((REPOSITORY / "examples").glob("*.ipynb"))


@pytest.mark.long
@pytest.mark.real_model
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebook_runs(file: Path, real_cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(real_cache.root))
    monkeypatch.setenv("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    notebook = nbformat.read(file, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # they would grow old
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("text/html" in output.get("data", {}) for output in shown) == 2  # tables
    assert any("neurons shared by Arabic and Hebrew" in output.get("text", "") for output in shown)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
