"""The public interface: what is named is there, is on docs/api.md, and its docstrings say what goes in and out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any

import pytest

import linguabridge
from conftest import REPOSITORY

STUDIES = ("study_ways", "stability")  # what they give is described by its class
# Classes that are handed on from one function to another, or whose methods pass on what a function of their own
# module describes.
HANDED_ON = ("Cache", "Measurements")
PASSING_ON = (*HANDED_ON, "Study", "Stability")


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public functions, those of public modules, and methods of public classes that take anything."""
    for name in linguabridge.__all__:
        found = getattr(linguabridge, name)
        if inspect.ismodule(found):
            for inner, one in vars(found).items():
                if inspect.isfunction(one) and one.__module__ == found.__name__ and not inner.startswith("_"):
                    yield f"{name}.{inner}", one
        elif inspect.isclass(found) and name not in PASSING_ON:
            for inner, one in vars(found).items():
                method = getattr(one, "__func__", one)
                if inspect.isfunction(method) and not inner.startswith("_") and len(parameters(method)) > 0:
                    yield f"{name}.{inner}", method
        elif callable(found) and not inspect.isclass(found):
            yield name, inspect.unwrap(found)


def parameters(function: Callable[..., Any]) -> list[str]:
    return [one for one in inspect.signature(function).parameters if one not in ("self", "cls")]


FUNCTIONS = dict(functions())


def test_every_public_name_is_on_the_page_and_nothing_else() -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text("utf-8")
    named = re.findall(r"(?m)^::: linguabridge\.(\S+)$", page)
    assert sorted(named) == sorted(linguabridge.__all__)


def test_names_are_sorted_and_listed() -> None:
    assert list(linguabridge.__all__) == sorted(linguabridge.__all__)
    assert dir(linguabridge) == sorted(linguabridge.__all__)


def test_all_names_are_there_and_importing_loads_no_torch() -> None:
    code = "import sys, linguabridge; assert 'torch' not in sys.modules; from linguabridge import *; print(study_ways)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "function study" in ended.stdout


def test_there_are_many_functions() -> None:
    assert {"recommend", "NeuronSet.jaccard", "dependence.score", "routes.read_routes"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_says_what_goes_in_and_out(name: str) -> None:
    function = FUNCTIONS[name]
    text = inspect.getdoc(function) or ""
    for one in parameters(function):
        assert re.search(rf"(?m)^    {one}: ", text), one
    given = inspect.signature(function).return_annotation
    if given not in ("None", None) and name not in STUDIES:
        assert "\nReturns:\n" in text or "\nYields:\n" in text
    if "raise " in inspect.getsource(function):
        assert "\nRaises:\n" in text


@pytest.mark.parametrize(
    "name", [name for name in linguabridge.__all__ if inspect.isclass(getattr(linguabridge, name))]
)
def test_docstring_says_what_fields_hold(name: str) -> None:
    found = getattr(linguabridge, name)
    text = inspect.getdoc(found) or ""
    assert text
    if not is_dataclass(found):
        return
    for one in found.__dataclass_fields__:
        if not one.startswith("_") and name not in HANDED_ON:
            assert re.search(rf"(?m)^    {one}: ", text), one
