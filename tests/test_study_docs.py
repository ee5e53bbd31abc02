"""The documentation's tables of studies are what the command prints."""

from __future__ import annotations

import pytest
import study_docs

from linguabridge.study.shipped import shipped_studies

BLOCKS = study_docs.blocks(study_docs.PAGE.read_text("utf-8"))


def test_every_study_that_comes_along_is_shown() -> None:
    assert set(BLOCKS) == set(shipped_studies())


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_tables_are_the_commands(name: str) -> None:
    assert BLOCKS[name] == study_docs.output(name), "run scripts/study_docs.py"
