"""How a table is written, told from its first rows: its delimiter, quotes and line ends, and where its header stands."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from batchtui.intake.options import TableOptions
from batchtui.intake.wording import quoted

_DELIMITERS = ",\t;|"
_RARE_DELIMITERS = "^~\x01\x1f¦"
"""Delimiters of a table that none of the usual ones fits as well."""
_ROWS = 200
"""Rows that are looked at."""
MAX_CELL = 32_000_000
"""Characters of one cell, as many as a request may have bytes."""
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d[\d.,]*(?:e[-+]?\d+)?%?\s*", re.IGNORECASE)
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.\w+|https?://\S+", re.IGNORECASE)
_BACKSLASHED = re.compile(r'(?<!\\)(?:\\\\)*\\"')
_LONE_BACKSLASH: dict[str, re.Pattern[str]] = {}


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a table are written."""

    delimiter: str = ","
    escape: bool = False
    """A backslash stands before a quote inside quotes (Spark, MySQL), beside the quote that is written twice."""
    spaces: bool = False
    """Spaces may stand before a quote that opens a cell."""
    quotes: bool = True
    """False where a quote is a letter like others."""
    returns: bool = False
    """Rows end with a carriage return alone; a newline is a part of its cell."""
    skip: int = 0
    """Lines before the header."""
    comment: str = ""
    header: bool = True
    """False where the first row is a row like the others."""

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Python's reader of this dialect, which refuses what is not written in it."""
        return csv.reader(
            (self.plain(line) for line in lines) if self.escape else lines,
            delimiter=self.delimiter,
            escapechar="\\" if self.escape else None,
            skipinitialspace=self.spaces,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            strict=True,
        )

    def plain(self, line: str) -> str:
        """A line in which a backslash before anything but a sign that it escapes stands for itself."""
        if "\\" not in line:
            return line
        pattern = _LONE_BACKSLASH.get(self.delimiter)
        if pattern is None:
            pattern = re.compile(rf'\\(?:([\\"\r\n{re.escape(self.delimiter)}])|)', re.DOTALL)
            _LONE_BACKSLASH[self.delimiter] = pattern
        return pattern.sub(lambda found: found[0] if found[1] else "\\\\", line)


def is_backslashed(text: str) -> bool:
    """Whether a quote stands behind a backslash that is not itself behind one."""
    return '\\"' in text and _BACKSLASHED.search(text) is not None


class DetectedTable(msgspec.Struct, frozen=True, kw_only=True):
    """What the beginning of a text is as a table."""

    dialect: Dialect
    sure: bool
    """Whether it is one at all: its rows have equally many cells."""
    records: int = 0
    """Whole rows that were seen."""
    said: str = ""
    """What stands before the header and is skipped, as a part of a sentence."""
    doubt: int = 0
    """The first line with a backslash before a quote, where that can be read in two ways; 0 where it can't."""


def line_end(text: str) -> str:
    """The sign that ends the rows: a newline, or the lone carriage return of old files (a newline is inside quotes then)."""
    if "\r" not in text:
        return "\n"
    outside = "".join(text.split('"')[::2])
    lone = len(re.findall(r"\r(?!\r*\n)", outside))
    return "\r" if lone and not outside.count("\n") else "\n"


def table_of(text: str, options: TableOptions, *, whole: bool) -> DetectedTable:
    """How the table that begins like this is written; ``whole`` when that is all of it."""
    end = line_end(text)
    lines = text.split(end)
    if not whole or not lines[-1]:
        lines.pop()
    skip = min(options.skip_rows, len(lines))
    sign = options.sign
    if not skip and lines and (sep := _SEP.fullmatch(lines[0])) is not None:
        sign, skip = sign or sep[1], 1
    rows = [f"{line}\n" for line in lines[skip:] if not (options.comment and line.startswith(options.comment))]
    notes = _notes(rows, options)
    best = _best(rows[notes:], sign, whole=whole)
    if not sign:
        rare = _best(rows[notes:], _RARE_DELIMITERS, whole=whole)
        best = rare if rare is not None and _beats(rare[1], best and best[1]) else best
    if best is None:
        plain = _placed(Dialect(delimiter=sign or ","), end, skip, options)
        return DetectedTable(dialect=plain, sure=False, records=0 if not whole else len(rows))
    dialect, found = best
    titles = 0 if options.skip_rows or options.no_header else found.titles
    if notes and _is_header(rows[notes - 1], dialect, found.first):
        notes -= 1
        titles = 0
    said = quoted(rows[0].strip()) if notes + titles else ""
    skip += notes + (found.lines if titles else 0)
    doubt = 0
    if found.doubtful:
        doubt = next((number for number, line in enumerate(lines, 1) if is_backslashed(line)), 0)
    dialect = _placed(dialect, end, skip, options)
    return DetectedTable(dialect=dialect, sure=found.sure, records=found.records, said=said, doubt=doubt)


def _notes(rows: list[str], options: TableOptions) -> int:
    """How many rows at the top are notes behind #, where nobody said where the table begins; 0 when all rows are."""
    if options.comment or options.skip_rows or options.no_header:
        return 0
    notes = 0
    while notes < len(rows) and (rows[notes].startswith("#") or (notes and not rows[notes].strip())):
        notes += 1
    return notes if notes < len(rows) else 0


def _placed(dialect: Dialect, end: str, skip: int, options: TableOptions) -> Dialect:
    """The dialect with what does not depend on how cells are written."""
    return msgspec.structs.replace(
        dialect, returns=end == "\r", skip=skip, comment=options.comment, header=not options.no_header
    )


class _Look(msgspec.Struct, frozen=True):
    """What reading the first rows in a dialect gives."""

    errors: int
    titles: int
    """Rows before the header that are titles; ``lines`` are theirs."""
    lines: int
    width: int
    share: float
    """Of the rows as wide as the header."""
    records: int
    first: list[list[str]]
    """The first rows from the header on."""
    doubtful: bool = False

    @property
    def fit(self) -> tuple[bool, bool, bool, bool, int, int, float]:
        """How well the rows are written so, to be compared: what weighs most comes first."""
        even = self.share >= 0.95
        return self.sure, not self.titles, not self.errors, even, self.width, -self.errors, self.share

    @property
    def sure(self) -> bool:
        return self.records > 1 and self.width > 1 and self.share >= 0.8


class _Candidate(NamedTuple):
    """A dialect, and what reading the first rows in it gives."""

    dialect: Dialect
    look: _Look
    likely: tuple[bool, bool, int]
    """Which one it is where several fit as well: the largest."""


def _best(rows: list[str], sign: str, *, whole: bool) -> tuple[Dialect, _Look] | None:
    """The dialect that fits the rows best; None when there are no rows, or none fits and the delimiter is not given."""
    text = "".join(rows[: _ROWS * 4])
    found = [*_candidates(rows, text, sign or _DELIMITERS, whole=whole)]
    if not found:
        return None
    dialect, look, _ = max(found, key=lambda each: (each.look.fit, each.likely))
    if not look.sure and not sign:
        return None
    if look.sure and (dialect.escape or is_backslashed(text)):
        other_way = (dialect.delimiter, not dialect.escape, True)
        rivals = (rival for how, rival, _ in found if (how.delimiter, how.escape, how.quotes) == other_way)
        if any(each.fit == look.fit and each.first != look.first for each in rivals):
            return dialect, msgspec.structs.replace(look, doubtful=True)
    return dialect, look


def _candidates(rows: list[str], text: str, delimiters: str, *, whole: bool) -> Iterator[_Candidate]:
    """The ways to write a table that the text, of the first rows, speaks for."""
    for rank, delimiter in enumerate(delimiters):
        if delimiter not in text:
            continue
        quoted_so = re.search(rf"{_BACKSLASHED.pattern}(?![{re.escape(delimiter)}\r\n]|\Z)", text) is not None
        escapes = any(f"\\{each}" in text for each in ('"', delimiter, "\n"))
        padded = delimiter != " " and is_padded(text, delimiter)
        for escape in (False, True) if escapes else (False,):
            for spaces in (False, True) if padded else (False,):
                dialect = Dialect(delimiter=delimiter, escape=escape, spaces=spaces)
                look = _look(rows, dialect, whole=whole)
                if look is not None:
                    yield _Candidate(dialect, look, (spaces, escape == quoted_so, -rank))
        if delimiter == "\t" and '"' in text:
            dialect = Dialect(delimiter=delimiter, quotes=False)
            look = _look(rows, dialect, whole=whole)
            if look is not None and look.share == 1.0 and not _quoted_cells(look):
                yield _Candidate(dialect, msgspec.structs.replace(look, errors=0), (False, False, -rank))


def _beats(rare: _Look, usual: _Look | None) -> bool:
    """Whether a rare delimiter fits better.

    It stands in all rows, and makes more columns, or the usual one takes the header for a title.
    """
    if not rare.sure or rare.share < 1.0:
        return False
    return usual is None or (not rare.errors and not rare.titles and (usual.titles > 0 or rare.width > usual.width))


def _quoted_cells(look: _Look) -> bool:
    """Whether any cell is written in quotes as a table's are."""
    return any(
        len(cell) > 1 and cell[0] == cell[-1] == '"' and cell.count('"') % 2 == 0 for row in look.first for cell in row
    )


def is_padded(text: str, delimiter: str) -> bool:
    """Whether spaces stand before a quote that opens a cell, outside the cells that are quoted as they should be."""
    sign = re.escape(delimiter)
    rest = re.sub(rf'(?:(?<=^)|(?<={sign}))"(?:[^"]|"")*"(?={sign}|\r?$)', "", text, flags=re.MULTILINE)
    return re.search(rf'(?:^|{sign}) +"(?:[^"]|"")*" *(?={sign}|\r?$)', rest, re.MULTILINE) is not None


class _Record(NamedTuple):
    """A row as it was read, its line among those looked at, and whether the line before it is empty."""

    cells: list[str]
    line: int
    apart: bool


def _look(rows: list[str], dialect: Dialect, *, whole: bool) -> _Look | None:
    csv.field_size_limit(MAX_CELL)
    records: list[_Record] = []
    errors = at = 0
    left = 3 * len(rows) + _ROWS  # A quote that is never closed takes all lines along, again and again.
    while at < len(rows) and len(records) + errors < _ROWS and left > 0:
        reader = dialect.reader(itertools.islice(rows, at, None))
        start = at
        before = 0
        try:
            for cells in reader:
                number, before = start + before, reader.line_num  # type: ignore[attr-defined]
                if cells and not (len(cells) == 1 and not cells[0].strip()):
                    records.append(_Record(cells, number, number > 0 and not rows[number - 1].strip()))
                if len(records) >= _ROWS:
                    break
            at = len(rows)
        except csv.Error as bad:
            lines = reader.line_num - before  # type: ignore[attr-defined]
            if "end of data" in str(bad) and not whole and lines <= _LONG_ROW:
                break
            errors += 1
            at = start + before + 1
            left -= reader.line_num  # type: ignore[attr-defined]
    if not records:
        return None
    return _measure(records, errors)


_LONG_ROW = 50
"""Lines that the row at the end of what was looked at may have; one of more is likely a quote that is never closed."""


def _measure(records: list[_Record], errors: int) -> _Look:
    """Titles, width and share of rows that were read, each with the line it begins on."""
    widths = Counter(len(each.cells) for each in records)
    usual = max((width for width in widths if width > 1), key=lambda width: (widths[width], width), default=1)
    titles = _titles(records, usual) if usual > 1 else 0
    kept = records[titles:]
    width = len(kept[0].cells)
    share = sum(len(each.cells) == width for each in kept) / len(kept)
    return _Look(errors, titles, kept[0].line, width, share, len(records), [each.cells for each in kept[:_ROWS]])


def _titles(records: list[_Record], usual: int) -> int:
    """How many rows before the header are titles, such as those of which only the first cell has a text."""
    at = _gap(records, usual)
    if not at:
        while at < len(records) and not any(cell.strip() for cell in records[at].cells[1:]):
            at += 1
    if not at or at >= len(records) - 1:
        return 0
    header, before, rest = records[at].cells, records[:at], [each.cells for each in records[at + 1 :]]
    if len(header) != usual or any(len(cell) > 80 or cell[:1] == " " or _NUMBER.fullmatch(cell) for cell in header):
        return 0
    if len(set(header)) < len(header) or not all(cell.strip() for cell in header[1:]):
        return 0
    numbers = any(
        all(_NUMBER.fullmatch(row[place]) for row in rest if len(row) > place and row[place].strip())
        for place in range(usual)
    )
    apart = records[at].apart or not before[-1].cells[0].strip() or usual == len(before[0].cells) > 2
    spoken = any(len(each.cells[0].split()) > 1 for each in before)
    return at if apart or spoken or numbers else 0


_PREAMBLE = 20


def _gap(records: list[_Record], usual: int) -> int:
    """The row behind an empty line near the top, where what stands above is written otherwise than the table; else 0."""
    for at in range(1, min(_PREAMBLE, len(records) - 1)):
        if not records[at].apart or len(records[at].cells) != usual:
            continue
        above = [each.cells for each in records[:at]]
        if any(len(cells) != usual or any(cell[:1] == " " for cell in cells) for cells in above):
            return at
        return 0
    return 0


def looks_like_data(header: list[str]) -> str:
    """The cell that speaks against a header's being one, "" for none: an address, or the only number of its row."""
    numbers = [cell for cell in header if _NUMBER.fullmatch(cell)]
    odd = next((cell for cell in header if _ADDRESS.fullmatch(cell.strip())), "")
    return odd or (numbers[0] if len(numbers) == 1 < len(header) else "")


def _is_header(line: str, dialect: Dialect, following: list[list[str]]) -> bool:
    """Whether a line that begins with # is the header, and no note: as wide as the rows, and no row follows that is one."""
    try:
        cells = next(dialect.reader([line]), [])
    except csv.Error:
        return False
    if not following or len(cells) != len(following[0]) or len(cells) < 2:
        return False
    first, rest = following[0], following[1:]
    for place, cell in enumerate(first):
        numbers = [bool(_NUMBER.fullmatch(row[place])) for row in rest if len(row) > place and row[place].strip()]
        if numbers and sum(numbers) >= 0.8 * len(numbers) and not _NUMBER.fullmatch(cell):
            return False
        if _NUMBER.fullmatch(cell) and not _NUMBER.fullmatch(cells[place]):
            return True
    return not line.startswith("# ")
