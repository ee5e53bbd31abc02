"""Figures of a corpus of translations, and the tokenizer that spBLEU needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.tokenizers import tokenizer_spm

from linguabridge.tasks import corpus
from task_data import write

OUTPUTS = ["The cat sleeps in the house today.", "A dog ran over the field", "", "They go home. They go home."]
REFERENCES = ["The cat is asleep in the house today.", "A dog runs over a field", "Nothing", "They go home."]


@pytest.fixture(autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sacrebleu looks for models: an empty folder; and nothing is downloaded."""
    folder = tmp_path_factory.mktemp("sacrebleu")
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(folder))
    monkeypatch.setitem(tokenizer_spm.SPM_MODELS["flores200"], "url", "http://127.0.0.1:9/flores200sacrebleuspm")
    corpus._find_model.cache_clear()
    yield folder / "models"
    corpus._find_model.cache_clear()


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
