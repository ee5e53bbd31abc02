"""What an evaluation found: items in arms, arms against the direct one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linguabridge.paired import Contrast, Interval

DIRECT = "direct"


@dataclass(frozen=True)
class Row:
    """One item in one arm: a row of items.parquet.

    Attributes:
        source: code of the text's language.
        target: code of the answer's language.
        task: its name.
        arm: its name.
        item: the item's id.
        concept: what the item is about.
        text: in the source language.
        bridges: codes of the bridge languages on the way, in order.
        bridge_texts: what stood for the text in each of them.
        prompt: what the model was asked, as written.
        options: continuations to choose from; none for a free answer.
        option_scores: log-likelihoods of the options, up to a constant; none for a free answer.
        output: what the model wrote; None where nothing was generated.
        parsed: the answer read: the option chosen, or what was read from the output; None where nothing could be.
        gold: right answers.
        score: 0 to 1 by the task's metric (chrF++: 0 to 100).
        right: whether the answer is right; None where the metric is graded (chrF++) or a mean.
        exact: whether a greedy answer equals a right one (word translation); None elsewhere.
        copied: a bridge's text already is a right answer: copying, not bridging.
        without_bridge: there was no bridge text, and the item went direct.
    """

    source: str
    target: str
    task: str
    arm: str
    item: str
    concept: str
    text: str
    bridges: tuple[str, ...]
    bridge_texts: tuple[str, ...]
    prompt: str
    options: tuple[str, ...]
    option_scores: tuple[float, ...]
    output: str | None
    parsed: str | None
    gold: tuple[str, ...]
    score: float
    right: bool | None
    exact: bool | None = None
    copied: bool = False
    without_bridge: bool = False


@dataclass(frozen=True)
class Arm:
    """One way of answering, over all items of a task and a pair.

    Attributes:
        name: ``direct``, ``en``, ``recommended``, ``random``, ``oracle``, ``dictionary:en``, ``chain``, ``vote``.
        label: in words: "via English".
        bridges: codes of the bridges it used; every candidate for ``random``.
        metrics: mean of the items' scores with its 95 % interval, by name, the task's own metric first; of word
            translation also ``P@1`` and ``exact``.
        corpus: figures of the whole corpus without an interval (``chrF++``, ``spBLEU``).
        n_unparsed: answers that could not be read; they count as wrong, and here.
        n_copied: items whose bridge text already is a right answer.
        n_without_bridge: items that had no bridge text and went direct.
        first_hop: share of bridge words that the lexicon has, among those it knows; None where not judged.
        against_direct: the difference to direct, over all items.
        without_copies: the same without copied items; None where nothing was copied, or nothing is left.
    """

    name: str
    label: str
    bridges: tuple[str, ...]
    metrics: dict[str, Interval]
    corpus: dict[str, float]
    n_unparsed: int = 0
    n_copied: int = 0
    n_without_bridge: int = 0
    first_hop: float | None = None
    against_direct: Contrast | None = None
    without_copies: Contrast | None = None

    @property
    def fair(self) -> Contrast | None:
        """The difference to direct that a verdict rests on: without copies where there are any."""
        return self.without_copies if self.n_copied else self.against_direct


@dataclass(frozen=True)
class Result:
    """All arms of one task on one pair, direct first.

    Attributes:
        source: code. target: code. task: name. metric: the task's own.
        scoring: how questions were decided: ``text``, ``letters``, ``generated``.
        n: items.
        recommended: code of the recommended bridge, None where no such arm ran.
        arms: direct first.
        notes: what should be known, a sentence each.
    """

    source: str
    target: str
    task: str
    metric: str
    scoring: str
    n: int
    recommended: str | None
    arms: tuple[Arm, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """A whole run.

    Attributes:
        model: what the user called it.
        results: for each pair and task.
        rows: every item in every arm.
        settings: all that the numbers depend on, as JSON holds it.
    """

    model: str
    results: tuple[Result, ...]
    rows: tuple[Row, ...]
    settings: dict[str, Any]

    def tables(self) -> dict[str, Any]:
        """Items and arms, as Arrow tables (docs/export.md has the columns)."""
        from linguabridge.export.frames import evaluation_tables

        return evaluation_tables(self)
