"""Language families: who is related to whom.

The data come with the package (``scripts/build_families.py`` makes them, from Unicode CLDR and tables of its own). The
file is JSON: ``languages``, by the groups that they are in, the widest first ("ine gem gmw"), the codes of languages
("af ang bar"); ``names``, the groups' English names. Group codes are those of ISO 639-5, or a longer one of our own
where it has none. Creoles, mixed and constructed languages are in no family; neither are those of which CLDR says no
more than where they are spoken.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from linguabridge.languages import Language


def family_path(language: Language) -> tuple[str, ...]:
    """Give the groups that a language is in, by their English names, the widest first.

    Regional variants and other scripts are in those of the language itself.

    Returns:
        Such as ("Indo-European", "Italic", "Romance"); () where none is known.
    """
    return _paths().get(_base(language), ())


def family(language: Language) -> str | None:
    """Give the widest group that a language is in, such as "Indo-European"; None where none is known."""
    return next(iter(family_path(language)), None)


def tree_distance(first: Language, second: Language) -> float | None:
    """Measure how far apart two languages are in the tree of their family.

    1 − 2·s / (d₁ + d₂), with s groups that hold both, and d₁, d₂ the languages' depths: the groups above each, and the
    language itself. The share is the similarity of Wu and Palmer (1994). It is the manner of URIEL's genetic distance
    (Littell et al., 2017), which divides by the depth of one of the two, so that it matters which comes first; the mean
    is the same both ways. The language itself counts, so that two languages of just the same groups are not at 0.

    Returns:
        0 for two forms of one language, 1 for languages of two families, between these for relatives; None where a
        family is not known.
    """
    if _base(first) == _base(second):
        return 0.0
    one, other = family_path(first), family_path(second)
    if not one or not other:
        return None
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    return 1 - 2 * shared / (len(one) + len(other) + 2)


def are_kin(first: Sequence[str], second: Sequence[str]) -> bool | None:
    """Tell whether two languages, by their :func:`family_path`, are of one family; None where one is not known."""
    return first[0] == second[0] if first and second else None


def _base(language: Language) -> str:
    return language.code.split("-")[0] if not language.code.startswith("x-") else language.code


@lru_cache(maxsize=1)
def _paths() -> dict[str, tuple[str, ...]]:
    content = json.loads(files("linguabridge").joinpath("data", "families.json").read_text(encoding="utf-8"))
    return {
        code: tuple(content["names"][group] for group in path.split())
        for path, codes in content["languages"].items()
        for code in codes.split()
    }
