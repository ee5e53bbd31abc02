"""``linguabridge spectrum``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
)
from linguabridge.commands.output import check_writable, command_line, write_or_print
from linguabridge.errors import InputError
from linguabridge.progress import TerminalReporter, recorded
from linguabridge.terminal import terminal

if TYPE_CHECKING:
    from linguabridge.spectrum.results import Spectrum


def spectrum(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LANG…",
            help="Languages to relate, three or more: ar he sw tl…",
            autocompletion=complete_language,
        ),
    ] = None,
    all_lexicon: Annotated[
        bool, typer.Option("--all-lexicon", help="Every language that the built-in lexicon covers, 100 and more.")
    ] = False,
    model: Model = DEFAULT_MODEL_NAME,
    texts: Annotated[
        str | None,
        typer.Option(
            help="Texts to read neurons on: a folder with a file a language (sw.txt, swh_Latn.dev), a path with "
            "{lang} in it, or a data set id. By default CLDR names.",
            metavar="WHERE",
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(help="Tokens read for each language, at most; 200 or more.")] = 2000,
    top_rate: Annotated[float, typer.Option(help="Share of neurons in a top set.")] = 0.01,
    concepts: Annotated[int, typer.Option(help="Words compared between languages by CKA and HSIC.")] = 200,
    samples: Annotated[int, typer.Option(help="Bootstrap samples of the text, for the support of branches.")] = 1000,
    no_shuffled: Annotated[
        bool, typer.Option("--no-shuffled", help="Leave out the control on shuffled text, which takes as long again.")
    ] = False,
    distances: Annotated[
        list[Path] | None,
        typer.Option(help="Table of distances to compare with, such as URIEL's: TSV or CSV; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    ray: Ray = None,
    workers: Workers = None,
    gpus_per_worker: GpusPerWorker = None,
    out: Annotated[
        Path, typer.Option(help="Folder for spectrum.json and pairs.parquet, for `linguabridge report`.")
    ] = Path("spectrum"),
    json_file: Json = None,
) -> None:
    """Show how a model relates languages to each other: matrices, a tree, a map, and how much of it is kinship."""
    from linguabridge.spectrum.settings import SpectrumSettings, check_languages

    if bool(codes) == all_lexicon:
        raise InputError("Name the languages to relate, such as ar he sw tl, or give --all-lexicon alone.")
    settings = SpectrumSettings(
        texts=texts,
        tokens=tokens,
        top_rate=top_rate,
        concepts=concepts,
        samples=samples,
        shuffled=not no_shuffled,
        distances=tuple(distances or ()),
        seed=seed,
    )
    cluster = on_cluster(ray, workers, gpus_per_worker)
    if codes:
        check_languages(codes)  # what costs nothing to refuse is refused before torch is imported
    check_writable(out, json_file, "spectrum", (model, texts, *(distances or ())))
    from linguabridge.hardware import set_threads
    from linguabridge.model import ModelOptions
    from linguabridge.spectrum.files import check_folder, write_folder
    from linguabridge.spectrum.spectrum import spectrum as relate

    set_threads()
    options = ModelOptions(device, dtype, taps, trust_remote_code, cluster, allow_pickle=allow_pickle)
    with recorded(TerminalReporter(), out) as reporter:

        def before(asked: Mapping[str, Any]) -> None:
            check_folder(out, asked)
            reporter.begin()

        result = relate(codes, model=model, options=options, settings=settings, before=before, reporter=reporter)
        body = write_folder(out, result, command=command_line())
    if write_or_print(json_file, body):
        return
    show(result, out, terminal())


def show(result: Spectrum, folder: Path, console: Console) -> None:
    """Print a spectrum: words first, then the tables."""
    from linguabridge.spectrum.tables import distances_table, heat_map, kin_table, mutual_table, neighbours_table
    from linguabridge.spectrum.words import basis, paragraphs

    console.print()
    for text in paragraphs(result):
        console.print(Padding(text, (0, 0, 1, 0)), highlight=False, markup=False)
    shown = (
        heat_map(result),
        neighbours_table(result),
        mutual_table(result),
        kin_table(result),
        distances_table(result),
    )
    for table in filter(None, shown):
        console.print(table)
        console.print()
    console.print("What this rests on", style="bold")
    for sentence in basis(result):
        console.print(Padding(sentence, (0, 0, 0, 2)), highlight=False, markup=False)
    console.print(
        f"\nWritten to {folder}. Look at it: linguabridge report {folder}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
