"""``linguabridge stability``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linguabridge.commands.options import (
    DEFAULT_MODEL_NAME,
    Device,
    Dtype,
    GpusPerWorker,
    Json,
    Model,
    Pickle,
    Ray,
    Remote,
    Taps,
    Workers,
    on_cluster,
)
from linguabridge.commands.output import check_writable, command_line, write_or_print
from linguabridge.json_values import sealed
from linguabridge.progress import TerminalReporter
from linguabridge.terminal import terminal


def stability(
    pairs: Annotated[list[str], typer.Argument(metavar="PAIR…", help="Pairs, such as ar:he id:tl.")],
    model: Model = DEFAULT_MODEL_NAME,
    lexicon: Annotated[str, typer.Option(help="First lexicon: cldr, muse, or a word list.")] = "cldr",
    other: Annotated[str, typer.Option(help="Second lexicon, to compare with.")] = "muse",
    lexicon_dir: Annotated[Path | None, typer.Option(help="Local folder of MUSE dictionaries.")] = None,
    tokens: Annotated[int, typer.Option(help="Tokens read for each language, at most.")] = 2000,
    probes: Annotated[int, typer.Option(help="Words to ask the model, to find those it understands.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    ray: Ray = None,
    workers: Workers = None,
    gpus_per_worker: GpusPerWorker = None,
    json_file: Json = None,
) -> None:
    """Tell whether rankings by neurons repeat: from other probes, another lexicon, at other top rates.

    Candidates are the paper's 15, without the pair. Nothing is asked whether a bridge helps: a ranking may repeat well
    and be of no use.
    """
    from linguabridge.study.settings import StudySettings, parse_pairs

    parsed = parse_pairs(pairs)
    cluster = on_cluster(ray, workers, gpus_per_worker)
    check_writable(None, json_file, "stability", (model, lexicon, other, lexicon_dir))
    from linguabridge.hardware import set_threads
    from linguabridge.model import ModelOptions
    from linguabridge.study.stability import stability as run
    from linguabridge.study.stability import stability_table

    set_threads()
    result = run(
        parsed,
        model=model,
        options=ModelOptions(device, dtype, taps, trust_remote_code, cluster, allow_pickle=allow_pickle),
        settings=StudySettings(
            pairs=parsed,
            lexicon=lexicon,
            lexicon_dir=lexicon_dir if lexicon == "muse" else None,
            tokens=tokens,
            probes=probes,
            seed=seed,
        ),
        other=other,
        other_dir=lexicon_dir if other == "muse" else None,
        reporter=TerminalReporter(),
    )
    body = sealed("stability", {**result.to_dict(), "command": command_line()})
    if write_or_print(json_file, body):
        return
    terminal().print(stability_table(result))
