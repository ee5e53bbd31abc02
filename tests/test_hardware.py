"""Device and type by what the hardware does well and what the checkpoint holds."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from linguabridge import hardware
from linguabridge.cache import Cache
from linguabridge.errors import InputError, ModelError
from linguabridge.hardware import (
    check_choice,
    choose_device,
    choose_dtype,
    cpu_is_good_at_bfloat16,
    remembered_choice,
    set_threads,
    start_threads,
)


def stored(folder: Path, **config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("config", "good", "expected"),
    [
        ({"dtype": "bfloat16"}, True, "bfloat16"),
        ({"dtype": "bfloat16"}, False, "float32"),
        ({"torch_dtype": "bfloat16"}, True, "bfloat16"),
        ({"dtype": "torch.bfloat16"}, True, "bfloat16"),
        ({"text_config": {"dtype": "bfloat16"}}, True, "bfloat16"),
        ({"text_config": None, "dtype": "bfloat16"}, True, "bfloat16"),
        ({"dtype": "float32"}, True, "float32"),
        ({"dtype": "float16"}, True, "float32"),  # CPUs compute it slowly
        ({"dtype": "float8_e4m3fn"}, True, "float32"),
        ({}, True, "float32"),
    ],
)
def test_cpu_computes_in_the_checkpoints_type_only_where_it_is_good_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], good: bool, expected: str
) -> None:
    monkeypatch.setattr(hardware, "cpu_is_good_at_bfloat16", lambda: good)
    assert choose_dtype("auto", "cpu", stored(tmp_path, **config)) == expected


@pytest.mark.parametrize(
    ("device", "dtype", "native", "expected"),
    [
        ("cuda", "bfloat16", True, "bfloat16"),
        ("cuda:1", "float16", True, "float16"),
        ("cuda", "bfloat16", False, "float32"),
        ("cuda", "float16", False, "float16"),
        ("cuda", "float32", True, "float32"),
    ],
)
def test_accelerators_compute_in_the_checkpoints_type_where_they_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, dtype: str, native: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    assert choose_dtype("auto", device, stored(tmp_path, dtype=dtype)) == expected


@pytest.mark.parametrize("name", hardware.DTYPES)
def test_type_asked_for_is_taken(tmp_path: Path, name: str) -> None:
    assert choose_dtype(name, "cpu", tmp_path) == name


@pytest.mark.parametrize("name", ["int8", "", "Float32", "bf16"])
def test_unknown_type_names_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"Unknown dtype '{name}': choose one of auto, float32, bfloat16, float16"):
        choose_dtype(name, "cpu", tmp_path)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "tpu", "cpu cpu"])
def test_unknown_device_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match=f"no device '{name}' on this machine; --device auto"):
        choose_device(name)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "cpu"), (False, False, "cpu")]
)
def test_device_is_an_accelerator_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device() == expected
    assert choose_device("cpu") == "cpu"


def test_a_device_without_64_bit_numbers_is_refused() -> None:
    with pytest.raises(InputError, match="lack 64-bit numbers, which sums and likelihoods need; take --device cpu"):
        choose_device("mps")


@pytest.mark.parametrize(("cuda", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_a_map_of_devices_computes_in_the_type_of_what_it_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuda: bool, dtype: str
) -> None:
    assert choose_device("map") == "map"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "cpu_is_good_at_bfloat16", lambda: False)
    assert choose_dtype("auto", "map", stored(tmp_path, dtype="bfloat16")) == dtype


@pytest.mark.parametrize(("bfloat16", "expected"), [(0.5, True), (0.9, False), (300.0, False)])
def test_cpu_is_judged_by_trying(monkeypatch: pytest.MonkeyPatch, bfloat16: float, expected: bool) -> None:
    monkeypatch.setattr(hardware, "_seconds", lambda dtype: bfloat16 if dtype == "bfloat16" else 1.0)
    assert cpu_is_good_at_bfloat16.__wrapped__() == expected


def test_products_take_time() -> None:
    assert 0 < hardware._seconds("float32") < 10


def test_threads_are_the_cores_of_this_process_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    set_threads()
    assert chosen == []
    monkeypatch.delenv("OMP_NUM_THREADS")
    set_threads()
    assert chosen == [3]


def test_threads_wait_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delitem(sys.modules, "torch")
    set_threads()
    assert chosen == []
    monkeypatch.setitem(sys.modules, "torch", torch)
    start_threads()
    start_threads()
    assert chosen == [2]  # once


@pytest.fixture
def bfloat16(tmp_path: Path) -> Path:
    return stored(tmp_path, dtype="bfloat16")


def test_torch_is_asked_once_what_it_computes_on(
    bfloat16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, asked = Cache(tmp_path / "cache"), []
    monkeypatch.setattr(hardware, "choose_device", lambda wanted="auto": asked.append(wanted) or "cuda")
    monkeypatch.setattr(hardware, "choose_dtype", lambda *_: "float16")
    for _ in range(2):
        assert remembered_choice("auto", "auto", bfloat16, cache) == ("cuda", "float16")
    assert asked == ["auto"]
    # Another machine, or one that looks otherwise, is another question; so is another wish.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    remembered_choice("auto", "auto", bfloat16, cache)
    remembered_choice("cuda:1", "auto", bfloat16, cache)
    stored(tmp_path, dtype="float32")
    remembered_choice("auto", "auto", bfloat16, cache)
    assert asked == ["auto", "auto", "cuda:1", "auto"]


def test_what_torch_no_longer_says_is_corrected_before_anything_is_computed(
    bfloat16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")
    monkeypatch.setattr(
        hardware, "choose_dtype", lambda wanted, device, folder: {"cuda": "float16"}.get(device, "float32")
    )
    monkeypatch.setattr(hardware, "choose_device", lambda wanted="auto": "cuda")
    check_choice("auto", "auto", bfloat16, cache)
    monkeypatch.setattr(hardware, "choose_device", lambda wanted="auto": "cpu")
    assert remembered_choice("auto", "auto", bfloat16, cache) == ("cuda", "float16")
    with pytest.raises(ModelError, match="computes on cpu, and did on cuda when it was last asked"):
        check_choice("auto", "auto", bfloat16, cache)
    assert remembered_choice("auto", "auto", bfloat16, cache) == ("cpu", "float32")
    check_choice("auto", "auto", bfloat16, cache)


def test_keys_in_the_environment_are_not_written_down(
    bfloat16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NVIDIA_API_KEY", "OPENAI_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "sesame")
    remembered_choice("auto", "auto", bfloat16, Cache(tmp_path / "cache"))
    (manifest,) = (tmp_path / "cache").rglob("*.json")
    assert "sesame" not in manifest.read_text("utf-8")
