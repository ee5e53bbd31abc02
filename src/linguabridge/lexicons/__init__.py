"""Lexicons: word translations to probe neurons with, and to check a recommendation on."""

from __future__ import annotations

from pathlib import Path

from rapidfuzz import fuzz, process

from linguabridge.errors import InputError
from linguabridge.languages import Language
from linguabridge.lexicons.cldr import CldrLexicon, is_symbol, load_cldr
from linguabridge.lexicons.file import FileLexicon, load_file
from linguabridge.lexicons.lexicon import Entry, Lexicon, PairEntries, SkippedLine
from linguabridge.lexicons.muse import MuseLexicon, load_muse
from linguabridge.lexicons.normalise import is_among, is_one_word, normalise_word
from linguabridge.lexicons.split import CHECK_SHARE, Split, kept_for_check, split, words_for_profile
from linguabridge.paths import exists, expanded

__all__ = [
    "CHECK_SHARE",
    "CldrLexicon",
    "Entry",
    "FileLexicon",
    "Lexicon",
    "MuseLexicon",
    "PairEntries",
    "SkippedLine",
    "Split",
    "is_among",
    "is_one_word",
    "is_symbol",
    "kept_for_check",
    "load_cldr",
    "load_file",
    "load_lexicon",
    "load_muse",
    "normalise_word",
    "split",
    "words_for_profile",
]

_NAMES = ("cldr", "muse")


def load_lexicon(
    name_or_path: str, *, directory: Path | None, source: Language, target: Language, cache_dir: Path
) -> Lexicon:
    """Open a lexicon by name, or a word list by its path.

    Args:
        name_or_path: ``cldr``, ``muse``, or the path of a TSV or CSV file.
        directory: local folder of MUSE dictionaries; only for ``muse``.
        source: language of a file's first column, where the file does not say.
        target: language of its second.
        cache_dir: where downloads are kept.

    Raises:
        InputError: neither a lexicon nor a file, or one that cannot be used.
    """
    name = name_or_path.strip().casefold()
    if directory is not None and name != "muse":
        raise InputError(f"--lexicon-dir holds MUSE dictionaries: use it with --lexicon muse, not {name_or_path}.")
    if name == "cldr":
        return load_cldr()
    if name == "muse":
        return load_muse(directory, cache_dir=cache_dir)
    path = expanded(name_or_path)
    if name and exists(path):
        return load_file(path, source, target)
    near = process.extractOne(name, _NAMES, scorer=fuzz.ratio, score_cutoff=60)
    guess = f" Did you mean {near[0]}?" if near else ""
    raise InputError(
        f"{name_or_path!r} is neither a lexicon nor a file.{guess} Give cldr, muse, or the path of a word list."
    )
