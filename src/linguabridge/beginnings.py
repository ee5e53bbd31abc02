"""The prefix that several prompts share, run once for all of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from linguabridge.memory import unless_full
from linguabridge.model import LanguageModel

WORTH_SHARING = 32  # tokens, at least, that another pass through the model must save: about what its overhead costs
# Families without an argument for positions that count them by the attention mask, as those with one are told.
_BY_MASK = ("bloom",)


def shared(sequences: Sequence[Sequence[int]]) -> int:
    """Length of what all sequences begin with."""
    length = 0
    for tokens in zip(*sequences, strict=False):
        if len(set(tokens)) > 1:
            break
        length += 1
    return length


@dataclass(frozen=True)
class Beginning:
    """What several prompts begin with: its tokens, and the keys and values of one pass over them."""

    tokens: int
    _cache: Any

    def repeated(self, rows: int) -> Any:
        """A key/value cache that holds it once for each of some rows."""
        own = copy.deepcopy(self._cache)
        own.batch_repeat_interleave(rows)
        return own


def beginning(model: LanguageModel, encoded: Sequence[Sequence[int]], new: int) -> Beginning | None:
    """What prompts begin with, run; None where it is too short to pay, does not fit, or cannot be shared safely.

    What follows it is padded on its left, so padding stands in the middle of a row. That is safe where the model is
    told each token's position, or counts positions by the attention mask, and where no layer looks back over fewer
    tokens than a whole row has: such a window would count the padding.

    Args:
        model: the model.
        encoded: tokens of the prompts.
        new: tokens that will follow, at most.
    """
    if len(encoded) < 2:
        return None
    length = min(shared(encoded), min(map(len, encoded)) - 1)  # each keeps a token that its answer follows
    if length < WORTH_SHARING or not _pads_inside(model, max(map(len, encoded)) + new):
        return None
    ids = torch.tensor([encoded[0][:length]], device=model.device)
    cache = unless_full(lambda: model.model.base_model(input_ids=ids, use_cache=True).past_key_values)
    return None if cache is None else Beginning(length, cache)


def _pads_inside(model: LanguageModel, tokens: int) -> bool:
    config = model.model.config.get_text_config(decoder=True)
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "window_size")]
    told = "position_ids" in model.takes or config.model_type in _BY_MASK
    return told and all(tokens <= window for window in windows if isinstance(window, int))
