"""Columns of fields as bytes: the file ``results.fields``, and what a second process hands over of its share."""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from batchtui import plainfile
from batchtui.domain.errors import StoreError
from batchtui.results.field_builder import ColumnBuilder, ColumnParts, FieldBuilder, LeftOut
from batchtui.results.field_columns import FIRST, KINDS, LONG_TEXT, Json, Key, Value, kind_of
from batchtui.results.index import NOTHING, Stamp
from batchtui.results.json_in_text import decode
from batchtui.results.view import ResultSet
from batchtui.store import files

MAGIC = b"batchtui-fields\0"
VERSION = 2
"""2: what is left out is counted, and a column tells which tool call it is of."""
_HEAD = len(MAGIC) + 12
"""Bytes before the header: its size and checksum follow MAGIC."""
Read: TypeAlias = Callable[[int, int], bytes]
"""Reads so many bytes (second) from a place (first)."""


class StoredColumn(msgspec.Struct, frozen=True):
    """Where a column lies."""

    path: str
    call: int
    keys: Key
    rows: int
    kinds: dict[str, int]
    entries: int
    long: int
    sizes: tuple[int, int, int, int]
    """Bytes of its rows (0 when they are all lines in order), codes, long values' sizes, and entries."""
    code_type: str
    checksum: int
    respelled: dict[int, tuple[str, ...]] = {}


class FieldsHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What fields were made from, and where their columns are."""

    version: int = VERSION
    byteorder: str = sys.byteorder
    results: Stamp
    requests: Stamp
    schemas: Stamp
    first: int = 0
    """The first line whose fields these are."""
    lines: int
    """The line behind the last of them."""
    left_out: LeftOut
    columns: tuple[StoredColumn, ...]


def pack(results: ResultSet, builder: FieldBuilder, first: int = 0) -> tuple[FieldsHeader, list[bytes]]:
    """The columns that were read of the lines from ``first`` on, and their header."""
    body: list[bytes] = []
    stored = []
    every = array("I", range(first, results.header.lines))
    for column in builder.columns:
        each, data = _pack(column, every)
        stored.append(each)
        body.append(data)
    header = FieldsHeader(
        results=results.header.results,
        requests=results.header.requests,
        schemas=results.header.schemas,
        first=first,
        lines=results.header.lines,
        left_out=builder.left_out,
        columns=tuple(stored),
    )
    return header, body


_encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines
_PLAIN = frozenset({str, int, bool, type(None)})


def _pack(column: ColumnBuilder, every: array[int]) -> tuple[StoredColumn, bytes]:
    """A column as it is stored; ``every`` are all lines."""
    top = FIRST + len(column.entries)
    code_type: Literal["B", "H", "I"] = "B" if top < 1 << 8 else "H" if top < 1 << 16 else "I"
    # The bytes that are left out of each code are zeros.
    step = column.codes.itemsize // array(code_type).itemsize
    codes = memoryview(column.codes).cast("B").cast(code_type)[0 if sys.byteorder == "little" else step - 1 :: step]
    rows = b"" if column.rows == every else column.rows.tobytes()
    sizes = array("I", [number for each in column.long for number in each])
    odd = not _PLAIN.issuperset(map(type, column.entries))
    entries = _encode_lines([*map(_written, column.entries)] if odd else column.entries)[:-1]
    parts = (rows, codes.tobytes(), sizes.tobytes(), entries)
    data = b"".join(parts)
    stored = StoredColumn(
        column.path,
        column.call,
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


def _written(value: Value) -> Value | msgspec.Raw:
    """A value as the encoder takes it, so that it is read back as what it is."""
    if isinstance(value, Json):
        return msgspec.Raw(value.text.encode())
    if isinstance(value, Decimal) and (text := str(value)).lstrip("-").isdigit():
        return msgspec.Raw(f"{text}E0".encode())
    return value


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


def unpack(stored: StoredColumn, data: bytes) -> ColumnParts:
    """A column as it was packed; raises StoreError when its bytes are not."""
    if zlib.crc32(data) != stored.checksum:
        raise StoreError("the fields of these results can't be read", advice="open the results again")
    parts, place = [], 0
    for size in stored.sizes:
        parts.append(data[place : place + size])
        place += size
    rows = array("I", parts[0])
    entries = [_value(line) for line in parts[3].split(b"\n")] if stored.entries else []
    return ColumnParts(rows, array(stored.code_type, parts[1]), entries, array("I", parts[2]), stored.sizes[3])


def unpack_all(header: FieldsHeader, read: Read, start: int) -> list[tuple[int, Key, ColumnParts]]:
    """All columns by call and keys, the first of them at ``start``; raises StoreError."""
    found, every = [], array("I", range(header.first, header.lines))
    for stored in header.columns:
        size = sum(stored.sizes)
        parts = unpack(stored, read(start, size))
        found.append((stored.call, stored.keys, parts._replace(rows=parts.rows or every)))
        start += size
    return found


def _value(line: bytes) -> Value:
    found = decode(line)
    return Json(line.decode()) if isinstance(found, dict | list) else found


def pieces(header: FieldsHeader, body: Sequence[bytes]) -> Iterator[bytes]:
    """All bytes of packed columns, in order."""
    head = msgspec.json.encode(header)
    yield MAGIC + len(head).to_bytes(8, "little") + zlib.crc32(head).to_bytes(4, "little") + head
    yield from body


def save(path: Path, header: FieldsHeader, body: Sequence[bytes]) -> None:
    """Write packed columns; raises StoreError."""
    with files.atomic(path, lasting=False) as file:
        for piece in pieces(header, body):
            file.write(piece)


def read_header(read: Read, size: int, results: ResultSet) -> tuple[FieldsHeader, int] | None:
    """The header of packed columns, and where they begin; None unless they are whole, and made from these very results.

    Raises StoreError.
    """
    begin = read(0, _HEAD)
    head_size = int.from_bytes(begin[len(MAGIC) : _HEAD - 4], "little")
    if begin[: len(MAGIC)] != MAGIC or head_size > size:
        return None
    head = read(_HEAD, head_size)
    try:
        header = msgspec.json.decode(head, type=FieldsHeader)
    except msgspec.MsgspecError:
        return None
    made_from = (header.results, header.requests, header.schemas, header.version, header.byteorder)
    now = (results.header.results, results.header.requests, results.header.schemas, VERSION, sys.byteorder)
    start = _HEAD + head_size
    whole = size == start + sum(sum(each.sizes) for each in header.columns)
    if zlib.crc32(head).to_bytes(4, "little") != begin[-4:] or made_from != now or not whole:
        return None
    return None if header.results == NOTHING else (header, start)


class FieldsFile:
    """An open file of fields, closed when nobody reads it any more."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._fd = -1
        with plainfile.opened(path) as file:
            self._fd = os.dup(file.fileno())
        self.size = os.fstat(self._fd).st_size

    def read(self, start: int, size: int) -> bytes:
        """A stretch of it; raises StoreError."""
        try:
            return os.pread(self._fd, size, start)
        except OSError as error:
            raise files.explain(error, "can't read the fields") from error

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self._fd)
