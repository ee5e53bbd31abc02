"""The same seed on the same machine gives the same bytes; other batches or threads, the same within rounding."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from linguabridge import collect, generate, likelihood, probing
from linguabridge.languages import parse
from linguabridge.model import LanguageModel
from linguabridge.profile import LanguageProfile
from linguabridge.texts import load_text
from small_runs import COMMANDS, REPEATED, Small, Undisturbed, kept, results

Load = Callable[[str], LanguageModel]

# What docs/method.md promises of a processor in float32.
COUNTS = 1e-5  # share of all values whose sign may differ: one within rounding of 0 falls on either side of it
MEANS = 1e-5  # of the largest one
SCORES = 1e-4  # logarithms of probabilities

# Each command in a folder of its own, in one process, where sets and dictionaries are hashed in another order.
_AFRESH = r"""
import os, sys
from pathlib import Path
from small_runs import command
for line in sys.argv[1:]:
    name, *words = line.split("\t")
    os.environ["LINGUABRIDGE_CACHE"] = str(Path(name, "cache").absolute())
    Path(name).mkdir()
    here = os.getcwd()
    os.chdir(name)
    try:
        command(words)
    except SystemExit as end:
        if end.code:
            raise
    os.chdir(here)
"""


@pytest.mark.parametrize("names", [("recommend",), pytest.param((*COMMANDS, *REPEATED), marks=pytest.mark.long)])
def test_another_process_finds_the_same_bytes(
    small_job: Small, undisturbed: Callable[[str], Undisturbed], tmp_path: Path, names: tuple[str, ...]
) -> None:
    lines = ["\t".join([name, *small_job.words(name)]) for name in names]
    ended = subprocess.run(
        [sys.executable, "-c", _AFRESH, *lines],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "77"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    for name in names:
        expected = undisturbed(name)
        assert results(name, tmp_path / name) == expected.results
        assert kept(tmp_path / name / "cache") == expected.kept


@dataclass(frozen=True)
class Asked:
    """What a model was asked."""

    profile: LanguageProfile
    probes: NDArray[np.float32]
    scores: NDArray[np.float64]
    answers: list[str]


WORDS = ("cat", "the dog", "water house", "a long tale of many words", "garden")
PROMPTS = [f'English:"{word} {number}"→Kiswahili:"' for number, word in enumerate(WORDS * 6)]
OPTIONS = [[f'{word}{number % 3}"' for word in ("paka", "mbwa", "maji ya", "nyumba")] for number in range(len(PROMPTS))]


def ask(model: LanguageModel) -> Asked:
    text = load_text(None, parse("sw"), 0)
    return Asked(
        collect.profile_text(model, text, max_tokens=2000),
        probing.linear_kernels(model, PROMPTS),
        likelihood.option_log_probabilities(model, PROMPTS, OPTIONS),
        generate.greedy_answers(model, PROMPTS, finished=lambda _: False, max_new_tokens=12),
    )


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("number", [1, 2])
def test_the_same_batches_and_threads_give_the_same_bytes(
    tiny_loaded: Load, threads: Callable[[int], None], family: str, number: int
) -> None:
    threads(number)
    first, second = (ask(tiny_loaded(family)) for _ in range(2))
    np.testing.assert_array_equal(first.profile.positive, second.profile.positive)
    np.testing.assert_array_equal(first.profile.total, second.profile.total)
    np.testing.assert_array_equal(first.probes, second.probes)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.answers == second.answers


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_other_batches_and_threads_agree_within_rounding(
    tiny_loaded: Load, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    model = tiny_loaded(family)
    threads(1)
    usual = ask(model)
    for number, budget in ((2, None), (4, None), (1, 16_384), (1, 256), (2, 64)):
        threads(number)
        if budget:
            set_budget(monkeypatch, budget)
        found = ask(model)
        assert found.profile.tokens == usual.profile.tokens
        moved = np.abs(found.profile.positive - usual.profile.positive).sum()
        assert moved <= COUNTS * usual.profile.positive.size * usual.profile.tokens
        largest = np.abs(usual.profile.mean).max()
        np.testing.assert_allclose(found.profile.mean, usual.profile.mean, rtol=0, atol=MEANS * largest)
        np.testing.assert_allclose(found.probes, usual.probes, rtol=0, atol=MEANS * np.abs(usual.probes).max())
        np.testing.assert_allclose(found.scores, usual.scores, rtol=0, atol=SCORES)
        assert found.answers == usual.answers


def set_budget(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    """Batches of so many tokens, of whatever is asked."""
    monkeypatch.setattr(collect, "token_budget", lambda _device: tokens)
    monkeypatch.setattr(likelihood, "LOGITS", tokens * 420)
    monkeypatch.setattr(generate, "_PROMPTS", max(1, tokens // 64))
