"""Runs on disk, as their commands wrote them: what a report is made from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from linguabridge.errors import InputError
from linguabridge.evaluation.files import SUMMARY
from linguabridge.json_values import KNOWN_BY, check_files, check_seal, told_sums
from linguabridge.paths import content_of, is_dir
from linguabridge.settings import RESULT
from linguabridge.spectrum.files import PAIRS, SPECTRUM
from linguabridge.study.shipped import HOPS, RANKS, STUDY

Kind = Literal["recommend", "evaluate", "spectrum", "study"]
_TABLES = {SPECTRUM: (PAIRS,), STUDY: (RANKS, HOPS)}  # beside a result, vouched for by it
_MADE_BY = "`linguabridge recommend`, `spectrum`, `study` or `evaluate`"


@dataclass(frozen=True)
class Run:
    """What one command found.

    Attributes:
        kind: the command.
        path: the file with its result.
        body: what is in it.
        rows: of an evaluation, every item in every arm, with the fields of ``evaluation.results.Row``.
        manifest: of an evaluation, how it was run; None where its summary alone is there.
        unfinished: whether the evaluation still goes on, or was stopped, so that there is only what it had found.
    """

    kind: Kind
    path: Path
    body: dict[str, Any] = field(repr=False)
    rows: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    manifest: dict[str, Any] | None = field(default=None, repr=False)
    unfinished: bool = False


def read_runs(path: Path) -> tuple[Run, ...]:
    """All runs in a folder, or the one in a JSON file.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not is_dir(path):
        return (_read_evaluation(path.parent),) if path.name == SUMMARY else (_read_file(path),)
    found = [_read_file(path / name) for name in (RESULT, SPECTRUM, STUDY) if (path / name).exists()]
    for one in found:
        if f"{one.kind}.json" != one.path.name:
            raise InputError(f"{one.path} is a result of linguabridge {one.kind}; give it its own name.")
    if evaluation := _find_evaluation(path):
        found.append(evaluation)
    if not found:
        raise InputError(
            f"{path} holds no {RESULT}, {SPECTRUM}, {STUDY} or {SUMMARY}; give a folder or a JSON file that {_MADE_BY} "
            "wrote."
        )
    return tuple(found)


def _find_evaluation(folder: Path) -> Run | None:
    from linguabridge.evaluation.files import UNFINISHED

    if (folder / SUMMARY).exists():
        return _read_evaluation(folder)
    unfinished = folder / UNFINISHED
    return _read_evaluation(unfinished, unfinished=True) if (unfinished / SUMMARY).exists() else None


def _read_evaluation(folder: Path, *, unfinished: bool = False) -> Run:
    from linguabridge.evaluation.files import ITEMS, MANIFEST, UNFINISHED, read_rows, read_summary

    unfinished = unfinished or folder.name == UNFINISHED
    body = read_summary(folder)
    manifest = _read_json(folder / MANIFEST) if (folder / MANIFEST).exists() else None
    if manifest is not None:
        check_seal(folder / MANIFEST, manifest, "evaluate")
    if manifest is None and not (folder / ITEMS).exists():  # a summary that was copied on its own
        return Run("evaluate", folder / SUMMARY, body, unfinished=unfinished)
    rows = tuple(read_rows(folder))
    if manifest is not None:
        sums = told_sums(manifest)
        if not {SUMMARY, ITEMS} <= sums.keys():
            raise InputError(f"{folder / MANIFEST} is no manifest of linguabridge evaluate; run it again.")
        if not unfinished:  # files of a run that goes on are written again and again, and may be those of two moments
            check_files(folder / MANIFEST, sums, (SUMMARY, ITEMS), "evaluate")
    return Run("evaluate", folder / SUMMARY, body, rows, manifest, unfinished)


def _read_file(path: Path) -> Run:
    body = _read_json(path)
    kind = _kind(body)
    if kind is None:
        raise InputError(f"{path} is no result of linguabridge; give a folder or a JSON file that {_MADE_BY} wrote.")
    check_seal(path, body, kind)
    check_files(path, told_sums(body), _TABLES.get(path.name, ()), kind)
    return Run(kind, path, body)


def _kind(body: dict[str, Any]) -> Kind | None:
    """Of which command a result is, by fields that no other has."""
    kinds: tuple[Kind, ...] = ("recommend", "spectrum", "study", "evaluate")
    return next((kind for kind in kinds if KNOWN_BY[kind] <= body.keys()), None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(content_of(path).decode(), parse_constant=_refuse)
        if not isinstance(body, dict):
            raise TypeError
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): give a folder or a JSON file that {_MADE_BY} wrote."
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged, or no JSON: give a folder or a JSON file that {_MADE_BY} wrote."
        ) from error
    return body


def _refuse(constant: str) -> float:
    """NaN and Infinity are no JSON, and our files hold none."""
    raise ValueError(constant)
