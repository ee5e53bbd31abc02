"""Runs as the sections of one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from linguabridge.errors import InputError
from linguabridge.report.names import distinct
from linguabridge.report.page import check_packages
from linguabridge.report.runs import Run
from linguabridge.report.section import Section

_TITLE = 100  # characters of a page's title, about


def make_sections(runs: Sequence[Run]) -> tuple[Section, ...]:
    """A section for each run, in their order, with names and titles that differ.

    Raises:
        InputError: a run's result is damaged, or was made by another version; or the packages of a report are missing.
    """
    check_packages()
    found = [_section(run) for run in runs]
    models = Counter(one.title for one in found)
    titled = [
        replace(one, title=f"{one.title} ({dict(one.manifest)['model']})") if models[one.title] > 1 else one
        for one in found
    ]
    repeated = Counter(one.title for one in titled)
    return tuple(
        replace(one, name=name, title=f"{one.title}, {run.path}" if repeated[one.title] > 1 else one.title)
        for one, name, run in zip(titled, distinct(one.name for one in found), runs, strict=True)
    )


def title_of(sections: Sequence[Section]) -> str:
    """What a page of these sections is called: by what they say, as many as its title has room for."""
    titles = [one.title for one in sections]
    for count in range(len(titles), 1, -1):
        left = len(titles) - count
        text = " · ".join(titles[:count]) + (f" · and {left} more" if left else "")
        if len(text) <= _TITLE:
            return text
    if len(titles) == 1:
        return titles[0]
    return f"{_shortened(titles[0], _TITLE - 15)} · and {len(titles) - 1} more"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0].rstrip(' ,:')} …"


def _section(run: Run) -> Section:
    try:
        return _builders()[run.kind](run)
    except (InputError, KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        raise InputError(
            f"{run.path} is damaged, or no result of this version of linguabridge {run.kind} "
            f"({type(error).__name__}: {error}); run its command again."
        ) from error


def _builders() -> Mapping[str, Callable[[Run], Section]]:
    from linguabridge.report.evaluated import evaluated
    from linguabridge.report.recommended import recommended
    from linguabridge.report.related import related
    from linguabridge.report.studied import studied

    return {"recommend": recommended, "evaluate": evaluated, "spectrum": related, "study": studied}
