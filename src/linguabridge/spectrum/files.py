"""A spectrum in a folder: ``spectrum.json``, and ``pairs.parquet`` with every pair of languages in every layer."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linguabridge import run_files
from linguabridge.cache import write_atomically
from linguabridge.errors import InputError
from linguabridge.families import are_kin
from linguabridge.json_values import refuse_another, sealed, sums_of, write_json
from linguabridge.spectrum.kinship import share_script
from linguabridge.spectrum.results import Spectrum
from linguabridge.spectrum.settings import asked_for

SPECTRUM, PAIRS = run_files.SPECTRUM, run_files.PAIRS


def check_folder(folder: Path, asked: Mapping[str, Any]) -> None:
    """Make sure that writing a spectrum there overwrites at most the same one.

    Args:
        folder: where it shall be written; need not exist.
        asked: as :func:`linguabridge.spectrum.spectrum.spectrum` gives it to ``before``.

    Raises:
        InputError: the folder holds another spectrum, or a file of that name that is none.
    """
    if (folder / PAIRS).exists() and not (folder / SPECTRUM).exists():
        raise InputError(f"{folder / PAIRS} would be overwritten; choose another folder with --out.")
    refuse_another(
        folder / SPECTRUM,
        "spectrum",
        asked,
        lambda body: asked_for([one["code"] for one in body["languages"]], body["model"], body["settings"]),
    )


def write_folder(folder: Path, result: Spectrum, *, command: str) -> dict[str, Any]:
    """Write both files; an earlier spectrum there is replaced (see :func:`check_folder`).

    Returns:
        What ``spectrum.json`` holds.

    Raises:
        InputError: the folder cannot be written.
    """
    buffer = io.BytesIO()
    pq.write_table(pairs_table(result), buffer, compression="zstd")
    pairs = buffer.getvalue()
    body = sealed("spectrum", {**result.to_dict(), "command": command, "files": sums_of({PAIRS: pairs})})
    write_json(folder / SPECTRUM, body)  # first: by it, an interrupted writer's folder is known as its own
    try:
        write_atomically(folder / PAIRS, pairs)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); choose another with --out.") from error
    return body


def pairs_table(result: Spectrum) -> pa.Table:
    """A row for each pair of languages over all layers (``layer`` null), then for each pair in each layer.

    Columns: first, second, layer, same_family, same_script, and one for each measure and control; null where a value
    is not defined, and for controls that have no layers.
    """
    codes = result.codes
    rows, columns = np.triu_indices(len(codes), 1)
    n_layers = len(result.widths)
    repeat = n_layers + 1
    first, second = [codes[i] for i in rows], [codes[j] for j in columns]
    kin = [are_kin(result.families[a], result.families[b]) for a, b in zip(first, second, strict=True)]
    script = [share_script(result.scripts[a], result.scripts[b]) for a, b in zip(first, second, strict=True)]
    fields: dict[str, pa.Array] = {
        "first": pa.array(first * repeat),
        "second": pa.array(second * repeat),
        "layer": pa.array([layer for layer in (None, *range(n_layers)) for _ in first], pa.int32()),
        "same_family": pa.array(kin * repeat, pa.bool_()),
        "same_script": pa.array(script * repeat, pa.bool_()),
    }
    for one in (*result.measures, *result.controls):
        layers = np.full((n_layers, *one.overall.shape), np.nan) if one.layers is None else one.layers
        values = np.concatenate([one.overall[None], layers])[:, rows, columns].ravel()
        fields[one.name] = pa.array(values, from_pandas=True)  # NaN becomes null
    return pa.table(fields)
