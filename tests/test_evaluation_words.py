"""Holm over a run, verdicts, and what words and tables say of results made by hand."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from linguabridge.evaluation.results import Arm, Evaluation, Result
from linguabridge.evaluation.statistics import compared, verdict, with_holm
from linguabridge.evaluation.tables import result_table
from linguabridge.evaluation.words import figure, headline
from linguabridge.paired import Contrast, Interval


def contrast(p: float, low: float, high: float, *, p_holm: float | None = None, detectable: float = 0.08) -> Contrast:
    return Contrast(Interval((low + high) / 2, low, high), p, p_holm, "exact McNemar", 20, 4, detectable)


BETTER, WORSE = contrast(0.001, 0.05, 0.15), contrast(0.002, -0.15, -0.05)
WEAK, NONE = contrast(0.03, 0.01, 0.11), contrast(0.6, -0.05, 0.07, detectable=0.09)


def arm(name: str, against: Contrast | None, label: str | None = None, metric: str = "accuracy", **more: Any) -> Arm:
    more = {"metrics": {metric: Interval(0.45, 0.35, 0.55)}, "corpus": {}, **more}
    return Arm(name, label or name, (), against_direct=against, **more)


DIRECT = arm("direct", None)


def result(*arms: Arm, n: int = 100, metric: str = "accuracy", task: str = "mrc", scoring: str = "text") -> Result:
    return Result("ar", "he", task, metric, scoring, n, None, arms, ())


def said(*results: Result) -> str:
    return headline(Evaluation("m", with_holm(results), (), {}))


def drawn(one: Result, width: int = 80) -> list[str]:
    (one,) = with_holm([one])
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(result_table(one))
    return console.export_text().splitlines()


# Holm over a run


def test_holm_goes_over_every_fair_contrast_of_the_run_but_the_oracles() -> None:
    copied = arm("dictionary:en", BETTER, n_copied=5, without_copies=contrast(0.03, 0, 0.1))
    only_copies = arm("fr", BETTER, n_copied=100)
    first, second = with_holm(
        [
            result(DIRECT, arm("en", contrast(0.01, 0, 1)), copied, only_copies),
            result(DIRECT, arm("oracle", contrast(0.005, 0, 1)), arm("fr", contrast(0.04, 0, 1)), task="nli"),
        ]
    )
    # .01 × 3, .03 × 2, and .04 raised to it.
    found = {(one.task, a.name): a.fair.p_holm for one in (first, second) for a in one.arms if a.fair and a.fair.p_holm}
    assert found == {
        ("mrc", "en"): pytest.approx(0.03),
        ("mrc", "dictionary:en"): pytest.approx(0.06),
        ("nli", "fr"): pytest.approx(0.06),
    }
    assert second.arms[1] == arm("oracle", contrast(0.005, 0, 1))  # never judged, so it has no place
    assert [len(compared(one)) for one in (first, second)] == [2, 1]
    assert first.arms[2].against_direct == BETTER  # keeps None
    assert first.arms[3] == only_copies
    assert first.arms[0] == DIRECT


# Verdicts


@pytest.mark.parametrize(
    ("p_holm", "low", "high", "expected"),
    [
        (0.049, 0.01, 0.1, "helps"),
        (0.049, -0.1, -0.01, "hurts"),
        (0.05, 0.01, 0.1, "unclear"),
        (0.04, 0.0, 0.1, "unclear"),
        (0.04, -0.1, 0.0, "unclear"),
        (None, 0.01, 0.1, "unclear"),
        (0.04, math.nan, math.nan, "unclear"),
    ],
)
def test_verdict_needs_interval_and_corrected_p(p_holm: float | None, low: float, high: float, expected: str) -> None:
    one = contrast(0.001, low, high, p_holm=p_holm)
    assert verdict(arm("en", one), 100) == expected
    assert verdict(arm("en", None, n_copied=10, without_copies=one), 100) == expected


def test_verdict_needs_30_items_without_copies_and_no_hindsight() -> None:
    one = contrast(0.001, 0.01, 0.1, p_holm=0.01)
    assert [verdict(arm("en", one), n) for n in (30, 29)] == ["helps", "unclear"]
    copies = arm("en", one, n_copied=20, without_copies=one)
    assert [verdict(copies, n) for n in (50, 49)] == ["helps", "unclear"]
    assert verdict(arm("oracle", one), 100) == "unclear"
    assert verdict(DIRECT, 100) == "unclear"
    assert verdict(arm("en", one, n_copied=100), 100) == "unclear"  # nothing is left to compare


# Words


def test_words_come_before_figures() -> None:
    text = said(
        result(
            DIRECT,
            arm("en", BETTER, "via English"),
            arm("chain", WORSE, "chain en → fr"),
            arm("fr", NONE, "via French"),
            arm("random", NONE, "a random bridge (mean of 9)"),
        )
    )
    first = text.split(". ")[0]
    assert first == (
        "mrc, Arabic to Hebrew: going via English helps; the chain en → fr does harm; going via French and a random "
        "bridge (mean of 9) show no clear difference"
    )
    assert "On 100 items, direct has accuracy .450 [.350, .550]." in text
    assert (
        "Via English: +.100 against direct (95 % interval +.050 to +.150; Holm's p .004); 20 items better, 4 worse."
        in text
    )
    assert "Chain en → fr: -.100 against direct" in text
    assert "Via French: " not in text
    assert "This many items would show a true difference of about .090 or more" in text
    assert text.endswith("\n\nAll p-values are corrected for the 4 comparisons of this run (Holm).")


def test_what_does_not_survive_the_correction_is_said_in_those_words() -> None:
    weak = said(result(DIRECT, arm("en", WEAK, "via English"), arm("fr", NONE, "via French")))
    assert "via English and going via French show no clear difference" in weak
    assert (
        "Via English, the interval of the difference leaves out 0, but its p, corrected for 2 comparisons, is .060: "
        "too weak to conclude from." in weak
    )
    assert "difference of .080 to .090, by the arm, or more" in weak
    alone = said(result(DIRECT, arm("en", WEAK, "via English")))
    assert "going via English helps" in alone
    assert "corrected" not in alone
    other = said(result(DIRECT, arm("en", contrast(0.01, -0.001, 0.1), "via English")))
    assert "Via English, p is .010, but the interval of the difference includes 0." in other


def test_the_oracle_is_never_said_to_help() -> None:
    text = said(result(DIRECT, arm("oracle", BETTER, "via French (best in hindsight)")))
    assert text.startswith("mrc, Arabic to Hebrew: nothing was compared with going direct.")
    assert (
        "Via French (best in hindsight): it was chosen by its scores on these very items, so it has no verdict" in text
    )
    assert "helps" not in text


def test_few_items_have_no_verdict() -> None:
    assert "20 items are too few to judge by; 30 are needed." in said(
        result(DIRECT, arm("en", BETTER, "via English"), n=20)
    )
    copies = arm("en", BETTER, "via English", n_copied=80, without_copies=BETTER)
    text = said(result(DIRECT, copies, arm("fr", NONE, "via French", n_copied=100)))
    assert "Too few items are left beside copies for a verdict: 20 via English and 0 via French." in text
    assert "This many items" not in text


def test_what_happened_to_items_is_counted_where_it_happened() -> None:
    text = said(
        result(
            arm("direct", None, n_unparsed=3),
            arm("en", NONE, "via English", n_unparsed=1, n_copied=2, without_copies=NONE, first_hop=0.25),
            arm("fr", contrast(1, 0, 0, detectable=math.nan), "via French", n_without_bridge=7),
        )
    )
    assert "is left out of the difference" not in text
    assert "are left out of the difference: 2 via English." in text
    assert "Items without a bridge text went direct: 7 via French." in text
    assert "Answers that could not be read count as wrong: 3 direct and 1 via English." in text
    assert "Right bridge words, of those the lexicon can judge: 25 % via English." in text
    assert "difference of about .090 or more" in text  # NaN is left out
    many = [arm(f"b{count}", NONE, n_unparsed=count) for count in (3, 9, 4, 5)]
    assert "count as wrong: 3 to 9, in 4 ways." in said(result(DIRECT, *many))
    assert "count as wrong: 3 in each of 4 ways." in said(result(DIRECT, *[many[0]] * 4))
    quiet = said(result(DIRECT, arm("en", NONE, "via English")))
    for words in ("copying", "without a bridge", "could not be read", "lexicon"):
        assert words not in quiet


def test_one_paragraph_a_result_and_none_without_any() -> None:
    text = said(result(DIRECT, arm("en", BETTER)), result(DIRECT, arm("en", NONE), task="nli"))
    assert [part.split()[0] for part in text.split("\n\n")] == ["mrc,", "nli,", "All"]
    assert said() == ""


def test_figures_fit_their_scale() -> None:
    assert figure(0.25, "MRR") == ".250"
    assert figure(-0.25, "accuracy", sign=True) == "-.250"
    assert figure(41.26, "chrF++") == "41.3"
    assert figure(0.26, "spBLEU", sign=True) == "+0.3"
    assert [figure(None, "chrF++"), figure(math.nan, "chrF++")] == ["–", "–"]


# Tables

LABELS = (
    ("en", "via English"),
    ("recommended", "via Indonesian (recommended)"),
    ("dictionary:en", "via English (dictionary)"),
    ("chain", "chain English → Indonesian → Swahili"),
    ("vote", "vote of en, id, sw"),
    ("random", "a random bridge (mean of 15)"),
    ("oracle", "via Indonesian (best in hindsight)"),
)


@pytest.mark.parametrize(
    ("metric", "metrics", "corpus", "copied", "unparsed"),
    [
        ("MRR", ("P@1", "exact"), (), 12, 0),
        ("MRR", ("P@1",), (), 12, 120),
        ("chrF++", (), ("chrF++", "spBLEU"), 0, 120),
        ("accuracy", (), (), 0, 120),
    ],
)
def test_table_fits_80_columns_and_cuts_nothing(
    metric: str, metrics: tuple[str, ...], corpus: tuple[str, ...], copied: int, unparsed: int
) -> None:
    scale = 100 if metric == "chrF++" else 1
    value = Interval(0.4117 * scale, 0.3519 * scale, 0.4712 * scale)
    figures = {"metrics": dict.fromkeys((metric, *metrics), value), "corpus": dict.fromkeys(corpus, 31.25)}
    against = Contrast(Interval(0.0891 * scale, -0.0301 * scale, 0.1502 * scale), 0.0123, None, "", 9, 3, 0.1)
    arms = [Arm("direct", "direct", (), **figures)]
    arms += [
        Arm(
            name,
            label,
            (),
            n_copied=copied,
            n_unparsed=unparsed,
            against_direct=against,
            without_copies=against,
            **figures,
        )
        for name, label in LABELS
    ]
    lines = drawn(result(*arms, metric=metric, n=1012))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    body = [line for line in lines if "[" in line]
    assert len(body) == 1 + len(LABELS)
    if scale == 1:
        shown = ".412 [.352, .471]", "+.089", "[-.030, +.150]"
    else:
        shown = "41.2 [35.2, 47.1]", "+8.9", "[-3.0, +15.0]"
    assert all(shown[0] in line for line in body)
    assert all(one in line for one in shown for line in body[1:])
    assert text.count(" .074 ") == len(LABELS) - 1  # .0123 × 6: the oracle has none and does not count
    assert ("copied" in text, "un-" in text) == (copied > 0, unparsed > 0)
    for words in ("(Holm)", "(recommended)", "(dictionary)", "Indonesian", "hindsight)", *metrics, *corpus):
        assert words in text
    assert text.count("31.2") == (1 + len(LABELS)) * len(corpus)


def test_columns_that_say_nothing_are_left_out() -> None:
    plain = "\n".join(drawn(result(DIRECT, arm("en", NONE, "via English"))))
    for header in ("copied", "un-", "exact", "P@1", "spBLEU", "hindsight"):
        assert header not in plain
    generated = "\n".join(drawn(result(DIRECT, arm("en", NONE, "via English"), scoring="generated")))
    assert "un-" in generated
    assert "unparsed: answers that could not be read" in generated


def test_an_arm_of_copies_alone_has_no_gain() -> None:
    lines = drawn(result(DIRECT, arm("en", NONE, "via English", n_copied=100)))
    (line,) = [one for one in lines if "via English" in one]
    assert line.split() == ["via", "English", ".450", "[.350,", ".550]", "–", "–", "–", "100"]


def test_nothing_is_said_where_no_answer_could_be_read() -> None:
    text = said(result(arm("direct", None, n_unparsed=100), arm("en", NONE, "via English", n_unparsed=100)))
    assert text.startswith("mrc, Arabic to Hebrew: no answer could be read, in no arm, so nothing can be said.")
