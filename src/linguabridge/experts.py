"""Mixtures of experts: which token, and which expert, each row of an experts module's activation function belongs to.

transformers keeps all experts of a layer in one module. Its activation function sees only (token, expert) pairs that
the router chose, in an order that depends on how the experts are executed: one expert after the other, all of them
grouped, or token by token. The order follows from the router's choice, which comes in with the module's arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from linguabridge.errors import ModelError

_CLOSE = 0.02  # of the largest value; the same product rounds otherwise when it is computed among others


def experts_around(module: nn.Module) -> int | None:
    """Number of experts that a module itself holds as stacked weights; None where it is no such module."""
    number = getattr(module, "num_experts", None)
    stacked = any(weight.ndim == 3 and len(weight) == number for weight in module.parameters(recurse=False))
    return number if isinstance(number, int) and stacked else None


def router_choice(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The experts that the router chose, shape (tokens, experts per token), among an experts module's arguments.

    Raises:
        ModelError: there are none; such a module does not run its experts on chosen tokens.
    """
    for one in (*args, *kwargs.values()):
        if _is_choice(one):
            assert isinstance(one, Tensor)
            return one
    raise ModelError(
        "The experts of this model are run in a way that linguabridge does not know: they are not told which tokens "
        "the router sends to them; use another model."
    )


def _is_choice(one: object) -> bool:
    return isinstance(one, Tensor) and one.ndim == 2 and not one.is_floating_point()


def execution(experts: nn.Module) -> str:
    """How transformers executes the experts of this module now: ``eager``, ``grouped_mm``, ``batched_mm`` or others."""
    if not hasattr(type(experts).forward, "__wrapped__"):  # a class with one way only
        return "eager"
    return getattr(experts.config, "_experts_implementation", None) or "eager"


def row_order(choice: Tensor, how: str) -> tuple[Tensor, Tensor]:
    """Token and expert of each row of the activation function.

    Args:
        choice: the router's, shape (tokens, experts per token).
        how: from :func:`execution`.

    Returns:
        Two arrays of shape (tokens · experts per token,).
    """
    tokens, chosen = choice.shape
    if how == "eager":  # by expert, then by the place that the expert has in the token's choice, then by token
        experts, order = torch.sort(choice.T.reshape(-1), stable=True)
        return order % tokens, experts
    flat = choice.reshape(-1)
    if how == "batched_mm":
        return torch.arange(len(flat), device=flat.device) // chosen, flat
    experts, order = torch.sort(flat)  # as grouped execution itself does it: equal ones in the same order
    return order // chosen, experts


class Routes:
    """While it lives, follows an experts module and tells where the next rows of its activation function belong."""

    def __init__(self, experts: nn.Module) -> None:
        self._handle: RemovableHandle = experts.register_forward_pre_hook(self._begin, with_kwargs=True)
        self._tokens = self._experts = torch.empty(0, dtype=torch.int64)

    def _begin(self, experts: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._tokens, self._experts = row_order(router_choice(args, kwargs), execution(experts))

    def take(self, rows: int) -> tuple[Tensor, Tensor]:
        """Tokens and experts of the next rows, each of shape (rows,).

        Raises:
            ModelError: the router chose fewer.
        """
        if rows > len(self._tokens):
            raise ModelError(
                "The experts of this model compute more activations than the router chose experts, in a way that "
                "linguabridge does not know; use another model."
            )
        taken = self._tokens[:rows], self._experts[:rows]
        self._tokens, self._experts = self._tokens[rows:], self._experts[rows:]
        return taken

    def remove(self) -> None:
        """Stop following."""
        self._handle.remove()


def by_expert(values: Tensor, tokens: Tensor, experts: Tensor) -> list[tuple[int, Tensor, Tensor]]:
    """Rows put together by expert: its number, its tokens of shape (n,), its values of shape (n, units)."""
    if len(experts) > 1 and bool((experts[1:] < experts[:-1]).any()):
        experts, order = torch.sort(experts, stable=True)
        values, tokens = values[order], tokens[order]
    numbers, counts = torch.unique_consecutive(experts, return_counts=True)
    out, at = [], 0
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        out.append((number, tokens[at : at + count], values[at : at + count]))
        at += count
    return out


@dataclass
class Seen:
    """What the check at load keeps of one experts module in one forward pass."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] | None = None

    def keep(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A forward pre-hook."""
        self.args, self.kwargs = args, kwargs


def check_experts(
    experts: nn.Module, activation: nn.Module, seen: Seen, read: dict[tuple[int, int], Tensor], per_token: int | None
) -> str | None:
    """Hold what was read in an experts module to what the module gives for one token and one expert alone.

    Alone there is one row, so no order can be mistaken.

    Args:
        experts: the module.
        activation: its activation function.
        seen: its arguments in the pass that was read.
        read: values by (token, expert), each of shape (units,).
        per_token: experts per token that the configuration promises; None where it does not say.

    Returns:
        What is wrong; None where nothing is.
    """
    if seen.kwargs is None:
        return "were not run"
    choice = router_choice(seen.args, seen.kwargs)
    tokens, chosen = choice.shape
    expected = tokens * (per_token or chosen)
    if len(read) != expected:
        return f"gave {len(read)} activations for {tokens} tokens where {expected} were promised"
    alone: list[Tensor] = []
    handle = activation.register_forward_hook(lambda _m, _i, out: alone.append(out.reshape(-1, out.shape[-1])))
    first = seen.args[0] if seen.args else next(iter(seen.kwargs.values()))

    def cut(one: Any, token: int, expert: int) -> Any:
        """The argument for one token and one of its experts alone."""
        if one is first:
            return one[token : token + 1]
        if not isinstance(one, Tensor) or one.shape != choice.shape:
            return one
        return torch.full_like(one[:1, :1], expert if _is_choice(one) else 1)

    try:
        for token, expert in read:
            alone.clear()
            experts(
                *(cut(one, token, expert) for one in seen.args),
                **{name: cut(one, token, expert) for name, one in seen.kwargs.items()},
            )
            if len(alone) != 1 or len(alone[0]) != 1:
                return "run their activation function not once for one token and one expert"
            right, found = alone[0][0].float(), read[token, expert].float()
            if float((right - found).abs().max()) > _CLOSE * float(right.abs().max()):
                return "run in an order that linguabridge does not know"
    finally:
        handle.remove()
    return None
