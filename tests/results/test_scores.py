"""Figures of agreement and counts, against small tables worked by hand and against definitions."""

from __future__ import annotations

import math
import random
from collections import Counter
from decimal import Decimal

import pytest

from batchtui.results.number_summary import summarize
from batchtui.results.scores import (
    Confusion,
    Stratum,
    cohen_kappa,
    estimate,
    label_of,
    label_order,
    mcnemar,
    proportion,
    wilson,
)


def test_a_table_worked_by_hand() -> None:
    table = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    confusion = Confusion()
    for (gold, answer), rows in table.items():
        confusion.add(gold, answer, rows)
    confusion.add("yes", None, 5)
    confusion.add(None, "yes", 7)
    score = confusion.score()
    assert (score.rows, score.usable, score.without_gold) == (55, 50, 7)
    assert (score.accuracy.hits, score.accuracy.rows) == (35, 55)
    assert score.accuracy_usable.value == 0.7
    assert score.kappa == pytest.approx(0.4)  # po 0.7, pe 0.5·0.6 + 0.5·0.4
    no, yes = score.classes
    assert (no.label, no.gold, no.answered) == ("no", 25, 20)
    assert (no.precision, no.recall) == (0.75, 0.6)
    assert (yes.precision, yes.recall) == (20 / 30, 20 / 30)  # five of the thirty have no usable answer
    assert yes.f1 == pytest.approx(2 / 3)
    assert score.macro_f1 == pytest.approx((2 * 15 / 45 + 2 / 3) / 2)
    assert score.matrix == {"no": {"no": 15, "yes": 10}, "yes": {"no": 5, "yes": 20}}
    assert score.unusable == {"yes": 5} and not score.few


def test_what_is_undefined_is_none() -> None:
    empty = Confusion().score()
    assert (empty.accuracy.value, empty.kappa, empty.macro_f1, empty.classes) == (None, None, None, ())
    assert empty.few and proportion(0, 0).low is None and mcnemar(0, 0) is None and wilson(0, 0) is None
    one = Confusion()
    one.add("a", "a", 3)
    assert one.score().kappa is None and one.score().accuracy.value == 1.0
    never = Confusion()
    never.add("a", "b", 3)
    a, b = never.score().classes
    assert (a.precision, a.recall, b.precision, b.recall) == (None, 0.0, 0.0, None)


def test_intervals_and_tests_of_textbooks() -> None:
    low, high = wilson(81, 263) or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I
    assert wilson(0, 20) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert wilson(20, 20) == (pytest.approx(0.8389, abs=1e-4), 1.0)
    assert mcnemar(4, 16) == pytest.approx(0.01181793)
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(998, 1_001) == pytest.approx(mcnemar(999, 1_002) or 0, rel=0.01)
    assert mcnemar(0, 3_000) == 0.0 or (mcnemar(0, 3_000) or 1) < 1e-300


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (" positive ", "positive"),
        ("e\u0301", "\u00e9"),
        (1, "1"),
        (1.0, "1"),
        ("1.50", "1.5"),
        ("01", "1"),
        ("-0", "0"),
        (Decimal("1E+2"), "100"),
        ("1e400000", "1e400000"),
        ("1_000", "1_000"),
        ("9" * 500, "9" * 500),
        ("NaN", "NaN"),
        (True, "true"),
        ("True", "true"),
        ("false", "false"),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_labels_that_are_equal_are_spelled_alike(value: object, label: str | None) -> None:
    assert label_of(value) == label


def test_order_of_labels() -> None:
    assert label_order(["b", "10", "9", "a", "-1.5"]) == ["-1.5", "9", "10", "a", "b"]


def test_kappa_is_symmetric() -> None:
    matrix = {"a": {"a": 3, "b": 2}, "b": {"a": 1, "b": 4, "c": 1}}
    turned = {"a": {"a": 3, "b": 1}, "b": {"a": 2, "b": 4}, "c": {"b": 1}}
    assert cohen_kappa(matrix) == pytest.approx(cohen_kappa(turned))


def test_numbers_as_a_whole() -> None:
    found = summarize(Counter([1, 2, 3, 4, math.inf, math.nan]))
    assert found is not None and (found.q1, found.median, found.q3, found.mean) == (1.75, 2.5, 3.25, 2.5)
    assert [(bar.low, bar.rows) for bar in found.bars] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert summarize(Counter([])) is None
    wide = summarize(Counter([-1.7e308, 1.7e308, 0.0]))
    assert wide is not None and math.isfinite(wide.mean) and sum(bar.rows for bar in wide.bars) == 3
    tiny = summarize(Counter([5e-324, 1e-323]))
    assert tiny is not None and sum(bar.rows for bar in tiny.bars) == 2
    thousand = summarize(Counter([float(n) / 7 for n in range(1000)]))
    assert thousand is not None and len(thousand.bars) == 10 and sum(bar.rows for bar in thousand.bars) == 1000


def _coverage(strata: list[tuple[int, int, float]], rounds: int, seed: int) -> float:
    """How often the interval of a sample holds the share of all rows."""
    luck, held = random.Random(seed), 0
    truth = sum(round(rows * share) for rows, _, share in strata) / sum(rows for rows, _, _ in strata)
    for _ in range(rounds):
        found = estimate(
            [
                Stratum(rows, taken, sum(row < round(rows * share) for row in luck.sample(range(rows), taken)))
                for rows, taken, share in strata
            ]
        )
        assert found.low is not None and found.high is not None and found.value is not None
        assert 0 <= found.low <= found.value <= found.high <= 1
        held += found.low <= truth <= found.high
    return held / rounds


STRATA = [
    [(1_000, 30, 0.9)],
    [(500, 10, 0.9), (300, 10, 0.8), (100, 10, 0.6)],
    [(900, 10, 0.95), (60, 10, 0.5), (40, 10, 0.3)],
    [(40, 15, 0.7), (30, 15, 0.9)],
    [(5_000, 20, 0.9), (20, 10, 0.2)],
]


@pytest.mark.parametrize("strata", STRATA)
def test_the_interval_of_a_sample_holds_the_truth(strata: list[tuple[int, int, float]]) -> None:
    assert _coverage(strata, 300, 1) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("strata", STRATA)
def test_the_interval_of_a_sample_holds_the_truth_at_length(strata: list[tuple[int, int, float]]) -> None:
    assert _coverage(strata, 5_000, 2) >= 0.935


def test_a_sample_of_everything_is_no_estimate() -> None:
    found = estimate([Stratum(10, 10, 9), Stratum(5, 5, 5)])
    assert (found.value, found.low, found.high) == (pytest.approx(14 / 15),) * 3
    part = estimate([Stratum(10, 0, 0), Stratum(5, 5, 5)])
    assert part.covered == 5 and estimate([]).value is None
