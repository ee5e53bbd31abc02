"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent.parent

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
