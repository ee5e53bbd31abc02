"""The page around a report that is looked at while its runs go on: what there is, in words, and the report in a frame.

The frame is closed: its scripts run apart from this page, as from another place, and neither can look into the other.
So that new results leave readers where they are, the report gets one more script, which says how far it is scrolled.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linguabridge.progress import FINISHED, RUNNING, progress_words, read_progress
from linguabridge.report.inline import escaped_json, hashed, style, template


@dataclass(frozen=True)
class Watched:
    """A run to follow.

    Attributes:
        name: in words, for people.
        folder: where it keeps its progress; None for a file.
        files: that the report is made from; they need not be there yet.
    """

    name: str
    folder: Path | None
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Made:
    """What was made of the runs last.

    Attributes:
        page: the report; None as long as there are no results.
        version: names the page; empty where there is none.
        error: why there is no newer one; empty where there is no reason.
        looked: whether the files have been read at all.
    """

    page: bytes | None = None
    version: str = ""
    error: str = ""
    looked: bool = False


def state(made: Made, watched: Sequence[Watched]) -> dict[str, Any]:
    """What there is: for the page's script, all in words."""
    runs: list[dict[str, Any]] = []
    for one in watched:
        progress = read_progress(one.folder) if one.folder else None
        runs.append(
            {
                "name": one.name,
                "state": progress.state if progress else FINISHED,
                "step": (progress.step if progress else None) or "",
                "done": progress.done if progress else 1.0,
                "words": progress_words(progress) if progress and progress.state != FINISHED else "",
            }
        )
    states = {run["state"] for run in runs}
    return {
        "version": made.version,
        "error": made.error,
        "standing": "finished" if states == {FINISHED} and made.page is not None else "",
        "waiting": _waiting(made, states) if made.page is None else "",
        "runs": runs,
    }


def _waiting(made: Made, states: set[str]) -> str:
    """What stands in the report's place."""
    if not made.looked:
        return "Reading the results…"
    if made.error:
        return "There is no report yet. It appears here when that is mended."
    if RUNNING in states:
        return "The run goes on. The report appears here as soon as there are results."
    return "There are no results yet. The report appears here when the run goes on and has some."


_STYLE, _SCRIPT, _PLACE = style("viewer.css"), template("viewer.js"), template("place.js")
POLICY = (
    f"default-src 'none'; script-src {hashed(_SCRIPT)}; style-src {hashed(_STYLE)}; img-src data:; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


_LINE = """<li hidden>
<span class="name"></span><progress max="1" value="0" hidden></progress><span class="words"></span>
</li>
"""


def shell(state: dict[str, Any]) -> bytes:
    """The page around the report. Words are put in by its script, as text."""
    runs = state["runs"]
    name = runs[0]["name"] if len(runs) == 1 else f"{len(runs)} runs"
    # The empty icon keeps browsers from asking for one; clipboard-write is for the button that copies a command.
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{html.escape(_whole(name))} – linguabridge</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{html.escape(_whole(name))} <span id="standing"></span></h1>
<ul id="runs" aria-label="Progress">{_LINE * len(runs)}</ul>
<button type="button" id="new" hidden>Show new results</button>
<p id="error" role="status" hidden></p>
<p id="lost" role="status" hidden></p>
<p id="said" role="status" class="hidden"></p>
</header>
<main><p id="waiting" role="status" hidden></p></main>
<template id="frame">
<iframe title="Report" src="/report" sandbox="allow-scripts allow-downloads" allow="clipboard-write"></iframe>
</template>
<noscript><p>Following a run needs JavaScript, which is off. <a href="/report">The report alone</a></p></noscript>
<script type="application/json" id="state">{escaped_json(state)}</script>
<script>{_SCRIPT}</script>
</body>
</html>
""".encode()


def placed(page: str) -> str:
    """A report with the script that says how far it is scrolled, which its own policy then lets run, too."""
    page = page.replace("script-src ", f"script-src {hashed(_PLACE)} ", 1)  # its policy stands before all data
    start, end, rest = page.rpartition("</body>")
    return f"{start}<script>{_PLACE}</script>{end}{rest}"


def _whole(text: str) -> str:
    """Text that UTF-8 can hold: a file's name need not be."""
    return text.encode("utf-8", "replace").decode()
