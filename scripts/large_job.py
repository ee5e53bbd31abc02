"""The arithmetic of a large job in docs/scaling.md: operations, bytes and GPU hours; writes the page's table anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
LANGUAGES, TOKENS = 100, 10_000_000  # the job: tokens a language
CONTEXT = 512  # texts.MAX_LENGTH: tokens read at a time
PEAK = 989e12  # NVIDIA H100 SXM, dense bfloat16, operations per second (data sheet)
SHARE = 0.4  # of the peak that forward passes reach; an assumption, measure yours
BANDWIDTH = 3.35e12  # of the same GPU's memory, bytes per second (data sheet)
BATCH = 16_384  # batches.TOKENS_PER_BATCH_ACCELERATOR
BYTES_A_WEIGHT = 2  # bfloat16, weights and activations alike
BYTES_A_NEURON = 16  # a count (int64) and a sum (float64)
_TABLE = re.compile(r"(?<=<!-- scripts/large_job.py -->\n).*?(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Model:
    """A Llama's sizes, as its config.json names them."""

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    vocabulary: int

    @property
    def body(self) -> int:
        """Parameters of the layers' matrices: what each token is multiplied with."""
        width = self.hidden // self.heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * self.kv_heads * width
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def weights(self) -> int:
        """Parameters in all, the norms' few left out: embedding and projection are matrices of their own."""
        return self.body + 2 * self.vocabulary * self.hidden

    @property
    def per_token(self) -> float:
        """Operations for a token: the layers, and attention to half a context on average; no projection."""
        return 2.0 * self.body + 4.0 * self.layers * self.hidden * CONTEXT / 2

    @property
    def values(self) -> int:
        """Numbers that go in and out of the layers' matrices for a token."""
        kv = self.kv_heads * self.hidden // self.heads
        attention = 2 * 2 * self.hidden + 2 * (self.hidden + kv)
        return self.layers * (attention + 3 * (self.hidden + self.intermediate))

    @property
    def moved_per_token(self) -> float:
        """Bytes that a token's products must move at least: a batch's share of the weights, and the values."""
        return BYTES_A_WEIGHT * (self.body / BATCH + self.values)

    @property
    def neurons(self) -> int:
        """Feed-forward neurons."""
        return self.layers * self.intermediate


MODELS = (
    Model("Llama 3.1 8B", 32, 4096, 14_336, 32, 8, 128_256),
    Model("Llama 3.1 70B", 80, 8192, 28_672, 64, 8, 128_256),
)


def table() -> str:
    """The arithmetic, as Markdown."""
    total = LANGUAGES * TOKENS
    rows: list[tuple[str, list[str]]] = [
        ("operations for a token", [f"{one.per_token / 1e9:.1f} GFLOP" for one in MODELS]),
        (f"operations for {total / 1e9:.0f} billion tokens", [f"{one.per_token * total:.2g} FLOP" for one in MODELS]),
        (
            f"GPU hours at {SHARE:.0%} of {PEAK / 1e12:.0f} TFLOP/s".replace("%", " %"),
            [f"{one.per_token * total / (PEAK * SHARE) / 3600:.0f}" for one in MODELS],
        ),
        (
            f"bytes moved for them, in batches of {BATCH:,} tokens",
            [f"{one.moved_per_token * total / 1e15:.1f} PB" for one in MODELS],
        ),
        (
            f"GPU hours to move them at {BANDWIDTH / 1e12:.2f} TB/s",
            [f"{one.moved_per_token * total / BANDWIDTH / 3600:.1f}" for one in MODELS],
        ),
        ("weights in bfloat16", [f"{one.weights * BYTES_A_WEIGHT / 1e9:.0f} GB" for one in MODELS]),
        ("neurons", [f"{one.neurons:,}" for one in MODELS]),
        ("statistics of a language", [f"{one.neurons * BYTES_A_NEURON / 1e6:.1f} MB" for one in MODELS]),
        (
            f"statistics of {LANGUAGES} languages, kept",
            [f"{one.neurons * BYTES_A_NEURON * LANGUAGES / 1e9:.1f} GB" for one in MODELS],
        ),
    ]
    lines = [f"| | {' | '.join(one.name for one in MODELS)} |", f"|---|{'---|' * len(MODELS)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(values)} |" for name, values in rows)]) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(_TABLE.sub(table(), PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
