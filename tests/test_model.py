"""Finding, identifying and loading models; what cannot be used is named."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

import tiny
from linguabridge import lazy_model, model_files
from linguabridge.cache import Cache
from linguabridge.errors import DownloadError, ModelError
from linguabridge.lazy_model import open_model
from linguabridge.model import LanguageModel, ModelOptions, load_model
from linguabridge.model_files import ModelFiles, file_sha256, find_model
from linguabridge.progress import Reporter

Folder = Callable[[str], Path]
CPU = ModelOptions("cpu", "float32")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def folder(tiny_model: Folder, tmp_path: Path) -> Path:
    """A copy of the tiny Llama that a test may damage."""
    return shutil.copytree(tiny_model("llama"), tmp_path / "llama")


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def load(folder: Path, cache: Cache) -> LanguageModel:
    return load_model(find_model(str(folder), cache), CPU)


def test_folder_is_found_and_loaded_as_transformers_loads_it(folder: Path, cache: Cache) -> None:
    found = find_model(str(folder), cache)
    assert (found.name, found.folder, found.revision) == (str(folder), folder, None)
    loaded = load_model(found, CPU)
    assert not loaded.model.training
    assert (loaded.name, loaded.dtype, loaded.device.type) == (str(folder), torch.float32, "cpu")
    assert loaded.encode("the cat") == tiny.tokenizer(bos=True)("the cat").input_ids
    assert loaded.special_ids == {0, 1, 2}
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, tiny.model("llama")(ids).logits)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_every_family_loads_with_the_tokenizers_own_convention_of_bos(
    tiny_loaded: Callable[[str], LanguageModel], family: str
) -> None:
    ids = tiny_loaded(family).encode("the cat")
    assert (ids[0] == 0) == (family not in tiny.WITHOUT_BOS)


def test_type_to_compute_in_is_as_asked(folder: Path, cache: Cache) -> None:
    loaded = load_model(find_model(str(folder), cache), ModelOptions("cpu", "bfloat16"))
    assert loaded.dtype == torch.bfloat16


@pytest.mark.parametrize("name", ["no-such-model", "a/b/c", "./here/nothing", "über/modell!", ""])
def test_unknown_name_says_what_it_could_be(
    name: str, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"hub id|no config.json|name is empty"):
        find_model(name, cache)


def test_hub_id_without_network_is_one_sentence(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("cannot reach the hub\nmany lines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(DownloadError, match=r"^owner/name is not on this machine and could not be downloaded"):
        find_model("owner/name", cache)


def test_hub_download_asks_for_safetensors_only_and_keeps_the_revision(
    cache: Cache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    snapshot = folder.rename(folder.with_name("0123456789abcdef" * 2 + "01234567"))

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.extend(allow_patterns)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_model("owner/name", cache).revision == snapshot.name
    assert not [pattern for pattern in asked if "bin" in pattern or "pt" in pattern.split(".")]
    # What transformers writes beside a chat model's tokenizer comes along, too.
    assert any(fnmatch.fnmatch("chat_template.jinja", pattern) for pattern in asked)


def test_large_files_of_the_hub_are_known_by_the_name_of_their_blob(cache: Cache, tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / ("ab" * 32)
    blob.parent.mkdir()
    blob.write_bytes(b"whatever")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert file_sha256(link, cache) == "ab" * 32


def test_file_that_is_no_gguf_is_refused(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="a file but not a GGUF file"):
        find_model(str(tmp_path / "model.bin"), cache)


def test_folder_without_a_model_is_refused(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no config.json"):
        find_model(str(tmp_path / "empty"), cache)


def test_pickled_weights_are_never_loaded(cache: Cache, folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="there are no safetensors in it"):
        find_model(str(folder), cache)
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model.bin is a pickle, .* convert it to safetensors"):
        find_model(str(folder), cache)


def test_pickled_weights_are_read_when_asked_and_run_no_code(cache: Cache, folder: Path, tmp_path: Path) -> None:
    whole = load(folder, cache)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    allowed = ModelOptions("cpu", "float32", allow_pickle=True)
    said: list[str] = []

    class Told(Reporter):
        def say(self, message: str) -> None:
            said.append(message)

    loaded = open_model(str(folder), allowed, cache, Told()).loaded
    assert "are pickles" in said[0]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name])

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "owned",))

    torch.save({**weights, "evil": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot load"):
        _ = open_model(str(folder), allowed, cache).loaded
    assert not (tmp_path / "owned").exists()


def test_missing_shard_is_named(cache: Cache, tmp_path: Path) -> None:
    folder = tmp_path / "sharded"
    tiny.model("llama").save_pretrained(folder, max_shard_size="40KB")
    tiny.tokenizer(bos=True).save_pretrained(folder)
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    assert load(folder, cache).space.n_layers == tiny.LAYERS
    shards[1].unlink()
    with pytest.raises(ModelError, match=rf"lacks 1 of {len(shards)} weight files, {shards[1].name} first"):
        find_model(str(folder), cache)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"metadata": {}}', '{"weight_map": {"a": null, "b": "x"}}', "\xff"]
)
def test_damaged_index_of_shards_is_named(cache: Cache, folder: Path, content: str) -> None:
    (folder / "model.safetensors.index.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelError, match=r"model.safetensors.index.json"):
        find_model(str(folder), cache)


@pytest.mark.parametrize("keep", [0, 5, 100, -1000])
def test_truncated_weights_are_one_sentence(cache: Cache, folder: Path, keep: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="transformers cannot load") as caught:
        load(folder, cache)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model_type": "nonsense"}', "{}"])
def test_damaged_configuration_is_one_sentence(cache: Cache, folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    for options in (CPU, ModelOptions("cpu", "auto")):
        with pytest.raises(ModelError) as caught:
            load_model(find_model(str(folder), cache), options)
        assert "\n" not in str(caught.value)


def test_folder_without_a_tokenizer_is_one_sentence(cache: Cache, folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="transformers cannot load"):
        load(folder, cache)


def test_weights_missing_from_the_checkpoint_are_refused(cache: Cache, folder: Path) -> None:
    change_weights(folder, lambda weights: weights.pop("model.layers.2.mlp.gate_proj.weight"))
    with pytest.raises(ModelError, match=r"lacks 1 weights .*, model.layers.2.mlp.gate_proj.weight first"):
        load(folder, cache)


def test_tokenizer_larger_than_the_vocabulary_is_refused(cache: Cache, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "small", "llama", vocab_size=300)
    with pytest.raises(ModelError, match=r"has token \d+, but the model knows only 300: they do not belong together"):
        load(folder, cache)


def test_added_tokens_beyond_the_vocabulary_are_let_pass(cache: Cache, folder: Path) -> None:
    grown = tiny.tokenizer(bos=True)
    grown.add_tokens([f"<unused{n}>" for n in range(30)])
    assert len(grown) > tiny.VOCABULARY
    grown.save_pretrained(folder)
    assert load(folder, cache).encode("the cat") == tiny.tokenizer(bos=True)("the cat").input_ids


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["self_attn.q_proj", "mlp.down_proj"])  # attention on a CPU swallows NaN
def test_weights_that_are_not_finite_are_refused(cache: Cache, folder: Path, key: str, value: float) -> None:
    change_weights(folder, lambda weights: weights[f"model.layers.1.{key}.weight"].fill_(value))
    with pytest.raises(ModelError, match=rf"not finite .* in torch.float32, model.layers.1.{key}.weight first"):
        load(folder, cache)


def test_values_that_overflow_are_refused(cache: Cache, folder: Path) -> None:
    change_weights(folder, lambda weights: weights["model.layers.1.mlp.down_proj.weight"].fill_(3e38))
    with pytest.raises(ModelError, match="computes values that are not finite"):
        load(folder, cache)


def test_encoder_decoder_folder_is_refused(cache: Cache, tmp_path: Path) -> None:
    import transformers

    config = transformers.T5Config(vocab_size=420, d_model=16, d_ff=24, d_kv=8, num_layers=2, num_heads=2)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    tiny.tokenizer(bos=False).save_pretrained(tmp_path / "t5")
    with pytest.raises(ModelError):
        load(tmp_path / "t5", cache)


def identity(folder: Path, cache: Cache) -> dict[str, str]:
    return find_model(str(folder), cache).identity


def test_identity_changes_with_weights_configuration_or_tokenizer_alone(folder: Path, cache: Cache) -> None:
    before = identity(folder, cache)
    assert identity(folder, cache) == before

    def nudge(weights: dict[str, torch.Tensor]) -> None:
        weights["model.norm.weight"][0] += 1e-3

    change_weights(folder, nudge)
    after = identity(folder, cache)
    assert after["weights"] != before["weights"]
    assert after | {"weights": before["weights"]} == before
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rope_theta": 123.0}))
    assert identity(folder, cache)["config"] != before["config"]
    (folder / "tokenizer_config.json").write_text("{}")
    assert identity(folder, cache)["tokenizer"] != before["tokenizer"]


def test_identity_depends_on_content_and_not_on_the_place(folder: Path, cache: Cache, tmp_path: Path) -> None:
    (copy := tmp_path / "elsewhere").mkdir()
    for file in folder.iterdir():
        shutil.copy(file, copy)
    (copy / "README.md").write_text("of no account")
    assert identity(copy, cache) == identity(folder, cache)


def test_hash_is_remembered_by_size_and_time_of_change(
    folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "model.safetensors"
    first = file_sha256(file, cache)
    hashed: list[object] = []
    real = model_files.hashlib.file_digest
    monkeypatch.setattr(model_files.hashlib, "file_digest", lambda *a: hashed.append(a) or real(*a))
    assert file_sha256(file, cache) == first
    assert not hashed
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert file_sha256(file, cache) == first
    assert len(hashed) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff"])
def test_damaged_memory_of_a_hash_is_made_anew(folder: Path, cache: Cache, content: str) -> None:
    file = folder / "model.safetensors"
    first = file_sha256(file, cache)
    (entry,) = (cache.root / "hashes").iterdir()
    entry.write_bytes(content.encode("latin-1"))
    assert file_sha256(file, cache) == first


def test_opened_model_loads_only_when_asked_and_only_once(
    folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[ModelFiles] = []
    real = lazy_model.load_model

    def counted(files: ModelFiles, options: ModelOptions) -> LanguageModel:
        loads.append(files)
        return real(files, options)

    monkeypatch.setattr(lazy_model, "load_model", counted)
    lazy = open_model(str(folder), CPU, cache)
    assert lazy.key == {**lazy.files.identity, "device": "cpu", "dtype": "float32", "taps": None, "remote_code": False}
    assert not loads
    assert lazy.loaded is lazy.loaded
    assert len(loads) == 1


def test_key_changes_with_what_changes_numbers(folder: Path, cache: Cache) -> None:
    def key(**options: object) -> dict[str, object]:
        return open_model(str(folder), ModelOptions("cpu", **options), cache).key  # type: ignore[arg-type]

    assert key(dtype="float32") == key(dtype="auto") != key(dtype="bfloat16")
    assert key() != key(taps="model.layers.{layer}.mlp.act_fn")


@pytest.mark.parametrize("name", ["a--b/c", "-a/b", "foo/bar.git"])
def test_id_that_the_hub_would_refuse_is_one_sentence(cache: Cache, name: str) -> None:
    with pytest.raises(ModelError, match="no hub id"):
        find_model(name, cache)
