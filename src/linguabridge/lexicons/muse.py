"""MUSE: the bilingual dictionaries of Conneau et al. (2018), CC BY-NC 4.0, downloaded or from a local folder.

A pair without a dictionary of its own is joined through English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from linguabridge.downloads import fetch
from linguabridge.errors import InputError
from linguabridge.languages import Language, parse
from linguabridge.lexicons.lexicon import PairEntries, Row, SkippedLine, collect
from linguabridge.paths import content_of

BASE_URL = "https://dl.fbaipublicfiles.com/arrival/dictionaries/"
_SPLITS = (".0-5000", ".5000-6500")
_FILE_NAME = re.compile(r"([a-z]{2,3})-([a-z]{2,3})(?:\.0-5000|\.5000-6500)?\.txt")
_WAY_OUT = "put the files into a folder and give --lexicon-dir FOLDER, or use --lexicon cldr"


@dataclass(frozen=True, eq=False)
class MuseLexicon:
    """Word pairs from MUSE.

    A source language's words are the 6,500 that MUSE trains and tests on (files ``.0-5000`` and ``.5000-6500``): the
    full file goes on with ever rarer words, many of them names. Where there is only the full file, it serves.
    Translations on the far side of English come from the full file, where there is one. MUSE is all lower case, mixes
    simplified and traditional characters in Chinese, and has wrong rows.
    """

    available: frozenset[str]
    folder: Path | None
    cache_dir: Path
    base_url: str = BASE_URL
    name: str = "muse"

    def languages(self) -> list[Language]:
        """List the languages of all dictionaries at hand, by code."""
        codes = {code for name in self.available if (match := _FILE_NAME.fullmatch(name)) for code in match.groups()}
        return [parse(code) for code in sorted(codes)]

    def pair(
        self, source: Language, target: Language, *, keep_identical: bool = False, keep_multiword: bool = False
    ) -> PairEntries:
        """Give the entries from one language to another; see :meth:`Lexicon.pair`.

        Raises:
            InputError: no dictionary for the pair, nor one into and one out of English.
            DownloadError: a dictionary cannot be fetched.
            CacheError: the cache folder cannot be written.
        """
        skipped: list[SkippedLine] = []
        translations: Mapping[str, Sequence[str]]
        direct = self._frequent(source.code, target.code)
        via = None
        if direct:
            translations = self._read(direct, skipped)
        else:
            into, out_of = self._frequent(source.code, "en"), self._full("en", target.code)
            if not into or not out_of:
                raise InputError(self._no_pair(source, target))
            translations = _join(self._read(into, skipped), self._read(out_of, skipped))
            via = "English"
        return collect(
            (Row(word, word, tuple(found)) for word, found in translations.items()),
            source,
            target,
            lexicon="MUSE",
            keep_identical=keep_identical,
            keep_multiword=keep_multiword,
            skipped=tuple(skipped),
            via=via,
        )

    def names(self, language: Language) -> dict[str, str]:
        """Give the 6,500 frequent words of a language, each under itself: MUSE has no concepts across languages.

        Raises:
            InputError: no dictionary out of the language.
        """
        partners = ["en"] if language.code != "en" else [other.code for other in self.languages()]
        for partner in partners:
            if names := self._frequent(language.code, partner):
                return {word: word for word in self._read(names, [])}
        raise InputError(f"MUSE has no dictionary out of {language.name} ({language.code}); {self._covered()}.")

    def fingerprint(self) -> str:
        """Hash the names and sums of all dictionaries at hand: the same for a full folder and for the download."""
        lines = (f"{self._sum(name)}  {name}\n" for name in sorted(self.available))
        return sha256("".join(lines).encode()).hexdigest()

    def _sum(self, name: str) -> str:
        if self.folder is None:
            return _registry()[name]
        return sha256(_read_bytes(self.folder / name)).hexdigest()

    def _frequent(self, source: str, target: str) -> list[str]:
        splits = [name for part in _SPLITS if (name := f"{source}-{target}{part}.txt") in self.available]
        return splits or self._only_full(source, target)

    def _full(self, source: str, target: str) -> list[str]:
        return self._only_full(source, target) or self._frequent(source, target)

    def _only_full(self, source: str, target: str) -> list[str]:
        name = f"{source}-{target}.txt"
        return [name] if name in self.available else []

    def _read(self, names: Iterable[str], skipped: list[SkippedLine]) -> dict[str, list[str]]:
        translations: dict[str, list[str]] = {}
        for name in names:
            path = self.folder / name if self.folder else _fetch(name, self.cache_dir, self.base_url)
            _read_into(translations, path, skipped)
        return translations

    def _no_pair(self, source: Language, target: Language) -> str:
        missing = [language for language in (source, target) if language not in self.languages()]
        lacks = " and ".join(f"{language.name} ({language.code})" for language in missing)
        what = f"MUSE has no {lacks}" if missing else f"MUSE has no way from {source.name} to {target.name}"
        return f"{what}; {self._covered()}: use --lexicon cldr or --lexicon FILE.tsv."

    def _covered(self) -> str:
        return f"{'this folder' if self.folder else 'it'} covers {' '.join(lang.code for lang in self.languages())}"


def load_muse(folder: Path | None, *, cache_dir: Path, base_url: str = BASE_URL) -> MuseLexicon:
    """Open the MUSE dictionaries; nothing is read or downloaded before a pair is asked for.

    Args:
        folder: local folder in the upstream layout (``ar-en.txt``, ``ar-en.0-5000.txt`` ...), or None to download.
            Files in a folder are taken as they are; downloads must have the SHA-256 listed in ``data/muse.sha256``.
        cache_dir: where downloads are kept.
        base_url: where the dictionaries are downloaded from.

    Raises:
        InputError: the folder does not exist or holds no MUSE dictionary.
    """
    if folder is None:
        return MuseLexicon(frozenset(_registry()), None, cache_dir, base_url)
    try:
        found = frozenset(path.name for path in folder.iterdir() if _is_dictionary(path.name))
    except OSError as error:
        raise InputError(f"Cannot read the MUSE folder {folder} ({error.strerror or error}): {_WAY_OUT}.") from error
    if not found:
        raise InputError(
            f"No MUSE dictionary in {folder}, whose files are named like ar-en.txt or ar-en.0-5000.txt: {_WAY_OUT}."
        )
    return MuseLexicon(found, folder, cache_dir)


def _is_dictionary(name: str) -> bool:
    match = _FILE_NAME.fullmatch(name)
    if not match:
        return False
    try:
        return all(parse(code).code == code for code in match.groups())
    except InputError:
        return False


@lru_cache(maxsize=1)
def _registry() -> dict[str, str]:
    text = files("linguabridge").joinpath("data", "muse.sha256").read_text("utf-8")
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def _fetch(name: str, cache_dir: Path, base_url: str) -> Path:
    file = cache_dir / "muse" / name
    return fetch(base_url + name, file, sha256=_registry()[name], publisher="MUSE", way_out=_WAY_OUT)


def _read_bytes(path: Path) -> bytes:
    try:
        return content_of(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _read_into(translations: dict[str, list[str]], path: Path, skipped: list[SkippedLine]) -> None:
    try:
        text = _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text, as MUSE's dictionaries are.") from error
    for number, line in enumerate(text.split("\n"), 1):
        words = re.split(r"[ \t]+", line.strip(" \t\r"))  # a tab in some files, a space in others
        if words == [""]:
            continue
        if len(words) != 2:
            skipped.append(SkippedLine(number, f"{path.name}: {len(words)} columns, not 2"))
            continue
        found = translations.setdefault(words[0], [])
        if words[1] not in found:
            found.append(words[1])


def _join(into: dict[str, list[str]], out_of: dict[str, list[str]]) -> dict[str, Sequence[str]]:
    joined: dict[str, Sequence[str]] = {}
    for word, middles in into.items():
        found = dict.fromkeys(target for middle in middles for target in out_of.get(middle, ()))
        if found:
            joined[word] = tuple(found)
    return joined
