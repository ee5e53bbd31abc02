"""MGSM: what is asked, how a number is judged, from a folder and downloaded."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from linguabridge.errors import CacheError, DownloadError, InputError
from linguabridge.languages import Language, parse
from linguabridge.tasks import find_task, math
from linguabridge.tasks.scaffolds import scaffolds
from linguabridge.tasks.task import Data, Item, Said
from task_data import DE, EN, SW, data_in, every, write

HE, TE, AR = (parse(code) for code in ("he", "te", "ar"))
MGSM = ["en", "es", "fr", "de", "ru", "zh", "ja", "th", "sw", "bn", "te"]


def problems(folder: Path, code: str, *rows: tuple[str, str]) -> Path:
    write(folder / "mgsm" / f"mgsm_{code}.tsv", "".join("\t".join(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize("code", MGSM)
def test_mgsm_as_read_naively(code: str, shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("mgsm")
    loaded = math.load(parse(code), HE, data_in(folder.parent))
    lines = (folder / f"mgsm_{code}.tsv").read_text("utf-8").split("\n")[:250]
    assert len(loaded.items) == 230
    assert len(loaded.demonstrations) == 20
    for number, line in enumerate(lines, 1):
        question, answer = line.split("\t")
        item = every(loaded)[str(number)]
        assert item.text == question.strip()
        assert item.gold == (str(int(answer.replace(",", ""))),)
        assert item.concept == item.id
        assert item.options == ()


def test_order_of_problems_depends_on_the_seed_alone(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("mgsm").parent

    def ids(source: Language, target: Language, seed: int) -> list[str]:
        loaded = math.load(source, target, data_in(folder, seed))
        return [item.id for item in (*loaded.items, *loaded.demonstrations)]

    assert ids(EN, SW, 7) == ids(TE, HE, 7) != ids(EN, SW, 8)
    order = sorted(str(number) for number in range(1, 251))
    random.Random("7\0math").shuffle(order)
    assert ids(EN, SW, 7) == order


def test_tenth_of_few_problems_are_demonstrations(tmp_path: Path) -> None:
    folder = problems(tmp_path, "en", *((f"{n} apples?", f"{n},000") for n in range(1, 31)))
    loaded = math.load(EN, SW, data_in(folder))
    assert (len(loaded.items), len(loaded.demonstrations)) == (27, 3)
    assert every(loaded)["3"] == Item("3", "3", "3 apples?", ("3000",))


def test_answers_of_mgsm_are_in_english_form_in_every_file(tmp_path: Path) -> None:
    loaded = math.load(DE, DE, data_in(problems(tmp_path, "de", ("Wie viele?", "2,125"))))
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
        math.load(EN, SW, data_in(folder))


def test_language_without_problems_is_named(tmp_path: Path) -> None:
    folder = problems(tmp_path, "en", ("One?", "1"))
    with pytest.raises(InputError, match=r"Hebrew \(he\); languages there: en"):
        math.load(HE, EN, data_in(folder))
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
    assert loaded.items == math.load(SW, HE, data_in(shared_data("mgsm").parent)).items
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
