"""``linguabridge ablate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding

from linguabridge.commands.completion import complete_language
from linguabridge.commands.options import DEFAULT_MODEL_NAME, Device, Dtype, Json, Model, Pickle, Remote, Taps, several
from linguabridge.commands.output import check_writable, command_line, write_or_print
from linguabridge.commands.recommend import layers_range
from linguabridge.json_values import plain, sealed
from linguabridge.progress import TerminalReporter, recorded
from linguabridge.terminal import terminal

if TYPE_CHECKING:
    from linguabridge.ablation.results import Ablation


def ablate(
    source: Annotated[
        str, typer.Argument(help="Language of the words: ar, arb_Arab, Arabic…", autocompletion=complete_language)
    ],
    target: Annotated[str, typer.Argument(help="Language of their translations.", autocompletion=complete_language)],
    model: Model = DEFAULT_MODEL_NAME,
    amplify: Annotated[float, typer.Option(help="Also amplify the shared neurons by this factor.")] = 2.0,
    draws: Annotated[int, typer.Option(help="Random sets of each kind for each set of neurons; 20 or more.")] = 20,
    words: Annotated[int, typer.Option(help="Held-out words to translate; 10 or more, 30 for a verdict.")] = 100,
    text_tokens: Annotated[
        int, typer.Option(help="Tokens of held-out text in each language, for perplexity; 100 or more.")
    ] = 500,
    contrast: Annotated[
        str | None,
        typer.Option(
            help="Languages outside of the pair whose perplexity is measured, too: en,fi. By default English and one "
            "that is kin to neither.",
            metavar="LANGS",
        ),
    ] = None,
    languages: Annotated[
        str | None,
        typer.Option(
            help="Languages among which neurons are specific. Default: en zh ja ar he id tl fi hu sw de fr it pt es.",
            metavar="LANGS",
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Layers to change neurons in, counted from 0: 6-12. By default all.", metavar="A-B"),
    ] = None,
    top_rate: Annotated[float, typer.Option(help="Share of neurons in a top set.")] = 0.01,
    specific_rate: Annotated[float, typer.Option(help="Share of neurons that are language-specific.")] = 0.01,
    lexicon: Annotated[
        str, typer.Option(help="cldr (built in, 150+ languages), muse, or a TSV or CSV file.", metavar="NAME|FILE")
    ] = "cldr",
    lexicon_dir: Annotated[
        Path | None, typer.Option(help="Folder of MUSE dictionaries, so that none is downloaded.")
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            help="Texts to read neurons on and, after those lines, to measure perplexity on: a folder with a file a "
            "language (sw.txt, swh_Latn.dev), a path with {lang} in it, or a data set id. By default CLDR names.",
            metavar="WHERE",
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="Tokens that neurons are read on for each language, at most; 200 or more.")
    ] = 5000,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    out: Annotated[Path, typer.Option(help="Folder for ablation.json.")] = Path("ablation"),
    json_file: Json = None,
) -> None:
    """Switch off the neurons that two languages share, and see what becomes of translation and of the languages.

    Also amplified, and against neurons specific to either language; each against random neurons.
    """
    from linguabridge.ablation.files import RESULT, check_folder, write_folder
    from linguabridge.ablation.settings import AblationSettings, asked_for, check_languages

    settings = AblationSettings(
        lexicon=lexicon,
        lexicon_dir=lexicon_dir,
        texts=texts,
        tokens=tokens,
        languages=several(languages),
        contrasts=several(contrast),
        layers=layers_range(layers),
        top_rate=top_rate,
        specific_rate=specific_rate,
        amplify=amplify,
        words=words,
        text_tokens=text_tokens,
        draws=draws,
        seed=seed,
    )
    wanted = check_languages(
        source, target, settings
    )  # what costs nothing to refuse is refused before torch is imported
    check_writable(out, json_file, "ablate", (model, lexicon, lexicon_dir, texts))
    check_folder(out, asked_for(wanted.source.code, wanted.target.code, model, plain(settings)))
    from linguabridge.ablation.ablation import ablate as change_neurons
    from linguabridge.hardware import set_threads
    from linguabridge.model import ModelOptions

    set_threads()
    options = ModelOptions(device, dtype, taps, trust_remote_code, allow_pickle=allow_pickle)
    with recorded(TerminalReporter(), out) as reporter:
        result = change_neurons(source, target, model=model, options=options, settings=settings, reporter=reporter)
        body = sealed("ablate", {**result.to_dict(), "command": command_line()})
        write_folder(out, body)
        reporter.say(f"Wrote {out / RESULT}.")
    if write_or_print(json_file, body):
        return
    show(result, terminal())


def show(result: Ablation, console: Console) -> None:
    """Print an ablation: words first, then the tables."""
    from linguabridge.ablation.tables import text_table, translation_table
    from linguabridge.ablation.words import basis, paragraphs

    console.print()
    for number, text in enumerate(paragraphs(result)):
        console.print(Padding(text, (0, 0, 1, 0)), style="bold" if number == 0 else None, highlight=False, markup=False)
    for table in (translation_table(result), text_table(result)):
        console.print(table)
        console.print()
    console.print("What this rests on", style="bold")
    for sentence in basis(result):
        console.print(Padding(sentence, (0, 0, 0, 2)), highlight=False, markup=False)
