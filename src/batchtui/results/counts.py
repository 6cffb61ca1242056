"""How often each value occurs, crossed with another, and what numbers and lengths look like as a whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from batchtui.results.scores import label_order

BARS = 10
"""Bars of a histogram."""


class ValueCount(msgspec.Struct, frozen=True):
    """One value, the rows that have it, their share of all rows, and these rows by the value of a second column."""

    value: str
    rows: int
    share: float
    by: dict[str, int]


class Bar(msgspec.Struct, frozen=True):
    """Rows from ``low`` to below ``high``; the last bar includes its end."""

    low: float
    high: float
    rows: int


class NumberSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers as a whole; quartiles by linear interpolation, as pandas and numpy take them."""

    rows: int
    minimum: float
    q1: float
    median: float
    q3: float
    maximum: float
    mean: float
    bars: tuple[Bar, ...]


def frequencies(values: Iterable[str], by: Iterable[str] | None = None) -> list[ValueCount]:
    """Values by how often they occur, the most frequent first and equal ones by name; with ``by`` crossed with it."""
    if by is None:
        counts = Counter(values)
        crossed: dict[str, Counter[str]] = {}
    else:
        pairs = Counter(zip(values, by, strict=True))
        counts, crossed = Counter(), {}
        for (value, other), rows in pairs.items():
            counts[value] += rows
            crossed.setdefault(value, Counter())[other] += rows
    total = sum(counts.values())
    place = {value: number for number, value in enumerate(label_order(counts))}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], place[item[0]]))
    return [
        ValueCount(value, rows, rows / total, {o: crossed[value][o] for o in label_order(crossed.get(value, ()))})
        for value, rows in ordered
    ]


def summarize(numbers: Iterable[float]) -> NumberSummary | None:
    """Quartiles, mean and histogram of numbers; None when there is none.  What isn't finite is left out."""
    ordered = sorted(n for n in numbers if math.isfinite(n))
    if not ordered:
        return None
    scale = max(abs(ordered[0]), abs(ordered[-1]), 1.0)
    return NumberSummary(
        rows=len(ordered),
        minimum=ordered[0],
        q1=quantile(ordered, 0.25),
        median=quantile(ordered, 0.5),
        q3=quantile(ordered, 0.75),
        maximum=ordered[-1],
        mean=math.fsum(n / scale for n in ordered) / len(ordered) * scale,  # A sum of huge numbers overflows.
        bars=tuple(_bars(ordered)),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted numbers by linear interpolation between its neighbors."""
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    part = place - below
    return ordered[below] * (1 - part) + ordered[above] * part if part else ordered[below]


def _bars(ordered: Sequence[float]) -> list[Bar]:
    low, high = ordered[0], ordered[-1]
    if low == high:
        return [Bar(low, high, len(ordered))]
    whole = (
        all(n == int(n) for n in (low, high)) and high - low < BARS and all(n.is_integer() for n in map(float, ordered))
    )
    if whole:
        counts = Counter(ordered)
        return [Bar(float(n), float(n), counts[n]) for n in range(int(low), int(high) + 1)]
    width = high / BARS - low / BARS
    if not width:
        return [Bar(low, high, len(ordered))]
    rows = [0] * BARS
    for number in ordered:
        rows[min(BARS - 1, max(0, int((number / BARS - low / BARS) / width * BARS)))] += 1
    return [Bar(low + width * n, high if n == BARS - 1 else low + width * (n + 1), each) for n, each in enumerate(rows)]
