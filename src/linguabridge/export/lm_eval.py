"""An evaluation's prompts as tasks of lm-evaluation-harness: one task for each task, pair and arm.

A prompt is taken as it was asked, the bridge's text in it, so that any model that lm-eval knows answers the very same
questions. Options are scored right after the prompt, without a delimiter, as linguabridge scores them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge import embedded
from linguabridge.engines.engine import GENERATED, TEXT
from linguabridge.errors import InputError
from linguabridge.evaluation.settings import RANDOM, VOTE
from linguabridge.export.right_options import right_options
from linguabridge.folders import write_files
from linguabridge.lexicons import normalise
from linguabridge.prompts import Ending
from linguabridge.report.names import LONGEST, distinct
from linguabridge.report.runs import Run, read_runs
from linguabridge.tasks import NAMES, find_task

GROUP = "linguabridge"
_SCORING = "scoring"  # of the file beside the tasks: scoring.py
_ANSWERS = "answers"  # folder that the command shown writes answers to, where lm-eval does not score them
_MEAN = {"aggregation": "mean", "higher_is_better": True}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        tasks: names of the tasks, in the order of the run.
        left_out: what could not be exported and why, a sentence each.
        notes: what should be known of the figures that lm-eval will show, a sentence each.
        command: that runs the tasks.
    """

    tasks: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class _Task:
    name: str
    config: dict[str, Any]
    functions: dict[str, str]  # names of functions in scoring.py, by the field of the YAML file
    documents: list[dict[str, Any]]


def export_lm_eval(path: Path, out: Path) -> Exported:
    """Write a folder that lm-eval takes as ``--include_path``.

    Args:
        path: folder of an evaluation (or its ``summary.json``), ``items.parquet`` in it.
        out: folder to write; must not exist, or be empty.

    Raises:
        InputError: there is no evaluation, none of it can be exported, or the folder cannot be written.
    """
    run = _evaluation(path)
    chosen: list[tuple[Mapping[str, Any], str, _Kind]] = []
    left_out, notes = [], []
    for result in run.body["results"]:
        where = f"{result['task']} {result['source']}:{result['target']}"
        kind = _kind(result, run.body["settings"]["normalise"])
        if kind is None:
            left_out.append(f"{where} is left out: how its answers end stands in a task file that is not read here.")
            continue
        if kind.note:
            notes.append(f"{where}: {kind.note}")
        for arm in result["arms"]:
            if arm["name"] in (RANDOM, VOTE):
                left_out.append(f"{where}, {arm['label']}, is left out: it is no prompt of its own, but several.")
                continue
            chosen.append((result, arm["name"], kind))
    if not chosen:
        raise InputError(f"Nothing of {run.path.parent} can be exported to lm-eval. {' '.join(left_out)}".strip())
    parts = [(result["task"], result["source"], result["target"], arm) for result, arm, _ in chosen]
    if len(set(parts)) < len(parts):
        raise InputError(f"{run.path.parent} has a result twice; write it again with linguabridge evaluate.")
    names = distinct(("_".join(map(_slug, (GROUP, *one))) for one in parts), "_")
    tasks = [_task(run, *one, name) for one, name in zip(chosen, names, strict=True)]
    _write(out, tasks)
    answers_only = any(one.config["metric_list"][0]["metric"] == "bypass" for one in tasks)
    command, note = _command(run, out, answers_only)
    notes += [note] if note else []
    return Exported(tuple(one.name for one in tasks), tuple(left_out), tuple(dict.fromkeys(notes)), command)


def _evaluation(path: Path) -> Run:
    found = [run for run in read_runs(path) if run.kind == "evaluate"]
    if not found:
        raise InputError(f"{path} is no evaluation; lm-eval needs the folder that linguabridge evaluate wrote.")
    (run,) = found
    if run.unfinished:
        raise InputError(f"The evaluation in {path} has not ended; export it when it has.")
    if not run.rows:
        raise InputError(f"{run.path.parent} has no items.parquet, where the prompts are; give the folder of the run.")
    engine = run.body["settings"].get("engine") or {}
    if engine.get("chat_template") or engine.get("chat"):
        raise InputError(
            f"The evaluation in {path} put its prompts as a chat, by a template that it does not keep; run it without "
            "--chat-template, or through an endpoint for plain text, to export it."
        )
    return run


@dataclass(frozen=True)
class _Kind:
    """What the tasks of one result have in common."""

    config: dict[str, Any]
    functions: dict[str, str]
    ending: Ending | None = None  # of generated answers
    note: str = ""


def _kind(result: Mapping[str, Any], normalise_by: str) -> _Kind | None:
    if result["scoring"] == GENERATED:
        return _generated(result)
    by_bytes = normalise_by == "byte" and result["scoring"] == TEXT
    note = (
        "the run subtracted the likelihoods of options alone (--normalise pmi), which lm-eval does not do in this way; "
        "its figures are of the likelihoods after the prompt."
        if normalise_by == "pmi"
        else ""
    )
    config = {"output_type": "multiple_choice", "doc_to_choice": "options", "doc_to_target": "right"}
    if result["metric"] == "MRR":
        metrics = [{"metric": name, **_MEAN} for name in ("acc", "mrr")]
        how = "ranked_by_bytes" if by_bytes else "ranked"
        return _Kind({**config, "metric_list": metrics}, {"process_results": how}, note=note)
    metric = {"metric": "acc_bytes" if by_bytes else "acc", **_MEAN}
    return _Kind({**config, "metric_list": [metric]}, {}, note=note)


def _generated(result: Mapping[str, Any]) -> _Kind | None:
    if result["task"] not in NAMES:
        return None
    task = find_task(result["task"])
    ending = task.ending
    scored = result["metric"] == "exact"
    # A quote that may open the answer once more is no end there: lm-eval reads on, and scoring.py cuts.
    stops = [one for one in ending.stops if one not in _openings(ending)]
    config: dict[str, Any] = {
        "output_type": "generate_until",
        "doc_to_target": "gold",
        "generation_kwargs": {"until": stops, "max_gen_toks": ending.max_new_tokens, "do_sample": False},
        "metric_list": [{"metric": "exact_match" if scored else "bypass", **_MEAN}],
    }
    if scored:
        return _Kind(config, {"process_results": "exact"}, ending)
    note = (
        f"lm-eval writes the answers and does not score them: {result['metric']} here needs linguabridge to read them."
    )
    return _Kind(config, {}, ending, note)


def _task(run: Run, result: Mapping[str, Any], arm: str, kind: _Kind, name: str) -> _Task:
    of = (result["source"], result["target"], result["task"], arm)
    rows = [row for row in run.rows if (row["source"], row["target"], row["task"], row["arm"]) == of]
    where = f"{result['task']} {result['source']}:{result['target']}, {arm}"
    if len(rows) != result["n"]:
        raise InputError(
            f"{run.path.parent} has {len(rows)} of {result['n']} items of {where}; write it again with linguabridge "
            "evaluate."
        )
    normalised = run.body["settings"]["normalise"] == "pmi"
    documents = [_document(row, result, kind, normalised) for row in rows]
    return _Task(name, dict(kind.config), dict(kind.functions), documents)


def _document(row: Mapping[str, Any], result: Mapping[str, Any], kind: _Kind, normalised: bool) -> dict[str, Any]:
    kept = ("item", "concept", "source", "target", "task", "arm", "text", "bridges", "bridge_texts", "gold", "prompt")
    document = {name: row[name] for name in kept}
    if result["scoring"] != GENERATED:
        right = right_options(row, result["scoring"], check=not normalised)
        return {**document, "options": row["options"], "right": right}
    assert kind.ending is not None
    return {**document, "stops": list(kind.ending.stops), "opening": _openings(kind.ending)}


def _openings(ending: Ending) -> list[str]:
    """Those of the stops that may open an answer once more, in another style: there they do not end it."""
    return [] if not ending.quoted else [stop for stop in ending.stops if ending.cut(f"{stop}x") == "x"]


def _slug(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", text[:LONGEST]).strip("_")


def _write(out: Path, tasks: Sequence[_Task]) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists; name a new folder with --out.")
    files = {
        f"{_SCORING}.py": Path(__file__).with_name("lm_eval_scoring.py").read_text("utf-8"),
        "normalise.py": Path(normalise.__file__).read_text("utf-8"),
    }
    for one in tasks:
        files[f"{one.name}.jsonl"] = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in one.documents)
        config = {
            "task": one.name,
            "dataset_kwargs": {"file": f"{one.name}.jsonl"},
            "test_split": "test",
            "num_fewshot": 0,  # demonstrations stand in the prompts, where the run had any
            "doc_to_text": "prompt",  # the column, as it stands
            "target_delimiter": "",
            **one.config,
            "metadata": {"version": 1.0},
        }
        files[f"{one.name}.yaml"] = _yaml(config, {"custom_dataset": "documents", **one.functions})
    files[f"{GROUP}.yaml"] = _yaml({"group": GROUP, "task": [one.name for one in tasks]}, {})
    try:
        write_files(out, {name: text.encode("utf-8", "backslashreplace") for name, text in files.items()})
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another folder with --out.") from error


def _yaml(config: Mapping[str, Any], functions: Mapping[str, str]) -> str:
    """A YAML file, a line a field: JSON is YAML, but for the tag by which lm-eval finds functions."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in config.items()]
    return "".join(lines + [f"{name}: !function {_SCORING}.{one}\n" for name, one in functions.items()])


def _command(run: Run, out: Path, answers_only: bool) -> tuple[str, str]:
    """The command that runs the tasks, and what to know of it."""
    engine = run.body["settings"].get("engine") or {}
    model, note = str(run.body["model"]), ""
    if "endpoint" in engine:
        note = f"{model} answered through a server; put a model that lm-eval can load in the place of MODEL."
        model = "MODEL"
    elif model == embedded.NAME or model.lower().endswith(".gguf"):
        note = (
            f"lm-eval loads folders of transformers and ids of the hub: put the folder that `linguabridge inspect "
            f"{shlex.quote(model)}` names in the place of FOLDER."
        )
        model = "FOLDER"
    dtype = f",dtype={engine['dtype']}" if engine.get("dtype") else ""
    words = ["lm-eval", "--model", "hf", "--model_args", f"pretrained={model}{dtype}"]
    if engine.get("device") in ("cpu", "cuda"):  # of a model spread over several devices, lm-eval decides
        words += ["--device", str(engine["device"])]
    words += ["--tasks", GROUP, "--include_path", str(out)]
    if answers_only:
        words += ["--log_samples", "--output_path", str(out / _ANSWERS)]
    return shlex.join(words), note
