"""The studies that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from linguabridge import run_files

STUDY, RANKS, HOPS = run_files.STUDY, run_files.RANKS, run_files.HOPS  # in the folder of each study


def shipped_studies() -> dict[str, Path]:
    """Folders of the studies that come with the package, by name."""
    folder = Path(str(files("linguabridge").joinpath("data", "studies")))
    return {one.parent.name: one.parent for one in sorted(folder.glob(f"*/{STUDY}"))}
