"""Options that several commands have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linguabridge import embedded
from linguabridge.commands.completion import complete_model
from linguabridge.errors import InputError

if TYPE_CHECKING:
    from linguabridge.cluster.options import ClusterOptions

Model = Annotated[
    str,
    typer.Option(
        help="The embedded default, a Hugging Face id, a local folder, or a GGUF file.",
        show_default=True,
        autocompletion=complete_model,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        help="auto (one GPU if there is one, else the CPU), cpu, cuda, cuda:1; map: the layers over all GPUs, and "
        "over memory and disk what does not fit, for models larger than one GPU."
    ),
]
Dtype = Annotated[str, typer.Option(help="auto (by what the hardware does well), float32, bfloat16, float16.")]
Taps = Annotated[
    str | None,
    typer.Option(help="Activation modules, where the search fails: 'model.layers.{layer}.mlp.act_fn'.", metavar="NAME"),
]
ChatTemplate = Annotated[
    bool, typer.Option("--chat-template", help="For instruction-tuned models: put prompts as a user's turn of a chat.")
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        help="An OpenAI-compatible server that answers instead: http://127.0.0.1:8000/v1. Its key is read from "
        "OPENAI_API_KEY. --model is then the one whose neurons are read.",
        metavar="URL",
    ),
]
EndpointModel = Annotated[str | None, typer.Option(help="The model's name on that server.", metavar="NAME")]
Concurrency = Annotated[int, typer.Option(help="Requests to the server at a time.")]
Remote = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code that comes with the model. Off unless asked.")
]

Pickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle", help="Read pickled weights (.bin) where there are no safetensors. Off: a pickle can run code."
    ),
]

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Spread the work over workers of a Ray cluster: local (this machine), auto or HOST:PORT (a running one).",
        metavar="ADDRESS",
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="With --ray: number of workers. Default: one a GPU; without GPUs, one for two cores.")
]
GpusPerWorker = Annotated[
    float | None, typer.Option(help="With --ray: GPUs of each worker. Default: 1 where the cluster has any, else 0.")
]

Json = Annotated[
    Path | None,
    typer.Option(
        "--json", help="Also write JSON to a file; - for standard output, and nothing else there.", metavar="FILE"
    ),
]

DEFAULT_MODEL_NAME = embedded.NAME


def several(text: str | None) -> tuple[str, ...] | None:
    """What an option lists between commas or semicolons; None where it was not given."""
    return None if text is None else tuple(one for one in map(str.strip, re.split("[,;]", text)) if one)


def on_cluster(ray: str | None, workers: int | None, gpus_per_worker: float | None) -> ClusterOptions | None:
    """The cluster that options name; None for this process. Costs nothing: neither torch nor Ray is imported."""
    if ray is None:
        if workers is not None or gpus_per_worker is not None:
            raise InputError("--workers and --gpus-per-worker are for --ray: add --ray local, or leave them out.")
        return None
    from linguabridge.cluster.options import ClusterOptions

    return ClusterOptions(ray, workers, gpus_per_worker)
