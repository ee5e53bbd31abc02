"""A table of routes from recommendations and evaluations: through a bridge where it was shown to help, else direct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from linguabridge.check import HELPS
from linguabridge.errors import InputError
from linguabridge.evaluation.settings import DICTIONARY as DICTIONARY_ARM
from linguabridge.evaluation.settings import RANDOM, VOTE
from linguabridge.json_values import plain, write_json
from linguabridge.report.runs import Run, read_runs
from linguabridge.routes import Route, Routes, checked_route
from linguabridge.settings import DICTIONARY, OWN

_SEVERAL_PROMPTS = (RANDOM, VOTE)  # arms that are no route
_KINDS = ("recommend", "evaluate")


def export_routes(paths: Sequence[Path], out: Path) -> tuple[Routes, tuple[str, ...]]:
    """Write a table of routes.

    Args:
        paths: folders or JSON files of recommendations and evaluations, of one model.
        out: JSON file to write; must not exist.

    Returns:
        The table, and what it cannot hold, a sentence each.

    Raises:
        InputError: a run cannot be used, two are about the same, or the file exists or cannot be written.
    """
    if out.exists():
        raise InputError(f"{out} exists; name a new file with --out.")
    runs: dict[Path, Run] = {}
    for path in paths:
        here = [run for run in read_runs(path) if run.kind in _KINDS]
        if not here:
            raise InputError(f"{path} is no recommendation and no evaluation; a table of routes is made of those.")
        runs |= {run.path.resolve(): run for run in here}
    table, left_out = routes_of(list(runs.values()))
    write_json(out, table.to_dict())
    return table, left_out


def routes_of(runs: Sequence[Run]) -> tuple[Routes, tuple[str, ...]]:
    """The table of these runs, and what it cannot hold, a sentence each.

    Raises:
        InputError: a run is damaged or has not ended, they are of several models, or two are about the same.
    """
    found: dict[tuple[str, str, str | None], tuple[Route, Run]] = {}
    left_out: list[str] = []
    models: dict[str, tuple[Any, Run]] = {}
    for run in runs:
        if run.unfinished:
            raise InputError(f"The evaluation in {run.path.parent} has not ended; export it when it has.")
        try:
            _check_model(run, models)
            made = _of_recommendation(run) if run.kind == "recommend" else _of_evaluation(run, left_out)
            entries = [checked_route(plain(one)) for one in made]  # as it will be read
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{run.path} is damaged; write it again with linguabridge {run.kind}.") from error
        for one in entries:
            key = (one.source, one.target, one.task)
            if key in found:
                about = f"{one.source}:{one.target}" + (f", {one.task}," if one.task else "")
                raise InputError(
                    f"{found[key][1].path} and {run.path} both are about {about} and a table has one route for it; "
                    "leave one out."
                )
            found[key] = (one, run)
    return Routes(next(iter(models)), tuple(one for one, _ in found.values())), tuple(left_out)


def _check_model(run: Run, models: dict[str, tuple[Any, Run]]) -> None:
    """One table is for one model: of the same name, and of the same weights where both are known."""
    name = run.body["model"]
    if not isinstance(name, str) or not name:
        raise TypeError("a model without a name")
    known = run.body["identity"] if run.kind == "recommend" else run.body["settings"].get("engine") or {}
    weights = known.get("weights")
    if not isinstance(weights, str | None):
        raise TypeError("weights that are no hash")
    models.setdefault(name, (weights, run))
    first, (other, before) = next(iter(models.items()))
    if name != first or (weights and other and weights != other):
        raise InputError(
            f"{before.path} and {run.path} are of different models ({_model(first, other)} and "
            f"{_model(name, weights)}); make a table for each."
        )


def _model(name: str, weights: Any) -> str:
    return f"{name}, weights {str(weights)[:8]}" if weights else name


def _of_recommendation(run: Run) -> Iterator[Route]:
    body = run.body
    check, words = body["check"], body["settings"]["bridge_words"]
    if body["bridge"] not in (None, *(one["code"] for one in body["candidates"])) or not body["candidates"]:
        raise ValueError("a bridge that is no candidate")
    about = {"source": body["source"]["code"], "target": body["target"]["code"], "task": None}
    chosen = f"linguabridge recommend chose {body['bridge']} by {body['chosen']['title']}"
    if check is None:
        yield _direct(about, None, 0, body["model"], f"{chosen}; whether a bridge helps was not checked.")
        return
    bridges = tuple(body["route"])
    arm = next((one for one in check["arms"] if one["bridge"] == ("+".join(bridges) or None)), None)
    if arm is None:
        raise ValueError("a route that was not checked")
    tried = f"{chosen}; word translation on {check['n']} held-out words"
    if not bridges:
        yield _direct(about, "MRR", check["n"], body["model"], f"{tried} does not show that a bridge helps.")
        return
    fair = arm["against_direct_without_copies"] if arm["n_copied"] else arm["against_direct"]
    whose = "a dictionary's" if words == DICTIONARY else "the model's own"
    yield Route(
        **about,
        route=bridges,
        expected_gain=float(fair["mrr"]["value"]),
        interval=(float(fair["mrr"]["low"]), float(fair["mrr"]["high"])),
        metric="MRR",
        n=_number(check["n"]) - _number(arm["n_copied"]),
        helps=True,
        bridge_words=words,
        model=body["model"],
        how=f"{tried}, through {whose} bridge words, shows that it helps.",
    )


def _of_evaluation(run: Run, left_out: list[str]) -> Iterator[Route]:
    body = run.body
    for result in body["results"]:
        about = {"source": result["source"], "target": result["target"], "task": result["task"]}
        where = f"{result['task']} {result['source']}:{result['target']}"
        helping = []
        for arm in result["arms"]:
            if arm["verdict"] != HELPS:
                continue
            if arm["name"] in _SEVERAL_PROMPTS:
                left_out.append(f"{where}: {arm['label']} helps, but is no route: it asks several prompts.")
            else:
                helping.append((_fair(arm)["difference"]["value"], _bridges(run, result, arm), arm))
        if not helping:
            tried = f"linguabridge evaluate, {where}, does not show that a bridge helps."
            yield _direct(about, result["metric"], result["n"], body["model"], tried)
            continue
        gain, bridges, arm = max(helping, key=lambda one: one[0])
        difference = _fair(arm)["difference"]
        among = f", of {len(helping)} arms that help the one that gains most" if len(helping) > 1 else ""
        yield Route(
            **about,
            route=bridges,
            expected_gain=float(gain),
            interval=(float(difference["low"]), float(difference["high"])),
            metric=result["metric"],
            n=_number(result["n"]) - _number(arm["n_copied"]),
            helps=True,
            bridge_words=DICTIONARY if arm["name"].startswith(f"{DICTIONARY_ARM}:") else OWN,
            model=body["model"],
            how=f"linguabridge evaluate, {where}: {arm['label']} helps{among} (scored by {result['scoring']}).",
        )


def _number(value: Any) -> int:
    """A count; True and False are none."""
    if type(value) is not int:
        raise TypeError(f"{value!r:.40} is no count")
    return value


def _fair(arm: Mapping[str, Any]) -> Mapping[str, Any]:
    fair: Mapping[str, Any] = arm["without_copies"] if arm["n_copied"] else arm["against_direct"]
    return fair


def _bridges(run: Run, result: Mapping[str, Any], arm: Mapping[str, Any]) -> tuple[str, ...]:
    """Of an arm, in the order of the prompt: that of an item with all of them, for some may lack one."""
    of = (result["source"], result["target"], result["task"], arm["name"])
    items: list[Sequence[str]] = [
        row["bridges"] for row in run.rows if (row["source"], row["target"], row["task"], row["arm"]) == of
    ]
    # The first of the longest: an item's, where items are kept.
    bridges: Sequence[str] = max([*items, arm["bridges"]], key=lambda one: len(one))
    if not bridges:
        raise ValueError("an arm that helps has no bridge")
    return tuple(bridges)


def _direct(about: Mapping[str, Any], metric: str | None, n: int, model: str, how: str) -> Route:
    return Route(
        **about,
        route=(),
        expected_gain=0.0,
        interval=None,
        metric=metric,
        n=n,
        helps=False,
        bridge_words=None,
        model=model,
        how=how,
    )
