"""``linguabridge study``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding

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

if TYPE_CHECKING:
    from linguabridge.study.results import Study


# What a finished study was measured with, and cannot be changed afterwards.
_MEASURED_WITH = (
    *("model", "bridge_words", "lexicon", "lexicon_dir", "candidates", "words", "tokens", "probes", "ways", "no_exact"),
    *("seed", "device", "dtype", "taps", "trust_remote_code", "allow_pickle", "ray"),
)


def study(
    ctx: typer.Context,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="PAIR…", help="Pairs to study, such as ar:he en:sw; by default 24.")
    ] = None,
    model: Model = DEFAULT_MODEL_NAME,
    bridge_words: Annotated[
        str, typer.Option(help="What stands in the prompt: the dictionary's word, or the model's own.")
    ] = "dictionary",
    lexicon: Annotated[str, typer.Option(help="cldr (built in), muse, or a word list (TSV, CSV).")] = "cldr",
    lexicon_dir: Annotated[Path | None, typer.Option(help="Local folder of MUSE dictionaries.")] = None,
    candidates: Annotated[
        str | None, typer.Option(help="Bridges to try, between commas; by default the paper's 15.", metavar="LANGS")
    ] = None,
    words: Annotated[int, typer.Option(help="Words asked in each pair, at most; 40 or more.")] = 150,
    tokens: Annotated[int, typer.Option(help="Tokens read for each language, at most.")] = 2000,
    probes: Annotated[int, typer.Option(help="Words to ask the model, to find those it understands.")] = 200,
    ways: Annotated[
        str | None,
        typer.Option(help="Ways of choosing to compare, between commas (--list-ways); by default all.", metavar="WAYS"),
    ] = None,
    no_exact: Annotated[
        bool, typer.Option("--no-exact", help="Ask for no greedy answers beside ranks; a quarter less time.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    ray: Ray = None,
    workers: Workers = None,
    gpus_per_worker: GpusPerWorker = None,
    again: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Analyse anew the ranks of a finished study, in a folder or by the name of one that comes along; "
            "asks no model. Pairs named beside it are analysed alone.",
            metavar="STUDY",
        ),
    ] = None,
    distances: Annotated[
        list[Path] | None,
        typer.Option(
            help="With --from: a table of distances between languages, such as URIEL's, as one more way of choosing: "
            "the nearest to source and target. TSV or CSV; may be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for study.json and the ranks of all words.", show_default="study; nowhere with --from"
        ),
    ] = None,
    json_file: Json = None,
    list_ways: Annotated[bool, typer.Option("--list-ways", help="Only tell what the ways of choosing go by.")] = False,
) -> None:
    """Measure which way of choosing a bridge loses least, on pairs × bridges whose best bridge is known afterwards.

    The default grid takes some four hours on two cores; a run that was stopped goes on. Two of them over different
    pairs may share a cache.
    """
    from linguabridge.settings import WAYS_TO_CHOOSE
    from linguabridge.study.settings import DEVELOPMENT, REPORTED, StudySettings, parse_candidates, parse_pairs

    if list_ways:
        from linguabridge.study.tables import titles_table

        terminal().print(titles_table())
        return
    cluster = on_cluster(ray, workers, gpus_per_worker)
    out = out or (None if again else Path("study"))
    check_writable(out, json_file, "study", (model, lexicon, lexicon_dir, again, *(distances or ())))
    if again:
        if idle := _given(ctx, _MEASURED_WITH):
            raise InputError(
                f"--from analyses ranks that are there already, so {', '.join(idle)} would do nothing: leave it out, "
                "or leave --from out to ask the model."
            )
        from linguabridge.study.files import check_folder, find_study, read_study, write_folder

        result = read_study(find_study(again), only=parse_pairs(pairs or ()), distances=tuple(distances or ()))
        if out:
            check_folder(out, result.model, result.settings)
            body = write_folder(out, result, command=command_line())
        else:
            body = sealed("study", result.to_dict(command_line()))
    else:
        if distances:
            raise InputError("--distances is for a study that is measured: name it with --from.")
        settings = StudySettings(
            pairs=parse_pairs(pairs or (*DEVELOPMENT, *REPORTED)),
            words=words,
            bridge_words=bridge_words,
            lexicon=lexicon,
            lexicon_dir=lexicon_dir,
            tokens=tokens,
            probes=probes,
            exact=not no_exact,
            ways=several(ways) or WAYS_TO_CHOOSE,
            seed=seed,
            candidates=parse_candidates(several(candidates)),
        )
        from linguabridge.hardware import set_threads
        from linguabridge.model import ModelOptions
        from linguabridge.study.files import check_folder, write_folder
        from linguabridge.study.study import study as run

        assert out is not None
        check_folder(out, model, settings)
        set_threads()
        options = ModelOptions(device, dtype, taps, trust_remote_code, cluster, allow_pickle=allow_pickle)
        with recorded(TerminalReporter(), out) as reporter:
            reporter.begin()
            result = run(settings, model=model, options=options, reporter=reporter)
            body = write_folder(out, result, command=command_line())
    if write_or_print(json_file, body):
        return
    console = terminal()
    show(result, console)
    if out:
        console.print(f"Written to {out}.", highlight=False, markup=False, soft_wrap=True)


def _given(ctx: typer.Context, names: Collection[str]) -> list[str]:
    """Those of some parameters that stand on the command line, if with their defaults, as options are written."""

    def stands(name: str) -> bool:
        source = ctx.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"

    return [one.opts[0] for one in ctx.command.params if one.name in names and stands(one.name)]


def show(result: Study, console: Console) -> None:
    """Print a study: words first, then the tables."""
    from linguabridge.study.tables import (
        curves_table,
        measures_table,
        order_table,
        pairs_table,
        policies_table,
        ways_table,
    )
    from linguabridge.study.words import paragraphs

    console.print()
    for text in paragraphs(result):
        console.print(Padding(text, (0, 0, 1, 0)), highlight=False, markup=False)
    main = result.main
    for table in (
        ways_table(main),
        order_table(main),
        policies_table(main),
        measures_table(result),
        curves_table(main),
        pairs_table(result),
    ):
        console.print(table)
        console.print()
    console.print("What each way goes by: linguabridge study --list-ways", highlight=False)
