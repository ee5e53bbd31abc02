"""One task on one pair: items go through bridges, questions are asked, answers become rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linguabridge.engines.engine import GENERATED, LETTERS, TEXT, Engine, as_scored
from linguabridge.evaluation.results import DIRECT, Row
from linguabridge.languages import Language
from linguabridge.lexicons import is_among
from linguabridge.prompts import WORD, Ending, Prompt, endonym, translation_prompt, without_plain_quotes
from linguabridge.tasks.letters import parse_letter
from linguabridge.tasks.options import ALPHABET
from linguabridge.tasks.task import Item, Question, Said, Task, chain_text

# What stands for an item's text in a bridge language; None where nothing does.
Look = Callable[[str], str | None]
# A chat model's reasoning and its answer. It says itself when it is done; a line end or a blank line says nothing.
REASONING = Ending(stops=(), max_new_tokens=512)
_MORE_TOKENS, _LONGEST_LINE = 32, 384  # a translation's length in tokens: a third of the bytes of its text, and some


@dataclass(frozen=True)
class Experiment:
    """A task's items for a pair, and how they are asked.

    Attributes:
        engine: answers.
        task: the task.
        source: language of the items' texts.
        target: language of the answers.
        items: to be answered.
        scoring: of :data:`linguabridge.engines.engine.SCORINGS`.
        normalise: of likelihoods.
        shown: demonstrations, as they stand before every question; may be empty.
    """

    engine: Engine
    task: Task
    source: Language
    target: Language
    items: tuple[Item, ...]
    scoring: str
    normalise: str = "sum"
    shown: str = ""

    @property
    def metric(self) -> str:
        """What the items' scores are."""
        return metric_of(self.task, self.scoring)

    def rows(self, bridges: Sequence[Language], *, look: Look | None = None) -> list[Row]:
        """Answer all items through bridges, one after the other in one prompt.

        Args:
            bridges: on the way, in order; none for direct.
            look: finds a bridge's text instead of the model, for a single bridge.

        Returns:
            A row an item, in order; the arm's name is the bridges' codes, or ``direct``.
        """
        way = " → ".join(one.name for one in bridges) or DIRECT
        title = f"{self.task.name} {self.source.code}→{self.target.code}, {way}"
        chains = [[Said(self.source, item.text)] for item in self.items]
        for bridge in bridges:
            found = [look(item.text) for item in self.items] if look else self._bridged(chains, bridge, title)
            for chain, text in zip(chains, found, strict=True):
                if text:
                    chain.append(Said(bridge, text))
        rows = self._answered(chains, title)
        name = "+".join(one.code for one in bridges) or DIRECT
        return [
            replace(
                row,
                arm=name,
                bridges=tuple(said.language.code for said in chain[1:]),
                bridge_texts=tuple(said.text for said in chain[1:]),
                copied=self.task.words and any(is_among(said.text, row.gold) for said in chain[1:]),
                without_bridge=bool(bridges) and len(chain) == 1,
            )
            for row, chain in zip(rows, chains, strict=True)
        ]

    def question(self, item: Item, chain: Sequence[Said]) -> Question:
        """What is asked in the end, demonstrations included."""
        return full_question(self.task, item, chain, self.target, self.scoring, self.shown)

    def _bridged(self, chains: Sequence[Sequence[Said]], bridge: Language, title: str) -> list[str | None]:
        prompts = [bridge_prompt(chain, bridge, words=self.task.words) for chain in chains]
        ending = ending_for([chain[-1].text for chain in chains], words=self.task.words)
        return [ending.cut(text) or None for text in self.engine.answers(f"{title}: into the bridge", prompts, ending)]

    def _answered(self, chains: Sequence[Sequence[Said]], title: str) -> list[Row]:
        questions = [self.question(item, chain) for item, chain in zip(self.items, chains, strict=True)]
        blank = [self._blank(item, question) for item, question in zip(self.items, questions, strict=True)]
        if self.scoring == GENERATED:
            return self._generated(blank, questions, title)
        rows = self._chosen(blank, questions, title)
        if not (self.task.words and self.scoring == TEXT):
            return rows
        # Of words, which are cheap to generate, the exact answer too.
        prompts = [replace(question, options=()) for question in questions]
        return [
            replace(row, output=one.output, exact=one.right)
            for row, one in zip(rows, self._generated(blank, prompts, title), strict=True)
        ]

    def _blank(self, item: Item, question: Question) -> Row:
        return Row(
            source=self.source.code,
            target=self.target.code,
            task=self.task.name,
            arm=DIRECT,
            item=item.id,
            concept=item.concept,
            text=item.text,
            bridges=(),
            bridge_texts=(),
            prompt=question.prompt.written,
            options=question.options,
            option_scores=(),
            output=None,
            parsed=None,
            gold=item.gold,
            score=0.0,
            right=None,
        )

    def _chosen(self, blank: Sequence[Row], questions: Sequence[Question], title: str) -> list[Row]:
        scores = self._likelihoods(questions, title)
        rows = []
        for row, item, one in zip(blank, self.items, scores, strict=True):
            assert item.right is not None
            rows.append(chosen(replace(row, option_scores=tuple(map(float, one))), item, self.metric))
        return rows

    def _likelihoods(self, questions: Sequence[Question], title: str) -> NDArray[np.float64]:
        prompts = [question.prompt for question in questions]
        options = [question.options for question in questions]
        whole = self.normalise == "byte" and self.scoring == TEXT
        scores = self.engine.option_scores(f"{title}: choosing", prompts, options, whole=whole)
        if whole:
            return scores / [
                [len(as_scored(o, q.prompt, self.engine.chat).encode()) for o in q.options] for q in questions
            ]
        if self.normalise == "pmi":
            alone = [replace(prompt, text=_last_line(prompt.text)) for prompt in prompts]
            return scores - self.engine.option_scores(f"{title}: options alone", alone, options)
        return scores

    def _generated(self, blank: Sequence[Row], questions: Sequence[Question], title: str) -> list[Row]:
        reads_letters = any(item.options for item in self.items) and not self.task.words
        reasons = self.engine.chat and (self.task.reasons or reads_letters)
        ending = REASONING if reasons else self.task.ending
        outputs = self.engine.answers(f"{title}: answers", [one.prompt for one in questions], ending)
        rows = []
        for row, item, output in zip(blank, self.items, outputs, strict=True):
            answer = ending.cut(_without_thought(output) if reasons else output)
            if item.options and not self.task.words:
                letter = parse_letter(answer, len(item.options), item.options)
                place = None if letter is None else ALPHABET.index(letter)
                parsed, score = (
                    (None, 0.0) if place is None else (item.options[place], float(item.options[place] in item.gold))
                )
            else:
                judged = self.task.judge(item, answer, self.target)
                parsed, score = judged.parsed, judged.score
            right = None if is_graded(self.metric) else score == 1
            rows.append(replace(row, output=output, parsed=parsed, score=score, right=right, options=()))
        return rows


def full_question(
    task: Task, item: Item, chain: Sequence[Said], target: Language, scoring: str, shown: str = ""
) -> Question:
    """What is asked of an item in the end.

    Args:
        task: the item's.
        item: asked about.
        chain: its text, in the languages it is there in.
        target: language of the answer.
        scoring: of :data:`linguabridge.engines.engine.SCORINGS`.
        shown: demonstrations, as they stand before the question.
    """
    asked = _asked(task, item, chain, target, scoring)
    return replace(asked, prompt=replace(asked.prompt, text=shown + asked.prompt.text))


def bridge_prompt(chain: Sequence[Said], language: Language, *, words: bool) -> Prompt:
    """What asks for a text in one more language.

    Args:
        chain: the text in the languages it is there in.
        language: wanted.
        words: the text is a word, asked for as in :func:`linguabridge.prompts.translation_prompt`; else a line.
    """
    if words:
        names = [*(endonym(said.language) for said in chain), endonym(language)]
        return Prompt(translation_prompt(names, [said.text for said in chain]), '"')
    return Prompt(f"{chain_text(chain)}\n{endonym(language)}:")


def ending_for(texts: Sequence[str], *, words: bool) -> Ending:
    """When the translation of each of these texts is whole."""
    if words:
        return WORD
    # Surrogates are let through: models and servers answer with halves of characters.
    longest = max((len(text.encode("utf-8", "surrogatepass")) for text in texts), default=0)
    return Ending(("\n",), min(_LONGEST_LINE, _MORE_TOKENS + longest // 3))


def chosen(row: Row, item: Item, metric: str) -> Row:
    """A row with its option scores judged: ties count against the right option."""
    assert item.right is not None
    scores = np.array(row.option_scores)
    # Some items of Belebele have the right option twice: the two are one answer.
    right = np.array([option == item.options[item.right] for option in item.options])
    rank = 1 + int((scores[~right] >= scores[right].max()).sum())
    return replace(
        row,
        parsed=item.options[int(scores.argmax())],
        score=1 / rank if metric == "MRR" else float(rank == 1),
        right=rank == 1,
    )


def metric_of(task: Task, scoring: str) -> str:
    """What a task's scores are when its questions are decided so: a generated word has no rank, it is right or not."""
    return "exact" if task.metric == "MRR" and scoring == GENERATED else task.metric


def is_graded(metric: str) -> bool:
    """Whether an answer can be partly right."""
    return metric == "chrF++"


def demonstrations(task: Task, items: Sequence[Item], language: Language, target: Language, scoring: str) -> str:
    """Questions with their answers, as they stand before every question.

    Args:
        task: the task.
        items: to be shown.
        language: of their texts.
        target: of their answers.
        scoring: how questions are decided.
    """
    shown = []
    for item in items:
        question = _asked(task, item, [Said(language, item.text)], target, scoring)
        if question.options and item.right is not None:
            answer = question.options[item.right]
        elif task.words:
            answer = f'{without_plain_quotes(item.gold[0])}"'
        else:
            answer = f" {item.gold[0]}"
        shown.append((question.prompt.written + answer).rstrip("\n"))
    apart = "\n" if task.words else "\n\n"
    return "".join(f"{one}{apart}" for one in shown)


def _asked(task: Task, item: Item, chain: Sequence[Said], target: Language, scoring: str) -> Question:
    # A generated answer can only be read as one of several options when the prompt lists them by letter.
    lettered = scoring == GENERATED and item.options and not task.words
    return task.ask(item, chain, target, LETTERS if lettered else scoring)


def _without_thought(text: str) -> str:
    """What follows a thought, ``<think>…</think>``; the template may have opened it. If it does not end: nothing."""
    return text.rpartition("</think>")[2].partition("<think>")[0]


def _last_line(prompt: str) -> str:
    """What stands after the last line end or arrow: the question without its content."""
    return prompt[max(prompt.rfind("\n"), prompt.rfind("→")) + 1 :]
