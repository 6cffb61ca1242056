"""Rows of CSV, TSV and Parquet, and whole texts as rows: as dictionaries, with the line each begins on."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchtui.intake.detect_format import BOM, DetectedFormat
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.sources import Source, SourceFault, Stream, lines

Note = Callable[[Found, int], None]
LeaveOut = Callable[[list[str], Found, int], None]

MAX_CELL = 32_000_000
"""Characters of one cell, as many as a request may have bytes."""
_OLD = "not UTF-8: read as Windows-1252 (latin-1) from here on where it is not"


def csv_rows(
    stream: Stream, told: DetectedFormat, note: Note, leave_out: LeaveOut
) -> Iterator[tuple[dict[str, Any], int]]:
    """The rows of a table with a header, each with the line it begins on; rows that can't be one are left out.

    Raises SourceFault when the table can't be read further.
    """
    csv.field_size_limit(MAX_CELL)
    source = _Lines(stream, told.encoding, note)
    reader = csv.reader(source, delimiter=told.delimiter)
    columns: list[str] | None = None
    before = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as bad:
            words = "a quote that is never closed, or a cell that is too large" if "limit" in str(bad) else str(bad)
            raise SourceFault(error("csv", f"not a readable table: {words}"), before + 1) from bad
        if cells is None:
            return
        if source.ended:
            # Only inside quotes does the reader ask for a line after the last.
            raise SourceFault(
                error("csv", "a quote in this row is never closed: everything after it counts as one cell"), before + 1
            )
        number, before = before + 1, reader.line_num
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if columns is None:
            columns = _columns(cells, number, note)
            continue
        row = _row(columns, cells, number, note)
        if row is None:
            what = "a row has more cells than the header: check its delimiters and quotes"
            leave_out(cells, error("csv_cells", what, f"{len(cells)} and {len(columns)}"), number)
        else:
            yield row, number


def _columns(cells: list[str], number: int, note: Note) -> list[str]:
    names: dict[str, None] = {}
    counts: dict[str, int] = {}
    for place, cell in enumerate(cells, 1):
        name = cell.strip() or f"column_{place}"
        if name in names:
            count = counts.get(name, 2)
            while f"{name}_{count}" in names:
                count += 1
            counts[name] = count + 1
            note(
                warning(
                    "csv_columns", f"the column {name[:60]!r} appears twice: this one is named {name[:60]}_{count}"
                ),
                number,
            )
            name = f"{name}_{count}"
        names[name] = None
    return list(names)


def _row(columns: list[str], cells: list[str], number: int, note: Note) -> dict[str, Any] | None:
    if len(cells) > len(columns):
        return None
    if len(cells) < len(columns):
        what = "a row has fewer cells than the header: the missing cells are empty"
        note(warning("csv_cells", what, f"{len(cells)} and {len(columns)}"), number)
        cells = cells + [""] * (len(columns) - len(cells))
    return dict(zip(columns, cells, strict=False))


class _Lines:
    """Lines of text for the CSV reader, newlines kept; a line that is not UTF-8 is read as Windows-1252, and said once."""

    def __init__(self, stream: Stream, encoding: str, note: Note) -> None:
        self._note = note
        self._old = False
        self.ended = False
        """True once a line after the last was asked for."""
        self._number = 0
        source = _Utf16(stream) if encoding == "utf-16" else stream
        self._lines = lines(_Returns(source), MAX_CELL)

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._number += 1
            if line is None:
                raise SourceFault(error("csv", "a line is too long for a table"), self._number)
            yield self._text(line.removeprefix(BOM) if self._number == 1 else line)
        self.ended = True

    def _text(self, line: bytes) -> str:
        try:
            return line.decode() + "\n"
        except UnicodeDecodeError:
            if not self._old:
                self._note(warning("encoding", _OLD), self._number)
                self._old = True
            return old_text(line) + "\n"


class _Returns:
    """Turns the lone carriage returns of old files into newlines; the first piece decides."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._lone: bool | None = None

    def read(self, size: int, /) -> bytes:
        piece: bytes = self._source.read(size)
        if self._lone is None:
            self._lone = b"\r" in piece and b"\n" not in piece
        return piece.replace(b"\r", b"\n") if self._lone else piece


class _Utf16:
    """UTF-16 as UTF-8."""

    def __init__(self, source: Stream) -> None:
        import codecs

        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")

    def read(self, size: int, /) -> bytes:
        while True:
            piece = self._source.read(size)
            text = self._decoder.decode(piece, final=not piece)
            if text or not piece:
                return text.encode("utf-8", "replace")


def old_text(data: bytes) -> str:
    """Text in Windows-1252, with latin-1 for the few bytes that has no letters for."""
    return "".join(_old_letter(byte) if byte > 127 else chr(byte) for byte in data)


def _old_letter(byte: int) -> str:
    try:
        return bytes((byte,)).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def text_row(source: Source, stream: Stream, told: DetectedFormat, note: Note) -> dict[str, Any]:
    """A whole text as one row: ``text``, ``name``, ``filename``, ``path``; raises SourceFault when it is too large."""
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(1 << 20):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_CELL:
            raise SourceFault(
                error("text_size", f"a text of more than {MAX_CELL // 1_000_000} MB does not fit a request")
            )
    data = b"".join(pieces)
    try:
        text = data.decode("utf-16" if told.encoding == "utf-16" else "utf-8-sig")
    except UnicodeDecodeError:
        note(warning("encoding", _OLD), 1)
        text = old_text(data)
    path = source.path or Path(source.name)
    shown = str(path.relative_to(source.folder)) if source.folder is not None else path.name
    row = {"text": text, "name": path.name.split(".")[0] or path.name, "filename": path.name, "path": shown}
    return {name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name, value in row.items()}


def parquet_rows(source: Source, stream: Stream) -> Iterator[tuple[dict[str, Any], int]]:
    """The rows of a Parquet file, numbered from 1; raises SourceFault."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as bad:
        what = "Parquet needs pyarrow: pip install 'batchtui[parquet]', or save the table as CSV"
        raise SourceFault(error("parquet", what)) from bad
    with tempfile.TemporaryFile() as copy:
        direct = source.path is not None and not stream.packed
        if not direct:
            while piece := stream.read(1 << 20):
                copy.write(piece)
            copy.seek(0, os.SEEK_SET)
        try:
            file = parquet.ParquetFile(source.path if direct else copy)
            number = 0
            for batch in file.iter_batches(batch_size=512):
                for row in batch.to_pylist():
                    number += 1
                    yield {str(name): _plain(value) for name, value in row.items()}, number
        except (pyarrow.ArrowException, OSError, ValueError) as bad:
            raise SourceFault(error("parquet", "not a readable Parquet file", str(bad)[:200])) from bad


def _plain(value: object) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, Decimal) else repr(value)
