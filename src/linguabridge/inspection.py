"""What linguabridge sees in a model."""

from __future__ import annotations

from linguabridge.cache import Cache, computed_by, computing_versions, default_cache_dir
from linguabridge.hardware import MAP
from linguabridge.lazy_model import LazyModel, open_model
from linguabridge.model import ModelOptions
from linguabridge.neurons import NeuronSpace
from linguabridge.progress import Reporter


def inspect(name: str, options: ModelOptions | None = None, reporter: Reporter | None = None) -> dict[str, str]:
    """Describe a model: layers, taps, type, memory. Loads it, the first time.

    Args:
        name: as in :func:`linguabridge.model_files.find_model`.
        options: how to load it.
        reporter: shows what takes long; silent by default.

    Raises:
        ModelError: it cannot be loaded, or has no taps.
    """
    cache = Cache(default_cache_dir())
    lazy = open_model(name, options, cache, reporter)
    if lazy.computes[0] == MAP:
        found = _described(lazy)  # what lies where depends on the memory that is free now
    else:
        key = {
            "model": lazy.key,
            "device": lazy.computes[0],
            "computed_by": {
                **computing_versions(),
                **computed_by("inspection.py", "taps.py", "experts.py", "ranking.py"),
            },
        }
        found = cache.computed("inspection", key, lambda: ({}, _described(lazy))).facts
    return {**found, "folder": str(lazy.files.folder), "weights SHA-256": lazy.files.weights_sha256}


def _described(lazy: LazyModel) -> dict[str, str]:
    """What the loaded model tells; the first entries of :func:`inspect`'s result, in their order."""
    from linguabridge.ranking import default_window
    from linguabridge.taps import JOIN, input_embedding

    model = lazy.loaded
    inner = model.model
    parameters = sum(p.numel() for p in inner.parameters())
    memory = sum(p.numel() * p.element_size() for p in inner.parameters())
    widths = sorted(set(model.space.widths))
    window = default_window(model.space.n_layers)
    bos = model.encode("a")[0] in model.special_ids
    return {
        "architecture": type(inner).__name__,
        "parameters": f"{parameters:,}",
        "layers": f"{model.space.n_layers} (0 to {model.space.n_layers - 1}); default window {window[0]}-{window[-1]}",
        "neurons": f"{len(model.space):,} ({' or '.join(f'{w:,}' for w in widths)} a layer)",
        **_experts(model.space),
        "taps": f"{model.taps[0]} … {model.taps[-1]}",
        "activation": type(dict(inner.named_modules())[model.taps[-1].split(JOIN)[0]]).__name__,
        "vocabulary": f"{input_embedding(inner).shape[0]:,}",
        "BOS": "added by the tokenizer" if bos else "not added by the tokenizer",
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "memory": f"{memory / 2**20:,.0f} MB of weights",
    }


def _experts(space: NeuronSpace) -> dict[str, str]:
    """How many experts a layer has, and of how many neurons each; nothing for a model without experts."""
    if not space.experts:
        return {}
    kinds = dict.fromkeys(tuple(f"{one.count(w):,} of {w:,}" for w in dict.fromkeys(one)) for one in space.experts)
    return {"experts": " or ".join(" and ".join(kind) for kind in kinds) + " neurons a layer"}
