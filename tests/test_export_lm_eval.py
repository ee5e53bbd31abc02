"""``linguabridge export --to lm-eval``: lm-evaluation-harness itself asks what was exported, and must find the same."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_up
from conftest import Ended
from evaluated import OPTIONS, TOY, lexicon_in, small_settings
from linguabridge.cache import Cache
from linguabridge.errors import InputError
from linguabridge.evaluation.evaluate import evaluate
from linguabridge.evaluation.files import write_folder, write_unfinished
from linguabridge.evaluation.results import Evaluation, Row
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.export import lm_eval_scoring
from linguabridge.export.lm_eval import GROUP, export_lm_eval
from linguabridge.export.right_options import right_options
from linguabridge.generate import greedy_answers
from linguabridge.lazy_model import open_model
from linguabridge.model import LanguageModel
from linguabridge.prompts import WORD
from linguabridge.tasks.translate import TASK as TRANSLATE

Folder = Callable[[str], Path]
PAIR = ("en", "sw")
TASK = "linguabridge_bli_en_sw"

# A choice among texts, with the right one there twice in some items, and a listing by letters.
CHOICE = """
from linguabridge.engines.engine import LETTERS, TEXT
from linguabridge.prompts import Prompt
from linguabridge.tasks.options import ALPHABET
from linguabridge.tasks.task import Item, Loaded, Question, Task, chain_text

WORDS = ("cat", "the dog", "a garden", "mat")

def load(source, target, data):
    items = []
    for i in range(15):
        options = tuple(WORDS[(i + k) % 4] for k in range(3)) + ((WORDS[i % 4],) if i % 5 == 0 else ("the mat",))
        items.append(Item(str(i), str(i), f"{i} cats and a {WORDS[i % 4]}", (options[0],), options, 0))
    return Loaded(tuple(items), (), "made up")

def ask(item, chain, target, scoring):
    if scoring == TEXT:
        return Question(Prompt(chain_text(chain) + "\\nIt is"), tuple(f" {one}\\n" for one in item.options))
    listed = "\\n".join(f"{letter}. {one}" for letter, one in zip(ALPHABET, item.options))
    prompt = Prompt(f"{chain_text(chain)}\\n{listed}\\nThe letter is")
    return Question(prompt, tuple(f" {letter}" for letter in ALPHABET[: len(item.options)]))

TASK = Task("choosing", "choose a word", load, ask, (TEXT, LETTERS))
"""


def evaluated(model: Path, lexicon: Path, out: Path, **changes: Any) -> Evaluation:
    settings = replace(small_settings(lexicon), **changes)
    found = evaluate([PAIR], model=str(model), options=OPTIONS, settings=settings)
    write_folder(out, found, command="linguabridge evaluate en:sw", started=0.0)
    return found


@pytest.fixture(scope="module")
def words(tiny_model: Folder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    """Word translation in every arm, and the folder of its results."""
    root = tmp_path_factory.mktemp("words")
    return evaluated(tiny_model("llama"), lexicon_in(root), root / "run"), root


def harness(folder: Path, model: Path, tasks: list[str]) -> dict[str, Any]:
    """What lm-eval finds, by its own loader of models and tasks."""
    lm_eval = pytest.importorskip("lm_eval", reason="needs lm-evaluation-harness: pip install '.[bench]'")
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        found: dict[str, Any] = lm_eval.simple_evaluate(
            model="hf",
            model_args=f"pretrained={model},dtype=float32",
            device="cpu",
            batch_size=4,
            tasks=tasks,
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            log_samples=True,
            bootstrap_iters=0,
        )
    return found


def samples(found: dict[str, Any], task: str) -> list[dict[str, Any]]:
    return sorted(found["samples"][task], key=lambda one: one["doc_id"])


def of_arm(found: Evaluation, arm: str) -> list[Row]:
    return [row for row in found.rows if row.arm == arm]


def assert_same_scores(ours: list[Row], theirs: list[dict[str, Any]]) -> None:
    """Ours are up to a constant for each prompt."""
    assert [row.item for row in ours] == [one["doc"]["item"] for one in theirs]
    for row, one in zip(ours, theirs, strict=True):
        assert [tuple(pair) for pair in one["arguments"]] == [(row.prompt, option) for option in row.options]
        difference = np.array(row.option_scores) - [float(value) for value, _ in one["filtered_resps"]]
        assert np.ptp(difference) < 1e-3


needs_lm_eval = pytest.mark.filterwarnings("ignore")  # it and what it loads warn of much that is not ours


@needs_lm_eval
def test_lm_eval_ranks_words_as_linguabridge_did(words: tuple[Evaluation, Path], tiny_model: Folder) -> None:
    found, root = words
    done = export_lm_eval(root / "run", root / "tasks")
    assert {"direct", "de", "chain", "oracle", "dictionary_de"} <= {one.removeprefix(f"{TASK}_") for one in done.tasks}
    assert len(done.left_out) == 2  # the vote and the random bridge ask several prompts
    theirs = harness(root / "tasks", tiny_model("llama"), [GROUP])
    assert set(theirs["samples"]) == set(done.tasks)
    for arm in ("direct", "de", "chain", "dictionary:de"):
        task = f"{TASK}_{arm.replace(':', '_')}"
        assert_same_scores(of_arm(found, arm), samples(theirs, task))
        (metrics,) = [one.metrics for one in found.results[0].arms if one.name == arm]
        assert theirs["results"][task]["mrr,none"] == pytest.approx(metrics["MRR"].value, abs=1e-9)
        assert theirs["results"][task]["acc,none"] == pytest.approx(metrics["P@1"].value, abs=1e-9)
    assert any(row.bridge_texts for row in of_arm(found, "de"))


@needs_lm_eval
@pytest.mark.long
@pytest.mark.real_model
def test_lm_eval_ranks_words_on_the_default_model_as_linguabridge_did(real_cache: Cache, tmp_path: Path) -> None:
    asked = EvaluationSettings(bridges=("en",), arms=("dictionary",), limit=10)
    found = evaluate([("ar", "de")], settings=asked, cache=real_cache)
    write_folder(tmp_path / "run", found, command="linguabridge evaluate ar:de", started=0.0)
    done = export_lm_eval(tmp_path / "run", tmp_path / "tasks")
    folder = open_model(cache=real_cache).files.folder
    theirs = harness(tmp_path / "tasks", folder, [GROUP])
    for arm in ("direct", "en", "dictionary:en"):
        task = next(one for one in done.tasks if one.endswith(f"_{arm.replace(':', '_')}"))
        assert_same_scores(of_arm(found, arm), samples(theirs, task))
        (metrics,) = [one.metrics for one in found.results[0].arms if one.name == arm]
        assert theirs["results"][task]["mrr,none"] == pytest.approx(metrics["MRR"].value, abs=1e-9)


@needs_lm_eval
@pytest.mark.parametrize(("scoring", "normalise"), [("text", "sum"), ("text", "byte"), ("letters", "sum")])
def test_lm_evals_own_accuracy_is_ours(
    scoring: str, normalise: str, words: tuple[Evaluation, Path], tiny_model: Folder, tmp_path: Path
) -> None:
    (tmp_path / "choice.py").write_text(CHOICE, "utf-8")
    found = evaluated(
        tiny_model("llama"), words[1] / "own.tsv", tmp_path / "run", tasks=(str(tmp_path / "choice.py"),),
        scoring=scoring, normalise=normalise, arms=(), limit=None,
    )  # fmt: skip
    done = export_lm_eval(tmp_path / "run", tmp_path / "tasks")
    assert done.tasks == ("linguabridge_choosing_en_sw_direct", "linguabridge_choosing_en_sw_de")
    theirs = harness(tmp_path / "tasks", tiny_model("llama"), list(done.tasks))
    metric = "acc_bytes" if normalise == "byte" else "acc"
    for arm in ("direct", "de"):
        task = f"linguabridge_choosing_en_sw_{arm}"
        ours = of_arm(found, arm)
        if normalise == "sum":
            assert_same_scores(ours, samples(theirs, task))
        assert [one[metric] for one in samples(theirs, task)] == [float(bool(row.right)) for row in ours]
        assert 0 < theirs["results"][task][f"{metric},none"] < 1


@needs_lm_eval
def test_lm_eval_generates_and_judges_words_alike(
    words: tuple[Evaluation, Path], tiny_model: Folder, tmp_path: Path
) -> None:
    found = evaluated(tiny_model("llama"), words[1] / "own.tsv", tmp_path / "run", scoring="generated", arms=())
    # A random model translates nothing: its own answers are made the right ones of every other item.
    rows = tuple(
        replace(row, gold=(f"«{row.parsed.upper()}»",), right=True, score=1.0) if row.parsed and i % 2 else row
        for i, row in enumerate(found.rows)
    )
    write_folder(tmp_path / "right", replace(found, rows=rows), command="", started=0.0)
    done = export_lm_eval(tmp_path / "right", tmp_path / "tasks")
    theirs = harness(tmp_path / "tasks", tiny_model("llama"), list(done.tasks))
    seen = [one["exact_match"] for arm in ("direct", "de") for one in samples(theirs, f"{TASK}_{arm}")]
    assert seen == [row.score for row in rows]
    assert 0 < sum(seen) < len(seen)


@needs_lm_eval
def test_answers_that_only_linguabridge_reads_are_written_and_not_scored(
    tiny_model: Folder, tiny_loaded: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    made = made_up.evaluation()
    rows = tuple(
        replace(made.rows[0], task="translate", item=str(i), prompt=line, options=(), gold=("maji",))
        for i, line in enumerate(["English: the cat sat\nKiswahili:", "English: dog\nKiswahili:"])
    )
    direct = made.results[2].arms[:1]
    result = replace(made.results[2], scoring="generated", n=2, arms=direct)
    write_folder(tmp_path / "run", replace(made, results=(result,), rows=rows), command="", started=0.0)
    done = export_lm_eval(tmp_path / "run", tmp_path / "tasks")
    assert "chrF++ here needs linguabridge" in done.notes[0]
    assert done.command.endswith(f"--log_samples --output_path {tmp_path / 'tasks' / 'answers'}")
    theirs = harness(tmp_path / "tasks", tiny_model("llama"), list(done.tasks))
    answers = [one["filtered_resps"][0] for one in samples(theirs, done.tasks[0])]
    prompts = [row.prompt for row in rows]
    ours = greedy_answers(
        tiny_loaded("llama"),
        prompts,
        finished=lambda text: "\n" in text,
        max_new_tokens=TRANSLATE.ending.max_new_tokens,
    )
    assert answers == [one.split("\n")[0] for one in ours]
    assert any(answers)


def test_the_folder_can_be_moved_and_needs_nothing_of_linguabridge(words: tuple[Evaluation, Path]) -> None:
    out = words[1] / "moved"
    export_lm_eval(words[1] / "run", out)
    for file in out.iterdir():
        text = file.read_text("utf-8")
        assert str(words[1]) not in text
        assert "import linguabridge" not in text
        assert "from linguabridge" not in text
    group = dict(line.split(": ", 1) for line in (out / f"{GROUP}.yaml").read_text("utf-8").splitlines())
    assert {f"{one}.jsonl" for one in json.loads(group["task"])} == {file.name for file in out.glob("*.jsonl")}


def test_the_command_names_model_type_and_folder(words: tuple[Evaluation, Path], tiny_model: Folder) -> None:
    done = export_lm_eval(words[1] / "run", words[1] / "named")
    model = f"pretrained={tiny_model('llama')},dtype=float32"
    end = f"--device cpu --tasks linguabridge --include_path {words[1] / 'named'}"
    assert done.command == f"lm-eval --model hf --model_args {model} {end}"
    assert done.notes == ()


def written(folder: Path, **changes: Any) -> Path:
    """A made-up evaluation of one row in each of two arms."""
    found = made_up.evaluation()
    results = tuple(replace(one, n=1, arms=one.arms[:2]) for one in found.results[:1])
    write_folder(folder, replace(found, results=results, **changes), command="", started=0.0)
    return folder


def test_the_default_model_is_named_as_a_folder_for_lm_eval(tmp_path: Path) -> None:
    rows = tuple(replace(row, right=True) for row in made_up.evaluation().rows)
    rows = tuple(replace(row, options=tuple(f'{one}"' for one in row.options)) for row in rows)
    done = export_lm_eval(written(tmp_path / "run", model="gemma-3-270m", rows=rows), tmp_path / "tasks")
    assert "pretrained=FOLDER" in done.command
    assert "linguabridge inspect gemma-3-270m" in done.notes[0]


def test_a_chat_is_refused(tmp_path: Path) -> None:
    found = made_up.evaluation()
    settings = {**found.settings, "engine": {"weights": "ab", "chat_template": True}}
    with pytest.raises(InputError, match="--chat-template"):
        export_lm_eval(written(tmp_path / "run", settings=settings), tmp_path / "tasks")


def test_what_is_not_whole_is_refused(tmp_path: Path) -> None:
    write_unfinished(tmp_path / "going", made_up.evaluation(), command="", started=0.0)
    with pytest.raises(InputError, match="has not ended"):
        export_lm_eval(tmp_path / "going", tmp_path / "tasks")
    summary = written(tmp_path / "run") / "summary.json"
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / "summary.json").write_bytes(summary.read_bytes())
    with pytest.raises(InputError, match=r"has no items\.parquet"):
        export_lm_eval(tmp_path / "copied", tmp_path / "tasks")
    write_folder(tmp_path / "few", made_up.evaluation(), command="", started=0.0)
    with pytest.raises(InputError, match=r"has 1 of 40 items of bli ar:he, direct"):
        export_lm_eval(tmp_path / "few", tmp_path / "tasks")
    assert not (tmp_path / "tasks").exists()


def test_answers_of_a_task_of_ones_own_are_left_out(tiny_model: Folder, tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY, "utf-8")
    settings = EvaluationSettings(tasks=(str(tmp_path / "toy.py"),), bridges=("de",), arms=())
    found = evaluate([PAIR], model=str(tiny_model("llama")), options=OPTIONS, settings=settings)
    write_folder(tmp_path / "run", found, command="", started=0.0)
    with pytest.raises(InputError, match="counting en:sw is left out"):
        export_lm_eval(tmp_path / "run", tmp_path / "tasks")


def scoring_in(folder: Path) -> ModuleType:
    """scoring.py as lm-eval loads it: by its path."""
    spec = importlib.util.spec_from_file_location("exported_scoring", folder / "scoring.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_item_is_one_document_whatever_line_ends_it_has(tmp_path: Path) -> None:
    odd = "a\u2028b\x85c\x1ed\r\ne\x0cf"
    rows = tuple(replace(row, text=odd, options=('פיל"', 'חתול"'), right=True) for row in made_up.evaluation().rows)
    done = export_lm_eval(written(tmp_path / "run", rows=rows), tmp_path / "tasks")
    found = scoring_in(tmp_path / "tasks").documents(f"{done.tasks[0]}.jsonl", version=1.0)["test"]
    assert found["text"] == [odd]


@given(st.text(st.sampled_from([*WORD.stops, *'ab «“" \t']), max_size=12))
def test_answers_are_cut_where_linguabridge_cuts_them(text: str) -> None:
    document = {"stops": list(WORD.stops), "opening": list("“„«»「"), "gold": [WORD.cut(text)]}
    assert lm_eval_scoring._cut(text, document) == WORD.cut(text)


@pytest.mark.parametrize(
    ("scores", "right", "found"),
    [
        ([-1.0, -2.0, -3.0], [0], (1.0, 1.0)),
        ([-1.0, -2.0, -3.0], [2], (0.0, 1 / 3)),
        ([-1.0, -1.0, -3.0], [0], (0.0, 1 / 2)),  # a tie counts against the right one
        ([-1.0, -2.0, -1.0], [0, 2], (1.0, 1.0)),  # both are right
    ],
)
def test_ranks_count_ties_against_the_right_option(
    scores: list[float], right: list[int], found: tuple[float, float]
) -> None:
    document = {"right": right, "options": ["a", "bb", "ccc"]}
    given_ = [(score, False) for score in scores]
    assert tuple(lm_eval_scoring.ranked(document, given_).values()) == found
    by_bytes = [(score * len(option), False) for score, option in zip(scores, document["options"], strict=True)]
    assert tuple(lm_eval_scoring.ranked_by_bytes(document, by_bytes).values()) == found


ROW = {"item": "1", "task": "x", "source": "ar", "target": "he", "right": None, "option_scores": [-1.0, -2.0]}


@pytest.mark.parametrize(
    ("scoring", "row", "right"),
    [
        ("text", {"options": [" two\n", " one\n"], "gold": ["one"]}, [1]),
        ("text", {"options": ["two\n", "one\n"], "gold": [" one  "]}, [1]),
        ("text", {"options": [" one\n", " one\n"], "gold": ["one"]}, [0, 1]),
        ("text", {"options": ['צה״ל"', 'one"'], "gold": ['צה"ל']}, [0]),
        ("letters", {"options": [" A", " B"], "gold": ["one"], "prompt": "A. two\nB. one\nB"}, [1]),
        ("letters", {"options": [" A", " B"], "gold": ["one"], "prompt": "A. one\nB. x\nB\n\nA. two\nB. one\n"}, [1]),
    ],
)
def test_the_right_option_is_found_by_its_text(scoring: str, row: dict[str, Any], right: list[int]) -> None:
    assert right_options(ROW | row, scoring) == right


@pytest.mark.parametrize("changed", [{"gold": ["three"]}, {"right": False}])
def test_a_right_option_that_cannot_be_told_is_said(changed: dict[str, Any]) -> None:
    row = ROW | {"options": ['one"', 'two"'], "gold": ["one"], "right": True} | changed
    with pytest.raises(InputError, match="cannot be told for item 1"):
        right_options(row, "text")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--to", "lm-harness", "--out", "new"), "Unknown --to 'lm-harness': choose lm-eval or routes."),
        (("nothing", "--to", "lm-eval", "--out", "new"), "nothing cannot be read"),
        (("empty", "--to", "lm-eval", "--out", "new"), "empty holds no"),
        (("run", "--to", "lm-eval", "--out", "full"), "full exists; name a new folder with --out."),
        (("run", "full", "--to", "lm-eval", "--out", "new"), "name one folder"),
        (("ranked", "--to", "lm-eval", "--out", "new"), "ranked is no evaluation"),
    ],
)
def test_bad_input_is_said_in_one_sentence(
    arguments: tuple[str, ...], said: str, run: Callable[..., Ended], words: tuple[Evaluation, Path]
) -> None:
    Path("run").symlink_to(words[1] / "run")
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/a").write_text("a", "utf-8")
    Path("ranked").mkdir()
    Path("ranked/recommend.json").write_text(json.dumps({"ranking": {}, "probes": {}}), "utf-8")
    ended = run("export", *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert ended.err.count("\n") == 1
    assert not Path("new").exists()
