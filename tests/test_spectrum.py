"""The spectrum as a whole, on a tiny random model: everything fits together, and says what it is."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import tiny
from linguabridge.cache import Cache
from linguabridge.errors import InputError
from linguabridge.families import are_kin, family_path
from linguabridge.languages import parse
from linguabridge.lexicons import load_cldr
from linguabridge.spectrum.agreement import Mantel, NeighbourShare
from linguabridge.spectrum.files import write_folder
from linguabridge.spectrum.kinship import letters
from linguabridge.spectrum.results import LABELS, KinshipTest, Spectrum
from linguabridge.spectrum.settings import SpectrumSettings, check_languages
from linguabridge.spectrum.spectrum import lexicon_languages, spectrum
from linguabridge.spectrum.support import mutual_pairs
from linguabridge.spectrum.tables import distances_table, kin_table, mutual_table, neighbours_table
from linguabridge.spectrum.words import basis, paragraphs

CODES = ("pt", "es", "ar", "he", "sw", "zh", "ja")
SMALL = SpectrumSettings(tokens=400, concepts=40, samples=100, top_rate=0.1)


@pytest.fixture(scope="module")
def found(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Spectrum:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    return spectrum(CODES, model=str(tiny_model("llama")), settings=SMALL, cache=cache)


def test_every_measure_is_symmetric_and_named(found: Spectrum) -> None:
    assert [one.name for one in found.measures] == ["overlap", "jaccard", "correlation", "cka", "hsic"]
    assert [one.name for one in found.controls] == ["shuffled", "shuffled_jaccard", "tokens"]
    for one in (*found.measures, *found.controls):
        assert one.name in LABELS
        np.testing.assert_allclose(one.overall, one.overall.T, atol=1e-6)
        if one.layers is not None:
            assert one.layers.shape == (len(found.widths), len(CODES), len(CODES))


def test_a_model_whose_neurons_are_always_active_is_refused(tmp_path: Path) -> None:
    model = tiny.save_always_active(tmp_path / "model")
    with pytest.raises(InputError, match="probabilities are all the same; read more text with --tokens"):
        spectrum(CODES[:4], model=str(model), settings=SMALL, cache=Cache(tmp_path / "cache"))


def test_the_control_on_shuffled_text_is_another_matrix(found: Spectrum) -> None:
    # That it has the same tokens, see test_blocks.py.
    assert not np.allclose(found.measure("shuffled").overall, found.measure("correlation").overall)


def test_neighbours_are_the_rows_of_the_matrix(found: Spectrum) -> None:
    matrix = found.measure("correlation").overall
    for number, code in enumerate(found.codes):
        by_hand = sorted((-matrix[number, j], found.codes[j]) for j in range(len(CODES)) if j != number)
        assert [one.code for one in found.neighbours[code]] == [other for _, other in by_hand[:3]]
        assert all(0 <= one.support <= 1 for one in found.neighbours[code])


def test_mutual_pairs_are_each_others_first(found: Spectrum) -> None:
    first = {code: near[0].code for code, near in found.neighbours.items()}
    expected = {frozenset((a, b)) for a, b in first.items() if first[b] == a}
    assert {frozenset((one.first, one.second)) for one in found.mutual} == expected
    assert {frozenset(pair) for pair in found.mutual_by_measure["correlation"]} == expected
    for one in found.mutual:
        assert one.kin == are_kin(family_path(parse(one.first)), family_path(parse(one.second)))


def test_curves_are_means_over_pairs_of_kin_and_of_strangers(found: Spectrum) -> None:
    curve = next(one for one in found.curves if one.measure == "correlation")
    layers = found.measure("correlation").layers
    assert layers is not None
    kin = [(0, 1), (2, 3)]  # pt–es, ar–he
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    strangers = [pair for pair in pairs if pair not in kin]
    for layer, matrix in enumerate(layers):
        assert curve.within[layer] == pytest.approx(np.mean([matrix[pair] for pair in kin]))
        assert curve.between[layer] == pytest.approx(np.mean([matrix[pair] for pair in strangers]))
        wins = [float(matrix[a] > matrix[b]) + 0.5 * float(matrix[a] == matrix[b]) for a in kin for b in strangers]
        assert curve.separation[layer] == pytest.approx(np.mean(wins))


def test_kinship_is_tested_for_every_measure_and_control(found: Spectrum) -> None:
    tested = {(one.measure, one.known) for one in found.kinship}
    assert {(name, "family") for name in LABELS} <= tested
    assert {(name, "script") for name in LABELS} <= tested
    assert {("correlation", "tokens"), ("correlation", "shuffled"), ("correlation", "shuffled_jaccard")} <= tested
    for one in found.kinship:
        assert one.mantel is not None
        assert (one.given_tokens is None) == (
            {one.measure, one.known} & {"shuffled", "shuffled_jaccard", "tokens"} != set()
        )
        if one.known == "script":
            assert one.neighbours is not None
            assert one.neighbours.n == 5  # pt es sw (Latin), zh ja (Chinese characters); ar and he are alone


def test_counts_add_up_to_the_union_of_top_sets(found: Spectrum) -> None:
    sizes = np.diagonal(found.measure("overlap").overall)
    assert set(sizes) == {round(sum(found.widths) * SMALL.top_rate)}
    counts = found.counts
    assert sum(counts.one) + 2 * sum(counts.some) + len(CODES) * sum(counts.all) <= sizes.sum()
    # In none, one, several or all of the sets: several are those shared by some pair, but not by all.
    pairs = found.measure("overlap").overall[np.triu_indices(len(CODES), 1)]
    assert sum(counts.some) + sum(counts.all) >= pairs.max()
    assert sum(counts.all) <= pairs.min()


def test_the_answer_is_in_words(found: Spectrum) -> None:
    said = paragraphs(found)
    assert "too few languages to tell" in said[0]  # 4 of the 7 have kin among the others
    assert "each other's nearest" in said[1].lower()
    assert any("400 tokens" in one for one in basis(found))
    assert any("names of emoji" in one for one in basis(found))


def test_the_verdict_comes_with_its_evidence(found: Spectrum) -> None:
    kin = KinshipTest("correlation", "family", NeighbourShare(12, 11 / 12, 0.21, 0.0004), Mantel(105, 0.6, 0.01), None)
    tokens = KinshipTest("correlation", "tokens", None, Mantel(105, 0.86, 0.001), None)
    said = paragraphs(replace(found, kinship=(kin, tokens)))[0]
    assert "keeps language families together: 11 of 12 languages with kin" in said
    assert "2.5 would by chance (p <.001)" in said
    assert "Most of the picture can be had from the overlap of token frequencies alone" in said
    assert "74 % of its variance" in said
    weak = replace(kin, neighbours=NeighbourShare(12, 0.4, 0.21, 0.1))
    by_luck = replace(tokens, mantel=Mantel(105, 0.99, 0.3))
    said = paragraphs(replace(found, kinship=(weak, by_luck)))[0]
    assert "is not shown to keep language families together: 4.8 of 12" in said
    assert "No certain part of the picture" in said


def test_the_same_seed_gives_the_same_bytes(found: Spectrum, tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    again = spectrum(CODES, model=str(tiny_model("llama")), settings=SMALL, cache=Cache(tmp_path / "cache"))
    for name, one in (("a", found), ("b", again)):
        write_folder(tmp_path / name, one, command="x")
    for file in ("spectrum.json", "pairs.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_files_hold_the_matrices(found: Spectrum, tmp_path: Path) -> None:
    write_folder(tmp_path, found, command="linguabridge spectrum …")
    body = json.loads((tmp_path / "spectrum.json").read_text("utf-8"))
    assert body["command"] == "linguabridge spectrum …"
    assert body["measures"]["correlation"][0][1] == pytest.approx(found.measure("correlation").overall[0, 1], abs=1e-6)
    assert body["measures"]["hsic"][0][0] is None
    rows = pq.read_table(tmp_path / "pairs.parquet").to_pylist()
    assert len(rows) == 21 * (1 + len(found.widths))
    cka = found.measure("cka").layers
    assert cka is not None
    for row in rows:
        i, j = found.codes.index(row["first"]), found.codes.index(row["second"])
        if row["layer"] is None:
            assert row["tokens"] == found.measure("tokens").overall[i, j]
        else:
            assert row["cka"] == cka[row["layer"], i, j]
            assert row["tokens"] is None
        assert row["same_family"] == ({row["first"], row["second"]} in ({"pt", "es"}, {"ar", "he"}))


def test_a_file_of_distances_is_compared_with(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    table = tmp_path / "mine.tsv"
    table.write_text("\tpt\tes\tar\npt\t0\t.1\t.9\nes\t.1\t0\t.8\nar\t.9\t.8\t0\n", "utf-8")
    settings = SpectrumSettings(tokens=300, concepts=40, samples=100, top_rate=0.1, shuffled=False, distances=(table,))
    found = spectrum(["pt", "es", "ar", "sw"], model=str(tiny_model("llama")), settings=settings, cache=Cache(tmp_path))
    mine = [one for one in found.kinship if one.known == "mine"]
    assert {one.measure for one in mine} == {"overlap", "jaccard", "correlation", "cka", "hsic", "tokens"}
    assert all(one.mantel is not None and one.mantel.n_pairs == 3 for one in mine)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no pipes by path")
def test_distances_may_come_through_a_pipe(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    content = b"\tpt\tes\tar\npt\t0\t.1\t.9\nes\t.1\t0\t.8\nar\t.9\t.8\t0\n"
    reading, writing = os.pipe()  # what was read once is gone
    os.write(writing, content)
    os.close(writing)
    try:
        table = Path(f"/dev/fd/{reading}")
        settings = SpectrumSettings(
            tokens=300, concepts=40, samples=100, top_rate=0.1, shuffled=False, distances=(table,)
        )
        found = spectrum(["pt", "es", "ar"], model=str(tiny_model("llama")), settings=settings, cache=Cache(tmp_path))
    finally:
        os.close(reading)
    assert found.identity["distances"] == {table.stem: sha256(content).hexdigest()}
    assert any(one.known == table.stem and one.mantel for one in found.kinship)


def test_a_language_without_names_and_family_is_said(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for code in ("pt", "es", "ar", "x-foo"):
        (texts / f"{code}.txt").write_text("\n".join(f"{code} line {n}" for n in range(60)), "utf-8")
    settings = SpectrumSettings(texts=str(texts), tokens=300, concepts=40, samples=100, top_rate=0.1, shuffled=False)
    found = spectrum(
        ["pt", "es", "ar", "x-foo"], model=str(tiny_model("llama")), settings=settings, cache=Cache(tmp_path)
    )
    assert np.isnan(found.measure("cka").overall[3]).all()
    notes = " ".join(found.notes)
    assert "CKA and HSIC leave out x-foo" in notes
    assert "No family is known for x-foo" in notes
    assert found.to_dict()["measures"]["cka"][3][0] is None


def test_mutual_nearest_passes_over_what_is_not_defined() -> None:
    nan = np.nan
    matrix = np.array([[nan, 0.5, 0.2, nan], [0.5, nan, 0.9, nan], [0.2, 0.9, nan, nan], [nan, nan, nan, nan]])
    assert mutual_pairs(matrix) == [(1, 2)]


def test_ties_do_not_depend_on_the_order_of_languages() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (9, 9)).astype(float)
    counts = counts + counts.T  # many ties
    expected = {frozenset(pair) for pair in mutual_pairs(counts)}
    for _ in range(20):
        order = rng.permutation(9)
        found = mutual_pairs(counts[order][:, order])
        assert {frozenset((int(order[i]), int(order[j]))) for i, j in found} == expected


def test_the_lexicons_languages_are_over_a_hundred_each_once() -> None:
    codes = {one.code for one in lexicon_languages()}
    assert len(codes) > 100
    assert {"sr", "zh", "tl", "yue"} <= codes
    assert not {"en-GB", "es-419", "sr-Latn", "zh-Hant"} & codes
    assert codes < {one.code for one in load_cldr().languages()}


def test_chinese_and_japanese_share_a_script() -> None:
    assert letters(parse("zh")) == letters(parse("zh-Hant")) == letters(parse("ja")) != letters(parse("ko"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"tokens": 10}, "--tokens 10 is too few"),
        ({"top_rate": 0.0}, "--top-rate"),
        ({"top_rate": float("nan")}, "--top-rate"),
        ({"concepts": 3}, "--concepts 3"),
        ({"samples": 5}, "--samples 5"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        SpectrumSettings(**settings)  # type: ignore[arg-type]


def test_too_few_languages_are_refused() -> None:
    with pytest.raises(InputError, match="at least 3"):
        check_languages(["ar", "arb_Arab", "Arabic"])


def test_the_command_prints_words_and_writes_both_files(run, tiny_model: Callable[[str], Path]) -> None:  # type: ignore[no-untyped-def]
    options = ("--tokens", 300, "--samples", 100, "--concepts", 40, "--top-rate", 0.1, "--no-shuffled")
    ended = run("spectrum", *CODES, "--model", tiny_model("llama"), *options, "--out", "there")
    assert ended.code == 0
    assert "language families together" in " ".join(ended.out.split())  # however long the model's path
    assert "linguabridge report there" in ended.out
    assert Path("there/spectrum.json").exists()
    assert Path("there/pairs.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Name the languages to relate"),
        (("ar", "he", "sw", "--all-lexicon"), "Name the languages to relate"),
        (("ar", "he"), "at least 3"),
        (("ar", "he", "sw", "--distances", "nowhere.tsv"), "nowhere.tsv"),
        (("ar", "he", "sw", "--out", "/dev/null"), "--out"),
        (("ar", "he", "zzzzqq"), "Unknown language"),
    ],
)
def test_wrong_commands_end_in_one_sentence(run, arguments: tuple[str, ...], says: str) -> None:  # type: ignore[no-untyped-def]
    ended = run("spectrum", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_another_spectrum_is_not_overwritten(run, tiny_model: Callable[[str], Path]) -> None:  # type: ignore[no-untyped-def]
    options = ("--tokens", 300, "--samples", 100, "--concepts", 40, "--top-rate", 0.1, "--no-shuffled", "--out", "o")
    assert run("spectrum", "pt", "es", "ar", "--model", tiny_model("llama"), *options).code == 0
    before = Path("o/spectrum.json").read_bytes()
    assert run("spectrum", "pt", "es", "ar", "--model", tiny_model("llama"), *options).code == 0  # the same again
    refused = run("spectrum", "pt", "es", "he", "--model", tiny_model("llama"), *options)
    assert refused.code == 2
    assert "differs in languages" in refused.err
    assert Path("o/spectrum.json").read_bytes() == before
    Path("o/spectrum.json").write_text("{}", "utf-8")
    assert "is no spectrum" in run("spectrum", "pt", "es", "ar", "--model", tiny_model("llama"), *options).err


@pytest.mark.parametrize(("tokens", "words_a_line", "enough"), [(6000, 100, True), (2000, 150, False)])
def test_lines_longer_than_a_block_are_no_trouble(
    tiny_model: Callable[[str], Path], tmp_path: Path, tokens: int, words_a_line: int, enough: bool
) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for code in ("pt", "es", "ar"):
        lines = (" ".join(f"{code}{n * w % 17}" for w in range(words_a_line)) for n in range(60))
        (texts / f"{code}.txt").write_text("\n".join(lines), "utf-8")
    settings = SpectrumSettings(texts=str(texts), tokens=tokens, concepts=40, samples=1000, shuffled=False)
    with nullcontext() if enough else pytest.raises(InputError, match="too few lines"):
        found = spectrum(["pt", "es", "ar"], model=str(tiny_model("llama")), settings=settings, cache=Cache(tmp_path))
        assert np.isfinite(found.measure("correlation").overall).all()


def test_a_text_of_few_lines_is_refused(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for code in ("pt", "es", "ar"):
        (texts / f"{code}.txt").write_text("one line with some words in it\nand another", "utf-8")
    settings = SpectrumSettings(texts=str(texts), tokens=400, samples=100, shuffled=False)
    with pytest.raises(InputError, match="too few lines to tell how certain its place is"):
        spectrum(["pt", "es", "ar"], model=str(tiny_model("llama")), settings=settings, cache=Cache(tmp_path))


def test_identical_texts_end_in_words_not_in_a_traceback(run, tiny_model: Callable[[str], Path]) -> None:  # type: ignore[no-untyped-def]
    Path("same").mkdir()
    for code in ("pt", "es", "ar"):
        Path(f"same/{code}.txt").write_text("\n".join(f"line {n} of one text" for n in range(60)), "utf-8")
    options = ("--texts", "same", "--tokens", 300, "--samples", 100, "--no-shuffled")
    ended = run("spectrum", "pt", "es", "ar", "--model", tiny_model("llama"), *options)
    assert ended.code == 0, ended.err


def test_forms_of_one_language_are_no_evidence_of_kinship(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    found = spectrum(
        ["zh", "zh-Hant", "ar", "he", "sw"],
        model=str(tiny_model("llama")),
        settings=SpectrumSettings(tokens=400, concepts=40, samples=100, top_rate=0.1, shuffled=False),
        cache=Cache(tmp_path),
    )
    assert "forms of one language" in " ".join(found.notes)
    family = next(one for one in found.kinship if (one.measure, one.known) == ("correlation", "family"))
    assert family.mantel is not None
    assert family.mantel.n_pairs == 9  # all but zh and zh-Hant


@pytest.mark.parametrize("name", ["tokens.tsv", "family.csv"])
def test_a_file_of_distances_with_a_name_of_ours_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="rename it"):
        SpectrumSettings(distances=(Path(name),))
    with pytest.raises(InputError, match="rename it"):
        SpectrumSettings(distances=(Path("a/x.tsv"), Path("b/x.tsv")))


def test_no_number_is_cut_on_a_narrow_terminal(found: Spectrum) -> None:
    for table in (neighbours_table(found), mutual_table(found), kin_table(found), distances_table(found)):
        console = Console(width=60, file=io.StringIO())
        console.print(table)
        assert "…" not in console.file.getvalue()  # type: ignore[attr-defined]
