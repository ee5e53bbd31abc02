"""Results of every kind, made up but whole: bodies as their commands write them, for tests of reports."""

from __future__ import annotations

import contextlib
import functools
from typing import Any
from unittest import mock

import numpy as np

from linguabridge import languages
from linguabridge.check import CHAINED, DIRECT, Check, CheckItem
from linguabridge.check import Arm as CheckArm
from linguabridge.choosing.choice import Chosen
from linguabridge.choosing.ways import WAYS
from linguabridge.errors import InputError
from linguabridge.evaluation.results import Arm, Evaluation, Result, Row
from linguabridge.evaluation.settings import EvaluationSettings
from linguabridge.evaluation.statistics import with_holm
from linguabridge.json_values import plain
from linguabridge.languages import PAPER_LANGUAGES, Language
from linguabridge.lexicons import Entry, PairEntries
from linguabridge.neuron_ranking import Sets
from linguabridge.paired import Comparison, Contrast, Interval
from linguabridge.ranking import CandidateScore, Ranking
from linguabridge.recommendation import Recommendation
from linguabridge.settings import FIXED, Settings
from linguabridge.spectrum.agreement import Mantel, NeighbourShare
from linguabridge.spectrum.results import (
    LABELS,
    SHUFFLED,
    TOKENS,
    KinshipTest,
    LayerCurve,
    Measure,
    MutualPair,
    Neighbour,
    SharedCounts,
    Spectrum,
)
from linguabridge.spectrum.settings import SpectrumSettings
from linguabridge.spectrum.support import support
from linguabridge.spectrum.tree import cluster
from linguabridge.study import policies, regret
from linguabridge.study.measured import MeasuredPair
from linguabridge.study.results import Study
from linguabridge.study.settings import CHAINS, VOTED, StudySettings
from linguabridge.study.study import analyses
from linguabridge.understood import Probes

FAMILIES = {
    "en": ("Indo-European", "Germanic"),
    "de": ("Indo-European", "Germanic"),
    "fr": ("Indo-European", "Italic", "Romance"),
    "it": ("Indo-European", "Italic", "Romance"),
    "pt": ("Indo-European", "Italic", "Romance"),
    "es": ("Indo-European", "Italic", "Romance"),
    "ar": ("Afro-Asiatic", "Semitic"),
    "he": ("Afro-Asiatic", "Semitic"),
    "id": ("Austronesian",),
    "tl": ("Austronesian",),
    "fi": ("Uralic",),
    "hu": ("Uralic",),
    "sw": ("Niger-Congo", "Bantu"),
    "zh": ("Sino-Tibetan",),
    "ja": (),
}
SCRIPTS = {"ar": "Arab", "he": "Hebr", "zh": "Hans", "ja": "Jpan"}
_MORE = """af am as az be bg bn bo br bs ca cs cy da el et eu fa fo fy ga gd gl gu ha hi hr hy ig is jv ka kk km kn ko
ku ky lo lt lv mg mk ml mn mr ms mt my ne nl no ny or pa pl ps ro ru rw sd si sk sl sm sn so sq sr st su sv ta te tg th
tk to tr tt ug uk ur uz vi wo xh yi yo zu"""


def spectrum(n: int = 15, n_layers: int = 18, seed: int = 0) -> Spectrum:
    """Languages at random places of a space, kin near each other."""
    rng = np.random.default_rng(seed)
    codes = [*PAPER_LANGUAGES, *_MORE.split()][:n]
    families = {code: FAMILIES.get(code, (f"Family {number % 13}",)) for number, code in enumerate(codes)}
    homes = {groups[:1]: rng.normal(size=3) for groups in families.values()}
    places = np.array([homes[families[code][:1]] + rng.normal(size=3) / 2 for code in codes])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    alike = np.exp(-distances / 4)
    noise = [np.abs(rng.normal(size=(n, n))) / 20 for _ in range(40)]
    samples = [np.where(np.eye(n, dtype=bool), 0, 1 - alike + (one + one.T)) for one in noise]
    matrices = {
        name: np.round(300 * alike) if name == "overlap" else alike ** (1 + i / 3) for i, name in enumerate(LABELS)
    }
    matrices["cka"] = matrices["cka"].copy()
    matrices["cka"][0, 1] = matrices["cka"][1, 0] = np.nan
    order = [np.argsort(row)[1:4] for row in 1 - alike]
    neighbours = {
        code: tuple(Neighbour(codes[j], float(alike[i, j]), 0.9 - 0.2 * k) for k, j in enumerate(order[i]))
        for i, code in enumerate(codes)
    }
    scripts = {code: SCRIPTS.get(code, "Latn") for code in codes}
    mutual = tuple(
        MutualPair(
            codes[i], codes[j], float(alike[i, j]), families[codes[i]][:1] == families[codes[j]][:1],
            scripts[codes[i]] == scripts[codes[j]], 0.8,
        )
        for i in range(n)
        for j in [int(order[i][0])]
        if i < j and order[j][0] == i
    )  # fmt: skip
    wave = np.linspace(0, 3, n_layers)
    names = [name for name in LABELS if name not in (SHUFFLED, TOKENS)]
    curves = tuple(
        LayerCurve(
            name,
            within=tuple(float(x) for x in 0.6 + np.sin(wave + i) / 5),
            between=(None, *(float(x) for x in 0.4 + np.cos(wave[1:] + i) / 5)),
            separation=tuple(float(x) for x in 0.6 + np.sin(wave * 2 + i) / 4),
        )
        for i, name in enumerate(names)
    )
    test = KinshipTest(
        "correlation", "family", NeighbourShare(12, 0.75, 0.2, 0.0001), Mantel(91, 0.4, 0.001), Mantel(91, 0.3, 0.02)
    )
    other = KinshipTest("tokens", "script", NeighbourShare(13, 0.5, 0.4, 0.3), None, None)
    return Spectrum(
        languages=tuple(map(languages.parse, codes)),
        model="tiny",
        identity={"weights": "ab" * 32, "device": "cpu", "revision": None},
        settings=SpectrumSettings(tokens=500),
        profiled=dict.fromkeys(codes, ("Unicode CLDR names", "cd" * 32, 500)),
        families=families,
        scripts=scripts,
        n_concepts=120,
        widths=(64,) * n_layers,
        measures=tuple(Measure(name, matrices[name]) for name in names),
        controls=tuple(Measure(name, matrices[name]) for name in (SHUFFLED, TOKENS)),
        tree=cluster(
            codes, np.where(np.eye(n, dtype=bool), 0, 1 - alike), support([1 - one for one in samples]).branches
        ),
        points=places[:, :2],
        shown=0.62,
        neighbours=neighbours,
        mutual=mutual,
        mutual_by_measure={name: tuple((one.first, one.second) for one in mutual) for name in LABELS},
        kinship=(test, other),
        curves=curves,
        counts=SharedCounts(*(tuple(int(x) for x in rng.integers(1, 40, n_layers)) for _ in range(3))),
        notes=("A made-up note.",),
    )


def recommendation(*candidates: str, check: bool = True) -> Recommendation:
    """From Arabic to Hebrew, the candidates in their order; the last has no neurons in the first layer."""
    codes = candidates or ("fi", "en", "sw")
    scores = tuple(
        CandidateScore(
            code=code,
            score=0.064321 - 0.01 * place,
            low=0.04 - 0.01 * place,
            high=0.09 - 0.01 * place,
            best=(0.9, 0.1, 0.0)[min(place, 2)],
            layers=(None if place == len(codes) - 1 else 0.031 + place / 100, 0.05, 0.07 - place / 1000),
            neurons=(0 if place == len(codes) - 1 else 9 + place, 20, 30),
        )
        for place, code in enumerate(codes)
    )
    source, target = languages.parse("ar"), languages.parse("he")
    entry = Entry("🐘", "فيل", ("פיל",))
    return Recommendation(
        source=source,
        target=target,
        candidates=tuple(_language(code) for code in codes),
        model="tiny",
        identity={"weights": "ab" * 32, "device": "cpu", "revision": None},
        settings=Settings(candidates=codes, probes=100),
        pair=PairEntries(source, target, "Unicode CLDR", (entry,), 10, 1, 2),
        tokens_per_word=(2.5, 2.75),
        profiled=dict.fromkeys(("ar", "he", *codes), ("Unicode CLDR names", "cd" * 32, 500)),
        probes=Probes((entry,), ("العربية:",), 100, 40, "ranked", fell_back=False),
        sets=Sets(0.02, True, dict.fromkeys(("ar", "he", *codes), 73), 50, 40, 30, ()),
        ranking=Ranking(scores, (6, 8), "cka", (11, 12, 17), 40, (0.01, 0.002, 0.03) if len(codes) > 1 else None),
        chosen=Chosen(
            "hub-hidden",
            "CKA of hidden states with the model's hub language",
            {code: 0.91 - 0.02 * place for place, code in enumerate(codes)},
        ),
        similarity=dict.fromkeys(codes, (0.7, 0.8)),
        check=_check() if check else None,
        n_seen=3,
        notes=("A made-up note.",),
    )


def _language(code: str) -> Language:
    """Also of a code that is none."""
    try:
        return languages.parse(code)
    except InputError:
        return Language(code, code, code, rtl=False, spaced=True)


def _check() -> Check:
    items = tuple(
        CheckItem(
            concept=f"c{number}",
            source="فيل",
            gold=("פיל",),
            bridge_words={},
            prompt='العربية:"فيل"→עברית:',
            rank=1 + number % 3,
            answer="<b>פיל</b>" if number else "=1+1",
            exact=False,
            copied=False,
        )
        for number in range(40)
    )
    arms = (
        CheckArm(None, items, Interval(0.35, 0.2, 0.5), Interval(0.45, 0.4, 0.6), Interval(0, 0, 0)),
        CheckArm(
            "en",
            items,
            Interval(0.45, 0.3, 0.6),
            Interval(0.65, 0.6, 0.7),
            Interval(0.1, 0, 0.2),
            n_copied=2,
            first_hop=0.25,
            against_direct=Comparison(Interval(0.3, 0.2, 0.4), Interval(0.1, 0, 0.2), 0.01, 0.05),
            against_direct_without_copies=Comparison(Interval(0.2, 0.1, 0.3), Interval(0.1, 0, 0.2), 0.02, 0.05),
        ),
        CheckArm(
            "fi",
            items,
            Interval(0.3, 0.2, 0.4),
            Interval(0.4, 0.3, 0.5),
            Interval(0.1, 0, 0.2),
            against_direct=Comparison(Interval(-0.05, -0.1, 0.01), Interval(-0.05, -0.1, 0.1), 0.4, 0.06),
        ),
        CheckArm(
            "en+fr+es",
            items,
            Interval(0.4, 0.3, 0.5),
            Interval(0.6, 0.5, 0.7),
            Interval(0.1, 0, 0.2),
            against_direct=Comparison(Interval(0.15, 0.05, 0.25), Interval(0.15, 0, 0.3), 0.03, 0.06),
        ),
    )
    return Check(arms, 40)


def evaluation(label: str = "via English") -> Evaluation:
    """Two tasks, one of them on two pairs; 40 items, of which one is written out in two arms."""

    def arm(name: str, label: str, metric: str, value: float, gain: float, **more: Any) -> Arm:
        scale = 100 if metric == "chrF++" else 1
        metrics = {metric: Interval(value * scale, (value - 0.1) * scale, (value + 0.1) * scale)}
        if metric == "MRR":
            metrics["P@1"] = Interval(value - 0.05, value - 0.15, value + 0.05)
        contrast = Contrast(
            Interval(gain * scale, (gain - 0.05) * scale, (gain + 0.05) * scale),
            0.0004,
            None,
            "paired permutation",
            9,
            2,
            float("nan"),
        )
        return Arm(name, label, (), metrics, {}, against_direct=None if name == "direct" else contrast, **more)

    def result(source: str, target: str, task: str, metric: str) -> Result:
        arms = (
            arm("direct", "direct", metric, 0.4, 0),
            arm("en", label, metric, 0.6, 0.2, first_hop=0.3),
            arm("recommended", "via Finnish (recommended)", metric, 0.39, -0.01),
            arm("oracle", "via French (best in hindsight)", metric, 0.7, 0.3),
        )
        return Result(source, target, task, metric, "text", 40, "fi", arms, ("A made-up note.",))

    results = with_holm(
        [result("ar", "he", "bli", "MRR"), result("sw", "he", "bli", "MRR"), result("ar", "he", "translate", "chrF++")]
    )
    row = Row(
        source="ar",
        target="he",
        task="bli",
        arm="direct",
        item="1",
        concept="🐘",
        text="فيل",
        bridges=(),
        bridge_texts=(),
        prompt='العربية:"فيل"→עברית:',
        options=("פיל", "חתול"),
        option_scores=(-1.5, -2.5),
        output="<script>alert(1)</script>",
        parsed="פיל",
        gold=("פיל",),
        score=1.0,
        right=True,
    )
    bridged = Row(**{**vars(row), "arm": "en", "bridges": ("en",), "bridge_texts": ("elephant",), "right": False})
    settings = {
        **plain(EvaluationSettings(tasks=("bli", "translate"), limit=40)),
        "engine": {"weights": "ab" * 32, "device": "cpu"},
        "items": {"bli ar:he": "ef" * 32},
    }
    return Evaluation("tiny", results, (row, bridged), settings)


STUDIED = (("ar", "he"), ("fi", "hu"), ("en", "tl"), ("ar", "sw"), ("de", "hu"), ("en", "sw"))
USEFUL = {"es": 0.7, "fr": 0.5, "en": 0.4, "pt": 0.35, "de": 0.3, "sw": 0.2, "ja": 0.1}


@functools.cache
def study(n_words: int = 40) -> Study:
    """Six pairs, three of them for development; the earlier a bridge stands in USEFUL, the more useful it is."""
    rng = np.random.default_rng(7)
    settings = StudySettings(pairs=STUDIED, candidates=tuple(USEFUL), words=n_words)
    pairs = tuple(_measured(source, target, n_words, rng) for source, target in STUDIED)
    few = (
        (regret, "SAMPLES", 60),
        (regret, "HALVINGS", 40),
        (policies, "CHANCES", 60),
    )  # draws: for speed
    with contextlib.ExitStack() as stack:
        for module, name, draws in few:
            stack.enter_context(mock.patch.object(module, name, draws))
        found = analyses(pairs, seed=0)
    return Study(
        model="tiny",
        identity={"weights": "ab" * 32, "device": "cpu", "revision": None, "lexicon": "ef" * 32},
        settings=settings,
        pairs=pairs,
        analyses=found,
    )


def _measured(source: str, target: str, n_words: int, rng: np.random.Generator) -> MeasuredPair:
    candidates = tuple(code for code in USEFUL if code not in (source, target))
    known = [code for code in FIXED if code in candidates]
    several = [sign.join(known[:n]) for sign in (CHAINED, VOTED) for n in CHAINS]
    arms = (DIRECT, *candidates, *several)
    useful = np.array([0.3, *(USEFUL[code] for code in candidates), *(0.65,) * len(several)])
    right = rng.random((len(useful), n_words)) < useful[:, None]
    ranks = np.where(right, 1, rng.integers(2, 11, right.shape))
    own = useful[1 : 1 + len(candidates)]
    scores = {name: tuple(own + rng.normal(0, 0.05 * place, len(own))) for place, name in enumerate(WAYS)}
    scores["english"] = tuple(-float(FIXED.index(code)) if code in FIXED else -np.inf for code in candidates)
    scores["random"] = (0.0,) * len(candidates)
    scores["hub"] = (np.nan, *scores["hub"][1:])
    return MeasuredPair(
        source=source,
        target=target,
        candidates=candidates,
        arms=arms,
        concepts=tuple(f"{source}-{target} {number}" for number in range(n_words)),
        words=tuple(f"w{number}" for number in range(n_words)),
        ranks=ranks,
        exact=np.where(np.char.find(arms, VOTED)[:, None] < 0, right, np.nan),
        as_direct=np.array([0.0, *(0.05,) * (len(useful) - 1)]),
        n_copied=3,
        scores=scores,
        first_hop=rng.integers(1, 11, (len(candidates), 30)),
        second_hop=rng.integers(0, 11, (len(candidates), 30)),
    )
