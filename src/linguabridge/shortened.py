"""Forward passes that end early: after the last layer that anybody asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from torch import nn

from linguabridge.errors import ModelError
from linguabridge.model import LanguageModel
from linguabridge.taps import JOIN, decoder_layers

Shortened = Callable[[Callable[[], object]], None]
"""Called with what runs a forward pass; its result is lost."""


class _Enough(Exception):  # noqa: N818 - no error
    """All that is wanted of a forward pass has run."""


@contextmanager
def ending_after(model: LanguageModel, last: int) -> Iterator[Shortened]:
    """While open, what is called with a forward pass ends it where the layer after the last wanted one would begin.

    The wanted layers run as ever, and give the very same values. A pass runs whole where ending it could leave
    something undone (accelerate moves weights before and after a layer's pass), or where it is not certain which module
    is the next layer.

    Args:
        model: whose forward passes end early.
        last: number of the last layer that is wanted.
    """
    layers = _in_order(model)
    if last + 1 >= len(layers):
        yield _whole
        return
    run: set[int] = set()

    def stop(*_: object) -> None:
        if len(run) == last + 1:  # else its layers do not run in this order
            raise _Enough

    def shortened(forward: Callable[[], object]) -> None:
        run.clear()
        with suppress(_Enough):
            forward()

    with ExitStack() as hooks:
        for number in range(last + 1):
            hooks.callback(layers[number].register_forward_hook(lambda *_, number=number: run.add(number)).remove)
        hooks.callback(layers[last + 1].register_forward_pre_hook(stop).remove)
        yield shortened


def _whole(forward: Callable[[], object]) -> None:
    forward()


def _in_order(model: LanguageModel) -> list[nn.Module]:
    """The model's layers, in the order of its taps; none where a pass is not to be ended early."""
    if any(hasattr(module, "_hf_hook") for module in model.model.modules()):
        return []
    try:
        name, stack = decoder_layers(model.model)
    except ModelError:  # a model whose taps the user has named
        return []
    inside = all(
        tap.startswith(f"{name}.{number}.") for number, joined in enumerate(model.taps) for tap in joined.split(JOIN)
    )
    return list(stack) if inside and len(stack) == len(model.taps) else []
