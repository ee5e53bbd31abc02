"""Unicode CLDR: the names of some 2,000 characters, nearly all of them emoji, in 160 languages and regional variants.

The data come with the package (``scripts/build_cldr.py`` makes them). The file is JSON, xz-compressed: ``concepts``,
the characters; ``locales``, by our language codes, each with one text of as many lines as there are concepts (empty
where a locale has no name of its own); ``parents``, whose names a regional variant takes over where that is not simply
the code cut short.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from linguabridge.errors import InputError
from linguabridge.languages import Language, parse
from linguabridge.lexicons.lexicon import PairEntries, Row, collect

# Code points of pictures of things, both ends included: watches, keyboard, clocks; miscellaneous symbols and dingbats
# up to the arrows; star; game tiles; pictographs without the five skin tones. All else is taken for a symbol. Code
# points and not general categories, because the latter differ between Python versions for the newest emoji.
_PICTURES = (
    (0x231A, 0x231B),
    (0x2328, 0x2328),
    (0x23F0, 0x23F3),
    (0x2600, 0x2793),
    (0x2B50, 0x2B50),
    (0x1F000, 0x1F0FF),
    (0x1F300, 0x1F3FA),
    (0x1F400, 0x1FAFF),
)


@dataclass(frozen=True, eq=False)
class _Data:
    concepts: tuple[str, ...]
    parents: dict[str, str]
    texts: dict[str, str]  # by code: one line per concept
    digest: str
    names: dict[str, dict[str, str]] = field(default_factory=dict)  # resolved on demand


@dataclass(frozen=True, eq=False)
class CldrLexicon:
    """Word pairs from Unicode CLDR: what two languages call the same character.

    Punctuation, arrows, mathematical and currency signs and skin tones (:func:`is_symbol`) have names, which
    :meth:`names` gives, but "open curly bracket" is a description: they make no word pairs and are not counted.
    """

    _data: _Data
    name: str = "cldr"

    def languages(self) -> list[Language]:
        """List the languages with at least one name, by code, regional variants among them."""
        return [parse(code) for code in sorted(self._data.texts)]

    def names(self, language: Language) -> dict[str, str]:
        """Give a language's names by character, symbols included; a regional variant's are filled up by its parents'.

        Raises:
            InputError: CLDR has no names in the language.
        """
        names = _names(self._data, language.code)
        if not names:
            raise InputError(
                f"Unicode CLDR names nothing in {language.name} ({language.code}): give a word list of your own, "
                "--lexicon FILE.tsv. `linguabridge languages` lists what CLDR covers."
            )
        return dict(names)

    def pair(
        self, source: Language, target: Language, *, keep_identical: bool = False, keep_multiword: bool = False
    ) -> PairEntries:
        """Give the entries from one language to another; see :meth:`Lexicon.pair`."""
        sources, targets = self.names(source), self.names(target)
        rows = [Row(c, sources[c], (targets[c],)) for c in sources if c in targets and not is_symbol(c)]
        if not rows:
            raise InputError(
                f"Unicode CLDR names nothing in both {source.name} ({len(sources)} names) and {target.name} "
                f"({len(targets)} names): give a word list of your own, --lexicon FILE.tsv."
            )
        return collect(
            rows,
            source,
            target,
            lexicon="Unicode CLDR",
            keep_identical=keep_identical,
            keep_multiword=keep_multiword,
        )

    def fingerprint(self) -> str:
        """Give the SHA-256 of the data file."""
        return self._data.digest


def is_symbol(concept: str) -> bool:
    """Tell whether a CLDR concept is a symbol (bracket, arrow, sum sign, euro, skin tone) rather than a thing."""
    first = ord(concept[0])
    return not any(start <= first <= end for start, end in _PICTURES)


@lru_cache(maxsize=1)
def load_cldr() -> CldrLexicon:
    """Load the lexicon that comes with the package: a fifth of a second, once."""
    packed = files("linguabridge").joinpath("data", "cldr.json.xz").read_bytes()
    content = json.loads(lzma.decompress(packed))
    return CldrLexicon(
        _Data(
            concepts=tuple(content["concepts"]),
            parents=content["parents"],
            texts={code: locale["names"] for code, locale in content["locales"].items()},
            digest=sha256(packed).hexdigest(),
        )
    )


def _names(data: _Data, code: str) -> dict[str, str]:
    if code not in data.names:
        resolved: dict[str, str] = {}
        for ancestor in _line_of_descent(data, code):
            if ancestor in data.texts:
                for concept, name in zip(data.concepts, data.texts[ancestor].split("\n"), strict=True):
                    if name:
                        resolved.setdefault(concept, name)
        # In CLDR's order, whichever ancestor a name came from: dictionaries keep it, and draws build on it.
        data.names[code] = {concept: resolved[concept] for concept in data.concepts if concept in resolved}
    return data.names[code]


def _line_of_descent(data: _Data, code: str) -> Iterator[str]:
    """Yield a code and those whose names it takes over, nearest first."""
    while code:
        yield code
        rest, _, last = code.rpartition("-")
        if code in data.parents:
            code = data.parents[code]
        elif len(last) == 4 and last.isalpha():  # another script: those names would be in the wrong letters
            return
        else:
            code = rest
