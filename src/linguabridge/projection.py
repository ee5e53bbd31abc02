"""The vocabulary projection at chosen positions only, in bounded memory: it outweighs all layers of a small model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from linguabridge.errors import ModelError
from linguabridge.model import LanguageModel

LOGITS = 2**27  # held at once: 0.5 GB in float32, 512 positions of a vocabulary of 262k


def log_normaliser(logits: Tensor) -> Tensor:
    """Log of the sum of exponentials of each row, shape (rows, 1), in float32. Overwrites float32 logits.

    In place, a vocabulary of 262k words costs a fraction of what torch.logsumexp does, which writes copies of it.
    """
    logits = logits.float()
    largest = logits.amax(1, keepdim=True)
    return logits.sub_(largest).exp_().sum(1, keepdim=True).log_().add_(largest)


@dataclass
class Projection:
    """Runs the model so that its vocabulary projection sees chosen positions only.

    The positions are picked on the way into the output embedding; what a family does after it (soft caps, scales) is
    done by the family's own code.
    """

    model: LanguageModel
    positions: Tensor | None = None

    def __call__(self, ids: Tensor, positions: Tensor, cache: object | None = None) -> tuple[Tensor, object]:
        """Logits of shape (positions, vocabulary) at flat positions into (row, token), and the key/value cache.

        Logits are on the device of ``ids``; a model over several devices may make them on another.
        """
        self.positions = positions
        output = self.model.model(input_ids=ids, use_cache=True, **self.model.earlier(cache))
        return output.logits[0].to(ids.device), output.past_key_values

    def pick(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Hook before the output embedding: keep the chosen positions."""
        assert self.positions is not None
        hidden = inputs[0]
        positions = self.positions.to(hidden.device)
        return (hidden.reshape(-1, hidden.shape[-1]).index_select(0, positions)[None], *inputs[1:])


@contextmanager
def projection(model: LanguageModel) -> Iterator[Projection]:
    """Let the model's vocabulary projection see chosen positions only, until the context ends.

    Raises:
        ModelError: the model has none.
    """
    head = model.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is None:
        raise ModelError(f"{model.name} has no vocabulary projection; likelihoods need a causal language model.")
    project = Projection(model)
    handle = head.register_forward_pre_hook(project.pick)
    try:
        yield project
    finally:
        handle.remove()
