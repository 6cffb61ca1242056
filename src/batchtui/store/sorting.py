"""Puts rows in the order of a column."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from batchtui.store.view import Rows, View

KEYS = (
    "file",
    "source",
    "id",
    "outcome",
    "why",
    "stop",
    "error",
    "model",
    "tokens",
    "in",
    "out",
    "cost",
    "size",
    "words",
)
"""What rows can be sorted by; ``why`` is the stop reason or the error, ``words`` reads every line: a second or two for
100,000.
"""


def sort(view: View, rows: Iterable[int], key: str, *, reverse: bool = False) -> Rows:
    """Rows in the order of ``key`` (one of KEYS, others leave the order as it is); equal ones keep theirs."""
    given = list(rows)
    if key not in KEYS:
        return array("I", given)
    return array("I", sorted(given, key=_key(view, key), reverse=reverse))


def _key(view: View, key: str) -> Callable[[int], Any]:
    if key == "file":
        return int
    if key == "id":
        return view.ids().__getitem__
    if key == "words":
        return lambda row: view.first_words(row).casefold()
    if key == "stop":
        return _ranked(view.column("stop"), view.stops)
    if key == "why":
        outcome, stop, group = view.column("outcome"), view.column("stop"), view.column("group")
        kinds = ["", *(each.kind for each in view.group_keys)]
        return lambda row: kinds[group[row]] if outcome[row] else view.stops[stop[row]]
    if key == "model":
        return _ranked(view.column("model"), view.models)
    if key == "error":
        titles = ["", *(f"{group.kind} {group.message}" for group in view.group_keys)]
        return _ranked(view.column("group"), titles)
    if key == "outcome":
        outcome, cut = view.column("outcome"), view.column("cut")
        return lambda row: (outcome[row], cut[row])
    if key == "source":
        order = view.column("seq")
        return lambda row: order[row] if order[row] >= 0 else 1 << 40
    if key in ("tokens", "in"):
        names = ("input", "cache_write", "cache_read") + (("output",) if key == "tokens" else ())
        columns = [view.column(name) for name in names]
        sums = [sum(amounts) for amounts in zip(*columns, strict=True)]
        return sums.__getitem__
    return view.column({"out": "output", "size": "length"}.get(key, key)).__getitem__


def _ranked(column: Sequence[int], names: Sequence[str]) -> Callable[[int], int]:
    """Sort by name through the name's rank, so that each row costs one look."""
    order = sorted(range(len(names)), key=lambda number: names[number])
    ranks = [0] * len(names)
    for rank, number in enumerate(order):
        ranks[number] = rank
    return lambda row: ranks[column[row]]
