"""Files and folders that nothing can be done with, and some that only look so: what the catalogue of bad inputs names.

``$name`` in a row's words stands for one of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from safetensors.numpy import load_file, save_file

import tiny
from test_gguf import write_gguf
from test_recommend import write_lexicon

TOO_MANY_LINES = 10_000_000
LONG_NAME = "x" * 5000  # longer than any file system takes


@dataclass(frozen=True)
class Bad:
    """A command that cannot be obeyed.

    Attributes:
        words: of the command line, with ``$name`` for places in the :class:`World`.
        culprit: what the sentence must name.
        way_out: words of it that say what to do.
        usage: refused by the parser of options, which explains itself in a box.
    """

    words: tuple[str, ...]
    culprit: str
    way_out: str
    usage: bool = False

    @property
    def id(self) -> str:
        """Name of the row: the words as they stand, long and unprintable ones shortened."""
        return " ".join(ascii(word)[1:-1][:40] for word in self.words)


@dataclass(frozen=True)
class World:
    """Places on disk by name."""

    places: Mapping[str, Path]

    def fill(self, text: str) -> str:
        """A word with its places put in."""
        return Template(text).safe_substitute({name: str(path) for name, path in self.places.items()})

    def __getattr__(self, name: str) -> Path:
        return self.places[name]


def make_world(root: Path, model: Path) -> World:
    """Write all of it; under a second, but for the tiny models.

    Args:
        root: an empty folder.
        model: folder of a tiny model that works.
    """
    makers = (_lexicons, _texts, _runs, _tables)
    places = {"root": root, "model": model, "nowhere": root / "nowhere"}
    for make in makers:
        places |= make(root)
    places |= _models(root, model)
    return World(places)


def _written(root: Path, files: Mapping[str, bytes | str]) -> dict[str, Path]:
    """Files of these contents, each under a name that is its place's, whatever its suffix."""
    places = {}
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        places[path.stem.replace("-", "_")] = path
    return places


def _lexicons(root: Path) -> dict[str, Path]:
    own = write_lexicon(root / "own.tsv")
    rows = own.read_text("utf-8")
    return {
        "own": own,
        **_written(
            root,
            {
                "empty-list.tsv": b"",
                "binary-list.tsv": bytes(range(256)) * 20,
                "utf16-list.tsv": rows.encode("utf-16-le"),  # without the mark that would tell
                "bom-list.tsv": b"\xef\xbb\xbf",
                "mixed-list.tsv": "".join(f"a{i}\tb{i}\nc{i},d{i}\n e{i};f{i}\n" for i in range(100)),
                "long-line-list.tsv": "a" * 5_000_000,
                "nul-list.tsv": rows.replace("\t", "\t\0", 40),
                "marks-list.tsv": "\u0301\t\u0300\n\u0591\u05b0\t\u064b\n" * 100,
                "other-list.tsv": rows.replace("en\tsw\tde", "French\tSpanish\tItalian"),
                "short-list.tsv": "".join(rows.splitlines(keepends=True)[:12]),
                "endless-list.tsv": b"a\tb\n" * TOO_MANY_LINES,
                "empty-lines-list.tsv": b"\n" * TOO_MANY_LINES,
                # legal, if odd
                "crlf.tsv": rows.replace("\n", "\r\n"),
                "old-mac.tsv": rows.replace("\n", "\r"),
                "marked.tsv": "\ufeff" + rows,
                "utf16-marked.tsv": rows.encode("utf-16"),
                "no-suffix": rows,
                "with spaces/wörter, 語.csv": rows.replace("\t", ","),
            },
        ),
    }


def _texts(root: Path) -> dict[str, Path]:
    lines = "\n".join(f"{line} {n}" for n in range(40) for line in tiny.LINES)
    _written(
        root,
        {
            **{f"texts/{code}.txt": lines for code in ("en", "sw", "de", "fr")},
            **{f"crlf texts, ünïcode/{code}.txt": lines.replace("\n", "\r\n") for code in ("en", "sw", "de", "fr")},
            "latin-texts/en.txt": "gr\xfc\xdfe".encode("latin-1") * 100,
            "empty-texts/en.txt": "",
            "blank-texts/en.txt": " \n\n\t\n" * 100,
            "one-language-texts/sw.txt": lines,
            "utf16-texts/en.txt": lines.encode("utf-16"),
            "unmarked-texts/en.txt": "the cat\n".encode("utf-16-le") * 100,
            "nul-texts/en.txt": lines.replace(" ", "\0"),
            "long-line-texts/en.txt": "cat " * 1_250_000,
            "marks-texts/en.txt": "\u0301\u0300\n\u0591\n" * 100,
        },
    )
    damaged = ("empty", "blank", "latin", "utf16", "unmarked", "nul", "long-line", "marks")
    names = ("texts", "one-language-texts", *(f"{one}-texts" for one in damaged))
    for folder in (f"{one}-texts" for one in damaged):
        for code in ("sw", "de", "fr"):
            shutil.copy(root / "texts" / f"{code}.txt", root / folder)
    (root / "folder-texts" / "en.txt").mkdir(parents=True)
    return {
        "text_file": root / "texts" / "en.txt",
        "odd_texts": root / "crlf texts, ünïcode",
        "folder_texts": root / "folder-texts",
        **{name.replace("-", "_"): root / name for name in names},
    }


def _runs(root: Path) -> dict[str, Path]:
    deep = "[" * 100_000 + "]" * 100_000
    (root / "no-run").mkdir()
    for name, content in (
        ("damaged-run", '{"ranking": ['),
        ("deep-run", deep),
        ("nan-run", '{"ranking": NaN, "probes": 1}'),
        ("foreign-run", '{"ranking": 1, "probes": 2}'),
        ("list-run", "[1, 2]"),
        ("binary-run", "\x00\x01"),
    ):
        for file in ("recommend.json", "summary.json", "study.json", "spectrum.json", "ablation.json"):
            (root / name).mkdir(exist_ok=True)
            (root / name / file).write_text(content, "utf-8")
    names = ("no-run", "damaged-run", "deep-run", "nan-run", "foreign-run", "list-run", "binary-run")
    return {name.replace("-", "_"): root / name for name in names} | _written(root, {"no-page.html": "<p>my own</p>"})


def _tables(root: Path) -> dict[str, Path]:
    return _written(
        root,
        {
            "no-distances.tsv": "this is\nno table\n",
            "nan-distances.tsv": "\ten\tsw\tde\nen\t0\tnan\t1\nsw\tx\t0\t1\nde\t1\t1\t0\n",
            "a-file": "I am a file.",
            "no-task.py": "x = 1",
            "ending-task.py": "import sys; sys.exit(0)",
            "broken-task.py": "raise ValueError('broken\\nin two lines')",
        },
    ) | {"with_spaces": root / "with spaces"}


def _models(root: Path, model: Path) -> dict[str, Path]:
    def copy(name: str, change: Callable[[Path], object]) -> Path:
        folder = root / name
        shutil.copytree(model, folder)
        change(folder)
        return folder

    def cut(folder: Path) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-1000])

    def spoil(folder: Path) -> None:
        arrays = load_file(folder / "model.safetensors")
        arrays["model.layers.0.mlp.down_proj.weight"][0, 0] = np.nan
        save_file(arrays, folder / "model.safetensors", {"format": "pt"})

    def config(text: str) -> Callable[[Path], object]:
        return lambda folder: (folder / "config.json").write_text(text, "utf-8")

    def change_config(**changes: object) -> Callable[[Path], object]:
        body = json.loads((model / "config.json").read_text("utf-8"))
        return config(json.dumps({**body, **changes}))

    whole = write_gguf(root / "whole.gguf")
    deep = "[" * 100_000 + "]" * 100_000
    return {
        "cut_model": copy("cut-model", cut),
        "nan_model": copy("nan-model", spoil),
        "no_weights_model": copy("no-weights-model", lambda folder: (folder / "model.safetensors").unlink()),
        "no_config_model": copy("no-config-model", lambda folder: (folder / "config.json").unlink()),
        "damaged_config_model": copy("damaged-config-model", config("{")),
        "deep_config_model": copy("deep-config-model", config(deep)),
        "list_config_model": copy("list-config-model", config("[]")),
        "text_config_model": copy("text-config-model", change_config(text_config="no settings")),
        "bert_model": copy("bert-model", change_config(architectures=["BertModel"], model_type="no-such-type")),
        "adapter_model": copy(
            "adapter-model",
            lambda folder: (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', "utf-8"),
        ),
        "kernel_model": copy("kernel-model", change_config(attn_implementation="someone/kernel")),
        "tall_model": copy("tall-model", change_config(num_hidden_layers=10**9)),
        "small_model": tiny.save(root / "small-model", "llama", vocab_size=100),
        "odd_model": copy("models/my model, mit Ünïcode 猫", lambda _: None),
        **_written(
            root,
            {
                "cut.gguf": whole.read_bytes()[:-2000],
                "header.gguf": whole.read_bytes()[:10],
                "no.gguf": "no GGUF",
                "empty.gguf": "",
            },
        ),
    }
