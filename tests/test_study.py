"""A study on a tiny random model: that it asks what it says, repeats, and reads back."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from conftest import Ended
from linguabridge import languages, likelihood
from linguabridge.cache import Cache
from linguabridge.choices import make_choices
from linguabridge.choosing import evidence as evidence_module
from linguabridge.choosing.ways import WAYS
from linguabridge.errors import InputError
from linguabridge.generate import greedy_answers
from linguabridge.lazy_model import open_model
from linguabridge.lexicons import Entry, load_cldr, load_file, normalise_word
from linguabridge.measure import Measurements
from linguabridge.model import ModelOptions, load_model
from linguabridge.model_files import find_model
from linguabridge.progress import read_progress
from linguabridge.prompts import WORD
from linguabridge.study import files
from linguabridge.study.files import check_folder, read_folder, read_study, write_folder
from linguabridge.study.measured import gather_evidence, materials
from linguabridge.study.results import Study
from linguabridge.study.settings import StudySettings, parse_candidates, parse_pairs
from linguabridge.study.shipped import shipped_studies
from linguabridge.study.study import study
from linguabridge.study.tables import pairs_table
from test_recommend import write_lexicon

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv", rows=160, languages="en sw de fr es")


@pytest.fixture(scope="module")
def settings(lexicon: Path) -> StudySettings:
    return StudySettings(
        pairs=(("en", "sw"), ("sw", "de"), ("de", "en")),
        candidates=("en", "sw", "de", "fr", "es"),
        lexicon=str(lexicon),
        words=40,
        tokens=300,
        probes=30,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def result(tiny_model: Folder, settings: StudySettings, cache: Cache) -> Study:
    return study(settings, model=str(tiny_model("llama")), options=ModelOptions("cpu", "float32"), cache=cache)


def test_every_way_scores_every_candidate(result: Study) -> None:
    for one in result.pairs:
        assert set(one.scores) == set(WAYS)
        assert all(len(scores) == len(one.candidates) == 3 for scores in one.scores.values())
        assert not set(one.candidates) & set(one.pair)


def test_arms_are_direct_bridges_chains_and_votes(result: Study) -> None:
    by_pair = {one.pair: one.arms for one in result.pairs}
    assert by_pair["en", "sw"] == ("direct", "de", "fr", "es", "fr+es", "fr&es")
    assert by_pair["sw", "de"] == ("direct", "en", "fr", "es", "en+fr", "en+fr+es", "en&fr", "en&fr&es")


def test_ranks_are_those_of_prompts_written_by_hand(
    result: Study, lexicon: Path, tiny_model: Folder, cache: Cache
) -> None:
    model = load_model(find_model(str(tiny_model("llama")), cache), ModelOptions("cpu", "float32"))
    one = result.pairs[0]
    source, target = languages.parse("en"), languages.parse("sw")
    words = load_file(lexicon, source, target)
    entries = {entry.source: entry for entry in words.pair(source, target).entries}
    glosses = {
        code: {e.source: e.targets[0] for e in words.pair(source, languages.parse(code), keep_identical=True).entries}
        for code in ("fr", "es")
    }
    chosen = [entries[word] for word in one.words[:12]]
    options = [
        [f'"{word}"' for word in choice.options]
        for choice in make_choices(chosen, words.pair(source, target).entries, 0)
    ]
    written = {
        "direct": [f'English:"{e.source}"→Kiswahili:' for e in chosen],
        "fr": [f'English:"{e.source}"→français:"{glosses["fr"][e.source]}"→Kiswahili:' for e in chosen],
        "fr+es": [
            f'English:"{e.source}"→français:"{glosses["fr"][e.source]}"→español:"{glosses["es"][e.source]}"→Kiswahili:'
            for e in chosen
        ],
    }
    scores = {arm: likelihood.option_log_probabilities(model, prompts, options) for arm, prompts in written.items()}
    scores["es"] = likelihood.option_log_probabilities(
        model, [f'English:"{e.source}"→español:"{glosses["es"][e.source]}"→Kiswahili:' for e in chosen], options
    )
    scores["fr&es"] = scores["fr"] + scores["es"]
    for arm, values in scores.items():
        ranks = [1 + sum(row[1:] >= row[0]) for row in values]
        np.testing.assert_array_equal(one.ranks[one.arms.index(arm)][:12], ranks, err_msg=arm)


def test_exact_answers_are_greedy_ones_and_votes_have_none(
    result: Study, tiny_model: Folder, cache: Cache, settings: StudySettings
) -> None:
    model = load_model(find_model(str(tiny_model("llama")), cache), ModelOptions("cpu", "float32"))
    one = result.pairs[0]
    items = materials(one.pair, settings, cache).items
    for arm, row in zip(one.arms, one.exact, strict=True):
        assert np.isnan(row).all() == ("&" in arm)
    prompts = [f'English:"{word}"→Kiswahili:"' for word in one.words[:10]]
    replies = greedy_answers(model, prompts, finished=WORD.reached, max_new_tokens=30)
    for reply, choice, right in zip(replies, items.choices, one.exact[0], strict=False):
        gold = {normalise_word(word) for word in choice.entry.targets}
        assert right == (normalise_word(WORD.cut(reply)) in gold)


def test_probes_and_hop_words_are_other_concepts_than_those_asked(
    settings: StudySettings, cache: Cache, result: Study
) -> None:
    for pair, one in zip(settings.pairs, result.pairs, strict=True):
        items = materials(pair, settings, cache).items
        asked = {normalise_word(choice.entry.source) for choice in items.choices}
        assert asked == {normalise_word(word) for word in one.words}
        assert not asked & {normalise_word(entry.source) for entry in items.probes}
        assert not {choice.entry.concept for choice in items.choices} & {entry.concept for entry in items.probes}


def test_no_way_reads_a_word_that_is_asked(tiny_model: Folder, cache: Cache, tmp_path: Path) -> None:
    # A list of the user's own that names things as CLDR does, which most texts and all concepts come from: its rows
    # are drawn by another hash, so some that are asked would be read.
    codes = ("en", "sw", "de", "fr", "es")
    names = [load_cldr().names(languages.parse(code)) for code in codes]
    common = sorted(set.intersection(*map(set, names)))[:1500]
    rows = ["\t".join(codes), *("\t".join(some[concept] for some in names) for concept in common)]
    (tmp_path / "names.tsv").write_text("\n".join(rows), "utf-8")
    settings = StudySettings(pairs=(("en", "sw"),), candidates=codes, lexicon=str(tmp_path / "names.tsv"), words=150)
    found = materials(("en", "sw"), settings, cache)
    asked = {normalise_word(word) for c in found.items.choices for word in (c.entry.source, *c.entry.targets)}
    assert len(asked) > 150
    for code in ("en", "sw"):
        assert not asked & {normalise_word(line) for line in found.texts[code].lines()}
    lazy = open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache)
    evidence = gather_evidence(Measurements(lazy, cache), found, settings)
    for code in ("en", "sw"):
        assert evidence.concepts[code]
        assert not asked & set(map(normalise_word, evidence.concepts[code]))
    with mock.patch.object(evidence_module, "make_choices", wraps=make_choices) as made:
        evidence.hop(languages.parse("en"), languages.parse("de"))
        evidence.hop(languages.parse("de"), languages.parse("sw"))
    drawn: list[Entry] = [entry for call in made.call_args_list for entry in call.args[0]]
    assert len(drawn) > 20
    assert not asked & {normalise_word(word) for entry in drawn for word in (entry.source, *entry.targets)}


def test_no_bridge_word_of_an_item_is_the_answer(settings: StudySettings, cache: Cache) -> None:
    items = materials(("en", "sw"), settings, cache).items
    for at, choice in enumerate(items.choices):
        gold = {normalise_word(word) for word in choice.entry.targets}
        assert all(normalise_word(words[at]) not in gold for words in items.glosses.values())


def test_a_second_run_asks_the_model_nothing(
    result: Study, tiny_model: Folder, settings: StudySettings, cache: Cache
) -> None:
    lazy = open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache)
    again = study(settings, model=lazy, cache=cache)
    assert "loaded" not in vars(lazy)
    assert again.to_dict() == result.to_dict()


def test_a_study_reads_back_and_its_analysis_is_made_anew(result: Study, tmp_path: Path) -> None:
    write_folder(tmp_path, result, command="study")
    again = read_study(tmp_path)
    for one, other in zip(result.pairs, again.pairs, strict=True):
        np.testing.assert_array_equal(one.ranks, other.ranks)
        np.testing.assert_array_equal(one.exact, other.exact)
        np.testing.assert_array_equal(one.first_hop, other.first_hop)
        assert one.words == other.words
        assert one.arms == other.arms
    assert [a.pairs for a in again.analyses] == [a.pairs for a in result.analyses]
    for before, after in zip(result.analyses, again.analyses, strict=True):
        assert {one.way: round(one.regret.value, 6) for one in before.ways} == {
            one.way: round(one.regret.value, 6) for one in after.ways
        }


def test_a_study_of_ways_that_are_no_longer_offered_is_read(
    result: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, result, command="study")
    monkeypatch.setattr(files, "WAYS", {name: way for name, way in WAYS.items() if name != "family"})
    found = read_study(tmp_path)
    assert set(result.settings.ways) - set(found.settings.ways) == {"family"}
    assert all("family" not in one.scores for one in found.pairs)


def test_a_study_read_back_tells_who_asked_the_model(result: Study, tmp_path: Path) -> None:
    write_folder(tmp_path, result, command="linguabridge study en:sw")
    body = json.loads((tmp_path / "study.json").read_text("utf-8"))
    old = {name: one for name, one in body.items() if name != "sha256"} | {"versions": {"torch": "of old"}}
    (tmp_path / "study.json").write_text(json.dumps(old), "utf-8")
    again = read_study(tmp_path).to_dict("linguabridge study --from there")
    assert again["command"] == "linguabridge study en:sw"
    assert again["versions"] == {"torch": "of old"}
    assert again["analysed_again_with"] == body["versions"]


def test_another_study_is_not_overwritten(result: Study, tmp_path: Path) -> None:
    check_folder(tmp_path, "tiny", result.settings)
    write_folder(tmp_path, result, command="study")
    check_folder(tmp_path, result.model, result.settings)
    with pytest.raises(InputError, match=r"holds another study \(it differs in model, words\).*--out"):
        check_folder(tmp_path, "other", dataclasses.replace(result.settings, words=50))
    (tmp_path / "study.json").write_text("[1]", "utf-8")
    with pytest.raises(InputError, match="is no study and would be overwritten"):
        check_folder(tmp_path, result.model, result.settings)


def test_pairs_of_a_finished_study_are_analysed_alone(result: Study, tmp_path: Path) -> None:
    write_folder(tmp_path, result, command="study")
    some = read_study(tmp_path, only=[("sw", "de")])
    assert [one.pair for one in some.pairs] == [("sw", "de")]
    assert some.main.pairs == ("sw:de",)
    with pytest.raises(InputError, match="has no pair ar:he; it has en:sw, sw:de, de:en"):
        read_study(tmp_path, only=[("ar", "he")])


@pytest.mark.parametrize("damage", ["ranks.parquet", "hops.parquet", "study.json"])
def test_a_damaged_study_is_refused(result: Study, tmp_path: Path, damage: str) -> None:
    write_folder(tmp_path, result, command="study")
    (tmp_path / damage).write_bytes(b"PAR1 or not")
    with pytest.raises(InputError, match=r"damaged|no study"):
        read_study(tmp_path)


def test_ranks_of_another_study_are_refused_though_they_can_be_read(result: Study, tmp_path: Path) -> None:
    write_folder(tmp_path, result, command="study")
    ranks = pq.read_table(tmp_path / "ranks.parquet")
    at = ranks.column_names.index("rank")
    others = ranks.set_column(at, "rank", pa.array([11 - one for one in ranks["rank"].to_pylist()], pa.uint8()))
    pq.write_table(others, tmp_path / "ranks.parquet", compression="zstd")
    with pytest.raises(InputError, match="damaged or not whole"):
        read_study(tmp_path)


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_the_table_by_pair_fits_80_columns_and_names_the_chain_below(name: str) -> None:
    _, pairs = read_folder(shipped_studies()[name])
    settings = StudySettings(pairs=tuple(one.pair for one in pairs))
    said = io.StringIO()
    Console(file=said, width=200).print(pairs_table(Study("m", {}, settings, pairs, ())))
    lines = [line.rstrip() for line in said.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert "the most bridges tried in one prompt, such as en+fr+es." in " ".join(lines)
    for one in pairs:
        (row,) = (line.split() for line in lines if line.startswith(f" {one.source} → {one.target} "))
        ranks = one.ranks[max((arm.count("+"), number) for number, arm in enumerate(one.arms))[1]]
        # Under "chain".
        assert float(row[9]) == pytest.approx(sum(1 / rank for rank in ranks.tolist()) / len(ranks), abs=0.00051)


def test_own_bridge_words_are_the_models(tiny_model: Folder, settings: StudySettings, cache: Cache) -> None:
    asked = dataclasses.replace(settings, pairs=(("en", "sw"),), bridge_words="own")
    found = study(asked, model=str(tiny_model("llama")), options=ModelOptions("cpu", "float32"), cache=cache)
    (one,) = found.pairs
    assert one.ranks.shape[1] == 40
    assert not one.as_direct[0]


@pytest.mark.parametrize(
    ("pairs", "says"),
    [(["ar-he"], "no pair"), (["ar:ar"], "both Arabic"), (["ar:he:en"], "no pair"), (["ar:nolanguage"], "nolanguage")],
)
def test_wrong_pairs_are_refused(pairs: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_pairs(pairs)


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="too few"):
        StudySettings(pairs=(("ar", "he"),), words=10)
    with pytest.raises(InputError, match="dictionary"):
        StudySettings(pairs=(("ar", "he"),), bridge_words="google")
    with pytest.raises(InputError, match="candidates"):
        parse_candidates(["en", "English", "fr"])
    assert parse_candidates(["English", "fr", "es", "sw"]) == ("en", "fr", "es", "sw")


def test_too_few_words_are_said_with_a_way_out(settings: StudySettings, cache: Cache, tmp_path: Path) -> None:
    few = write_lexicon(tmp_path / "few.tsv", rows=30, languages="en sw de fr es")
    with pytest.raises(InputError, match="leave the pair out, or name fewer --candidates"):
        materials(("en", "sw"), dataclasses.replace(settings, lexicon=str(few)), cache)


def test_a_bridge_that_the_lexicon_lacks_is_named_with_the_way_out(settings: StudySettings, cache: Cache) -> None:
    with pytest.raises(InputError, match="name --candidates without it"):
        materials(("en", "sw"), dataclasses.replace(settings, candidates=("de", "fr", "es", "it")), cache)


@pytest.mark.parametrize(
    "options",
    [
        *(["--model", "other"], ["--words", "60"], ["--ways", "hub"], ["--no-exact"], ["--bridge-words", "own"]),
        *(["--seed", "1"], ["--device", "cpu"], ["--dtype", "float32"], ["--taps", "x"], ["--trust-remote-code"]),
        *(["--allow-pickle"], ["--lexicon-dir", "x"], ["--ray", "local"]),
        *(["--model", "gemma-3-270m"], ["--seed", "0"], ["--device", "auto"], ["--words", "150"]),  # as by default
    ],
)
def test_options_that_would_do_nothing_beside_from_are_refused(
    run: Callable[..., Ended], options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run("study", "--from", "gemma-3-270m-dictionary", *options)
    assert ended.code == 2
    assert f"so {options[0]} would do nothing: leave it out" in " ".join(ended.err.split())


def test_tables_of_distances_are_ways_of_choosing_too(run: Callable[..., Ended], tmp_path: Path) -> None:
    _, pairs = read_folder(shipped_studies()["gemma-3-270m-own"])
    codes = sorted({code for one in pairs for code in (one.source, one.target, *one.candidates)})
    rng = np.random.default_rng(1)
    table = rng.uniform(0.1, 1, (len(codes), len(codes)))
    table = (table + table.T) * (1 - np.eye(len(codes)))
    rows = [
        "\t".join(["", *codes]),
        *("\t".join([code, *map(str, row)]) for code, row in zip(codes, table, strict=True)),
    ]
    file = tmp_path / "kin.tsv"
    file.write_text("\n".join(rows))
    ended = run("study", "--from", "gemma-3-270m-own", "--distances", str(file), "--json", "-")
    assert ended.code == 0, ended.err
    at = codes.index
    scores = []
    for one in pairs:
        nearest = min(
            one.candidates, key=lambda code: table[at(code), at(one.source)] + table[at(code), at(one.target)]
        )
        scores.append((1 / one.ranks[one.arms.index(nearest)]).mean())
    policies = json.loads(ended.out)["analyses"][0]["policies"]
    found = next(one for one in policies if one["policy"] == "kin")
    assert found["score"]["value"] == pytest.approx(np.mean(scores))
    taken = tmp_path / "cka.tsv"
    taken.write_text(file.read_text())
    assert "rename it" in run("study", "--from", "gemma-3-270m-own", "--distances", str(taken)).err
    assert "name it with --from" in run("study", "--distances", str(file)).err


def test_the_command_writes_a_study_and_analyses_it_again(
    run: Callable[..., object], tiny_model: Folder, lexicon: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(cache.root))
    line = ["study", "en:sw", "sw:de", "de:en", "--model", str(tiny_model("llama")), "--lexicon", str(lexicon)]
    line += ["--candidates", "en,sw,de,fr,es", "--words", "40", "--tokens", "300", "--probes", "30"]
    line += ["--device", "cpu", "--dtype", "float32", "--out", "there"]
    states = []

    def write(folder: Path, result: Study, *, command: str) -> dict[str, Any]:
        progress = read_progress(folder)
        states.append(progress.state if progress else None)
        return write_folder(folder, result, command=command)

    monkeypatch.setattr("linguabridge.study.files.write_folder", write)
    ended = run(*line)
    assert ended.code == 0, ended.err
    finished = read_progress(Path("there"))
    assert finished is not None
    assert [*states, finished.state] == ["running", "finished"]  # not before the results are there
    assert "Ways of choosing one bridge" in ended.out
    body = json.loads(Path("there/study.json").read_text("utf-8"))
    assert len(body["pairs"]) == 3
    again = run("study", "--from", "there", "--out", "again", "--json", "-")
    assert again.code == 0, again.err
    found = json.loads(again.out)
    assert [one["ways"] for one in found["analyses"]] == [one["ways"] for one in body["analyses"]]
