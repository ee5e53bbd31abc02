"""Bad inputs to the Python interface: each is an error of ours, in one line that names the culprit and the way out.

As ``test_bad_inputs.py`` has it for the command line, with texts and word lists, which both have in common.
Settings of ``evaluate`` are refused in ``test_evaluate_input.py``, more of ``dependence`` in ``test_dependence.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import linguabridge as lb
from linguabridge import dependence
from linguabridge.errors import LinguabridgeError

X = np.random.default_rng(0).normal(size=(3, 8))
QUICK = lb.Settings(candidates=("de", "fr"), tokens=200, probes=30, check=0)


@dataclass(frozen=True)
class Call:
    """A call that cannot be answered: given the folder of a tiny model, what the message names, and the way out."""

    name: str
    act: Callable[[str], Any]
    culprit: str
    way_out: str


def recommended(model: str, **changes: Any) -> lb.Recommendation:
    return lb.recommend("en", "sw", model=model, settings=replace(QUICK, **changes))


CALLS = [
    Call("score of a vector", lambda _: dependence.score(X[0], X), "x", "matrix of (neurons, probes)"),
    Call("score of a cube", lambda _: dependence.score(X, X[None]), "y", "matrix of (neurons, probes)"),
    Call("score of nothing", lambda _: dependence.score(X[:0], X), "x", "at least one neuron"),
    Call("score of other probes", lambda _: dependence.score(X, X[:, :5]), "y 5", "the same probes"),
    Call("score of few probes", lambda _: dependence.score(X[:, :3], X[:, :3]), "3 probes", "at least 4"),
    Call("score of NaN", lambda _: dependence.score(X, X * np.nan), "y", "needs finite activations"),
    Call("score of infinity", lambda _: dependence.score(X / 0.0, X), "x", "needs finite activations"),
    Call("score by nothing", lambda _: dependence.score(X, X, estimator="hsic"), "'hsic'", "choose one of"),
    Call("score of words", lambda _: dependence.score(np.array([list("abcdefgh")]), X), "x", "give real numbers"),
    Call("score of objects", lambda _: dependence.score(X, np.array([[None] * 8])), "y", "give real numbers"),
    Call("score of complex numbers", lambda _: dependence.score(X + 1j, X), "complex128", "give real numbers"),
    Call("score of a complex tensor", lambda _: dependence.score(X, torch.tensor(X + 1j)), "y", "give real numbers"),
    Call("pairs of NaN", lambda _: dependence.cka_pairs(X * np.nan, X), "x", "needs finite activations"),
    Call("language of NUL", lambda _: lb.parse_language("\0"), r"'\x00'", "lists all"),
    Call("language of half a character", lambda _: lb.parse_language("\ud800"), r"'\ud800'", "lists all"),
    Call("empty language", lambda _: lb.parse_language("\u200e"), "Empty language", "give a code"),
    Call("long language", lambda _: lb.parse_language("sw" * 10**6), "'swsw", "lists all"),
    Call("profile of a text", lambda m: lb.profile_languages("en", model=m), "['en']", "a list of languages"),
    Call(
        "profile of no tokens", lambda m: lb.profile_languages(["en"], model=m, tokens=0), "tokens=0", "1 token or more"
    ),
    Call(
        "profile of fewer", lambda m: lb.profile_languages(["en"], model=m, tokens=-5), "tokens=-5", "1 token or more"
    ),
    Call(
        "profile in Klingonsh", lambda m: lb.profile_languages(["en", "Klingonsh"], model=m), "Klingonsh", "lists all"
    ),
    Call("texts of NUL", lambda m: lb.profile_languages(["en"], model=m, texts="a\0b"), r"a\x00b", "no such folder"),
    Call("model of NUL", lambda _: lb.open_model("a\0b"), r"a\x00b", "The default is"),
    Call("model of NUL on the hub", lambda _: lb.open_model("a\0/b"), r"a\x00/b", "The default is"),
    Call("device", lambda m: lb.open_model(m, lb.ModelOptions("abacus")).key, "'abacus'", "--device auto"),
    Call("type", lambda m: lb.open_model(m, lb.ModelOptions(dtype="int8")).loaded, "'int8'", "choose one of"),
    Call("cluster", lambda _: lb.ClusterOptions("nowhere"), "'nowhere'", "give local, auto or HOST:PORT"),
    Call("workers", lambda _: lb.ClusterOptions("local", 0), "--workers 0", "give 1 or more"),
    Call("one language", lambda m: lb.recommend("en", "eng", model=m), "both English", "name two languages"),
    Call("candidates in one text", lambda _: lb.Settings(candidates="de"), "'de'", "tuple of languages"),
    Call("negative seed", lambda _: lb.Settings(seed=-1), "--seed -1", "0 or more"),
    Call("share of NaN", lambda _: lb.Settings(top_rate=float("nan")), "--top-rate", "between 0 and 1"),
    Call("lexicon of NUL", lambda m: recommended(m, lexicon="a\0b"), r"a\x00b", "Give cldr"),
    Call("layers backwards", lambda m: recommended(m, layers=(3, 1)), "--layers 3-1", "0 to 3"),
    Call("negative layers", lambda m: recommended(m, layers=(-3, 1)), "--layers -3-1", "0 to 3"),
    Call("no pairs", lambda m: lb.evaluate([], model=m), "no pair of languages", "give some"),
    Call("pair as a text", lambda m: lb.evaluate(["en:sw"], model=m), "'en:sw'", "give source and target"),
    Call("pairs as a text", lambda m: lb.evaluate("en", model=m), "'e'", "give source and target"),
    Call("three languages", lambda m: lb.evaluate([("en", "sw", "de")], model=m), "'de'", "give source and target"),
    Call("pair of one language", lambda m: lb.evaluate([("en", "en")], model=m), "both English", "name two languages"),
    Call("languages in one text", lambda m: lb.relate_languages("en", model=m), "['en']", "a list of languages"),
    Call("two languages", lambda m: lb.relate_languages(["en", "sw", "eng"], model=m), "spectrum", "at least 3"),
    Call("samples for days", lambda _: lb.SpectrumSettings(samples=10**9), "--samples 1000000000", "at most"),
    Call("draws for days", lambda _: lb.AblationSettings(draws=10**9), "--draws 1000000000", "at most"),
    Call("ablation of one", lambda m: lb.ablate("sw", "swh", model=m), "both Swahili", "name two languages"),
    Call("others in one text", lambda _: lb.AblationSettings(languages="en"), "'en'", "are a tuple"),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_bad_call_is_one_line_and_leaves_nothing(
    call: Call, tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinguabridgeError) as caught:
        call.act(str(tiny_model("llama")))
    said = str(caught.value)
    assert call.culprit in said
    assert call.way_out in said
    assert said.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    odd = "a\nb\r\t\x1b[31mred\u2028\ud800"
    assert str(LinguabridgeError(f"No {odd}.")) == r"No a\nb\r\t\x1b[31mred\u2028\ud800."
    assert str(LinguabridgeError("קטן, ünïcode, 語 and 🐈.")) == "קטן, ünïcode, 語 and 🐈."
