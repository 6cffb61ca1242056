"""How often each value occurs, crossed with another, and what numbers and lengths look like as a whole."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

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
    return summarize_counted(Counter(numbers))


def summarize_counted(counts: Mapping[float, int]) -> NumberSummary | None:
    """The same of numbers by how often each occurs."""
    ordered = sorted(n for n in counts if math.isfinite(n))
    if not ordered:
        return None
    upto = [*accumulate(counts[n] for n in ordered)]
    total = upto[-1]

    def at(share: float) -> float:
        place = (total - 1) * share
        below = math.floor(place)
        low = ordered[bisect_right(upto, below)]
        part = place - below
        return low * (1 - part) + ordered[bisect_right(upto, below + 1)] * part if part else low

    scale = max(abs(ordered[0]), abs(ordered[-1]), 1.0)
    return NumberSummary(
        rows=total,
        minimum=ordered[0],
        q1=at(0.25),
        median=at(0.5),
        q3=at(0.75),
        maximum=ordered[-1],
        mean=math.fsum(n / scale * counts[n] for n in ordered) / total * scale,  # A sum of huge numbers overflows.
        bars=tuple(_bars(ordered, counts, total)),
    )


def _bars(ordered: Sequence[float], counts: Mapping[float, int], total: int) -> list[Bar]:
    low, high = ordered[0], ordered[-1]
    if low == high:
        return [Bar(low, high, total)]
    if high - low < BARS and all(float(n).is_integer() for n in ordered):
        return [Bar(float(n), float(n), counts.get(n, 0)) for n in range(int(low), int(high) + 1)]
    width = high / BARS - low / BARS
    edges = [low + width * n for n in range(BARS)]
    if edges[1] == low:
        return [Bar(low, high, total)]
    rows = [0] * BARS
    for number in ordered:
        rows[max(0, bisect_right(edges, number) - 1)] += counts[number]
    return [Bar(edges[n], high if n == BARS - 1 else edges[n + 1], each) for n, each in enumerate(rows)]
