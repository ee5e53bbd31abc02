"""Whatever the files of a cache hold, it can be listed, checked and mended; what is not ours stays as it is."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import Ended
from linguabridge.cache import Cache
from linguabridge.cache_care.checking import mend, verify
from linguabridge.cache_care.contents import read_contents
from linguabridge.json_values import json_text
from linguabridge.model_files import file_sha256

Run = Callable[..., Ended]

DEEP = "[" * 100_000
# JSON that other programs do not write: NaN, infinities, halves of characters, NUL, numbers beyond 64 bits.
ODD_TEXTS = ("", "\ud800", "a\0b", "a\udcff.safetensors", "x" * 5000, "../../etc/passwd", "/", ".", "\x1b[31m", "猫")
_ODD = st.sampled_from([float("inf"), float("-inf"), float("nan"), 10**30, -(2**63), 2**64, True, None, *ODD_TEXTS])
_VALUES = st.recursive(
    _ODD | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


# About as deep as Python follows: some functions reach the bottom where others give up. Put in once all is text.
_DEEP_VALUES = st.integers(100, 990).map(lambda levels: f"{levels} levels")


def written(body: object) -> bytes:
    text = re.sub(r'"(\d+) levels"', lambda found: "[" * int(found[1]) + "]" * int(found[1]), json.dumps(body))
    return text.encode()


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have some of these fields."""
    return st.fixed_dictionaries({}, optional={name: one | _VALUES | _DEEP_VALUES for name, one in fields.items()})


_STATE = st.tuples(_ODD | st.just("/proc/self/mem"), _ODD | st.integers(0, 10), _ODD | st.integers(0, 10)).map(list)
_SHA256 = st.sampled_from(["0" * 64, "ab" * 32, "ab"])
_MODEL = _object(weights=_SHA256, tokenizer=_SHA256, config=_SHA256)
_BODIES = (
    _object(state=_STATE, sha256=_SHA256)
    | _object(
        kind=st.sampled_from(["profile", "answers", "scores"]),
        key=_object(model=_MODEL, endpoint=_ODD, format=_ODD),
        facts=_object(model=_ODD),
        sha256=_SHA256 | st.none(),
        checksum=_SHA256,
        format=st.sampled_from([1, 2, 3]),
    )
    | _object(
        format=st.just("linguabridge conversion"),
        version=st.just(1),
        gguf_sha256=_SHA256,
        versions=_VALUES,
        files=st.dictionaries(_ODD.map(str), _object(size=st.integers(), sha256=_SHA256), max_size=3),
        sha256=_SHA256,
    )
    | _VALUES
)
CONTENTS = (
    _BODIES.map(written)
    | st.binary(max_size=40)
    | st.sampled_from([b"", b"[", DEEP.encode(), b"9" * 5000, b'{"a":' * 1000, b"\xff\xfe[]", b"\xef\xbb\xbf{}"])
)
PLACES = (
    f"hashes/{'ab' * 16}.json",
    f"hashes/{'cd' * 16}.json",
    f"profile/{'ab' * 16}.json",
    f"answers/{'ab' * 16}.json",
    f"no kind/{'ab' * 16}.json",
    f"models/{'ab' * 16}-1/converted.json",
    f"models/{'ab' * 16}-1/config.json",
)


def fill(root: Path, placed: dict[str, bytes]) -> None:
    for place, content in placed.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(content)


def state(path: object, size: object = 1, changed: object = 1, sha256: object = "ab" * 32) -> bytes:
    return json.dumps({"state": [path, size, changed], "sha256": sha256}).encode()


@settings(max_examples=300)
@given(placed=st.dictionaries(st.sampled_from(PLACES), CONTENTS, max_size=len(PLACES)))
@example(placed={PLACES[0]: DEEP.encode(), PLACES[2]: DEEP.encode(), PLACES[5]: DEEP.encode()})
@example(placed={PLACES[0]: state("/x", float("inf"))})
@example(placed={PLACES[0]: state("a\0")})
@example(placed={PLACES[0]: state("\ud800.safetensors"), PLACES[1]: state("/m/\ud800.safetensors")})
@example(placed={PLACES[0]: state("/m/a.safetensors", sha256="\ud800")})
@example(placed={PLACES[2]: b'{"kind": "profile", "key": {"endpoint": "\\ud800", "model": "\\u0000"}}'})
def test_a_cache_of_anything_is_listed_checked_and_mended(placed: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fill(root, placed)
        (root / "notes.txt").write_text("mine")
        for one in root.rglob("*"):
            os.utime(one, (1, 1))
        contents = read_contents(root, time.time())
        json_text({"names": [one.owner for one in contents.items]})
        assert root / "notes.txt" in contents.foreign
        found = verify(contents)
        done = mend(found)
        assert not done.stayed
        assert done.mended == len(found.damaged)
        after = read_contents(root, time.time())
        again = verify(after)
        assert not again.damaged
        mend(again)  # what was set aside goes
        assert verify(read_contents(root, time.time())).useless == ()
        assert (root / "notes.txt").read_text() == "mine"
        assert not [place for place in placed if place.startswith("no kind/") and not (root / place).exists()]


@settings(max_examples=100)
@given(content=CONTENTS)
def test_a_remembered_hash_of_anything_is_never_taken(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache, file = Cache(Path(folder) / "cache"), Path(folder) / "file"
        file.write_bytes(b"abc")
        right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
        assert file_sha256(file, cache) == right
        (entry,) = (cache.root / "hashes").iterdir()
        entry.write_bytes(content)
        assert file_sha256(file, cache) == right


@pytest.mark.parametrize("body", [["/x", float("inf"), 1], ["a\0", 1, 1], ["\ud800.safetensors", 1, 1], []])
def test_odd_hashes_are_of_no_use_and_go(
    body: list[object], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache"))
    fill(tmp_path / "cache", {PLACES[0]: json.dumps({"state": body, "sha256": "ab" * 32}).encode()})
    for words in (["list"], ["list", "--json", "-"], ["verify"], ["verify", "--json", "-"]):
        ended = run("cache", *words)
        assert (ended.code, ended.err) == (0, "")
    assert run("cache", "verify", "--mend").code == 0
    assert not list((tmp_path / "cache").rglob("*.json"))
