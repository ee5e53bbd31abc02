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
from linguabridge.neurons import NeuronSpace
from linguabridge.planted import Plan, PlannedBridge, planted_activations
from linguabridge.profile import LanguageProfile

PLANTED = planted_activations(Plan((PlannedBridge(1, (2, 3)), PlannedBridge(0, (1, 2))), (2, 2), probes=12), 0)
SPACE = PLANTED.rows.space
PROFILE = lb.Profile({"sw": LanguageProfile(SPACE, np.arange(len(SPACE)), np.zeros(len(SPACE)), 20)})
X = np.random.default_rng(0).normal(size=(3, 8))
QUICK = lb.Settings(candidates=("de", "fr"), tokens=200, probes=30, check=0)


@dataclass(frozen=True)
class Call:
    """A call that cannot be answered: given the folder of a tiny model, what the message names, and the way out."""

    name: str
    act: Callable[[str], Any]
    culprit: str
    way_out: str


def studied(**changes: Any) -> lb.StudySettings:
    return lb.StudySettings(pairs=(("ar", "he"),), **changes)


def recommended(model: str, **changes: Any) -> lb.Recommendation:
    return lb.recommend("en", "sw", model=model, settings=replace(QUICK, **changes))


def p_of(**changes: Any) -> Any:
    """:func:`permutation_p` on what was planted, and on other things in its place."""
    usual = {name: getattr(PLANTED, name) for name in ("values", "rows", "shared", "bridges", "window")}
    return lb.permutation_p(**{**usual, "permutations": 9, **changes})


def planned(*bridges: PlannedBridge, seed: int = 0, **changes: Any) -> Any:
    """What a plan with these bridges gives, by default with a good one."""
    usual = Plan(bridges or (PlannedBridge(0.5, (2, 3)),), (1, 1), probes=10)
    return planted_activations(replace(usual, **changes), seed)


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
    Call("pairs as a text", lambda m: lb.evaluate("en", model=m), "'en'", "give source and target"),
    Call("three languages", lambda m: lb.evaluate([("en", "sw", "de")], model=m), "'de'", "give source and target"),
    Call("pair of one language", lambda m: lb.evaluate([("en", "en")], model=m), "both English", "name two languages"),
    Call("pairs of nothing", lambda m: lb.stability([], model=m), "Name pairs", "such as ar:he"),
    Call("stability of three", lambda m: lb.stability([("ar", "he", "sw")], model=m), "'sw'", "give source and target"),
    Call("stability of a text", lambda m: lb.stability("ar:he", model=m), "'ar:he'", "give source and target"),
    Call("stability of texts", lambda m: lb.stability(("ar:he",), model=m), "'ar:he'", "give source and target"),
    Call("stability of one", lambda m: lb.stability([("ar", "ara")], model=m), "both Arabic", "name two languages"),
    Call("stability of numbers", lambda m: lb.stability([(1, 2)], model=m), "(1, 2)", "give source and target"),
    Call("stability in Klingonsh", lambda m: lb.stability([("ar", "Klingonsh")], model=m), "Klingonsh", "lists all"),
    Call("study of nothing", lambda m: lb.study_ways(lb.StudySettings(pairs=()), model=m), "needs pairs", "ar:he"),
    Call("study of three", lambda _: lb.StudySettings(pairs=(("ar", "he", "sw"),)), "'sw'", "give source and target"),
    Call("study of a text", lambda _: lb.StudySettings(pairs="ar:he"), "'ar:he'", "give source and target"),
    Call("study of texts", lambda _: lb.StudySettings(pairs=("ar:he",)), "'ar:he'", "give source and target"),
    Call("study of no pairs", lambda _: lb.StudySettings(pairs=None), "None", "give source and target"),
    Call("study of one", lambda _: lb.StudySettings(pairs=(("ar", "ar"),)), "both Arabic", "name two languages"),
    Call("study in Klingonsh", lambda _: lb.StudySettings(pairs=(("ar", "Klingonsh"),)), "Klingonsh", "lists all"),
    Call("study of few words", lambda _: studied(words=5), "--words 5", "at least 40"),
    Call("study by one text", lambda _: studied(ways="cka"), "'cka'", "are a tuple"),
    Call("study by telepathy", lambda _: studied(ways=("telepathy",)), "'telepathy'", "take one of"),
    Call("study through one text", lambda _: studied(candidates="de"), "'de'", "tuple of languages"),
    Call("study through nobody", lambda _: studied(candidates=()), "--candidates", "leave it out"),
    Call("study of few tokens", lambda _: studied(tokens=1, ways=()), "--tokens 1", "at least 200"),
    Call("study with another seed", lambda _: studied(seed=-1), "--seed -1", "0 or more"),
    Call("languages in one text", lambda m: lb.relate_languages("en", model=m), "['en']", "a list of languages"),
    Call("two languages", lambda m: lb.relate_languages(["en", "sw", "eng"], model=m), "spectrum", "at least 3"),
    Call("samples for days", lambda _: lb.SpectrumSettings(samples=10**9), "--samples 1000000000", "at most"),
    Call("draws for days", lambda _: lb.AblationSettings(draws=10**9), "--draws 1000000000", "at most"),
    Call("ablation of one", lambda m: lb.ablate("sw", "swh", model=m), "both Swahili", "name two languages"),
    Call("p of a vector", lambda _: p_of(values=PLANTED.values[0]), "shape (12,)", "matrix of (neurons, probes)"),
    Call("p of other rows", lambda _: p_of(values=PLANTED.values[1:]), "shape (11, 12)", "each of the 12 neurons"),
    Call("p of NaN", lambda _: p_of(values=PLANTED.values * np.nan), "values", "need finite activations"),
    Call("p of words", lambda _: p_of(values=[["a"] * 12] * 12), "values", "give real numbers"),
    Call("p of no permutations", lambda _: p_of(permutations=0), "permutations=0", "give 1 or more"),
    Call("p by a negative seed", lambda _: p_of(seed=-1), "--seed -1", "0 or more"),
    Call("p given words", lambda _: p_of(given=["a"] * 12), "What is given", "one finite number"),
    Call("p given too little", lambda _: p_of(given=[1, 2]), "What is given", "for each of the 12 probes"),
    Call("p in other layers", lambda _: p_of(window=range(1, 9)), "range(1, 9)", "the layers 0 to 1"),
    Call(
        "p of other neurons",
        lambda _: p_of(rows=PLANTED.shared, values=PLANTED.values[:4]),
        "bridge set of",
        "give values of these",
    ),
    Call(
        "p of another model",
        lambda _: p_of(shared=lb.NeuronSet.of(NeuronSpace((3, 3)), [0])),
        "shared and rows",
        "sets of one model",
    ),
    Call("top share of NaN", lambda _: PROFILE.top("sw", float("nan")), "rate=nan", "between 0 and 1"),
    Call("top share of less", lambda _: PROFILE.top("sw", -1), "rate=-1", "between 0 and 1"),
    Call("top share of more", lambda _: PROFILE.top("sw", 5), "rate=5", "between 0 and 1"),
    Call("top neurons of nobody", lambda _: PROFILE.top("he"), "'he'", "only sw"),
    Call("plan without bridges", lambda _: planted_activations(Plan((), (1,)), 0), "not 0", "give as many"),
    Call("plan of other layers", lambda _: planned(PlannedBridge(0.5, (2,))), "bridge a", "for each layer"),
    Call("plan of no layers", lambda _: planned(shared=()), "0 layers", "give 1 or more"),
    Call("plan of fewer neurons", lambda _: planned(shared=(-1, 2)), "shared has the neurons (-1, 2)", "0 or more"),
    Call("plan of no probes", lambda _: planned(probes=0), "0 probes", "give 1 or more"),
    Call("plan of no factors", lambda _: planned(factors=0), "0 factors", "give 1 or more"),
    Call("plan of NaN", lambda _: planned(loading=float("nan")), "shared has a loading of nan", "between 0 and 1"),
    Call("plan with infinity", lambda _: planned(nuisance=float("inf")), "inf on the nuisance", "a finite number"),
    Call("share of three", lambda _: planned(PlannedBridge(3, (1, 1))), "bridge a has a share of 3", "between 0 and 1"),
    Call("plan by a negative seed", lambda _: planned(seed=-1), "--seed -1", "0 or more"),
    Call("cache in a text", lambda _: lb.Cache("results"), "'results'", "Path('results')"),
    Call("cache of NUL", lambda _: lb.Cache(Path("a\0b")), r"a\x00b", "Path('results')"),
    Call(
        "cache below a file",
        lambda m: lb.Cache(Path(m, "config.json")).put("k", {}, {}, {}),
        "config.json",
        "set LINGUABRIDGE_CACHE",
    ),
    Call("cache by an object", lambda m: lb.Cache(Path(m)).get("k", {"a": object()}), "The key", "give texts"),
    Call("cache of an object", lambda m: lb.Cache(Path(m)).put("k", {}, {}, {"a": {1}}), "The facts", "give texts"),
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
