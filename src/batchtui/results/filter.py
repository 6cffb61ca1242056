"""Filters of results (words, fields, comparisons) and their sort order."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt
from typing import Any

import msgspec

from batchtui.domain.outcome import CUT_SHORT, OUTCOMES, SUCCEEDED, ErrorGroup
from batchtui.results.index import COST_DIGITS, DUPLICATE, UNEXPECTED, UNPRICED, GroupKey
from batchtui.results.view import Rows, View

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


NUMBER_FIELDS = {
    "tokens": ("input", "output", "cache_write", "cache_read"),
    "in": ("input", "cache_write", "cache_read"),
    "out": ("output",),
    "cache": ("cache_write", "cache_read"),
    "cost": ("cost",),
    "size": ("length",),
    "line": ("line",),
    "attempt": (),
    "older": (),
}
"""Fields that compare with numbers, and the columns they add up; ``cost`` is in dollars, ``size`` in bytes."""

NAME_FIELDS = ("id", "stop", "error", "outcome", "is", "model", "prompt")
"""Fields that look for a part of a name; ``prompt`` looks in the request's text."""

STATES = (*OUTCOMES, "cut_short", "usable", "good", "bad", "duplicate", "unexpected", "unpriced", "retried")
"""What ``is:`` and ``outcome:`` take, or the beginning of one."""

_COMPARE: dict[str, Callable[[Decimal | int, Decimal | int], bool]] = {
    ">": gt,
    "<": lt,
    ">=": ge,
    "<=": le,
    "=": eq,
    ":": eq,
}
_TOKEN = re.compile(r'(-?)(?:([A-Za-z_]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"?|(\S+))?')
_NUMBER = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)([kKmMgG]?)[bB]?\Z")
_SCALE = {"": 1, "k": 1000, "m": 1_000_000, "g": 1_000_000_000}


class Word(msgspec.Struct, frozen=True):
    """Text to look for, in the id and the answer, or in the request."""

    text: str
    negated: bool = False
    in_request: bool = False


class Term(msgspec.Struct, frozen=True):
    """A condition on a field."""

    field: str
    op: str
    value: str
    negated: bool = False


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What rows to show; all of it must hold."""

    words: tuple[Word, ...] = ()
    terms: tuple[Term, ...] = ()
    regex: str = ""
    """A regular expression to find in the id or the answer; words are not used beside it."""
    case: bool = False
    """Whether capitals matter in words and in the expression."""
    groups: tuple[GroupKey, ...] = ()
    """Only rows of these error groups, when there are any."""
    problem: str = ""
    """What could not be understood and was left out."""

    @property
    def empty(self) -> bool:
        """True when every row passes."""
        return not (self.words or self.terms or self.regex or self.groups)


EVERYTHING = Filter()


def parse_filter(text: str, *, case: bool = False, regex: bool = False) -> Filter:
    """Read what was typed: words, "several words", -without, field:value, tokens>1000; never fails.

    A field still being typed, or a value that is no number, is left out and named in ``problem``.  With ``regex`` all
    that is not a field is one regular expression.
    """
    words: list[Word] = []
    terms: list[Term] = []
    loose: list[str] = []
    problem = ""
    for found in _TOKEN.finditer(text):
        minus, field, op, quoted, bare = found.groups()
        value = quoted if quoted is not None else bare or ""
        name = (field or "").lower()
        if name in NUMBER_FIELDS or (name in NAME_FIELDS and op in (":", "=")):
            trouble = _check(name, value)
            problem = problem or trouble
            if name == "prompt" and value:
                words.append(Word(value, bool(minus), in_request=True))
            elif value and not trouble:
                terms.append(Term(name, op, value, bool(minus)))
        elif found.group():
            loose.append(found.group())
            inner = f"{field}{op}{value}" if field else value
            if inner:
                words.append(Word(inner, bool(minus)))
    if not regex:
        return Filter(words=tuple(words), terms=tuple(terms), case=case, problem=problem)
    pattern = " ".join(loose)
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        problem, pattern = f"not a regular expression: {error}", ""
    asked = tuple(word for word in words if word.in_request)
    return Filter(words=asked, terms=tuple(terms), regex=pattern, case=case, problem=problem)


def group_filter(group: ErrorGroup) -> Filter:
    """The filter that shows exactly one group."""
    key = GroupKey(OUTCOMES.index(group.outcome), group.kind, group.message, group.code)
    return Filter(groups=(key,))


def _check(name: str, value: str) -> str:
    if not value:
        return f"{name}: a value is missing"
    if name in NUMBER_FIELDS and number(value) is None:
        return f"{name}: {value} is not a number"
    if name in ("is", "outcome") and not _states(value):
        return f"{name}: {value} is not one of {', '.join(STATES)}"
    return ""


def number(text: str) -> Decimal | None:
    """A number as people write it (1000, 1,000, 1.5k, 5MB, $0.01); None when it is none."""
    found = _NUMBER.match(text.lstrip("$"))
    try:
        return Decimal(re.sub("[_,]", "", found.group(1))) * _SCALE[found.group(2).lower()] if found else None
    except InvalidOperation:
        return None


def _states(value: str) -> list[str]:
    wanted = value.lower().replace("-", "_")
    return [wanted] if wanted in STATES else [state for state in STATES if state.startswith(wanted)]


def apply(view: View, chosen: Filter) -> Rows:
    """The rows that pass a filter's fields and groups; its words are not looked at."""
    rows = array("I", range(len(view)))
    if chosen.groups:
        wanted = {n for n, key in enumerate(view.group_keys, 1) if key in chosen.groups}
        rows = _among(rows, view.column("group"), wanted, negated=False)
    for term in chosen.terms:
        if term.field in NUMBER_FIELDS:
            rows = _by_number(view, rows, term)
        elif term.field == "id":
            rows = _by_id(view, rows, term)
        elif term.field in ("is", "outcome"):
            rows = _by_state(view, rows, term)
        else:
            rows = _by_name(view, rows, term)
    return rows


def _among(rows: Rows, column: Sequence[int], wanted: set[int], *, negated: bool) -> Rows:
    if negated:
        return array("I", [row for row in rows if column[row] not in wanted])
    return array("I", [row for row in rows if column[row] in wanted])


def _by_name(view: View, rows: Rows, term: Term) -> Rows:
    part = term.value.lower()
    if term.field == "error":
        wanted = {
            n for n, key in enumerate(view.group_keys, 1) if part in f"{key.kind} {key.message} {key.code}".lower()
        }
        return _among(rows, view.column("group"), wanted, negated=term.negated)
    names = view.stops if term.field == "stop" else view.models
    wanted = {n for n, name in enumerate(names) if part in name.lower() and name}
    return _among(rows, view.column(term.field), wanted, negated=term.negated)


def _by_id(view: View, rows: Rows, term: Term) -> Rows:
    part, ids = term.value.lower(), view.ids()
    return array("I", [row for row in rows if (part in ids[row].lower()) != term.negated])


def _by_state(view: View, rows: Rows, term: Term) -> Rows:
    passed: set[int] = set()
    for state in _states(term.value):
        passed.update(_in_state(view, rows, state))
    return array("I", [row for row in rows if (row in passed) != term.negated])


def _in_state(view: View, rows: Rows, state: str) -> Rows:
    outcome, cut = view.column("outcome"), view.column("cut")
    if state in OUTCOMES:
        return _among(rows, outcome, {OUTCOMES.index(state)}, negated=False)
    if state == "cut_short":
        return _among(rows, cut, set(range(1, len(CUT_SHORT))), negated=False)
    if state in ("usable", "good", "bad"):
        good = state != "bad"
        return array("I", [row for row in rows if (outcome[row] == SUCCEEDED and not cut[row]) == good])
    if state == "unpriced":
        return _among(rows, view.column("cost"), {UNPRICED}, negated=False)
    if state == "retried":
        return array("I", [row for row in rows if view.older_count(row)])
    bit, flags = DUPLICATE if state == "duplicate" else UNEXPECTED, view.column("flags")
    return array("I", [row for row in rows if flags[row] & bit])


def _by_number(view: View, rows: Rows, term: Term) -> Rows:
    wanted = number(term.value)
    assert wanted is not None, "parse_filter lets numbers only through"
    compare, expected = _COMPARE[term.op], not term.negated
    if term.field in ("attempt", "older"):
        asked = view.older_count if term.field == "older" else lambda row: view.attempt_of(view.place(row)[0])
        return array("I", [row for row in rows if compare(asked(row), wanted) == expected])
    if term.field == "cost":
        wanted, cost = wanted.scaleb(COST_DIGITS), view.column("cost")
        limit: Decimal | int = int(wanted) if wanted == int(wanted) else wanted
        return array("I", [r for r in rows if cost[r] != UNPRICED and compare(cost[r], limit) == expected])
    columns = [view.column(name) for name in NUMBER_FIELDS[term.field]]
    limit = int(wanted) if wanted == int(wanted) else wanted
    if len(columns) == 1:
        only = columns[0]
        return array("I", [row for row in rows if compare(only[row], limit) == expected])
    return array("I", [row for row in rows if compare(sum([column[row] for column in columns]), limit) == expected])
