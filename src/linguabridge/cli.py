"""The command line."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from linguabridge.cache import write_atomically
from linguabridge.errors import InputError, LinguabridgeError
from linguabridge.progress import TerminalReporter

app = typer.Typer(
    help="Which bridge language should my language model go through, and does it help?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Model = Annotated[
    str,
    typer.Option(help="The embedded default, a Hugging Face id, a local folder, or a GGUF file.", show_default=True),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[str, typer.Option(help="auto (by what the hardware does well), float32, bfloat16, float16.")]
Taps = Annotated[
    str | None,
    typer.Option(help="Activation modules, where the search fails: 'model.layers.{layer}.mlp.act_fn'.", metavar="NAME"),
]
Remote = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code that comes with the model. Off unless asked.")
]
DEFAULT_MODEL_NAME = "gemma-3-270m"  # as in linguabridge.embedded; named here so that --help needs no torch


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"linguabridge {version('linguabridge')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - acts through its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    _State.debug = _State.debug or debug


class _State:
    debug = False


@app.command()
def recommend(
    source: Annotated[str, typer.Argument(help="Language of the input: ar, arb_Arab, Arabic…")],
    target: Annotated[str, typer.Argument(help="Language of the output.")],
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
        str, typer.Option(help="Neurons of a bridge: rest (all but the overlap), or between (shared with one).")
    ] = "rest",
    probes: Annotated[
        int, typer.Option(help="Words to ask the model, to find those it understands; at least 20.")
    ] = 200,
    check: Annotated[int, typer.Option(help="Held-out words for the check; 10 or more, 30 for a verdict.")] = 100,
    no_check: Annotated[bool, typer.Option("--no-check", help="Rank only; do not check.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    out: Annotated[Path | None, typer.Option(help="Folder to keep the result in (recommend.json).")] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write JSON to a file instead of the report; - for standard output.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Rank bridge languages for a pair by shared neurons, and check whether the best one helps.

    Examples: `linguabridge recommend ar he` · `linguabridge recommend Swahili English --model ./my-model --json -`
    """
    from linguabridge.settings import Settings, check_pair

    settings = Settings(
        candidates=tuple(one for one in map(str.strip, re.split("[,;]", candidates)) if one)
        if candidates is not None
        else None,
        lexicon=lexicon,
        lexicon_dir=lexicon_dir,
        texts=texts,
        tokens=tokens,
        estimator=estimator,
        reference=reference,
        layers=_layers(layers),
        top_rate=top_rate,
        shared_set=shared_set,
        bridge_set=bridge_set,
        probes=probes,
        check=0 if no_check else check,
        seed=seed,
    )
    check_pair(source, target, settings)  # what costs nothing to refuse is refused before torch is imported
    _check_writable(out, json_file)
    from linguabridge.hardware import set_threads
    from linguabridge.model import ModelOptions
    from linguabridge.recommendation import recommend as recommend_bridge

    set_threads()
    reporter = TerminalReporter()
    options = ModelOptions(device, dtype, taps, trust_remote_code)
    result = recommend_bridge(source, target, model=model, options=options, settings=settings, reporter=reporter)
    body = {**result.to_dict(), "command": _command()}
    if out:
        _write(out / "recommend.json", body)
        reporter.say(f"Wrote {out / 'recommend.json'}.")
    if json_file and str(json_file) != "-":
        _write(json_file, body)
        reporter.say(f"Wrote {json_file}.")
    elif json_file:
        sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    else:
        show(result, Console())


def show(result: Any, console: Console) -> None:
    """Print a recommendation: words first, then the tables."""
    from linguabridge import words
    from linguabridge.tables import check_table, ranking_table

    def say(text: str, style: str | None = None) -> None:
        console.print(Padding(text, (0, 0, 1, 0)), style=style, highlight=False, markup=False)

    console.print()
    say(words.headline(result), "bold")
    say(words.why(result, result.ranking.candidates[0]))
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


@app.command("languages")
def list_languages(
    query: Annotated[str | None, typer.Argument(help="Show only languages whose code or name holds this.")] = None,
) -> None:
    """List language codes, names, and what the lexicons cover."""
    from linguabridge.cache import default_cache_dir
    from linguabridge.languages import parse
    from linguabridge.lexicons import load_cldr, load_muse

    cldr = load_cldr()
    in_muse = {one.code for one in load_muse(None, cache_dir=default_cache_dir()).languages()}
    rows = [(one, len(cldr.names(one))) for one in cldr.languages()]
    try:
        exact = parse(query) if query else None
    except InputError:
        exact = None
    wanted = (query or "").casefold()
    if any(one == exact for one, _ in rows):
        rows, wanted = [row for row in rows if row[0] == exact], ""
    rows = [(one, n) for one, n in rows if any(wanted in text.casefold() for text in (one.code, one.name, one.endonym))]
    if not rows:
        raise InputError(f"No language of the lexicon has '{query}' in its code or name.")
    counted = "1 language" if len(rows) == 1 else f"{len(rows)} languages"
    table = Table(title=f"{counted}; names in the built-in lexicon (cldr), and whether MUSE has it")
    for name in ("code", "name", "own name", "cldr", "muse"):
        table.add_column(name, justify="right" if name == "cldr" else "left")
    for one, n in rows:
        table.add_row(one.code, one.name, one.endonym, f"{n:,}", "yes" if one.code in in_muse else "")
    Console().print(table)


@app.command("inspect")
def inspect_model(
    model: Annotated[str, typer.Argument(help="The embedded default, a Hugging Face id, a folder, or a GGUF file.")] = (
        DEFAULT_MODEL_NAME
    ),
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
) -> None:
    """Show a model's layers, where its neurons are read, its dtype and its memory."""
    from linguabridge.inspection import inspect
    from linguabridge.model import ModelOptions

    reporter = TerminalReporter()
    table = Table(show_header=False, title=model)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in inspect(model, ModelOptions(device, dtype, taps, trust_remote_code), reporter).items():
        table.add_row(name, value)
    Console().print(table)


def _layers(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+)\s*(?:[-–:]\s*(\d+)\s*)?", text)
    if not match:
        raise InputError(f"--layers {text}: give the first and the last layer, counted from 0, such as 6-12.")
    first = int(match[1])
    return first, int(match[2]) if match[2] else first


def _check_writable(out: Path | None, json_file: Path | None) -> None:
    """Say before the work, not after it, that its result could not be written."""
    for folder in filter(None, (out, json_file.parent if json_file and str(json_file) != "-" else None)):
        existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise InputError(f"{folder} is no folder that can be written; choose another with --out or --json.")
    if json_file and json_file.is_dir():
        raise InputError(f"--json {json_file} is a folder; name a file.")


def _write(file: Path, body: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, (json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}).") from error


def _command() -> str:
    import shlex

    return shlex.join(["linguabridge", *sys.argv[1:]])


def main() -> None:
    """Run the command line: one sentence and exit code 2 for what the user can mend, 130 after Ctrl-C."""
    _State.debug = "--debug" in sys.argv  # wherever it stands
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()  # names wrong usage itself; typer brings its own click, whose exceptions have no public name
    except LinguabridgeError as error:
        if _State.debug:
            Console(stderr=True).print_exception()
        Console(stderr=True).print(f"Error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != 130:  # 130 is what typer makes of Ctrl-C
            raise
        Console(stderr=True).print("Stopped; what was finished is kept, and the same command goes on from there.")
        sys.exit(130)


if __name__ == "__main__":
    main()
