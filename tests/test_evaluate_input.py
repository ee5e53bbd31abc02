"""What an experiment is given: tasks from outside, pairs and earlier recommendations, and what of these is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluated import OPTIONS, TOY, lexicon_in, rows, small_settings
from linguabridge.cache import Cache
from linguabridge.engines.engine import SCORINGS
from linguabridge.errors import InputError
from linguabridge.evaluation.evaluate import evaluate
from linguabridge.evaluation.plans import make_plans
from linguabridge.evaluation.preview import preview
from linguabridge.evaluation.settings import EvaluationSettings, parse_pairs
from linguabridge.languages import parse
from linguabridge.lazy_model import open_model
from linguabridge.lexicons.cldr import load_cldr
from linguabridge.recommendation import recommend
from linguabridge.settings import Settings

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EvaluationSettings:
    return small_settings(lexicon_in(tmp_path_factory.mktemp("lexicon")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


def test_earlier_recommendation_is_used_and_another_models_refused(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranking = recommend(
        "en", "sw", model=str(tiny_model("llama")), options=OPTIONS, settings=settings.recommend, cache=cache
    )
    (tmp_path / "recommend.json").write_text(json.dumps(ranking.to_dict()), "utf-8")
    given = dataclasses.replace(settings, arms=("recommended",), bridges=(), recommendations=(tmp_path,))
    with pytest.raises(InputError, match="by the neurons of another model"):
        evaluate([("en", "sw")], model=str(tiny_model("gpt2")), options=OPTIONS, settings=given, cache=cache)
    monkeypatch.setattr("linguabridge.evaluation.recommended.recommend", lambda *_, **__: pytest.fail("computed"))
    found = evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
    assert found.results[0].recommended == ranking.chosen.first


def test_words_of_the_texts_stay_where_nothing_reads_texts(tmp_path: Path, cache: Cache) -> None:
    """CLDR's own words occur in its texts: a ranking by neurons, which reads those, may not be tested on them."""
    entries = load_cldr().pair(parse("en"), parse("sw")).entries[:40]
    own = tmp_path / "own.tsv"
    lines = ["en\tsw\tde", *(f"{one.source}\t{one.targets[0]}\tWort{i}" for i, one in enumerate(entries))]
    own.write_text("\n".join(lines), "utf-8")
    read = EvaluationSettings(arms=("recommended",), recommend=Settings(lexicon=str(own), probes=20, check=0))
    given = EvaluationSettings(arms=("dictionary",), bridges=("de",), recommend=Settings(lexicon=str(own)))
    (plan,) = make_plans([("en", "sw")], given, SCORINGS, cache)
    assert len(plan.items) == 10  # the quarter that is kept for tests
    assert plan.notes[0].startswith("10 of 10 items")
    with pytest.raises(InputError, match="needed"):  # the same words, where texts are read
        make_plans([("en", "sw")], read, SCORINGS, cache)


def test_a_task_from_outside_the_package_runs(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "counting.py"
    file.write_text(TOY, "utf-8")
    given = dataclasses.replace(settings, tasks=(str(file),), arms=("dictionary",), limit=None)
    found = evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
    (result,) = found.results
    assert (result.task, result.n, result.metric, result.scoring) == ("counting", 15, "accuracy", "generated")
    assert rows(found, "direct")[3].prompt == "English: 3 cats\nHow many?"
    assert [arm.name for arm in result.arms] == ["direct", "de", "dictionary:de"]


def test_task_of_the_documentation_runs(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path
) -> None:
    page = (Path(__file__).parent.parent / "docs" / "evaluate.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "mine.py"
    file.write_text(block, "utf-8")
    given = dataclasses.replace(settings, tasks=(str(file),), arms=(), limit=None)
    found = evaluate([("sw", "en")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
    assert rows(found, "direct")[0].prompt == "Kiswahili: Chakula kilikuwa kizuri sana.\nThe review is"
    assert [arm.name for arm in found.results[0].arms] == ["direct", "de"]


@pytest.mark.parametrize(
    ("body", "message"),
    [("x = 1", "defines no TASK"), ("raise ValueError('broken')", "fails: ValueError: broken"), ("(", "SyntaxError")],
)
def test_a_task_file_that_defines_none_is_refused(
    body: str, message: str, settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(body, "utf-8")
    with pytest.raises(InputError, match=message):
        evaluate([("en", "sw")], settings=dataclasses.replace(settings, tasks=(str(file),)), cache=cache)


def test_prompts_are_shown_without_a_model(settings: EvaluationSettings, cache: Cache) -> None:
    shown = preview([("en", "sw")], settings, cache)
    assert "-- direct --" in shown
    assert 'Deutsch:"⟨the model\'s German⟩"→Kiswahili:"' in shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ()}, "names no task"),
        ({"tasks": "bli"}, "are a tuple"),
        ({"arms": ("recomended",)}, "Unknown arm 'recomended'"),
        ({"scoring": "text2"}, "Unknown scoring"),
        ({"normalise": "bytes"}, "Unknown normalisation"),
        ({"limit": 3}, "--limit 3 is too few"),
        ({"shots": -1}, "--shots -1"),
        ({"shots_language": "de"}, "needs --shots"),
        ({"best": 1}, "takes 2 to 8 bridges"),
        ({"data": Path("nowhere")}, "--data nowhere is no folder"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EvaluationSettings(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("blii",)}, "Unknown task 'blii'. Did you mean bli"),
        ({"bridges": ("sw",)}, r"The bridge Swahili \(sw\) is the target of en:sw"),
        ({"scoring": "letters"}, "bli cannot be scored by letters"),
        ({"shots": 500}, "items for demonstrations; lower --shots 500"),
        ({"shots": 2, "shots_language": "sw"}, "is the target"),
    ],
)
def test_runs_that_cannot_be_are_refused_before_the_model_is_loaded(
    changes: dict, message: str, settings: EvaluationSettings, tiny_model: Folder, cache: Cache
) -> None:
    lazy = open_model(str(tiny_model("llama")), OPTIONS, cache)
    lazy._load = lambda: pytest.fail("the model was loaded")
    with pytest.raises(InputError, match=message):
        evaluate([("en", "sw")], model=lazy, settings=dataclasses.replace(settings, **changes), cache=cache)


def test_pairs_are_read_as_they_are_written() -> None:
    assert parse_pairs(["ar:he", "zh-Hant:sw", "ar:he"]) == (("ar", "he"), ("zh-Hant", "sw"))
    assert parse_pairs(["Arabic", "he"]) == (("Arabic", "he"),)
    for wrong in (["ar"], ["ar:he", "sw"], ["ar:he:sw"], [":he"], []):
        with pytest.raises(InputError, match=r"SOURCE:TARGET|Name a pair"):
            parse_pairs(wrong)


def test_probes_of_another_seed_are_refused_for_they_may_be_test_words(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path
) -> None:
    other = dataclasses.replace(settings.recommend, seed=1)
    ranking = recommend("en", "sw", model=str(tiny_model("llama")), options=OPTIONS, settings=other, cache=cache)
    (tmp_path / "recommend.json").write_text(json.dumps(ranking.to_dict()), "utf-8")
    given = dataclasses.replace(settings, recommendations=(tmp_path,))
    with pytest.raises(InputError, match="made with another --seed, so its probes may be test words"):
        evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
    with pytest.raises(InputError, match="is for en:sw, which is no pair of this run"):
        evaluate([("sw", "en")], settings=given, cache=cache)


def test_pairs_without_a_ranking_are_refused_before_the_work(cache: Cache, shared_data: Callable[[str], Path]) -> None:
    given = EvaluationSettings(tasks=("choice",), data=shared_data("xcopa").parent)
    with pytest.raises(InputError, match=r"Haitian Creole.*--arms ''"):
        evaluate([("sw", "id"), ("sw", "ht")], settings=given, cache=cache)
