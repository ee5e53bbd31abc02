"""Texts to profile languages on.

By default the names of CLDR concepts in seeded order, without the concepts kept for the check; else plain files, a
folder in the layout of FLORES, or a data set by its id.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from linguabridge import languages
from linguabridge.errors import DownloadError, InputError
from linguabridge.hub import at_commit, commit_of
from linguabridge.languages import Language
from linguabridge.lexicons import CHECK_SHARE, Entry, Lexicon, load_cldr, normalise_word, words_for_profile
from linguabridge.lexicons.normalise import normalise_line
from linguabridge.paths import exists, expanded, fault_of, is_dir, is_file, lines_of
from linguabridge.quiet import quiet_datasets

MAX_LENGTH = 512  # tokens read at a time; longer lines are cut into pieces
FEWEST_WORDS = 100  # for a profile on names
_SUFFIXES = (".txt", ".dev", ".devtest")
_DATASET_LINES = 20_000  # read from a data set at most; its text column is streamed
_TEXT_COLUMNS = ("text", "sentence", "content")


@dataclass(frozen=True)
class Text:
    """Lines of one language, each a document of its own.

    Attributes:
        language: of the text.
        source: where it came from, in words.
        lines: starts reading anew each time it is called; memory does not grow with the text.
        sha256: of the content and its order.
        words: whether each line is one word or name, as of a lexicon.
        file: that the lines are read from; None where they are held, and travel with this.
    """

    language: Language
    source: str
    lines: Callable[[], Iterator[str]] = field(repr=False)
    sha256: str
    words: bool = False
    file: Path | None = None

    def __iter__(self) -> Iterator[str]:
        """The lines, read anew."""
        return self.lines()


def lines_read(text: Text, tokens: int) -> Iterator[str]:
    """The lines that a profile on so many tokens reads, at most: few tokens are longer than ten characters."""
    characters = 0
    for line in text.lines():
        yield line
        characters += len(line)
        if characters > 10 * tokens:
            return


def words_read(words: Iterable[str], text: Text, tokens: int) -> set[str]:
    """Which of some words occur in what a profile on so many tokens reads, at most.

    A word is what stands between spaces. Where a language is written without spaces, nothing tells where a word begins,
    so there it occurs wherever its characters stand in a row, also within a longer word.

    Args:
        words: in their normal form (:func:`linguabridge.lexicons.normalise_word`).
        text: read, a line at a time.
        tokens: that the profile reads.

    Returns:
        Those that occur; of the empty word, which marks alone have for a normal form, nothing is said.
    """
    wanted = {word for word in words if word}
    found: set[str] = set()
    if text.language.spaced:
        for line in lines_read(text, tokens):
            found.update(word for word in map(normalise_word, line.split()) if word in wanted)
        return found
    lengths: dict[str, set[int]] = {}  # by first character: few places in a line begin a word
    for word in wanted:
        lengths.setdefault(word[0], set()).add(len(word))
    for line in map(normalise_line, lines_read(text, tokens)):
        for start, first in enumerate(line):
            for length in lengths.get(first, ()):
                piece = line[start : start + length]
                if piece in wanted:
                    found.add(piece)
    return found


def names_text(
    language: Language, seed: int, lexicon: Lexicon | None = None, *, check_share: float = CHECK_SHARE
) -> Text:
    """The names of CLDR concepts in one language, in seeded order, without the words kept for the check.

    Where CLDR has too few, as for a language that only the user's own lexicon covers, that lexicon's words serve.

    Raises:
        InputError: neither has enough words in this language.
    """
    for source in (load_cldr(), *([lexicon] if lexicon and lexicon.name != "cldr" else [])):
        try:
            names = sorted(set(words_for_profile(source.names(language), seed, check_share).values()))
        except InputError:
            continue
        if len(names) >= FEWEST_WORDS:
            random.Random(seed).shuffle(names)  # noqa: S311 - order, not secrets
            called = "Unicode CLDR names" if source.name == "cldr" else f"words of {source.name}"
            return _held(language, called, names, words=True)
    raise InputError(
        f"There is no text in {language.name} ({language.code}) to profile on: CLDR has under {FEWEST_WORDS} names in "
        "it; give a folder of plain text files with --texts."
    )


def unread(entries: Iterable[Entry], texts: Iterable[Text]) -> list[Entry]:
    """Entries of which no word is a line of the word lists among some texts."""
    seen = {normalise_word(line) for text in texts if text.words for line in text.lines()}
    return [
        entry
        for entry in entries
        if not seen & {normalise_word(entry.source), *(normalise_word(word) for word in entry.targets)}
    ]


def without(text: Text, words: Collection[str]) -> Text:
    """The same word list without some words, given normalised; running text stays as it is."""
    if not text.words:
        return text
    lines = [line for line in text.lines() if normalise_word(line) not in words]
    return _held(text.language, text.source, lines, words=True)


def load_text(
    where: str | None,
    language: Language,
    seed: int,
    lexicon: Lexicon | None = None,
    *,
    check_share: float = CHECK_SHARE,
) -> Text:
    """The text of one language.

    Args:
        where: None for the CLDR names; a folder with a file a language (``sw.txt``, ``swh_Latn.dev``, also in a
            subfolder ``dev``); a path with ``{lang}`` in it; or the id of a data set with a configuration a language.
        language: wanted.
        seed: of the order of the CLDR names.
        lexicon: whose words serve where CLDR has none.
        check_share: of all concepts that are kept for the check, and left out of the names.

    Raises:
        InputError: no text in this language there.
        DownloadError: a data set could not be had.
    """
    if where is None:
        return names_text(language, seed, lexicon, check_share=check_share)
    if not where.strip():
        raise InputError("--texts is empty, so there is no such folder; name one, or leave it out for CLDR names.")
    if "{lang}" in where:
        return _file(language, _templated(where, language))
    path = expanded(where)
    if is_dir(path):
        return _file(language, _in_folder(path, language))
    if exists(path):
        raise InputError(
            f"--texts {where} is one file; give a folder with a file for each language, or a path with {{lang}} in it."
        )
    if where.count("/") == 1 and not where.startswith((".", "/", "~")):
        return _dataset(where, language)
    raise InputError(f"--texts {where}: there is no such folder, and it is no data set id (owner/name).")


def _held(language: Language, source: str, lines: list[str], *, words: bool = False) -> Text:
    whole = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Text(language, source, lambda: iter(lines), whole, words)


def _templated(where: str, language: Language) -> Path:
    path = expanded(where.replace("{lang}", language.code))
    if not is_file(path):
        raise InputError(
            f"There is no text for {language.name}: {path} does not exist; name another place with --texts."
        )
    return path


def _in_folder(folder: Path, language: Language) -> Path:
    found: dict[Path, Language] = {}
    for place in (folder, folder / "dev"):
        for file in sorted(place.glob("*")) if place.is_dir() else []:
            if file.suffix in _SUFFIXES and file.is_file():
                try:
                    found[file] = languages.parse(file.stem)
                except InputError:
                    continue
    for file, its_language in found.items():
        if its_language == language:
            return file
    known = ", ".join(sorted({one.code for one in found.values()})) or "none"
    raise InputError(
        f"{folder} has no text for {language.name}: a file named by its language is needed, such as "
        f"{language.code}.txt (languages found: {known})."
    )


def _file(language: Language, given: Path) -> Text:
    file = given.resolve()  # workers on other machines have another working folder

    def lines() -> Iterator[str]:
        for _, line in lines_of(file):
            # FLORES files copied from CSV carry stray quotes and trailing spaces.
            stripped = line.strip().strip('"').strip()
            if stripped:
                yield stripped

    if not any(any(map(str.isalnum, line)) for line in lines()):  # of marks alone nothing is read
        raise InputError(f"{given} holds no text in {language.name}: fill it, or name another place with --texts.")
    return Text(language, str(given), lines, lines_sha256(lines()), file=file)


def lines_sha256(lines: Iterable[str]) -> str:
    """What :attr:`Text.sha256` is of a file with these lines, in hexadecimal."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line.encode() + b"\n")
    return whole.hexdigest()


def _dataset(name: str, language: Language) -> Text:
    """A data set with a configuration named by its language (``swh_Latn``, ``sw``), read from the hub or its cache."""
    import datasets

    try:
        with quiet_datasets():
            configurations = datasets.get_dataset_config_names(name)
            matching = [one for one in configurations if _parses_to(one, language)]
            if not matching:
                raise InputError(f"The data set {name} has no configuration for {language.name} ({language.code}).")
            builder = datasets.load_dataset_builder(name, matching[0])
            rows = builder.as_streaming_dataset()
            split = rows[next((s for s in ("dev", "validation", "train") if s in rows), next(iter(rows)))]
            kept = list(split.take(_DATASET_LINES))
        column = next((c for c in _TEXT_COLUMNS if kept and c in kept[0]), None)
        if column is None:
            raise InputError(f"The data set {name} has no column named {', '.join(_TEXT_COLUMNS)}; use plain files.")
        lines = [str(row[column] or "").strip() for row in kept]
        for number, line in enumerate(lines, 1):
            if fault := fault_of(line):
                raise InputError(f"Row {number} of {name} ({matching[0]}) {fault}; name plain files instead.")
    except InputError:
        raise
    except Exception as error:
        raise DownloadError(
            f"The data set {name} could not be read (no network, or no such data set); --texts also takes a folder."
        ) from error
    return _held(language, at_commit(f"{name} ({matching[0]})", commit_of(builder)), [line for line in lines if line])


def _parses_to(name: str, language: Language) -> bool:
    try:
        return languages.parse(name) == language
    except InputError:
        return False
