"""The whole method on a tiny random model: that its parts agree, that it repeats, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny
from linguabridge import dependence, lazy_model, neuron_ranking
from linguabridge import settings as settings_module
from linguabridge.cache import Cache
from linguabridge.errors import CacheError, InputError
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.lexicons import load_file, normalise_word, split
from linguabridge.model import ModelOptions
from linguabridge.ranking import STANDS_OUT
from linguabridge.recommendation import Recommendation, materials, recommend
from linguabridge.settings import FEWEST_CHECK, Settings
from linguabridge.texts import load_text

Folder = Callable[[str], Path]


def write_lexicon(file: Path, rows: int = 120, languages: str = "en sw de") -> Path:
    """Made-up words, the same every time."""
    dice = random.Random(5)
    columns = languages.split()

    def word() -> str:
        return "".join(dice.choice("abdeghiklmnorstu") for _ in range(dice.randint(3, 7)))

    lines = ["\t".join(columns), *("\t".join(f"{word()}{code[0]}" for code in columns) for _ in range(rows))]
    file.write_text("\n".join(lines), "utf-8")
    return file


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv")


@pytest.fixture(scope="module")
def settings(lexicon: Path) -> Settings:
    return Settings(candidates=("de", "fr", "it"), lexicon=str(lexicon), tokens=300, probes=40, check=12)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def run(tiny_model: Folder, cache: Cache, settings: Settings) -> Callable[..., Recommendation]:
    """Run from English to Swahili on the tiny Llama; what is not given is as in ``settings``."""

    def once(source: str = "en", target: str = "sw", **changes: Any) -> Recommendation:
        lazy = open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache)
        return recommend(source, target, model=lazy, cache=cache, settings=dataclasses.replace(settings, **changes))

    return once


@pytest.fixture(scope="module")
def result(run: Callable[..., Recommendation]) -> Recommendation:
    return run()


Run = Callable[..., Recommendation]


def test_probes_and_check_words_are_disjoint(result: Recommendation) -> None:
    assert result.check is not None
    assert result.check.n == 12
    assert 20 <= len(result.probes.entries) <= 40
    sources = {normalise_word(entry.source) for entry in result.probes.entries}
    targets = {normalise_word(word) for entry in result.probes.entries for word in entry.targets}
    for item in result.check.arms[0].items:
        assert normalise_word(item.source) not in sources
        assert not targets & {normalise_word(word) for word in item.gold}


def test_no_check_word_is_among_the_words_that_were_profiled(run: Run, tmp_path: Path) -> None:
    file = write_lexicon(tmp_path / "mixed.tsv", languages="en sw")
    profiled = [line for line in load_text(None, parse("en"), 0).lines() if line.isalpha()][:90]
    with file.open("a", encoding="utf-8") as rows:
        rows.writelines(f"\n{word.upper()}\t{word[::-1]}q" for word in profiled)
    read = {normalise_word(word) for word in profiled}
    drawn = split(
        load_file(file, parse("en"), parse("sw")).pair(parse("en"), parse("sw")), probes=40, check=200, seed=0
    )
    assert read & {normalise_word(entry.source) for entry in drawn.check}  # the lexicon alone would let them pass
    found = run(lexicon=str(file), check=30)  # there are as many others
    assert found.check is not None
    assert found.check.n == 30
    assert not read & {normalise_word(item.source) for item in found.check.arms[0].items}


def test_a_small_lexicon_keeps_its_check_words_and_the_texts_lose_them(tmp_path: Path) -> None:
    english = [line for line in load_text(None, parse("en"), 0).lines() if line.isalpha()][:180]
    file = tmp_path / "small.tsv"
    file.write_text("\n".join(["en\tx-own", *(f"{word}\t{word[::-1]}q" for word in english)]), "utf-8")
    found = materials(
        parse("en"), parse("x-own"), (parse("fr"),), Settings(lexicon=str(file), probes=40), Cache(tmp_path)
    )
    pair = load_file(file, parse("en"), parse("x-own")).pair(parse("en"), parse("x-own"))
    assert len(found.drawn.check) == len(split(pair, probes=40, check=200, seed=0).check) > 20
    asked = {normalise_word(word) for entry in found.drawn.check for word in (entry.source, *entry.targets)}
    for code in ("en", "x-own"):
        assert not asked & {normalise_word(line) for line in found.texts[code].lines()}
    assert found.texts["fr"].sha256 == load_text(None, parse("fr"), 0).sha256


def test_every_arm_has_the_same_items(result: Recommendation) -> None:
    assert result.check is not None
    direct, *others = result.check.arms
    assert direct.bridge is None
    assert others
    for arm in others:
        assert [(i.concept, i.source, i.gold) for i in arm.items] == [
            (i.concept, i.source, i.gold) for i in direct.items
        ]
        for item, same in zip(arm.items, direct.items, strict=True):
            if not item.bridge_words:
                assert item.prompt == same.prompt
            assert f'"{item.source}"' in item.prompt
            assert set(item.bridge_words) <= set(arm.bridges)
            assert all(f'"{word}"' in item.prompt for word in item.bridge_words.values())
    for arm in result.check.arms:
        ranks = [item.rank for item in arm.items]
        assert all(1 <= rank <= 10 for rank in ranks)
        assert arm.mrr.value == pytest.approx(sum(1 / rank for rank in ranks) / 12)
        assert arm.p_at_1.value == pytest.approx(ranks.count(1) / 12)


def test_check_goes_through_the_fixed_bridge_the_one_chosen_and_three_together(run: Run) -> None:
    one = run(candidates=("de", "it"))
    assert one.check is not None
    assert one.chosen.first in ("de", "it")
    # French, since English is in the pair.
    assert [arm.bridge for arm in one.check.arms] == [None, "fr", one.chosen.first, "fr+es+pt"]
    other = run("de", "sw", candidates=("fr", "it"))
    assert other.check is not None
    assert [arm.bridge for arm in other.check.arms] == [None, "en", other.chosen.first, "en+fr+es"]
    assert other.check.arm("en").first_hop is not None  # the lexicon has English words


def test_neurons_add_up(result: Recommendation) -> None:
    assert result.ranking.window == (1, 3)
    assert {one.code for one in result.ranking.candidates} == {"de", "fr", "it"}
    total = tiny.LAYERS * tiny.WIDTH
    assert set(result.sets.top.values()) == {round(total * result.sets.rate)}
    assert set(result.sets.top) == {"en", "sw", "de", "fr", "it"}
    assert sum(result.ranking.shared) <= result.sets.overlap <= result.sets.top["en"]
    assert result.sets.anchored <= sum(result.ranking.shared)
    for one in result.ranking.candidates:
        assert (sum(one.neurons) < 30) == (one.code in result.sets.thin)
        assert sum(one.neurons) <= result.sets.top[one.code]
    assert {tokens for _, _, tokens in result.profiled.values()} == {300}
    assert result.ranking.n_probes == len(result.probes.prompts)


def test_words_agree_with_the_numbers(result: Recommendation) -> None:
    first = result.ranking.candidates[0]
    summary = result.summary()
    assert result.bridge is not None
    assert result.bridge.code == result.chosen.first == "fr"  # of German, French and Italian, the fixed order's first
    assert summary.startswith("Translate directly from English to Swahili")  # 12 words show nothing
    assert f"{result.bridge.name} is the language to try" in summary
    if result.probes.fell_back:
        assert "the model understands only" in summary
    elif result.ranking.winner:
        assert first.best >= STANDS_OUT
        assert f"{result.language(first.code).name} stands out" in summary
    else:
        assert "no candidate stands out" in summary
    assert result.language(first.code).name in summary
    assert "12 held-out words" in summary


def test_result_is_json_without_nan(result: Recommendation) -> None:
    body = result.to_dict()
    again = json.loads(json.dumps(body, allow_nan=False))
    assert again["bridge"] == result.chosen.first
    assert again["route"] == []
    assert list(again["chosen"]["scores"]) == list(result.chosen.scores)
    assert again["source"]["code"] == "en"
    assert again["pair"]["n_usable"] == len(result.pair.entries)
    assert again["settings"]["candidates"] == ["de", "fr", "it"]
    assert set(again["identity"]) >= {"weights", "config", "tokenizer", "device", "dtype", "taps", "revision"}
    assert len(again["check"]["arms"][0]["items"]) == 12


def test_second_run_loads_no_model_and_says_the_same(
    run: Run, result: Recommendation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("loaded"))
    assert run().to_dict() == result.to_dict()


def test_run_from_nothing_says_the_same(
    tiny_model: Folder, settings: Settings, result: Recommendation, tmp_path: Path
) -> None:
    lazy = open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), Cache(tmp_path))
    again = recommend("English", "swh_Latn", model=lazy, cache=Cache(tmp_path), settings=settings)
    assert again.to_dict() == result.to_dict()


def test_more_candidates_reuse_what_is_known(run: Run, result: Recommendation, monkeypatch: pytest.MonkeyPatch) -> None:
    from linguabridge import collect

    profiled: list[str] = []
    real = collect.profile_text
    monkeypatch.setattr(collect, "profile_text", lambda *a, **k: profiled.append("one") or real(*a, **k))
    run(candidates=("de", "fr", "it", "es"), check=0)
    assert len(profiled) == 1


def test_reference_mode_runs_as_published(run: Run) -> None:
    found = run(reference=True, candidates=("de", "fr"))
    assert found.ranking.estimator == "reference"
    assert found.sets.rate == 0.01
    assert not found.sets.raised
    assert all(one.score is not None for one in found.ranking.candidates)
    assert any(
        "Swahili" not in prompt and 'English:"' in prompt and "kiswahili:" in prompt for prompt in found.probes.prompts
    )
    assert "published procedure" in found.summary()
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"shared_set": "anchored", "top_rate": 0.1},
        {"bridge_set": "between", "top_rate": 0.1},
        {"estimator": "reference", "top_rate": 0.05},
        {"layers": (0, 3)},
        {"seed": 3},
    ],
)
def test_other_settings_run(run: Run, changes: dict[str, Any]) -> None:
    found = run(check=0, **changes)
    assert found.check is None
    assert "was not checked" in found.summary()
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("family", ["gemma3", "gpt2", "opt"])
def test_other_families_run(tiny_model: Folder, cache: Cache, settings: Settings, family: str) -> None:
    lazy = open_model(str(tiny_model(family)), ModelOptions("cpu", "float32"), cache)
    found = recommend("en", "sw", model=lazy, cache=cache, settings=settings)
    assert len(found.ranking.candidates) == 3
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_model_whose_neurons_are_always_active_is_refused(tmp_path: Path, cache: Cache, settings: Settings) -> None:
    lazy = open_model(str(tiny.save_always_active(tmp_path / "model")), ModelOptions("cpu", "float32"), cache)
    with pytest.raises(InputError, match="probabilities are all the same; read more text with --tokens"):
        recommend("en", "sw", model=lazy, cache=cache, settings=settings)


def test_no_anchored_neuron_is_told_from_no_shared_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neuron_ranking, "anchored", lambda shared, _: shared - shared)
    with pytest.raises(InputError, match=r"None of the \d+ neurons .* half of the probes: .*--shared-set overlap"):
        run(check=0, shared_set="anchored", top_rate=0.1)


def test_default_candidate_without_a_text_is_left_out_and_said(run: Run, tmp_path: Path) -> None:
    for code in ("en", "sw", "de"):
        (tmp_path / f"{code}.txt").write_text("\n".join(tiny.LINES), "utf-8")
    found = run(candidates=None, texts=str(tmp_path), check=0)
    assert [one.code for one in found.candidates] == ["de"]
    assert any(note.startswith("French is left out as a candidate") for note in found.notes)
    with pytest.raises(InputError, match="no text for French"):
        run(candidates=("de", "fr"), texts=str(tmp_path), check=0)


@pytest.mark.parametrize(
    ("source", "target", "changes", "message"),
    [
        ("Swahilli", "en", {}, r"Unknown language 'Swahilli': did you mean sw \(Swahili\)"),
        ("en", "qwertz", {}, "Unknown language 'qwertz'"),
        ("en", "eng_Latn", {}, "Source and target are both English"),
        ("en", "sw", {"candidates": ("de", "Englisch")}, "candidate English .* is the source"),
        ("en", "sw", {"candidates": ("swh_Latn",)}, "candidate Swahili .* is the target"),
        ("en", "sw", {"candidates": ()}, "names no language"),
        ("en", "sw", {"layers": (2, 4)}, r"--layers 2-4: the model's layers are 0 to 3"),
        ("en", "sw", {"layers": (3, 2)}, r"--layers 3-2"),
        ("en", "sw", {"layers": (-1, 2)}, r"--layers -1-2"),
        ("en", "sw", {"top_rate": 0.0}, "between 0 and 1, not 0.0"),
        ("en", "sw", {"top_rate": 1.0}, "between 0 and 1, not 1.0"),
        ("en", "sw", {"top_rate": float("nan")}, "between 0 and 1, not nan"),
        ("en", "sw", {"probes": 19}, "--probes 19 is too few"),
        ("en", "sw", {"check": 9}, "--check 9 is too few"),
        ("en", "sw", {"check": -1}, "--check -1"),
        ("en", "sw", {"tokens": 0}, "--tokens 0"),
        ("en", "sw", {"shared_set": "all"}, "Unknown shared set 'all': choose one of overlap, anchored"),
        ("en", "sw", {"bridge_set": "all"}, "Unknown bridge set 'all': choose one of rest, between"),
        ("en", "sw", {"estimator": "mi"}, "Unknown estimator 'mi': choose one of cka, reference"),
        ("en", "sw", {"estimator": "cka", "reference": True}, "--reference uses the published estimator"),
        ("en", "sw", {"lexicon": "no-such-file.tsv"}, "neither a lexicon nor a file"),
        ("en", "ar", {}, r"own.tsv covers .*, not Arabic|names the languages"),
        ("en", "sw", {"texts": "no-such-folder"}, "no such folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    run: Run, source: str, target: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run(source, target, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("rows", "message"), [(20, "words to probe with"), (32, "words left to check with")])
def test_lexicon_that_is_too_short_says_so(run: Run, tmp_path: Path, rows: int, message: str) -> None:
    file = write_lexicon(tmp_path / "short.tsv", rows)
    with pytest.raises(InputError, match=rf"short.tsv has only \d+ {message}"):
        run(lexicon=str(file), check=max(FEWEST_CHECK, 20))


def test_estimators_are_those_of_the_dependence_measures() -> None:
    assert tuple(dependence.ESTIMATORS) == settings_module.ESTIMATORS
    with pytest.raises(InputError, match="Unknown estimator"):  # before any work
        Settings(estimator="mi")


def test_language_is_checked_before_a_model_is_touched(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Unknown language"):
        recommend("Swahilli", "en", model="no-such-model", cache=Cache(tmp_path))


def test_cache_that_cannot_be_written_is_named_before_the_work(
    tiny_model: Folder, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("loaded"))
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be written"):
        recommend("en", "sw", model=str(tiny_model("llama")), cache=Cache(tmp_path / "file" / "x"), settings=settings)


def test_layers_beyond_the_model_are_refused_before_it_is_loaded(
    tiny_model: Folder, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("loaded"))
    wide = dataclasses.replace(settings, layers=(0, 99))
    with pytest.raises(InputError, match="the model's layers are 0 to 3"):
        recommend("en", "sw", model=str(tiny_model("llama")), settings=wide, cache=Cache(tmp_path))
