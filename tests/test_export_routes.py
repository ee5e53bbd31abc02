"""``linguabridge export --to routes``, and the table read back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import made_up
from conftest import Ended
from linguabridge.errors import InputError
from linguabridge.evaluation.files import write_folder, write_unfinished
from linguabridge.evaluation.results import Arm, Evaluation, Result, Row
from linguabridge.evaluation.statistics import with_holm
from linguabridge.export.routes import export_routes
from linguabridge.paired import Contrast, Interval
from linguabridge.recommendation import Recommendation
from linguabridge.routes import read_routes


def recommended(folder: Path, result: Recommendation) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recommend.json").write_text(json.dumps({**result.to_dict(), "command": ""}), "utf-8")
    return folder


def arm(name: str, bridges: tuple[str, ...], gain: float, **more: Any) -> Arm:
    """An arm whose interval is its gain ± .05, with a small p-value."""
    found = Contrast(Interval(gain, gain - 0.05, gain + 0.05), 0.0004, None, "exact McNemar", 9, 2, 0.1)
    against = None if name == "direct" else found
    return Arm(name, f"via {name}", bridges, {"accuracy": Interval(0.5, 0.4, 0.6)}, {}, against_direct=against, **more)


def evaluation(*arms: Arm, source: str = "ar", target: str = "he", task: str = "mrc") -> Evaluation:
    results = [Result(source, target, task, "accuracy", "text", 60, None, (arm("direct", (), 0.0), *arms), ())]
    settings = {"engine": {"weights": "ab" * 32}, "normalise": "sum"}
    return Evaluation("tiny", with_holm(results), (), settings)


def evaluated(folder: Path, found: Evaluation) -> Path:
    write_folder(folder, found, command="", started=0.0)
    return folder


def only_route(folder: Path, out: Path) -> dict[str, Any]:
    export_routes([folder], out)
    (one,) = json.loads(out.read_text("utf-8"))["routes"]
    return dict(one)


def test_a_recommendation_that_helps_becomes_its_route(tmp_path: Path) -> None:
    # Of the made-up check's ways, English gains .2 over 38 words that are not copied, three together .15.
    found = only_route(recommended(tmp_path / "run", made_up.recommendation()), tmp_path / "routes.json")
    how = found.pop("how")
    assert found == {
        "source": "ar",
        "target": "he",
        "task": None,
        "route": ["en"],
        "expected_gain": 0.2,
        "interval": [0.1, 0.3],
        "metric": "MRR",
        "n": 38,
        "helps": True,
        "bridge_words": "own",
        "model": "tiny",
    }
    assert "word translation on 40 held-out words" in how


def test_several_bridges_in_one_prompt_are_one_route(tmp_path: Path) -> None:
    result = made_up.recommendation()
    assert result.check is not None
    arms = tuple(one for one in result.check.arms if one.bridge != "en")
    result = replace(result, check=replace(result.check, arms=arms))
    found = only_route(recommended(tmp_path / "run", result), tmp_path / "routes.json")
    assert (found["route"], found["expected_gain"], found["n"]) == (["en", "fr", "es"], 0.15, 40)


def test_where_no_bridge_is_shown_to_help_the_route_is_direct(tmp_path: Path) -> None:
    result = made_up.recommendation()
    assert result.check is not None
    weak = replace(result, check=replace(result.check, arms=(result.check.arm(None), result.check.arm("fi"))))
    found = only_route(recommended(tmp_path / "run", weak), tmp_path / "weak.json")
    assert (found["route"], found["helps"], found["expected_gain"], found["interval"]) == ([], False, 0.0, None)
    assert (found["metric"], found["n"]) == ("MRR", 40)
    unchecked = recommended(tmp_path / "unchecked", made_up.recommendation(check=False))
    found = only_route(unchecked, tmp_path / "unchecked.json")
    assert (found["route"], found["helps"], found["metric"], found["n"]) == ([], False, None, 0)
    assert "was not checked" in found["how"]


def test_of_an_evaluation_the_arm_that_helps_and_gains_most_is_taken(tmp_path: Path) -> None:
    arms = [
        arm("en", ("en",), 0.10),
        arm("recommended", ("fr",), 0.20, n_copied=5, without_copies=arm("x", (), 0.15).against_direct),
        arm("dictionary:en", ("en",), 0.12),
        arm("chain", ("en", "fr"), 0.04),  # its interval includes 0
        arm("oracle", ("de",), 0.50),  # chosen in hindsight
    ]
    found = only_route(evaluated(tmp_path / "run", evaluation(*arms)), tmp_path / "routes.json")
    assert (found["task"], found["route"], found["helps"], found["bridge_words"]) == ("mrc", ["fr"], True, "own")
    assert found["expected_gain"] == pytest.approx(0.15)
    assert found["interval"] == pytest.approx([0.10, 0.20])
    assert (found["n"], found["metric"]) == (55, "accuracy")
    assert "of 3 arms that help" in found["how"]


def test_a_dictionary_is_named_and_a_vote_is_no_route(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "run", evaluation(arm("dictionary:en", ("en",), 0.1), arm("vote", ("en", "fr"), 0.3)))
    table, left_out = export_routes([run], tmp_path / "routes.json")
    assert (table.entries[0].route, table.entries[0].bridge_words) == (("en",), "dictionary")
    assert left_out == ("mrc ar:he: via vote helps, but is no route: it asks several prompts.",)


def test_a_chain_keeps_the_order_of_its_prompt(tmp_path: Path) -> None:
    found = evaluation(arm("chain", ("fr", "en"), 0.2))  # as if the first item had no English text

    def row(number: int, bridges: tuple[str, ...]) -> Row:
        whole = made_up.evaluation().rows[0]
        return replace(whole, task="mrc", arm="chain", item=str(number), bridges=bridges)

    found = replace(found, rows=(row(0, ("fr",)), row(1, ("en", "fr"))))
    assert only_route(evaluated(tmp_path / "run", found), tmp_path / "routes.json")["route"] == ["en", "fr"]


def test_a_table_is_looked_up_by_task_then_by_pair_and_else_says_direct(tmp_path: Path) -> None:
    runs = [
        recommended(tmp_path / "a", made_up.recommendation()),
        evaluated(tmp_path / "b", evaluation(arm("fr", ("fr",), 0.2))),
        evaluated(tmp_path / "c", evaluation(arm("en", ("en",), 0.01), source="sw")),
    ]
    table, _ = export_routes([*runs, runs[0]], tmp_path / "routes.json")
    read = read_routes(tmp_path / "routes.json")
    assert read == table
    assert read.model == "tiny"
    assert read.route("ar", "he", "mrc").route == ("fr",)
    assert read.route("ar", "he", "nli").route == ("en",)
    assert read.route("Arabic", "heb_Hebr").route == ("en",)
    assert read.route("sw", "he", "mrc").route == ()
    assert read.route("sw", "he", "mrc").metric == "accuracy"
    nobody = read.route("he", "ar")
    assert (nobody.route, nobody.helps, nobody.metric) == ((), False, None)
    assert "nothing was measured" in nobody.how
    with pytest.raises(InputError, match="Klingonish"):
        read.route("Klingonish", "ar")


def test_an_evaluation_that_goes_on_is_refused(tmp_path: Path) -> None:
    write_unfinished(tmp_path / "going", evaluation(), command="", started=0.0)
    with pytest.raises(InputError, match="has not ended"):
        export_routes([tmp_path / "going"], tmp_path / "routes.json")


def test_two_runs_about_the_same_are_refused(tmp_path: Path) -> None:
    runs = [recommended(tmp_path / name, made_up.recommendation()) for name in "ab"]
    with pytest.raises(InputError, match="both are about ar:he and a table has one route"):
        export_routes(runs, tmp_path / "routes.json")
    assert not (tmp_path / "routes.json").exists()


@pytest.mark.parametrize("changes", [{"model": "other"}, {"settings": {"engine": {"weights": "cd" * 32}}}])
def test_runs_of_two_models_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    runs = [
        recommended(tmp_path / "a", made_up.recommendation()),
        evaluated(tmp_path / "b", replace(evaluation(), **changes)),
    ]
    with pytest.raises(InputError, match="of different models"):
        export_routes(runs, tmp_path / "routes.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no table of routes"),
        ("[]", "is no table of routes"),
        (
            '{"format": "linguabridge routes", "version": 2, "routes": []}',
            "of version 2, and this linguabridge reads 1",
        ),
        ('{"format": "linguabridge routes", "version": 1, "model": "x", "routes": [{}]}', "is damaged"),
        ('{"format": "linguabridge routes", "version": 1, "model": "x", "routes": 3}', "is damaged"),
    ],
)
def test_a_file_that_is_no_table_is_said(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "routes.json").write_text(content, "utf-8")
    with pytest.raises(InputError, match=said):
        read_routes(tmp_path / "routes.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_routes(tmp_path / "none.json")


def test_the_command_says_what_it_wrote(run: Callable[..., Ended], tmp_path: Path) -> None:
    recommended(Path("a"), made_up.recommendation())
    evaluated(Path("b"), evaluation(arm("vote", ("en", "fr"), 0.3)))
    ended = run("export", "a", "b", "--to", "routes", "--out", "routes.json")
    assert ended.code == 0, ended.err
    assert "Wrote 2 routes to routes.json: 1 through a bridge, 1 direct." in ended.out
    assert "via vote helps, but is no route" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "none cannot be read"),
        (("spectrum",), "spectrum is no recommendation and no evaluation"),
        (("damaged",), "is damaged; write it again with linguabridge recommend"),
        (("a", "--out", "there.json"), "there.json exists; name a new file with --out."),
    ],
)
def test_bad_input_is_said_in_one_sentence(arguments: tuple[str, ...], said: str, run: Callable[..., Ended]) -> None:
    recommended(Path("a"), made_up.recommendation())
    for name, body in (("spectrum", {"tree": {}, "measures": {}}), ("damaged", {"ranking": {}, "probes": {}})):
        Path(name).mkdir()
        kind = "spectrum" if name == "spectrum" else "recommend"
        Path(name, f"{kind}.json").write_text(json.dumps(body), "utf-8")
    Path("there.json").write_text("{}", "utf-8")
    ended = run("export", "--to", "routes", *(() if "--out" in arguments else ("--out", "new.json")), *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert ended.err.count("\n") == 1
    assert not Path("new.json").exists()


def test_a_table_is_read_without_torch(tmp_path: Path) -> None:
    export_routes([recommended(tmp_path / "a", made_up.recommendation())], tmp_path / "routes.json")
    code = (
        "import sys; from linguabridge.routes import read_routes; "
        "print(read_routes(sys.argv[1]).route('ar', 'he').route, 'torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "routes.json"], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "('en',) False"
