"""``linguabridge ablate``: that its parts agree, that it goes on, what it says, and what it refuses."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import tiny
from conftest import Ended
from linguabridge import Ablation, AblationSettings, ablate, lazy_model, perplexity
from linguabridge.ablation import settings as settings_module
from linguabridge.ablation.intervene import scaled
from linguabridge.ablation.materials import FEWEST_LINES, gather
from linguabridge.ablation.results import ALIKE, AMPLIFIED, OVERLAP, RANDOM, SPECIFIC, Arm, Change, Control
from linguabridge.ablation.settings import check_languages
from linguabridge.ablation.statistics import p_of_draws
from linguabridge.ablation.tables import text_table, translation_table
from linguabridge.ablation.words import basis, beyond, effect, paragraphs
from linguabridge.cache import Cache
from linguabridge.cluster.options import ClusterOptions
from linguabridge.errors import InputError
from linguabridge.lazy_model import open_model
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel, ModelOptions
from linguabridge.neurons import NeuronSet
from linguabridge.paired import Interval
from linguabridge.perplexity import bits_per_byte
from linguabridge.recommendation import materials as materials_of_recommend
from linguabridge.settings import Settings
from linguabridge.texts import lines_read, load_text
from test_recommend import write_lexicon

Folder = Callable[[str], Path]
Load = Callable[[str], LanguageModel]


DRAWS = 4  # fewer than anybody may ask for: they take most of the time


@pytest.fixture(scope="module", autouse=True)
def _few_draws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_module, "FEWEST_DRAWS", DRAWS)
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, _few_draws: None) -> AblationSettings:
    lexicon = write_lexicon(tmp_path_factory.mktemp("lexicon") / "own.tsv", languages="en sw")
    return AblationSettings(
        lexicon=str(lexicon),
        tokens=300,
        languages=("de", "fr"),
        words=12,
        text_tokens=100,
        top_rate=0.1,
        specific_rate=0.05,
        draws=DRAWS,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def ablated(tiny_model: Folder, cache: Cache, settings: AblationSettings) -> Callable[..., Ablation]:
    """Run from English to Swahili on the tiny Llama; what is not given is as in ``settings``."""

    def once(source: str = "en", target: str = "sw", **changes: Any) -> Ablation:
        lazy = open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache)
        return ablate(source, target, model=lazy, cache=cache, settings=dataclasses.replace(settings, **changes))

    return once


@pytest.fixture(scope="module")
def result(ablated: Callable[..., Ablation]) -> Ablation:
    return ablated()


Run = Callable[..., Ablation]


def neurons(model: LanguageModel, arm: Arm) -> NeuronSet:
    return NeuronSet.of(model.space, [int(model.space.starts[layer]) + unit for layer, unit in arm.neurons])


def test_arms_are_the_overlap_off_and_amplified_and_the_specific_sets_off(result: Ablation) -> None:
    assert [(arm.set, arm.language, arm.factor) for arm in result.arms] == [
        (OVERLAP, None, 0.0),
        (AMPLIFIED, None, 2.0),
        (SPECIFIC, "en", 0.0),
        (SPECIFIC, "sw", 0.0),
    ]
    assert result.arms[0].neurons == result.arms[1].neurons
    assert result.top == dict.fromkeys(("en", "sw"), round(0.1 * tiny.LAYERS * tiny.WIDTH))
    assert [one.code for one in result.contrasts] == ["fi"]
    assert list(result.texts) == ["en", "sw", "fi"]
    assert all(text.unseen and text.tokens == 100 for text in result.texts.values())
    for arm in result.arms:
        assert [text.of for text in arm.texts] == ["en", "sw", "fi"]
        for change in (arm.translation, *arm.texts):
            assert [(one.kind, len(one.draws)) for one in change.controls] == [(RANDOM, DRAWS), (ALIKE, DRAWS)]


def test_figures_are_those_of_the_changed_model(
    result: Ablation, settings: AblationSettings, tiny_loaded: Load, tmp_path: Path
) -> None:
    model = tiny_loaded("llama")
    asked = gather(check_languages("en", "sw", settings), settings, Cache(tmp_path))
    options = [[right, '"another"'] for right in asked.right]

    def right_word() -> np.ndarray:
        return option_log_probabilities(model, asked.prompts, options, whole=True)[:, 0]

    before = right_word()
    assert result.log_probability == pytest.approx(before.mean(), rel=1e-4)
    for arm in result.arms:
        with scaled(model, neurons(model, arm), arm.factor):
            assert arm.translation.change.value == pytest.approx((right_word() - before).mean(), rel=1e-3, abs=1e-4)
            for text in arm.texts:
                lines = asked.held_out[text.of].text.lines()
                after = bits_per_byte(model, lines, max_tokens=100)
                assert text.before + text.change.value == pytest.approx(after.per_byte, rel=1e-4)
                assert text.perplexity is not None
                assert text.perplexity[1] == pytest.approx(after.perplexity, rel=1e-3)


def test_controls_are_told_by_their_draws(result: Ablation) -> None:
    for arm in result.arms:
        for change in (arm.translation, *arm.texts):
            for one in change.controls:
                draws = np.array(one.draws)
                assert one.mean == pytest.approx(draws.mean())
                assert (one.low, one.high) == pytest.approx(tuple(np.quantile(draws, (0.025, 0.975))))
                harmful = (draws >= change.change.value) if change.worse == 1 else (draws <= change.change.value)
                assert one.as_harmful == harmful.sum()
                assert one.p == (1 + harmful.sum()) / (1 + DRAWS)
                assert one.excess.value == pytest.approx(change.change.value - draws.mean())
        # Translation in bits per byte, beyond alike sets, minus text beyond alike sets.
        for code, one in arm.selective.items():
            assert one.low <= one.value <= one.high
            assert code in ("en", "sw", "fi")


def test_second_run_asks_the_model_nothing(ablated: Run, result: Ablation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("loaded"))
    assert ablated().to_dict() == result.to_dict()


def test_killed_run_goes_on_where_it_was(
    ablated: Run, tiny_model: Folder, settings: AblationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = perplexity.continuation_bits

    def count(*given: Any, **more: Any) -> Any:
        asked.append(1)
        if len(asked) == 8:
            raise KeyboardInterrupt
        return real(*given, **more)

    def once() -> Ablation:
        cache = Cache(tmp_path)
        lazy = open_model(str(tiny_model("llama")), ModelOptions("cpu", "float32"), cache)
        return ablate("en", "sw", model=lazy, cache=cache, settings=settings)

    monkeypatch.setattr(perplexity, "continuation_bits", count)
    with pytest.raises(KeyboardInterrupt):
        once()
    found = once()
    # What was interrupted is asked twice, everything else once.
    assert len(asked) == len(list((tmp_path / "ablation").glob("*.json"))) + 1
    assert len(asked) > 4 * DRAWS
    monkeypatch.undo()
    assert found.to_dict() == ablated().to_dict()


def test_words_are_those_of_recommends_check(settings: AblationSettings, tmp_path: Path) -> None:
    wanted = check_languages("en", "sw", settings)
    cache = Cache(tmp_path)
    asked = gather(wanted, settings, cache)
    theirs = materials_of_recommend(
        wanted.source, wanted.target, wanted.compared[2:], Settings(lexicon=settings.lexicon, check=12), cache
    )
    assert [choice.entry for choice in asked.choices] == list(theirs.drawn.check)


def test_held_out_names_are_none_that_neurons_were_read_on(settings: AblationSettings, tmp_path: Path) -> None:
    asked = gather(check_languages("en", "sw", settings), settings, Cache(tmp_path))
    for code in ("en", "sw", "fi"):
        lines = list(asked.held_out[code].text.lines())
        assert len(lines) > 300
        assert not set(lines) & set(asked.texts[code].lines())


def test_own_text_is_measured_after_the_lines_that_neurons_were_read_on(
    settings: AblationSettings, tmp_path: Path
) -> None:
    (tmp_path / "sw.txt").write_text("\n".join(f"mstari wa {i} katika maandishi" for i in range(500)), "utf-8")
    (tmp_path / "en.txt").write_text("\n".join(f"line {i}" for i in range(200)), "utf-8")
    changed = dataclasses.replace(settings, texts=str(tmp_path), tokens=200, languages=(), contrasts=())
    wanted = check_languages("en", "sw", changed)
    asked = gather(wanted, changed, Cache(tmp_path))
    read = list(lines_read(asked.texts["sw"], 200))
    rest = list(asked.held_out["sw"].text.lines())
    assert read + rest == list(load_text(str(tmp_path), wanted.target, 0).lines())
    assert len(rest) > FEWEST_LINES
    assert asked.held_out["sw"].unseen
    assert "after line" in asked.held_out["sw"].text.source
    assert not asked.held_out["en"].unseen
    assert asked.held_out["en"].text == asked.texts["en"]
    # A language that nobody asked for is left out where there is no text in it.
    by_default = dataclasses.replace(changed, contrasts=None)
    asked = gather(check_languages("en", "sw", by_default), by_default, Cache(tmp_path))
    assert list(asked.held_out) == ["en", "sw"]
    assert [note.startswith("Finnish is left out: ") for note in asked.notes] == [True]
    named = dataclasses.replace(changed, contrasts=("fi",))
    with pytest.raises(InputError, match="has no text for Finnish"):
        gather(check_languages("en", "sw", named), named, Cache(tmp_path))


def test_layers_are_those_asked_for(ablated: Run) -> None:
    found = ablated(layers=(1, 2))
    assert found.layers == (1, 2)
    assert {layer for arm in found.arms for layer, _ in arm.neurons} == {1, 2}
    with pytest.raises(InputError, match=r"layers are 0 to 3"):
        ablated(layers=(2, 7))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draws": DRAWS - 1}, rf"--draws {DRAWS - 1} is too few"),
        ({"amplify": 1.0}, r"--amplify 1.0: a factor greater than 1"),
        ({"words": 5}, r"--words 5 is too few"),
        ({"text_tokens": 5}, r"--text-tokens 5 is too few"),
        ({"tokens": 5}, r"--tokens 5 is too few"),
        ({"top_rate": 0.0}, r"--top-rate is a share"),
        ({"specific_rate": 1.0}, r"--specific-rate is a share"),
        ({"contrasts": "en"}, r"Contrasts are a tuple"),
        ({"contrasts": ("sw",)}, r"contrast Swahili \(sw\) is the target language itself"),
        ({"top_rate": 0.9}, r"lower --top-rate"),
    ],
)
def test_what_cannot_be_is_refused(ablated: Run, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ablated(**changes)


def test_pair_that_shares_no_neuron_in_these_layers_is_refused(ablated: Run) -> None:
    ((layer, _),) = ablated(top_rate=0.001).arms[0].neurons
    other = (layer + 1) % tiny.LAYERS
    with pytest.raises(InputError, match=r"share none of their .* raise --top-rate, now 0.001, or widen --layers"):
        ablated(top_rate=0.001, layers=(other, other))


def test_fewer_draws_than_a_small_p_value_needs_are_refused() -> None:
    code = "from linguabridge import AblationSettings; AblationSettings(draws=19)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "--draws 19 is too few random sets for a p-value under .05; give at least 20." in ended.stderr


def test_workers_are_refused(tiny_model: Folder, cache: Cache, settings: AblationSettings) -> None:
    options = ModelOptions("cpu", "float32", cluster=ClusterOptions("local"))
    with pytest.raises(InputError, match="in this process, not on workers"):
        ablate("en", "sw", model=str(tiny_model("llama")), options=options, settings=settings, cache=cache)


def test_pair_of_one_language_is_refused(ablated: Run) -> None:
    with pytest.raises(InputError, match="both English"):
        ablated("en", "en")


def test_contrasts_are_english_and_one_that_is_no_kin() -> None:
    def codes(source: str, target: str) -> list[str]:
        return [one.code for one in check_languages(source, target, AblationSettings()).contrasts]

    assert codes("ar", "he") == ["en", "fi"]
    assert codes("fi", "hu") == ["en", "sw"]
    assert codes("en", "et") == ["sw"]


def test_language_without_a_specific_neuron_is_left_out_and_said(ablated: Run) -> None:
    found = ablated(layers=(0, 0), specific_rate=0.003, top_rate=0.2)
    missing = {"en", "sw"} - {arm.language for arm in found.arms}
    assert missing
    assert sum("No neuron is specific" in note for note in found.notes) == len(missing)
    assert paragraphs(found)


def control(kind: str, p: float, excess: Interval) -> Control:
    return Control(kind, -0.1, -0.2, 0.0, (-0.1,) * 20, 0, p, excess)


def with_translation(
    result: Ablation,
    change: Interval,
    random: tuple[float, Interval],
    alike: tuple[float, Interval],
    n: int = 100,
    **changes: Any,
) -> str:
    """What is said of the shared neurons when they change translation so."""
    controls = (control(RANDOM, *random), control(ALIKE, *alike))
    found = {
        "activation": {"set": 1.0, RANDOM: 0.1, ALIKE: 0.9},
        "selective": dict.fromkeys(("en", "sw", "fi"), MORE_LOST),
    }
    arm = dataclasses.replace(
        result.arms[0],
        translation=Change("translation", -1, -5.0, change, None, controls),
        **{**found, **changes},
    )
    return " ".join(paragraphs(dataclasses.replace(result, arms=(arm, *result.arms[1:]), n_words=n))[:2])


MORE_LOST, LESS_LOST = Interval(0.2, 0.1, 0.3), Interval(-0.2, -0.3, -0.1)
HARM, MORE, SAME = Interval(-0.5, -0.7, -0.3), Interval(-0.4, -0.6, -0.2), Interval(-0.1, -0.3, 0.1)


def test_harm_beyond_both_controls_is_said_and_set_beside_the_languages(result: Ablation) -> None:
    said = with_translation(result, HARM, (1 / 21, MORE), (1 / 21, MORE))
    assert "that English and Swahili share" in said
    assert "harms translation: the log-probability of the right word changes by -.500" in said
    assert "That is more harm than as many random neurons of the same layers (-.100 on average" in said
    assert "and more than random ones that are about as active" in said
    assert "They matter more to translation than to the languages themselves" in said


def test_harm_to_the_languages_and_to_others_is_said(result: Ablation) -> None:
    def said(**lost: Interval) -> str:
        selective = {"en": MORE_LOST, "sw": MORE_LOST, "fi": MORE_LOST, **lost}
        return with_translation(result, HARM, (1 / 21, MORE), (1 / 21, MORE), selective=selective)

    assert "than to English and Swahili, but not more than to Finnish, outside of the pair" in said(fi=SAME)
    assert "outside of the pair" not in said()
    assert "is not shown: beyond random" in said(sw=SAME)
    assert "They matter more to the languages themselves than to translation" in said(en=LESS_LOST, sw=LESS_LOST)


def test_random_neurons_that_are_not_quite_as_active_are_said_to_be_so(result: Ablation) -> None:
    said = with_translation(
        result, HARM, (1 / 21, MORE), (1 / 21, MORE), activation={"set": 1.0, RANDOM: 0.1, ALIKE: 0.7}
    )
    assert "not as many others quite as active (mean activation .700 against 1.000)" in said
    assert "quite as active" not in with_translation(result, HARM, (1 / 21, MORE), (1 / 21, MORE))


def test_harm_that_activity_explains_is_said_to_be_no_more_than_that(result: Ablation) -> None:
    said = with_translation(result, HARM, (1 / 21, MORE), (0.3, SAME))
    assert "that the neurons are so active is enough to explain it" in said
    assert "cannot be asked" in said


def test_no_harm_and_little_harm_are_said(result: Ablation) -> None:
    said = with_translation(result, Interval(-0.1, -0.3, 0.1), (1.0, SAME), (1.0, SAME))
    assert "does not clearly change translation" in said
    assert "As many random neurons of the same layers change it by" in said
    assert "improves translation" in with_translation(result, Interval(0.2, 0.1, 0.3), (1.0, SAME), (1.0, SAME))
    assert "not clearly more harm than" in with_translation(result, HARM, (0.5, SAME), (0.5, SAME))
    assert "only 12 words, a hint at best" in with_translation(result, HARM, (0.5, SAME), (0.5, SAME), n=12)


def test_effect_and_beyond_go_by_the_side_of_harm() -> None:
    rise = Change("en", 1, 2.0, Interval(0.2, 0.1, 0.3), (4.0, 5.0), ())
    assert effect(rise) == "harms"
    assert effect(dataclasses.replace(rise, worse=-1)) == "helps"
    assert beyond(rise, control(ALIKE, 0.04, Interval(0.2, 0.1, 0.3)))
    assert not beyond(rise, control(ALIKE, 0.06, Interval(0.2, 0.1, 0.3)))
    p = p_of_draws(0.2, np.array([0.3, *[0.1] * 38]), 1)[1]  # one of 39 draws does as much: (1 + 1) / (1 + 39)
    assert p == 0.05
    assert not beyond(rise, control(ALIKE, p, Interval(0.2, 0.1, 0.3)))
    assert not beyond(rise, control(ALIKE, 0.04, Interval(-0.2, -0.3, -0.1)))


def test_tables_fit_a_narrow_terminal_and_name_every_set(result: Ablation) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(translation_table(result))
    console.print(text_table(result))
    shown = console.export_text()
    for name in ("shared, off", "shared × 2", "English's, off", "Swahili's, off"):
        assert shown.count(name) == 2
    assert shown.count("  as active") == 8
    assert "…" not in shown
    assert all(math.isfinite(one.change.value) for arm in result.arms for one in arm.texts)
    assert any("held-out words were translated directly" in sentence for sentence in basis(result))


@pytest.fixture
def arguments(tiny_model: Folder, settings: AblationSettings) -> list[str]:
    return [
        *("ablate", "en", "sw", "--model", str(tiny_model("llama")), "--lexicon", settings.lexicon, "--tokens", "300"),
        *("--languages", "de,fr", "--words", "12", "--text-tokens", "100", "--top-rate", "0.1"),
        *("--draws", str(DRAWS)),
        *("--specific-rate", "0.05", "--device", "cpu"),
    ]


Command = Callable[..., Ended]


def test_command_tells_in_words_and_tables_and_keeps_a_folder(run: Command, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.code == 0, ended.err
    text = " ".join(ended.out.split())
    assert "that English and Swahili share" in text
    assert "What this rests on" in text
    assert "shared × 2" in text
    body = json.loads(Path("ablation/ablation.json").read_text("utf-8"))
    assert body["command"].startswith("linguabridge ablate en sw --model")
    assert body["target"]["code"] == "sw"
    assert "ablation.json" in ended.err
    assert json.loads(Path("ablation/progress.json").read_text("utf-8"))["state"] == "finished"
    again = run(*arguments, "--json", "-")
    assert json.loads(again.out)["arms"] == body["arms"]
    other = run(*arguments, "--seed", "1")
    assert other.code == 2
    assert "holds another ablation (it differs in seed)" in other.err
    Path("ablation/ablation.json").write_text("{}", "utf-8")
    assert "is no ablation and would be overwritten" in run(*arguments).err


def test_misspelt_language_is_named_before_torch_is_imported() -> None:
    code = (
        "import sys; from linguabridge import cli; sys.argv = ['linguabridge', 'ablate', 'Swahilli', 'en']\n"
        "try: cli.main()\n"
        "except SystemExit as end: sys.exit(end.code if 'torch' not in sys.modules else 3)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "did you mean sw" in ended.stderr
