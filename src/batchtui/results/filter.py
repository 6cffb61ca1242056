"""Filters of results (words, fields, comparisons) and their sort order."""

from __future__ import annotations

import difflib
import re
import warnings
from array import array
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt
from typing import Any

import msgspec

from batchtui.domain.errors import InputError
from batchtui.domain.outcome import CUT_SHORT, INVALID, OUTCOMES, SUCCEEDED, ErrorGroup
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_columns import ABSENT, FIRST, NOTHING, Json, ValueColumn, as_text
from batchtui.results.index import COST_DIGITS, DUPLICATE, UNEXPECTED, UNPRICED, GroupKey
from batchtui.results.names import SCOPES, Name, names_of
from batchtui.results.source_order import by_source
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
    """Rows in the order of ``key``, one of KEYS or the name of a column or field; equal ones keep theirs, and those
    without a value come last.  An unknown key leaves the order as it is.  Raises StoreError.
    """
    if key == "source":
        return by_source(view, rows, reverse=reverse)
    given = list(rows)
    if key in KEYS:
        return array("I", sorted(given, key=_key(view, key), reverse=reverse))
    names = names_of(view)
    name = names.find(key)
    if name is None:
        return array("I", given)
    column = names.column(name)
    ranks = _ranks(column)
    codes = column.codes
    ranked = [ranks[code] for code in codes]
    last = [row for row in given if not ranked[row]]
    return array("I", [*sorted((row for row in given if ranked[row]), key=ranked.__getitem__, reverse=reverse), *last])


def _ranks(column: ValueColumn) -> list[int]:
    """The place of each code in the order of its values, numbers before texts and long texts at the end; 0 for none."""

    def key(code: int) -> tuple[int, Any, str]:
        value = column.entries[code - FIRST]
        held = _as_number(value)
        if held is not None:
            return 0, held, ""
        return 1, 0, as_text(value).casefold()

    order = sorted(range(FIRST, FIRST + len(column.entries)), key=key)
    ranks = [0, len(order) + 1, len(order) + 1, *([0] * len(order))]
    for rank, code in enumerate(order, 1):
        ranks[code] = rank
    return ranks


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
_OURS = frozenset((*NUMBER_FIELDS, *NAME_FIELDS))

STATES = (*OUTCOMES, "usable", "cut_short", "invalid", "good", "bad", "duplicate", "unexpected", "unpriced", "retried")
"""What ``is:`` and ``outcome:`` take, or the beginning of one."""

_COMPARE: dict[str, Callable[[Decimal | int, Decimal | int], bool]] = {
    ">": gt,
    "<": lt,
    ">=": ge,
    "<=": le,
    "=": eq,
    ":": eq,
}
_KEY = r'(?:[\w-]+|"(?:[^"\\]|\\.)*")'
_NAME = rf"[^\W\d][\w-]*(?:\[\d+\])?(?:\.{_KEY}(?:\[\d+\])?)*"
_TOKEN = re.compile(
    rf"""(-?)(?:(len\({_NAME}\)|{_NAME})(:(?!//|:)|>=|<=|>|<|=))?(?:"((?:[^"\\]|\\.)*)(?:"|\\?\Z)|(\S+))?"""
)
_ESCAPED = re.compile(r'\\(["\\])')
_NUMBER = re.compile(
    r"([+-]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([kKmMgG]?)[bB]?\Z"
)
_SCALE = {"": 1, "k": 1000, "m": 1_000_000, "g": 1_000_000_000}


class Word(msgspec.Struct, frozen=True):
    """Text to look for, in the id and the answer, or in the request."""

    text: str
    negated: bool = False
    in_request: bool = False


class Term(msgspec.Struct, frozen=True):
    """A condition on one of our fields, or on a column or field of an answer by its name."""

    field: str
    op: str
    value: str
    negated: bool = False
    quoted: bool = False
    """With ``=``: exactly this text, 1 is not 1.0, and null is not a text."""


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
_ASKED = frozenset({"id", "custom_id", "line", "attempt", "older", "model", "file", "source", "prompt"})
"""What we say of a request that tells nothing of its answer."""


def tells_answers(view: View, key: str) -> bool:
    """Whether the order by ``key``, as ``sort`` takes it, tells something of the answers.  Raises StoreError."""
    return _tells(None if key in KEYS else names_of(view).find(_inner(key)), key)


def reads_answers(view: View, chosen: Filter) -> bool:
    """Whether which rows pass a filter tells something of their answers.  For a thread; raises StoreError."""
    if chosen.regex or any(not word.in_request for word in chosen.words):
        return True
    fields = [term.field for term in chosen.terms]
    return any(_tells(None if _is_state(field) else names_of(view).find(_inner(field)), field) for field in fields)


def _tells(name: Name | None, ours: str) -> bool:
    """Whether a name tells something of an answer; where there is none, whether our field does."""
    if name is None:
        return ours.lower() not in _ASKED
    return name.scope == "answer" or (name.scope == "run" and name.key not in _ASKED)


def of_requests(view: View, chosen: Filter, work: Work = UNWATCHED) -> Filter:
    """The filter with ``prompt:`` as words of the request, where the view has no column and no field of that name."""
    asked = [term for term in chosen.terms if term.field.lower() == "prompt" and _column_of(view, term, work) is None]
    if not asked:
        return chosen
    words = (Word(term.value, term.negated, in_request=True) for term in asked)
    rest = tuple(term for term in chosen.terms if term not in asked)
    return msgspec.structs.replace(chosen, words=(*chosen.words, *words), terms=rest)


def parse_filter(text: str, *, case: bool = False, regex: bool = False) -> Filter:
    """Read what was typed: words, "several words", -without, field:value, tokens>1000; never fails.

    A field still being typed is left out and named in ``problem``.  Names and values are looked at by ``drop_unknown`` and
    ``apply``, which know the view.  With ``regex`` all that is not a field is one regular expression; there only our
    own fields, and those with their scope (``row.text:late``), are fields.
    """
    words: list[Word] = []
    terms: list[Term] = []
    loose: list[str] = []
    problem, read = "", 0
    for found in _TOKEN.finditer(text):
        minus, field, op, quoted, bare = found.groups()
        value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else bare or ""
        name = field or ""
        if name and (not regex or name.lower() in _OURS or name.partition(".")[0] in SCOPES):
            if not value and (quoted is None or op != "="):
                problem = problem or f"{name}: a value is missing"
            else:
                terms.append(Term(name, op, value, bool(minus), quoted is not None))
            loose.append(text[read : found.start()].strip())
            read = found.end()
        elif found.group():
            inner = f"{field}{op}{value}" if field else value
            if inner:
                words.append(Word(inner, bool(minus)))
    if not regex:
        return Filter(words=tuple(words), terms=tuple(terms), case=case, problem=problem)
    pattern = " ".join(filter(None, [*loose, text[read:].strip()]))
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        problem, pattern = f"not a regular expression: {error}", ""
    return Filter(terms=tuple(terms), regex=pattern, case=case, problem=problem)


def group_filter(group: ErrorGroup) -> Filter:
    """The filter that shows exactly one group."""
    key = GroupKey(OUTCOMES.index(group.outcome), group.kind, group.message, group.code)
    return Filter(groups=(key,))


def _trouble(name: str, value: str) -> str:
    """What is wrong with the value of one of our fields."""
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


def drop_unknown(view: View, chosen: Filter, work: Work = UNWATCHED) -> Filter:
    """The filter without conditions on names that this view has not; they are named in ``problem``.

    For a thread: where a name is not one of ours, columns and fields are read.  Raises StoreError, and Stopped.
    """
    kept, problem = [], chosen.problem
    for term in chosen.terms:
        try:
            _column_of(view, term, work)
            kept.append(term)
        except InputError as error:
            problem = problem or error.with_advice
    if not problem or problem == chosen.problem:
        return chosen
    return msgspec.structs.replace(chosen, terms=tuple(kept), problem=problem)


def apply(view: View, chosen: Filter, work: Work = UNWATCHED) -> Rows:
    """The rows that pass a filter's fields and groups; its words are not looked at, nor what ``of_requests`` makes words of.

    Raises InputError for a name that there is neither a column nor a field of, StoreError, and Stopped.
    """
    rows = array("I", range(len(view)))
    if chosen.groups:
        wanted = {n for n, key in enumerate(view.group_keys, 1) if key in chosen.groups}
        rows = _among(rows, view.column("group"), wanted, negated=False)
    for term in chosen.terms:
        column = _column_of(view, term, work)
        if column is not None:
            rows = _by_value(rows, column, term, chosen.case, work)
        else:
            rows = _by_ours(view, rows, msgspec.structs.replace(term, field=term.field.lower()))
    return rows


def _by_ours(view: View, rows: Rows, term: Term) -> Rows:
    if term.field == "prompt":
        return rows
    if term.field in NUMBER_FIELDS:
        return _by_number(view, rows, term)
    if term.field == "id":
        return _by_id(view, rows, term)
    return _by_state(view, rows, term) if term.field in ("is", "outcome") else _by_name(view, rows, term)


def _is_state(field: str) -> bool:
    """Whether it is ``is``, which no column and no field of that name goes before."""
    return field.lower() == "is"


def _inner(key: str) -> str:
    """The name within len(…), or the name itself."""
    return key[4:-1] if key.startswith("len(") else key


def _column_of(view: View, term: Term, work: Work) -> ValueColumn | None:
    """The column that a condition is on; None for our own fields, in any case.  A column or field of such a name goes first."""
    if _is_state(term.field):
        _check(term)
        return None
    names = names_of(view, work)
    text = _inner(term.field)
    if text == term.field and text.lower() in _OURS:
        found = names.find(text)
        if found is None or found.scope == "run":
            _check(term)
            return None
        return names.column(found)
    try:
        return names.column(names.resolve(text))
    except InputError as error:
        near = [name for name in difflib.get_close_matches(text, _OURS, 1, 0.75) if "did you mean" not in error.advice]
        advice = f"did you mean {near[0]}?" if near else error.advice
        raise InputError(str(error), advice=f"{advice} To search for the text itself, put it in quotes.") from error


def _check(term: Term) -> None:
    trouble = _trouble(term.field.lower(), term.value)
    if trouble:
        raise InputError(trouble, advice="batchtui help filters lists fields and values")


def _by_value(rows: Rows, column: ValueColumn, term: Term, case: bool, work: Work) -> Rows:
    """The rows whose value meets the condition; each different value is looked at once."""
    if term.field.startswith("len("):
        return _by_length(rows, column, term)
    passes = _test(column, term, case)
    wanted = bytearray(FIRST + len(column.entries))
    for code, value in enumerate(column.entries, FIRST):
        wanted[code] = passes(value)
    any_value = term.value == "*" and term.op == ":" and not term.quoted
    if any_value:
        wanted = bytearray(b"\1" * len(wanted))
        wanted[NOTHING] = 0
    codes, expected = column.codes, not term.negated
    if any_value or not column.sizes:
        return array("I", [row for row in rows if wanted[codes[row]] == expected])
    found = array("I")
    for number, row in enumerate(rows):
        if number % 1_000 == 0:
            work.check("stopped while filtering")
        code = codes[row]
        if (wanted[code] if code >= FIRST or code == NOTHING else passes(column[row])) == expected:
            found.append(row)
    return found


def _by_length(rows: Rows, column: ValueColumn, term: Term) -> Rows:
    wanted = number(term.value)
    if wanted is None:
        raise InputError(f"{term.field}: {term.value} is not a number")
    compare, expected = _COMPARE[term.op], not term.negated
    passed = bytearray(FIRST)
    passed += bytes(v is not None and compare(len(as_text(v)), wanted) for v in column.entries)
    codes, long = column.codes, column.sizes
    return array(
        "I",
        [
            row
            for row in rows
            if (compare(long[row], wanted) if row in long and codes[row] else bool(passed[codes[row]])) == expected
        ],
    )


def _test(column: ValueColumn, term: Term, case: bool) -> Callable[[Any], bool]:
    """Whether a value meets a condition: numbers by size; texts by a part (``:``), whole (``=``), or their order."""
    if term.op == "=" and term.quoted:
        return lambda value: value is not None and value is not ABSENT and as_text(value) == term.value
    wanted, compare = number(term.value), _COMPARE[term.op]
    fold = str if case else str.casefold
    text = fold(term.value)
    if term.op == "=" and term.value == "null" and None in column.entries:
        return lambda value: value is None
    if term.op == "=" and any(as_text(value) == term.value for value in column.entries):
        fold, text = str, term.value

    def passes(value: Any) -> bool:
        if value is ABSENT:
            return False
        held = None if wanted is None else _as_number(value)
        if held is not None and wanted is not None:
            return compare(held, wanted)
        if term.op == ":":
            return text in fold(as_text(value)) if isinstance(value, str | Json) else text == fold(as_text(value))
        if term.op == "=":
            return fold(as_text(value)) == text
        return wanted is None and isinstance(value, str) and compare(fold(value), text)  # type: ignore[arg-type]

    return passes


def _as_number(value: object) -> Decimal | int | None:
    """A number, or a text that is one."""
    if isinstance(value, str):
        body = value.strip()
        return number(body) if len(body) <= 40 and body[-1:].isdigit() else None
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


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
    if state == "invalid":
        return _among(rows, cut, {INVALID}, negated=False)
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
    assert wanted is not None, "_check lets numbers only through"
    compare, expected = _COMPARE[term.op], not term.negated
    if term.field in ("attempt", "older"):
        asked = view.older_count if term.field == "older" else lambda row: view.attempt_of(view.place(row)[0]) + 1
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
