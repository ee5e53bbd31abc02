"""Build src/linguabridge/data/families.json: which families and branches a language belongs to.

The groups come from Unicode CLDR as published on npm (`cldr-core`), which fills the groups of ISO 639-5 with languages.
That standard mixes families with groups that are none: regions, hypotheses, "all the others". The tables below say what
is left out, and what is put right or added by hand. The archive is checked against the sum in `build_cldr.py`. The
result has the same bytes on every run; its layout is described in `linguabridge.families`.

    python scripts/build_families.py                # fetches the archive with `npm pack`
    python scripts/build_families.py --core B.tgz   # the archive, or a folder that it was unpacked to
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import langcodes
from build_cldr import CORE, SHA256, VERSION, npm_pack, read_package

from linguabridge.languages import parse

GROUPS = "supplemental/languageGroups.json"
OUT = Path(__file__).parent.parent / "src" / "linguabridge" / "data" / "families.json"
ROOT = "mul"

# Groups that are no family. What is in them moves up: Turkic, out of Altaic, becomes a family of its own. The measure
# is general acceptance: what Glottolog, the most cautious of the usual classifications, joins under one name stays.
NO_FAMILY = {
    ROOT: "the root of it all: many languages",
    # Regions
    "aus": "Australian languages: some twenty families of one continent",
    "cai": "Central American Indian languages: a region",
    "nai": "North American Indian languages: a region",
    "sai": "South American Indian languages: a region",
    "paa": "Papuan languages: those of New Guinea that are not Austronesian",
    "cau": "Caucasian languages: three families of one region",
    "khi": "Khoisan languages: those of southern Africa with clicks that are not Bantu",
    # Hypotheses
    "hok": "Hokan: contested",
    "kdo": "Kordofanian: several groups of the Nuba Mountains",
    "ngf": "Trans-New Guinea: contested in what belongs to it; CLDR's list holds several families",
    "nic": "Niger-Kordofanian: contested as a whole; Atlantic-Congo, Mande, Ijo stay",
    "sdv": "Eastern Sudanic: contested; Nubian and Nilotic stay",
    "ssa": "Nilo-Saharan: contested; Central Sudanic, Songhai, Saharan, Nubian, Nilotic stay",
    "tut": "Altaic: contested; Turkic, Mongolian, Tungusic, Japonic, Koreanic stay",
    # Branches that are what is left of a family without its other branches
    "fox": "Formosan: Austronesian without Malayo-Polynesian",
    "plf": "Central Malayo-Polynesian: no branch but a region",
    "pqw": "Western Malayo-Polynesian: the rest without the eastern ones",
    "tbq": "Tibeto-Burman: Sino-Tibetan without Chinese; CLDR's lacks most of them, Burmese and Tibetan too",
    # Other
    "sgn": "Sign languages: by the channel, not by descent",
    "cr": "Cree: a language, see LANGUAGES",
    "ngb": "Northern Ngbandi: another",
    "sw": "Swahili: another",
}
LANGUAGES = {"cr", "ngb", "sw"}  # languages that CLDR also treats as groups, of other languages next to them

# Groups whose languages have no one ancestor: none of them is given a family.
NO_ANCESTOR = {
    "art": "Artificial languages",
    "cpe": "English-based creoles and pidgins",
    "cpf": "French-based creoles and pidgins",
    "cpp": "Portuguese-based creoles and pidgins",
    "crp": "Creoles and pidgins",
}

# Languages that CLDR puts into a family in which they are not, or not beyond doubt.
UNPLACED = {
    "aja krs": "Aja and Gbaya of Sudan: that they are Central Sudanic is contested",
    "aiw amf dim gyl kxh": "South Omotic: that it is Omotic is contested",
    "bha": "Bharia: Munda, Dravidian or Indic, by source",
    "cbk dcr fng ho kcn mcm pln pml": "creoles and pidgins",
    "emx mhd pld rge rmd rme rmq rsb sth trl yec": "mixed languages and secret registers",
    "fuj lof lro mor otr shw wrn": "Heiban: of the Nuba Mountains, like Kordofanian",
    "isr": "a sign language among the Semitic ones",
    "kgp": "Kaingang: CLDR puts it beside the families, as if it were one",
    "omk xcv ykg yux": "Yukaghir: that it is Uralic is a hypothesis",
}

# Where CLDR puts a language under two groups neither of which holds the other, the right one.
ONE_OF_TWO = {
    "kjh": "trk",  # Khakas is Turkic; Samoyedic is what its speakers' forebears spoke
    "mhi": "csu",  # Ma'di is Central Sudanic
}

# By hand: languages (and groups) that CLDR lacks, or has under another group. Lacking are only such as langcodes knows
# speakers of; by ISO 639-5, by their macrolanguage or closest relatives in CLDR, or as every handbook has them.
PLACED = {
    ROOT: "auf ijo omv",  # that Arauan is Arawakan, Ijo Atlantic-Congo, Omotic Afro-Asiatic is contested
    "esx": "ik ypk",  # Inupiaq, and Yupik, which CLDR puts beside
    "ypk": "esu",
    "ijo": "afn",
    "tai-kadai": "tai",  # the family of which Tai is a branch; ISO 639-5 has no code for it
    # Families that ISO 639-5 has no code for
    "koreanic": "jje ko oko okm",
    "jpx": "ams kzg mvi ojp okn ryn rys ryu tkn xug yoi yox",  # under Altaic in CLDR, but for Japanese
    "nakh-daghestanian": "agx akv ani aqc av bbl bdk bph ce cji dar ddo gdo gin huz inh kap khv kjj kpt kry kva lbe lez"
    " rut tab tin tkr udi xag",  # what CLDR's Caucasian languages are, besides two groups
    "saharan": "dzg kbl kby knc kr krt tuq zag",
    # The larger ones, out of Eastern Sudanic
    "nilotic": "ach adh alz anu din keo kdj kln kpz laj luo mas nus pko saq shk teo tuv",
    "dogon": "aqd dbg dbt dbu dbw dds dgb djm dmb dtk dtm dto dts dtu dym nzz tde",
    "muskogean": "akz cho cic cku mik mus",
    "khoe-kwadi": "gnk hio naq nhr xuu",
    "aymaran": "ay jqr",
    "ainu": "ain",  # an isolate: a family of one, as Basque is in CLDR
    "araucanian": "arn",  # Mapuche: another
    # Branches
    "sqj": "aae aat aln als sq",
    "hyx": "hy hyw xcl",
    "fiu": "finnic",
    "finnic": "et fi fit fkv izh krl liv olo vep vot vro",
    "zhx": "gan hak hsn lzh wuu yue",
    "zlw": "csb pl pox",
    # Languages that CLDR lacks, or has too far up
    "alg": "atj crk crl nsk",
    "alv": "amo aqg baw bff bka bqv bun gng ife kfz kni kus maw xon",
    "ber": "tzm",
    "bnt": "bxc ewo fan kdg kj lam leb ng rn rw swb syx zdj",
    "dmn": "bza kao",
    "dra": "kxv wbq",
    "gmq": "jut",
    "gmw": "frs gos sli stq vmf",
    "grk": "tsd",
    "inc": "btv dcc dty gbm gju hnd hno hoj jml kfr khw lah lmn mtr mvy mwr rkt rmo swv wbr wtm",
    "ira": "haz prd",
    "mun": "unx",
    "phi": "bku cps",
    "poz": "buc mfa min sly zmi",
    "roa": "ast",
    "sem": "acq ajp apd mt",
    "sit": "mgp mrd",
    "tai": "sou tts",
}

# English names, where the usual one differs from the standard's. Groups that the standard lacks are coded by theirs.
NAMES = {
    "ccn": "Abkhaz-Adyghe",  # CLDR's North Caucasian languages are these
    "ccs": "Kartvelian",
    "jpx": "Japonic",
    "qwe": "Quechuan",
    "tuw": "Tungusic",
    "zhx": "Sinitic",
}


def main() -> None:
    """Read the package, write the data file, and say what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--core", type=Path, help=f"{CORE} {VERSION}: .tgz or folder")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = place(read_groups(options.core or npm_pack(CORE, Path(folder))))
    content = build(paths)
    options.out.write_text(content, encoding="utf-8", newline="\n")
    families = {path[0] for path in paths.values()}
    print(f"{options.out.name}: {len(content.encode()):,} bytes, {len(paths):,} languages, {len(families)} families")


def read_groups(path: Path) -> dict[str, list[str]]:
    """Read the members of each group: languages, and groups within."""
    for name, content in read_package(CORE, path):
        if name == GROUPS:
            groups: dict[str, str] = json.loads(content)["supplemental"]["languageGroups"]
            return {group: members.split() for group, members in groups.items()}
    sys.exit(f"{path} holds no {GROUPS}")


def place(groups: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Give the groups of each language that is in a family, by our codes, the widest first."""
    above = one_parent(groups)
    paths: dict[str, tuple[str, ...]] = {}
    for code in sorted(above.keys() - (groups.keys() | PLACED.keys()) | LANGUAGES):
        path = ancestors(code, above)
        if not path or not langcodes.tag_is_valid(code):  # in no family, or newer than langcodes
            continue
        base = parse(code).code.split("-")[0]
        if paths.setdefault(base, path) != path:
            sys.exit(f"{code} is {base}, which is in {paths[base]} and in {path}")
    return paths


def one_parent(groups: dict[str, list[str]]) -> dict[str, str]:
    """Give the one group right above each language and group, the tables above applied."""
    found: dict[str, set[str]] = defaultdict(set)
    for group, members in groups.items():
        for member in members:
            found[member].add(group)
    unplaced = {code for codes in UNPLACED for code in codes.split()}
    by_hand = {code: group for group, codes in PLACED.items() for code in codes.split()} | ONE_OF_TWO
    if wrong := unplaced - found.keys() | unplaced & by_hand.keys() | ONE_OF_TWO.keys() - found.keys():
        sys.exit(f"CLDR does not hold {sorted(wrong)}, or the tables contradict each other")
    above = {code: next(iter(of)) for code, of in found.items() if len(of) == 1} | by_hand
    for code, of in found.items():
        if code in above or code in unplaced:
            continue
        # Under a family and under a branch of it at once (Iban: Austronesian, Malayo-Polynesian): the branch says more.
        nearest = [group for group in of if all(other in ancestors(group, above) for other in of - {group})]
        if len(nearest) != 1:
            sys.exit(f"{code} is under {sorted(of)}: which is right? Add it to ONE_OF_TWO or UNPLACED.")
        above[code] = nearest[0]
    return {code: group for code, group in above.items() if code not in unplaced}


def ancestors(code: str, above: dict[str, str]) -> tuple[str, ...]:
    """Climb from a language to its family: the groups above, the widest first; none if they are no family."""
    path: list[str] = []
    while (code := above.get(code, ROOT)) != ROOT:
        if code in NO_ANCESTOR:
            return ()
        if code not in NO_FAMILY:
            path.insert(0, code)
    return tuple(path)


def build(paths: dict[str, tuple[str, ...]]) -> str:
    """Lay out the data file: languages by the groups they are in."""
    members: dict[str, list[str]] = defaultdict(list)
    for code, path in sorted(paths.items()):
        members[" ".join(path)].append(code)
    content = {
        "header": {
            "source": f"Unicode CLDR languageGroups, npm {CORE} {VERSION}",
            "version": VERSION,
            "licence": "Unicode-3.0, Copyright © 2004-2026 Unicode, Inc.; the text is in UNICODE-LICENSE",
            "sha256": {CORE: SHA256[CORE]},
            "changes": "groups that are no families left out; languages added and moved; linguabridge's codes",
        },
        "names": {
            group: english_name(group) for group in sorted({group for path in members for group in path.split()})
        },
        "languages": {path: " ".join(codes) for path, codes in sorted(members.items())},
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def english_name(group: str) -> str:
    """Give a group's English name: "Indo-European"."""
    if len(group) > 3:
        return NAMES.get(group) or group.title()
    name = NAMES.get(group) or langcodes.get(group).display_name("en")
    return name.removesuffix(" languages").removesuffix(" (family)")


if __name__ == "__main__":
    main()
