r"""Results of an evaluation in a folder: every item, a summary, and a manifest.

``summary.json`` and ``items.parquet`` depend on the results alone: an interrupted run that went on ends in the same
bytes as an undisturbed one. Times, versions and the hashes of both are in ``manifest.json``, written last.

Text is stored as UTF-8. What a tokenizer leaves of a broken character (a lone surrogate) has no place there, and is
written as ``\udc80``, so that it can be seen and nothing else is lost.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linguabridge import run_files
from linguabridge.cache import versions, write_atomically
from linguabridge.errors import InputError
from linguabridge.evaluation.results import Evaluation, Result, Row
from linguabridge.evaluation.settings import ORACLE
from linguabridge.evaluation.statistics import verdict
from linguabridge.json_values import VERSION, plain, storable, sums_of
from linguabridge.paths import content_of

SUMMARY, ITEMS, MANIFEST = run_files.SUMMARY, run_files.ITEMS, run_files.MANIFEST
UNFINISHED = "unfinished"  # folder in the folder of a run that goes on: its results so far, in the same files

_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("target", pa.string()),
        ("task", pa.string()),
        ("arm", pa.string()),
        ("item", pa.string()),
        ("concept", pa.string()),
        ("text", pa.string()),
        ("bridges", _TEXTS),
        ("bridge_texts", _TEXTS),
        ("prompt", pa.string()),
        ("options", _TEXTS),
        ("option_scores", pa.list_(pa.float64())),
        ("output", pa.string()),
        ("parsed", pa.string()),
        ("gold", _TEXTS),
        ("score", pa.float64()),
        ("right", pa.bool_()),
        ("exact", pa.bool_()),
        ("copied", pa.bool_()),
        ("without_bridge", pa.bool_()),
    ]
)


def check_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make sure that writing results there overwrites at most those of the same run.

    Args:
        folder: where results shall be written; need not exist.
        settings: of the run, as in :attr:`Evaluation.settings`.

    Raises:
        InputError: it is no folder, or holds results of another run or files that are no results.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder with --out.")
    if not (folder / SUMMARY).exists():
        for name in (ITEMS, MANIFEST):
            if (folder / name).exists():
                raise InputError(f"{folder / name} would be overwritten; choose another folder with --out.")
        return
    there, here = read_summary(folder)["settings"], _json_value(settings)
    other = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))
    if other:
        raise InputError(
            f"{folder} holds the results of another run (it differs in {', '.join(other)}); choose another folder with "
            "--out, or move it away."
        )


def write_folder(folder: Path, evaluation: Evaluation, *, command: str, started: float) -> None:
    """Write the results; those of the same run are replaced.

    Args:
        folder: made where it does not exist.
        evaluation: what was found.
        command: as it was given.
        started: when, in seconds since 1970.

    Raises:
        InputError: the folder holds something else (see :func:`check_folder`), or cannot be written.
    """
    check_folder(folder, evaluation.settings)
    # The summary comes first: by its settings, an interrupted writer's folder is known as its own.
    contents = {SUMMARY: _json(summary_body(evaluation)), ITEMS: _parquet(evaluation.rows)}
    ended = time.time()
    manifest = {
        "format": "linguabridge evaluate",
        "version": VERSION,
        "versions": versions(),
        "command": command,
        "started": _moment(started),
        "ended": _moment(ended),
        "seconds": round(ended - started, 1),
        "sha256": sums_of(contents),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in {**contents, MANIFEST: _json(_json_value(manifest))}.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); choose another with --out.") from error


def check_unfinished(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make room for the results so far: those that another run left, stopped before its end, are removed.

    They cost nothing to make again, since what a stopped run finished is in the cache; but shown as this run's they
    would mislead.

    Args:
        folder: of the run.
        settings: of the run, as in :attr:`Evaluation.settings`.

    Raises:
        InputError: the folder for them holds something else.
    """
    unfinished = folder / UNFINISHED
    if (unfinished / SUMMARY).exists() and read_summary(unfinished)["settings"] != _json_value(settings):
        remove_unfinished(folder)
    check_folder(unfinished, settings)


def write_unfinished(folder: Path, evaluation: Evaluation, *, command: str, started: float) -> None:
    """Write the results so far, for who looks on; see :func:`write_folder`.

    Nothing is written where the run's folder already holds its results: it is run again, and they will be the same.
    """
    if not (folder / SUMMARY).exists():
        write_folder(folder / UNFINISHED, evaluation, command=command, started=started)


def remove_unfinished(folder: Path) -> None:
    """Remove the results so far, and nothing else that may lie there."""
    with contextlib.suppress(OSError):
        # The summary goes last: by it, what an interrupted removal leaves is known as ours.
        unfinished = folder / UNFINISHED
        for path in (*unfinished.glob(".writing-*"), *(unfinished / name for name in (MANIFEST, ITEMS, SUMMARY))):
            path.unlink(missing_ok=True)
        unfinished.rmdir()


def summary_body(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but the rows, as JSON holds it, with the arms' verdicts; None for what is no number."""
    body = {
        "model": evaluation.model,
        "results": [_with_verdicts(result) for result in evaluation.results],
        "settings": evaluation.settings,
    }
    return dict(_json_value(body))


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of the results in a folder.

    Raises:
        InputError: there is none, or it is none of an evaluation.
    """
    path = folder / SUMMARY
    try:
        body = json.loads(content_of(path).decode())
        if not (isinstance(body["settings"], dict) and isinstance(body["results"], list)):
            raise TypeError
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); write it with linguabridge evaluate.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no summary of linguabridge evaluate; choose another folder.") from error
    return dict(body)


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """All items in all arms of the results in a folder, with the fields of :class:`Row`; lists for its tuples.

    Raises:
        InputError: there are none, or they are none of an evaluation.
    """
    path = folder / ITEMS
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()))
    except OSError as error:
        why = error.strerror or "not whole"
        raise InputError(f"{path} cannot be read ({why}); write it with linguabridge evaluate.") from error
    except pa.ArrowException as error:
        raise InputError(f"{path} is no table of linguabridge evaluate; choose another folder.") from error
    if not table.schema.equals(SCHEMA):
        raise InputError(f"{path} is no table of this version of linguabridge evaluate; run it again.")
    return list(table.to_pylist())


def _with_verdicts(result: Result) -> dict[str, Any]:
    arms = [
        {**plain(arm), "verdict": verdict(arm, result.n) if arm.fair and arm.name != ORACLE else None}
        for arm in result.arms
    ]
    return {**plain(result), "arms": arms}


def items_table(rows: Sequence[Row]) -> pa.Table:
    """A row for each item in each arm; columns as in docs/evaluate.md."""
    columns = [pa.array([storable(getattr(row, field.name)) for row in rows], type=field.type) for field in SCHEMA]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _parquet(rows: Sequence[Row]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(items_table(rows), buffer, compression="zstd")
    return buffer.getvalue()


def _json_value(value: Any) -> Any:
    """What JSON can hold of a value: valid texts, and None for what is no finite number."""

    def finite(one: Any) -> Any:
        if isinstance(one, Mapping):
            return {key: finite(inner) for key, inner in one.items()}
        if isinstance(one, list):
            return [finite(inner) for inner in one]
        return None if isinstance(one, float) and not math.isfinite(one) else one

    return finite(storable(plain(value)))


def _json(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(body, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
