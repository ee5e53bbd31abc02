"""How well a model predicts a text, line by line; measured in ``perplexity.py``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TextBits:
    """What a model needs to predict a text, line by line.

    Attributes:
        bits: −log2 of the probability of the line's scored tokens, shape (lines,).
        bytes: of the UTF-8 text that they stand for, shape (lines,).
        tokens: scored, shape (lines,).
    """

    bits: NDArray[np.float64]
    bytes: NDArray[np.int64]
    tokens: NDArray[np.int64]

    @property
    def per_byte(self) -> float:
        """Bits per byte of the whole text."""
        return float(self.bits.sum() / self.bytes.sum())

    @property
    def perplexity(self) -> float:
        """Perplexity by token: 2 to the power of the bits per token. Compares within one tokenizer and text only."""
        return float(2 ** (self.bits.sum() / self.tokens.sum()))
