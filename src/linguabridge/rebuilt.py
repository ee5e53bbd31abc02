"""Dataclasses from JSON: what :func:`linguabridge.json_values.plain` wrote becomes what it was."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints


def rebuilt(kind: Any, value: Any) -> Any:
    """A value of this type from JSON; fields that the type does not have are passed over.

    Args:
        kind: a dataclass, a tuple, a dictionary, a union, a path, or what JSON holds.
        value: as JSON holds it. None stands for a number that is none (NaN), which JSON cannot hold.

    Raises:
        KeyError: a field is missing.
        TypeError: something is of another type.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        given, hints = rebuilt(dict[str, Any], value), field_types(kind)
        missing = dataclasses.MISSING
        needed = [
            f.name
            for f in dataclasses.fields(kind)
            if f.name in given or (f.default is missing and f.default_factory is missing)
        ]
        return kind(**{name: rebuilt(hints[name], given[name]) for name in needed})
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None and type(None) in inner else rebuilt(_the_one(inner), value)
    if origin is tuple and isinstance(value, list):
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(rebuilt(inner[0], one) for one in value)
        return tuple(rebuilt(one, part) for one, part in zip(inner, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {str(key): rebuilt(inner[1], one) for key, one in value.items()}
    return _simple(kind, value)


@cache
def field_types(kind: type) -> dict[str, Any]:
    """Types of a dataclass's fields."""
    return get_type_hints(kind)


def _simple(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    if kind is float and value is None:
        return float("nan")
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} is no {getattr(kind, '__name__', kind)}")
    return value


def _the_one(inner: tuple[Any, ...]) -> Any:
    """The type beside None."""
    (one,) = (kind for kind in inner if kind is not type(None))
    return one
