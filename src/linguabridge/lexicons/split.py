"""Seeded parts of a lexicon: words to probe neurons with, and words kept back to check the recommendation on.

Which part a concept belongs to depends on the concept and the seed alone, never on the pair of languages, so that what
was computed for one language serves every pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from linguabridge.errors import InputError
from linguabridge.lexicons.lexicon import Entry, PairEntries
from linguabridge.lexicons.normalise import normalise_word

CHECK_SHARE = 0.3  # of all concepts


@dataclass(frozen=True)
class Split:
    """Disjoint entries: to probe neurons with, and to check on. Either may be shorter than asked for."""

    probes: tuple[Entry, ...]
    check: tuple[Entry, ...]


def kept_for_check(concept: str, seed: int, share: float = CHECK_SHARE) -> bool:
    """Tell whether a concept is kept back for the check, as ``share`` of all concepts are.

    What a smaller share keeps back, a larger one does too.
    """
    return _fraction("check", concept, seed) < share


def split(pair: PairEntries, *, probes: int, check: int, seed: int, share: float = CHECK_SHARE) -> Split:
    """Draw probe and check entries, in an order that the seed alone decides.

    A check entry is dropped when its source is a probe's source, or one of its targets a probe's target: the same word
    under another concept.

    Args:
        pair: what the lexicon offers.
        probes: number of probe entries wanted; there may be fewer.
        check: number of check entries wanted; there may be fewer.
        seed: any integer.
        share: of all concepts that are kept for the check.

    Returns:
        The two draws. Whether they are large enough is for the caller to judge.

    Raises:
        InputError: a negative number of entries.
    """
    if probes < 0 or check < 0:
        raise InputError(
            f"Cannot draw {min(probes, check)} entries: the number of probes and of check words is 0 or more."
        )
    # Ties (one concept, two source words) are broken by the source word, so that the lexicon's own order never shows.
    ordered = sorted(pair.entries, key=lambda entry: (_fraction("order", entry.concept, seed), entry.source))
    chosen = [entry for entry in ordered if not kept_for_check(entry.concept, seed, share)][:probes]
    sources = {normalise_word(entry.source) for entry in chosen}
    targets = {normalise_word(word) for entry in chosen for word in entry.targets}
    held = (
        entry
        for entry in ordered
        if kept_for_check(entry.concept, seed, share)
        and normalise_word(entry.source) not in sources
        and targets.isdisjoint(normalise_word(word) for word in entry.targets)
    )
    return Split(tuple(chosen), tuple(entry for entry, _ in zip(held, range(check), strict=False)))


def in_order(concepts: Iterable[str], seed: int) -> list[str]:
    """Put concepts in an order that the seed alone decides, whatever other concepts there are."""
    return sorted(concepts, key=lambda concept: (_fraction("order", concept, seed), concept))


def words_for_profile(names: Mapping[str, str], seed: int, share: float = CHECK_SHARE) -> dict[str, str]:
    """Leave out the words kept for the check, also where another concept has the same word.

    Args:
        names: one language's words by concept, as :meth:`Lexicon.names` gives them.
        seed: the seed of the split.
        share: of all concepts that are kept for the check.
    """
    held = {normalise_word(word) for concept, word in names.items() if kept_for_check(concept, seed, share)}
    return {
        concept: word
        for concept, word in names.items()
        if not kept_for_check(concept, seed, share) and normalise_word(word) not in held
    }


def _fraction(purpose: str, concept: str, seed: int) -> float:
    # Not `random`: the place of a concept must not depend on the others.
    digest = sha256(f"{seed}\0{purpose}\0{concept}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
