"""Fields: the values inside a batch's answers by path, kept in ``results.fields``, thrown away and rebuilt at will.

A path is the keys from the answer's outermost object joined by points, odd ones quoted as TOML quotes keys.  The bare
paths are those of one value an answer: the JSON in its text, or the input of the tool call that was asked for; inputs of
other calls are under ``tool[N].``.  An array is a value; an answer that is an array is the field ``value``.
"""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Raw

from batchtui import plainfile
from batchtui.domain.errors import StoreError
from batchtui.domain.outcome import SUCCEEDED
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.answer_check import Schema
from batchtui.results.answer_parts import AnswerParts
from batchtui.results.field_builder import ColumnBuilder, FieldBuilder, Judge, read_value
from batchtui.results.field_columns import (
    ABSENT,
    FIRST,
    KINDS,
    LONG_TEXT,
    Absent,
    Json,
    Key,
    Value,
    ValueColumn,
    entry_key,
    kind_of,
)
from batchtui.results.index import NOTHING as NO_FILE
from batchtui.results.index import Stamp
from batchtui.results.json_in_text import decode
from batchtui.results.view import ResultSet, View
from batchtui.store import files
from batchtui.store.records import FIELDS

MAGIC = b"batchtui-fields\0"
VERSION = 1


class Field(msgspec.Struct, frozen=True):
    """One path, and what is at it."""

    path: str
    rows: int
    """Answers that have it."""
    kinds: dict[str, int]
    """How many of its values are of each kind (``field_columns.KINDS``)."""
    distinct: int
    """Different values, without long ones."""
    long: int = 0
    """Values that are read from their line when asked for."""

    @property
    def kind(self) -> str:
        """The kind of all values that are not null, ``mixed`` when there are several."""
        real = [kind for kind in self.kinds if kind != "null"]
        if set(real) == {"integer", "number"}:
            return "number"
        return real[0] if len(real) == 1 else "mixed" if real else "null"


class _Stored(msgspec.Struct, frozen=True):
    """Where a column lies in the file."""

    path: str
    keys: Key
    rows: int
    kinds: dict[str, int]
    entries: int
    long: int
    sizes: tuple[int, int, int, int]
    """Bytes of its rows (0 when they are all lines), codes, long values' sizes, and entries."""
    code_type: str
    checksum: int
    respelled: dict[int, tuple[str, ...]] = {}


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    version: int = VERSION
    byteorder: str = sys.byteorder
    results: Stamp
    requests: Stamp
    schemas: Stamp
    lines: int
    notes: tuple[str, ...]
    columns: tuple[_Stored, ...]


class Fields:
    """The fields of one batch's answers.  Rows are result lines: row i is the i-th line that is not blank."""

    def __init__(self, results: ResultSet, header: _Header, read: Callable[[int, int], bytes], start: int) -> None:
        self._results = results
        self._header = header
        self._read = read
        self._places: dict[str, tuple[_Stored, int]] = {}
        self._columns: dict[str, ValueColumn] = {}
        self.names: list[Field] = []
        """All fields, in the order in which answers have them."""
        for each in header.columns:
            self._places[each.path] = (each, start)
            start += sum(each.sizes)
            self.names.append(Field(each.path, each.rows, each.kinds, each.entries, each.long))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out since there is too much of it, as sentences."""
        return self._header.notes

    def __len__(self) -> int:
        return self._header.lines

    def __contains__(self, path: str) -> bool:
        return path in self._places

    def values(self, path: str) -> ValueColumn:
        """A field's values by result line; raises KeyError when there is no such field, StoreError when it can't be read."""
        found = self._columns.get(path)
        if found is None:
            found = self._columns[path] = self._load(*self._places[path])
        return found

    def _load(self, stored: _Stored, start: int) -> ValueColumn:
        data = self._read(start, sum(stored.sizes))
        if zlib.crc32(data) != stored.checksum:
            raise StoreError("the fields of these results can't be read", advice="open the results again")
        parts, place = [], 0
        for size in stored.sizes:
            parts.append(data[place : place + size])
            place += size
        given = array(stored.code_type, parts[1])
        codes: Sequence[int] = given
        rows = array("I", parts[0])
        if rows:
            spread = array(stored.code_type, bytes(given.itemsize * len(self)))
            for row, code in zip(rows, given, strict=True):
                spread[row] = code
            codes = spread
        entries = [_value(line) for line in parts[3].split(b"\n")] if stored.entries else []
        sizes = array("I", parts[2])
        long = dict(zip(sizes[::3], sizes[1::3], strict=True))
        sources = dict(zip(sizes[::3], sizes[2::3], strict=True))

        def read_long(row: int) -> Value | Absent:
            wanted = self._results.asked.of(self._results.columns.seq[row])
            return read_value(self._results.read(row), sources[row], stored.keys, wanted)

        return ValueColumn(codes, entries, read_long, lambda: long, stored.respelled)


def _value(line: bytes) -> Value:
    found = decode(line)
    return Json(line.decode()) if isinstance(found, dict | list) else found


_encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines


_PLAIN = frozenset({str, int, bool, type(None)})


def _written(value: Value) -> Value | Raw:
    """A value as the encoder takes it, so that it is read back as what it is."""
    if isinstance(value, Json):
        return Raw(value.text.encode())
    if isinstance(value, Decimal) and (text := str(value)).lstrip("-").isdigit():
        return Raw(f"{text}E0".encode())
    return value


def check_answers(results: ResultSet, schema: Schema, work: Work = UNWATCHED) -> None:
    """Check the answers that nothing else checks by this schema, in memory only; their fields are read on the way.

    Raises StoreError, Stopped.
    """
    results.check_by(schema)
    columns, checker = results.columns, results.checker
    why: dict[int, str] = {}

    def judge(row: int, parts: AnswerParts | str, value: object) -> None:
        seq = columns.seq[row]
        if columns.cut[row] or columns.outcome[row] != SUCCEEDED or checker.own(seq):
            return
        flaw = checker.flaw(seq, parts, value)
        if flaw is not None:
            why[row] = flaw.group

    _read(results, work, judge)
    results.find_invalid(why)


def open_fields(results: ResultSet, work: Work = UNWATCHED) -> Fields:
    """The fields of a batch's answers: those in ``results.fields`` when they fit the results, else read anew in one pass.

    Raises StoreError, and Stopped.
    """
    found = None if results.partial else _load(results.folder / FIELDS, results)
    return _read(results, work) if found is None else found


def _read(results: ResultSet, work: Work, judge: Judge | None = None) -> Fields:
    path = results.folder / FIELDS
    builder = FieldBuilder(results, judge)
    if results.stored:
        builder.read_all(work)
    header, body = _packed(results, builder)
    if results.stored and not results.partial:
        with suppress(StoreError):  # A read-only disk still shows its fields.
            _save(path, header, body)
            saved = _load(path, results)
            if saved is not None:
                return saved
    data = b"".join(body)
    return Fields(results, header, lambda start, size: data[start : start + size], 0)


def _packed(results: ResultSet, builder: FieldBuilder) -> tuple[_Header, list[bytes]]:
    body: list[bytes] = []
    stored = []
    every = array("I", range(results.header.lines)).tobytes()
    for column in builder.columns:
        each, data = _pack(column, every)
        stored.append(each)
        body.append(data)
    header = _Header(
        results=results.header.results,
        requests=results.header.requests,
        schemas=results.header.schemas,
        lines=results.header.lines,
        notes=builder.notes(),
        columns=tuple(stored),
    )
    return header, body


def _pack(column: ColumnBuilder, every: bytes) -> tuple[_Stored, bytes]:
    """A column as it is stored; ``every`` are the rows of one that all answers have."""
    top = FIRST + len(column.entries)
    code_type = "B" if top < 1 << 8 else "H" if top < 1 << 16 else "I"
    # The bytes that are left out of each code are zeros.
    step = column.codes.itemsize // array(code_type).itemsize
    codes = memoryview(column.codes).cast("B").cast(code_type)[0 if sys.byteorder == "little" else step - 1 :: step]
    rows = column.rows.tobytes()
    sizes = array("I", [number for each in column.long for number in each])
    odd = not _PLAIN.issuperset(map(type, column.entries))
    entries = _encode_lines([*map(_written, column.entries)] if odd else column.entries)[:-1]
    parts = (b"" if rows == every else rows, codes.tobytes(), sizes.tobytes(), entries)
    data = b"".join(parts)
    stored = _Stored(
        column.path,
        column.keys,
        len(column.rows),
        _kinds(column),
        len(column.entries),
        len(column.long),
        (len(parts[0]), len(parts[1]), len(parts[2]), len(parts[3])),
        code_type,
        zlib.crc32(data),
        column.respelled,
    )
    return stored, data


def _kinds(column: ColumnBuilder) -> dict[str, int]:
    if len(set(map(type, column.entries))) == 1 and not column.long and not isinstance(column.entries[0], Json):
        return {kind_of(column.entries[0]): len(column.rows)}
    found = dict.fromkeys(KINDS, 0)
    kinds = [kind_of(value) for value in column.entries]
    for code, count in column.counts().items():
        if code >= FIRST:
            found[kinds[code - FIRST]] += count
        else:
            found["text" if code == LONG_TEXT else "array"] += count
    return {kind: count for kind, count in found.items() if count}


def _save(path: Path, header: _Header, body: list[bytes]) -> None:
    head = msgspec.json.encode(header)
    with files.atomic(path, lasting=False) as file:
        file.write(MAGIC + len(head).to_bytes(8, "little") + zlib.crc32(head).to_bytes(4, "little") + head)
        for data in body:
            file.write(data)


def _load(path: Path, results: ResultSet) -> Fields | None:
    """The fields at ``path`` if they are ours, and made from these very results and requests; None otherwise."""
    try:
        with plainfile.opened(path) as file:
            fd = os.dup(file.fileno())
    except OSError:
        return None
    held = _File(fd)
    start = len(MAGIC) + 12
    begin = held.read(0, start)
    size = int.from_bytes(begin[len(MAGIC) : start - 4], "little")
    if begin[: len(MAGIC)] != MAGIC or size > held.size:
        return None
    head = held.read(start, size)
    try:
        header = msgspec.json.decode(head, type=_Header)
    except msgspec.MsgspecError:
        return None
    made_from = (header.results, header.requests, header.schemas, header.version, header.byteorder)
    now = (results.header.results, results.header.requests, results.header.schemas, VERSION, sys.byteorder)
    whole = held.size == start + size + sum(sum(each.sizes) for each in header.columns)
    if zlib.crc32(head).to_bytes(4, "little") != begin[-4:] or made_from != now or not whole:
        return None
    return None if header.results == NO_FILE else Fields(results, header, held.read, start + size)


class _File:
    """An open file of fields, closed when nobody reads it any more."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, start: int, size: int) -> bytes:
        """A stretch of it; raises StoreError."""
        try:
            return os.pread(self._fd, size, start)
        except OSError as error:
            raise files.explain(error, "can't read the fields") from error

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self._fd)


class ViewFields:
    """The fields of a view's answers by its rows: for a run the union of its batches' fields."""

    def __init__(self, view: View, parts: Sequence[Fields]) -> None:
        self._view = view
        self._parts = parts
        self._columns: dict[str, ValueColumn] = {}
        self.names = _union(parts)
        """All fields; ``rows`` and ``kinds`` of a run's are sums over its batches, ``distinct`` the most of one of them."""
        self._paths = {field.path for field in self.names}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out since there is too much of it, as sentences."""
        return tuple(dict.fromkeys(note for part in self._parts for note in part.notes))

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def column(self, path: str) -> ValueColumn:
        """A field's values by the view's row; raises KeyError when there is no such field, StoreError."""
        found = self._columns.get(path)
        if found is None:
            if path not in self._paths:
                raise KeyError(path)
            found = self._columns[path] = self._single(path) if len(self._parts) == 1 else self._merged(path)
        return found

    def _single(self, path: str) -> ValueColumn:
        held = self._parts[0].values(path)
        count = len(self._view)
        places = [self._view.place(row)[1] for row in range(count)] if self._view.members[0] is not self._view else None
        codes = array("I", held.codes)
        codes.extend(array("I", bytes(4 * max(0, len(self._view.members[0]) - len(codes)))))
        if places is None:
            return ValueColumn(codes, held.entries, held.__getitem__, lambda: held.sizes, held.respelled)
        shown = array("I", [codes[place] for place in places])
        return ValueColumn(
            shown,
            held.entries,
            lambda row: held[places[row]],
            lambda: {row: held.sizes[place] for row, place in enumerate(places) if place in held.sizes},
            held.respelled,
        )

    def _merged(self, path: str) -> ValueColumn:
        numbers: dict[tuple[type, object], int] = {}
        entries: list[Value] = []
        columns: list[ValueColumn | None] = []
        maps: list[list[int]] = []
        respelled: dict[int, tuple[str, ...]] = {}
        for part in self._parts:
            held = part.values(path) if path in part else None
            columns.append(held)
            mapped = list(range(FIRST))
            for value in held.entries if held else ():
                code = numbers.setdefault(entry_key(value), FIRST + len(entries))
                if code == FIRST + len(entries):
                    entries.append(value)
                mapped.append(code)
            for code, spellings in held.respelled.items() if held else ():
                others = respelled.get(mapped[code], ())
                respelled[mapped[code]] = tuple(dict.fromkeys((*others, *spellings)))
            maps.append(mapped)
        codes = array("I")
        places = [self._view.place(row) for row in range(len(self._view))]
        for member, place in places:
            column = columns[member]
            codes.append(maps[member][column.codes[place]] if column is not None and place < len(column) else 0)

        def read_long(row: int) -> Value | Absent:
            member, place = places[row]
            column = columns[member]
            return column[place] if column is not None else ABSENT

        def sizes() -> dict[int, int]:
            long = [column.sizes if column is not None else {} for column in columns]
            return {row: long[member][at] for row, (member, at) in enumerate(places) if at in long[member]}

        return ValueColumn(codes, entries, read_long, sizes, respelled)


def _union(parts: Sequence[Fields]) -> list[Field]:
    found: dict[str, Field] = {}
    for part in parts:
        for field in part.names:
            other = found.get(field.path)
            found[field.path] = field if other is None else _sum(other, field)
    return list(found.values())


def _sum(one: Field, other: Field) -> Field:
    kinds = {k: one.kinds.get(k, 0) + other.kinds.get(k, 0) for k in KINDS if k in one.kinds or k in other.kinds}
    return Field(one.path, one.rows + other.rows, kinds, max(one.distinct, other.distinct), one.long + other.long)


def view_fields(view: View, work: Work = UNWATCHED) -> ViewFields:
    """The fields of a batch's or a run's answers by the view's rows; made, a batch at a time, where they are not stored.

    Takes about half as long as parsing the results; call it in a thread.  Raises StoreError, and Stopped.
    """
    return ViewFields(view, [open_fields(member, work) for member in view.members])
