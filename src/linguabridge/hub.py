"""Data sets of the Hugging Face hub: the commit that one is read at."""

from __future__ import annotations

import re
from typing import Any


def commit_of(builder: Any) -> str | None:
    """The commit of the data set's repository that a builder of ``datasets`` reads; None where it does not tell one.

    Args:
        builder: what ``datasets.load_dataset_builder`` gave.
    """
    # Builders of the hub's data sets have the commit as their hash, also when they are found in the cache again; those
    # of local files have a short one of another kind.
    found = str(getattr(builder, "hash", None))
    return found if re.fullmatch("[0-9a-f]{40}", found) else None


def at_commit(data_set: str, commit: str | None) -> str:
    """A data set in words: ``owner/name``, with the commit where it is known."""
    return f"{data_set}, commit {commit}" if commit else data_set
