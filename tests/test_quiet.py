"""Other libraries are quiet while we use them, and afterwards as they were."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
from huggingface_hub import utils as hub_bars
from huggingface_hub.utils import logging as hub
from transformers.utils import logging as transformers

from linguabridge.quiet import quiet_datasets, quiet_transformers
from linguabridge.texts import load_text
from task_data import SW

_LIBRARIES: dict[str, tuple[Any, Callable[[], bool], Callable[[], None], Callable[[], None]]] = {
    "hub": (
        hub,
        lambda: not hub_bars.are_progress_bars_disabled(),
        hub_bars.enable_progress_bars,
        hub_bars.disable_progress_bars,
    ),
    "transformers": (
        transformers,
        transformers.is_progress_bar_enabled,
        transformers.enable_progress_bar,
        transformers.disable_progress_bar,
    ),
    "datasets": (
        datasets.logging,
        lambda: not datasets.are_progress_bars_disabled(),
        datasets.enable_progress_bars,
        datasets.disable_progress_bars,
    ),
}


def shown() -> dict[str, tuple[int, bool]]:
    """Level of messages, and whether there are bars."""
    return {name: (messages.get_verbosity(), bars()) for name, (messages, bars, _, _) in _LIBRARIES.items()}


def put(state: dict[str, tuple[int, bool]]) -> None:
    for name in ("transformers", "hub", "datasets"):  # the bars of transformers switch the hub's
        messages, _, show, hide = _LIBRARIES[name]
        level, bars = state[name]
        messages.set_verbosity(level)
        (show if bars else hide)()
    assert shown() == state


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = shown()
    yield
    put(before)


@pytest.mark.parametrize("bars", [(True, True, True), (False, True, True), (True, False, False), (False, False, True)])
@pytest.mark.parametrize(("opened", "quiet"), [(quiet_transformers, "transformers"), (quiet_datasets, "datasets")])
def test_libraries_are_quiet_and_then_as_they_were(
    opened: Callable[[], AbstractContextManager[None]], quiet: str, bars: tuple[bool, bool, bool]
) -> None:
    levels = (logging.INFO, logging.DEBUG, logging.WARNING)
    put(dict(zip(_LIBRARIES, zip(levels, bars, strict=True), strict=True)))
    before = shown()
    with opened():
        assert shown()["hub"] == shown()[quiet] == (logging.ERROR, False)
    assert shown() == before
    with pytest.raises(KeyError), opened():
        raise KeyError
    assert shown() == before


def test_a_data_set_of_texts_is_read_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    put(dict.fromkeys(_LIBRARIES, (logging.INFO, True)))
    before, seen = shown(), []

    def names(_: str) -> list[str]:
        seen.append(shown()["datasets"])
        return ["swh_Latn"]

    class Rows(list[dict[str, str]]):
        def take(self, number: int) -> list[dict[str, str]]:
            return self[:number]

    monkeypatch.setattr(datasets, "get_dataset_config_names", names)
    builder = SimpleNamespace(as_streaming_dataset=lambda: {"train": Rows([{"text": "paka ameketi"}])}, hash=None)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder)
    assert list(load_text("owner/name", SW, 0)) == ["paka ameketi"]
    assert seen == [(logging.ERROR, False)]
    assert shown() == before
