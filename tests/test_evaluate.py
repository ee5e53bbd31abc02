"""Experiments on tiny random models: arms against a naive reading of what they say they do."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from linguabridge.cache import Cache
from linguabridge.errors import InputError, TooLongError
from linguabridge.evaluation import evaluate as evaluate_module
from linguabridge.evaluation.evaluate import evaluate
from linguabridge.evaluation.preview import preview
from linguabridge.evaluation.results import Evaluation, Row
from linguabridge.evaluation.settings import ARMS, EvaluationSettings, parse_pairs
from linguabridge.languages import parse
from linguabridge.lexicons import load_file, normalise_word
from linguabridge.model import LanguageModel, ModelOptions, open_model
from linguabridge.prompts import WORD
from linguabridge.recommendation import recommend
from linguabridge.settings import Settings
from linguabridge.texts import load_text
from test_recommend import write_lexicon

Folder = Callable[[str], Path]
OPTIONS = ModelOptions("cpu", "float32")


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv", languages="en sw de fr it")


@pytest.fixture(scope="module")
def settings(lexicon: Path) -> EvaluationSettings:
    found = Settings(candidates=("de", "fr", "it"), lexicon=str(lexicon), tokens=300, probes=40, check=0)
    return EvaluationSettings(bridges=("de",), arms=ARMS, best=2, limit=12, recommend=found)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def found(tiny_model: Folder, cache: Cache, settings: EvaluationSettings) -> Evaluation:
    return evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=settings, cache=cache)


def rows(found: Evaluation, arm: str) -> list[Row]:
    return [row for row in found.rows if row.arm == arm]


def naive_log_probability(model: LanguageModel, text: str) -> float:
    ids = torch.tensor([model.tokenizer(text).input_ids])
    with torch.no_grad():
        logits = model.model(input_ids=ids, use_cache=False).logits[0].double()
    return sum(float(logits[i].log_softmax(0)[token]) for i, token in enumerate(ids[0, 1:].tolist()))


def naive_answer(model: LanguageModel, prompt: str) -> str:
    ids, new = model.tokenizer(prompt).input_ids, []
    with torch.no_grad():
        while len(new) < 30 and not WORD.reached(model.tokenizer.decode(new, skip_special_tokens=True)):
            logits = model.model(input_ids=torch.tensor([ids + new]), use_cache=False).logits[0, -1]
            new.append(int(logits.argmax()))
            if new[-1] == model.model.generation_config.eos_token_id:
                break
    return WORD.cut(model.tokenizer.decode(new, skip_special_tokens=True))


def rank(row: Row) -> int:
    return 1 + sum(score >= row.option_scores[0] for score in row.option_scores[1:])


def test_direct_items_are_ranked_by_the_full_forward_pass(found: Evaluation, tiny_loaded: Callable) -> None:
    model = tiny_loaded("llama")
    for row in rows(found, "direct")[:3]:
        assert row.prompt == f'English:"{row.text}"→Kiswahili:"'
        assert len(row.options) == 10
        assert normalise_word(row.options[0].strip('"')) in {normalise_word(one) for one in row.gold}
        expected = np.array([naive_log_probability(model, row.prompt + option) for option in row.options])
        scores = np.array(row.option_scores)
        np.testing.assert_allclose(scores - scores[0], expected - expected[0], rtol=1e-4, atol=1e-3)
        assert row.score == 1 / rank(row)
        assert row.right == (rank(row) == 1)
        assert row.exact == (naive_answer(model, row.prompt) in row.gold)


def test_bridge_word_is_the_models_own_greedy_answer(found: Evaluation, tiny_loaded: Callable) -> None:
    model = tiny_loaded("llama")
    for row in rows(found, "de")[:4]:
        word = naive_answer(model, f'English:"{row.text}"→Deutsch:"')
        assert row.bridge_texts == ((word,) if word else ())
        assert row.without_bridge == (not word)
        through = f'→Deutsch:"{word}"' if word else ""
        assert row.prompt == f'English:"{row.text}"{through}→Kiswahili:"'


def test_dictionary_puts_the_lexicons_word_in_the_prompt(found: Evaluation, lexicon: Path) -> None:
    words = {entry.source: entry.targets[0] for entry in _pair(lexicon, "en", "de")}
    for row in rows(found, "dictionary:de"):
        assert row.bridge_texts == (words[row.text],)
        assert row.prompt == f'English:"{row.text}"→Deutsch:"{words[row.text]}"→Kiswahili:"'


def test_random_is_the_mean_and_oracle_the_best_of_all_candidates(found: Evaluation) -> None:
    every = {code: [row.score for row in rows(found, f"candidate:{code}")] for code in ("de", "fr", "it")}
    assert [row.score for row in rows(found, "random")] == pytest.approx(np.mean(list(every.values()), axis=0))
    best = max(every, key=lambda code: np.mean(every[code]))
    assert [row.score for row in rows(found, "oracle")] == every[best]
    (result,) = found.results
    arms = {arm.name: arm for arm in result.arms}
    assert arms["oracle"].bridges == (best,)
    assert arms["random"].metrics["MRR"].value == pytest.approx(np.mean(list(every.values())))
    firsts = [[float(row.right or 0) for row in rows(found, f"candidate:{code}")] for code in every]
    assert arms["random"].metrics["P@1"].value == pytest.approx(np.mean(firsts))


def test_chain_asks_for_each_bridge_after_the_one_before(found: Evaluation, tiny_loaded: Callable) -> None:
    model = tiny_loaded("llama")
    (result,) = found.results
    codes = next(arm for arm in result.arms if arm.name == "chain").label.removeprefix("chain ").split(" → ")
    assert len(codes) == 2
    first, second = (parse(code).endonym for code in codes)
    for row in rows(found, "chain")[:3]:
        prompt = f'English:"{row.text}"'
        one = naive_answer(model, f'{prompt}→{first}:"')
        prompt += f'→{first}:"{one}"' if one else ""
        two = naive_answer(model, f'{prompt}→{second}:"')
        prompt += f'→{second}:"{two}"' if two else ""
        assert row.prompt == f'{prompt}→Kiswahili:"'


def test_vote_adds_likelihoods_of_the_best_bridges(found: Evaluation) -> None:
    (result,) = found.results
    codes = next(arm for arm in result.arms if arm.name == "vote").label.removeprefix("vote of ").split(", ")
    parts = [rows(found, f"candidate:{code}") for code in codes]
    for row, *some in zip(rows(found, "vote"), *parts, strict=True):
        total = np.sum([one.option_scores for one in some], axis=0)
        assert row.option_scores == pytest.approx(total)
        assert row.score == 1 / (1 + int((total[1:] >= total[0]).sum()))


def test_differences_to_direct_are_those_of_the_rows(found: Evaluation) -> None:
    (result,) = found.results
    base = np.array([row.score for row in rows(found, "direct")])
    for arm in result.arms[1:]:
        own = np.array([row.score for row in rows(found, arm.name)])
        assert arm.against_direct is not None
        assert arm.against_direct.difference.value == pytest.approx((own - base).mean())
        if arm.name != "random":
            assert arm.n_copied == sum(row.copied for row in rows(found, arm.name))


def test_every_arm_sees_the_same_items_and_options(found: Evaluation) -> None:
    base = [(row.item, row.gold, row.options) for row in rows(found, "direct")]
    assert len(base) == 12
    for arm in {row.arm for row in found.rows} - {"random"}:
        assert [(row.item, row.gold, row.options) for row in rows(found, arm)] == base


def test_test_words_are_disjoint_from_probes_and_from_what_is_profiled(
    found: Evaluation, settings: EvaluationSettings, tiny_model: Folder, cache: Cache
) -> None:
    ranking = recommend(
        "en", "sw", model=str(tiny_model("llama")), options=OPTIONS, settings=settings.recommend, cache=cache
    )
    probes = {entry.concept for entry in ranking.probes.entries}
    words = {normalise_word(word) for entry in ranking.probes.entries for word in (entry.source, *entry.targets)}
    read = {
        normalise_word(line)
        for code in ("en", "sw")
        for line in load_text(
            None, parse(code), 0, load_file(Path(settings.recommend.lexicon), *map(parse, ("en", "sw")))
        ).lines()
    }
    items = rows(found, "direct")
    assert probes.isdisjoint(row.concept for row in items)
    for row in items:
        assert (words | read).isdisjoint(normalise_word(word) for word in (row.text, *row.gold))
    (result,) = found.results
    assert any("disjoint by concept" in note for note in result.notes)


def test_again_says_the_same_and_computes_nothing(
    found: Evaluation, settings: EvaluationSettings, tiny_model: Folder, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = open_model(str(tiny_model("llama")), OPTIONS, cache)
    monkeypatch.setattr(lazy, "_load", lambda: pytest.fail("the model was loaded"))
    assert evaluate([("en", "sw")], model=lazy, settings=settings, cache=cache) == found


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


def test_what_there_is_so_far_is_told_after_each_result_but_the_last(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache
) -> None:
    recommend = dataclasses.replace(settings.recommend, candidates=("de",))
    given, told = dataclasses.replace(settings, arms=(), recommend=recommend), []
    pairs = [("en", "sw"), ("fr", "it"), ("en", "fr")]
    model = str(tiny_model("llama"))
    found = evaluate(pairs, model=model, options=OPTIONS, settings=given, cache=cache, after=told.append)
    assert [len(one.results) for one in told] == [1, 2]
    for one in told:
        n = len(one.results)
        assert one.settings == found.settings
        assert one.rows == found.rows[: len(one.rows)]
        assert {(row.source, row.target) for row in one.rows} == set(pairs[:n])
        # As a run of these pairs alone would be corrected.
        alone = evaluate(pairs[:n], model=model, options=OPTIONS, settings=given, cache=cache, after=lambda _: None)
        assert one.results == alone.results
    evaluate(pairs[:1], model=model, options=OPTIONS, settings=given, cache=cache, after=pytest.fail)


def test_demonstrations_stand_before_every_question_and_are_no_items(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, lexicon: Path
) -> None:
    given = dataclasses.replace(settings, arms=(), shots=2, shots_language="fr")
    found = evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
    words = {entry.source: entry.targets[0] for entry in _pair(lexicon, "fr", "sw")}
    items = rows(found, "direct")
    one, two, question = items[0].prompt.split("\n")
    for line in (one, two):
        french = line.split('"')[1]
        assert line == f'français:"{french}"→Kiswahili:"{words[french]}"'
        assert words[french] not in {word for row in items for word in row.gold}
    assert question == f'English:"{items[0].text}"→Kiswahili:"'
    assert all(row.prompt.startswith(f"{one}\n{two}\n") for row in found.rows)


TOY = """
from linguabridge.engines.engine import GENERATED
from linguabridge.prompts import Prompt
from linguabridge.tasks.task import Item, Loaded, Question, Task, chain_text

def load(source, target, data):
    return Loaded(tuple(Item(str(i), str(i), f"{i} cats", (str(i),)) for i in range(15)), (), "counted up")

def ask(item, chain, target, scoring):
    return Question(Prompt(chain_text(chain) + "\\nHow many?"))

TASK = Task("counting", "count cats", load, ask, (GENERATED,))
"""


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


def test_byte_normalisation_and_pmi_are_what_they_say(
    settings: EvaluationSettings, tiny_model: Folder, tiny_loaded: Callable, cache: Cache
) -> None:
    model = tiny_loaded("llama")
    for normalise in ("byte", "pmi"):
        given = dataclasses.replace(settings, arms=(), bridges=(), normalise=normalise)
        found = evaluate([("en", "sw")], model=str(tiny_model("llama")), options=OPTIONS, settings=given, cache=cache)
        for row in rows(found, "direct")[:2]:
            whole = np.array([naive_log_probability(model, row.prompt + option) for option in row.options])
            if normalise == "byte":
                start = naive_log_probability(model, row.prompt)
                expected = (whole - start) / [len(option.encode()) for option in row.options]
                np.testing.assert_allclose(row.option_scores, expected, rtol=1e-3, atol=1e-3)
            else:
                alone = [naive_log_probability(model, 'Kiswahili:"' + option) for option in row.options]
                expected, scores = whole - alone, np.array(row.option_scores)
                np.testing.assert_allclose(scores - scores[0], expected - expected[0], rtol=1e-3, atol=1e-3)


def test_evaluation_module_asks_the_given_engine_only(
    settings: EvaluationSettings, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Parrot:
        name, identity, scorings, chat = "parrot", {"parrot": True}, ("generated",), False

        def option_scores(self, *_: object, **__: object) -> np.ndarray:
            raise AssertionError

        def answers(self, _title: str, prompts: list, _ending: object) -> list[str]:
            return [f'{prompt.text.split(chr(34))[1]}" and more' for prompt in prompts]

    monkeypatch.setattr(evaluate_module, "open_model", lambda *_: pytest.fail("a model was opened"))
    given = dataclasses.replace(settings, arms=("dictionary",), scoring="generated")
    found = evaluate([("en", "sw")], engine=Parrot(), settings=given, cache=cache)
    assert found.model == "parrot"
    assert all(row.parsed == row.text and not row.right for row in found.rows)


def _pair(lexicon: Path, source: str, target: str) -> tuple:
    s, t = parse(source), parse(target)
    return load_file(lexicon, s, t).pair(s, t, keep_identical=True, keep_multiword=True).entries


class Scripted:
    """Answers by a function of the prompt; options are all as likely as they are long."""

    name, identity, scorings, chat = "scripted", {"scripted": True}, ("text", "letters", "generated"), False

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def option_scores(self, _title: str, prompts: list, options: list, *, whole: bool = False) -> np.ndarray:
        self.asked += [prompt.written for prompt in prompts]
        return np.array([[float(len(option)) for option in some] for some in options])

    def answers(self, _title: str, prompts: list, _ending: object) -> list[str]:
        self.asked += [prompt.written for prompt in prompts]
        return [self.answer(prompt.written) for prompt in prompts]


REAL = [
    *(("mrc", "belebele", "sw:de", scoring) for scoring in ("text", "letters", "generated")),
    *(("nli", "xnli", "sw:de", scoring) for scoring in ("text", "letters", "generated")),
    *(("topics", "sib200", "ar:he", scoring) for scoring in ("text", "letters", "generated")),
    *(("choice", "xcopa", "sw:id", scoring) for scoring in ("text", "letters", "generated")),
    ("math", "mgsm", "sw:de", "generated"),
    ("translate", "flores200", "sw:de", "generated"),
]


@pytest.mark.parametrize(("task", "folder", "pair", "scoring"), REAL, ids=lambda one: str(one))
def test_every_task_runs_on_its_data(
    task: str, folder: str, pair: str, scoring: str, shared_data: Callable[[str], Path], cache: Cache
) -> None:
    engine = Scripted(
        lambda prompt: " bridged\n" if prompt.endswith((":", "English:")) and "\n" not in prompt[-30:] else " B"
    )
    given = EvaluationSettings(
        tasks=(task,), data=shared_data(folder).parent, arms=("dictionary",), limit=12, scoring=scoring, shots=1
    )
    source, target = pair.split(":")
    found = evaluate([(source, target)], engine=engine, settings=given, cache=cache)
    (result,) = found.results
    assert [arm.name for arm in result.arms] == ["direct", "en", "dictionary:en"]
    for row in found.rows:
        assert "{" not in row.prompt
        if row.options:  # the naive reading of "as likely as long"
            right = [option for option, text in zip(row.options, _texts(row), strict=True) if text in row.gold]
            if scoring == "text":
                others = [len(option) for option in row.options if option not in right]
                assert row.score == float(max(map(len, right)) > max(others))
    if task == "translate":
        assert set(result.arms[0].corpus) == {"chrF++"}
        assert any("spBLEU is not shown" in note for note in result.notes)
    english = [row for row in found.rows if row.arm == "en" and row.bridge_texts]
    assert english
    assert all(f"English: {row.bridge_texts[0]}" in row.prompt for row in english)


def _texts(row: Row) -> list[str]:
    return [option.strip() for option in row.options]


def test_generated_words_are_right_or_wrong_and_have_no_rank(settings: EvaluationSettings, cache: Cache) -> None:
    given = dataclasses.replace(settings, arms=(), scoring="generated")
    found = evaluate([("en", "sw")], engine=Scripted(lambda _: 'nothing"'), settings=given, cache=cache)
    (result,) = found.results
    assert result.metric == "exact"
    assert list(result.arms[0].metrics) == ["exact"]
    assert result.arms[1].against_direct.test == "exact McNemar"


def test_fallback_to_what_a_server_can_is_said(settings: EvaluationSettings, cache: Cache) -> None:
    engine = Scripted(lambda _: "x")
    engine.scorings = ("generated",)
    found = evaluate([("en", "sw")], engine=engine, settings=dataclasses.replace(settings, arms=()), cache=cache)
    assert any(
        "no log-probabilities for scoring by text: answers are by generated" in n for n in found.results[0].notes
    )


def test_random_arm_counts_what_could_not_be_read_and_leaves_out_copies_only(
    settings: EvaluationSettings, cache: Cache
) -> None:
    golds: dict[str, str] = {}

    def answer(prompt: str) -> str:
        word = prompt.split('"')[1]
        if prompt.endswith('français:"'):
            return golds.get(word, "") + '"'
        return '"' if prompt.endswith('Kiswahili:"') else 'x"'

    given = dataclasses.replace(settings, arms=("random",), scoring="generated", bridges=())
    first = evaluate([("en", "sw")], engine=Scripted(answer), settings=given, cache=cache)
    golds.update({row.text: row.gold[0] for row in rows(first, "direct")[:5]})
    found = evaluate([("en", "sw")], engine=Scripted(answer), settings=given, cache=cache)
    random = next(arm for arm in found.results[0].arms if arm.name == "random")
    assert random.n_unparsed == 3 * 12
    assert random.n_copied == 5
    assert random.fair.difference.value == 0


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


def test_settings_hold_what_ranks_and_what_the_task_file_says(
    settings: EvaluationSettings, tiny_model: Folder, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "counting.py"
    seen = []
    for family, body in (("llama", TOY), ("gpt2", TOY), ("gpt2", TOY + "\n# changed")):
        file.write_text(body, "utf-8")
        given = dataclasses.replace(settings, tasks=(str(file),), arms=("recommended",), limit=None)
        model = open_model(str(tiny_model(family)), OPTIONS, cache)
        found = evaluate([("en", "sw")], model=model, engine=Scripted(lambda _: "3"), settings=given, cache=cache)
        seen.append(json.dumps(found.settings, sort_keys=True))
    assert len(set(seen)) == 3


def test_arm_whose_prompts_are_too_long_is_left_out_and_the_run_goes_on(
    settings: EvaluationSettings, cache: Cache
) -> None:
    class Short(Scripted):
        def option_scores(self, title: str, prompts: list, options: list, *, whole: bool = False) -> np.ndarray:
            if any("Deutsch" in prompt.text for prompt in prompts):
                raise TooLongError("A prompt with its answer takes 2,178 tokens, and scripted reads 2,048 at most.")
            return super().option_scores(title, prompts, options, whole=whole)

    given = dataclasses.replace(settings, arms=("dictionary",), bridges=("de", "fr"))
    found = evaluate([("en", "sw")], engine=Short(lambda _: 'x"'), settings=given, cache=cache)
    (result,) = found.results
    assert [arm.name for arm in result.arms] == ["direct", "fr", "dictionary:fr"]
    assert any(note.startswith("There is no arm through German: A prompt") for note in result.notes)


def test_direct_prompts_that_are_too_long_name_the_task(settings: EvaluationSettings, cache: Cache) -> None:
    class Short(Scripted):
        def option_scores(self, *_: object, **__: object) -> np.ndarray:
            raise TooLongError("A prompt takes 9 tokens.")

    given = dataclasses.replace(settings, arms=())
    with pytest.raises(InputError, match=r"That is for bli, en:sw, directly: leave the task out"):
        evaluate([("en", "sw")], engine=Short(lambda _: "x"), settings=given, cache=cache)
