"""``linguabridge ask``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from linguabridge.commands.completion import complete_language
from linguabridge.commands.engines import check_endpoint, open_engine
from linguabridge.commands.options import (
    DEFAULT_MODEL_NAME,
    ChatTemplate,
    Device,
    Dtype,
    Endpoint,
    EndpointModel,
    Json,
    Model,
    Pickle,
    Remote,
    Taps,
    several,
)
from linguabridge.commands.output import check_writable, write_or_print
from linguabridge.errors import InputError
from linguabridge.progress import TerminalReporter
from linguabridge.terminal import terminal

if TYPE_CHECKING:
    from linguabridge.engines.engine import Engine
    from linguabridge.languages import Language

_LONGEST = 1_000_000  # bytes read from standard input; no model reads as much


def ask(
    source: Annotated[
        str, typer.Argument(help="Language of the text: ar, arb_Arab, Arabic…", autocompletion=complete_language)
    ],
    target: Annotated[str, typer.Argument(help="Language of the answer.", autocompletion=complete_language)],
    text: Annotated[str, typer.Argument(help="A word or a text; - to read it from standard input.")],
    bridge: Annotated[
        str | None,
        typer.Option(help="Bridge, or several in a row: en,fr. By default the recommended one; '' for none."),
    ] = None,
    candidates: Annotated[
        str | None, typer.Option(help="Bridges to choose from: en,fr,sw. Default: the paper's 15 without the pair.")
    ] = None,
    recommendation: Annotated[
        Path | None, typer.Option(help="Folder of an earlier `recommend --out`.", metavar="DIR")
    ] = None,
    model: Model = DEFAULT_MODEL_NAME,
    endpoint: Endpoint = None,
    endpoint_model: EndpointModel = None,
    chat_template: ChatTemplate = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    json_file: Json = None,
) -> None:
    """Send one word or text through the recommended bridge, and show both steps."""
    from linguabridge.settings import Settings, check_pair

    settings = Settings(candidates=several(candidates), check=0)
    s, t, _ = check_pair(source, target, settings)
    bridges = _bridges(bridge, s, t)
    check_endpoint(endpoint, endpoint_model)
    check_writable(None, json_file, "ask", (model, recommendation))
    if text == "-":
        text = _standard_input()
    if not text.strip():
        raise InputError("There is no text to ask about: give it after the languages, or - to read standard input.")
    from linguabridge.asking import ask_through
    from linguabridge.cache import Cache, default_cache_dir
    from linguabridge.engines.local import Local
    from linguabridge.hardware import set_threads
    from linguabridge.lazy_model import open_model
    from linguabridge.measure import Measurements
    from linguabridge.model import ModelOptions

    set_threads()
    cache, reporter = Cache(default_cache_dir()), TerminalReporter()
    cache.check_writable()
    options = ModelOptions(device, dtype, taps, trust_remote_code, allow_pickle=allow_pickle)
    engine: Engine | None = open_engine(endpoint, endpoint_model, chat=chat_template, cache=cache, reporter=reporter)
    # Opened once: by its neurons it ranks, and where there is no server it answers.
    opened = open_model(model, options, cache, reporter) if engine is None or bridges is None else None
    why = "as asked"
    if bridges is None:
        from linguabridge.evaluation.recommended import computed, read_earlier

        assert opened is not None
        if recommendation:
            earlier = read_earlier(recommendation)
            if earlier.pair != (s.code, t.code):
                raise InputError(f"{earlier.file} is for {':'.join(earlier.pair)}, not for {s.code}:{t.code}.")
            earlier.check_model(opened)
            ranking = earlier.ranking
        else:
            ranking = computed(s, t, model=opened, settings=settings, cache=cache, reporter=reporter)
        if not ranking.order:
            raise InputError(f"No candidate could be ranked for {s.name} to {t.name}; name a bridge with --bridge.")
        bridges = ranking.order[:1]
        why = f"chosen by {ranking.way}"
    if engine is None:
        assert opened is not None
        engine = Local(Measurements(opened, cache, reporter), chat=chat_template)
    asked = ask_through(engine, s, t, text, bridges)
    direct = ask_through(engine, s, t, text, ()).answer if bridges else asked.answer
    steps = [{"language": said.language.code, "text": said.text} for said in asked.steps]
    body = {"answer": asked.answer, "direct": direct, "steps": steps, "prompts": list(asked.prompts), "why": why}
    if write_or_print(json_file, body):
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for said in asked.steps:
        table.add_row(f"{said.language.name} ({said.language.code})", Text(said.text or "– (the model gave no answer)"))
    if bridges:
        table.add_row("directly", Text(direct or "– (the model gave no answer)"))
    console = terminal()
    console.print(table)
    console.print()
    missing = [one.name for one in bridges if one not in [said.language for said in asked.steps]]
    if missing:
        console.print(f"The model gave no {' or '.join(missing)} text, so that step was left out.")
    names = " → ".join(one.name for one in bridges) or "none"
    console.print(f"Bridge: {names} ({why}). Whether it helps, `linguabridge evaluate {s.code}:{t.code}` measures.")


def _standard_input() -> str:
    """The text on standard input, UTF-8 as all texts are."""
    if sys.stdin is None:
        raise InputError("Standard input is closed; give the text after the languages, or pipe one in.")
    try:
        content = sys.stdin.buffer.read(_LONGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"Standard input cannot be read ({error.strerror}); give the text after the languages."
        ) from error
    except ValueError as error:
        raise InputError("What standard input holds is not UTF-8 text; convert it first.") from error
    if len(content) > _LONGEST:
        raise InputError(f"Standard input holds more than {_LONGEST:,} bytes; ask about a shorter text.")
    return text


def _bridges(bridge: str | None, source: Language, target: Language) -> tuple[Language, ...] | None:
    """The bridges named; None where they are to be recommended."""
    from linguabridge.languages import parse

    codes = several(bridge)
    if codes is None:
        return None
    found = tuple(map(parse, codes))
    for one in found:
        if one in (source, target):
            raise InputError(f"The bridge {one.name} ({one.code}) is the source or the target itself; name another.")
    return found
