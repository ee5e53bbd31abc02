"""chrF++ of a sentence and of a corpus, and spBLEU of a corpus, by sacrebleu.

spBLEU cuts texts with the SentencePiece model of FLORES-200. sacrebleu fetches it on first use, without a time limit,
and leaves lock files and tracebacks where it cannot. So it is fetched here, with limits, to where sacrebleu looks for
it; without it there is chrF++ alone, and :func:`spbleu_note` says why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import sentencepiece
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.tokenizers import tokenizer_spm

from linguabridge.downloads import fetch
from linguabridge.errors import CacheError, DownloadError

CHRF_NAME, SPBLEU_NAME = "chrF++", "spBLEU"
_TOKENIZER = "flores200"
_TIMEOUT = 10.0  # seconds without an answer


def sentence_score(output: str, reference: str) -> float:
    """chrF++ of one sentence, 0 to 100."""
    return float(_chrf().sentence_score(output, [reference]).score)


def corpus_figures(outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Figures of a corpus, 0 to 100, by name: ``chrF++``, and ``spBLEU`` where its tokenizer can be had.

    Args:
        outputs: translations; empty ones count, as nothing right.
        references: one for each.

    Returns:
        Empty where there are no outputs.
    """
    assert len(outputs) == len(references)
    if not outputs:
        return {}
    figures = {CHRF_NAME: float(CHRF(word_order=2).corpus_score(outputs, [references]).score)}
    bleu = _bleu()
    if bleu is not None:
        figures[SPBLEU_NAME] = float(bleu.corpus_score(outputs, [references]).score)
    return figures


def signatures() -> dict[str, str]:
    """How sacrebleu describes the figures that :func:`corpus_figures` gives, its version included."""
    metrics = {CHRF_NAME: CHRF(word_order=2), SPBLEU_NAME: _bleu()}
    found = {}
    for name, metric in metrics.items():
        if metric is not None:
            metric.corpus_score(["a"], [["a"]])  # only then does it know how many references there are
            found[name] = str(metric.get_signature())
    return found


def spbleu_note() -> str | None:
    """Why there is no spBLEU, and how to have it, in a sentence; None where there is spBLEU."""
    problem = _find_model(_model_path())
    if problem is None:
        return None
    return (
        f"spBLEU is not shown, because {problem}: put the file that {_url()} leads to at {_model_path()} "
        "(the environment variable SACREBLEU names another folder than .sacrebleu)."
    )


@cache
def _chrf() -> CHRF:
    return CHRF(word_order=2)


def _bleu() -> BLEU | None:
    if _find_model(_model_path()) is not None:
        return None
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)  # it would remark that texts look tokenised
    return BLEU(tokenize=_TOKENIZER)


def _url() -> str:
    return tokenizer_spm.SPM_MODELS[_TOKENIZER]["url"]


def _model_path() -> Path:
    # What sacrebleu itself makes of the environment, when it is first imported.
    return Path(str(vars(tokenizer_spm)["SACREBLEU_DIR"])) / "models" / _url().rpartition("/")[2]


@cache  # one try a run
def _find_model(path: Path) -> str | None:
    """See to it that the tokenizer's model is there; returns what is wrong if it is not."""
    if not path.exists():
        problem = _fetch(path)
        if problem is not None:
            return problem
    try:
        sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError):  # empty, or a portal's page
        return f"{path} is no SentencePiece model"
    return None


def _fetch(path: Path) -> str | None:
    try:
        # Its publisher gives no checksum; that it is a SentencePiece model is checked below.
        fetch(_url(), path, sha256=None, publisher="FLORES-200", way_out="go without spBLEU", timeout=_TIMEOUT)
    except CacheError:
        return f"{path.parent} cannot be written"
    except DownloadError:
        return "its tokenizer could not be downloaded"
    try:
        sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError):
        path.unlink(missing_ok=True)  # or sacrebleu itself, too, would fail from now on
        return "what was downloaded as its tokenizer is no SentencePiece model"
    return None
