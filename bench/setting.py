"""What is measured on: the default model, or with ``--quick`` the tests' tiny one; and text that does not end."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from linguabridge import languages
from linguabridge.cache import Cache, default_cache_dir
from linguabridge.cluster.options import ClusterOptions
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.quiet import quiet_transformers
from linguabridge.texts import load_text

ROOT = Path(__file__).parent.parent
LANGUAGE = "fi"  # of the text that neurons are read on, where one does


@dataclass(frozen=True)
class Setting:
    """What all figures of a run share.

    Attributes:
        quick: small sizes on a tiny model: shows that the benchmarks run, and measures nothing.
        data: folder with ``belebele/`` in it.
        items: of Belebele.
        scratch: folder for the tiny model, and for what is kept of it.
    """

    quick: bool
    data: Path
    items: int
    scratch: Path

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.tiny if self.quick else DEFAULT_MODEL

    @cached_property
    def tiny(self) -> str:
        """Folder of the tiny model."""
        return str(tiny_llama(self.scratch / "llama"))

    @property
    def cache(self) -> Cache:
        """Where the converted model is kept, and what is remembered of the machine."""
        return Cache(self.scratch / "cache") if self.quick else Cache(default_cache_dir())

    @cached_property
    def loaded(self) -> LanguageModel:
        """The model, in this process."""
        return self.opened().loaded

    def opened(self, cluster: ClusterOptions | None = None) -> LazyModel:
        """The model, found."""
        return open_model(self.model, ModelOptions(cluster=cluster), self.cache)

    @cached_property
    def tiny_opened(self) -> LazyModel:
        """The tiny model, found."""
        return open_model(self.tiny, cache=Cache(self.scratch / "cache"))


def tiny_llama(folder: Path) -> Path:
    """Write the random Llama that tests run on."""
    spec = importlib.util.spec_from_file_location("tiny", ROOT / "tests" / "tiny.py")
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    with quiet_transformers():
        return Path(tiny.save(folder, "llama"))


def names() -> Iterator[str]:
    """The names that CLDR has, again and again: text of any length that nobody holds."""
    text = load_text(None, languages.parse(LANGUAGE), 0)
    while True:
        yield from text.lines()
