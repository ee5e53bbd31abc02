"""The cache from outside: listed, cleared and checked, and nothing that is not ours touched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from filelock import FileLock

from conftest import REPOSITORY, Ended
from linguabridge import embedded
from linguabridge.cache import Cache
from linguabridge.cache_care import clearing
from linguabridge.cache_care.checking import mend, verify
from linguabridge.cache_care.clearing import choose, remove
from linguabridge.cache_care.contents import folder_size, read_contents
from linguabridge.cache_care.kinds import KINDS
from linguabridge.errors import CacheError, InputError
from linguabridge.model_files import identify

Run = Callable[..., Ended]
DAY = 86400.0
MINE = {"weights": "aa" * 32, "config": "bb" * 32, "tokenizer": "cc" * 32}
OTHER = {"weights": "dd" * 32, "config": "bb" * 32, "tokenizer": "ee" * 32}
ARRAYS = {"values": np.arange(12, dtype=np.float32).reshape(3, 4)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Results of two models and of none: seven things."""
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache"))
    cache = Cache(tmp_path / "cache")
    cache.put("profile", {"model": MINE, "text": 1}, ARRAYS, {"model": "./mine", "language": "sw"})
    cache.put("profile", {"model": OTHER, "text": 1}, ARRAYS, {"model": "owner/other"})
    cache.put("likelihood", {"model": MINE, "prompts": "x"}, ARRAYS, {"about": "words"})
    cache.put("answers", {"model": MINE, "prompts": "x"}, {}, {"answers": ["a"]})
    cache.put("tokens", {"tokenizer": OTHER["tokenizer"], "texts": "x"}, ARRAYS, {})
    cache.put("scores", {"values": "ff"}, ARRAYS, {})
    cache.put("endpoint-answers", {"endpoint": "http://host:1/v1", "model": "big"}, {}, {"results": []})
    return cache


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file() or path.is_symlink()}


def the(cache: Cache, kind: str, ending: str = ".json") -> Path:
    return next(one for one in sorted((cache.root / kind).iterdir()) if one.name.endswith(ending))


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


# --- list ------------------------------------------------------------------------------------------------------------


def test_all_that_is_kept_is_listed_with_its_model(cache: Cache) -> None:
    contents = read_contents(cache.root)
    assert contents.size == sum(path.stat().st_size for path in files(cache.root)) == folder_size(cache.root)
    found = {(one.kind, one.owner) for one in contents.items}
    assert found == {
        ("profile", "./mine"),
        ("profile", "owner/other"),
        ("likelihood", "./mine"),  # by its weights, which a profile names
        ("answers", "./mine"),
        ("tokens", "owner/other"),  # by its tokenizer
        ("scores", None),
        ("endpoint-answers", "big at http://host:1/v1"),
    }
    assert contents.leftovers == contents.foreign == ()


def test_folder_that_is_not_there_is_empty_and_a_file_is_refused(tmp_path: Path) -> None:
    assert read_contents(tmp_path / "none").items == ()
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be read"):
        read_contents(tmp_path / "file")


def test_every_kind_in_the_source_has_its_words() -> None:
    call = re.compile(r'(?:\.(?:put|computed)|cache\.get|_kept|_batches)\(\s*(?:title, )?"([a-z-]+)"')
    sources = (REPOSITORY / "src" / "linguabridge").rglob("*.py")
    assert {kind for source in sources for kind in call.findall(source.read_text("utf-8"))} == set(KINDS)


def converted(cache: Cache, name: str = f"{embedded.SHA256[:32]}-1") -> Path:
    """A folder as a conversion leaves it, with the hashes that running the model leaves."""
    folder = cache.root / "models" / name
    folder.mkdir(parents=True)
    safetensors.numpy.save_file(ARRAYS, folder / "model.safetensors")
    for file, text in (("config.json", "{}"), ("tokenizer.json", "{}"), ("converted.json", '{"gguf_sha256": "x"}')):
        (folder / file).write_text(text)
    folder.with_suffix(".lock").touch()
    return folder


def converted_now(cache: Cache) -> Path:
    """The same with what conversions write since they tell what they wrote."""
    folder = converted(cache)
    told = {
        "format": "linguabridge conversion",
        "version": 1,
        "gguf_sha256": embedded.SHA256,
        "versions": {},
        "files": {
            file.name: {"size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in folder.iterdir()
            if file.name != "converted.json"
        },
    }
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"))
    told["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    (folder / "converted.json").write_text(json.dumps(told))
    return folder


def test_converted_model_names_the_results_that_its_weights_are_in(cache: Cache) -> None:
    weights = identify("any", converted(cache), None, cache).weights_sha256
    cache.put("likelihood", {"model": {**OTHER, "weights": weights}}, {}, {})
    contents = read_contents(cache.root)
    named = [(one.kind, one.weights) for one in contents.items if one.owner == embedded.NAME]
    assert sorted(named) == [("likelihood", weights), ("models", weights)]
    assert contents.foreign == ()


def test_list_prints_tables_and_json(run: Run, cache: Cache) -> None:
    shown = run("cache", "list")
    assert shown.code == 0
    assert re.search(r"profile +2 ", shown.out)
    assert re.search(r"\./mine +3 ", shown.out)
    assert "7 things" in shown.out
    body = json.loads(run("cache", "list", "--json", "-").out)
    assert body["bytes"] == folder_size(cache.root)
    assert {one["kind"] for one in body["items"]} == {path.name for path in cache.root.iterdir()}


# --- clear -----------------------------------------------------------------------------------------------------------


def foreign(cache: Cache, outside: Path) -> set[Path]:
    """Things of somebody else in the cache, some of which look like ours; the folder outside holds real results."""
    there = Cache(outside)
    there.put("profile", {"model": MINE}, ARRAYS, {})
    (cache.root / "answers-link").symlink_to(outside / "profile")
    (cache.root / "blocks").symlink_to(outside / "profile")
    (cache.root / "models").mkdir()
    (cache.root / "models" / f"{'ab' * 16}-1").symlink_to(outside / "profile")
    (cache.root / "profile" / f"{'ab' * 16}.json").symlink_to(the(there, "profile"))
    (cache.root / "photos").mkdir()
    paths = [
        cache.root / "notes.txt",
        cache.root / "photos" / f"{'ab' * 16}.json",
        cache.root / "profile" / "notes.json",
        cache.root / "profile" / f"{'AB' * 16}.json",
        cache.root / "models" / "notes.lock",
    ]
    for path in paths:
        path.write_text("{}")
    return {*paths, *files(outside), *(path for path in files(cache.root) if path.is_symlink())}


def test_clearing_all_leaves_what_is_not_ours_and_what_links_lead_to(run: Run, cache: Cache, tmp_path: Path) -> None:
    theirs = foreign(cache, tmp_path / "outside")
    ended = run("cache", "clear", "--yes")
    assert ended.code == 0
    assert files(tmp_path) == theirs
    assert "Removed 7 things" in ended.out
    assert str(cache.root / "photos") in ended.out
    assert run("cache", "verify", "--mend").code == 0
    assert files(tmp_path) == theirs


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--kind", "profile"], 5),
        (["--model", "./mine"], 4),
        (["--model", "dddddd"], 5),
        (["--model", "big at http://host:1/v1"], 6),
        (["--kind", "profile", "--model", "owner/other"], 6),
        (["--older-than", "30"], 6),
        (["--older-than", str(10**30)], 7),
        (["--older-than", "30", "--kind", "answers"], 7),
    ],
)
def test_conditions_choose_what_is_cleared(run: Run, cache: Cache, options: list[str], left: int) -> None:
    for ending in (".json", ".safetensors"):
        age(the(cache, "scores", ending), 31)
    assert run("cache", "clear", *options, "--yes").code == 0
    assert len(read_contents(cache.root).items) == left


def test_results_that_name_no_model_stay_and_that_is_said(run: Run, cache: Cache) -> None:
    ended = run("cache", "clear", "--model", "./mine", "--yes")
    assert "Staying: 1 thing, of no known model" in " ".join(ended.out.split())
    assert the(cache, "scores").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "profil"], "nothing of the kind 'profil'; it has answers, endpoint-answers, likelihood"),
        (["--model", "nobody"], "nothing of the model 'nobody'; it has results of ./mine"),
        (["--older-than", "-1"], "0 or more, not -1"),
        (["--older-than", "nan"], "0 or more, not nan"),
        ([], "add --yes"),  # no terminal: nobody can be asked
    ],
)
def test_what_cannot_be_cleared_is_one_sentence_and_removes_nothing(
    run: Run, cache: Cache, options: list[str], message: str
) -> None:
    before = files(cache.root)
    ended = run("cache", "clear", *options, *(["--yes"] if options else []))
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert files(cache.root) == before


def test_who_says_no_keeps_all(run: Run, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    before = files(cache.root)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    ended = run("cache", "clear")
    assert ended.code == 0
    assert "Nothing was removed" in ended.out
    assert files(cache.root) == before
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run("cache", "clear").code == 0
    assert files(cache.root) == set()


def test_ctrl_c_where_it_asks_keeps_all(run: Run, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Interrupted(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    before = files(cache.root)
    monkeypatch.setattr("sys.stdin", Interrupted())
    ended = run("cache", "clear")
    assert ended.code == 130
    assert "Remove it?" in ended.out
    assert ended.err.startswith("Stopped")
    assert files(cache.root) == before


def test_empty_cache_needs_no_clearing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "none"))
    for words in (["clear"], ["list"], ["verify"]):
        assert run("cache", *words).code == 0
    assert not (tmp_path / "none").exists()


def test_what_was_written_anew_meanwhile_stays(cache: Cache) -> None:
    for path in files(cache.root):
        age(path, 1)
    chosen = choose(read_contents(cache.root))
    the(cache, "answers").touch()
    removed = remove(chosen)
    assert (removed.removed, len(removed.stayed)) == (6, 1)
    assert removed.size == chosen.size - the(cache, "answers").stat().st_size
    assert files(cache.root) == {the(cache, "answers")}


def test_manifest_goes_first(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlink(path: Path, missing_ok: bool = False) -> None:
        order.append(path.suffix)

    order: list[str] = []
    monkeypatch.setattr(Path, "unlink", unlink)
    remove(choose(read_contents(cache.root), kind="likelihood"))
    assert order == [".json", ".safetensors"]


def test_clearing_beside_a_run_disturbs_neither(cache: Cache) -> None:
    failed: list[BaseException] = []
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(150):
                key = {"model": MINE, "number": number % 3}
                cache.put("probes", key, ARRAYS, {"number": number})
                found = cache.get("probes", key)  # absent or whole
                assert found is None or np.array_equal(found.arrays["values"], ARRAYS["values"])
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        remove(choose(read_contents(cache.root)))
        assert not verify(read_contents(cache.root)).damaged
    writer.join()
    assert not failed
    assert not list(cache.root.rglob("*.damaged"))


def test_model_that_is_being_converted_stays(cache: Cache) -> None:
    folder = converted(cache)
    chosen = choose(read_contents(cache.root), kind="models")
    with FileLock(folder.with_suffix(".lock")):
        assert remove(chosen).stayed == ((folder, "a model is being converted there"),)
    assert (folder / "model.safetensors").exists()
    size = folder_size(folder)
    assert remove(chosen).size == size
    assert files(cache.root / "models") == {folder.with_suffix(".lock")}


def test_killed_while_removing_a_model_leaves_no_half_of_it(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    folder = converted(cache)
    monkeypatch.setattr(clearing.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(choose(read_contents(cache.root), kind="models"))
    assert not folder.exists()
    monkeypatch.undo()
    contents = read_contents(cache.root, time.time() + DAY)
    (left,) = contents.leftovers
    assert left.old
    assert remove(choose(contents, kind="models", now=time.time() + DAY)).removed == 1
    assert not left.path.exists()


# --- verify ----------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """Change one byte and neither size nor time, as a failing disk does."""
    content, status = bytearray(path.read_bytes()), path.stat()
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_sound_cache_is_said_to_be_sound(run: Run, cache: Cache) -> None:
    identify("any", converted(cache), None, cache)
    before = files(cache.root)
    ended = run("cache", "verify", "--mend")
    assert ended.code == 0
    assert "as they were written" in ended.out
    assert files(cache.root) == before


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def move(path: Path) -> None:
    for one in (path, path.with_suffix(".safetensors")):
        one.rename(one.with_name("ab" * 16 + one.suffix))


def other_kind(path: Path) -> None:
    path.write_text(path.read_text().replace('"likelihood"', '"answers"'))


def other_facts(path: Path) -> None:
    body = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**body, "facts": {**body["facts"], "answers": ["TAMPERED"]}}))


def without_format(path: Path) -> None:
    body = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({name: one for name, one in body.items() if name not in ("format", "checksum")}))


@pytest.mark.parametrize(
    ("ending", "harm", "why"),
    [
        (".safetensors", flip, "SHA-256"),
        (".safetensors", truncate, "SHA-256"),
        (".json", truncate, "no JSON"),
        (".json", lambda path: path.write_text("[]"), "no JSON object"),
        (".json", lambda path: path.write_text("{}"), "lacks what a manifest has"),
        (".json", lambda path: path.write_bytes(b"\xff"), "no JSON"),
        (".json", move, "not the one it is filed under"),
        (".json", other_kind, "of the kind answers"),
        (".json", other_facts, "checksum"),
        (".json", without_format, "lacks what a manifest has"),
    ],
)
def test_damaged_result_is_reported_and_mended(
    run: Run, cache: Cache, ending: str, harm: Callable[[Path], None], why: str
) -> None:
    harm(the(cache, "likelihood", ending))
    ended = run("cache", "verify")
    assert ended.code == 2
    assert "1 of 7 things" in ended.out
    assert why in ended.out
    body = run("cache", "verify", "--json", "-")
    assert body.code == 2
    assert why in json.loads(body.out)["damaged"][0]["why"]
    assert run("cache", "verify", "--mend").code == 0
    assert list(cache.root.rglob("*.damaged"))
    assert len(read_contents(cache.root).items) == 6
    assert run("cache", "verify").code == 0
    assert run("cache", "verify", "--mend").code == 0  # what was set aside goes
    assert not list(cache.root.rglob("*.damaged"))


def test_what_verify_calls_damaged_a_run_computes_anew(cache: Cache) -> None:
    flip(the(cache, "likelihood", ".safetensors"))
    assert len(verify(read_contents(cache.root)).damaged) == 1
    assert cache.get("likelihood", {"model": MINE, "prompts": "x"}) is None


def test_leftovers_of_killed_runs_go_when_they_are_old(run: Run, cache: Cache) -> None:
    the(cache, "likelihood").unlink()
    orphan = the(cache, "likelihood", ".safetensors")
    the(cache, "scores", ".safetensors").unlink()
    widow = the(cache, "scores")
    written = [cache.root / "answers" / ".writing-abc_1", cache.root / "hashes" / ".writing-abc_2"]
    download = cache.root / "lexicons" / "muse" / "tmpabcd_123"
    for path in (*written, download):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    left = {orphan, widow, *written, download}
    assert run("cache", "verify", "--mend").code == 0  # they may be another run's work
    assert left <= files(cache.root)
    for path in left:
        age(path, 0.5)
    ended = run("cache", "verify")
    assert ended.code == 0
    assert all(str(path) in ended.out for path in left)
    assert run("cache", "verify", "--mend").code == 0
    assert not left & files(cache.root)


def test_hashes_of_files_that_are_gone_or_changed_are_of_no_use(cache: Cache, tmp_path: Path) -> None:
    from linguabridge.model_files import file_sha256

    for name in ("same", "gone", "changed"):
        (tmp_path / name).write_text(name)
        assert file_sha256(tmp_path / name, cache) == hashlib.sha256(name.encode()).hexdigest()
    (tmp_path / "gone").unlink()
    (tmp_path / "changed").write_text("other")
    found = verify(read_contents(cache.root))
    assert not found.damaged
    assert len(found.useless) == 2
    assert mend(found).removed == 2
    (kept,) = (cache.root / "hashes").iterdir()
    assert json.loads(kept.read_text())["state"][0] == str(tmp_path / "same")


@pytest.mark.parametrize(
    ("name", "harm", "why"),
    [
        ("model.safetensors", truncate, "truncated"),
        ("model.safetensors", flip, "SHA-256"),
        ("tokenizer.json", flip, "SHA-256"),
        ("model.safetensors", Path.unlink, "no weights"),
        ("config.json", truncate, "config.json"),
        ("converted.json", Path.unlink, "converted.json"),
    ],
)
def test_damaged_model_is_reported_and_removed(
    run: Run, cache: Cache, name: str, harm: Callable[[Path], None], why: str
) -> None:
    folder = converted(cache)
    identify("any", folder, None, cache)  # remembers SHA-256
    harm(folder / name)
    ended = run("cache", "verify")
    assert ended.code == 2
    assert why in ended.out
    assert run("cache", "verify", "--mend").code == 0
    assert not folder.exists()


@pytest.mark.parametrize("harm", [flip, truncate, Path.unlink])
@pytest.mark.parametrize("name", ["config.json", "converted.json", "model.safetensors", "tokenizer.json"])
def test_every_file_of_a_converted_model_is_read(
    run: Run, cache: Cache, name: str, harm: Callable[[Path], None]
) -> None:
    folder = converted_now(cache)
    assert run("cache", "verify").code == 0
    harm(folder / name)
    ended = run("cache", "verify")
    assert ended.code == 2
    assert f"{folder}: {name} " in ended.out
    assert run("cache", "verify", "--mend").code == 0
    assert not folder.exists()


def test_model_that_was_set_aside_is_listed_and_goes(run: Run, cache: Cache) -> None:
    folder = converted_now(cache)
    aside = folder.rename(folder.with_name(f"{folder.name}.damaged"))
    assert "Of no use: 1 thing" in run("cache", "list").out
    ended = run("cache", "verify")
    assert ended.code == 0
    assert f"{aside}: set aside as damaged" in ended.out
    with FileLock(folder.with_suffix(".lock")):
        run("cache", "verify", "--mend")
        assert aside.exists()
    assert run("cache", "verify", "--mend").code == 0
    assert not aside.exists()


def test_download_that_is_not_the_published_file_is_removed(run: Run, cache: Cache) -> None:
    file = cache.root / "mgsm" / "mgsm_sw.tsv"
    file.parent.mkdir()
    file.write_text("no problems")
    ended = run("cache", "verify")
    assert ended.code == 2
    assert f"{file}: it is not the file that was published" in ended.out
    assert run("cache", "verify", "--mend").code == 0
    assert not file.exists()


def test_errors_of_the_disk_are_one_sentence(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, *_: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    contents = read_contents(cache.root)
    chosen = choose(contents, kind="answers")
    monkeypatch.setattr(Path, "unlink", broken)
    assert remove(chosen).stayed == ((the(cache, "answers"), "Permission denied"),)
    monkeypatch.setattr(Path, "read_text", broken)
    with pytest.raises(CacheError, match="cannot be read"):
        verify(contents)
    with pytest.raises(InputError, match="nothing of the kind"):
        choose(contents, kind="none")
