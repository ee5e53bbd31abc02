"""``linguabridge recommend``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding

from linguabridge.commands.completion import complete_language
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
    several,
)
from linguabridge.commands.output import check_writable, command_line, write_or_print
from linguabridge.errors import InputError
from linguabridge.json_values import sealed
from linguabridge.progress import TerminalReporter, recorded
from linguabridge.terminal import terminal


def recommend(
    source: Annotated[
        str, typer.Argument(help="Language of the input: ar, arb_Arab, Arabic…", autocompletion=complete_language)
    ],
    target: Annotated[str, typer.Argument(help="Language of the output.", autocompletion=complete_language)],
    model: Model = DEFAULT_MODEL_NAME,
    candidates: Annotated[
        str | None,
        typer.Option(help="Bridges to choose from: en,fr,sw. Default: en zh ja ar he id tl fi hu sw de fr it pt es."),
    ] = None,
    lexicon: Annotated[
        str, typer.Option(help="cldr (built in, 150+ languages), muse, or a TSV or CSV file.", metavar="NAME|FILE")
    ] = "cldr",
    lexicon_dir: Annotated[
        Path | None, typer.Option(help="Folder of MUSE dictionaries, so that none is downloaded.")
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            help="Texts to read neurons on: a folder with a file a language (sw.txt, swh_Latn.dev), a path with "
            "{lang} in it, or a data set id. By default CLDR names.",
            metavar="WHERE",
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(help="Tokens read for each language, at most; 200 or more.")] = 5000,
    estimator: Annotated[
        str | None, typer.Option(help="Dependence measure: cka (default) or reference.", metavar="NAME")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="The published procedure, flaws and all, as far as it can be run.")
    ] = False,
    layers: Annotated[
        str | None,
        typer.Option(help="Layers to compare in, counted from 0: 6-12. By default the middle third.", metavar="A-B"),
    ] = None,
    top_rate: Annotated[
        float | None,
        typer.Option(help="Share of neurons in a top set. By default .01, raised until every candidate has enough."),
    ] = None,
    shared_set: Annotated[str, typer.Option(help="Neurons of the pair: overlap, or anchored.")] = "overlap",
    bridge_set: Annotated[
        str,
        typer.Option(
            help="Neurons of a bridge: rest (all but the overlap), between (shared with one), specific (LAPE)."
        ),
    ] = "rest",
    probes: Annotated[
        int, typer.Option(help="Words to ask the model, to find those it understands; at least 20.")
    ] = 200,
    check: Annotated[int, typer.Option(help="Held-out words for the check; 10 or more, 30 for a verdict.")] = 100,
    bridge_words: Annotated[
        str, typer.Option(help="In the check's prompts: the model's own bridge words, or the dictionary's.")
    ] = "own",
    choose_by: Annotated[
        str | None,
        typer.Option(
            help="Way of choosing, of those that `linguabridge study --list-ways` tells.",
            show_default="english-or-hop; reference with --reference",
            metavar="WAY",
        ),
    ] = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Rank only; do not check.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    ray: Ray = None,
    workers: Workers = None,
    gpus_per_worker: GpusPerWorker = None,
    out: Annotated[Path | None, typer.Option(help="Folder to keep the result in (recommend.json).")] = None,
    json_file: Json = None,
) -> None:
    """Choose a bridge language for a pair, and check on held-out words whether it helps.

    The bridge is chosen by what lost least in the study (`linguabridge study`): English; into or out of English, the
    candidate whose words the model turns best into the target. The ranking by shared neurons is shown beside it.
    """
    from linguabridge.recommendation_files import check_folder, write_folder
    from linguabridge.settings import RESULT, Settings, check_pair

    settings = Settings(
        candidates=several(candidates),
        lexicon=lexicon,
        lexicon_dir=lexicon_dir,
        texts=texts,
        tokens=tokens,
        estimator=estimator,
        reference=reference,
        layers=layers_range(layers),
        top_rate=top_rate,
        shared_set=shared_set,
        bridge_set=bridge_set,
        probes=probes,
        check=0 if no_check else check,
        bridge_words=bridge_words,
        choose_by=choose_by,
        seed=seed,
    )
    cluster = on_cluster(ray, workers, gpus_per_worker)
    s, t, _ = check_pair(source, target, settings)  # what costs nothing to refuse is refused before torch is imported
    inputs = (lexicon, lexicon_dir, texts, model)
    check_writable(out, json_file, "recommend", inputs)
    if out:
        check_folder(out, s.code, t.code, model, settings)
    from linguabridge.hardware import set_threads
    from linguabridge.model import ModelOptions
    from linguabridge.recommendation import recommend as recommend_bridge

    set_threads()
    reporter = TerminalReporter()
    options = ModelOptions(device, dtype, taps, trust_remote_code, cluster, allow_pickle=allow_pickle)
    with recorded(reporter, out) as recording:
        recording.begin()
        result = recommend_bridge(source, target, model=model, options=options, settings=settings, reporter=recording)
        body = sealed("recommend", {**result.to_dict(), "command": command_line()})
        if out:
            write_folder(out, body)
            reporter.say(f"Wrote {out / RESULT}.")
    if not write_or_print(json_file, body):
        show(result, terminal())


def show(result: Any, console: Console) -> None:
    """Print a recommendation: words first, then the tables."""
    from linguabridge import words
    from linguabridge.tables import check_table, ranking_table

    def say(text: str, style: str | None = None) -> None:
        console.print(Padding(text, (0, 0, 1, 0)), style=style, highlight=False, markup=False)

    console.print()
    say(words.headline(result), "bold")
    say(words.why(result))
    say(words.neurons_say(result))
    if result.check:
        say(words.check_sentences(result.check))
    console.print(ranking_table(result))
    console.print()
    if result.check:
        console.print(check_table(result.check))
        console.print()
    say("What this rests on", "bold")
    for sentence in words.basis(result):
        console.print(Padding(sentence, (0, 0, 0, 2)), highlight=False, markup=False)


def layers_range(text: str | None) -> tuple[int, int] | None:
    """First and last layer of ``6-12``."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[-–:]\s*(\d{1,9})\s*)?", text)
    if not match:
        raise InputError(f"--layers {text}: give the first and the last layer, counted from 0, such as 6-12.")
    first = int(match[1])
    return first, int(match[2]) if match[2] else first
