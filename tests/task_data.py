"""Data sets of tasks, made up and real, and a stand-in for the hub."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linguabridge.errors import InputError
from linguabridge.languages import parse
from linguabridge.tasks.task import Data, Item, Loaded

SharedData = Callable[[str], Path]
EN, DE, SW, TR, IT = (parse(code) for code in ("en", "de", "sw", "tr", "it"))


def data_in(folder: Path, seed: int = 0) -> Data:
    return Data(folder=folder, seed=seed)


def every(loaded: Loaded) -> dict[str, Item]:
    """Items and demonstrations by id; no id twice."""
    both = (*loaded.items, *loaded.demonstrations)
    by_id = {item.id: item for item in both}
    assert len(by_id) == len(both)
    return by_id


def raw_jsonl(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def raw_tsv(file: Path, *, quoted: bool) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as content:
        quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        return list(csv.DictReader(content, delimiter="\t", quoting=quoting))


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def write_rows(file: Path, rows: list[dict[str, Any]]) -> Path:
    return write(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def message(call: Callable[[], object], kind: type[Exception] = InputError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


COMMIT = "0123456789abcdef" * 2 + "01234567"


class Hub:
    """Stands in for ``datasets``: tables by (data set, configuration, split), and commits by data set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import datasets

        self.tables: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self.commits: dict[str, str] = {}
        monkeypatch.setattr(datasets, "get_dataset_config_names", self.names)
        monkeypatch.setattr(datasets, "load_dataset_builder", partial(Builder, self))

    def names(self, data_set: str) -> list[str]:
        found = [key[1] for key in self.tables if key[0] == data_set]
        if not found:
            raise ConnectionError("no network")
        return ["all_languages", *dict.fromkeys(found)]


class Builder:
    """Stands in for a builder of ``datasets``."""

    def __init__(self, hub: Hub, data_set: str, name: str) -> None:
        self.hash = hub.commits.get(data_set)
        self._tables = {key[2]: rows for key, rows in hub.tables.items() if key[:2] == (data_set, name)}
        self._prepared = False

    def download_and_prepare(self) -> None:
        self._prepared = True

    def as_dataset(self, *, split: str) -> list[dict[str, Any]]:
        assert self._prepared
        return self._tables[split]
