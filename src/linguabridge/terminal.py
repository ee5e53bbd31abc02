"""The terminal, on which everything is written as it is."""

from __future__ import annotations

from rich.console import Console


def terminal(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, for text in which nothing is markup.

    Folders, tasks and words may have names such as ``[old]``, ``[/x]`` and ``:bee:``. Rich would leave the first out,
    fail at the second and draw the third.

    Args:
        stderr: write to standard error.
    """
    return Console(stderr=stderr, markup=False, emoji=False)
