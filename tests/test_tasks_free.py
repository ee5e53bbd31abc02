"""Tasks whose answers are free: math and translate, and the figures of a corpus."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.tokenizers import tokenizer_spm

from linguabridge.errors import CacheError, DownloadError, InputError
from linguabridge.languages import Language, parse
from linguabridge.prompts import endonym
from linguabridge.tasks import corpus, find_task, math, translate
from linguabridge.tasks.scaffolds import scaffolds
from linguabridge.tasks.sources import Row
from linguabridge.tasks.task import Data, Item, Loaded, Said

EN, SW, DE, HE, ID, TE, AR = (parse(code) for code in ("en", "sw", "de", "he", "id", "te", "ar"))
MGSM = ["en", "es", "fr", "de", "ru", "zh", "ja", "th", "sw", "bn", "te"]


@pytest.fixture(autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sacrebleu looks for models: an empty folder; and nothing is downloaded."""
    folder = tmp_path_factory.mktemp("sacrebleu")
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(folder))
    monkeypatch.setitem(tokenizer_spm.SPM_MODELS["flores200"], "url", "http://127.0.0.1:9/flores200sacrebleuspm")
    corpus._find_model.cache_clear()
    yield folder / "models"
    corpus._find_model.cache_clear()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A folder, and the address of a server of its files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    thread.join()
    server.server_close()


def local(folder: Path, seed: int = 0) -> Data:
    return Data(folder=folder, seed=seed)


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def everything(loaded: Loaded) -> dict[str, Item]:
    return {item.id: item for item in (*loaded.items, *loaded.demonstrations)}


# Mathematics


def problems(folder: Path, code: str, *rows: tuple[str, str]) -> Path:
    write(folder / "mgsm" / f"mgsm_{code}.tsv", *("\t".join(row) for row in rows))
    return folder


@pytest.mark.parametrize("code", MGSM)
def test_mgsm_as_read_naively(code: str, shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("mgsm")
    loaded = math.load(parse(code), HE, local(folder.parent))
    lines = (folder / f"mgsm_{code}.tsv").read_text("utf-8").split("\n")[:250]
    assert len(loaded.items) == 230
    assert len(loaded.demonstrations) == 20
    for number, line in enumerate(lines, 1):
        question, answer = line.split("\t")
        item = everything(loaded)[str(number)]
        assert item.text == question.strip()
        assert item.gold == (str(int(answer.replace(",", ""))),)
        assert item.concept == item.id
        assert item.options == ()


def test_order_of_problems_depends_on_the_seed_alone(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("mgsm").parent

    def ids(source: Language, target: Language, seed: int) -> list[str]:
        loaded = math.load(source, target, local(folder, seed))
        return [item.id for item in (*loaded.items, *loaded.demonstrations)]

    assert ids(EN, SW, 7) == ids(TE, HE, 7) != ids(EN, SW, 8)
    order = sorted(str(number) for number in range(1, 251))
    random.Random("7\0math").shuffle(order)
    assert ids(EN, SW, 7) == order


def test_tenth_of_few_problems_are_demonstrations(tmp_path: Path) -> None:
    folder = problems(tmp_path, "en", *((f"{n} apples?", f"{n},000") for n in range(1, 31)))
    loaded = math.load(EN, SW, local(folder))
    assert (len(loaded.items), len(loaded.demonstrations)) == (27, 3)
    assert everything(loaded)["3"] == Item("3", "3", "3 apples?", ("3000",))


def test_answers_of_mgsm_are_in_english_form_in_every_file(tmp_path: Path) -> None:
    loaded = math.load(DE, DE, local(problems(tmp_path, "de", ("Wie viele?", "2,125"))))
    assert loaded.items[0].gold == ("2125",)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("Many?", "many"), "line 2: the answer must be a number"),
        (("Alone",), "line 2: 1 cells"),
        ((" ", "3"), "line 2"),
    ],
)
def test_malformed_problem_is_named(tmp_path: Path, row: tuple[str, ...], message: str) -> None:
    folder = problems(tmp_path, "en", ("One?", "1"))
    path = folder / "mgsm" / "mgsm_en.tsv"
    path.write_text(path.read_text("utf-8") + "\t".join(row) + "\nx\t1\n", "utf-8")
    with pytest.raises(InputError, match=message):
        math.load(EN, SW, local(folder))


def test_language_without_problems_is_named(tmp_path: Path) -> None:
    folder = problems(tmp_path, "en", ("One?", "1"))
    with pytest.raises(InputError, match=r"Hebrew \(he\); languages there: en"):
        math.load(HE, EN, local(folder))
    with pytest.raises(InputError, match=r"Hebrew \(he\); languages there: bn, de"):
        math.load(HE, EN, Data(cache_dir=tmp_path))


def test_problem_is_asked_in_the_target_language() -> None:
    item = Item("1", "1", "Ngapi?", ("18",))
    chain = [Said(SW, "Ngapi?"), Said(EN, "How\nmany?")]
    question = math.ask(item, chain, DE, "generated")
    assert question.prompt.written == "Frage:\nKiswahili: Ngapi?\nEnglish: How many?\nSchritt-für-Schritt-Antwort:"
    assert question.options == ()
    assert math.ask(item, chain, parse("yo"), "generated").prompt.text.startswith("Question:\n")


def test_every_scaffold_of_math_is_whole() -> None:
    tables = scaffolds("math")
    assert {*MGSM, "ar", "he", "id", "tl", "fi", "hu", "it", "pt"} == set(tables)
    for code, table in tables.items():
        assert parse(code).code == code
        assert table["text"].startswith(table["problem"] + "\n{chain}\n")


@pytest.mark.parametrize(
    ("answer", "target", "parsed", "score"),
    [
        ("16 - 7 = 9 eggs, times 2 is 18.", EN, "18", 1.0),
        ("الإجابة: ١٨", AR, "18", 1.0),
        ("18.00 $", EN, "18", 1.0),
        ("Sie verdient 18,00 Dollar.", DE, "18", 1.0),
        ("It is 17.", EN, "17", 0.0),
        ("18\nQuestion: What is 1 + 1?\nAnswer: 2", EN, "18", 1.0),
        ("18\nFrage: Was ist 1 + 1?\n2", DE, "18", 1.0),
        ("", EN, None, 0.0),
        ("No idea.", EN, None, 0.0),
        ("1/2", EN, None, 0.0),
    ],
)
def test_number_is_judged(answer: str, target: Language, parsed: str | None, score: float) -> None:
    judgement = math.judge(Item("1", "1", "?", ("18",)), answer, target)
    assert (judgement.parsed, judgement.score) == (parsed, score)


def test_separators_are_the_target_languages() -> None:
    item = Item("1", "1", "?", ("70000",))
    assert math.judge(item, "70.000", DE).score == 1
    assert math.judge(item, "70,000", EN).score == 1
    assert math.judge(item, "70.000", EN).score == 0


def test_answers_of_math_take_several_lines() -> None:
    task = find_task("math")
    assert task.ending.cut(" 16 - 7 = 9\n9 * 2 = 18\n\nQuestion: …") == "16 - 7 = 9\n9 * 2 = 18"
    assert (task.metric, task.scorings) == ("accuracy", ("generated",))


def test_download_of_mgsm(
    served: tuple[str, Path], shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = served
    monkeypatch.setattr(math, "BASE_URL", url)
    content = (shared_data("mgsm") / "mgsm_sw.tsv").read_bytes()
    (folder / "mgsm_sw.tsv").write_bytes(content)
    data = Data(cache_dir=tmp_path / "cache")
    loaded = math.load(SW, HE, data)
    assert loaded.items == math.load(SW, HE, local(shared_data("mgsm").parent)).items
    (folder / "mgsm_sw.tsv").unlink()
    assert math.load(SW, HE, data).items == loaded.items  # kept
    with pytest.raises(DownloadError, match=r"give a folder that holds mgsm/mgsm_te\.tsv with --data DIR"):
        math.load(TE, HE, data)
    (folder / "mgsm_te.tsv").write_bytes(content)
    with pytest.raises(DownloadError, match="not the file that MGSM published"):
        math.load(TE, HE, data)


def test_download_is_quiet(
    served: tuple[str, Path], shared_data: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url, folder = served
    (folder / "mgsm_sw.tsv").write_bytes((shared_data("mgsm") / "mgsm_sw.tsv").read_bytes())
    math._fetch(SW, tmp_path / "cache", url)
    assert capfd.readouterr() == ("", "")


def test_cache_that_is_a_file_is_named(served: tuple[str, Path], tmp_path: Path) -> None:
    write(tmp_path / "cache", "a file")
    with pytest.raises(CacheError, match="LINGUABRIDGE_CACHE"):
        math._fetch(SW, tmp_path / "cache", served[0])


def test_sums_are_those_of_the_published_files(shared_data: Callable[[str], Path]) -> None:
    from hashlib import sha256

    folder = shared_data("mgsm")
    assert {f"mgsm_{code}.tsv" for code in MGSM} == set(math._registry())
    for name, digest in math._registry().items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest


# Translation


def naive(folder: Path, name: str) -> list[str]:
    text = (folder / "dev" / f"{name}.dev").read_text("utf-8")
    return [" ".join(line.strip().strip('"').split()) for line in text.removesuffix("\n").split("\n")]


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [(SW, HE, ("swh_Latn", "heb_Hebr")), (ID, DE, ("ind_Latn", "deu_Latn")), (EN, TE, ("eng_Latn", "tel_Telu"))],
)
def test_flores_as_read_naively(
    source: Language, target: Language, names: tuple[str, str], shared_data: Callable[[str], Path]
) -> None:
    folder = shared_data("flores200")
    loaded = translate.load(source, target, local(folder.parent))
    ours, theirs = (naive(folder, name) for name in names)
    assert len(loaded.items) == 977
    assert len(loaded.demonstrations) == 20
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        item = everything(loaded)[str(number)]
        assert (item.text, item.gold) == (mine, (other,))
        assert '"' not in (mine[0], mine[-1], other[0], other[-1])
    assert "items are sentences of dev" in loaded.notes[0]


def test_order_of_sentences_depends_on_the_seed_alone(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("flores200").parent
    ids = [[item.id for item in translate.load(*pair, local(folder, 3)).items] for pair in ((SW, HE), (HE, EN))]
    order = sorted(str(number) for number in range(997))
    random.Random("3\0translate").shuffle(order)
    assert ids[0] == ids[1] == order[:977]


def sentences(folder: Path, part: str, name: str, *lines: str) -> Path:
    write(folder / "flores200" / part / f"{name}.{part}", *lines)
    return folder


def test_stray_quotes_and_spaces_are_off(tmp_path: Path) -> None:
    sentences(tmp_path, "dev", "swh_Latn", '"Habari. ', "Ndiyo", '"', "Moja ")
    sentences(tmp_path, "dev", "heb_Hebr", 'שלום."', 'צה"ל ', "אין", "  אחד\u00a0 שניים")
    loaded = translate.load(SW, HE, local(tmp_path))
    assert {item.id: (item.text, *item.gold) for item in loaded.items} == {
        "0": ("Habari.", "שלום."),
        "1": ("Ndiyo", 'צה"ל'),
        "3": ("Moja", "אחד שניים"),  # the third has nothing in Swahili
    }


def test_items_are_devtest_where_there_is_one(tmp_path: Path) -> None:
    for name in ("swh_Latn", "heb_Hebr"):
        sentences(tmp_path, "dev", name, *(f"{name} dev {number}" for number in range(12)))
        sentences(tmp_path, "devtest", name, *(f"{name} test {number}" for number in range(9)))
    sentences(tmp_path, "dev", "deu_Latn", *(f"deu_Latn dev {number}" for number in range(12)))
    loaded = translate.load(SW, HE, local(tmp_path))
    assert sorted(item.text for item in loaded.items) == [f"swh_Latn test {number}" for number in range(9)]
    assert sorted(item.text for item in loaded.demonstrations) == sorted(f"swh_Latn dev {n}" for n in range(12))
    assert not {item.id for item in loaded.items} & {item.id for item in loaded.demonstrations}
    assert loaded.notes == ()
    assert {item.gold[0][:12] for item in translate.load(SW, DE, local(tmp_path)).items} == {"deu_Latn dev"}


def test_files_that_are_not_parallel_are_named(tmp_path: Path) -> None:
    sentences(tmp_path, "dev", "swh_Latn", "Moja", "Mbili")
    sentences(tmp_path, "dev", "heb_Hebr", "אחת")
    with pytest.raises(InputError, match=r"swh_Latn.dev has 2 lines and .*heb_Hebr.dev has 1"):
        translate.load(SW, HE, local(tmp_path))
    with pytest.raises(InputError, match=r"German \(de\); languages there: he, sw"):
        translate.load(SW, DE, local(tmp_path))
    with pytest.raises(InputError, match="no folder flores200"):
        translate.load(SW, HE, local(tmp_path / "flores200"))


def test_flores_plus_is_joined_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(data_set: str, language: Language, split: str, expected: str) -> list[Row]:
        assert data_set == "openlanguagedata/flores_plus"
        numbers = (2, 0, 1) if language == SW else (0, 1, 3)
        return [Row("x", {"id": n, "text": f"{language.code} {split} {n} "}) for n in numbers]

    monkeypatch.setattr(translate, "hub_rows", rows)
    loaded = translate.load(SW, HE, Data())
    assert {item.id: (item.text, *item.gold) for item in loaded.items} == {
        "0": ("sw devtest 0", "he devtest 0"),
        "1": ("sw devtest 1", "he devtest 1"),
    }
    assert {item.text for item in loaded.demonstrations} == {"sw dev 0", "sw dev 1"}


def test_sentence_is_asked_line_by_line() -> None:
    item = Item("0", "0", "Habari.", ("שלום.",))
    direct = translate.ask(item, [Said(SW, "Habari.")], HE, "generated")
    assert direct.prompt.written == f"Kiswahili: Habari.\n{endonym(HE)}:"
    bridged = translate.ask(item, [Said(SW, "Habari."), Said(EN, "Hello.")], HE, "generated")
    assert bridged.prompt.written == f"Kiswahili: Habari.\nEnglish: Hello.\n{endonym(HE)}:"
    assert bridged.options == ()


def test_translation_is_judged_by_chrf() -> None:
    item = Item("0", "0", "?", ("Die Katze schläft heute.",))
    for answer in ("Die Katze schläft heute.", "Die Katze schlief.", "xyz"):
        judgement = translate.judge(item, f" {answer}\n", DE)
        assert judgement.parsed == answer
        assert judgement.score == CHRF(word_order=2).sentence_score(answer, list(item.gold)).score
    assert translate.judge(item, "Die Katze schläft heute.", DE).score == pytest.approx(100)
    assert translate.judge(item, " \n", DE) == translate.Judgement(None, 0.0)
    assert find_task("translate").metric == "chrF++"


# Figures of a corpus

OUTPUTS = ["The cat sleeps in the house today.", "A dog ran over the field", "", "They go home. They go home."]
REFERENCES = ["The cat is asleep in the house today.", "A dog runs over a field", "Nothing", "They go home."]


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("spm") / "small"
    lines = [*REFERENCES, *OUTPUTS, "The quick brown fox jumps over the lazy dog in the house."] * 10
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(prefix), vocab_size=44, minloglevel=2, num_threads=1
    )
    return prefix.with_suffix(".model")


def oracle(model: Path) -> float:
    """BLEU over pieces, cut beforehand."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    outputs, references = ([" ".join(pieces.encode(x, out_type=str)) for x in texts] for texts in (OUTPUTS, REFERENCES))
    return BLEU(tokenize="none", force=True).corpus_score(outputs, [references]).score


def put(model: Path, models: Path) -> None:
    models.mkdir(parents=True, exist_ok=True)
    (models / "flores200sacrebleuspm").write_bytes(model.read_bytes())


def test_figures_of_a_corpus(small_model: Path, models: Path) -> None:
    put(small_model, models)
    figures = corpus.corpus_figures(OUTPUTS, REFERENCES)
    assert figures == {
        "chrF++": CHRF(word_order=2).corpus_score(OUTPUTS, [REFERENCES]).score,
        "spBLEU": pytest.approx(oracle(small_model)),
    }
    assert 5 < figures["spBLEU"] < 95
    assert corpus.spbleu_note() is None
    found = corpus.signatures()
    assert "tok:flores200" in found["spBLEU"]
    assert "nw:2" in found["chrF++"]
    assert all("nrefs:1" in one and "version:" in one for one in found.values())
    assert corpus.corpus_figures([], []) == {}


def test_chrf_alone_where_the_tokenizer_cannot_be_had(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    figures = corpus.corpus_figures(OUTPUTS, REFERENCES)
    assert list(figures) == ["chrF++"]
    assert list(corpus.signatures()) == ["chrF++"]
    note = corpus.spbleu_note()
    assert note is not None
    assert "could not be downloaded" in note
    assert str(models / "flores200sacrebleuspm") in note
    assert "SACREBLEU" in note
    assert capfd.readouterr() == ("", "")


def test_tokenizer_is_downloaded_once(
    small_model: Path, models: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = served
    monkeypatch.setitem(tokenizer_spm.SPM_MODELS["flores200"], "url", f"{url}flores200sacrebleuspm")
    (folder / "flores200sacrebleuspm").write_bytes(small_model.read_bytes())
    assert corpus.corpus_figures(OUTPUTS, REFERENCES)["spBLEU"] == pytest.approx(oracle(small_model))
    (folder / "flores200sacrebleuspm").unlink()
    assert corpus.spbleu_note() is None


def test_page_of_a_portal_is_no_tokenizer(
    models: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    url, folder = served
    monkeypatch.setitem(tokenizer_spm.SPM_MODELS["flores200"], "url", f"{url}flores200sacrebleuspm")
    write(folder / "flores200sacrebleuspm", "<html>Please log in.</html>")
    assert "spBLEU" not in corpus.corpus_figures(OUTPUTS, REFERENCES)
    assert "no SentencePiece model" in str(corpus.spbleu_note())
    assert not (models / "flores200sacrebleuspm").exists()
    assert capfd.readouterr() == ("", "")


def test_silent_server_is_not_waited_for(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/flores200sacrebleuspm"
        monkeypatch.setitem(tokenizer_spm.SPM_MODELS["flores200"], "url", address)
        monkeypatch.setattr(corpus, "_TIMEOUT", 0.2)
        assert "could not be downloaded" in str(corpus.spbleu_note())


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_broken_model_file_is_named(models: Path, content: bytes) -> None:
    models.mkdir()
    (models / "flores200sacrebleuspm").write_bytes(content)
    assert list(corpus.corpus_figures(OUTPUTS, REFERENCES)) == ["chrF++"]
    assert "flores200sacrebleuspm is no SentencePiece model" in str(corpus.spbleu_note())


def test_folder_that_cannot_be_made_is_named(models: Path) -> None:
    write(models, "a file where the folder should be")
    assert f"{models} cannot be written" in str(corpus.spbleu_note())


def test_model_is_found_where_the_environment_says(small_model: Path, tmp_path: Path) -> None:
    put(small_model, tmp_path / "models")
    code = (
        "import sys; from linguabridge.tasks.corpus import corpus_figures; "
        "print(corpus_figures(sys.argv[1:5], sys.argv[5:])['spBLEU'])"
    )
    environment = {**os.environ, "SACREBLEU": str(tmp_path)}
    done: Any = subprocess.run(
        [sys.executable, "-c", code, *OUTPUTS, *REFERENCES], env=environment, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == pytest.approx(oracle(small_model))
    assert done.stderr == ""
