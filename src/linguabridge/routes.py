"""Which way to go from one language to another: the table that ``linguabridge export --to routes`` wrote, read back.

Made for a serving stack: it needs neither a model nor torch, and a pair that nobody measured goes direct. The format is
described in docs/export.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linguabridge import languages
from linguabridge.errors import InputError
from linguabridge.json_values import plain
from linguabridge.paths import content_of
from linguabridge.rebuilt import rebuilt

FORMAT, VERSION = "linguabridge routes", 1
_MOST = 10**12  # items; nobody measures more
NOT_MEASURED = "nothing was measured for this pair"


@dataclass(frozen=True)
class Route:
    """How to go from one language to another.

    Attributes:
        source: code of the input's language.
        target: code of the output's language.
        task: that it was measured on; None for a recommendation, which holds for the pair whatever the task.
        route: codes of the bridges, in the order in which they stand in the prompt; empty for direct.
        expected_gain: of the route over direct, in units of ``metric``, as measured; 0 for direct.
        interval: its 95 % interval; None for direct.
        metric: ``MRR``, ``accuracy``, ``exact`` (0 to 1) or ``chrF++`` (0 to 100); None where nothing was measured.
        n: items that ``expected_gain`` rests on; of a direct route, items that bridges were tried on.
        helps: whether the route was shown to help; never for direct.
        bridge_words: whose texts the bridges' were: the model's own, or a dictionary's; None for direct.
        model: the name of the model; empty where nothing was measured.
        how: by what this was found, in words.
    """

    source: str
    target: str
    task: str | None
    route: tuple[str, ...]
    expected_gain: float
    interval: tuple[float, float] | None
    metric: str | None
    n: int
    helps: bool
    bridge_words: str | None
    model: str
    how: str


@dataclass(frozen=True)
class Routes:
    """A table of routes, for one model.

    Attributes:
        model: its name.
        entries: one for each source, target and task.
    """

    model: str
    entries: tuple[Route, ...]
    _by_key: Mapping[tuple[str, str, str | None], Route] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Put the entries where they can be looked up."""
        object.__setattr__(self, "_by_key", {(one.source, one.target, one.task): one for one in self.entries})

    def route(self, source: str, target: str, task: str | None = None) -> Route:
        """The way to go.

        Looked for are the entry of this task, then that of the pair whatever the task. Where there is neither, the
        answer is to go direct, with ``metric`` None.

        Args:
            source: the input's language, in any usual form: ``ar``, ``arb_Arab``, ``Arabic``.
            target: the output's language.
            task: as an evaluation names it, such as ``mrc``; None for the pair whatever the task.

        Returns:
            The route, with the gain that was measured.

        Raises:
            InputError: one of the languages is not known.
        """
        pair = (languages.parse(source).code, languages.parse(target).code)
        found = self._by_key.get((*pair, task)) or self._by_key.get((*pair, None))
        return found or Route(*pair, task, (), 0.0, None, None, 0, False, None, "", NOT_MEASURED)

    def to_dict(self) -> dict[str, Any]:
        """The table as it is written."""
        return {"format": FORMAT, "version": VERSION, "model": self.model, "routes": [plain(e) for e in self.entries]}


def read_routes(path: str | Path) -> Routes:
    """Read a table of routes.

    Args:
        path: the file that ``linguabridge export --to routes`` wrote.

    Returns:
        The table.

    Raises:
        InputError: the file cannot be read, or is no table of routes of this version.
    """
    try:
        body = json.loads(content_of(Path(path)).decode())
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise TypeError
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); write it with linguabridge export.") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no table of routes; write one with linguabridge export --to routes.") from error
    if body.get("version") != VERSION:
        raise InputError(
            f"{path} is a table of routes of version {body.get('version')}, and this linguabridge reads {VERSION}; "
            "write it again."
        )
    try:
        return Routes(rebuilt(str, body["model"]), tuple(map(checked_route, rebuilt(tuple[Any, ...], body["routes"]))))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} is damaged; write it again with linguabridge export --to routes.") from error


def checked_route(entry: Any) -> Route:
    """An entry of a table, from JSON, with every value as it can be.

    Args:
        entry: as JSON holds it.

    Returns:
        The entry.

    Raises:
        KeyError: a field is missing.
        TypeError: something is of another type.
        ValueError: a code is no language's, or a number none that was measured.
        OverflowError: a number is too large.
    """
    route: Route = rebuilt(Route, entry)
    for code in (route.source, route.target, *route.route):
        try:
            known = languages.parse(code).code == code
        except InputError:
            known = False
        if not known:
            raise ValueError(f"{code!r:.40} is no code of a language")
    if len({route.source, route.target, *route.route}) < 2 + len(route.route):
        raise ValueError("a language stands in two places")
    if not 0 <= route.n <= _MOST or not all(map(math.isfinite, (route.expected_gain, *(route.interval or ())))):
        raise ValueError("a number that was not measured")
    return route
