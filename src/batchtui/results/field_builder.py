"""Reads the fields of a batch's answers in one pass, a block of lines at a time, into growing columns."""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from batchtui.domain.outcome import SUCCEEDED
from batchtui.domain.work import Work
from batchtui.results.answer_parts import Call, Parts, parts_of, plain_parts
from batchtui.results.field_columns import ABSENT, FIRST, LONG_JSON, LONG_TEXT, Absent, Json, Value
from batchtui.results.json_in_text import TEXT_LIMIT, decode, find_json
from batchtui.results.text import WHOLE_LIMIT
from batchtui.results.view import ResultSet

MAX_PATHS = 10_000
MAX_DEPTH = 16
"""Keys in a path; what is deeper is one JSON value."""
MAX_NAME = 512
"""Characters of a path."""
LONG = 256
"""Longer texts and JSON are read from their line when asked for, in characters."""
_KEPT = 48_000_000
"""Characters of different values that are held, with 64 for each; those beyond are read from their line."""
_BLOCK = 256 * 1024
_ROWS = 256
"""Bytes and rows read at a time: the loop of a screen beside this waits for no longer than a block takes to parse."""

Key: TypeAlias = "tuple[str, ...]"
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def quoted(key: str) -> str:
    """A key as it stands in a path: quoted as TOML quotes keys when it is not of letters, digits, _ and - only."""
    return key if _BARE.match(key) else msgspec.json.encode(key).decode()


def path_name(call: int, keys: Key) -> str:
    """A path as text; ``call`` is the number of another tool call, 0 for what an answer is asked for."""
    parts = [f"tool[{call}]"] if call else []
    return ".".join([*parts, *map(quoted, keys)]) or ROOT


ROOT = "value"
"""The path of an answer that is an array."""


class _Budget:
    """How much of different values is still held."""

    def __init__(self) -> None:
        self.left = _KEPT


class _Numbered(dict[Any, int]):
    """Codes of the values of one type; a new one gets the next, or the code of long values."""

    def __init__(self, column: Growing, long: int, value: Callable[[Any], Value]) -> None:
        super().__init__()
        self._column = column
        self._long = long
        self._value = value

    def __missing__(self, key: Any) -> int:
        size = len(key) if isinstance(key, str) else 8
        budget = self._column.budget
        if size > LONG or budget.left <= 0:
            return self._long
        budget.left -= size + 64
        code = self[key] = FIRST + len(self._column.entries)
        self._column.entries.append(self._value(key))
        return code


def _itself(value: Any) -> Any:
    return value


class Growing:
    """A column while it is read: rows that have a value, and the values' codes."""

    def __init__(self, call: int, keys: Key, budget: _Budget) -> None:
        self.path = path_name(call, keys)
        self.keys = keys
        self.budget = budget
        self.rows = array("I")
        self.codes = array("I")
        self.entries: list[Value] = []
        self.long: list[tuple[int, int, int]] = []
        """Row, length, and which call (0: the text) of each long value."""
        self._numbered: dict[type, _Numbered] = {}

    def add(self, kind: type, source: int, rows: Sequence[int], values: Sequence[Any]) -> None:
        """Take values of one type; ``source`` is where an answer has them: its text (0) or a call by number."""
        keys: Sequence[Any] = values
        if kind is Decimal:
            keys = [*map(str, values)]
        elif kind is list or kind is dict:
            keys = [_encode(value).decode() for value in values]
        numbered = self._of(kind)
        if kind is str and max(sizes := [*map(len, keys)]) > LONG:
            # Long texts are not even hashed.
            codes = [LONG_TEXT if size > LONG else numbered[key] for size, key in zip(sizes, keys, strict=True)]
        else:
            codes = [*map(numbered.__getitem__, keys)]
        self.rows.extend(rows)
        self.codes.extend(codes)
        if LONG_TEXT in codes or LONG_JSON in codes:
            self.long += [
                (row, len(str(key)), source) for row, code, key in zip(rows, codes, keys, strict=True) if code < FIRST
            ]

    def _of(self, kind: type) -> _Numbered:
        found = self._numbered.get(kind)
        if found is None:
            value = Decimal if kind is Decimal else Json if kind is list or kind is dict else _itself
            found = self._numbered[kind] = _Numbered(self, LONG_TEXT if kind is str else LONG_JSON, value)
        return found

    def counts(self) -> Counter[int]:
        """How often each code comes."""
        return Counter(self.codes)


class Grower:
    """Columns that grow by objects of any shape, at most MAX_PATHS of them."""

    def __init__(self, depth: int = MAX_DEPTH) -> None:
        self._depth = depth
        self._budget = _Budget()
        self._columns: dict[tuple[int, Key], Growing] = {}
        self.left_out = 0
        """Values whose paths are too many or too long."""

    @property
    def columns(self) -> list[Growing]:
        """The columns in the order in which objects have them."""
        return list(self._columns.values())

    def objects(self, source: int, call: int, keys: Key, rows: list[int], objects: list[dict[str, Any]]) -> None:
        """Take objects at one path: those with the same keys together, key by key."""
        shapes: dict[Key, tuple[list[int], list[dict[str, Any]]]] = {}
        for row, held in zip(rows, objects, strict=True):
            shape = tuple(held)
            group = shapes.get(shape)
            if group is None:
                shapes[shape] = ([row], [held])
            else:
                group[0].append(row)
                group[1].append(held)
        for shape, (shape_rows, alike) in shapes.items():
            if not shape and keys:
                self.add(dict, source, call, keys, shape_rows, alike)
            for key, values in zip(shape, zip(*map(dict.values, alike), strict=True), strict=True):
                self._values(source, call, (*keys, key), shape_rows, values)

    def _values(self, source: int, call: int, keys: Key, rows: list[int], values: Sequence[Any]) -> None:
        kinds = set(map(type, values))
        if len(kinds) == 1:
            self._one_kind(kinds.pop(), source, call, keys, rows, values)
            return
        for kind in sorted(kinds, key=lambda each: each.__name__):
            held = [(row, value) for row, value in zip(rows, values, strict=True) if type(value) is kind]
            self._one_kind(kind, source, call, keys, [row for row, _ in held], [value for _, value in held])

    def _one_kind(self, kind: type, source: int, call: int, keys: Key, rows: list[int], values: Sequence[Any]) -> None:
        if kind is dict and len(keys) < self._depth:
            self.objects(source, call, keys, rows, list(values))
        else:
            self.add(kind, source, call, keys, rows, values)

    def add(self, kind: type, source: int, call: int, keys: Key, rows: list[int], values: Sequence[Any]) -> None:
        place = (call, keys)
        column = self._columns.get(place)
        if column is None:
            if len(self._columns) >= MAX_PATHS:
                self.left_out += len(rows)
                return
            column = Growing(call, keys, self._budget)
            if len(column.path) > MAX_NAME:
                self.left_out += len(rows)
                return
            self._columns[place] = column
        column.add(kind, source, rows, values)


class Builder:
    """The fields of one batch, as columns by path in the order in which answers have them."""

    def __init__(self, results: ResultSet) -> None:
        self._results = results
        self._grower = Grower()
        self._too_large = 0
        self._too_deep = 0

    @property
    def columns(self) -> list[Growing]:
        """The columns in the order in which answers have them."""
        return self._grower.columns

    def notes(self) -> tuple[str, ...]:
        """What was left out, as sentences."""
        found = []
        if self._grower.left_out:
            found.append(
                f"Only the first {MAX_PATHS:,} fields are read; {self._grower.left_out:,} values of others are left out."
            )
        if self._too_large:
            found.append(f"{self._too_large:,} answers over {WHOLE_LIMIT // 1_000_000} MB are not searched for fields.")
        if self._too_deep:
            found.append(f"{self._too_deep:,} answers are nested too deep to be searched for fields.")
        return tuple(found)

    def read_all(self, work: Work) -> None:
        """Read every answer.  Raises StoreError, Stopped."""
        total = self._results.header.lines
        for first, last in _spans(self._results):
            work.check("stopped while reading the fields")
            self._take_span(first, last)
            work.tell("reading the fields", last, total, "results")

    def _take_span(self, first: int, last: int) -> None:
        results = self._results
        columns = results.columns
        begin, end = columns.offset[first], columns.offset[last - 1] + columns.length[last - 1]
        if last - first == 1 and columns.length[first] > WHOLE_LIMIT:
            self._too_large += columns.outcome[first] == SUCCEEDED
            return
        block = _pread(results.results_fd(), begin, end - begin)
        found = plain_parts(block, last - first)
        if found is None:
            lines = [
                block[columns.offset[row] - begin : columns.offset[row] - begin + columns.length[row]]
                for row in range(first, last)
            ]
            found = [parts_of(line) for line in lines]
        self._take(range(first, last), found)

    def _take(self, rows: Sequence[int], found: Sequence[Parts | None]) -> None:
        """Take the answers of some rows: those of text together, calls by their number and name."""
        text_rows: list[int] = []
        texts: list[dict[str, Any]] = []
        list_rows: list[int] = []
        lists: list[Any] = []
        calls: dict[tuple[int, int], tuple[list[int], list[dict[str, Any]]]] = {}
        for row, parts in zip(rows, found, strict=True):
            if parts is None:
                continue
            main = self._main_call(row, parts.calls) if parts.calls else 0
            if not main and parts.text:
                root = self._root(parts.text)
                if type(root) is dict:
                    text_rows.append(row)
                    texts.append(root)
                elif root is not None:
                    list_rows.append(row)
                    lists.append(root)
            for number, call in enumerate(parts.calls, 1):
                root = self._input(call)
                if root is not None:
                    group = calls.setdefault((number, 0 if number == main else number), ([], []))
                    group[0].append(row)
                    group[1].append(root)
        if texts:
            self._grower.objects(0, 0, (), text_rows, texts)
        if lists:
            self._grower.add(list, 0, 0, (ROOT,), list_rows, lists)
        for (source, shown), (call_rows, roots) in calls.items():
            self._grower.objects(source, shown, (), call_rows, roots)

    def _main_call(self, row: int, calls: Sequence[Call]) -> int:
        """The number of the call whose input is the answer asked for, 0 when none is."""
        return 1

    def _root(self, text: str) -> Any:
        if text[0] == "{" and len(text) <= TEXT_LIMIT:
            try:
                return decode(text)
            except RecursionError:
                self._too_deep += 1
                return None
            except (ValueError, msgspec.MsgspecError):
                pass
        try:
            if len(text) > TEXT_LIMIT:
                self._too_large += 1
                return None
            return find_json(text)
        except RecursionError:
            self._too_deep += 1
        return None

    def _input(self, call: Call) -> dict[str, Any] | None:
        try:
            found = decode(bytes(call.input))
        except RecursionError:
            self._too_deep += 1
            return None
        except (ValueError, msgspec.MsgspecError):
            return None
        return found if isinstance(found, dict) else None


def _spans(results: ResultSet) -> Iterator[tuple[int, int]]:
    """Ranges of rows with a line that are read together."""
    offset, length, count = results.columns.offset, results.columns.length, results.header.lines
    first = 0
    while first < count:
        last, limit = first + 1, offset[first] + _BLOCK
        while last < count and last - first < _ROWS and offset[last] + length[last] <= limit:
            last += 1
        yield first, last
        first = last


def _pread(fd: int, offset: int, length: int) -> bytes:
    found = os.pread(fd, length, offset)
    while len(found) < length and (more := os.pread(fd, length - len(found), offset + len(found))):
        found += more
    return found


def read_value(line: bytes, source: int, keys: Key) -> Value | Absent:
    """The value at a path of one answer, of its text (``source`` 0) or of a tool call by number."""
    parts = parts_of(line)
    if parts is None:
        return ABSENT
    here: Any
    try:
        here = decode(bytes(parts.calls[source - 1].input)) if source else find_json(parts.text)
    except (ValueError, msgspec.MsgspecError, RecursionError, IndexError):
        return ABSENT
    if isinstance(here, list) and keys == (ROOT,):
        return Json(_encode(here).decode())
    for key in keys:
        if not isinstance(here, dict) or key not in here:
            return ABSENT
        here = here[key]
    return Json(_encode(here).decode()) if isinstance(here, dict | list) else here
