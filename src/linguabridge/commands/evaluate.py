"""``linguabridge evaluate``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding

from linguabridge.commands.completion import complete_language
from linguabridge.commands.engines import check_endpoint, open_engine
from linguabridge.commands.options import (
    DEFAULT_MODEL_NAME,
    ChatTemplate,
    Concurrency,
    Device,
    Dtype,
    Endpoint,
    EndpointModel,
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
from linguabridge.progress import TerminalReporter, recorded
from linguabridge.terminal import terminal

if TYPE_CHECKING:
    from linguabridge.evaluation.results import Evaluation


def evaluate(
    pairs: Annotated[
        list[str],
        typer.Argument(
            help="Pairs SOURCE:TARGET (ar:he sw:de), or one pair as two words.", autocompletion=complete_language
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            help="bli (words), mrc (Belebele), nli (XNLI), math (MGSM), topics (SIB-200), choice (XCOPA), translate "
            "(FLORES), or a Python file of your own; several between commas.",
            metavar="NAMES",
        ),
    ] = "bli",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of local data sets in upstream layouts (belebele/, sib200/…), so that none is downloaded."
        ),
    ] = None,
    bridge: Annotated[
        str | None,
        typer.Option(
            help="Bridges to go through in any case: en,fr. Default: en, unless it is in the pair. '' for none."
        ),
    ] = None,
    arms: Annotated[
        str,
        typer.Option(
            help="More ways: recommended, random, oracle, dictionary, chain, vote, or all. '' for none.",
            metavar="NAMES",
        ),
    ] = "recommended",
    best: Annotated[int, typer.Option(help="How many bridges chain and vote take.")] = 3,
    candidates: Annotated[
        str | None, typer.Option(help="Bridges to choose from: en,fr,sw. Default: the paper's 15 without the pair.")
    ] = None,
    recommendation: Annotated[
        str | None,
        typer.Option(
            help="Folder of an earlier `recommend --out`, several between commas; pairs without one are ranked now.",
            metavar="DIRS",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Items of each task and pair, at most: 10 or more, 30 for a verdict.")
    ] = None,
    shots: Annotated[int, typer.Option(help="Demonstrations before every question.")] = 0,
    shots_language: Annotated[
        str | None, typer.Option(help="Language of the demonstrations' texts; the source by default.")
    ] = None,
    scoring: Annotated[
        str | None,
        typer.Option(
            help="How options are chosen: text (likelihood of the option), letters (of its letter), generated (an "
            "answer, parsed). Each task has its default."
        ),
    ] = None,
    normalise: Annotated[
        str, typer.Option(help="Likelihood of an option: sum, byte (per byte), pmi (minus that without the question).")
    ] = "sum",
    lexicon: Annotated[
        str, typer.Option(help="For words: cldr, muse, or a TSV or CSV file.", metavar="NAME|FILE")
    ] = "cldr",
    lexicon_dir: Annotated[Path | None, typer.Option(help="Folder of MUSE dictionaries.")] = None,
    texts: Annotated[
        str | None, typer.Option(help="Texts to read neurons on, as in recommend.", metavar="WHERE")
    ] = None,
    tokens: Annotated[int, typer.Option(help="Tokens read for each language, at most; 200 or more.")] = 5000,
    probes: Annotated[int, typer.Option(help="Words that probe neurons; at least 20.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    model: Model = DEFAULT_MODEL_NAME,
    endpoint: Endpoint = None,
    endpoint_model: EndpointModel = None,
    chat_template: ChatTemplate = False,
    concurrency: Concurrency = 8,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    ray: Ray = None,
    workers: Workers = None,
    gpus_per_worker: GpusPerWorker = None,
    show_prompts: Annotated[
        bool,
        typer.Option("--show-prompts", help="Show one item's prompts, direct and through a bridge, and ask nothing."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for items.parquet, summary.json and manifest.json. Default: ./evaluation"),
    ] = None,
    json_file: Json = None,
) -> None:
    """Measure on real tasks whether going through a bridge language helps."""
    from linguabridge.evaluation.settings import ARMS, EvaluationSettings, fixed_bridges, parse_pairs
    from linguabridge.settings import Settings, check_pair

    settings = EvaluationSettings(
        tasks=several(task) or (),
        data=data,
        bridges=several(bridge),
        arms=ARMS if arms.strip() == "all" else several(arms) or (),
        best=best,
        limit=limit,
        shots=shots,
        shots_language=shots_language,
        scoring=scoring,
        normalise=normalise,
        recommendations=tuple(map(Path, several(recommendation) or ())),
        recommend=Settings(
            candidates=several(candidates),
            lexicon=lexicon,
            lexicon_dir=lexicon_dir,
            texts=texts,
            tokens=tokens,
            probes=probes,
            check=0,
            seed=seed,
        ),
    )
    chosen = parse_pairs(pairs)
    for source, target in chosen:  # what costs nothing to refuse is refused before torch is imported
        s, t, _ = check_pair(source, target, settings.recommend)
        fixed_bridges(s, t, settings)
    check_endpoint(endpoint, endpoint_model)
    cluster = on_cluster(ray, workers, gpus_per_worker)
    folder = out or Path("evaluation")
    inputs = (model, lexicon, lexicon_dir, texts, data, *settings.tasks, *settings.recommendations)
    check_writable(folder, json_file, "evaluate", inputs)
    from linguabridge.cache import Cache, default_cache_dir
    from linguabridge.model import ModelOptions

    cache = Cache(default_cache_dir())
    reporter = TerminalReporter()
    if show_prompts and json_file:
        raise InputError("--show-prompts asks nothing, so there is no result for --json; leave one of them out.")
    if show_prompts:
        from linguabridge.evaluation.preview import preview

        terminal().print(preview(chosen, settings, cache), highlight=False, markup=False, soft_wrap=True)
        return
    from linguabridge.evaluation import files
    from linguabridge.evaluation.evaluate import evaluate as run
    from linguabridge.hardware import set_threads

    started = time.time()
    options = ModelOptions(device, dtype, taps, trust_remote_code, cluster, allow_pickle=allow_pickle)
    with recorded(reporter, folder) as recording:

        def check(body: dict[str, Any]) -> None:
            files.check_folder(folder, body)
            files.check_unfinished(folder, body)
            recording.begin()

        def show_so_far(found: Evaluation) -> None:
            try:
                files.write_unfinished(folder, found, command=command_line(), started=started)
            except InputError as error:  # they are for who looks on; the run's own are written at its end
                reporter.say(str(error))

        engine = open_engine(
            endpoint, endpoint_model, chat=chat_template, cache=cache, reporter=recording, concurrency=concurrency
        )
        set_threads()
        found = run(
            chosen,
            model=model,
            options=options,
            settings=settings,
            chat=chat_template,
            engine=engine,
            before=check,
            after=show_so_far,
            cache=cache,
            reporter=recording,
        )
        files.write_folder(folder, found, command=command_line(), started=started)
        files.remove_unfinished(folder)
    if write_or_print(json_file, files.summary_body(found)):
        return
    show(found, folder, terminal())


def show(found: Evaluation, folder: Path, console: Console) -> None:
    """Print an evaluation: words first, then the tables."""
    from linguabridge.evaluation.tables import result_table
    from linguabridge.evaluation.words import headline

    console.print()
    console.print(Padding(headline(found), (0, 0, 1, 0)), highlight=False, markup=False)
    for result in found.results:
        console.print(result_table(result))
        for note in result.notes:
            console.print(Padding(note, (0, 0, 0, 2)), highlight=False, markup=False)
        console.print()
    console.print(
        f"Every item with its prompt, answer and score: {folder / 'items.parquet'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
