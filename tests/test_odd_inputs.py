"""Inputs that look bad and are not: they must work, and give what their plain form gives.

The catalogue of those that cannot work is ``test_bad_inputs.py``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from bad_inputs import World, make_world
from bad_rows import HUGE, ROWS
from conftest import Ended
from linguabridge.ablation import settings as ablation_settings
from linguabridge.study import stability
from test_help import COMMANDS

Run = Callable[..., Ended]

_BASE = ("recommend", "en", "sw", "--candidates", "de,fr", "--tokens", "200", "--probes", "30", "--check", "10")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], Path]) -> World:
    return make_world(tmp_path_factory.mktemp("world"), tiny_model("llama"))


@pytest.fixture
def recommended(run: Run, world: World) -> Callable[..., dict[str, Any]]:
    """Recommend a bridge with these options in place of the plain ones, and give what was found."""

    def once(*options: object, **changed: object) -> dict[str, Any]:
        usual: dict[str, object] = {"model": world.model, "lexicon": world.own, "device": "cpu"}
        named = [word for name, value in (usual | changed).items() for word in (f"--{name}", value)]
        ended = run(*_BASE, *named, *options, "--json", "-")
        assert ended.code == 0, ended.err
        return dict(json.loads(ended.out))

    return once


def findings(body: dict[str, Any]) -> dict[str, Any]:
    """What was found, without the names of files and models."""
    return {name: body[name] for name in ("ranking", "chosen", "check", "probes", "sets", "similarity")}


@pytest.mark.parametrize("form", ["crlf", "old_mac", "marked", "utf16_marked", "no_suffix", "wörter, 語"])
def test_a_word_list_in_an_odd_form_is_the_same_list(
    form: str, recommended: Callable[..., dict[str, Any]], world: World
) -> None:
    assert findings(recommended(lexicon=world.places[form])) == findings(recommended())


def test_texts_with_odd_line_ends_and_names_are_the_same_texts(
    recommended: Callable[..., dict[str, Any]], world: World
) -> None:
    plain = findings(recommended(texts=world.texts))
    assert findings(recommended(texts=world.odd_texts)) == plain
    assert findings(recommended(texts=world.odd_texts / "{lang}.txt")) == plain


def test_a_model_in_a_folder_with_an_odd_name_is_the_same_model(
    recommended: Callable[..., dict[str, Any]], world: World
) -> None:
    assert findings(recommended(model=world.odd_model)) == findings(recommended())


def test_results_go_where_names_are_odd(recommended: Callable[..., dict[str, Any]], tmp_path: Path, run: Run) -> None:
    out = tmp_path / "mes résultats, 結果"
    printed = recommended("--out", out)
    assert findings(json.loads((out / "recommend.json").read_text("utf-8"))) == findings(printed)
    page = tmp_path / "un rapport, ünïcode.html"
    assert run("report", out, "--out", page).code == 0
    assert "<html" in page.read_text("utf-8")[:1000]


@pytest.mark.parametrize(("source", "target"), [("English", "Kiswahili"), ("eng_Latn", "SWH"), (" EN ", "\u200esw")])
def test_languages_may_be_named_in_any_usual_way(run: Run, world: World, source: str, target: str) -> None:
    ended = run(
        "ask", source, target, "cat", "--bridge", "Deutsch", "--model", world.model, "--device", "cpu", "--json", "-"
    )
    assert ended.code == 0, ended.err
    assert [step["language"] for step in json.loads(ended.out)["steps"]][0::2] == ["en", "sw"]


@pytest.mark.parametrize(
    "text", ["🐈", "a\0b", "שלום\u200f عليكم", "two\nlines\tand a tab", "\ufeffmarked", "e\u0301" * 50]
)
def test_any_text_can_be_asked_about(run: Run, world: World, text: str) -> None:
    ended = run("ask", "en", "sw", text, "--bridge", "de", "--model", world.model, "--device", "cpu", "--json", "-")
    assert ended.code == 0, ended.err
    assert " ".join(text.split()) in json.loads(ended.out)["prompts"][0]


def test_a_huge_number_asks_for_all_there_is(recommended: Callable[..., dict[str, Any]]) -> None:
    whole = recommended("--tokens", 10**30, "--probes", 10**6, "--check", 10**6, "--seed", 10**30)
    assert whole["settings"]["seed"] == 10**30
    assert 10 <= whole["check"]["n"] <= 120


_MODEL = ("--model", "$model", "--device", "cpu")
# Commands with options that take as much as there is, whatever the number, and seeds. Others, bad_rows.py has.
ALL_THERE_IS = {
    "recommend": ("en sw --candidates de,fr --lexicon $own", "--tokens --probes --check --seed"),
    "spectrum": ("en sw de --samples 100", "--tokens --concepts --seed"),
    "evaluate": (
        "en:sw --candidates de,fr --lexicon $own --bridge de --arms recommended",
        "--tokens --probes --limit --seed",
    ),
    "ablate": (
        "en sw --contrast de --languages de,fr --lexicon $own --draws 2 --top-rate 0.1 --specific-rate 0.05",
        "--tokens --words --text-tokens --seed",
    ),
    "study": ("en:sw --candidates de,fr,it,es --ways bits,hops --no-exact", "--tokens --words --probes --seed"),
    "stability": ("en:sw --lexicon $own --other cldr", "--tokens --probes --seed"),
}


def numbers() -> set[tuple[str, str]]:
    """Commands and their options that are whole numbers, from the command line itself."""
    found = set()
    for name, command in COMMANDS.items():
        types = get_type_hints(inspect.unwrap(command.callback))
        found |= {(name, one.opts[0]) for one in command.params if types.get(one.name) in (int, int | None)}
    return found


@pytest.mark.parametrize("huge", HUGE)
def test_every_whole_number_may_be_huge_or_is_refused(huge: int) -> None:
    taken = {(name, option) for name, (_, options) in ALL_THERE_IS.items() for option in options.split()}
    refused = {(row.words[0], row.words[-2]) for row in ROWS if row.words[-1] == str(huge)}
    assert len(numbers()) >= 25
    assert taken | refused == numbers()
    assert not taken & refused


@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize("name", ALL_THERE_IS)
def test_huge_numbers_ask_for_all_there_is(
    name: str, huge: int, run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stability, "HALVINGS", 2)
    monkeypatch.setattr(ablation_settings, "FEWEST_DRAWS", 2)
    words, options = ALL_THERE_IS[name]
    asked = [word for option in options.split() for word in (option, huge)]
    ended = run(name, *map(world.fill, words.split()), *map(world.fill, _MODEL), *asked, "--json", "-")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)
    assert f'"seed": {huge}' in ended.out or name == "stability"  # whose result does not tell its settings


# Of one artefact alone, and of older formats: test_cache.py.
@pytest.mark.parametrize("damage", ["cut", "replaced", "of another"])
def test_a_damaged_cache_changes_no_result(
    damage: str, recommended: Callable[..., dict[str, Any]], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "my cache, ünïcode"
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(root))
    plain = findings(recommended())
    kept = [path for path in sorted(root.rglob("*")) if path.is_file()]
    assert len(kept) > 10
    contents = {path: path.read_bytes() for path in kept}
    for number, path in enumerate(kept):
        others = [one for one in kept if one.parent == path.parent and one.suffix == path.suffix]
        path.write_bytes(
            {
                "cut": contents[path][: len(contents[path]) // 2],
                "replaced": b"[" * 100_000,
                "of another": contents[others[(number + 1) % len(others)]],
            }[damage]
        )
    for words in (["list"], ["list", "--json", "-"], ["verify"], ["verify", "--json", "-"]):
        ended = run("cache", *words)
        assert (ended.code, ended.err) == (2 if words[0] == "verify" else 0, "")
    assert findings(recommended()) == plain


def test_models_that_share_a_cache_do_not_mix(
    recommended: Callable[..., dict[str, Any]],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "shared"))
    first, second = (findings(recommended(model=tiny_model(family))) for family in ("llama", "gpt2"))
    assert first != second
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "own"))
    assert findings(recommended(model=tiny_model("gpt2"))) == second
