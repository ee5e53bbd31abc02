"""A study's section: figures and tables say what its ranks and analyses say, computed here another way."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import made_up
from linguabridge.report import runs
from linguabridge.report.grid_figure import grid_figure
from linguabridge.report.section import Figure, Section, Share, Table
from linguabridge.report.sections import make_sections
from linguabridge.report.study_body import read_body, views
from linguabridge.report.study_figures import kind_of, policies_shown
from linguabridge.study.files import STUDY, write_folder
from linguabridge.study.results import Study
from linguabridge.study.words import best_way
from report_sections import as_json, figures, near, studied, study_run, svg, tables

MAIN = "on 6 pairs, those that ways were made and chosen on included (MRR)"


@pytest.fixture(scope="module")
def result() -> Study:
    return made_up.study()


@pytest.fixture(scope="module")
def section() -> Section:
    return studied()


def rows(section: Section, name: str, data: str = "rows") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = figures(section)[name].spec["datasets"][data]
    return found


def named(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_what_a_study_wrote_is_read(result: Study, tmp_path: Path) -> None:
    write_folder(tmp_path, result, command="linguabridge study ar:he")
    (run,) = runs.read_runs(tmp_path)
    assert (run.kind, run.path.name, runs.STUDY) == ("study", STUDY, STUDY)
    (made,) = make_sections([run])
    assert made == studied()


def test_the_summary_is_the_studys_own(result: Study, section: Section) -> None:
    assert section.title == "Study: which way of choosing a bridge loses least"
    assert "\n\n".join((*section.summary, " ".join(section.notes))) == result.summary()
    assert section.notes[0].startswith("The study: 6 pairs")
    manifest = dict(section.manifest)
    assert manifest["model"] == "tiny"
    assert manifest["setting: pairs"] == "ar:he, fi:hu, en:tl, ar:sw, de:hu, en:sw"
    assert manifest["setting: words"] == "40"
    assert "setting: tokens" not in manifest
    assert section.command == "linguabridge study ar:he"


def test_the_answers_pairs_and_metric_come_first(result: Study, section: Section) -> None:
    labels = [label for label, _ in views(result)]
    assert labels[0] == "MRR, all pairs"
    assert [label.split(",")[0] for label in labels] == ["MRR"] * 3 + ["P@1"] * 3
    for name in ("regret", "gain", "words"):
        (choice,) = figures(section)[name].choices
        assert [label for _, label in choice.options] == labels
        assert choice.value == choice.options[0][0]


def test_regret_is_that_of_the_analyses_least_first(result: Study, section: Section) -> None:
    found = rows(section, "regret")
    for place, (_, one) in enumerate(views(result)):
        own = [row for row in found if row["view"] == f"v{place}"]
        assert [row["way"] for row in own] == [way.way for way in one.ways]
        assert [row["regret"] for row in own] == sorted(row["regret"] for row in own)
        for row, way in zip(own, one.ways, strict=True):
            ends = (way.regret.value, way.regret.low, way.regret.high)
            assert (row["regret"], row["regret_low"], row["regret_high"]) == tuple(map(near, ends))
            assert row["fixed"] == near(way.over_fixed.value)
            assert row["tau"] == near(way.tau.value if way.tau else None)
    groups = {row["way"]: row["group"] for row in found}
    assert groups["english"] == "a fixed bridge"
    assert groups["random"] == "a random bridge"
    assert groups["reference"] == "the published measure"
    assert groups[best_way(result)] == "the best on the pairs for development"
    assert groups["tokens"] == "other ways"
    assert best_way(result) not in ("english", "random", "reference")  # else it could not be told apart
    scales = figures(section)["regret"].spec["layer"][3]["encoding"]
    for channel in ("color", "shape"):
        assert len(set(scales[channel]["scale"]["range"])) == len(scales[channel]["scale"]["domain"]) == 5


@pytest.mark.parametrize(("name", "zero"), [("regret", "best bridge in hindsight"), ("gain", "the fixed bridge")])
def test_the_line_at_zero_is_drawn_and_named_once(section: Section, name: str, zero: str) -> None:
    for view in ("v0", "v3"):
        drawn = svg(figures(section)[name], view=view)
        assert len(re.findall(rf">{zero}</text>", drawn)) == 1
        assert drawn.count('stroke-dasharray="4,3"') == 1


def test_without_pairs_for_development_the_best_way_is_marked_as_such(result: Study) -> None:
    body = as_json(result.to_dict())
    body["analyses"] = [one for one in body["analyses"] if one["name"] == "reported"]
    for one in body["analyses"]:  # the published measure is the best of the made-up ones
        one["ways"] = [way for way in one["ways"] if way["way"] != "reference"]
    run = replace(study_run(), body=body)
    groups = {row["group"] for row in rows(make_sections([run])[0], "regret")}
    assert "the best way" in groups
    assert "the best on the pairs for development" not in groups


def test_gains_are_those_of_the_policies_and_the_table_has_all(result: Study, section: Section) -> None:
    figure = figures(section)["gain"]
    drawn = rows(section, "gain")
    for place, (_, one) in enumerate(views(result)):
        own = [row for row in drawn if row["view"] == f"v{place}"]
        assert [row["policy"] for row in own] == [row.policy for row in policies_shown(one)]
        for row in own:
            wanted = one.policy(row["policy"])
            assert (row["gain"], row["score"]) == (near(wanted.over_fixed.value), near(wanted.score.value))
    assert len(figure.table.rows) == sum(len(one.policies) for one in result.analyses) > len(drawn)


def test_policies_of_every_kind_are_shown(result: Study) -> None:
    for one in result.analyses:
        shown = {row.policy for row in policies_shown(one)}
        assert {"direct", "english", "random", "reference", "english or direct"} <= shown
        assert {row.policy for row in one.policies if re.fullmatch("(chain|vote) of .", row.policy)} <= shown
        for kind in {kind_of(row.policy) for row in one.policies}:
            assert next(row.policy for row in one.policies if kind_of(row.policy) == kind) in shown
        assert 12 <= len(shown) <= 17


def test_cells_are_means_of_reciprocal_ranks_minus_directs(result: Study, section: Section) -> None:
    found = {(row["pair"], row["column"]): row for row in rows(section, "grid")}
    names = {"ar": "Arabic", "he": "Hebrew", "fi": "Finnish", "hu": "Hungarian", "en": "English", "tl": "Tagalog"}
    names |= {"sw": "Swahili", "de": "German", "es": "Spanish", "fr": "French", "pt": "Portuguese", "ja": "Japanese"}
    n = 0
    for pair in result.pairs:
        direct = np.mean([1 / rank for rank in pair.ranks[0]])
        for arm, ranks in zip(pair.arms[1:], pair.ranks[1:], strict=True):
            parts = re.split("[+&]", arm)
            column = f"{'chain' if '+' in arm else 'vote'} of {len(parts)}" if len(parts) > 1 else None
            column = column or f"{names[arm]} ({arm})"
            cell = found[f"{names[pair.source]} → {names[pair.target]}", column]
            # The file has four decimals.
            assert cell["gain"] == pytest.approx(np.mean([1 / rank for rank in ranks]) - direct, abs=1.1e-4)
            assert all(names[code] in cell["arm"] for code in parts)
            n += 1
    assert n == len(found)


def test_columns_stand_by_their_gain_and_several_bridges_last(section: Section) -> None:
    columns = figures(section)["grid"].spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert columns[-4:] == ["chain of 2", "chain of 3", "vote of 2", "vote of 3"]
    means = [np.mean([r["gain"] for r in rows(section, "grid") if r["column"] == name]) for name in columns[:-4]]
    assert means == sorted(means, reverse=True)
    assert columns[0] == "Spanish (es)"  # which the ranks were made for
    cells = {(row["pair"], row["column"]) for row in rows(section, "grid")}
    empty = {(row["pair"], row["column"]) for row in rows(section, "grid", "empty")}
    assert not cells & empty
    assert len(cells | empty) == 6 * len(columns)
    assert ("English → Swahili", "English (en)") in empty


def test_colours_are_centred_on_no_gain(section: Section) -> None:
    low, middle, high = figures(section)["grid"].spec["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert middle == 0
    assert high == -low == max(abs(row["gain"]) for row in rows(section, "grid"))


def test_the_best_and_what_a_way_picks_are_marked(result: Study, section: Section) -> None:
    marks = rows(section, "grid", "marks")
    (choice,) = figures(section)["grid"].choices
    assert choice.value == best_way(result)
    assert "random" not in dict(choice.options)
    assert "not in the file" not in figures(section)["grid"].caption
    titles = [row["pair"] for row in marks if row["chosen_by"] == ""]
    for pair, title in zip(result.pairs, titles, strict=True):
        singles = [pair.ranks[pair.arms.index(code)] for code in pair.candidates]
        best = pair.candidates[int(np.argmax([(1 / ranks).mean() for ranks in singles]))]
        assert [row["column"] for row in marks if row["pair"] == title and row["chosen_by"] == ""] == [
            next(row["column"] for row in marks if row["column"].endswith(f"({best})"))
        ]
        for way in ("english", "cka", "hub"):  # the first candidate has no score by the hub
            picked = pair.candidates[int(np.nanargmax(pair.scores[way]))]
            (mark,) = [row for row in marks if row["pair"] == title and row["chosen_by"] == way]
            assert mark["column"].endswith(f"({picked})")


def test_marks_follow_the_way_chosen(section: Section) -> None:
    figure = figures(section)["grid"]
    drawn = {way: svg(figure, way=way) for way in ("cka", "english")}
    assert drawn["cka"] != drawn["english"]
    # Best ones once; picks twice, white under black; and both kinds in the legend.
    assert all(len(re.findall('aria-label="column: [^"]*; mark: ', text)) == 18 for text in drawn.values())


def test_ways_that_score_alike_share_their_mark_and_silent_ones_mark_all() -> None:
    body = as_json(made_up.study().to_dict())
    first, second = body["pairs"][:2]
    first["scores"]["cka"] = [1.0, 1.0, *[0.0] * (len(first["candidates"]) - 2)]
    second["scores"]["cka"] = [None] * len(second["candidates"])
    read, pairs = read_body(body)
    assert pairs[0].picked("cka") == tuple(first["candidates"][:2])
    assert pairs[1].picked("cka") == tuple(second["candidates"])
    marks = grid_figure(read, pairs).spec["datasets"]["marks"]
    assert sum(row["chosen_by"] == "cka" for row in marks) == 2 + len(second["candidates"]) + 4


def test_ways_that_learn_from_other_pairs_are_not_the_best_one_can_go_by() -> None:
    body = as_json(made_up.study().to_dict())
    for one in body["analyses"]:
        one["ways"].sort(key=lambda way: way["way"] != "habit")
    read, pairs = read_body(body)
    assert best_way(read) == read.analyses[0].ways[1].way
    assert grid_figure(read, pairs).choices[0].value == best_way(read)


def test_curves_are_those_of_the_analyses(result: Study, section: Section) -> None:
    found = rows(section, "words")
    for place, (_, one) in enumerate(views(result)):
        for curve in one.curves:
            own = [row for row in found if row["view"] == f"v{place}" and f"({curve.way})" in row["way"]]
            assert [(row["words"], row["regret"]) for row in own] == [
                (n, near(value)) for n, value in zip(curve.words, curve.regret, strict=True)
            ]
        (level,) = [row for row in rows(section, "words", "levels") if row["view"] == f"v{place}"]
        assert level["regret"] == near(one.way(one.fixed).regret.value)


def test_without_curves_there_is_no_figure_of_them() -> None:
    body = as_json(made_up.study().to_dict())
    for one in body["analyses"]:
        one["curves"] = []
    assert "words" not in figures(make_sections([replace(study_run(), body=body)])[0])


def test_tables_have_every_way_policy_decision_and_pair(result: Study, section: Section) -> None:
    found, main = tables(section), result.main
    ways = found[f"Ways of choosing one bridge, {MAIN}"]
    assert [(row["way"], row["regret"], row["fine"]) for row in named(ways)] == [
        (one.way, one.regret.value, one.fine.value) for one in main.ways
    ]
    assert all(isinstance(row["fine"], Share) and row["goes by"] for row in named(ways))
    policies = found[f"Direct, one bridge or several, {MAIN}"]
    assert [row[:2] for row in policies.rows] == [(one.policy, one.score.value) for one in main.policies]
    decisions = found[f'How often "bridge" and "don\'t" are right, {MAIN}']
    assert decisions.rows == tuple(
        (one.policy, one.helps, one.harms, one.said_bridge, one.right_bridge, one.right_direct)
        for one in main.decisions
    )
    every = found['How often "bridge" and "don\'t" are right, on all sets of pairs']
    assert len(every.rows) == sum(len(one.decisions) for one in result.analyses)
    against = found["What figures are measured against"]
    assert [(row["metric"], row["number"], row["direct"], row["best bridge"]) for row in named(against)] == [
        (one.metric, len(one.pairs), one.direct.value, one.oracle.value) for _, one in views(result)
    ]


def test_pairs_have_their_best_bridge(result: Study, section: Section) -> None:
    for row, pair in zip(named(tables(section)["Pairs"]), result.pairs, strict=True):
        means = {arm: (1 / ranks).mean() for arm, ranks in zip(pair.arms, pair.ranks, strict=True)}
        best = max(pair.candidates, key=lambda code: means[code])
        assert (row["words"], row["left out as copied"]) == (40, 3)
        assert row["direct MRR"] == pytest.approx(means["direct"], abs=1e-4)
        assert row["best MRR"] == pytest.approx(means[best], abs=1e-4)
        assert row["best bridge"].endswith(f"({best})")
        assert (row["English MRR"] is None) is ("en" in pair.pair)
        assert row["direct exact"] == pytest.approx(pair.exact[0].mean(), abs=1e-4)
        assert row["of the pairs"] == ("development" if pair in result.pairs[:3] else "reported")


def test_a_study_without_greedy_answers_is_read(result: Study) -> None:
    body = as_json(result.to_dict())
    for one in body["pairs"]:
        del one["exact"]
    columns = tables(make_sections([replace(study_run(), body=body)])[0])["Pairs"].columns
    assert not any("exact" in name for name in columns)


def test_a_large_study_is_drawn_within_the_page(result: Study) -> None:
    body = as_json(result.to_dict())
    one = body["pairs"][0]
    codes = [f"x{number}" for number in range(24)]
    one["candidates"] = codes
    one["arms"] = ["direct", *codes]
    one["mrr"] = one["p_at_1"] = dict.fromkeys(one["arms"], 0.5)
    one["scores"] = {way: [0.5] * len(codes) for way in one["scores"]}
    figure = figures(make_sections([replace(study_run(), body=body)])[0])["grid"]
    drawn = svg(figure)
    assert "NaN" not in drawn
    assert float(re.findall(r'width="([\d.]+)"', drawn)[0]) <= 900
    assert len(json.dumps(figure.spec)) < 300_000


def test_every_kind_of_part_is_there(section: Section) -> None:
    kinds = [part.name if isinstance(part, Figure) else "table" for part in section.parts]
    assert [name for name in kinds if name != "table"] == ["regret", "gain", "grid", "words"]
    assert section.items is None
