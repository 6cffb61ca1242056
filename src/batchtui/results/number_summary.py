"""What numbers look like as a whole: quartiles, mean and a histogram."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec

BARS = 10
"""Bars of a histogram."""


class HistogramBar(msgspec.Struct, frozen=True):
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
    bars: tuple[HistogramBar, ...]


def summarize(counts: Mapping[float, int]) -> NumberSummary | None:
    """Quartiles, mean and histogram of numbers, by how often each occurs; None when there is none.

    What isn't finite is left out.
    """
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


def _bars(ordered: Sequence[float], counts: Mapping[float, int], total: int) -> list[HistogramBar]:
    low, high = ordered[0], ordered[-1]
    if low == high:
        return [HistogramBar(low, high, total)]
    if high - low < BARS and all(float(n).is_integer() for n in ordered):
        return [HistogramBar(float(n), float(n), counts.get(n, 0)) for n in range(int(low), int(high) + 1)]
    width = high / BARS - low / BARS
    edges = [low + width * n for n in range(BARS)]
    if edges[1] == low:
        return [HistogramBar(low, high, total)]
    rows = [0] * BARS
    for number in ordered:
        rows[max(0, bisect_right(edges, number) - 1)] += counts[number]
    return [HistogramBar(edges[n], high if n == BARS - 1 else edges[n + 1], each) for n, each in enumerate(rows)]
