"""Word lists of the user's own: two columns or more, in TSV or CSV."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from linguabridge.errors import InputError
from linguabridge.languages import Language, parse
from linguabridge.lexicons.lexicon import PairEntries, Row, SkippedLine, collect
from linguabridge.lexicons.normalise import normalise_word
from linguabridge.paths import content_of, text_of

_DELIMITERS = ("\t", ";", ",")  # on equal counts the earlier: a comma is the likeliest to be part of an entry
_LONGEST_LINE = 10_000  # characters; a longer line is no dictionary entry
_LONGEST_WORD = 200  # characters
_MOST_LINES = 1_000_000  # takes minutes already; the largest dictionaries have a tenth of it
_FORMAT = "a word list has two columns parted by tab, comma or semicolon, in UTF-8: WORD<tab>TRANSLATION"


@dataclass(frozen=True, eq=False)
class FileLexicon:
    """Word pairs from a file: any pair among its columns' languages, in either direction.

    A line's concept is its first word, so that it is the same for every pair among three columns or more.
    """

    path: Path
    columns: dict[str, int]
    rows: tuple[tuple[str, ...], ...]
    skipped: tuple[SkippedLine, ...]
    digest: str

    @property
    def name(self) -> str:
        """Give the file's name."""
        return self.path.name

    def languages(self) -> list[Language]:
        """List the columns' languages, by code."""
        return [parse(code) for code in sorted(self.columns)]

    def pair(
        self, source: Language, target: Language, *, keep_identical: bool = False, keep_multiword: bool = False
    ) -> PairEntries:
        """Give the entries from one language to another; see :meth:`Lexicon.pair`."""
        from_column, to_column = self._column(source), self._column(target)
        rows = [
            Row(self._concept(cells), word, targets)
            for cells in self.rows
            if (targets := _words(cells, to_column))
            for word in _words(cells, from_column)
        ]
        if not rows:
            raise InputError(f"No line of {self.path} has both a {source.name} and a {target.name} word.")
        return collect(
            rows,
            source,
            target,
            lexicon=self.name,
            keep_identical=keep_identical,
            keep_multiword=keep_multiword,
            skipped=self.skipped,
        )

    def names(self, language: Language) -> dict[str, str]:
        """Give a language's words by concept, the first of several for the same concept.

        Raises:
            InputError: no column is in the language.
        """
        column = self._column(language)
        names: dict[str, str] = {}
        for cells in self.rows:
            if words := _words(cells, column):
                names.setdefault(self._concept(cells), words[0])
        return names

    def fingerprint(self) -> str:
        """Hash the file's bytes and which column was taken for which language."""
        return self.digest

    def _concept(self, cells: Sequence[str]) -> str:
        return next(words[0] for column in sorted(self.columns.values()) if (words := _words(cells, column)))

    def _column(self, language: Language) -> int:
        try:
            return self.columns[language.code]
        except KeyError:
            covered = ", ".join(f"{known.name} ({known.code})" for known in self.languages())
            raise InputError(
                f"{self.path} covers {covered}, not {language.name} ({language.code}): add a column for it, with all "
                "columns' languages named in the first line, or use --lexicon cldr."
            ) from None


def load_file(path: Path, source: Language, target: Language) -> FileLexicon:
    """Read a word list.

    One entry a line, columns parted by tab, semicolon or comma (whichever most lines have). Empty lines and lines that
    start with ``#`` are passed over. A first line may name the columns' languages, or say ``source`` and ``target``;
    without it, the first column is the source language and the second the target language. Several translations stand
    on several lines, or parted by ``|``. UTF-8, or UTF-16 with a byte-order mark.

    Args:
        path: the file.
        source: language of the first column, where no first line says so.
        target: language of the second.

    Returns:
        The lexicon. Malformed lines are left out, with number and reason.

    Raises:
        InputError: the file cannot be read, is no text, names other languages, or is for the larger part malformed.
    """
    content = _read(path)
    text = text_of(content, path, _FORMAT)
    n_lines = text.count("\n") + text.count("\r") - text.count("\r\n")
    if n_lines > _MOST_LINES:
        raise InputError(
            f"{path} has {n_lines:,} lines, and a word list is read up to {_MOST_LINES:,}: cut it down to the most "
            "frequent words."
        )
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise InputError(f"{path} has no entries: {_FORMAT}.")
    delimiter = _sniff([line for _, line in lines])
    columns = _header(_cells(lines[0][1], delimiter), source, target, path)
    rows: list[tuple[str, ...]] = []
    skipped: list[SkippedLine] = []
    body = lines[1:] if columns else lines
    columns = columns or {source.code: 0, target.code: 1}
    for number, line in body:
        cells = _cells(line, delimiter)
        if reason := _fault(line, cells, columns):
            skipped.append(SkippedLine(number, reason))
        else:
            rows.append(tuple(cells))
    if not rows or len(skipped) > len(rows):
        raise InputError(_refusal(path, len(body), skipped))
    digest = sha256(content + repr(sorted(columns.items())).encode()).hexdigest()
    return FileLexicon(path, columns, tuple(rows), tuple(skipped), digest)


def _read(path: Path) -> bytes:
    try:
        return content_of(path)
    except OSError as error:
        raise InputError(f"Cannot read {path} ({error.strerror or error}): give the file of a word list.") from error


def _sniff(lines: Sequence[str]) -> str:
    sample = [line for line in lines if len(line) <= _LONGEST_LINE][:1000]
    return max(_DELIMITERS, key=lambda delimiter: sum(delimiter in line for line in sample))


def _cells(line: str, delimiter: str) -> list[str]:
    """Split one line. Quotes count where the csv module says so; an entry never runs on to the next line."""
    if len(line) > _LONGEST_LINE:
        return []
    # An odd number of quotes cannot be quoting: it is the mark in a Hebrew abbreviation, or an inch.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if line.count('"') % 2 else csv.QUOTE_MINIMAL
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter != "\t", quoting=quoting))
    return [cell.strip() for cell in cells]


def _header(cells: Sequence[str], source: Language, target: Language, path: Path) -> dict[str, int] | None:
    """Map languages to columns if the first line names them.

    Dictionary entries look like codes ("no" and "it" are languages), so a line is a header only when it names both
    languages asked for; it is an error when it plainly names others.
    """
    folded = [cell.casefold() for cell in cells]
    if "source" in folded and "target" in folded:
        return {source.code: folded.index("source"), target.code: folded.index("target")}
    columns: dict[str, int] = {}
    for position, cell in enumerate(cells):
        if (code := _code(cell)) is not None:
            columns.setdefault(code, position)
    wanted = [code in columns for code in (source.code, target.code)]
    if all(wanted):
        return columns
    spelled_out = all(len(cell) > 3 for cell in cells)
    if len(columns) >= 2 and (any(wanted) or (len(columns) == len(cells) and (len(cells) > 2 or spelled_out))):
        raise InputError(
            f"The first line of {path} names the languages {', '.join(columns)}, not {source.code} and {target.code}. "
            f"If it is an entry, put a line that names the columns before it: {source.code}<tab>{target.code}."
        )
    return None


def _code(cell: str) -> str | None:
    try:
        return parse(cell).code
    except InputError:
        return None


def _fault(line: str, cells: Sequence[str], columns: dict[str, int]) -> str | None:
    """Say what is wrong with a line, if anything is."""
    if len(line) > _LONGEST_LINE:
        return f"longer than {_LONGEST_LINE:,} characters"
    needed = max(columns.values()) + 1
    if len(cells) < 2 or (len(columns) == 2 and len(cells) < needed):
        return f"{len(cells)} column{'s' if len(cells) > 1 else ''} instead of {needed}"
    filled = [words for column in columns.values() if (words := _words(cells, column))]
    if len(filled) < 2:  # with three languages and more, one may be missing
        return "an empty column"
    if any(len(word) > _LONGEST_WORD for words in filled for word in words):
        return f"a word longer than {_LONGEST_WORD} characters"
    return None


def _words(cells: Sequence[str], column: int) -> tuple[str, ...]:
    """Give a cell's words: none where the line is short, or has nothing but punctuation or marks on no letter."""
    if column >= len(cells):
        return ()
    return tuple(word.strip() for word in cells[column].split("|") if _has_signs(normalise_word(word)))


def _has_signs(word: str) -> bool:
    return any(unicodedata.category(sign)[0] != "M" for sign in word)


def _refusal(path: Path, n_lines: int, skipped: Sequence[SkippedLine]) -> str:
    examples = "; ".join(f"line {line.number}: {line.reason}" for line in skipped[:3])
    return f"{path}: {len(skipped)} of {n_lines} lines cannot be read ({examples or 'there is none'}); {_FORMAT}."
