"""Questions on their way to the model and the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linguabridge import generate, likelihood
from linguabridge.cache import Cache
from linguabridge.lazy_model import open_model
from linguabridge.measure import Measurements
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.prompts import WORD


@pytest.fixture
def measure(tiny_model: Callable[[str], Path], tmp_path: Path) -> Measurements:
    cache = Cache(tmp_path)
    return Measurements(open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache), cache)


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[str]:
    """Prompts that reach a function which asks the model."""
    real, asked = getattr(module, name), []

    def count(model: LanguageModel, prompts: Sequence[str], *more: Any, **options: Any) -> Any:
        asked.extend(prompts)
        return real(model, prompts, *more, **options)

    monkeypatch.setattr(module, name, count)
    return asked


def test_the_same_answer_is_asked_for_once(measure: Measurements, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch, generate, "greedy_answers")
    prompts = ["the cat", "le chat est", "the cat", "die Katze", "the cat", "le chat est"]
    found = measure.answers("", prompts, WORD)
    assert sorted(asked) == sorted(set(prompts))
    alone = [measure.answers("", [prompt], WORD)[0] for prompt in prompts]
    assert found == alone
    assert len(set(found)) > 1


def test_the_same_options_are_scored_once(measure: Measurements, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch, likelihood, "option_log_probabilities")
    prompts = ["the cat", "le chat", "the cat", "the cat"]
    options = [["a", "b und c"], ["a", "b und c"], ["a", "b und c"], ["b und c", "a"]]
    found = measure.option_scores("", prompts, options)
    assert sorted(asked) == ["le chat", "the cat", "the cat"]
    assert found.shape == (4, 2)
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_allclose(found[0], found[3, ::-1], rtol=1e-4)
    assert not np.allclose(found[0], found[1])


def test_no_questions_have_no_answers(measure: Measurements) -> None:
    assert measure.answers("", [], WORD) == []
    assert measure.option_scores("", [], []).size == 0
