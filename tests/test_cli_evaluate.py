"""``linguabridge evaluate`` and ``linguabridge ask``: what goes where, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from conftest import Ended
from linguabridge import lazy_model
from linguabridge.errors import InputError
from linguabridge.evaluation import evaluate as evaluate_module
from linguabridge.evaluation.files import read_rows, read_summary
from linguabridge.progress import read_progress
from test_recommend import write_lexicon

Run = Callable[..., Ended]
Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def arguments(tiny_model: Folder, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A small evaluation: about a second the first time, nothing after it."""
    lexicon = write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv", languages="en sw de fr")
    return [
        *("evaluate", "en:sw", "--model", str(tiny_model("llama")), "--candidates", "de,fr", "--bridge", "de"),
        *("--lexicon", str(lexicon), "--tokens", "200", "--probes", "30", "--limit", "12", "--device", "cpu"),
    ]


def test_evaluation_is_told_in_words_and_tables_and_kept_in_a_folder(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments, "--arms", "all", "--best", "2")
    assert ended.code == 0, ended.err
    text = " ".join(ended.out.split())
    assert "bli, English to Swahili" in text
    assert "via German" in text
    assert "disjoint by concept" in text
    table = pyarrow.parquet.read_table("evaluation/items.parquet").to_pylist()
    assert {"direct", "de", "random", "oracle", "chain", "vote", "dictionary:de"} <= {row["arm"] for row in table}
    assert all(row["prompt"].startswith('English:"') for row in table if row["arm"] != "random")
    manifest = json.loads(Path("evaluation/manifest.json").read_text("utf-8"))
    assert manifest["command"].startswith("linguabridge evaluate en:sw")


def test_json_is_all_of_standard_output_and_equals_the_file(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments, "--json", "-")
    assert json.loads(ended.out) == json.loads(Path("evaluation/summary.json").read_text("utf-8"))


def test_another_runs_results_are_not_overwritten(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 0
    before = Path("evaluation/summary.json").read_bytes()
    assert run(*arguments).code == 0  # its own are
    ended = run(*arguments, "--seed", "1")
    assert ended.code == 2
    assert "evaluation" in ended.err
    assert "--out" in ended.err
    assert Path("evaluation/summary.json").read_bytes() == before


def test_who_looks_on_sees_progress_and_results_so_far(
    run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    run_arms = evaluate_module.run_arms

    def look(*given: Any) -> Any:
        result = run_arms(*given)
        seen.append((read_progress(Path("evaluation")), sorted(map(str, Path("evaluation").rglob("*.*")))))
        if len(seen) == 2:
            assert len(read_summary(Path("evaluation/unfinished"))["results"]) == 1
            assert {row["target"] for row in read_rows(Path("evaluation/unfinished"))} == {"sw"}
        return result

    monkeypatch.setattr(evaluate_module, "run_arms", look)
    assert run(*arguments, "sw:en", "--bridge", "", "--arms", "").code == 0
    so_far = [f"evaluation/unfinished/{name}" for name in ("items.parquet", "manifest.json", "summary.json")]
    assert [files for _, files in seen] == [["evaluation/progress.json"], ["evaluation/progress.json", *so_far]]
    assert {progress and progress.state for progress, _ in seen} == {"running"}
    left = sorted(path.name for path in Path("evaluation").iterdir())
    assert left == ["items.parquet", "manifest.json", "progress.json", "summary.json"]
    ended = read_progress(Path("evaluation"))
    assert ended is not None
    assert ended.state == "finished"


def test_a_run_that_is_stopped_leaves_its_results_so_far_and_goes_on(
    run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*arguments, "sw:en", "--bridge", "", "--arms", ""]
    assert run(*words, "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        given: list[Any] = []
        run_arms = evaluate_module.run_arms

        def stop(*some: Any) -> Any:
            given.append(some)
            if len(given) == 2:
                raise KeyboardInterrupt
            return run_arms(*some)

        patch.setattr(evaluate_module, "run_arms", stop)
        assert run(*words).code == 130
    progress = read_progress(Path("evaluation"))
    assert progress is not None
    assert progress.state == "stopped"
    assert len(read_summary(Path("evaluation/unfinished"))["results"]) == 1
    assert run(*words).code == 0
    assert not Path("evaluation/unfinished").exists()
    for name in ("summary.json", "items.parquet"):
        assert Path("evaluation", name).read_bytes() == Path("whole", name).read_bytes()


def test_results_so_far_that_cannot_be_written_disturb_nothing(
    run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise InputError("evaluation/unfinished cannot be written (No space left).")

    monkeypatch.setattr("linguabridge.evaluation.files.write_unfinished", fail)
    ended = run(*arguments, "sw:en", "--bridge", "", "--arms", "")
    assert ended.code == 0
    assert "No space left" in ended.err
    assert len(read_summary(Path("evaluation"))["results"]) == 2


def test_a_refused_run_leaves_nothing_behind(run: Run, arguments: list[str]) -> None:
    assert run(*arguments, "--arms", "").code == 0
    before = {path: path.read_bytes() for path in Path("evaluation").iterdir()}
    assert run(*arguments, "--arms", "", "--seed", "1").code == 2
    assert {path: path.read_bytes() for path in Path("evaluation").iterdir()} == before
    assert run(*arguments, "--shots", "500", "--out", "new").code == 2
    assert not Path("new").exists()


def test_prompts_are_shown_and_nothing_is_asked(
    run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("the model was loaded"))
    ended = run(*arguments, "--show-prompts")
    assert ended.code == 0
    assert 'Deutsch:"⟨the model\'s German⟩"→Kiswahili:"' in ended.out
    assert not Path("evaluation").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "en"], "SOURCE:TARGET"),
        (["evaluate", "en:swahily9"], "Unknown language 'swahily9'"),
        (["evaluate", "en:en"], "both English"),
        (["evaluate", "en:sw", "--task", "bly"], "Unknown task 'bly'"),
        (["evaluate", "en:sw", "--arms", "best"], "Unknown arm 'best'"),
        (["evaluate", "en:sw", "--bridge", "sw"], "is the target of en:sw"),
        (["evaluate", "en:sw", "--limit", "2"], "--limit 2 is too few"),
        (["evaluate", "en:sw", "--data", "nowhere"], "--data nowhere is no folder"),
        (["evaluate", "en:sw", "--task", "mrc", "--data", "."], "belebele"),
        (["evaluate", "en:sw", "--endpoint", "http://127.0.0.1:9/v1"], "--endpoint-model go together"),
        (["evaluate", "en:sw", "--recommendation", "nowhere", "--model", "TINY"], "nowhere cannot be read"),
        (["ask", "en", "sw", "  "], "There is no text"),
        (["ask", "en", "sw", "cat", "--bridge", "sw"], "is the source or the target"),
        (["ask", "en", "sw", "cat", "--endpoint-model", "x"], "go together"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(run: Run, tiny_model: Folder, words: list[str], message: str) -> None:
    ended = run(*(str(tiny_model("llama")) if word == "TINY" else word for word in words))
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_ask_shows_both_steps(run: Run, tiny_model: Folder) -> None:
    model = str(tiny_model("llama"))
    ended = run("ask", "en", "sw", "cat", "--bridge", "de", "--model", model, "--device", "cpu", "--json", "-")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["steps"][0] == {"language": "en", "text": "cat"}
    assert found["steps"][-1]["language"] == "sw"
    assert found["answer"] == found["steps"][-1]["text"]
    assert found["prompts"][0] == 'English:"cat"→Deutsch:"'
    shown = run("ask", "en", "sw", "cat", "--bridge", "de", "--model", model, "--device", "cpu")
    assert "English (en)" in shown.out
    assert "Swahili (sw)" in shown.out
    assert "as asked" in shown.out


def test_ask_takes_a_text_as_a_line(run: Run, tiny_model: Folder) -> None:
    words = ["--bridge", "de", "--model", str(tiny_model("llama")), "--device", "cpu", "--json", "-"]
    found = json.loads(run("ask", "en", "sw", "the cat\nsat down", *words).out)
    assert found["prompts"][0] == "English: the cat sat down\nDeutsch:"


def test_ask_goes_through_the_recommended_bridge(run: Run, tiny_model: Folder, arguments: list[str]) -> None:
    words = ["--model", str(tiny_model("llama")), "--device", "cpu", "--json", "-", "--candidates"]
    ended = run("ask", "de", "sw", "Katze", *words, "fr,en")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["prompts"][0] == 'Deutsch:"Katze"→English:"'  # of French and English, the fixed order's first
    assert found["why"].startswith("chosen by")
    ended = run("ask", "en", "sw", "cat", *words, "de,fr")  # without English: by hops, on a random model either
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["why"].startswith("chosen by right words into the target")


def test_ask_writes_json_beside_what_it_shows(run: Run, tiny_model: Folder, tmp_path: Path) -> None:
    words = ["ask", "en", "sw", "cat", "--bridge", "de", "--model", tiny_model("llama"), "--device", "cpu"]
    plain, printed = run(*words), run(*words, "--json", "-")
    for _ in range(2):  # an earlier answer is replaced
        ended = run(*words, "--json", "found.json")
        assert (ended.code, ended.out) == (0, plain.out)
        assert json.loads((tmp_path / "found.json").read_text("utf-8")) == json.loads(printed.out)
    (tmp_path / "mine.json").write_text('{"answer": 42}', "utf-8")
    ended = run(*words, "--json", "mine.json")
    assert ended.code == 2
    assert "no result of `linguabridge ask`" in ended.err
    assert (tmp_path / "mine.json").read_text("utf-8") == '{"answer": 42}'
