"""Rows of data sets, from local copies in the upstream layout or from the Hugging Face hub, and the order of items.

Shared by the tasks. Every row knows where it stands, so that an error names the file and the line.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge import languages
from linguabridge.errors import DownloadError, InputError
from linguabridge.hub import at_commit, commit_of
from linguabridge.languages import Language
from linguabridge.paths import fault_of, lines_of
from linguabridge.quiet import quiet_datasets

MOST_DEMONSTRATIONS = 20
_HELD_OUT = 10  # one item in so many is a demonstration, where a data set has no part for training
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(frozen=True)
class Row:
    """A row of a data set.

    Attributes:
        where: it stands: ``DIR/val.et.jsonl, line 7``; begins error sentences.
        values: by column.
        commit: of the hub's repository that it was read at; None where that is not known, and for files.
    """

    where: str
    values: Mapping[str, Any]
    commit: str | None = None

    def text(self, column: str) -> str:
        """A text, white space around it off.

        Raises:
            InputError: there is no such column, or it is empty or no text.
        """
        value = self._value(column)
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{self.where}: '{column}' must be a text that is not empty.")
        return value.strip()

    def number(self, column: str) -> int:
        """A whole number, written as one or as digits.

        Raises:
            InputError: there is no such column, or it is no whole number.
        """
        value = self._value(column)
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", str(value).strip()):
            raise InputError(f"{self.where}: '{column}' must be a whole number.")
        return int(value)

    def _value(self, column: str) -> Any:
        if column not in self.values:
            raise InputError(f"{self.where}: there is no '{column}'.")
        return self.values[column]


def files_by_language(folder: Path, pattern: str) -> dict[Language, Path]:
    """Files of a data set by the language that they are named for.

    Args:
        folder: what ``--data`` names.
        pattern: path in it, with one ``*`` where the language is named: ``xnli/dev-*.tsv``, ``sib200/*/train.tsv``.
            Files whose language part is no language are left out.

    Raises:
        InputError: the folder, or that of the data set in it, does not exist.
    """
    data_set = pattern.split("/")[0]
    if not folder.is_dir():
        raise InputError(f"--data {folder}: there is no such folder.")
    if not (folder / data_set).is_dir():
        raise InputError(
            f"--data {folder} has no folder {data_set}; put the data set there ({pattern}, * being the language), or "
            "leave --data out to download it."
        )
    named = re.compile(re.escape(pattern).replace(r"\*", "([^/]+)"))
    found: dict[Language, Path] = {}
    for file in sorted(folder.glob(pattern)):
        match = named.fullmatch(file.relative_to(folder).as_posix())
        language = _language(match[1]) if match else None
        if language is not None and file.is_file():
            found.setdefault(language, file)
    return found


def find_file(folder: Path, pattern: str, language: Language) -> Path:
    """The file of a data set in one language; arguments as for :func:`files_by_language`.

    Raises:
        InputError: there is none; the sentence names the languages there are.
    """
    found = files_by_language(folder, pattern)
    if language not in found:
        raise no_language(f"{folder / pattern}", language, found)
    return found[language]


def no_language(what: str, language: Language, found: Iterable[Language]) -> InputError:
    """The error that says that a data set has nothing in a language, and in which ones it has something."""
    known = ", ".join(sorted(one.code for one in found)) or "none"
    return InputError(f"{what} has nothing in {language.name} ({language.code}); languages there: {known}.")


def read_tsv(file: Path, columns: Sequence[str], *, header: bool = True, quoted: bool = False) -> list[Row]:
    """Rows of a file whose columns are parted by tabs, a row a line.

    Args:
        file: UTF-8, with or without byte order mark, any line ends.
        columns: names of the columns; with a header these must be in it (others may be), without one they are the
            columns in their order.
        header: whether the first line names the columns.
        quoted: whether a cell with quotes in it is quoted as a whole, its own quotes doubled (as pandas writes it);
            otherwise quotes are plain characters.

    Raises:
        InputError: unreadable, no UTF-8, a column missing, a line with another number of cells, or no rows.
    """
    lines = _lines(file)
    names = list(columns)
    if header:
        first = next(lines, (1, ""))[1]
        names = [name.strip() for name in _cells(first, quoted=quoted)]
        missing = [name for name in columns if name not in names]
        if missing:
            raise InputError(f"{file}, line 1: the header lacks {', '.join(missing)} (it has {', '.join(names)}).")
    rows = []
    for number, line in lines:
        cells = _cells(line, quoted=quoted)
        if len(cells) != len(names):
            raise InputError(
                f"{file}, line {number}: {len(cells)} cells between tabs, where {len(names)} are expected "
                f"({', '.join(names)})."
            )
        rows.append(Row(f"{file}, line {number}", dict(zip(names, cells, strict=True))))
    return _not_empty(rows, file)


def read_jsonl(file: Path) -> list[Row]:
    """Rows of a file with a JSON object a line.

    Raises:
        InputError: unreadable, no UTF-8, a line that is no JSON object or holds a text that is too long, or no rows.
    """
    rows = []
    for number, line in _lines(file):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise InputError(f"{file}, line {number}: a JSON object is expected, such as {{…}}.")
        rows.append(_checked(Row(f"{file}, line {number}", values)))
    return _not_empty(rows, file)


def read_lines(file: Path) -> list[Row]:
    """Rows of a file with one text a line, in column ``text``; an empty line is a row too, since lines are parallel.

    Raises:
        InputError: unreadable, no UTF-8, or no rows.
    """
    return _not_empty([Row(f"{file}, line {number}", {"text": line}) for number, line in _lines(file)], file)


def hub_rows(data_set: str, language: Language, split: str, expected: str) -> list[Row]:
    """Rows of a data set of the Hugging Face hub in one language, downloaded on first use into the hub's own cache.

    Args:
        data_set: its id, ``owner/name``.
        language: has a configuration named by it (``swh_Latn``, ``sw``).
        split: ``test``, say.
        expected: the local file that would serve instead, below the folder of ``--data``; ``{language}`` in it becomes
            the language's code.

    Raises:
        InputError: the data set has nothing in this language, or a text that is too long.
        DownloadError: it could not be read.
    """
    import datasets

    expected = expected.replace("{language}", language.code)
    found: dict[Language, str] = {}
    for name in _fetched(data_set, expected, lambda: datasets.get_dataset_config_names(data_set)):
        known = _language(name)
        if known is not None:
            found.setdefault(known, name)
    if language not in found:
        raise no_language(f"The data set {data_set}", language, found)
    return hub_table(data_set, found[language], split, expected)


def hub_table(data_set: str, configuration: str, split: str, expected: str) -> list[Row]:
    """Rows of one configuration of a data set of the hub; see :func:`hub_rows`.

    Raises:
        InputError: a text is too long.
        DownloadError: it could not be read.
    """
    import datasets

    def fetch() -> tuple[str | None, list[Any]]:
        builder = datasets.load_dataset_builder(data_set, configuration)
        builder.download_and_prepare()
        return commit_of(builder), list(builder.as_dataset(split=split))

    commit, read = _fetched(data_set, expected, fetch)
    where = f"{data_set} ({configuration}, {split})"
    return [_checked(Row(f"{where}, row {number}", dict(values), commit)) for number, values in enumerate(read, 1)]


def hub_source(data_set: str, rows: Iterable[Row]) -> str:
    """Where rows of the hub come from, in words: the data set, and the commit that it was read at."""
    return at_commit(data_set, " and ".join(dict.fromkeys(row.commit for row in rows if row.commit)))


def ordered(ids: Iterable[str], task: str, seed: int) -> list[str]:
    """Ids in an order that the seed and the task alone decide, whatever order they come in."""
    shuffled = sorted(set(ids))
    random.Random(f"{seed}\0{task}").shuffle(shuffled)  # noqa: S311 - order, not secrets
    return shuffled


def held_out(ids: Sequence[str], concept: Callable[[str], str]) -> set[str]:
    """Ids that serve as demonstrations where a data set has no part for it: the last tenth, 20 at most.

    All that shares a concept goes together, so that no demonstration gives an item's text away.

    Args:
        ids: all there are, in the order of :func:`ordered`.
        concept: of an id.
    """
    limit = min(len(ids) // _HELD_OUT, MOST_DEMONSTRATIONS)
    together: dict[str, list[str]] = {}
    for one in reversed(ids):
        together.setdefault(concept(one), []).append(one)
    held: set[str] = set()
    for group in together.values():
        if len(held) + len(group) <= limit:
            held.update(group)
        if len(held) == limit:
            break
    return held


def _language(name: str) -> Language | None:
    try:
        return languages.parse(name)
    except InputError:
        return None


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without line ends, and without the empty ones at the end of the file."""
    empty: list[int] = []
    # Only \n and \r\n end a line: a lone \r, U+2028 and the like occur within texts.
    for number, line in lines_of(file, newline="\n"):
        if not line.strip():
            empty.append(number)
            continue
        yield from ((one, "") for one in empty)
        empty.clear()
        yield number, line.rstrip("\r\n")


def _cells(line: str, *, quoted: bool) -> list[str]:
    cells = line.split("\t")
    # Cell by cell, so that a quote that is never closed cannot swallow the lines that follow.
    return [cell[1:-1].replace('""', '"') if quoted and _QUOTED.fullmatch(cell) else cell for cell in cells]


def _checked(row: Row) -> Row:
    """A row whose texts keep the limits of a line, which neither JSON nor the hub's files have by themselves."""
    for column, value in row.values.items():
        if isinstance(value, str) and (fault := fault_of(value)):
            raise InputError(f"{row.where}: '{column}' {fault}; mend it in a copy of your own and name that by --data.")
    return row


def _not_empty(rows: list[Row], file: Path) -> list[Row]:
    if not rows:
        raise InputError(f"{file} has no rows.")
    return rows


def _fetched(data_set: str, expected: str, fetch: Callable[[], Any]) -> Any:
    try:
        with quiet_datasets():
            return fetch()
    except Exception as error:
        raise DownloadError(
            f"The data set {data_set} could not be read from the Hugging Face hub (no network, or no access to it?); "
            f"give a folder that holds {expected} with --data DIR."
        ) from error
