"""Counts of one column of a view: its values, its numbers as a histogram or its long texts by length, crossed with another.

Of a field, rows without a usable answer are counted apart as ``domain.outcome`` says; a row's own columns, and what we
say of a request, count whatever became of the request.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import compress
from operator import or_
from typing import Literal

import msgspec

from batchtui.domain.outcome import STANDINGS, standing
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_columns import FIRST, LONG_TEXT, NOTHING, ValueColumn, as_text
from batchtui.results.names import Name, ValueNames
from batchtui.results.number_summary import HistogramBar, NumberSummary, summarize
from batchtui.results.scores import label_order
from batchtui.results.view import View

Form = Literal["values", "numbers", "lengths"]
Kind = Literal["value", "range", "empty", "null", "absent", "long", "apart"]
"""``apart``: cut short, invalid or without an answer."""
LONG = 30
"""Characters on average from which texts that mostly differ are counted by length."""
_APART = tuple(dict.fromkeys(each.counted for each in STANDINGS if each.counted))
_BEYOND = 1 << 30
"""Codes of rows counted apart; no column has so many values."""
_APART_FILTER = {"cut short": "is:cut_short", "invalid": "is:invalid"}
_MANY = 2_000
_EXACT = 2.0**53
"""Whole numbers from here on are not all floats."""


class ValueGroup(msgspec.Struct, frozen=True):
    """Rows that are counted as one."""

    label: str
    kind: Kind = "value"
    filter: str = ""
    """The filter that shows exactly these rows."""
    also: tuple[str, ...] = ()
    """Other spellings that were answered and are counted under the schema's."""


class Counted(msgspec.Struct, frozen=True):
    """A group, its rows, their share of all rows counted, and these rows by the groups of the other column."""

    group: ValueGroup
    rows: int
    share: float
    by: tuple[int, ...] = ()


class ColumnCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How often each value of a column occurs."""

    name: str
    by: str = ""
    form: Form
    rows: int
    """Rows that were counted, all groups together."""
    distinct: int
    """Different values."""
    groups: tuple[Counted, ...]
    """Values by frequency (numbers and lengths in their order), then what is counted apart."""
    across: tuple[ValueGroup, ...] = ()
    """The groups of the other column, in the order of ``Counted.by``."""
    summary: NumberSummary | None = None
    """Of numbers, or of the lengths of texts in characters."""


def count_column(
    view: View, names: ValueNames, name: Name, by: Name | None = None, rows: Sequence[int] | None = None
) -> ColumnCounts:
    """Count a column over ``rows`` or all, crossed with ``by``.  Raises StoreError."""
    one = _Grouped(view, names, name, rows)
    counted = one.counted
    total = sum(counted.values())
    if by is None:
        sums: Counter[int] = Counter()
        for code, count in counted.items():
            sums[one.group_of[code]] += count
        crossed: dict[tuple[int, int], int] = {}
        across: list[int] = []
        other: _Grouped | None = None
    else:
        other = _Grouped(view, names, by, rows)
        left, right = one.codes, other.codes
        if rows is None:
            pairs = Counter(zip(left, right, strict=True))
        else:
            pairs = Counter(zip(map(left.__getitem__, rows), map(right.__getitem__, rows), strict=True))
        sums, crossed = Counter(), Counter()
        for (code, beside), count in pairs.items():
            sums[one.group_of[code]] += count
            crossed[one.group_of[code], other.group_of[beside]] += count
        across = other.ordered(Counter(number for _, number in crossed), by_label=True)
    return ColumnCounts(
        name=name.bare,
        by=by.bare if by is not None else "",
        form=one.form,
        rows=total,
        distinct=one.distinct,
        groups=tuple(
            Counted(
                one.groups[number],
                sums[number],
                sums[number] / total if total else 0.0,
                tuple(crossed.get((number, beside), 0) for beside in across),
            )
            for number in one.ordered(sums)
        ),
        across=tuple(other.groups[number] for number in across) if other is not None else (),
        summary=one.summary,
    )


class _Grouped:
    """How the rows of a view fall into groups by one column: ``groups[group_of[codes[row]]]``."""

    def __init__(self, view: View, names: ValueNames, name: Name, rows: Sequence[int] | None) -> None:
        self.name = name
        self._usable = "is:usable " if name.scope == "answer" else ""
        """Before each filter on a field: rows without a usable answer are counted apart."""
        self.groups: list[ValueGroup] = []
        self.group_of: dict[int, int] = {}
        self.form: Form = "values"
        self.summary: NumberSummary | None = None
        self._column = names.column(name)
        self.codes: Sequence[int] = self._column.codes if name.scope != "answer" else _apart(view, self._column)
        self.counted = counted = _counter(self.codes, rows)
        self.distinct = sum(code >= FIRST and code < _BEYOND for code in counted)
        self._take_apart(counted)
        values = {c: count for c, count in counted.items() if NOTHING < c < _BEYOND}
        numbers = _numbers(self._column, values, text=name.scope == "row")
        if numbers is not None:
            self._as_numbers(values, numbers)
        elif _by_length(self._column, values, self._long_sizes(rows)):
            self._as_lengths(rows)
        else:
            self._as_values(values)

    def _term(self, rest: str, negated: str = "") -> str:
        return f"{self._usable}{negated}{self.name.full}{rest}"

    def _add(self, code: int, group: ValueGroup) -> None:
        self.group_of[code] = len(self.groups)
        self.groups.append(group)

    def _take_apart(self, counted: Counter[int]) -> None:
        if NOTHING in counted:
            self._add(NOTHING, ValueGroup("(none)", "absent", self._term(":*", "-")))
        for number, words in enumerate(_APART):
            if _BEYOND + number in counted:
                self._add(_BEYOND + number, ValueGroup(words, "apart", _APART_FILTER.get(words, "-is:succeeded")))

    def _as_values(self, values: dict[int, int]) -> None:
        places: dict[tuple[str, str], int] = {}
        for code in values:
            value = self._column.value_of(code)
            also = self._column.respelled.get(code, ())
            if code < FIRST:
                kind: Kind = "long"
                label, term = "(long)", self._long()
            elif value is None:
                kind, label, term = "null", "null", self._term("=null")
            elif value == "":
                kind, label, term = "empty", "(empty)", self._term('=""')
            else:
                kind, label = "value", as_text(value)
                term = self._term(f"={quote(label)}")
            place = places.get((kind, label))
            if place is None:
                places[kind, label] = len(self.groups)
                self._add(code, ValueGroup(label, kind, term, also))
            else:
                self.group_of[code] = place

    def _long(self) -> str:
        """The filter of long values: by their length where all others are shorter."""
        most = max((len(as_text(value)) for value in self._column.entries), default=0)
        if all(size > most for size in self._column.sizes.values()):
            return f"{self._usable}len({self.name.full})>{most}"
        return self._term(":*")

    def _as_numbers(self, values: dict[int, int], numbers: dict[int, float]) -> None:
        self.form = "numbers"
        counts: Counter[float] = Counter()
        for code, number in numbers.items():
            counts[number] += values[code]
        self.summary = summarize(counts)
        assert self.summary is not None
        number_of = self._bars(self.summary.bars, self.name.full)
        for code, number in numbers.items():
            self.group_of[code] = number_of(number)
        if max(abs(self.summary.minimum), abs(self.summary.maximum)) >= _EXACT:
            self._filter_exactly(numbers)
        self._as_values({code: count for code, count in values.items() if code not in numbers})

    def _filter_exactly(self, numbers: Iterable[int]) -> None:
        """Filter each bar by the least and the most of its values: the ends of bars are floats, filters know all digits."""
        held: dict[int, list[Decimal]] = {}
        for code in numbers:
            held.setdefault(self.group_of[code], []).append(Decimal(as_text(self._column.value_of(code)).strip()))
        for place, values in held.items():
            least, most = min(values), max(values)
            wanted = f"={least}" if least == most else f">={least} {self.name.full}<={most}"
            group = self.groups[place]
            label = str(least) if least == most and group.label == _plain(float(least)) else group.label
            self.groups[place] = msgspec.structs.replace(group, label=label, filter=self._term(wanted))

    def _bars(self, bars: Sequence[HistogramBar], term: str) -> Callable[[float], int]:
        """Add a group a bar; the group of a number."""
        first = len(self.groups)
        for place, bar in enumerate(bars):
            low, high = _plain(bar.low), _plain(bar.high)
            if bar.low == bar.high:
                label, wanted = low, f"{term}={low}"
            elif place == len(bars) - 1:
                label, wanted = f"{_short(bar.low)}–{_short(bar.high)}", f"{term}>={low} {term}<={high}"
            else:
                label, wanted = f"{_short(bar.low)}–{_short(bar.high)}", f"{term}>={low} {term}<{high}"
            self.groups.append(ValueGroup(label, "range", f"{self._usable}{wanted}"))
        lows = [bar.low for bar in bars]
        return lambda number: first + max(0, bisect_right(lows, number) - 1)

    def _long_sizes(self, rows: Iterable[int] | None) -> int:
        sizes = self._column.sizes
        return sum(sizes.values()) if rows is None else sum(sizes.get(row, 0) for row in rows)

    def _as_lengths(self, rows: Sequence[int] | None) -> None:
        self.form = "lengths"
        column, codes = self._column, self.codes
        size_of = {FIRST + n: len(as_text(entry)) for n, entry in enumerate(column.entries)}
        long = column.sizes
        nulls = [FIRST + n for n, entry in enumerate(column.entries) if entry is None]
        self._as_values(dict.fromkeys(nulls, 1))
        aside = {NOTHING, *nulls}
        sizes = array("q", [-c - 1 if c in aside or c >= _BEYOND else size_of.get(c, 0) for c in codes])
        for row, size in long.items():
            if NOTHING < codes[row] < FIRST:
                sizes[row] = size
        counts = _counter(sizes, rows)
        self.summary = summarize({float(size): count for size, count in counts.items() if size >= 0})
        if self.summary is None:
            return
        number_of = self._bars(self.summary.bars, f"len({self.name.full})")
        apart = {-code - 1: place for code, place in self.group_of.items()}
        self.group_of = {**apart, **{size: number_of(size) for size in counts if size >= 0}}
        self.codes, self.counted = sizes, counts

    def ordered(self, sums: Counter[int], *, by_label: bool = False) -> list[int]:
        """The groups that have rows in the order they are shown; empty bars stay."""
        ranges = [n for n, group in enumerate(self.groups) if group.kind == "range"]
        values = [n for n, group in enumerate(self.groups) if group.kind == "value" and n in sums]
        labels = [self.groups[n].label for n in values]
        order = label_order(labels) if len(labels) <= _MANY else sorted(labels)
        place = {label: number for number, label in enumerate(order)}
        values.sort(key=lambda n: (0 if by_label else -sums[n], place[self.groups[n].label]))
        rest = [n for n in sums if self.groups[n].kind not in ("value", "range")]
        rest.sort(key=lambda n: _place_of(self.groups[n]))
        return [*values, *ranges, *rest]


def _place_of(group: ValueGroup) -> tuple[int, int]:
    kinds = ("long", "empty", "null", "absent", "apart")
    return kinds.index(group.kind), _APART.index(group.label) if group.kind == "apart" else 0


def quote(text: str) -> str:
    """A text as a filter takes it whole."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _counter(codes: Sequence[int], rows: Sequence[int] | None) -> Counter[int]:
    return Counter(codes) if rows is None else Counter(map(codes.__getitem__, rows))


def _apart(view: View, column: ValueColumn) -> Sequence[int]:
    """A field's codes, where rows without a usable answer have codes of their own."""
    codes = array("I", column.codes)
    seen: dict[tuple[int, int], int] = {}
    outcomes, flaws = view.column("outcome"), view.column("cut")
    for row in compress(range(len(codes)), map(or_, outcomes, flaws)):
        ended = outcomes[row], flaws[row]
        code = seen.get(ended)
        if code is None:
            words = standing(*ended).counted
            code = seen[ended] = _BEYOND + _APART.index(words) if words else 0
        if code:
            codes[row] = code
    return codes


def _numbers(column: ValueColumn, values: dict[int, int], *, text: bool) -> dict[int, float] | None:
    """The numbers of a column by code, null and the empty text apart; None when others are among them, or none at all."""
    found: dict[int, float] = {}
    for code in values:
        value = column.value_of(code)
        if code >= FIRST and (value is None or value == ""):
            continue
        number = as_number(value, text=text) if code >= FIRST else None
        if number is None:
            return None
        found[code] = number
    return found or None


def as_number(value: object, *, text: bool = False) -> float | None:
    """A value as a finite number; with ``text`` also digits in a text, as tables of text have them."""
    if isinstance(value, str):
        body = value.strip()
        if not text or not body or len(body) > 40 or (body[:1] == "0" and body.isdigit() and len(body) > 1):
            return None
        if not body.lstrip("+-")[:1].isdigit() and body.lstrip("+-")[:1] != ".":
            return None
        # What a filter takes for a number, and no more.
        if "_" in body or body[-1] == "." or not body.isascii():
            return None
    elif isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _by_length(column: ValueColumn, values: dict[int, int], long: int) -> bool:
    """Whether texts are counted by length: most differ, and they are long on average."""
    texts = length = different = 0
    for code, count in values.items():
        if code >= FIRST:
            value = column.value_of(code)
            if value is None:
                continue
            if not isinstance(value, str):
                return False
            length += len(value) * count
            different += 1
        elif code == LONG_TEXT:
            different += count
        else:
            return False
        texts += count
    return texts > 0 and different * 2 > texts and (length + long) / texts >= LONG


def _plain(number: float) -> str:
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{Decimal(repr(number)):f}"


def _short(number: float) -> str:
    whole = number == int(number) or abs(number) >= 1_000
    return f"{number:.0f}" if whole and abs(number) < 1e15 else f"{number:.4g}"


def count(
    view: View,
    names: ValueNames,
    field: str,
    by: str = "",
    rows: Sequence[int] | None = None,
    work: Work = UNWATCHED,
) -> ColumnCounts:
    """Count a column by its name as typed.  Raises InputError for a name there is none of, StoreError, Stopped."""
    name = names.resolve(field)
    other = names.resolve(by) if by else None
    work.check("stopped while counting")
    return count_column(view, names, name, other, rows)
