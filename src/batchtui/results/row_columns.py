"""The columns of the source rows that requests were made from, by a view's row."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, compress

import msgspec

from batchtui import plainfile
from batchtui.domain.errors import StoreError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_builder import ColumnBuilder, ObjectColumns
from batchtui.results.field_columns import ABSENT, Absent, Json, Value, ValueColumn, column_of
from batchtui.results.json_in_text import decode, exact
from batchtui.results.row_ids import Line, OwnColumns, OwnNames, OwnRow, decode_block, decode_each
from batchtui.results.row_places import Places, places_of
from batchtui.results.view import View, as_sent
from batchtui.store.files import explain
from batchtui.store.records import IDS

_CHUNK = 256 * 1024
_CHUNK_ROWS = 256
"""Bytes and rows that are read at a time."""
_names = msgspec.json.Decoder(OwnNames)
_own_rows = msgspec.json.Decoder(OwnRow)
_columns = msgspec.json.Decoder(OwnColumns, float_hook=exact)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class RowColumns:
    """The own columns of each row, read from the ids.jsonl that has them; to be closed.

    A request that no row is known of (sent as it stands in a JSONL file) has none, as those of a file that can't be read.
    """

    def __init__(self, view: View, more: Iterable[str] = ()) -> None:
        """``more`` are names that rows beside the view's have."""
        self._view = view
        self._more = more
        self._fds: list[int] = []
        self._files: dict[int, plainfile.ReadAhead] = {}
        try:
            self._places = places_of(view)
        except StoreError:
            self._places = Places(view, lenient=True)
        self._read: dict[str, ColumnBuilder] | None = None
        self._columns: dict[str, ValueColumn] = {}
        for member in set(compress(self._places.owners, self._places.sizes)):
            with suppress(OSError):
                self._file(member)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the files back."""
        for fd in self._fds:
            with suppress(OSError):
                os.close(fd)
        self._fds, self._files = [], {}

    def _file(self, member: int) -> plainfile.ReadAhead:
        if member not in self._files:
            self._fds.append(plainfile.open_fd(self._view.members[member].folder / IDS)[0])
            self._files[member] = plainfile.ReadAhead(self._fds[-1])
        return self._files[member]

    def raw(self, row: int) -> bytes:
        """The line of ids.jsonl that has a row's columns; empty when none has."""
        places = self._places
        with suppress(OSError):
            if size := places.sizes[row]:
                line: bytes = self._file(places.owners[row]).read(places.offsets[row], size)
                return line
        return b""

    def of(self, row: int) -> dict[str, object]:
        """A row's columns; {} when it has none."""
        held = self.raw(row)
        with suppress(ValueError, msgspec.MsgspecError, RecursionError):
            found = decode(held)["row"] if held else {}
            return found if isinstance(found, dict) else {}
        return {}

    @cached_property
    def names(self) -> list[str]:
        """The names of all columns, in the order in which rows have them.  Raises StoreError."""
        names: dict[str, None] = {}
        if self._read is not None:
            names.update(dict.fromkeys(self._read))
        else:
            for rows in self._chunks():
                shapes = dict.fromkeys(tuple(each.row) for each in self._held(_names, rows) if each is not None)
                names.update(dict.fromkeys(chain.from_iterable(shapes)))
        return [*dict.fromkeys((*names, *self._more))]

    def written(self, rows: Sequence[int]) -> Sequence[OwnRow]:
        """The rows' own ids, and their columns as JSON, nothing where none are known.  Raises StoreError."""
        places = self._places
        held = zip(rows, self._held(_own_rows, rows), strict=True)
        found = [own or OwnRow(places[row].row_id) for row, own in held]
        if not places.plain:
            for row, own in zip(rows, found, strict=True):
                if not places.said_by_line(row):
                    own.row_id = places[row].row_id
        return found

    def _held(self, decoder: msgspec.json.Decoder[Line], rows: Sequence[int]) -> Sequence[Line | None]:
        """What the lines with these rows' columns hold, None where there is none or it can't be read.  Raises StoreError."""
        sizes, owners = self._places.sizes, self._places.owners
        among = {owners[row] for row in rows if sizes[row]}
        if len(among) == 1 and 0 not in {sizes[row] for row in rows}:
            return self._held_in(among.pop(), decoder, rows)
        found: dict[int, Line | None] = {}
        for member in among:
            mine = [row for row in rows if sizes[row] and owners[row] == member]
            found.update(zip(mine, self._held_in(member, decoder, mine), strict=True))
        return [found.get(row) for row in rows]

    def _held_in(self, member: int, decoder: msgspec.json.Decoder[Line], rows: Sequence[int]) -> Sequence[Line | None]:
        """The same for rows whose columns one batch's file has."""
        offsets, sizes = [self._places.offsets[row] for row in rows], [self._places.sizes[row] for row in rows]
        try:
            file = self._file(member)
            block = file.block(offsets, sizes)
            found = decode_block(decoder, block, len(rows)) if block is not None else None
            if found is not None:
                return found
            return decode_each(decoder, file.read_all([*zip(offsets, sizes, strict=True)]))
        except OSError as error:
            raise explain(error, f"can't read {self._view.members[member].folder / IDS}") from error

    def column(self, name: str) -> ValueColumn:
        """A column by the view's row."""
        if self._read is None:
            self.read_values()
        assert self._read is not None
        if name not in self._columns:
            held = self._read.get(name)
            # Nothing was read of one column of too many, and of one that no row of the view has.
            values = (self._value(row, name) for row in range(len(self._view)))
            self._columns[name] = column_of(values) if held is None else self._made(name, held)
        return self._columns[name]

    def _value(self, row: int, name: str) -> Value | Absent:
        found = self.of(row).get(name, ABSENT)
        return Json(_encode(found).decode()) if isinstance(found, dict | list) else found  # type: ignore[return-value]

    def read_values(self, work: Work = UNWATCHED) -> None:
        """Read the values of all columns in one pass.  Raises Stopped."""
        builder = ObjectColumns(1)
        for rows in self._chunks():
            work.check("stopped while reading the rows")
            held = zip(rows, self._held(_columns, rows), strict=True)
            own = [each.row if each is not None else self.of(row) for row, each in held]
            builder.objects(0, 0, (), rows, own)
        self._read = {column.keys[0]: column for column in builder.columns}

    def _made(self, name: str, column: ColumnBuilder) -> ValueColumn:
        codes = array("I", bytes(4 * len(self._view)))
        for row, code in zip(column.rows, column.codes, strict=True):
            codes[row] = code
        sizes = {row: size for row, size, _ in column.long}
        return ValueColumn(codes, column.entries, lambda row: self._value(row, name), lambda: sizes)

    def _chunks(self) -> Iterator[Sequence[int]]:
        """The rows that have columns, in the order of their requests, as many as are read together."""
        sizes = self._places.sizes
        chunk: list[int] = []
        held = 0
        for row in [row for row in as_sent(self._view) if sizes[row]] if any(sizes) else ():
            if chunk and (held + sizes[row] > _CHUNK or len(chunk) == _CHUNK_ROWS):
                yield chunk
                chunk, held = [], 0
            chunk.append(row)
            held += sizes[row]
        if chunk:
            yield chunk
