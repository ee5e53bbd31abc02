"""Languages: one canonical code for every usual way of naming one.

Built on ``langcodes``. A code says no more than it must: the script is dropped where it is the usual one
(``arb_Arab`` is ``ar``), so is the territory (``zh-TW`` is ``zh-Hant``, ``pt-BR`` is ``pt``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import langcodes
from language_data.names import TRIES, name_to_code, normalize_name
from language_data.population_data import LANGUAGE_SPEAKING_POPULATION
from rapidfuzz import fuzz, process

from linguabridge.errors import InputError

# The spellings in the prompts of the paper's code, for `--reference` (docs/method.md). Everywhere else
# `Language.endonym` is used.
REFERENCE_ENDONYMS: dict[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "sw": "kiswahili",
    "zh": "中文",
    "ja": "日本語",
    "tl": "Tagalog",
    "he": "עִברִית",
    "ar": "عربي",
    "id": "Indonesia",
    "pt": "Português",
    "fr": "Français",
    "it": "Italiano",
    "es": "Español",
    "fi": "suomi",
    "hu": "magyar",
}

PAPER_LANGUAGES = ("en", "zh", "ja", "ar", "he", "id", "tl", "fi", "hu", "sw", "de", "fr", "it", "pt", "es")

# Beside plain languages, these can be given by name: "Serbian (Latin)".
_VARIANTS = (
    *("zh-Hant", "yue-Hans", "sr-Latn", "pa-Arab", "kk-Arab", "ff-Adlm", "hi-Latn", "uz-Cyrl", "az-Cyrl"),
    *("pt-PT", "en-GB", "en-AU", "en-IN", "es-419", "es-MX", "es-US", "fr-CA", "de-CH", "sw-KE"),
)

# Where langcodes prefers another code than the dictionaries and data sets do, or leaves a close relative apart:
# MUSE, SIB-200 and FLORES say tl; CLDR writes Bokmål's words under no; FLORES writes Pashto as pbt.
_ALIASES = {"fil": "tl", "nb": "no", "pbt": "ps"}

_NAMES = {"tl": "Tagalog"}

# Endonyms that langcodes lacks: there it falls back to the English name.
_ENDONYMS = {
    "arz": "مصرى",
    "azb": "تۆرکجه",
    "dv": "ދިވެހިބަސް",
    "gan": "贛語",
    "hak": "客家話",
    "kk-Arab": "قازاق تىلى",
    "mg": "Malagasy",
    "nan": "閩南語",
    "ny": "Chichewa",
    "sm": "Gagana Samoa",
    "st": "Sesotho",
    "tl": "Tagalog",
    "ts": "Xitsonga",
    "wuu": "吴语",
    "zh-Hant": "繁體中文",
}

# Scripts of FLORES languages of which langcodes does not know the usual one (it then says Latin).
_SCRIPTS = {"acm": "Arab", "acq": "Arab", "ajp": "Arab", "apc": "Arab", "azb": "Arab"}
_SAME_SCRIPT = {"Hang": "Kore"}  # FLORES writes kor_Hang for what CLDR calls Korean's usual mixture

_RTL_SCRIPTS = {"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}
_UNSPACED_SCRIPTS = {"Hani", "Hans", "Hant", "Hira", "Hrkt", "Jpan", "Kana", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"}

_NO_LANGUAGE = {"und", "mul", "mis", "zxx"}  # valid codes that stand for no one language
_TAG = re.compile(r"(?:[a-z]{2,3}(?:[-_][a-z0-9]{1,8})*|x(?:[-_][a-z0-9]{1,8})+)", re.IGNORECASE)
_LONGEST = 100  # characters; the longest language name that langcodes knows is shorter
_BIDI_MARKS = "\u200e\u200f\u061c\u2066\u2067\u2068\u2069\ufeff"  # come along when a name is copied from a web page


@dataclass(frozen=True, order=True)
class Language:
    """A language as written: equal codes mean equal languages.

    Attributes:
        code: canonical BCP 47 code, such as ``sw``, ``zh-Hant``, ``pt-PT``.
        name: English name.
        endonym: the language's own name for itself, or the English one where that is not known.
        rtl: written from right to left.
        spaced: written with spaces between words.
    """

    code: str
    name: str
    endonym: str
    rtl: bool
    spaced: bool


@lru_cache(maxsize=4096)
def parse(text: str) -> Language:
    """Find the language that a code or a name stands for.

    Args:
        text: a code with or without script and territory (``sw``, ``swh_Latn``, ``zh-TW``, ``iw``), a name in English
            or in the language itself (``Swahili``, ``Kiswahili``), or a private-use code (``x-foo``, ``qaa``) for a
            language that no list holds. What is both a code and a name (``ga``: Irish, not Ga) is taken for the code.

    Returns:
        The language, under its one canonical code.

    Raises:
        InputError: nothing is known under this text; the message names the nearest matches.
    """
    cleaned = unicodedata.normalize("NFKC", text[: 2 * _LONGEST]).strip().strip(_BIDI_MARKS).strip()
    if not cleaned:
        raise InputError("Empty language: give a code such as sw or a name such as Swahili.")
    if len(text) > 2 * _LONGEST or len(cleaned) > _LONGEST or not _is_clean(cleaned):
        raise _unknown(text, ())
    code = _code_of_tag(cleaned) or _code_of_name(cleaned)
    if code is None:
        raise _unknown(cleaned, _nearest(cleaned))
    return _describe(code)


def script(language: Language) -> str:
    """Give the ISO 15924 code of the script that a language is written in: ``Latn``, ``Arab``.

    Mixtures are scripts of their own, as in the standard: ``Jpan``, ``Kore``; ``Hans`` and ``Hant`` are two. ``Zzzz``,
    unknown, for private-use codes.
    """
    if _is_private(language.code):
        return "Zzzz"
    tag = langcodes.Language.get(language.code, normalize=False)
    return tag.script or _usual_script(tag.language or language.code) or "Zzzz"


def _is_clean(text: str) -> bool:
    # Surrogates and control characters crash the name index of langcodes; format characters (Cf) occur in real names.
    return not any(unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co"} for c in text)


def _code_of_tag(text: str) -> str | None:
    if not _TAG.fullmatch(text):
        return None
    try:
        language = langcodes.Language.get(langcodes.standardize_tag(text, macro=True))
    except ValueError:  # LanguageTagError is one
        return None
    if language.language in _NO_LANGUAGE or not language.is_valid():
        return None
    code = _shortest_code(language)
    # What is left may be an alias in turn (sgn-BR is bzs): on until nothing changes.
    return code if code is None or code == text else _code_of_tag(code)


def _code_of_name(text: str) -> str | None:
    text = text.replace("_", " ")  # as in names of data set configurations
    folded = text.casefold()
    if len(folded) < 3 and folded not in _known_names():  # the library's guesses at so little are wild
        return None
    if folded in _reference_names():
        return _reference_names()[folded]
    # langcodes leaves out what stands in parentheses: "Serbian (Latin)" would be plain Serbian.
    if "(" not in text and _begins_with_a_name(text):
        try:
            return _shortest_code(langcodes.Language.get(langcodes.find(text).to_tag()).prefer_macrolanguage())
        except (LookupError, ValueError):  # UnicodeError is a ValueError
            pass
    return _known_names().get(folded)


def _begins_with_a_name(text: str) -> bool:
    """Whether a text is a language's name, in any language, perhaps with more words: "Hakka Chinese".

    langcodes also takes the beginning of a word for a name: "Deutschh" would be German, "Moroccan" Moro.
    """
    name_to_code("language", text)  # loads the names, once
    names, wanted = TRIES["und/name_to_language"], normalize_name(text)
    beginnings = names.prefixes(wanted)
    return bool(beginnings) and wanted[len(beginnings[-1]) :][:1] in ("", " ")


def _shortest_code(language: langcodes.Language) -> str | None:
    """Drop the script and the territory that are the usual ones anyway."""
    base = language.language
    if base is None:
        return None
    base = _ALIASES.get(base, base)
    script, territory = language.script, language.territory
    if territory and not script:  # zh-TW is written in traditional characters, pa-PK in Arabic script
        script = _SCRIPTS.get(base) or langcodes.Language.make(language=base, territory=territory).maximize().script
    script = _SAME_SCRIPT.get(script or "", script)
    if script == _usual_script(base):
        script = None
    if territory and territory == langcodes.Language.make(language=base, script=script).maximize().territory:
        territory = None
    # Extensions (-u-…) are left out: they say nothing about the words of a language.
    code = "-".join(part for part in (base, script, territory, *(language.variants or ())) if part)
    return f"{code}-{language.private}" if language.private else code


def _usual_script(base: str) -> str | None:
    return _SCRIPTS.get(base) or langcodes.Language.make(language=base).maximize().script


@lru_cache(maxsize=4096)
def _describe(code: str) -> Language:
    language = langcodes.Language.get(code, normalize=False)
    script = language.script or _usual_script(language.language or code)
    name = _NAMES.get(code) or language.display_name()
    endonym = _ENDONYMS.get(code) or language.autonym()
    if _is_private(code):
        name = endonym = code
    elif language.private:
        name = f"{name} ({language.private})"
    return Language(
        code=code,
        name=name,
        endonym=endonym,
        rtl=script in _RTL_SCRIPTS,
        spaced=script not in _UNSPACED_SCRIPTS,
    )


def _is_private(code: str) -> bool:
    return code.startswith("x-") or re.match(r"q[a-t][a-z](-|$)", code) is not None


@lru_cache(maxsize=1)
def _reference_names() -> dict[str, str]:
    return {unicodedata.normalize("NFKC", name).casefold(): code for code, name in REFERENCE_ENDONYMS.items()}


@lru_cache(maxsize=1)
def _known_names() -> dict[str, str]:
    """Map case-folded codes, names and endonyms to codes: the pool of exact and of near matches."""
    # Most speakers first, so that the larger language comes first among names that are equally near.
    spoken = sorted((-count, tag) for tag, count in LANGUAGE_SPEAKING_POPULATION.items())
    known: dict[str, str] = {}
    for tag in (*PAPER_LANGUAGES, *(tag for _, tag in spoken if "-" not in tag), *_VARIANTS):
        canonical = _code_of_tag(tag)
        if canonical is None:
            continue
        language = _describe(canonical)
        for name in (language.code, language.name, language.endonym):
            known.setdefault(unicodedata.normalize("NFKC", name).casefold(), language.code)
    return known


def _nearest(text: str) -> tuple[str, ...]:
    """Codes of up to three languages that the text may have meant, the likeliest first."""
    found: list[str] = []
    if len(text) == 2 and text.isascii() and text.isalpha():  # jp, cn, cz: the country's code, not the language's
        guess = langcodes.Language.get(f"und-{text.upper()}").maximize()
        if guess.language and guess.language != "en":  # en is what langcodes says of places it does not know
            found.append(_shortest_code(guess) or guess.language)
    for name, _, _ in process.extract(
        text.casefold(), list(_known_names()), scorer=fuzz.ratio, limit=6, score_cutoff=66
    ):
        found.append(_known_names()[name])
    return tuple(dict.fromkeys(found))[:3]


def _unknown(text: str, nearest: tuple[str, ...]) -> InputError:
    shown = repr(text if len(text) <= 40 else text[:40] + "…")
    guesses = " or ".join(f"{code} ({_describe(code).name})" for code in nearest)
    hint = f"did you mean {guesses}?" if guesses else "give a code such as sw or a name such as Swahili."
    return InputError(f"Unknown language {shown}: {hint} `linguabridge languages` lists all.")
