"""The documentation's tables of studies are what the command prints."""

from __future__ import annotations

import pytest
import study_docs

from linguabridge.study.shipped import shipped_studies

PAGE = study_docs.PAGE.read_text("utf-8")
BLOCKS = study_docs.blocks(PAGE)


def test_every_study_that_comes_along_is_shown() -> None:
    assert set(BLOCKS) == set(shipped_studies())


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_tables_are_the_commands(name: str) -> None:
    assert BLOCKS[name] == study_docs.output(name), "run scripts/study_docs.py"


def test_ways_are_those_that_the_command_lists() -> None:
    assert study_docs.ways(PAGE) == study_docs.ways_output(), "run scripts/study_docs.py"


def test_stability_is_what_the_command_says_of_its_results() -> None:
    assert study_docs.stability(PAGE) == study_docs.stability_output(), "run scripts/study_docs.py"
