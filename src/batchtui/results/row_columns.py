"""The columns of the source rows that requests were made from, as columns by a view's row."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from batchtui import plainfile
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_builder import ColumnBuilder, ObjectColumns
from batchtui.results.field_columns import ABSENT, Absent, Json, Value, ValueColumn
from batchtui.results.json_in_text import decode
from batchtui.results.view import View
from batchtui.store.records import IDS

_AT_ONCE = 256
_encode = msgspec.json.Encoder(decimal_format="number").encode


class SourceColumns:
    """Every column of the rows, read from each batch's ids.jsonl in one pass; raises Stopped.

    A request that no row is known of (sent as it stands in a JSONL file) has none.
    """

    def __init__(self, view: View, work: Work = UNWATCHED) -> None:
        self._view = view
        self._fds: list[int] = []
        self._lines: list[tuple[int, int, int]] = []
        """File, offset and length of each line with columns."""
        self._by_id: dict[str, int] = {}
        self._found = ObjectColumns(1)
        self._columns: dict[str, ValueColumn] = {}
        self._at: array[int] | None = None
        for member in view.members:
            with suppress(OSError):
                self._fds.append(plainfile.open_fd(member.folder / IDS)[0])
                self._scan(len(self._fds) - 1, work)
        self._grown = {column.keys[0]: column for column in self._found.columns}
        self.names = list(self._grown)

    def __del__(self) -> None:
        for fd in self._fds:
            with suppress(OSError):
                os.close(fd)
        self._fds = []

    def _scan(self, number: int, work: Work) -> None:
        offset = 0
        rows: list[int] = []
        held: list[dict[str, object]] = []
        with os.fdopen(os.dup(self._fds[number]), "rb", buffering=1 << 20) as file:
            for line in file:
                with suppress(ValueError, msgspec.MsgspecError, RecursionError):
                    found = decode(line)
                    custom_id, row = found.get("custom_id"), found.get("row")
                    if custom_id and isinstance(row, dict) and custom_id not in self._by_id:
                        self._by_id[custom_id] = len(self._lines)
                        rows.append(len(self._lines))
                        held.append(row)
                        self._lines.append((number, offset, len(line)))
                offset += len(line)
                if len(rows) >= _AT_ONCE:
                    work.check("stopped while reading the rows")
                    self._found.objects(0, 0, (), rows, held)
                    rows, held = [], []
        if rows:
            self._found.objects(0, 0, (), rows, held)

    def __contains__(self, name: str) -> bool:
        return name in self._grown

    def column(self, name: str) -> ValueColumn:
        """A column by the view's row; raises KeyError when no row has it."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._made(self._grown[name])
        return found

    def line_of(self) -> Sequence[int]:
        """For each row of the view the number of its line here, -1 when it has none."""
        if self._at is None:
            self._at = array("i", [self._by_id.get(each, -1) for each in self._view.ids()])
        return self._at

    def _made(self, column: ColumnBuilder) -> ValueColumn:
        by_line = array("I", bytes(4 * (len(self._lines) + 1)))
        for line, code in zip(column.rows, column.codes, strict=True):
            by_line[line] = code
        at = self.line_of()
        # The last place stands for -1, a row without a line.
        codes = array("I", [by_line[line] for line in at])
        sizes = {line: size for line, size, _ in column.long}

        def read_long(row: int) -> Value | Absent:
            return self._read(at[row], column.keys[0])

        return ValueColumn(
            codes,
            column.entries,
            read_long,
            lambda: {row: sizes[line] for row, line in enumerate(at) if line in sizes} if sizes else {},
        )

    def _read(self, line: int, name: str) -> Value | Absent:
        number, offset, length = self._lines[line]
        try:
            found = decode(os.pread(self._fds[number], length, offset))["row"].get(name, ABSENT)
        except (OSError, ValueError, msgspec.MsgspecError):
            return ABSENT
        return Json(_encode(found).decode()) if isinstance(found, dict | list) else found
