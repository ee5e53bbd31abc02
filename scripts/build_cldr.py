"""Build src/linguabridge/data/cldr.json.xz: the names of some 2,000 characters in every language that CLDR has them in.

The names come from Unicode CLDR as published on npm: `cldr-annotations-full` (names) and `cldr-core` (which regional
locale takes over whose names). Both archives are checked against the sums below. The result has the same bytes on every
run; its layout is described in `linguabridge.lexicons.cldr`.

    python scripts/build_cldr.py                             # fetches both with `npm pack`
    python scripts/build_cldr.py --from A.tgz --core B.tgz   # archives, or folders that they were unpacked to
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linguabridge.errors import InputError
from linguabridge.languages import parse

VERSION = "48.2.0"
ANNOTATIONS = "cldr-annotations-full"
CORE = "cldr-core"
SHA256 = {
    ANNOTATIONS: "28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1",
    CORE: "5310e0c7a06c1feb83dc8e54c8584bbe0b9c2ea8320172a18d541986b124585d",
}
OUT = Path(__file__).parent.parent / "src" / "linguabridge" / "data" / "cldr.json.xz"


def main() -> None:
    """Read the packages, write the data file, and say what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="annotations", type=Path, help=f"{ANNOTATIONS} {VERSION}: .tgz or folder")
    parser.add_argument("--core", type=Path, help=f"{CORE} {VERSION}: .tgz or folder")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        annotations = options.annotations or npm_pack(ANNOTATIONS, Path(folder))
        core = options.core or npm_pack(CORE, Path(folder))
        names = read_names(annotations)
        parents = read_parents(core)
    content = build(names, parents)
    options.out.write_bytes(content)
    own = sum(len(of_locale) for of_locale in names.values())
    print(f"{options.out.name}: {len(content):,} bytes, {own:,} names, {sum(map(bool, names.values()))} locales")


def npm_pack(package: str, folder: Path) -> Path:
    """Fetch a package's archive with the npm client."""
    subprocess.run(["npm", "pack", f"{package}@{VERSION}", "--silent"], cwd=folder, check=True, stdout=sys.stderr)
    return folder / f"{package}-{VERSION}.tgz"


def read_package(package: str, path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON files of an archive, after a check of its sum, or of an unpacked folder, of its version."""
    if path.is_dir():
        root = path / "package" if (path / "package").is_dir() else path
        version = json.loads((root / "package.json").read_bytes())["version"]
        if version != VERSION:
            sys.exit(f"{path} holds {package} {version}, not {VERSION}")
        for file in sorted(root.rglob("*.json")):
            yield file.relative_to(root).as_posix(), file.read_bytes()
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256[package]:
        sys.exit(f"{path} has SHA-256 {digest}, not {SHA256[package]}")
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith(".json") and (stream := archive.extractfile(member)):
                yield member.name.removeprefix("package/"), stream.read()


def read_names(path: Path) -> dict[str, dict[str, str]]:
    """Read each locale's own names by character."""
    names: dict[str, dict[str, str]] = {}
    for name, content in read_package(ANNOTATIONS, path):
        folder, _, locale = name.removesuffix("/annotations.json").rpartition("/")
        if folder != "annotations":
            continue
        entries: dict[str, Any] = json.loads(content)["annotations"].get("annotations", {})
        # A name in several pieces ("kişi", "saqqal") is one that the conversion to JSON cut at a bar: four in all.
        names[locale] = {char: e["tts"][0].strip() for char, e in entries.items() if len(e.get("tts", ())) == 1}
    if "en" not in names:
        sys.exit(f"{path} holds no annotations/en/annotations.json")
    return names


def read_parents(path: Path) -> dict[str, str]:
    """Read which locale takes over the names of another that is not simply its own name cut short."""
    for name, content in read_package(CORE, path):
        if name == "supplemental/parentLocales.json":
            parents: dict[str, str] = json.loads(content)["supplemental"]["parentLocales"]["parentLocale"]
            return parents
    sys.exit(f"{path} holds no supplemental/parentLocales.json")


def build(names: dict[str, dict[str, str]], parents: dict[str, str]) -> bytes:
    """Lay out the data file: names as one text per locale, a line per concept, which loads fastest."""
    concepts = list(names["en"])
    foreign = {char for of_locale in names.values() for char in of_locale}.difference(concepts)
    if foreign:
        sys.exit(f"names of characters that English has none for: {sorted(foreign)[:5]}")
    if any("\n" in name for of_locale in names.values() for name in of_locale.values()):
        sys.exit("a name with a line end in it")
    locales: dict[str, dict[str, object]] = {}
    for locale in sorted(names):
        own = names[locale]
        if not own:
            continue
        code = parse(locale).code
        if code in locales:
            sys.exit(f"{locale} and {locales[code]['locale']} are both {code}")
        locales[code] = {
            "locale": locale,
            "own": len(own),
            "names": "\n".join(own.get(char, "") for char in concepts),
        }
    content = {
        "header": {
            "source": f"Unicode CLDR annotations (names), npm {ANNOTATIONS} {VERSION} and {CORE} {VERSION}",
            "version": VERSION,
            "licence": "Unicode-3.0, Copyright © 2004-2026 Unicode, Inc.; the text is in UNICODE-LICENSE",
            "sha256": SHA256,
            "changes": "names only; languages under linguabridge's codes; names that differ from the parent's only",
        },
        "concepts": concepts,
        "parents": dict(sorted(same_language(parents, set(locales)).items())),
        "locales": locales,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


def same_language(parents: dict[str, str], covered: set[str]) -> dict[str, str]:
    """Keep the parents within one language, under our codes.

    CLDR also lets Nynorsk take over Bokmål's names and Hindi in Latin script English ones: other languages' words.
    """
    kept: dict[str, str] = {}
    for locale, parent in parents.items():
        if parent in {"und", "root"} or locale.split("-")[0] != parent.split("-")[0]:
            continue
        try:
            child, of = parse(locale).code, parse(parent).code
        except InputError:
            continue
        if of in covered and child != of:
            kept[child] = of
    return kept


if __name__ == "__main__":
    main()
