"""``linguabridge inspect``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from linguabridge.commands.completion import complete_model
from linguabridge.commands.options import DEFAULT_MODEL_NAME, Device, Dtype, Json, Pickle, Remote, Taps
from linguabridge.commands.output import check_writable, write_or_print
from linguabridge.progress import TerminalReporter
from linguabridge.terminal import terminal


def inspect_model(
    model: Annotated[
        str,
        typer.Argument(
            help="The embedded default, a Hugging Face id, a folder, or a GGUF file.", autocompletion=complete_model
        ),
    ] = DEFAULT_MODEL_NAME,
    device: Device = "auto",
    dtype: Dtype = "auto",
    taps: Taps = None,
    trust_remote_code: Remote = False,
    allow_pickle: Pickle = False,
    json_file: Json = None,
) -> None:
    """Show a model's layers, where its neurons are read, its dtype and its memory."""
    from linguabridge.inspection import inspect
    from linguabridge.model import ModelOptions

    check_writable(None, json_file, "inspect", (model,))
    reporter = TerminalReporter()
    options = ModelOptions(device, dtype, taps, trust_remote_code, allow_pickle=allow_pickle)
    found = inspect(model, options, reporter)
    if write_or_print(json_file, dict(found)):
        return
    table = Table(show_header=False, title=model)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in found.items():
        table.add_row(name, value)
    terminal().print(table)
