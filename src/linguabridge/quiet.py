"""Keep other libraries' bars and messages out of our output, and leave the libraries as they were found."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class _Switches:
    """What a library shows, and how that is changed."""

    level: Callable[[], int]
    set_level: Callable[[int], None]
    hides_bars: Callable[[], bool]
    show_bars: Callable[[], object]
    hide_bars: Callable[[], object]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """While open, transformers and the client of the hub show errors only and no bars of their own."""
    with _quiet(_hub(), _transformers()):
        yield


@contextmanager
def quiet_datasets() -> Iterator[None]:
    """While open, datasets and the client of the hub show errors only and no bars of their own, and nothing warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _quiet(_hub(), _datasets()):
            yield


@contextmanager
def _quiet(*libraries: _Switches) -> Iterator[None]:
    with ExitStack() as afterwards:
        for one in libraries:  # the last is put back first: the bars of transformers switch those of the hub, too
            afterwards.callback(_switch, one, one.level(), hidden=one.hides_bars())
            _switch(one, logging.ERROR, hidden=True)
        yield


def _switch(library: _Switches, level: int, *, hidden: bool) -> None:
    library.set_level(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they warn where the environment decides about bars; then it does
        (library.hide_bars if hidden else library.show_bars)()


def _hub() -> _Switches:
    from huggingface_hub.utils import logging as messages
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    return _Switches(
        messages.get_verbosity,
        messages.set_verbosity,
        are_progress_bars_disabled,
        enable_progress_bars,
        disable_progress_bars,
    )


def _transformers() -> _Switches:
    from transformers.utils import logging as messages

    return _Switches(
        messages.get_verbosity,
        messages.set_verbosity,
        lambda: not messages.is_progress_bar_enabled(),
        messages.enable_progress_bar,
        messages.disable_progress_bar,
    )


def _datasets() -> _Switches:
    import datasets

    return _Switches(
        datasets.logging.get_verbosity,
        datasets.logging.set_verbosity,
        datasets.are_progress_bars_disabled,
        datasets.enable_progress_bars,
        datasets.disable_progress_bars,
    )
