"""What will be asked: all data of an evaluation loaded and checked, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linguabridge.cache import Cache
from linguabridge.engines.engine import GENERATED, TEXT
from linguabridge.errors import InputError
from linguabridge.evaluation.disjoint import overlap_note, unread
from linguabridge.evaluation.experiment import demonstrations, is_graded, metric_of
from linguabridge.evaluation.recommended import Earlier, read_earlier
from linguabridge.evaluation.settings import DICTIONARY, FEWEST_ITEMS, EvaluationSettings, fixed_bridges
from linguabridge.languages import Language, parse
from linguabridge.lexicons import Lexicon, load_lexicon, normalise_word
from linguabridge.recommendation import materials
from linguabridge.settings import check_pair, check_pairs
from linguabridge.tasks import find_task
from linguabridge.tasks.scaffolds import has_scaffolds, is_native
from linguabridge.tasks.task import Data, Item, Loaded, Task
from linguabridge.texts import Text, load_text


@dataclass(frozen=True)
class Pair:
    """Two languages, and what their tasks have in common.

    Attributes:
        source: language of the texts.
        target: language of the answers.
        candidates: for a bridge; where a ranking is needed, those that can be ranked.
        bridges: to go through in any case.
        lexicon: for words, glosses, and to judge bridge words.
        texts: that neurons are read on, in source and target, as far as there are any.
        earlier: a ranking made before; None where it must be made now, or none is needed.
    """

    source: Language
    target: Language
    candidates: tuple[Language, ...]
    bridges: tuple[Language, ...]
    lexicon: Lexicon
    texts: tuple[Text, ...]
    earlier: Earlier | None


@dataclass(frozen=True)
class Plan:
    """One task on one pair, loaded.

    Attributes:
        task: what is asked.
        pair: its languages.
        items: to be answered.
        scoring: how questions are decided.
        shown: demonstrations, as they stand before every question.
        notes: what should be known, a sentence each.
    """

    task: Task
    pair: Pair
    items: tuple[Item, ...]
    scoring: str
    shown: str
    notes: tuple[str, ...]

    @property
    def metric(self) -> str:
        """What the items' scores are."""
        return metric_of(self.task, self.scoring)


def make_plans(
    pairs: Sequence[tuple[str, str]], settings: EvaluationSettings, scorings: Sequence[str], cache: Cache
) -> list[Plan]:
    """Load all data, so that what is missing is said before the work and not in the middle of it.

    Args:
        pairs: source and target of each.
        settings: what is asked for.
        scorings: that the engine can do.
        cache: whose folder downloads are kept in.

    Raises:
        InputError: something cannot be; the message says what to change.
        DownloadError: data could not be had.
    """
    if not pairs:
        raise InputError("There is no pair of languages to evaluate; give some, such as [('ar', 'he')].")
    parsed = [check_pair(source, target, settings.recommend) for source, target in check_pairs(pairs)]
    fixed = [fixed_bridges(source, target, settings) for source, target, _ in parsed]
    tasks = [find_task(name) for name in dict.fromkeys(settings.tasks)]
    earlier = [read_earlier(file) for file in settings.recommendations] if settings.needs_ranking else []
    for one in earlier:
        if one.pair not in [(source.code, target.code) for source, target, _ in parsed]:
            raise InputError(
                f"--recommendation {one.file} is for {':'.join(one.pair)}, which is no pair of this run; leave it out."
            )
    found = [
        _pair(source, target, candidates, bridges, earlier, settings, cache)
        for (source, target, candidates), bridges in zip(parsed, fixed, strict=True)
    ]
    return [_plan(task, pair, settings, scorings, cache) for pair in found for task in tasks]


def _pair(
    source: Language,
    target: Language,
    candidates: tuple[Language, ...],
    bridges: tuple[Language, ...],
    earlier: Sequence[Earlier],
    settings: EvaluationSettings,
    cache: Cache,
) -> Pair:
    chosen = settings.recommend
    lexicon = load_lexicon(
        chosen.lexicon, directory=chosen.lexicon_dir, source=source, target=target, cache_dir=cache.root / "lexicons"
    )
    own = next((one for one in earlier if one.pair == (source.code, target.code)), None)
    if own is not None:
        own.check_apart(chosen, lexicon)
    if settings.needs_ranking and own is None:
        try:
            found = materials(source, target, candidates, chosen, cache)
        except InputError as error:
            raise InputError(f"{error} Without a ranking of bridges (--arms '') it is not needed.") from error
        texts = tuple(found.texts[one.code] for one in (source, target))
        return Pair(source, target, found.candidates, bridges, lexicon, texts, None)
    texts = tuple(_texts_read((source, target), lexicon, settings))
    return Pair(source, target, candidates, bridges, lexicon, texts, own)


def _texts_read(pair: Sequence[Language], lexicon: Lexicon, settings: EvaluationSettings) -> list[Text]:
    if not settings.needs_ranking:
        return []  # nothing reads neurons
    found = []
    for one in pair:
        try:
            found.append(load_text(settings.recommend.texts, one, settings.recommend.seed, lexicon))
        except InputError:
            continue  # no ranking needs it
    return found


def _plan(task: Task, pair: Pair, settings: EvaluationSettings, scorings: Sequence[str], cache: Cache) -> Plan:
    chosen = settings.recommend
    data = Data(settings.data, cache.root, chosen.lexicon, chosen.lexicon_dir, chosen.seed)
    loaded = task.load(pair.source, pair.target, data)
    items = (unread(loaded.items, pair.texts) if task.words else loaded.items)[: settings.limit]
    if len(items) < FEWEST_ITEMS:
        raise InputError(
            f"{task.name} has only {len(items)} items for {pair.source.name} to {pair.target.name}; {FEWEST_ITEMS} are "
            "needed."
        )
    scoring, fallback = _scoring(task, settings, scorings)
    shown = _shown(task, pair, loaded, items, data, scoring, settings)
    notes = [f"{len(items)} of {len(loaded.items)} items from {loaded.source}.", *loaded.notes, *fallback]
    n_concepts = len({item.concept for item in items})
    if n_concepts < len(items):
        notes.append(
            f"The {len(items)} items are about {n_concepts} texts; intervals and tests take items about one text "
            "together."
        )
    if settings.needs_ranking:
        notes.append(overlap_note(items, pair.texts, chosen.tokens, words=task.words))
    if has_scaffolds(task.name) and not is_native(task.name, pair.target):
        notes.append(f"There is no scaffold in {pair.target.name}: what stands around the data is in English.")
    if is_graded(task.metric):
        notes += _graded_notes()
    if settings.normalise != "sum" and (scoring == GENERATED or (settings.normalise == "byte" and scoring != TEXT)):
        notes.append(f"--normalise {settings.normalise} changes nothing here: answers are {scoring}.")
    if settings.shots:
        notes.append(
            f"{settings.shots} demonstrations stand before every question, none of them a test item; they show no "
            "bridge, in no arm, and bridge texts are asked for without any."
        )
    if settings.bridges is None and not pair.bridges:
        notes.append("English, the bridge by default, is one of the two languages; --bridge names another.")
    if DICTIONARY in settings.arms and not pair.bridges and not settings.needs_ranking:
        notes.append("There is no dictionary arm, for there is no bridge: name one with --bridge.")
    return Plan(task, pair, items, scoring, shown, tuple(notes))


def _scoring(task: Task, settings: EvaluationSettings, can: Sequence[str]) -> tuple[str, list[str]]:
    """The scoring in force, and a note where it is not the task's first."""
    if settings.scoring is not None and settings.scoring not in task.scorings:
        raise InputError(
            f"The task {task.name} cannot be scored by {settings.scoring}: choose {' or '.join(task.scorings)}."
        )
    wanted = (settings.scoring,) if settings.scoring else task.scorings
    for one in wanted:
        if one in can:
            if one == wanted[0]:
                return one, []
            return one, [f"The server gives no log-probabilities for scoring by {wanted[0]}: answers are by {one}."]
    raise InputError(
        f"The server can score by {', '.join(can)}, and {task.name} needs {' or '.join(wanted)}: options are scored by "
        "likelihood only where a server gives log-probabilities (vLLM does); choose another --scoring or --task."
    )


def _shown(
    task: Task,
    pair: Pair,
    loaded: Loaded,
    items: Sequence[Item],
    data: Data,
    scoring: str,
    settings: EvaluationSettings,
) -> str:
    if not settings.shots:
        return ""
    language = parse(settings.shots_language) if settings.shots_language else pair.source
    if language != pair.source:
        if language == pair.target and task.words:
            raise InputError(f"--shots-language {language.code} is the target: its words need no translation.")
        loaded = task.load(language, pair.target, data)
    concepts = {item.concept for item in items}
    # Concepts of some lexicons are words of one language: a demonstration must not give a test's answer away either.
    gold = {normalise_word(word) for item in items for word in item.gold} if task.words else set()
    kept = [
        item
        for item in loaded.demonstrations
        if item.concept not in concepts and gold.isdisjoint(normalise_word(word) for word in item.gold)
    ][: settings.shots]
    if len(kept) < settings.shots:
        raise InputError(f"{task.name} has only {len(kept)} items for demonstrations; lower --shots {settings.shots}.")
    return demonstrations(task, kept, language, pair.target, scoring)


def _graded_notes() -> list[str]:
    from linguabridge.tasks.corpus import signatures, spbleu_note  # needs sacrebleu, which other tasks do not

    signed = "; ".join(f"{name} {signature}" for name, signature in signatures().items())
    missing = spbleu_note()
    return [f"Scored by sacrebleu: {signed}.", *([missing] if missing else [])]
