"""Whatever stands in a file or comes from a server: every parser gives a value or an error of ours, never another.

Word lists, languages, distances, letters and NLI answers have tests of this kind beside their others
(``test_lexicons.py``, ``test_languages.py``, ``test_agreement.py``, ``test_letters.py``, ``test_task_nli.py``).
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from linguabridge.cache import Cache, checksum
from linguabridge.commands.options import several
from linguabridge.commands.recommend import layers_range
from linguabridge.engines.abilities import probe
from linguabridge.engines.server import Connection, Server
from linguabridge.engines.token_scores import echoed_tokens, next_tokens, scores_by_echo, scores_by_list
from linguabridge.errors import InputError, LinguabridgeError
from linguabridge.evaluation.files import read_rows, read_summary
from linguabridge.evaluation.recommended import read_earlier
from linguabridge.evaluation.settings import parse_pairs
from linguabridge.hardware import choose_dtype
from linguabridge.json_values import plain, refuse_another, write_json
from linguabridge.languages import parse
from linguabridge.lexicons import is_one_word, load_file, load_muse, normalise_word
from linguabridge.model_files import identify
from linguabridge.progress import read_progress
from linguabridge.prompts import Prompt
from linguabridge.report.runs import read_runs
from linguabridge.report.sections import make_sections
from linguabridge.study import settings as study_settings
from linguabridge.study.files import read_study
from linguabridge.tasks.letters import parse_letter
from linguabridge.tasks.numbers import parse_number
from linguabridge.tasks.numbers import plain as plain_number
from linguabridge.tasks.sources import read_jsonl, read_lines, read_tsv
from linguabridge.texts import load_text

EN, SW = parse("en"), parse("sw")

# Numbers that JSON can hold and a float cannot, or that are none, among them.
_NUMBERS = st.integers(-(10**400), 10**400) | st.floats() | st.sampled_from([0, 1, -1, 10**400, math.nan, -math.inf])
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DEEP = b"[" * 100_000
_PARTS = ("a", "b c", "\t", ",", ";", "|", "\n", "\r", "\x00", '"', "\ufeff", "# ", "en", "sw", "٣", "é", "{", "}", "1")
LINES = st.binary(max_size=80) | st.lists(st.sampled_from(_PARTS), max_size=40).map(lambda some: "".join(some).encode())


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, each as it should be or anything, and with others."""
    known = st.fixed_dictionaries({}, optional={name: value | _VALUES for name, value in fields.items()})
    other = st.dictionaries(st.text(max_size=5), _VALUES, max_size=2)
    return st.builds(lambda own, more: {**more, **own}, known, other)


def _content(body: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Files that hold such a body, another one, or what is no JSON."""
    return (body | _VALUES).map(lambda one: json.dumps(one).encode()) | st.binary(max_size=60)


_NAMED = _object(code=st.just("en"), name=st.just("English"))
BODIES = _object(
    source=_NAMED,
    target=_NAMED,
    model=st.just("m"),
    identity=_object(weights=st.just("a"), lexicon=st.just("b")),
    settings=_object(seed=st.just(0), texts=st.none(), pairs=st.just([]), candidates=st.just(["en"]), ways=st.just([])),
    chosen=_object(scores=st.dictionaries(st.sampled_from(["en", "?"]), _NUMBERS | st.none()), title=st.just("t")),
    ranking=st.just([]),
    probes=st.just([]),
    tree=st.just([]),
    measures=st.just([]),
    analyses=st.just([]),
    pairs=st.just([]) | st.lists(_object(source=st.just("en"), target=st.just("sw"), n_words=st.just(1)), max_size=2),
    results=st.just([]) | st.lists(_object(pair=st.just("en:sw"), arms=st.just([])), max_size=2),
    languages=st.lists(_NAMED, max_size=2),
)


def mine(act: Callable[[], Any]) -> Any:
    """What an act gives; None where it refuses with an error of ours, in one line."""
    try:
        return act()
    except LinguabridgeError as error:
        said = str(error)
    assert said
    assert said.isprintable()
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parsed")


# --- files -------------------------------------------------------------------------------------------------------


@given(LINES)
@example(b"\xff\xfe\x00")
@example(b"\xff\xfea\x00\t\x00b\x00")
@example("\u0301\t\u0300".encode())
def test_any_file_is_a_word_list_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "list.tsv"
    path.write_bytes(content)
    found = mine(lambda: load_file(path, EN, SW))
    if found is None:
        return
    assert len(found.fingerprint()) == 64
    pair = mine(lambda: found.pair(EN, SW))
    for entry in pair.entries if pair else ():
        assert normalise_word(entry.source)
        assert all(map(normalise_word, entry.targets))
        assert is_one_word(entry.source, spaced=True)


@given(LINES)
def test_any_file_is_a_dictionary_of_muse_or_refused(folder: Path, content: bytes) -> None:
    place = folder / "muse"
    place.mkdir(exist_ok=True)
    (place / "en-sw.txt").write_bytes(content)
    pair = mine(lambda: load_muse(place, cache_dir=folder).pair(EN, SW))
    assert pair is None or pair.n_all >= len(pair.entries)


@given(LINES)
@example(DEEP)
def test_any_file_is_rows_of_a_data_set_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "rows"
    path.write_bytes(content)
    for read in (read_jsonl, read_lines, lambda file: read_tsv(file, ("a", "b"), header=False, quoted=True)):
        for row in mine(lambda read=read: read(path)) or ():
            for name in (*row.values, "label"):
                mine(lambda row=row, name=name: row.text(name))
                mine(lambda row=row, name=name: row.number(name))


@given(st.dictionaries(st.text(max_size=5), _VALUES, max_size=3))
@example({"label": 10**400})
@example({"label": "9" * 5000})
def test_any_row_is_numbers_and_texts_or_refused(folder: Path, values: dict[str, Any]) -> None:
    path = folder / "values.jsonl"
    path.write_text(json.dumps(values), "utf-8")
    for row in mine(lambda: read_jsonl(path)) or ():
        for name in values:
            number = mine(lambda row=row, name=name: row.number(name))
            assert number is None or number == int(values[name])
            text = mine(lambda row=row, name=name: row.text(name))
            assert text is None or text == values[name].strip()


@given(LINES)
def test_any_file_is_a_text_or_refused(folder: Path, content: bytes) -> None:
    (folder / "en.txt").write_bytes(content)
    text = mine(lambda: load_text(str(folder), EN, 0))
    if text is not None:
        assert all(line == line.strip() and line for line in text)
        assert list(text) == list(text)


_READERS: Mapping[str, Callable[[Path], Any]] = {
    "recommend.json": lambda file: (read_earlier(file), None)[1],
    "summary.json": lambda file: read_summary(file.parent),
    "progress.json": lambda file: read_progress(file.parent),
    "study.json": lambda file: read_study(file.parent),
    "config.json": lambda file: choose_dtype("auto", "cpu", file.parent),
}


@settings(suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", _READERS)
@given(content=_content(BODIES))
@example(content=DEEP)
@example(content=b"\xff")
@example(content=b'["pairs", "analyses", "settings", "model", "identity"]')
def test_any_json_is_read_or_refused(folder: Path, name: str, content: bytes) -> None:
    place = folder / name.replace(".", "-")
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(content)
    mine(lambda: _READERS[name](place / name))


@settings(suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", ["recommend.json", "spectrum.json", "study.json", "summary.json"])
@given(content=_content(BODIES))
@example(content=DEEP)
def test_any_run_is_a_section_of_a_report_or_refused(folder: Path, name: str, content: bytes) -> None:
    place = folder / f"run-{name}"
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(content)
    mine(lambda: make_sections(read_runs(place)))


@given(st.binary(max_size=60), _content(_object(sha256=_object())))
def test_any_items_and_manifest_are_a_run_or_refused(folder: Path, items: bytes, manifest: bytes) -> None:
    place = folder / "evaluation"
    place.mkdir(exist_ok=True)
    (place / "summary.json").write_text('{"settings": {}, "results": []}', "utf-8")
    (place / "items.parquet").write_bytes(items)
    (place / "manifest.json").write_bytes(manifest)
    mine(lambda: read_rows(place))
    mine(lambda: read_runs(place))


@given(st.dictionaries(st.text(max_size=5), _VALUES, max_size=3))
def test_what_is_written_as_json_is_known_again(folder: Path, body: dict[str, Any]) -> None:
    file = folder / "again.json"
    try:
        write_json(file, plain(body))
    except ValueError:  # NaN: no file of ours holds it
        return
    there = json.loads(file.read_text("utf-8"))
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character: it is written so that it can be seen
        assert r"\ud" in str(there)
        json.dumps(there, ensure_ascii=False).encode()
    else:
        assert there == body
    refuse_another(file, "result", body, lambda there: there)
    with pytest.raises(InputError, match=r"differs in mine"):
        refuse_another(file, "result", {**body, "mine": [1]}, lambda there: {**there, "mine": [2]})


_SHARDS = st.dictionaries(st.text(max_size=5), st.sampled_from(["model.safetensors", "other.safetensors"]) | st.none())


@given(_content(_object(weight_map=_SHARDS)))
@example(b'{"weight_map": {"a": null, "b": "x"}}')
@example(b'{"weight_map": {"a": "model.safetensors"}}')
@example(DEEP)
def test_any_index_of_shards_is_that_of_the_files_here_or_refused(folder: Path, content: bytes) -> None:
    place = folder / "sharded"
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(b"")
    (place / "model.safetensors.index.json").write_bytes(content)
    if mine(lambda: identify("sharded", place, None, Cache(folder / "hashes"))):
        assert set(json.loads(content)["weight_map"].values()) <= {"model.safetensors"}


# --- cache -------------------------------------------------------------------------------------------------------


@given(_content(_object(facts=_object(), key=st.just({"a": 1}), sha256=st.none(), kind=st.just("k"))))
@example(DEEP)
@example(b'{"facts": 1, "sha256": null, "key": {"a": 1}}')
def test_any_manifest_is_an_artefact_or_none(folder: Path, content: bytes) -> None:
    cache = Cache(folder / "cache")
    cache.put("k", {"a": 1}, {}, {})
    (manifest,) = (folder / "cache" / "k").glob("*.json")
    manifest.write_bytes(content)
    found = cache.get("k", {"a": 1})
    assert found is None or isinstance(found.facts, dict)
    for left in (folder / "cache" / "k").glob("*"):
        left.unlink()


@given(st.binary(max_size=60))
def test_any_arrays_are_an_artefact_or_none(folder: Path, content: bytes) -> None:
    import hashlib

    cache = Cache(folder / "arrays")
    cache.put("k", {}, {"x": np.zeros(2)}, {})
    (data,) = (folder / "arrays" / "k").glob("*.safetensors")
    (manifest,) = (folder / "arrays" / "k").glob("*.json")
    body = json.loads(manifest.read_text("utf-8"))
    data.write_bytes(content)  # with a checksum that agrees
    body |= {"sha256": hashlib.sha256(content).hexdigest()}
    manifest.write_text(json.dumps({**body, "checksum": checksum(body)}), "utf-8")
    cache.get("k", {})
    for left in (folder / "arrays" / "k").glob("*"):
        left.unlink()


_FINITE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), _FINITE, max_size=3), st.dictionaries(st.text(max_size=5), _FINITE))
def test_what_is_stored_is_found_again(folder: Path, key: dict[str, Any], facts: dict[str, Any]) -> None:
    cache = Cache(folder / "stored")
    cache.put("k", key, {}, facts)
    found = cache.get("k", key)
    assert found is not None
    assert found.facts == facts


# --- arguments ---------------------------------------------------------------------------------------------------

_WORDS = st.text(st.sampled_from("arhe:;,-– 0123456789٣²\n\x00") | st.characters(codec=None), max_size=12)


@given(_WORDS)
@example("9" * 5000)
@example("²-³")
def test_any_text_is_layers_or_refused(text: str) -> None:
    found = mine(lambda: layers_range(text))
    assert found is None or (len(found) == 2 and all(isinstance(one, int) and one >= 0 for one in found))


@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["-", " – ", ":"]))
def test_layers_are_read_as_they_are_written(first: int, last: int, between: str) -> None:
    assert layers_range(f"{first}{between}{last}") == (first, last)
    assert layers_range(str(first)) == (first, first)


@given(st.lists(_WORDS, max_size=3))
def test_any_words_are_pairs_or_refused(words: list[str]) -> None:
    for read in (parse_pairs, study_settings.parse_pairs):
        for pair in mine(lambda read=read: read(words)) or ():
            assert len(pair) == 2
    mine(lambda: study_settings.parse_candidates(words))
    for word in words:
        assert all(one.strip() == one and one for one in several(word) or ())


# --- answers -----------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec=None), max_size=60), st.sampled_from([None, "en", "de", "zh", "ar"]))
@example("9" * 5000, None)
@example("1e999999999 ٣٫٥ 十百千万億 ²½", "zh")
def test_any_answer_is_a_number_or_none(text: str, code: str | None) -> None:
    found = parse_number(text, parse(code) if code else None)
    assert found is None or found.is_finite()


@given(st.decimals(-(10**9), 10**9, places=2) | st.integers(-(10**15), 10**15).map(Decimal))
def test_a_number_that_is_written_is_read(number: Decimal) -> None:
    assert parse_number(plain_number(number)) == number
    assert parse_number(f"The answer is {plain_number(number)}.") == number


@given(st.text(st.characters(codec=None), max_size=60), st.integers(0, 30), st.lists(st.text(max_size=5), max_size=30))
def test_any_answer_is_a_letter_or_none(text: str, n_options: int, options: list[str]) -> None:
    found = parse_letter(text, n_options, options)
    assert found is None or ord(found) - ord("A") < n_options


# --- servers -----------------------------------------------------------------------------------------------------

_LISTED = _object(token=st.sampled_from(["A", "▁B", " C"]), logprob=st.floats(-9, 0) | _NUMBERS)
_LISTS = st.lists(_LISTED, max_size=4) | st.dictionaries(st.sampled_from("ABC"), st.floats(-9, 0) | _NUMBERS)
_LOGPROBS = _object(
    tokens=st.lists(st.sampled_from(["ab", "c", "<s>"]) | _VALUES, max_size=4),
    token_logprobs=st.lists(st.none() | st.floats(-9, 0) | _NUMBERS, max_size=4),
    top_logprobs=st.lists(_LISTS | _VALUES, max_size=2),
    content=st.lists(_object(top_logprobs=_LISTS), max_size=2),
)
_CHOICE = _object(
    text=st.sampled_from(["abc", "abc x", ""]),
    message=_object(content=st.just("abc")),
    logprobs=_LOGPROBS,
    finish_reason=st.just("stop"),
)
REPLIES = _object(
    choices=st.lists(_CHOICE, min_size=1, max_size=2),
    usage=_object(completion_tokens=st.integers(-5, 5)),
    data=st.lists(_object(id=st.just("m"), aliases=st.lists(st.just("n"), max_size=2)), max_size=2),
    model=st.just("m@1"),
)


class Replying:
    """Stands in for the library's client: sends nothing, and answers every request with the same text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.completions = self.models = self.with_raw_response = self
        self.chat = SimpleNamespace(completions=self)

    def with_options(self, **_: Any) -> Replying:
        return self

    async def create(self, **_: Any) -> Any:
        return SimpleNamespace(text=self._text, headers={})

    list = create


_ASKED: Mapping[str, Callable[[Connection], Any]] = {
    "probing": probe,
    "the echo": lambda to: echoed_tokens(to, "abc"),
    "scores by echo": lambda to: scores_by_echo(to, Prompt("ab"), ("c", "d"), False),
    "whole scores by echo": lambda to: scores_by_echo(to, Prompt("ab"), ("c", "d"), True),
    "the list": lambda to: next_tokens(to, Prompt("abc"), 5),
    "scores by list": lambda to: scores_by_list(to, Prompt("abc"), ("A", "B"), 5),
}


@pytest.mark.parametrize("asked", _ASKED)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(chat=st.booleans(), text=(REPLIES | _VALUES).map(json.dumps) | st.text(max_size=20))
@example(chat=False, text="[" * 100_000)
@example(chat=False, text='{"data": 5, "choices": [{"text": "abc", "logprobs": {"top_logprobs": [5]}}]}')
@example(
    chat=False,
    text='{"choices": [{"text": "abc", "logprobs": {"top_logprobs": [{"A": -1, "B": -1%s}]}}]}' % ("0" * 400),
)
def test_any_reply_is_an_answer_or_refused(asked: str, chat: bool, text: str) -> None:
    pytest.importorskip("openai", reason="pip install 'linguabridge[endpoint]'")
    server = Server("http://127.0.0.1:1/v1", "m", chat, "", "OPENAI_API_KEY", 1.0, 0, 1)

    async def ask() -> Any:
        return await _ASKED[asked](Connection(server, Replying(text)))  # type: ignore[arg-type]

    found = mine(lambda: asyncio.run(ask()))
    if found is not None and asked.endswith(("echo", "list")) and "scores" in asked:
        assert len(found) == 2
        assert all(math.isfinite(value) for value in found)
