"""The ranking of bridges that arms rest on: from an earlier ``recommend`` run, or computed now."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linguabridge.cache import Cache
from linguabridge.errors import InputError
from linguabridge.languages import Language, parse
from linguabridge.model import LazyModel
from linguabridge.progress import Reporter
from linguabridge.recommendation import recommend
from linguabridge.settings import Settings

NAME = "recommend.json"  # in the folder of a run


@dataclass(frozen=True)
class Recommended:
    """Candidates, the best first.

    Attributes:
        order: of candidates that could be ranked.
        stands_out: whether the first is recommended, and does not merely come first.
        where: the file it was read from; None where it was computed.
    """

    order: tuple[Language, ...]
    stands_out: bool
    where: Path | None = None


def ranking_for(
    source: Language,
    target: Language,
    *,
    files: Sequence[Path],
    model: Callable[[], LazyModel],
    settings: Settings,
    cache: Cache,
    reporter: Reporter,
) -> Recommended:
    """The ranking for a pair.

    Args:
        source: language of the texts.
        target: language of the answers.
        files: earlier runs, or their folders.
        model: opens the model whose neurons are read.
        settings: for what must be computed.
        cache: where results are kept.
        reporter: shows progress.

    Raises:
        InputError: a file is no recommendation, or one by another model; or nothing can be computed for the pair.
    """
    for file in files:
        body = _read(file / NAME if file.is_dir() else file)
        if (body["source"]["code"], body["target"]["code"]) != (source.code, target.code):
            continue
        weights = model().files.weights_sha256
        if body["identity"].get("weights") != weights:
            raise InputError(
                f"{file} recommends by the neurons of another model ({body['model']}): run `linguabridge recommend "
                f"{source.code} {target.code}` with this one, or leave out --recommendation."
            )
        ranked = [one["code"] for one in body["ranking"]["candidates"] if one["score"] is not None]
        return Recommended(tuple(map(parse, ranked)), body["bridge"] is not None, file)
    reporter.say(f"Ranking bridges from {source.name} to {target.name}.")
    result = recommend(
        source.code,
        target.code,
        model=model(),
        settings=replace(settings, check=0),
        cache=cache,
        reporter=reporter,
    )
    ranked = [one.code for one in result.ranking.candidates if one.score is not None]
    return Recommended(tuple(result.language(code) for code in ranked), result.bridge is not None)


def _read(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(file.read_text("utf-8"))
        body["source"]["code"], body["target"]["code"], body["identity"], body["model"], body["bridge"]
        [(one["code"], one["score"]) for one in body["ranking"]["candidates"]]
    except OSError as error:
        raise InputError(f"--recommendation {file} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no result of `linguabridge recommend --out DIR`.") from error
    return dict(body)
