"""What a model's folder may not ask for: adapters, code from elsewhere, sizes that no model has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linguabridge.cache import Cache
from linguabridge.errors import ModelError
from linguabridge.model import ModelOptions, load_model
from linguabridge.model_config import brings_code, check_config
from linguabridge.model_files import find_model

CPU = ModelOptions("cpu", "float32")


@pytest.fixture
def folder(tiny_model: Callable[[str], Path], tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model("llama"), tmp_path / "llama")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def change(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def test_an_adapter_is_refused_whether_or_not_there_is_a_model(folder: Path, cache: Cache, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for place in (folder, alone):
        (place / "adapter_config.json").write_text('{"peft_type": "LORA"}', "utf-8")
        with pytest.raises(ModelError, match="merge it into its model"):
            find_model(str(place), cache)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # between peft and transformers
def test_an_adapter_that_peft_wrote_is_refused(folder: Path, cache: Cache) -> None:
    peft = pytest.importorskip("peft", reason="pip install peft")
    model = load_model(find_model(str(folder), cache), CPU).model
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    adapted.save_pretrained(folder)
    with pytest.raises(ModelError, match="adapter"):
        find_model(str(folder), cache)


@pytest.mark.parametrize(
    "changes",
    [
        {"attn_implementation": "kernels-community/evil"},
        {"_attn_implementation": "someone/kernel:function"},
        {"attn_implementation": {"": "sdpa", "text_config": "paged|someone/kernel@main"}},
        {"_attn_implementation_internal": "x"},  # nothing foreign: see below
        {"experts_implementation": "someone/experts"},
        {"vision_config": {"deep": [{"attn_implementation": "someone/kernel"}]}},
    ],
)
def test_code_from_elsewhere_is_refused_unless_allowed(folder: Path, changes: dict[str, Any]) -> None:
    change(folder / "config.json", **changes)
    if "/" in json.dumps(changes):
        with pytest.raises(ModelError, match=r"names code to fetch from elsewhere .*--trust-remote-code"):
            check_config(folder, "m", trust_remote_code=False)
    else:
        check_config(folder, "m", trust_remote_code=False)
    check_config(folder, "m", trust_remote_code=True)


def test_a_kernel_is_refused_before_transformers_sees_it(
    folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    change(folder / "config.json", attn_implementation="kernels-community/evil")
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(ModelError, match="kernels-community/evil"):
        load_model(find_model(str(folder), cache), CPU)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 1e9},
        {"num_hidden_layers": 10**400},
        {"text_config": {"n_layer": 10**7}},
        {"num_local_experts": 10**8},
    ],
)
def test_sizes_that_no_model_has_are_refused_at_once(folder: Path, cache: Cache, changes: dict[str, Any]) -> None:
    change(folder / "config.json", **changes)
    with pytest.raises(ModelError, match="which no model has"):
        load_model(find_model(str(folder), cache), CPU)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_along_is_not_run_and_the_option_is_named(folder: Path, cache: Cache, file: str) -> None:
    assert not brings_code(folder)
    ran = folder / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').close()", "utf-8")
    if file == "config.json":
        change(folder / file, auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}, model_type="own")
    else:
        change(folder / file, auto_map={"AutoTokenizer": ["own.Own", None]}, tokenizer_class="Own")
    with pytest.raises(ModelError, match="--trust-remote-code"):
        load_model(find_model(str(folder), cache), CPU)
    assert not ran.exists()
