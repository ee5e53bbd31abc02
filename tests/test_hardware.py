"""Device and type by what the hardware does well and what the checkpoint holds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from linguabridge import hardware
from linguabridge.errors import InputError
from linguabridge.hardware import choose_device, choose_dtype, cpu_is_good_at_bfloat16, set_threads


def stored(folder: Path, **config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("config", "good", "expected"),
    [
        ({"dtype": "bfloat16"}, True, torch.bfloat16),
        ({"dtype": "bfloat16"}, False, torch.float32),
        ({"torch_dtype": "bfloat16"}, True, torch.bfloat16),
        ({"dtype": "torch.bfloat16"}, True, torch.bfloat16),
        ({"text_config": {"dtype": "bfloat16"}}, True, torch.bfloat16),
        ({"text_config": None, "dtype": "bfloat16"}, True, torch.bfloat16),
        ({"dtype": "float32"}, True, torch.float32),
        ({"dtype": "float16"}, True, torch.float32),  # CPUs compute it slowly
        ({"dtype": "float8_e4m3fn"}, True, torch.float32),
        ({}, True, torch.float32),
    ],
)
def test_cpu_computes_in_the_checkpoints_type_only_where_it_is_good_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], good: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(hardware, "cpu_is_good_at_bfloat16", lambda: good)
    assert choose_dtype("auto", "cpu", stored(tmp_path, **config)) == expected


@pytest.mark.parametrize(
    ("device", "dtype", "native", "expected"),
    [
        ("cuda", "bfloat16", True, torch.bfloat16),
        ("cuda:1", "float16", True, torch.bfloat16),
        ("cuda", "bfloat16", False, torch.float16),
        ("cuda", "float32", True, torch.float32),
        ("mps", "bfloat16", False, torch.float16),
        ("mps", "float32", False, torch.float32),
    ],
)
def test_accelerators_compute_in_half_precision_unless_the_checkpoint_is_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, dtype: str, native: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    assert choose_dtype("auto", device, stored(tmp_path, dtype=dtype)) == expected


@pytest.mark.parametrize(("name", "expected"), hardware.DTYPES.items())
def test_type_asked_for_is_taken(tmp_path: Path, name: str, expected: torch.dtype) -> None:
    assert choose_dtype(name, "cpu", tmp_path) == expected


@pytest.mark.parametrize("name", ["int8", "", "Float32", "bf16"])
def test_unknown_type_names_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"Unknown dtype '{name}': choose one of auto, float32, bfloat16, float16"):
        choose_dtype(name, "cpu", tmp_path)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "tpu", "cpu cpu"])
def test_unknown_device_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match=f"no device '{name}' on this machine; --device auto"):
        choose_device(name)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_device_is_an_accelerator_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device() == expected
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize(("cuda", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_map_of_devices_computes_in_the_type_of_what_it_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuda: bool, dtype: torch.dtype
) -> None:
    assert choose_device("map") == "map"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "cpu_is_good_at_bfloat16", lambda: False)
    assert choose_dtype("auto", "map", stored(tmp_path, dtype="bfloat16")) == dtype


@pytest.mark.parametrize(("bfloat16", "expected"), [(0.5, True), (0.9, False), (300.0, False)])
def test_cpu_is_judged_by_trying(monkeypatch: pytest.MonkeyPatch, bfloat16: float, expected: bool) -> None:
    monkeypatch.setattr(hardware, "_seconds", lambda dtype: bfloat16 if dtype == torch.bfloat16 else 1.0)
    assert cpu_is_good_at_bfloat16.__wrapped__() == expected


def test_products_take_time() -> None:
    assert 0 < hardware._seconds(torch.float32) < 10


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
