"""Translation and text under changed neurons, measured once and kept, in the manner of ``measure.py``.

One artefact holds what one set of neurons does at one factor: a killed run loses the set it was at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.ablation.materials import Materials
from linguabridge.cache import computing_versions, digest
from linguabridge.choices import gold_ranks
from linguabridge.measure import Measurements
from linguabridge.neurons import NeuronSet
from linguabridge.prompts import option_text
from linguabridge.text_bits import TextBits
from linguabridge.texts import MAX_LENGTH


@dataclass(frozen=True)
class Scores:
    """What a model gives with some neurons changed.

    Attributes:
        words: bits of the right translation of each word, closing quote included, shape (words,).
        texts: bits of each line, by the language's code.
    """

    words: NDArray[np.float64]
    texts: Mapping[str, TextBits]


class Changed:
    """Asks a model whose neurons are changed, or the cache.

    Args:
        measure: the model and the cache.
        materials: words and texts.
        text_tokens: of each text, at most.
    """

    def __init__(self, measure: Measurements, materials: Materials, text_tokens: int) -> None:
        self.measure = measure
        self.materials = materials
        self.text_tokens = text_tokens

    def scores(self, neurons: NeuronSet, factor: float, advance: Callable[[float], None] = lambda _: None) -> Scores:
        """Bits of words and texts; ``advance`` is told the part of it that is done, 1 in all."""
        cache, right, texts = self.measure.cache, self.materials.right, self.materials.held_out
        key = self._key(
            neurons,
            factor,
            prompts=digest(list(self.materials.prompts)),
            right=digest(right),
            texts={code: one.text.sha256 for code, one in texts.items()},
            max_tokens=self.text_tokens,
            max_length=MAX_LENGTH,
        )
        if stored := cache.get("ablation", key):
            advance(1.0)
            parts = {code: [stored.arrays[f"{name}.{code}"] for name in ("bits", "bytes", "tokens")] for code in texts}
            return Scores(stored.arrays["words"], {code: TextBits(*some) for code, some in parts.items()})
        from linguabridge.ablation.intervene import scaled
        from linguabridge.perplexity import bits_per_byte, continuation_bits

        model, part = self.measure.model.loaded, 1 / (1 + len(texts))
        read: dict[str, TextBits] = {}
        with scaled(model, neurons, factor):
            words = continuation_bits(model, self.materials.prompts, right)
            advance(part)
            for code, one in texts.items():
                read[code] = bits_per_byte(model, one.text.lines(), max_tokens=self.text_tokens)
                advance(part)
        arrays: dict[str, NDArray[Any]] = {"words": words}
        for code, some in read.items():
            arrays |= {f"bits.{code}": some.bits, f"bytes.{code}": some.bytes, f"tokens.{code}": some.tokens}
        cache.put("ablation", key, arrays, {"neurons": len(neurons), "factor": factor})
        return Scores(words, read)

    def ranks(self, neurons: NeuronSet, factor: float) -> NDArray[np.int64]:
        """Rank of each word's right translation among its ten options, 1 for the best; shape (words,)."""
        cache, prompts = self.measure.cache, list(self.materials.prompts)
        options = [[option_text(word) for word in choice.options] for choice in self.materials.choices]
        key = self._key(neurons, factor, prompts=digest(prompts), options=digest(options))
        if stored := cache.get("ablation-ranks", key):
            return stored.arrays["ranks"]
        from linguabridge.ablation.intervene import scaled
        from linguabridge.likelihood import option_log_probabilities

        model = self.measure.model.loaded
        with (
            self.measure.reporter.step("Ranking translations", len(prompts)) as advance,
            scaled(model, neurons, factor),
        ):
            ranks = gold_ranks(option_log_probabilities(model, prompts, options, advance=advance))
        cache.put("ablation-ranks", key, {"ranks": ranks}, {"neurons": len(neurons), "factor": factor})
        return ranks

    def _key(self, neurons: NeuronSet, factor: float, **question: Any) -> dict[str, Any]:
        return {
            "model": self.measure.model.key,
            "computed_by": computing_versions(),
            "neurons": digest(neurons.flat.tolist()),
            "factor": float(factor),
            **question,
        }
