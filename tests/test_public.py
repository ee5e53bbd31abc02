"""The public interface: what is named is there, is on docs/api.md, and its docstrings say what goes in and out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

import linguabridge
from conftest import REPOSITORY

PASSING_ON = "Measurements"  # most of its methods pass on to a function, which describes what goes in and out
ARRAY = re.compile(r"(NDArray|Tensor|Activations|Indices|Matrix|Arrays)\b")
SHAPE = re.compile(r"\bshape\b|The same tensor")

Name = tuple[str, Any]


def public() -> Iterator[Name]:
    """What is named, and what public modules hold."""
    for name in linguabridge.__all__:
        found = getattr(linguabridge, name)
        yield name, found
        if inspect.ismodule(found):
            for inner, one in vars(found).items():
                if getattr(one, "__module__", None) == found.__name__ and not inner.startswith("_"):
                    yield f"{name}.{inner}", one


CLASSES = {name: found for name, found in public() if inspect.isclass(found)}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public functions, and methods of public classes that take anything."""
    for name, found in public():
        if inspect.isclass(found):
            for inner, one in vars(found).items():
                method = getattr(one, "__func__", one)
                if inspect.isfunction(method) and not inner.startswith("_") and len(parameters(method)) > 0:
                    yield f"{name}.{inner}", method
        elif callable(found):
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


def docstring(name: str) -> str:
    """Of a function; of a method that passes on to another one, with that one's."""
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    if name.startswith(f"{PASSING_ON}.") and (passed := re.search(r"; see :func:`([\w.]+)\.(\w+)`\.$", text)):
        text += "\n\n" + (inspect.getdoc(getattr(import_module(passed[1]), passed[2])) or "")
        for one in re.findall(r"``(\w+)``", (inspect.getdoc(CLASSES[PASSING_ON]) or "").partition("Args:")[0]):
            text += f"\n    {one}: described by the class."
    return text


def said_of(text: str, one: str) -> str:
    """What a docstring says of a parameter or field; empty where it says nothing."""
    found = re.search(rf"(?m)^    {one}: .*(\n      .*)*", text)
    return found[0] if found else ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_says_what_goes_in_and_out(name: str) -> None:
    function, text = FUNCTIONS[name], docstring(name)
    for one in parameters(function):
        assert said_of(text, one), one
    given = inspect.signature(function).return_annotation
    if given not in ("None", None):
        assert "\nReturns:\n" in text or "\nYields:\n" in text
    if "raise " in inspect.getsource(function):
        assert "\nRaises:\n" in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_says_the_shapes_of_arrays(name: str) -> None:
    text = docstring(name)
    signature = inspect.signature(FUNCTIONS[name])
    for one, parameter in signature.parameters.items():
        if ARRAY.match(str(parameter.annotation)):
            assert SHAPE.search(said_of(text, one)), one
    if ARRAY.match(str(signature.return_annotation)):
        assert SHAPE.search(text.partition("\nReturns:\n")[2])


@pytest.mark.parametrize("name", CLASSES)
def test_docstring_says_what_fields_hold(name: str) -> None:
    found = CLASSES[name]
    text = inspect.getdoc(found) or ""
    assert text
    for one, field in getattr(found, "__dataclass_fields__", {}).items():
        if not one.startswith("_"):
            assert said_of(text, one), one
            assert SHAPE.search(said_of(text, one)) or not ARRAY.match(field.type), one
    for one, value in vars(found).items():
        if isinstance(value, property) and not one.startswith("_"):
            assert value.__doc__, one
            given = str(inspect.signature(value.fget).return_annotation)  # type: ignore[arg-type]
            assert SHAPE.search(value.__doc__) or not ARRAY.match(given), one


def test_arrays_are_among_what_is_looked_at() -> None:
    seen = {name for name, one in FUNCTIONS.items() if ARRAY.match(str(inspect.signature(one).return_annotation))}
    assert {"dependence.cka_pairs", "NeuronSet.layer", "Measurements.probe_matrix"} <= seen
    assert ARRAY.match(CLASSES["LanguageProfile"].__dataclass_fields__["routed"].type)
    assert ARRAY.match(CLASSES["planted.Planted"].__dataclass_fields__["values"].type)
