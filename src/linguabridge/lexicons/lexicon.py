"""What a lexicon offers, whatever it was read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.lexicons.normalise import is_one_word, normalise_word


@dataclass(frozen=True)
class Entry:
    """A word and its translations.

    Attributes:
        concept: stable id, the same whatever the pair of languages: for CLDR the character that the words name, for a
            file the word in its first column, for MUSE the source word.
        source: the word to translate.
        targets: gold translations, the first listed first; never empty.
    """

    concept: str
    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class SkippedLine:
    """A line of a file that could not be read: its number, counted from 1, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class PairEntries:
    """What a lexicon offers for a pair of languages.

    Attributes:
        source: language of the words to translate.
        target: language of their translations.
        lexicon: name of the lexicon.
        entries: the usable entries, in the lexicon's order.
        n_all: distinct source words before any filter.
        n_identical: entries whose source equals one of their targets after normalisation. They say nothing about
            translation and are left out unless ``kept_identical``.
        n_multiword: other entries of more than one word, in the source or in all targets: left out unless
            ``kept_multiword``.
        skipped: malformed lines.
        via: name of the language through which two dictionaries were joined, if they were.
        kept_identical: whether entries counted in ``n_identical`` are among ``entries`` all the same.
        kept_multiword: the same for ``n_multiword``.
    """

    source: Language
    target: Language
    lexicon: str
    entries: tuple[Entry, ...]
    n_all: int
    n_identical: int
    n_multiword: int
    skipped: tuple[SkippedLine, ...] = ()
    via: str | None = None
    kept_identical: bool = False
    kept_multiword: bool = False

    @property
    def identical_share(self) -> float:
        """Share of all entries whose source equals a target: 0 to 1."""
        return self.n_identical / self.n_all if self.n_all else 0.0

    def describe(self) -> str:
        """Say in one sentence what there is and what was left out."""
        identical = "kept" if self.kept_identical else "left out"
        multiword = "kept" if self.kept_multiword else "left out"
        parts = [
            f"{self.lexicon} has {len(self.entries):,} usable entries for {self.source.name} to {self.target.name}, of "
            f"{self.n_all:,}: {self.n_identical:,} ({100 * self.identical_share:.0f} %) that are the same word in both "
            f"languages {identical}",
            f"{self.n_multiword:,} of more than one word {multiword}",
        ]
        if self.via:
            parts.append(f"joined through {self.via}, which adds wrong translations")
        if self.skipped:
            parts.append(f"{len(self.skipped):,} malformed lines skipped")
        return ", ".join(parts) + "."


class Lexicon(Protocol):
    """A source of word translations."""

    @property
    def name(self) -> str:
        """Short name, as in ``--lexicon``."""

    def languages(self) -> list[Language]:
        """List the languages covered, by code."""

    def pair(
        self, source: Language, target: Language, *, keep_identical: bool = False, keep_multiword: bool = False
    ) -> PairEntries:
        """Give the entries from one language to another.

        Args:
            source: language of the words to translate.
            target: language of the translations.
            keep_identical: keep entries that are the same word in both languages.
            keep_multiword: keep entries of more than one word.

        Raises:
            InputError: the lexicon has nothing for this pair; the message says what it covers.
        """

    def names(self, language: Language) -> dict[str, str]:
        """Give one language's words by concept, unfiltered.

        Raises:
            InputError: the lexicon does not cover the language.
        """

    def fingerprint(self) -> str:
        """Hash the content that pairs and names come from: SHA-256, hexadecimal."""


@dataclass(frozen=True)
class Row:
    """One line of a dictionary before entries of the same source word are merged."""

    concept: str
    source: str
    targets: tuple[str, ...]


def collect(
    rows: Iterable[Row],
    source: Language,
    target: Language,
    *,
    lexicon: str,
    keep_identical: bool,
    keep_multiword: bool,
    skipped: tuple[SkippedLine, ...] = (),
    via: str | None = None,
) -> PairEntries:
    """Merge the rows of one source word, count what the filters take, and keep the rest.

    Words are the same when :func:`normalise_word` makes them so; the first spelling stays. Of an entry with several
    translations, those of more than one word are taken off; with none left, the entry counts as multi-word.
    """
    if source == target:
        raise InputError(f"Source and target are both {source.name} ({source.code}): name two languages.")
    entries: list[Entry] = []
    n_identical = n_multiword = 0
    merged = _merge(rows)
    for entry in merged:
        identical = normalise_word(entry.source) in {normalise_word(word) for word in entry.targets}
        n_identical += identical
        if identical and not keep_identical:
            continue
        single = tuple(word for word in entry.targets if is_one_word(word, spaced=target.spaced))
        multiword = not single or not is_one_word(entry.source, spaced=source.spaced)
        n_multiword += multiword
        if keep_multiword:
            entries.append(entry)
        elif not multiword:
            entries.append(Entry(entry.concept, entry.source, single))
    return PairEntries(
        source=source,
        target=target,
        lexicon=lexicon,
        entries=tuple(entries),
        n_all=len(merged),
        n_identical=n_identical,
        n_multiword=n_multiword,
        skipped=skipped,
        via=via,
        kept_identical=keep_identical,
        kept_multiword=keep_multiword,
    )


def _merge(rows: Iterable[Row]) -> list[Entry]:
    first: dict[str, Row] = {}
    targets: dict[str, dict[str, str]] = {}  # normal form of the source -> normal forms of its targets -> spelling
    for row in rows:
        key = normalise_word(row.source)
        forms = [(normalise_word(word), word) for word in row.targets]
        if not key or not any(form for form, _ in forms):  # nothing but punctuation
            continue
        first.setdefault(key, row)
        known = targets.setdefault(key, {})
        for form, word in forms:
            if form:
                known.setdefault(form, word)
    return [Entry(row.concept, row.source, tuple(targets[key].values())) for key, row in first.items()]
