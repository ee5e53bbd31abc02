"""What is put in is found again; what is damaged counts as absent."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linguabridge import cache as cache_module
from linguabridge.cache import Cache, array_digest, computed_by, default_cache_dir, digest, write_atomically
from linguabridge.errors import CacheError

KEY = {"model": {"weights": "abc"}, "tokens": 300, "text": "مرحبا", "none": None}
ARRAYS = {
    "counts": np.arange(6, dtype=np.int64),
    "values": np.linspace(0, 1, 6).reshape(2, 3).astype(np.float32).T,  # not contiguous
    "empty": np.zeros((0, 4), dtype=np.float32),
}
FACTS = {"tokens": 3, "answers": ["猫", ""], "share": 0.5}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "deep" / "cache")


def files(cache: Cache) -> list[str]:
    return sorted(file.name for file in cache.root.rglob("*") if file.is_file())


def test_artefact_comes_back_as_it_was(cache: Cache) -> None:
    assert cache.get("profile", KEY) is None
    cache.put("profile", KEY, ARRAYS, FACTS)
    found = cache.get("profile", KEY)
    assert found is not None
    assert found.facts == FACTS
    assert set(found.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype


def test_facts_alone_need_no_arrays(cache: Cache) -> None:
    cache.put("answers", KEY, {}, FACTS)
    found = cache.get("answers", KEY)
    assert found is not None
    assert (found.arrays, found.facts) == ({}, FACTS)
    assert len(files(cache)) == 1


def test_other_key_or_kind_is_another_artefact(cache: Cache) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    assert cache.get("profile", {**KEY, "tokens": 301}) is None
    assert cache.get("probes", KEY) is None


def test_order_of_a_keys_parts_is_of_no_account(cache: Cache) -> None:
    cache.put("profile", KEY, {}, FACTS)
    assert cache.get("profile", dict(reversed(KEY.items()))) is not None


def test_newer_format_finds_nothing_old(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("profile", KEY, {}, FACTS)
    monkeypatch.setattr(cache_module, "FORMAT", cache_module.FORMAT + 1)
    assert cache.get("profile", KEY) is None


def altered(cache: Cache, change: Callable[[dict[str, Any]], object]) -> None:
    (manifest,) = cache.root.rglob("*.json")
    body = json.loads(manifest.read_text("utf-8"))
    change(body)
    manifest.write_text(json.dumps(body), "utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["facts"].update(answers=["TAMPERED"]),
        lambda body: body["facts"].clear(),
        lambda body: body.update(sha256=None),  # as if there were no arrays
        lambda body: body.update(format=1),
        lambda body: body.pop("format"),
        lambda body: body.pop("checksum"),
        lambda body: body.update(checksum=None),
        lambda body: body.update(kind="answers"),
    ],
)
def test_an_altered_manifest_is_noticed_said_and_set_aside(
    cache: Cache, change: Callable[[dict[str, Any]], object], caplog: pytest.LogCaptureFixture
) -> None:
    cache.put("profile", KEY, ARRAYS, {**FACTS, "answers": ["x"]})
    altered(cache, change)
    before = caplog.text
    assert before == ""
    assert cache.get("profile", KEY) is None
    assert all(name.endswith(".damaged") for name in files(cache))
    assert len(caplog.records) == 1
    assert "was damaged; it is set aside and computed again." in caplog.text
    assert ".json" in caplog.text
    assert cache.get("profile", KEY) is None
    assert len(caplog.records) == 1  # said once


@pytest.mark.parametrize("kept", [".json", ".safetensors"])
def test_what_cannot_be_set_aside_is_passed_over_and_that_is_said(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kept: str
) -> None:
    rename = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if path.suffix == kept:
            raise OSError(30, "Read-only file system")
        return rename(path, target)

    cache.put("profile", KEY, ARRAYS, FACTS)
    altered(cache, lambda body: body["facts"].clear())
    monkeypatch.setattr(Path, "replace", replace)
    assert cache.get("profile", KEY) is None
    (said,) = (record.getMessage() for record in caplog.records)
    (manifest,) = (path for path in cache.root.rglob("*") if ".json" in path.name)
    name = str(manifest).removesuffix(".damaged")
    assert said == (
        f"{name} is damaged and cannot be set aside (Read-only file system); it is passed over and computed again."
    )


def test_what_is_no_part_of_the_result_may_change(cache: Cache) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    altered(cache, lambda body: body.update(written="earlier", versions={}))
    assert cache.get("profile", KEY) is not None


def test_the_checksum_is_that_of_the_canonical_text(cache: Cache) -> None:
    cache.put("k", {"b": "é", "a": (1, 2)}, {}, {"x": {2: 0.1, 10: None}})
    (manifest,) = cache.root.rglob("*.json")
    body = json.loads(manifest.read_text("utf-8"))
    text = '{"facts":{"x":{"10":null,"2":0.1}},"format":2,"key":{"a":[1,2],"b":"é"},"kind":"k","sha256":null}'
    assert body["checksum"] == hashlib.sha256(text.encode()).hexdigest()
    found = cache.get("k", {"a": [1, 2], "b": "é"})
    assert found is not None
    assert found.facts == {"x": {"2": 0.1, "10": None}}


def test_halves_of_characters_are_kept(cache: Cache) -> None:
    key, facts = {"path": "a\udcff"}, {"answers": ["\ud800"]}
    cache.put("k", key, {}, facts)
    found = cache.get("k", key)
    assert found is not None
    assert found.facts == facts


def test_the_folder_may_be_named_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LINGUABRIDGE_CACHE", "~/mine")
    assert default_cache_dir() == tmp_path / "mine"


def test_manifest_repeats_the_key_for_people(cache: Cache) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    (manifest,) = cache.root.rglob("*.json")
    body = json.loads(manifest.read_text("utf-8"))
    assert (body["kind"], body["key"], body["facts"]) == ("profile", KEY, FACTS)
    assert "مرحبا" in manifest.read_text("utf-8")
    assert body["versions"]["numpy"] == np.__version__


def test_later_put_replaces(cache: Cache) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    cache.put("profile", KEY, {"counts": np.array([7])}, {"tokens": 4})
    found = cache.get("profile", KEY)
    assert found is not None
    assert (found.arrays["counts"].tolist(), found.facts) == ([7], {"tokens": 4})


@pytest.mark.parametrize("kind_of_damage", ["flipped", "cut", "emptied"])
def test_damaged_data_is_set_aside_and_counts_as_absent(cache: Cache, kind_of_damage: str) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    (data,) = cache.root.rglob("*.safetensors")
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes({"flipped": bytes(content), "cut": bytes(content[:-5]), "emptied": b""}[kind_of_damage])
    assert cache.get("profile", KEY) is None
    assert all(name.endswith(".damaged") for name in files(cache))
    cache.put("profile", KEY, ARRAYS, FACTS)
    assert cache.get("profile", KEY) is not None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"sha256": null}', b'{"sha256": 3}']
)
def test_damaged_manifest_counts_as_absent(cache: Cache, content: bytes) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    (manifest,) = cache.root.rglob("*.json")
    manifest.write_bytes(content)
    assert cache.get("profile", KEY) is None
    cache.put("profile", KEY, ARRAYS, FACTS)
    assert cache.get("profile", KEY) is not None


def test_truncated_manifest_counts_as_absent(cache: Cache) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    (manifest,) = cache.root.rglob("*.json")
    manifest.write_bytes(manifest.read_bytes()[:-20])
    assert cache.get("profile", KEY) is None


def test_data_without_its_manifest_counts_as_absent(cache: Cache) -> None:
    # As a run leaves it that is killed between the two writes.
    cache.put("profile", KEY, ARRAYS, FACTS)
    next(cache.root.rglob("*.json")).unlink()
    assert cache.get("profile", KEY) is None


def test_manifest_without_its_data_counts_as_absent(cache: Cache) -> None:
    cache.put("profile", KEY, ARRAYS, FACTS)
    next(cache.root.rglob("*.safetensors")).unlink()
    assert cache.get("profile", KEY) is None


def test_folder_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache")
    with pytest.raises(CacheError, match=r"cannot be written \(Not a directory\); set LINGUABRIDGE_CACHE"):
        cache.check_writable()
    with pytest.raises(CacheError, match="cannot be written"):
        cache.put("profile", KEY, ARRAYS, FACTS)
    with pytest.raises(CacheError, match="cannot be read"):
        cache.get("profile", KEY)


def test_full_disk_is_one_sentence_and_leaves_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.check_writable()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.os, "fsync", full)
    with pytest.raises(CacheError, match="No space left on device"):
        cache.put("profile", KEY, ARRAYS, FACTS)
    assert files(cache) == []


def test_check_writable_makes_the_folder_and_leaves_it_empty(cache: Cache) -> None:
    cache.check_writable()
    assert cache.root.is_dir()
    assert files(cache) == []


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    write_atomically(target, b"old")

    def interrupt(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_module.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def _put_often(root: Path) -> None:
    for _ in range(30):
        Cache(root).put("profile", KEY, ARRAYS, FACTS)


def test_two_processes_share_a_cache(cache: Cache) -> None:
    spawn = multiprocessing.get_context("spawn")  # fork would copy torch's threads
    others = [spawn.Process(target=_put_often, args=(cache.root,)) for _ in range(2)]
    for other in others:
        other.start()
    seen = 0
    while any(other.is_alive() for other in others):
        found = cache.get("profile", KEY)
        if found is not None:
            seen += 1
            np.testing.assert_array_equal(found.arrays["counts"], ARRAYS["counts"])
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0]
    assert seen
    assert len(files(cache)) == 2  # nothing damaged, nothing half written


def test_what_is_computed_once_is_found_again(cache: Cache) -> None:
    made: list[int] = []

    def compute() -> tuple[dict[str, np.ndarray], dict[str, object]]:
        made.append(1)
        return {**ARRAYS, "nan": np.array([np.nan, 0.1])}, {"pair": ("a", 0.1), "none": None}

    first, second = (cache.computed("scores", KEY, compute) for _ in range(2))
    assert made == [1]
    assert first.facts == second.facts == {"pair": ["a", 0.1], "none": None}
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(second.arrays[name], array)
    data = next(cache.root.rglob("*.safetensors"))
    data.write_bytes(data.read_bytes()[:-1])
    assert cache.computed("scores", KEY, compute).facts == first.facts
    assert made == [1, 1]  # what was damaged is computed again


def test_what_fails_is_not_kept(cache: Cache) -> None:
    def fail() -> tuple[dict[str, np.ndarray], dict[str, object]]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.computed("scores", KEY, fail)
    assert cache.get("scores", KEY) is None


def test_arrays_are_alike_only_with_type_shape_and_values() -> None:
    one = np.arange(6, dtype=np.int64)
    assert array_digest(one) == array_digest(np.arange(12)[::2] // 2)  # whatever its layout in memory
    others = [one.reshape(2, 3), one.astype(np.int32), one.astype(float), one[::-1], one[:0], np.zeros((0, 4))]
    assert len({array_digest(array) for array in (one, *others)}) == 1 + len(others)


def test_what_computes_is_named_by_its_content() -> None:
    found = computed_by("dependence.py", "spectrum/support.py")
    own = Path(cache_module.__file__).parent
    assert found["dependence.py"] == hashlib.sha256((own / "dependence.py").read_bytes()).hexdigest()
    assert found["spectrum/support.py"] != found["dependence.py"]
    assert found["numpy"] == np.__version__
    assert {"torch", "scipy"} <= set(found)


def test_digest_depends_on_content_only() -> None:
    assert digest({"a": 1, "b": ["x", None]}) == digest({"b": ["x", None], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"}) != digest({"a": [1]})
    assert digest(["ab", "c"]) != digest(["a", "bc"])


def test_cache_folder_is_the_named_one_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    for unset in ("", None):
        monkeypatch.setenv("LINGUABRIDGE_CACHE", unset) if unset is not None else monkeypatch.delenv(
            "LINGUABRIDGE_CACHE"
        )
        assert default_cache_dir().name == "linguabridge"


def test_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    write_atomically(Path(f"/dev/fd/{writing}"), b"whole")
    assert os.read(reading, 10) == b"whole"
    os.close(reading)
    os.close(writing)


def test_link_stays_a_link_and_the_file_can_be_read_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", b"new")
    (tmp_path / "ordinary").write_bytes(b"")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
