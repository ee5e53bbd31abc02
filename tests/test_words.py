"""What the words say of a check, for cases made by hand."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from linguabridge.check import Arm, Check, CheckItem
from linguabridge.paired import Interval, compare
from linguabridge.tables import check_table
from linguabridge.words import check_sentences, interval, listed, number, p_value, share


def arm(ranks: list[int], direct: list[int], copied: int = 0) -> Arm:
    items = tuple(
        CheckItem("c", "w", ("g",), {"en": "b"}, "p", rank, "a", exact=False, copied=number < copied)
        for number, rank in enumerate(ranks)
    )
    some = Interval(0.5, 0.4, 0.6)
    own, base = np.array(ranks), np.array(direct)
    left = compare(own[copied:], base[copied:], 0) if copied < len(ranks) else None
    return Arm("en", items, some, some, some, copied, 0, None, compare(own, base, 0), left if copied else None)


def test_effect_is_named_only_where_the_interval_leaves_out_zero() -> None:
    assert arm([1] * 30, [4] * 30).effect == "helps"
    assert arm([4] * 30, [1] * 30).effect == "hurts"
    assert arm([1, 4] * 15, [4, 1] * 15).effect == "unclear"


def test_few_words_left_beside_copies_tell_nothing() -> None:
    assert arm([1] * 50, [4] * 50, copied=21).effect == "unclear"
    assert arm([1] * 50, [4] * 50, copied=20).effect == "helps"
    assert arm([1] * 50, [4] * 50, copied=50).effect == "unclear"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "<.001"), (0.0004, "<.001"), (0.0006, ".001"), (0.05, ".050"), (1.0, "1.000")]
)
def test_p_value_is_never_zero(value: float, text: str) -> None:
    assert p_value(value) == text


def test_figures_are_written_as_in_statistics() -> None:
    assert [number(0.5), number(-0.25), number(None), number(float("nan")), number(12.5)] == [
        *(".500", "-.250", "–", "–", "12.500")
    ]
    assert interval(-0.1, 0.2, sign=True) == "[-.100, +.200]"
    assert [share(0.0), share(0.004), share(0.5), share(0.996), share(1.0)] == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_a_difference_on_few_words_is_given_without_a_verdict() -> None:
    direct = replace(arm([4] * 20, [4] * 20), bridge=None)
    said = check_sentences(Check((direct, arm([1] * 20, [4] * 20)), 20))
    assert "+.750 MRR against direct" in said
    assert "fewer than 30 words, too few for a verdict" in said
    assert "no clear difference" not in said


def test_english_is_called_by_its_name_and_copies_alone_are_no_comparison() -> None:
    direct = replace(arm([1] * 40, [1] * 40), bridge=None)
    said = check_sentences(Check((direct, arm([1] * 40, [4] * 40)), 40))
    assert "Through English, 50 % (MRR .500): +.750 MRR against direct" in said
    assert "it helps" in said
    only_copies = arm([1] * 40, [4] * 40, copied=40)
    assert only_copies.fair is None
    assert "40 of 40 bridge words already are right" in check_sentences(Check((direct, only_copies), 40))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(check_table(Check((direct, only_copies), 40)))
    assert "via English" in console.export_text()
