"""A study in a folder: ``study.json``, ``ranks.parquet`` (a row for each word in each arm) and ``hops.parquet``."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linguabridge.cache import Cache, default_cache_dir, write_atomically
from linguabridge.choosing.ways import WAYS
from linguabridge.errors import InputError
from linguabridge.json_values import check_seal, plain, refuse_another, sealed, sums_of, told_sums, write_json
from linguabridge.languages import parse
from linguabridge.paths import exists
from linguabridge.spectrum.distances import read_distances
from linguabridge.study.measured import MeasuredPair, Pair
from linguabridge.study.results import Study
from linguabridge.study.settings import StudySettings
from linguabridge.study.shipped import HOPS, RANKS, STUDY, shipped_studies
from linguabridge.study.study import kept_analyses


def write_folder(folder: Path, result: Study, *, command: str) -> dict[str, Any]:
    """Write all three files; earlier ones there are replaced (see :func:`check_folder`).

    Returns:
        What ``study.json`` holds.

    Raises:
        InputError: the folder cannot be written.
    """
    tables = {RANKS: _bytes(ranks_table(result.pairs)), HOPS: _bytes(hops_table(result.pairs))}
    for name, content in tables.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / name, content)
        except OSError as error:
            raise InputError(f"{folder} cannot be written ({error.strerror}); choose another with --out.") from error
    body = sealed("study", {**result.to_dict(command), "files": sums_of(tables)})
    write_json(folder / STUDY, body)  # last: it vouches for the others
    return body


def check_folder(folder: Path, model: str, settings: StudySettings) -> None:
    """Make sure that writing a study there overwrites at most the same one.

    Args:
        folder: where it shall be written; need not exist.
        model: as the user calls it.
        settings: of the study to be written.

    Raises:
        InputError: the folder holds another study, or a file of that name that is none.
    """
    asked = {"model": model, **plain(settings)}
    refuse_another(folder / STUDY, "study", asked, lambda body: {"model": body["model"], **body["settings"]})


def ranks_table(pairs: Sequence[MeasuredPair]) -> pa.Table:
    """A row for each word in each arm, in the order of pairs, arms and words.

    Columns: source, target, arm, concept, word, rank (1 to 10), exact (whether the greedy answer is right; null for
    votes, and where none was asked for).
    """
    shape = [(one, arm) for one in pairs for arm in one.arms]
    return pa.table(
        {
            "source": _text([one.source for one, _ in shape for _ in one.words]),
            "target": _text([one.target for one, _ in shape for _ in one.words]),
            "arm": _text([arm for one, arm in shape for _ in one.words]),
            "concept": _text([concept for one, _ in shape for concept in one.concepts]),
            "word": _text([word for one, _ in shape for word in one.words]),
            "rank": pa.array(np.concatenate([one.ranks.ravel() for one in pairs]), pa.uint8()),
            "exact": pa.array(
                [None if np.isnan(value) else bool(value) for one in pairs for value in one.exact.ravel()], pa.bool_()
            ),
        }
    )


def hops_table(pairs: Sequence[MeasuredPair]) -> pa.Table:
    """Columns: source, target (of the pair), bridge, hop (1 or 2), rank (null for a word there is none of)."""
    rows = [
        (one.source, one.target, code, number, int(rank))
        for one in pairs
        for number, hop in ((1, one.first_hop), (2, one.second_hop))
        for code, some in zip(one.candidates, hop, strict=True)
        for rank in some
    ]
    return pa.table(
        {
            "source": _text([row[0] for row in rows]),
            "target": _text([row[1] for row in rows]),
            "bridge": _text([row[2] for row in rows]),
            "hop": pa.array([row[3] for row in rows], pa.uint8()),
            "rank": pa.array([row[4] or None for row in rows], pa.uint8()),
        }
    )


def find_study(where: str) -> Path:
    """The folder of a study, or of one that comes with the package and has this name.

    Raises:
        InputError: neither.
    """
    shipped = shipped_studies()
    if exists(Path(where) / STUDY):
        return Path(where)
    if where in shipped:
        return shipped[where]
    raise InputError(
        f"There is no study in {where}: {STUDY} does not exist. Name the folder of a study, or one of those that come "
        f"with linguabridge: {', '.join(shipped)}."
    )


def read_folder(folder: Path) -> tuple[dict[str, Any], tuple[MeasuredPair, ...]]:
    """Read a study back: what ``study.json`` holds, and its pairs.

    Raises:
        InputError: the folder holds no study, or a damaged one.
    """
    body = _body(folder)
    try:
        ranks, hops = (_table(folder / name, told_sums(body)[name]) for name in (RANKS, HOPS))
        pairs = tuple(_pair(one, ranks, hops) for one in body["pairs"])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"The study in {folder} is damaged or not whole; write it again.") from error
    return body, pairs


def read_study(folder: Path, only: Sequence[Pair] = (), distances: Sequence[Path] = ()) -> Study:
    """Read a study back and analyse its ranks anew; analyses are kept in the user's cache folder.

    Args:
        folder: of the study.
        only: codes of the pairs to analyse; all for none.
        distances: tables of distances between languages, such as URIEL's; each is one more way of choosing, under the
            file's name: the candidate nearest to source and target on average.

    Raises:
        InputError: as :func:`read_folder`, a pair is not in the study, or a table cannot be used.
    """
    body, pairs = read_folder(folder)
    if missing := sorted(set(only) - {one.pair for one in pairs}):
        raise InputError(f"The study in {folder} has no pair {':'.join(missing[0])}; it has {_listed(pairs)}.")
    pairs = tuple(_with_distances(one, distances) for one in pairs)
    everything = pairs  # some ways learn from pairs that are not analysed, too
    pairs = tuple(one for one in everything if not only or one.pair in only)
    try:
        known = {f.name for f in dataclasses.fields(StudySettings)}
        asked = {name: value for name, value in body["settings"].items() if name in known}
        asked["pairs"] = tuple(one.pair for one in pairs)
        asked["candidates"] = tuple(asked["candidates"])
        asked["ways"] = tuple(way for way in asked["ways"] if way in WAYS)  # as their scores
        asked["lexicon_dir"] = Path(asked["lexicon_dir"]) if asked.get("lexicon_dir") else None
        settings = StudySettings(**asked)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The study in {folder} is damaged or not whole; write it again.") from error
    origin: dict[str, Any] = {name: body[name] for name in ("command", "versions") if name in body}
    found = kept_analyses(pairs, seed=settings.seed, cache=Cache(default_cache_dir()), everything=everything)
    return Study(body["model"], body["identity"], settings, pairs, found, origin)


def _with_distances(one: MeasuredPair, files: Sequence[Path]) -> MeasuredPair:
    """A pair with one way of choosing more for each table of distances."""
    found = dict(one.scores)
    for file in files:
        if file.stem in {*found, *WAYS}:
            raise InputError(f"{file} is named like another way of choosing, {file.stem}: rename it.")
        languages = [parse(code) for code in (one.source, one.target, *one.candidates)]
        to_source, to_target = read_distances(file, languages)[:2, 2:]
        found[file.stem] = tuple((-(to_source + to_target) / 2).tolist())
    return dataclasses.replace(one, scores=found)


def _listed(pairs: Sequence[MeasuredPair]) -> str:
    return ", ".join(":".join(one.pair) for one in pairs)


def _pair(body: dict[str, Any], ranks: dict[str, list[Any]], hops: dict[str, list[Any]]) -> MeasuredPair:
    source, target, arms = body["source"], body["target"], tuple(body["mrr"])
    here = [i for i, both in enumerate(zip(ranks["source"], ranks["target"], strict=True)) if both == (source, target)]
    n = body["n_words"]
    if [ranks["arm"][i] for i in here[::n]] != list(arms):
        raise ValueError("arms do not agree")
    return MeasuredPair(
        source=source,
        target=target,
        candidates=tuple(body["candidates"]),
        arms=arms,
        concepts=tuple(ranks["concept"][i] for i in here[:n]),
        words=tuple(ranks["word"][i] for i in here[:n]),
        ranks=np.array([ranks["rank"][i] for i in here]).reshape(len(arms), n),
        exact=np.array([ranks["exact"][i] for i in here], float).reshape(len(arms), n),  # None becomes NaN
        as_direct=np.array([body["as_direct"].get(arm, 0.0) for arm in arms]),
        n_copied=body["n_copied"],
        scores={
            way: tuple(np.nan if value is None else float(value) for value in some)
            for way, some in body["scores"].items()
            if way in WAYS  # one that is no longer offered has no title either
        },
        first_hop=_hop(hops, source, target, 1, len(body["candidates"])),
        second_hop=_hop(hops, source, target, 2, len(body["candidates"])),
    )


def _hop(hops: dict[str, list[Any]], source: str, target: str, number: int, candidates: int) -> np.ndarray:
    rows = zip(hops["source"], hops["target"], hops["hop"], hops["rank"], strict=True)
    found = [rank or 0 for s, t, hop, rank in rows if (s, t, hop) == (source, target, number)]
    return np.array(found, np.int64).reshape(candidates, -1)


def _body(folder: Path) -> dict[str, Any]:
    path = folder / STUDY
    try:
        body = json.loads(path.read_text("utf-8"))
        if not isinstance(body, dict) or not {"pairs", "analyses", "settings", "model", "identity"} <= body.keys():
            raise ValueError("no study")
        check_seal(path, body, "study")
    except FileNotFoundError as error:
        raise InputError(f"There is no study in {folder}: {STUDY} does not exist.") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no study; choose another folder.") from error
    return body


def _text(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _table(file: Path, sha256: str) -> dict[str, list[Any]]:
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{file.name} is not the file that was written")
    return dict(pq.read_table(io.BytesIO(content)).to_pydict())
