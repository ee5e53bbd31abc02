"""An evaluation in words: what helps and what does not, then the figures, then what to bear in mind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from linguabridge import languages
from linguabridge.evaluation.results import DIRECT, Arm, Evaluation, Result
from linguabridge.evaluation.settings import CHAIN, ORACLE, RANDOM, VOTE
from linguabridge.evaluation.statistics import compared, is_significant, leaves_out_zero, verdict
from linguabridge.paired import Contrast
from linguabridge.settings import FEWEST_FOR_A_VERDICT
from linguabridge.words import listed, number, p_value, share

OF_A_HUNDRED = ("chrF++", "spBLEU")  # metrics that go from 0 to 100
_FEW = 3  # arms, at most, that are named one by one in a sentence of minor weight


def headline(evaluation: Evaluation) -> str:
    """The answer, a paragraph a result, and how many comparisons were corrected for."""
    count = sum(len(compared(result)) for result in evaluation.results)
    corrected = [f"All p-values are corrected for the {count} comparisons of this run (Holm)."] if count > 1 else []
    return "\n\n".join([*(paragraph(result, count) for result in evaluation.results), *corrected])


def paragraph(result: Result, count: int) -> str:
    """What one result says.

    Args:
        result: one that went through :func:`linguabridge.evaluation.statistics.with_holm`.
        count: comparisons of the run.
    """
    return " ".join(
        [
            _verdicts(result),
            _direct(result),
            *(_gain(arm, result.metric) for arm in _judged(result) if verdict(arm, result.n) != "unclear"),
            *_nearly(result, count),
            *_detectable(result),
            *_too_few(result),
            *_oracle(result),
            *_counts(result),
        ]
    )


def figure(value: float | None, metric: str, *, sign: bool = False) -> str:
    """A value of a metric: three decimals, or one where it goes from 0 to 100."""
    if metric not in OF_A_HUNDRED or value is None or value != value:
        return number(value, sign=sign)
    return f"{value:+.1f}" if sign else f"{value:.1f}"


def _verdicts(result: Result) -> str:
    """The answer before all figures."""
    pair = f"{languages.parse(result.source).name} to {languages.parse(result.target).name}"
    if all(arm.n_unparsed >= result.n for arm in result.arms if arm.name != RANDOM):
        return f"{result.task}, {pair}: no answer could be read, in no arm, so nothing can be said."
    if len(result.arms) == 1:
        return f"{result.task}, {pair}: only the direct way was run."
    if result.n < FEWEST_FOR_A_VERDICT:
        return f"{result.task}, {pair}: {result.n} items are too few to judge by; {FEWEST_FOR_A_VERDICT} are needed."
    said = []
    for which, one, several in (
        ("helps", "helps", "help"),
        ("hurts", "does harm", "do harm"),
        ("unclear", "shows no clear difference", "show no clear difference"),
    ):
        subjects = [_subject(arm) for arm in _judged(result) if verdict(arm, result.n) == which]
        if subjects:
            said.append(f"{listed(subjects)} {one if len(subjects) == 1 else several}")
    return f"{result.task}, {pair}: {'; '.join(said) or 'nothing was compared with going direct'}."


def _judged(result: Result) -> list[Arm]:
    return [arm for arm in result.arms if arm.name not in (DIRECT, ORACLE)]


def _subject(arm: Arm) -> str:
    if arm.name in (CHAIN, VOTE):
        return f"the {arm.label}"
    return f"going {arm.label}" if arm.label.startswith("via ") else arm.label


def _direct(result: Result) -> str:
    direct = next(arm for arm in result.arms if arm.name == DIRECT)
    value = direct.metrics[result.metric]
    low, high = figure(value.low, result.metric), figure(value.high, result.metric)
    items = "1 item" if result.n == 1 else f"{result.n:,} items"
    return f"On {items}, direct has {result.metric} {figure(value.value, result.metric)} [{low}, {high}]."


def _gain(arm: Arm, metric: str) -> str:
    fair = arm.fair
    assert fair is not None
    value, low, high = (
        figure(one, metric, sign=True) for one in (fair.difference.value, fair.difference.low, fair.difference.high)
    )
    return (
        f"{_capital(arm.label)}: {value} against direct (95 % interval {low} to {high}; Holm's p {_p(fair)}); "
        f"{fair.gained} items better, {fair.lost} worse."
    )


def _p(one: Contrast) -> str:
    return p_value(one.p) if one.p_holm is None else p_value(one.p_holm)


def _nearly(result: Result, count: int) -> list[str]:
    """Arms for which interval and corrected p-value disagree."""
    said = []
    for arm in _judged(result):
        fair = arm.fair
        if not fair or _left(arm, result) < FEWEST_FOR_A_VERDICT or leaves_out_zero(fair) == is_significant(fair):
            continue
        if leaves_out_zero(fair):
            over = f", corrected for {count} comparisons," if count > 1 else ""
            said.append(
                f"{_capital(arm.label)}, the interval of the difference leaves out 0, but its p{over} is {_p(fair)}: "
                "too weak to conclude from."
            )
        else:
            said.append(f"{_capital(arm.label)}, p is {_p(fair)}, but the interval of the difference includes 0.")
    return said


def _detectable(result: Result) -> list[str]:
    """What the arms without a verdict could have shown."""
    sizes = [
        arm.fair.detectable
        for arm in _judged(result)
        if arm.fair
        and verdict(arm, result.n) == "unclear"
        and _left(arm, result) >= FEWEST_FOR_A_VERDICT
        and arm.fair.detectable == arm.fair.detectable
    ]
    if not sizes:
        return []
    least, most = figure(min(sizes), result.metric), figure(max(sizes), result.metric)
    about = f"about {most}" if least == most else f"{least} to {most}, by the arm,"
    return [
        f"This many items would show a true difference of {about} or more in 4 of 5 cases (before correction); a "
        "smaller one may stay hidden."
    ]


def _too_few(result: Result) -> list[str]:
    if result.n < FEWEST_FOR_A_VERDICT:
        return []  # said already
    few = [arm for arm in _judged(result) if _left(arm, result) < FEWEST_FOR_A_VERDICT]
    said = [f"{_left(arm, result)} {arm.label}" for arm in few]
    return [f"Too few items are left beside copies for a verdict: {listed(said)}."] if few else []


def _oracle(result: Result) -> list[str]:
    """The oracle's gain is no evidence, which must be said wherever it is shown."""
    return [
        f"{_capital(arm.label)}: it was chosen by its scores on these very items, so it has no verdict and is an upper "
        "bound of what one bridge can do."
        for arm in result.arms
        if arm.name == ORACLE
    ]


def _counts(result: Result) -> list[str]:
    """What happened to items, by arm, where it happened."""
    copied = _counted(result.arms, lambda arm: arm.n_copied)
    without = _counted(result.arms, lambda arm: arm.n_without_bridge)
    unparsed = _counted(result.arms, lambda arm: arm.n_unparsed)
    hops = [f"{share(arm.first_hop)} {arm.label}" for arm in result.arms if arm.first_hop is not None]
    said = [
        f"Items whose bridge text already is a right answer (copying is not bridging) are left out of the difference: "
        f"{copied}."
        if copied
        else "",
        f"Items without a bridge text went direct: {without}." if without else "",
        f"Answers that could not be read count as wrong: {unparsed}." if unparsed else "",
        f"Right bridge words, of those the lexicon can judge: {listed(hops)}." if hops else "",
    ]
    return [one for one in said if one]


def _counted(arms: Sequence[Arm], of: Callable[[Arm], int]) -> str:
    """How many, by arm; of many arms, from the fewest to the most."""
    found = [arm for arm in arms if of(arm)]
    if len(found) <= _FEW:
        return listed([f"{of(arm)} {arm.label}" for arm in found]) if found else ""
    least, most = min(map(of, found)), max(map(of, found))
    return f"{least} in each of {len(found)} ways" if least == most else f"{least} to {most}, in {len(found)} ways"


def _left(arm: Arm, result: Result) -> int:
    return result.n - arm.n_copied


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
