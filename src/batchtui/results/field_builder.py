"""Reads the fields of a batch's answers in one pass, a block of lines at a time, into columns."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain, count, filterfalse
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

import msgspec

from batchtui.domain.outcome import SUCCEEDED
from batchtui.domain.work import Work
from batchtui.results.answer_check import NOT_DECODED, by_casefold, listed_at
from batchtui.results.answer_parts import AnswerParts, ToolCall, parts_of, plain_parts
from batchtui.results.asked import Asked, AskedFor
from batchtui.results.field_columns import (
    ABSENT,
    FIRST,
    LONG_JSON,
    LONG_TEXT,
    ROOT,
    Absent,
    Json,
    Key,
    Value,
    path_name,
)
from batchtui.results.json_in_text import NOT_PLAIN, TEXT_LIMIT, decode, decode_all, decode_plain, exact, find_json
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
"""Characters of different values that are held, with _EACH for each; those beyond are read from their line."""
_EACH = 64
_BLOCK = 256 * 1024
_ROWS = 512
"""Bytes and rows read at a time: the loop of a screen beside this waits for no longer than a block takes to parse."""

_MOST_KEYS = 64
"""Keys of answers that are decoded together."""
_SPARSE = 2
"""So many times the keys of the largest answer: where there are more in all, each answer lacks most of them."""
_FEW = 16
"""Where fewer answers than this are alike, the rest of a block is decoded one by one."""


class _Digits(str):
    """A number with a point or exponent as it is written: only different ones become a Decimal."""

    __slots__ = ()


def _as_number(value: object) -> msgspec.Raw:
    if isinstance(value, _Digits):
        return msgspec.Raw(_encode(exact(str(value))))
    raise NotImplementedError


_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_number).encode


class _Budget:
    """How much of different values is still held."""

    def __init__(self) -> None:
        self.left = _KEPT


_HOLDERS = frozenset({dict, list})
_SHORT = frozenset({int, bool, type(None)})
_MADE: dict[type, Callable[[Any], Value]] = {list: Json, dict: Json}


def _numbered_by(value: Value) -> tuple[type, Any]:
    """What a value is numbered by: its type as it was decoded, and what tells it from others of it."""
    if isinstance(value, Json):
        return list if value.text.startswith("[") else dict, value.text
    return type(value), str(value) if isinstance(value, Decimal) else value


class ColumnParts(NamedTuple):
    """What was read of a column."""

    rows: Sequence[int]
    """Which rows have a value, in the order in which they were read."""
    codes: Sequence[int]
    entries: list[Value]
    long: Sequence[int]
    """Row, length and source of each long value, one after the other."""
    size: int
    """Bytes of its entries."""


class ColumnBuilder:
    """A column while it is read: rows that have a value, and the values' codes."""

    def __init__(self, call: int, keys: Key, budget: _Budget) -> None:
        self.path = path_name(call, keys)
        self.call = call
        self.keys = keys
        self.budget = budget
        self.rows = array("I")
        self.codes = array("I")
        self.entries: list[Value] = []
        self.long: list[tuple[int, int, int]] = []
        """Row, length, and which call (0: the text) of each long value."""
        self.respelled: dict[int, tuple[str, ...]] = {}
        """By code, the spellings that were answered instead of the schema's."""
        self._numbers: dict[type, dict[Any, int]] = {}

    def add(self, kind: type, source: int, rows: Sequence[int], values: Sequence[Any]) -> None:
        """Take values of one type; ``source`` is where an answer has them: its text (0) or a call by number."""
        keys: Sequence[Any] = values
        if kind is _Digits:
            kind = Decimal
        elif kind is Decimal:
            keys = [*map(str, values)]
        elif kind is list or kind is dict:
            keys = [_encode(value).decode() for value in values]
        self.rows.extend(rows)
        numbers = self._numbers.setdefault(kind, {})
        known = len(self.codes)
        try:
            self.codes.extend(map(numbers.__getitem__, keys))
            return
        except KeyError:
            del self.codes[known:]
        if (kind in _SHORT or max(map(len, keys)) <= LONG) and self._number(kind, keys):
            self.codes.extend(map(numbers.__getitem__, keys))
            return
        # Long ones are not even hashed.
        long = LONG_TEXT if kind is str else LONG_JSON
        if kind is Decimal:
            keys = [*map(str, map(exact, keys))]
        sizes = [*map(len, map(str, keys))]
        self._number(kind, [key for size, key in zip(sizes, keys, strict=True) if size <= LONG])
        codes = [long if size > LONG else numbers.get(key, long) for size, key in zip(sizes, keys, strict=True)]
        self.codes.extend(codes)
        self.long += [(row, size, source) for row, code, size in zip(rows, codes, sizes, strict=True) if code < FIRST]

    def _number(self, kind: type, keys: Sequence[Any]) -> bool:
        """Number those of some short values that are new; False when there is no room for them."""
        numbers = self._numbers[kind]
        fresh = [*dict.fromkeys(filterfalse(numbers.__contains__, keys))]
        cost = _EACH * len(fresh) + (0 if kind in _SHORT else sum(map(len, fresh)))
        if self.budget.left < cost:
            return False
        self.budget.left -= cost
        if kind is Decimal:
            for digits in fresh:
                value = exact(str(digits))
                # 1e5 and 1E+5 are one value; what no Decimal can be is a text.
                others = self._numbers.setdefault(type(value), {})
                code = numbers[digits] = others.setdefault(str(value), FIRST + len(self.entries))
                if code == FIRST + len(self.entries):
                    self.entries.append(value)
            return True
        numbers.update(zip(fresh, count(FIRST + len(self.entries)), strict=False))
        made = _MADE.get(kind)
        self.entries.extend(fresh if made is None else map(made, fresh))
        return True

    def join(self, later: ColumnParts) -> None:
        """Take what another builder read of later rows."""
        codes = [*range(FIRST)]
        for value in later.entries:
            kind, key = _numbered_by(value)
            numbers = self._numbers.setdefault(kind, {})
            if key not in numbers:
                numbers[key] = FIRST + len(self.entries)
                self.entries.append(value)
            codes.append(numbers[key])
        self.rows.extend(later.rows)
        self.codes.extend(map(codes.__getitem__, later.codes))
        self.long += zip(later.long[::3], later.long[1::3], later.long[2::3], strict=True)

    def respell(self, known: dict[str, str]) -> None:
        """Count texts that differ from a listed one only in capitals under its spelling; ``known`` is by casefold."""
        numbers = self._numbers.get(str, {})
        others = {text: known[text.casefold()] for text in numbers if known.get(text.casefold(), text) != text}
        if not others:
            return
        codes = list(range(FIRST + len(self.entries)))
        for text, listed in others.items():
            code = numbers.get(listed)
            if code is None:
                # The first of the other spellings lends its code.
                code = numbers[listed] = numbers[text]
                self.entries[code - FIRST] = listed
            codes[numbers[text]] = code
            self.respelled[code] = (*self.respelled.get(code, ()), text)
        self._renumber(codes)

    def _renumber(self, codes: list[int]) -> None:
        """Give rows the codes that theirs became, and close the gaps."""
        kept = [code for code in codes[FIRST:] if codes[code] == code]
        kept = list(dict.fromkeys(kept))
        closed = {code: FIRST + place for place, code in enumerate(kept)} | {code: code for code in range(FIRST)}
        self.codes = array("I", [closed[codes[code]] for code in self.codes])
        self.entries = [self.entries[code - FIRST] for code in kept]
        self.respelled = {closed[code]: texts for code, texts in self.respelled.items()}

    def counts(self) -> Counter[int]:
        """How often each code comes."""
        return Counter(self.codes)


class LeftOut(msgspec.Struct):
    """How much was left out since there is too much of it."""

    paths: int = 0
    """Values whose paths are too many."""
    long_names: int = 0
    """Values whose paths are too long."""
    too_large: int = 0
    """Answers that are not searched."""
    too_deep: int = 0
    """Answers that are nested too deep to be searched."""

    def add(self, other: LeftOut) -> None:
        """Count those of later answers too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def notes(self) -> tuple[str, ...]:
        """What was left out, as sentences."""
        found = []
        if self.paths:
            left_out = _many(self.paths, "value of others is", "values of others are")
            found.append(f"Only the first {MAX_PATHS:,} fields are read; {left_out} left out.")
        if self.long_names:
            whose = _many(self.long_names, "value is left out: its field has", "values are left out: their fields have")
            found.append(f"{whose} a name of over {MAX_NAME} characters.")
        if self.too_large:
            over = f"over {WHOLE_LIMIT // 1_000_000} MB"
            found.append(
                _many(self.too_large, f"answer {over} is", f"answers {over} are") + " not searched for fields."
            )
        if self.too_deep:
            found.append(
                _many(self.too_deep, "answer is", "answers are") + " nested too deep to be searched for fields."
            )
        return tuple(found)


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


class ObjectColumns:
    """Columns that grow by objects of any shape, at most MAX_PATHS of them."""

    def __init__(self, depth: int = MAX_DEPTH) -> None:
        self._depth = depth
        self._budget = _Budget()
        self._columns: dict[tuple[int, Key], ColumnBuilder] = {}
        self.left_out = LeftOut()

    @property
    def columns(self) -> list[ColumnBuilder]:
        """The columns in the order in which objects have them."""
        return list(self._columns.values())

    def join(self, later: Sequence[tuple[int, Key, ColumnParts]]) -> bool:
        """Take columns that were read of later rows, by call and keys; False, and none is taken, when they are too many."""
        fresh = [(call, keys) for call, keys, _ in later if (call, keys) not in self._columns]
        cost = sum(parts.size + _EACH * len(parts.entries) for _, _, parts in later)
        if cost > self._budget.left or len(self._columns) + len(fresh) > MAX_PATHS:
            return False
        self._budget.left -= cost
        for place in fresh:
            self._columns[place] = ColumnBuilder(*place, self._budget)
        for call, keys, parts in later:
            self._columns[call, keys].join(parts)
        return True

    def objects(self, source: int, call: int, keys: Key, rows: Sequence[int], objects: list[dict[str, Any]]) -> None:
        """Take objects at one path: those with the same keys together, key by key."""
        shapes: dict[Key, tuple[list[int], list[dict[str, Any]]]] = {}
        first = tuple(objects[0])
        if all(map(first.__eq__, map(tuple, objects))):
            self._alike(source, call, keys, rows, first, objects)
            return
        for row, held in zip(rows, objects, strict=True):
            shape = tuple(held)
            group = shapes.get(shape)
            if group is None:
                shapes[shape] = ([row], [held])
            else:
                group[0].append(row)
                group[1].append(held)
        for shape, (shape_rows, alike) in shapes.items():
            self._alike(source, call, keys, shape_rows, shape, alike)

    def _alike(
        self, source: int, call: int, keys: Key, rows: Sequence[int], shape: Key, objects: list[dict[str, Any]]
    ) -> None:
        """Take objects with the same keys in the same order."""
        if not shape and keys:
            self.add(dict, source, call, keys, rows, objects)
        for key, values in zip(shape, zip(*map(dict.values, objects), strict=True), strict=True):
            self.values(source, call, (*keys, key), rows, values)

    def values(self, source: int, call: int, keys: Key, rows: Sequence[int], values: Sequence[Any]) -> None:
        """Take values at one path, UNSET for a row that has none."""
        kinds = set(map(type, values))
        if len(kinds) == 1 and msgspec.UnsetType not in kinds:
            self._one_kind(kinds.pop(), source, call, keys, rows, values)
            return
        kinds.discard(msgspec.UnsetType)
        for kind in sorted(kinds, key=lambda each: each.__name__):
            held = [(row, value) for row, value in zip(rows, values, strict=True) if type(value) is kind]
            self._one_kind(kind, source, call, keys, [row for row, _ in held], [value for _, value in held])

    def _one_kind(
        self, kind: type, source: int, call: int, keys: Key, rows: Sequence[int], values: Sequence[Any]
    ) -> None:
        if kind is dict and len(keys) < self._depth:
            self.objects(source, call, keys, rows, list(values))
        else:
            self.add(kind, source, call, keys, rows, values)

    def add(self, kind: type, source: int, call: int, keys: Key, rows: Sequence[int], values: Sequence[Any]) -> None:
        place = (call, keys)
        column = self._columns.get(place)
        if column is None:
            if len(self._columns) >= MAX_PATHS:
                self.left_out.paths += len(rows)
                return
            column = ColumnBuilder(call, keys, self._budget)
            if len(column.path) > MAX_NAME:
                self.left_out.long_names += len(rows)
                return
            self._columns[place] = column
        column.add(kind, source, rows, values)


class _Shape:
    """Objects that have some of these keys and no others: decoded in half the time of dicts of unknown ones."""

    def __init__(self, keys: Key) -> None:
        """Raises ValueError when a key can't be a field's."""
        fields = [f"f{number}" for number in range(len(keys))]
        made = msgspec.defstruct(
            "Shape",
            [(field, Any, msgspec.UNSET) for field in fields],
            rename=dict(zip(fields, keys, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        self.keys = keys
        self._decode = msgspec.json.Decoder(made, float_hook=_Digits).decode
        self._values = [*map(attrgetter, fields)]

    def decode(self, texts: Iterable[Any]) -> list[msgspec.Struct]:
        """The objects of texts up to the first that is no text of such an object."""
        found: list[msgspec.Struct] = []
        with suppress(TypeError, *NOT_PLAIN):
            found.extend(map(self._decode, texts))
        return found

    def columns(self, objects: list[msgspec.Struct]) -> Iterator[tuple[str, list[Any]]]:
        """Each key with its values, UNSET where an object has none."""
        for key, value in zip(self.keys, self._values, strict=True):
            yield key, [*map(value, objects)]


_Calls: TypeAlias = dict[tuple[int, int], tuple[list[int], list[dict[str, Any]]]]
"""Rows and inputs of tool calls, by the call's number in its answer and the number that its paths show."""

Judge = Callable[[int, AnswerParts | str, Any], None]
"""Takes a row, its answer, and the object or array that the answer is as a whole (``answer_check.NOT_DECODED`` if not)."""


class FieldBuilder:
    """The fields of one batch, as columns by path in the order in which answers have them.

    ``judge`` is told each answer on the way, so that whoever checks them decodes none again.
    """

    def __init__(self, results: ResultSet, judge: Judge | None = None) -> None:
        self._results = results
        self._judge = judge
        self._found = ObjectColumns()
        self._asked = results.asked
        self._shape: _Shape | None = None
        self._shapes = judge is None
        """Whether answers are still decoded by their keys."""

    @property
    def columns(self) -> list[ColumnBuilder]:
        """The columns in the order in which answers have them."""
        return self._found.columns

    @property
    def left_out(self) -> LeftOut:
        """What was left out."""
        return self._found.left_out

    def read(self, first: int, end: int, work: Work) -> None:
        """Read the answers of the lines from ``first`` to before ``end``.  Raises StoreError, Stopped."""
        total = self._results.header.lines
        doing = "reading the fields" if self._judge is None else "checking the answers"
        for begin, last in _spans(self._results, first, end):
            work.check(f"stopped while {doing}")
            self._take_span(begin, last)
            # The lines of a second process are read at the same time.
            work.tell(doing, last * total // end, total, "results")

    def join(self, later: Sequence[tuple[int, Key, ColumnParts]], left_out: LeftOut) -> bool:
        """Take what another builder read of later lines; False, and nothing is taken, when it is too much."""
        if left_out.paths or not self._found.join(later):
            return False
        self.left_out.add(left_out)
        return True

    def finish(self) -> None:
        """All lines are read: count texts that differ from a listed one only in capitals under its spelling."""
        listed = listed_spellings(self._asked)
        for column in self._found.columns:
            if not column.call and column.keys in listed:
                column.respell(listed[column.keys])

    def _take_span(self, first: int, last: int) -> None:
        results = self._results
        columns = results.columns
        begin, end = columns.offset[first], columns.offset[last - 1] + columns.length[last - 1]
        if last - first == 1 and columns.length[first] > WHOLE_LIMIT:
            self.left_out.too_large += columns.outcome[first] == SUCCEEDED
            if self._judge is not None and (parts := parts_of(results.read(first))) is not None:
                self._judge(first, parts, NOT_DECODED)
            return
        block = results.read_stretch(begin, end - begin)
        found = plain_parts(block, last - first)
        if found is None:
            lines = [
                block[columns.offset[row] - begin : columns.offset[row] - begin + columns.length[row]]
                for row in range(first, last)
            ]
            found = [*map(parts_of, lines)]
        self._take(range(first, last), found)

    def _take(self, rows: Sequence[int], given: Sequence[AnswerParts | str | None]) -> None:
        """Take the answers of some rows, those that succeeded: objects of known keys apart from all others."""
        if None in given:
            rows = [row for row, parts in zip(rows, given, strict=True) if parts is not None]
        found = [parts for parts in given if parts is not None]
        done = 0
        while self._shape is not None:
            alike = self._shape.decode(found[done:])
            here = array("I", rows[done : done + len(alike)])
            for key, values in self._shape.columns(alike) if alike else ():
                self._found.values(0, 0, (key,), here, values)
            done += len(alike)
            if len(alike) < _FEW:
                break
            self._take_any(rows[done : done + 1], found[done : done + 1])
            done += 1
        self._take_any(rows[done:], found[done:])

    def _take_any(self, rows: Sequence[int], found: Sequence[AnswerParts | str]) -> None:
        """Take answers of any kind: the values in their texts, and calls by their number and name."""
        if not found:
            return
        calls: _Calls = {}
        rows_of, roots = rows, self._plain_roots(rows, found)
        if roots is None:
            rows_of, roots = self._roots(rows, found, calls)
        kinds = set(map(type, roots))
        for kind in kinds & _HOLDERS:
            held = [each for each in zip(rows_of, roots, strict=True) if type(each[1]) is kind]
            kind_rows, values = [row for row, _ in held], [root for _, root in held]
            if kind is dict:
                self._found.objects(0, 0, (), kind_rows, values)
                self._learn(values)
            else:
                self._found.add(list, 0, 0, (ROOT,), kind_rows, values)
        for (source, shown), (call_rows, inputs) in calls.items():
            self._found.objects(source, shown, (), call_rows, inputs)

    def _learn(self, objects: list[dict[str, Any]]) -> None:
        """From now on expect the keys of these objects too, unless they are too many or odd ones."""
        if not self._shapes:
            return
        known = () if self._shape is None else self._shape.keys
        keys = tuple(dict.fromkeys(chain(known, *objects)))
        if keys == known:
            return
        self._shape = None
        if len(keys) <= min(_MOST_KEYS, _SPARSE * max(len(known), *map(len, objects))):
            with suppress(ValueError):
                self._shape = _Shape(keys)
        self._shapes = self._shape is not None

    def _plain_roots(self, rows: Sequence[int], found: Sequence[AnswerParts | str]) -> list[Any] | None:
        """What answers hold that are all plainly JSON; None when one is not."""
        texts = [parts for parts in found if isinstance(parts, str)]
        if len(texts) < len(found):
            return None
        try:
            roots = decode_all(texts)
        except NOT_PLAIN:
            return None
        if self._judge is not None:
            for row, text, root in zip(rows, texts, roots, strict=True):
                self._judge(row, text, root if type(root) in _HOLDERS else NOT_DECODED)
        return roots

    def _roots(
        self, rows: Sequence[int], found: Sequence[AnswerParts | str], calls: _Calls
    ) -> tuple[list[int], list[Any]]:
        """The rows of answers, and what their texts hold; sorts the inputs of their calls by which call they are of."""
        rows_of: list[int] = []
        roots: list[Any] = []
        for row, parts in zip(rows, found, strict=True):
            whole = NOT_DECODED
            if isinstance(parts, AnswerParts):
                root = self._take_parts(row, parts, calls)
            else:
                try:
                    root = whole = decode_plain(parts)
                except NOT_PLAIN:
                    root = self._root(parts)
            if self._judge is not None:
                self._judge(row, parts, whole if type(whole) in _HOLDERS else NOT_DECODED)
            roots.append(root)
            rows_of.append(row)
        return rows_of, roots

    def _take_parts(self, row: int, parts: AnswerParts, calls: _Calls) -> Any:
        """Sort the inputs of an answer's calls by which call they are of; returns what its text holds."""
        wanted = self._asked.of(self._results.columns.seq[row])
        main = wanted.main_call(parts.calls)
        text = text_of(parts, wanted)
        for number, call in enumerate(parts.calls, 1):
            given = self._input(call)
            if given is not None:
                group = calls.setdefault((number, 0 if number == main else number), ([], []))
                group[0].append(row)
                group[1].append(given)
        return self._root(text) if not main and text else None

    def _root(self, text: str) -> Any:
        if len(text) > TEXT_LIMIT:
            self.left_out.too_large += 1
            return None
        try:
            return find_json(text)
        except RecursionError:
            self.left_out.too_deep += 1
        return None

    def _input(self, call: ToolCall) -> dict[str, Any] | None:
        try:
            found = decode(bytes(call.input))
        except RecursionError:
            self.left_out.too_deep += 1
            return None
        except (ValueError, msgspec.MsgspecError):
            return None
        return found if isinstance(found, dict) else None


def text_of(parts: AnswerParts, wanted: AskedFor) -> str:
    """Which text of an answer holds its JSON: the first block where the text has a schema, else all of it."""
    return parts.text if wanted.text is None else parts.first_text


def listed_spellings(asked: Asked) -> dict[Key, dict[str, str]]:
    """For each path the texts that the requests' schemas list, by casefold; those of two spellings are left out."""
    found: dict[Key, dict[str, None]] = {}
    for wanted in asked.wanted:
        schema = wanted.text if wanted.text is not None else wanted.calls.get(wanted.main_tool)
        for keys, texts in listed_at(schema).items() if schema is not None else ():
            found.setdefault(keys, {}).update(dict.fromkeys(texts))
    return {keys: by_casefold(texts) for keys, texts in found.items()}


def _spans(results: ResultSet, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges of lines that are read together."""
    offset, length = results.columns.offset, results.columns.length
    while first < end:
        limit = offset[first] + _BLOCK
        last = bisect_right(offset, limit, first + 1, min(first + _ROWS, end))
        while last - first > 1 and offset[last - 1] + length[last - 1] > limit:
            last -= 1
        yield first, last
        first = last


def read_value(line: bytes, source: int, keys: Key, wanted: AskedFor) -> Value | Absent:
    """The value at a path of one answer, of its text (``source`` 0) or of a tool call by number."""
    parts = parts_of(line)
    if parts is None:
        return ABSENT
    here: Any
    try:
        if isinstance(parts, str):
            here = find_json(parts)
        elif source:
            here = decode(bytes(parts.calls[source - 1].input))
        else:
            here = find_json(text_of(parts, wanted))
    except (ValueError, msgspec.MsgspecError, RecursionError, IndexError):
        return ABSENT
    if isinstance(here, list) and keys == (ROOT,):
        return Json(_encode(here).decode())
    for key in keys:
        if not isinstance(here, dict) or key not in here:
            return ABSENT
        here = here[key]
    return Json(_encode(here).decode()) if isinstance(here, dict | list) else here
