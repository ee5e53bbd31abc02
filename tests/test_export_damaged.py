"""Exports of damaged runs: whatever stands in a run, a table of routes that can be read comes out, or one sentence."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import made_up
from linguabridge.errors import InputError
from linguabridge.evaluation.files import summary_body
from linguabridge.export.right_options import right_options
from linguabridge.export.routes import export_routes
from linguabridge.languages import parse
from linguabridge.routes import FORMAT, VERSION, Routes, read_routes
from test_export_routes import arm, evaluation
from test_parsers import _VALUES, mine

RECOMMENDED = json.loads(json.dumps({**made_up.recommendation().to_dict(), "command": ""}))
EVALUATED = json.loads(json.dumps(summary_body(evaluation(arm("en", ("en",), 0.1), arm("vote", ("en", "fr"), 0.3)))))
NAMES = {"recommend": "recommend.json", "evaluate": "summary.json"}


def places(body: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to every value in a body."""
    if before:
        yield before
    pairs = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in pairs:
        yield from places(value, (*before, key))


def changed(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    body = copy.deepcopy(body)
    inner = body
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return body


def exported(folder: Path, kind: str, body: Any) -> Routes | None:
    """The table of a run with this body, read back; None where it is refused."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / NAMES[kind]).write_text(json.dumps(body), "utf-8")
    out = folder / "routes.json"
    done = mine(lambda: export_routes([folder / NAMES[kind]], out))
    if done is None:
        assert not out.exists()
        return None
    read = read_routes(out)
    assert read == done[0]
    return read


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("recommend", ("route",), ["de"]),
        ("recommend", ("model",), None),
        ("recommend", ("model",), {"name": "x"}),
        ("recommend", ("identity", "weights"), 7),
        ("recommend", ("check", "n"), "many"),
        ("recommend", ("check", "n"), 10**400),
        ("recommend", ("check", "n"), -1),
        ("recommend", ("source", "code"), 5),
        ("recommend", ("source", "code"), "../../x"),
        ("recommend", ("source", "code"), "he"),  # the target
        ("recommend", ("candidates",), []),
        ("recommend", ("bridge",), "zu"),
        ("recommend", ("check", "arms", 1, "against_direct_without_copies", "mrr", "low"), "1e999"),
        ("evaluate", ("settings", "engine"), 7),
        ("evaluate", ("settings",), []),
        ("evaluate", ("model",), None),
        ("evaluate", ("results", 0, "n"), True),
        ("evaluate", ("results", 0, "task"), {}),
        ("evaluate", ("results", 0, "arms"), 3),
        ("evaluate", ("results", 0, "arms", 1, "bridges"), ["e n"]),
        ("evaluate", ("results", 0, "arms", 1, "against_direct"), None),
    ],
)
def test_a_damaged_run_is_refused_in_a_sentence(kind: str, place: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    body = {"recommend": RECOMMENDED, "evaluate": EVALUATED}[kind]
    assert exported(tmp_path / "whole", kind, body) is not None
    if place[1:3] == ("arms", 1):
        assert body["check"]["arms"][1]["bridge"] == body["route"][0]
    (tmp_path / NAMES[kind]).write_text(json.dumps(changed(body, place, value)), "utf-8")
    with pytest.raises(InputError, match=r"damaged|no summary"):
        export_routes([tmp_path / NAMES[kind]], tmp_path / "routes.json")
    assert not (tmp_path / "routes.json").exists()


@pytest.mark.parametrize(("kind", "body"), [("recommend", RECOMMENDED), ("evaluate", EVALUATED)])
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=_VALUES)
def test_any_change_to_a_run_gives_a_table_that_can_be_read_or_is_refused(
    tmp_path: Path, kind: str, body: Any, data: st.DataObject, value: Any
) -> None:
    place = data.draw(st.sampled_from(list(places(body))))
    found = exported(tmp_path / "run", kind, changed(body, place, value))
    for one in found.entries if found else ():
        assert all(parse(code).code == code for code in (one.source, one.target, *one.route))
        assert math.isfinite(one.expected_gain)
        assert one.n >= 0


ROUTE = {
    "source": "ar", "target": "he", "task": None, "route": ["en"], "expected_gain": 0.1, "interval": [0, 1],
    "metric": "MRR", "n": 40, "helps": True, "bridge_words": "own", "model": "m", "how": "so",
}  # fmt: skip
TABLE = {"format": FORMAT, "version": VERSION, "model": "m", "routes": [ROUTE]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=_VALUES)
def test_any_change_to_a_table_is_a_table_or_refused(tmp_path: Path, data: st.DataObject, value: Any) -> None:
    path = tmp_path / "routes.json"
    path.write_text(json.dumps(changed(TABLE, data.draw(st.sampled_from(list(places(TABLE)))), value)), "utf-8")
    read = mine(lambda: read_routes(path))
    if read is not None:
        found = read.route("ar", "he")
        assert all(parse(code).code == code for code in found.route)
        assert 0 <= found.n <= 10**12


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | _VALUES.map(lambda one: json.dumps(one).encode()))
@example(b"[" * 100_000)
def test_any_file_is_a_table_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "routes.json").write_bytes(content)
    mine(lambda: read_routes(tmp_path / "routes.json"))


_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "options": st.lists(st.sampled_from(['a"', 'b"', " A", " B"]) | st.none(), max_size=4),
    "gold": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    "prompt": st.sampled_from(["A. a\nB. b", ""]),
    "right": st.none() | st.booleans(),
    "option_scores": st.lists(st.none() | st.floats(), max_size=4),
}


@given(
    st.fixed_dictionaries({}, optional={name: one | _VALUES for name, one in _FIELDS.items()}),
    st.sampled_from(["text", "letters"]),
    st.booleans(),
)
def test_any_row_has_right_options_or_is_refused(row: dict[str, Any], scoring: str, check: bool) -> None:
    found: list[int] | None = mine(lambda: right_options(row, scoring, check=check))
    assert found is None or (found and set(found) <= set(range(len(row["options"]))))
