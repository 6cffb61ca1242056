"""Rows of CSV, TSV and Parquet, and whole texts as rows: as dictionaries, with the line each begins on."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from batchtui.intake.decoding import Decoded, Sniffed, decode_text, plain_name
from batchtui.intake.detect_format import BOM, DetectedFormat
from batchtui.intake.dialect import MAX_CELL, Dialect, is_backslashed, is_padded, looks_like_data
from batchtui.intake.encodings import Guess
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.sources import Source, SourceFault, Stream, lines
from batchtui.intake.wording import quoted

Note = Callable[[Found, int], None]
Guessed = Callable[[Guess], None]
"""Hears of the encoding that was detected by the letters."""
LeaveOut = Callable[[str, Found, int], None]
"""Hears of a row that can't be one: its text, what is wrong with it, and its line."""

KEPT_LINES = 100_000
"""Lines of one row that are kept to be looked at again."""
_FIX_QUOTES = "double each quote inside a quoted cell, or tell how the table is written (--delimiter)"
replace = msgspec.structs.replace


def csv_rows(
    stream: Stream, detected: DetectedFormat, note: Note, leave_out: LeaveOut, guessed: Guessed
) -> Iterator[tuple[dict[str, Any], int]]:
    """The rows of a table with a header, each with the line it begins on; rows that can't be one are left out.

    Raises SourceFault when the table can't be read further.
    """
    csv.field_size_limit(MAX_CELL)
    if detected.guessed is not None:
        guessed(detected.guessed)
    if detected.header_said:
        note(warning("csv_title", f"skipped before the header: {detected.header_said}"), 1)
    return _Table(stream, detected, note, leave_out, guessed).rows()


class _Table:
    """Reads records one by one with Python's reader; what it refuses is looked at with care, row by row."""

    def __init__(
        self, stream: Stream, detected: DetectedFormat, note: Note, leave_out: LeaveOut, guessed: Guessed
    ) -> None:
        self._dialect = detected.dialect
        self._encoding = detected.encoding or "utf-8"
        self._note = note
        self._leave_out = leave_out
        self._lines = _Lines(stream, detected, guessed, self._whole_rows)
        self._reader: Any = self._dialect.reader(self._lines.read())
        self._columns: list[str] | None = None

    def rows(self) -> Iterator[tuple[dict[str, Any], int]]:
        source = self._lines
        record, damaged = source.record, source.damaged
        nulls = self._dialect.delimiter == "\t"
        while True:
            source.begin()
            try:
                cells = next(self._reader, None)
            except csv.Error as bad:
                found = self._careful(bad)
                if found is None:
                    continue
                cells = found
            if cells is None:
                return
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            count = source.count
            number = source.number - count + 1
            if 1 < count == len(record) and self._swallows(record):
                continue
            columns = self._columns
            if columns is None:
                if not damaged.isdisjoint(range(number, source.number + 1)):
                    what = "the header of the table is no text: name its encoding (--encoding)"
                    raise SourceFault(error("encoding", what), number)
                if self._dialect.header:
                    self._columns = self._named(cells, number)
                    continue
                self._columns = columns = [f"column_{place}" for place in range(1, len(cells) + 1)]
            if damaged and self._is_damaged(number):
                continue
            elif len(cells) == len(columns):
                if (nulls or self._dialect.escape) and "\\N" in cells:
                    cells = ["" if cell == "\\N" else cell for cell in cells]  # MySQL's and PostgreSQL's NULL.
                yield dict(zip(columns, cells)), number  # noqa: B905
            elif count > len(record) or not self._reread(record):
                row = self._uneven(cells, columns, number)
                if row is not None:
                    yield row, number

    def _named(self, cells: list[str], number: int) -> list[str]:
        """The columns that a header names; one that looks like a row is said."""
        odd = looks_like_data(cells)
        if odd:
            what = f"the first row is read as the header, but {quoted(odd[:60])} looks like data: is it a row (--no-header)?"
            self._note(warning("csv_header", what), number)
        return _columns(cells, number, self._note)

    # --- rows that are not written as the others are ----------------------------------------------------------------

    def _is_damaged(self, number: int) -> bool:
        """Whether a line of this row holds bytes that are no text; it is left out then."""
        if self._lines.damaged.isdisjoint(range(number, self._lines.number + 1)):
            return False
        name = plain_name(self._encoding)
        what = f"not valid {name} in this row: save the file as UTF-8, or name its encoding (--encoding)"
        self._refuse(self._lines.record, error("encoding", what), number)
        return True

    def _uneven(self, cells: list[str], columns: list[str], number: int) -> dict[str, Any] | None:
        if len(cells) > len(columns) and not any(map(str.strip, cells[len(columns) :])):
            what = "a row has more cells than the header: those beyond it are empty and left out"
            self._note(warning("csv_cells", what, f"{len(cells)} and {len(columns)}"), number)
            return dict(zip(columns, cells, strict=False))
        if len(cells) > len(columns):
            what = "a row has more cells than the header: check its delimiters and quotes"
            self._refuse(self._lines.record, error("csv_cells", what, f"{len(cells)} and {len(columns)}"), number)
            return None
        what = "a row has fewer cells than the header: the missing cells are empty"
        self._note(warning("csv_cells", what, f"{len(cells)} and {len(columns)}"), number)
        return dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=True))

    def _careful(self, bad: csv.Error) -> list[str] | None:
        """Cells of a record that the reader refuses, where they are plain all the same; None when it was settled otherwise.

        Another dialect is tried where the record speaks for it; else its row is named, and those behind it go on.
        """
        source = self._lines
        record, kept = list(source.record), source.count == len(source.record)
        number = source.number - source.count + 1
        if kept and self._reread(record):
            return None
        trimmed = self._trimmed(record) if kept else None
        if trimmed is not None:
            self._again([])
            return trimmed
        words, at_end = str(bad), "end of data" in str(bad)
        if "field larger" in words or at_end:
            what = "a quote in this row is never closed: everything after it counts as one cell"
        elif "after" in words and "expected" in words:
            what = f"text follows a closing quote in this row: {_FIX_QUOTES}"
        elif "new-line" in words:
            what = "a lone carriage return outside quotes in this row"
        else:
            what = f"not a readable row: {words}"
        if self._columns is None:
            raise SourceFault(error("csv", f"the header can't be read: {what}"), number) from bad
        good = kept and (self._whole_rows(record[1:]) if len(record) > 1 else True)
        if not good and (at_end or "field larger" in words):
            raise SourceFault(error("csv", what), number) from bad
        more = f"lines {number} to {source.number} are one row" if not good else ""
        self._refuse(record[:1] if good else record, error("csv", what, more), number)
        self._again(record[1:] if good else [])
        return None

    def _refuse(self, record: list[str], found: Found, number: int) -> None:
        self._leave_out("".join(record).rstrip("\r\n"), found, number)

    def _again(self, back: list[str]) -> None:
        """Read on with a fresh reader, these lines first."""
        self._lines.give_back(back)
        self._reader = self._dialect.reader(self._lines.read())

    def _swallows(self, record: list[str]) -> bool:
        """Whether a record of several lines is several rows in truth, its quotes being written with a backslash."""
        return not self._dialect.escape and any(map(is_backslashed, record)) and self._reread(record, 2)

    def _reread(self, record: list[str], least: int = 1) -> bool:
        """Take another dialect from here on when the record is rows as wide as the header in it, and give its lines back."""
        columns = self._columns
        if columns is None or not self._dialect.quotes:
            return False
        for other in self._others("".join(record)):
            widths = _widths(record, other)
            if len(widths) >= least and all(width == len(columns) for width in widths):
                self._dialect = other
                what = "backslashes before quotes" if other.escape else "spaces before quotes"
                first = self._lines.number - len(record) + 1
                self._note(warning("csv_quotes", f"{what}: read so from here on"), first)
                self._again(record)
                return True
        return False

    def _others(self, text: str) -> Iterator[Dialect]:
        dialect, sign = self._dialect, self._dialect.delimiter
        escapes = is_backslashed(text) or any(f"\\{each}" in text for each in (sign, "\n", "\r\n"))
        if not dialect.escape and escapes:
            yield replace(dialect, escape=True)
        if not dialect.spaces and sign != " " and is_padded(text, sign):
            yield replace(dialect, spaces=True)

    def _trimmed(self, record: list[str]) -> list[str] | None:
        """The cells of a record with spaces behind closing quotes, None when it has other faults."""
        text = "".join(record)
        sign = re.escape(self._dialect.delimiter)
        plain = re.sub(rf'" +(?={sign}|\r?\n?\Z)', '"', text)
        if plain == text:
            return None
        try:
            rows = list(self._dialect.reader(re.findall(r"[^\n]*\n|[^\n]+", plain)))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 and (self._columns is None or len(rows[0]) == len(self._columns)) else None

    def _whole_rows(self, record: list[str]) -> bool:
        """Whether each of these lines is a row by itself, as wide as the header and without a quote out of place."""
        if self._columns is None:
            return False
        width = len(self._columns)
        reader: Any = self._dialect.reader(record)
        try:
            for number, cells in enumerate(reader, 1):
                if reader.line_num != number or (cells and len(cells) != width) or record[number - 1].count('"') % 2:
                    return False
        except csv.Error:
            return False
        return True


def _widths(record: list[str], dialect: Dialect) -> list[int]:
    """How many cells the whole rows in these lines have; none when the first of them is none."""
    widths: list[int] = []
    reader: Any = dialect.reader(record)
    try:
        widths.extend(len(cells) for cells in reader if cells)
    except csv.Error as bad:
        if "end of data" not in str(bad):
            return []
    return widths


def _columns(cells: list[str], number: int, note: Note) -> list[str]:
    return named_once(
        [cell.strip(" \t\r\n\ufeff") or f"column_{place}" for place, cell in enumerate(cells, 1)], number, note
    )


def named_once(given: list[str], number: int, note: Note) -> list[str]:
    """Names of columns, those that stand there twice with a number behind them, and that said."""
    names: dict[str, None] = {}
    counts: dict[str, int] = {}
    for each in given:
        name = each
        if name in names:
            count = counts.get(each, 2)
            while f"{each}_{count}" in names:
                count += 1
            counts[each] = count + 1
            name = f"{each}_{count}"
            what = f"the column {quoted(each)} appears twice: this one is named {quoted(name)}"
            note(warning("csv_columns", what), number)
        names[name] = None
    return list(names)


class _Lines:
    """Lines of text for the CSV reader, as they end in the file; those of the record that is read are in ``record``.

    Of a record with very many lines only the first are kept, unless ``are_rows`` says that those behind the first are
    rows: then its quote is not closed, which ends it.
    """

    def __init__(
        self, stream: Stream, detected: DetectedFormat, guessed: Guessed, are_rows: Callable[[list[str]], bool]
    ) -> None:
        self._tell = guessed
        self._are_rows = are_rows
        self._beyond = 0
        self.record: list[str] = []
        self.number = 0
        """The line that was handed on last."""
        self.damaged: set[int] = set()
        """Lines with bytes that are no text."""
        self._back: deque[str] = deque()
        self._dialect = detected.dialect
        self._foreign = bool(detected.encoding)
        source: Any = Decoded(stream, detected.encoding) if detected.encoding else Sniffed(stream, self._guessed)
        self._raw = lines(_Swapped(source) if detected.dialect.returns else source, MAX_CELL)
        self._taken = 0

    def _guessed(self, found: Guess) -> None:
        self._foreign = True
        self._tell(found)

    @property
    def count(self) -> int:
        """Lines of the record that is read."""
        return len(self.record) + self._beyond

    def begin(self) -> None:
        """A new record is read."""
        self.record.clear()
        self._beyond = 0

    def give_back(self, back: list[str]) -> None:
        """Hand these lines on again, in their order."""
        self._back.extendleft(reversed(back))
        self.number -= len(back)
        self.begin()

    def read(self) -> Iterator[str]:
        """The lines from here on; may be asked for again once a reader was given up."""
        record, back, raw = self.record, self._back, self._raw
        odd = self._dialect.returns or bool(self._dialect.comment)
        begun = self._dialect.skip + 1
        add = record.append
        while True:
            if len(record) == KEPT_LINES and not self._beyond and self._are_rows(record[1:]):
                raise csv.Error("unexpected end of data")
            if back:
                text = back.popleft()
            else:
                line = next(raw, _END)
                if line is _END:
                    return
                self._taken += 1
                if odd or self._foreign or line is None or self._taken <= begun:
                    found = self._careful(line, self._taken)
                    if found is None:
                        self.number += 1
                        continue
                    text = found
                else:
                    try:
                        text = line.decode() + "\n"
                    except UnicodeDecodeError:
                        text = self._text(line, self._taken) + "\n"
            self.number += 1
            if len(record) < KEPT_LINES:
                add(text)
            else:
                self._beyond += 1
            yield text

    def _careful(self, line: bytes | None, number: int) -> str | None:
        """The text of a line that may be skipped (None), or be in need of more than to be decoded."""
        dialect = self._dialect
        comment = dialect.comment.encode()
        if number <= dialect.skip or (comment and not self.record and line is not None and line.startswith(comment)):
            return None
        text = self._text(line, number)
        return text.replace("\r", "\n") + "\r" if dialect.returns else text + "\n"

    def _text(self, line: bytes | None, number: int) -> str:
        if line is None:
            raise SourceFault(error("csv", "a line is too long for a table"), number)
        if number == 1:
            line = line.removeprefix(BOM)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.damaged.add(number)
            return line.decode(errors="replace")
        if self._foreign and "\ufffd" in text:
            self.damaged.add(number)
        return text


_END = b"\x00end"
_SWAP = bytes.maketrans(b"\r\n", b"\n\r")


class _Swapped:
    """A stream whose carriage returns are newlines and the other way round, for files whose rows end with the former."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int, /) -> bytes:
        piece: bytes = self._source.read(size)
        return piece.translate(_SWAP)


def text_row(source: Source, stream: Stream, detected: DetectedFormat, tell: Guessed) -> dict[str, Any]:
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
    text, guessed = decode_text(b"".join(pieces), detected.encoding)
    if guessed is not None:
        tell(guessed)
    path = source.path or Path(source.name)
    shown = str(path.relative_to(source.folder)) if source.folder is not None else path.name
    row = {"text": text, "name": path.name.split(".")[0] or path.name, "filename": path.name, "path": shown}
    return {name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name, value in row.items()}
