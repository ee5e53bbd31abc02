"""Sets of a study's pairs, and which of them counts."""

from __future__ import annotations

from collections.abc import Mapping

DEVELOPMENT_SET, REPORTED_SET, ALL_SET = "development", "reported", "all"
FEWEST_PAIRS = 8  # that nothing was chosen on, to say anything; else those that it was chosen on count, too


def main_set(sizes: Mapping[str, int]) -> str:
    """The set that a study's figures are of: pairs that nothing was chosen on, where there are enough, else all.

    Args:
        sizes: number of pairs in each set that was analysed, at least one; ``all`` where there are several.
    """
    if sizes.get(REPORTED_SET, 0) >= FEWEST_PAIRS:
        return REPORTED_SET
    return ALL_SET if ALL_SET in sizes else next(iter(sizes))
