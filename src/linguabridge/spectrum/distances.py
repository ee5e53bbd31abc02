"""Tables of distances between languages, such as URIEL's, from files of the user's."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linguabridge.errors import InputError
from linguabridge.languages import Language, parse
from linguabridge.paths import text_of
from linguabridge.spectrum.agreement import FEWEST

_SYMMETRY = 1e-6  # tables are rounded
_UNKNOWN = {"", "na", "n/a", "nan"}
_LARGEST_FILE = 16 * 2**20  # bytes; a table of 1,500 languages
_LARGEST_TABLE = 5000  # lines, columns
_FORMAT = "a table of distances has the languages in its first line and its first column, and is in UTF-8"


def read_distances(path: Path, languages: Sequence[Language]) -> NDArray[np.float64]:
    """Read distances between languages.

    The file is a square table in TSV or CSV, with the languages in the first line and in the first column, under any
    code or name that the command line takes. Other languages than those asked for may be in it, and are passed over.
    Empty cells and ``NA`` or ``nan`` are distances not known; one half of the table may be empty. Empty lines and lines
    that start with ``#`` are passed over. UTF-8, or UTF-16 with a byte-order mark.

    Args:
        path: the file.
        languages: K of them.

    Returns:
        Distances, shape (K, K), symmetric, NaN where not known; 0 on the diagonal where a language is in the table.

    Raises:
        InputError: the file cannot be read, is no such table, holds values that are no distances, or names fewer than
            three of the languages.
    """
    return distances_of(distances_content(path), path, languages)


def distances_content(path: Path) -> bytes:
    """What a file of distances holds, read once: a pipe can be read no second time.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"Cannot read {path} ({reason}): give a file of distances; {_FORMAT}.") from error
    if len(content) > _LARGEST_FILE:
        raise InputError(
            f"{path} is larger than {_LARGEST_FILE // 2**20} MiB: keep only the languages to compare in it."
        )
    return content


def distances_of(content: bytes, path: Path, languages: Sequence[Language]) -> NDArray[np.float64]:
    """The distances in what a file holds.

    Args:
        content: of the file.
        path: of the file, for messages.
        languages: K of them.

    Returns:
        As :func:`read_distances`.

    Raises:
        InputError: as :func:`read_distances`.
    """
    lines = _table(text_of(content, path, _FORMAT), path)
    wanted = {one.code: i for i, one in enumerate(languages)}
    columns = _positions(lines[0][1][1:], wanted, path, "first line")
    rows = _positions([cells[0] for _, cells in lines[1:]], wanted, path, "first column")
    found = np.full((len(languages), len(languages)), np.nan)
    for row, i in rows.items():
        number, cells = lines[row + 1]
        for column, j in columns.items():
            found[i, j] = _distance(cells[column + 1], f"{path}, line {number}, column {column + 2}")
    _check(found, [one.code for one in languages], path)
    np.fmax(found, found.T.copy(), out=found)  # the one that is known, where only one is
    np.fill_diagonal(found, np.nan)
    known = np.isfinite(found).any(axis=1)
    if known.sum() < FEWEST:
        raise InputError(
            f"{path} has distances between {known.sum()} of the languages compared: it must have them between at least "
            f"{FEWEST}, with the codes in its first line and first column."
        )
    found[known, known] = 0
    return found


def _check(found: NDArray[np.float64], codes: Sequence[str], path: Path) -> None:
    """Refuse distances that depend on the direction, or that are not 0 from a language to itself."""
    for first, second in np.argwhere(np.abs(found - found.T) > _SYMMETRY):
        one, other, there, back = codes[first], codes[second], found[first, second], found[second, first]
        raise InputError(
            f"{path} says {there:g} from {one} to {other} and {back:g} from {other} to {one}: give the same distance "
            "both ways, or only once."
        )
    for code, distance in zip(codes, np.diag(found), strict=True):
        if distance > _SYMMETRY:
            raise InputError(
                f"{path} says that {code} is at {distance:g} from itself: give distances, with 0 on the diagonal, not "
                "similarities."
            )


def _table(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """Read the lines of a square table, with their numbers: cells, as many as the first line has."""
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise InputError(f"{path} is empty: {_FORMAT}.")
    delimiter = max("\t;,", key=lines[0][1].count)
    try:
        table = [
            (number, [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]) for number, line in lines
        ]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}): {_FORMAT}.") from error
    width = len(table[0][1])
    if not FEWEST < width <= _LARGEST_TABLE or len(table) > _LARGEST_TABLE:
        raise InputError(
            f"{path} has {len(table):,} lines of {width:,} columns: {_FORMAT}, and at least {FEWEST} of them."
        )
    for number, cells in table:
        if len(cells) != width:
            raise InputError(f"Line {number} of {path} has {len(cells)} columns, its first line {width}: {_FORMAT}.")
    return table


def _positions(labels: Sequence[str], wanted: dict[str, int], path: Path, where: str) -> dict[int, int]:
    """Map positions of labels to positions of the languages that they stand for, of those wanted."""
    found: dict[int, int] = {}
    for position, label in enumerate(labels):
        try:
            code = parse(label).code
        except InputError:  # the table may hold more languages than we know
            continue
        if code not in wanted:
            continue
        if wanted[code] in found.values():
            raise InputError(f"The {where} of {path} has {code} twice ({label!r} is it, too): leave one out.")
        found[position] = wanted[code]
    return found


def _distance(cell: str, where: str) -> float:
    if cell.casefold() in _UNKNOWN:
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not 0 <= value < np.inf:  # NaN is not
        raise InputError(
            f"{where}: {cell[:40]!r} is no distance; give a number from 0 on, such as 0.25, or leave the cell empty."
        )
    return value
