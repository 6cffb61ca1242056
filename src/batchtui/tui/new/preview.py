"""Preview of a table: its first rows, columns, and rows rendered by the template."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import msgspec
from rich.text import Text

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError, Stopped
from batchtui.domain.money import PriceTable
from batchtui.domain.work import Work
from batchtui.intake.options import IntakeOptions
from batchtui.intake.preview import Peek, Previewer, number_at
from batchtui.intake.sources import Source as SourceFile
from batchtui.intake.sources import SourceFault, Stream, open_source
from batchtui.paths import expanded
from batchtui.service import Service, planning
from batchtui.tui.new.check import CheckInput
from batchtui.tui.widgets.answer_view import Section
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.row_list import ListedRows, RowList
from batchtui.tui.widgets.sections import request_sections

MOST_COLUMNS = 30


class PeekRows(ListedRows[Mapping[str, Any]]):
    """Rows of a Peek for a row list."""

    def __init__(self, peek: Peek) -> None:
        super().__init__(peek.rows)
        self._columns = peek.columns[:MOST_COLUMNS]

    def key(self, index: int) -> Hashable:
        return index

    def cells(self, index: int) -> Sequence[Cell]:
        """The row's number, then its values."""
        row = self.rows[index]
        return Text(str(index + 1), style="muted"), *(_shown(row.get(column)) for column in self._columns)


def _shown(value: object) -> Cell:
    return Text("-", style="muted") if value is None else safetext.line(str(value), 200)


class TablePeek(RowList):
    """The rows of a source that is a table."""

    DEFAULT_CSS = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__((Column("n", "", 4, align="right"),), id=id)

    columns_found = 0
    """Columns of the table, those that are not shown among them."""

    @property
    def count(self) -> int:
        """Rows that are shown."""
        return len(self.source)

    def show(self, peek: Peek) -> None:
        """Show another table's rows."""
        widths = [
            (name, max([len(name), *(min(24, len(str(row.get(name, "")))) for row in peek.rows[:20])]))
            for name in peek.columns[:MOST_COLUMNS]
        ]
        columns = [
            Column(f"c{n}", safetext.line(name, 60), min(24, max(4, width)), flex=1 if width >= 20 else 0, priority=n)
            for n, (name, width) in enumerate(widths)
        ]
        self.set_columns((Column("n", "", 4, align="right"), *columns))
        self.set_source(PeekRows(peek), keep_cursor=False)
        self.set_empty("This table has no rows.")
        self.columns_found = len(peek.columns) if peek.rows else 0


LINE_SHOWN = 64_000
"""Of a line that a problem is about, in bytes."""
_PLACE = re.compile(r"(.+):(\d+)\Z", re.DOTALL)


def request_at(service: Service, previewer: Previewer, source: CheckInput, where: str, work: Work) -> list[Section]:
    """The request at a problem's place as it would be sent, a row through its template; the line where there is none.

    For a thread; raises Stopped.
    """
    options, rendered = source.options, list[Section]()
    try:
        again = (service.again(service.resolve(source.again)), source.change) if source.again else None
        if again is not None:
            options = again[0].options(again[1], options)
        paths, stdin = (["-"], io.BytesIO(source.lines)) if source.lines else (list(source.paths), None)
        found = service.peek(paths, source.options, again, stdin=stdin, at=where, work=work)
    except Stopped:
        raise
    except BatchtuiError:
        return []  # The check says what is wrong.
    if found.requests:
        return request_sections(found.requests[0])
    if found.rows and options.has_template:
        options = planning.complete_options(service.context, options)
        made = previewer.preview(found.rows[0], number_at(where) or 1, options, prices=service.prices)
        rendered = request_sections(made.request) if made is not None and made.request else []
    if found.rows:
        values = "\n".join(f"{safetext.line(name, 60)}: {_as_said(value)}" for name, value in found.rows[0].items())
        return [*rendered, Section("row", values, "plain", "muted")]
    return [] if source.lines else [Section("", text_at(where), "json")]


def _as_said(value: object) -> str:
    return "" if value is None else safetext.line(str(value), 2_000)


def first_rows(service: Service, make: Callable[[], CheckInput]) -> Peek:
    """The first rows of a source; for a thread."""
    source = make()
    try:
        again = (service.again(service.resolve(source.again)), source.change) if source.again else None
        return service.peek(source.paths, source.options, again)
    except BatchtuiError:
        return Peek()  # The check says what is wrong.


def render_row(
    previewer: Previewer, text: str, row: Mapping[str, Any], number: int, options: IntakeOptions, prices: PriceTable
) -> list[Section] | None:
    """A row through a template, or what is wrong with either; None when another is wanted by now.  For a thread."""
    options = msgspec.structs.replace(options, template_text=text, template=None)
    made = previewer.preview(row, number + 1, options, prices=prices)
    if made is None:
        return None
    sections = [
        Section(
            f"{'✗' if problem.level == 'error' else '!'} {problem.where}",
            problem.message,
            "plain",
            "bad" if problem.level == "error" else "warn",
        )
        for problem in made.problems[:8]
    ]
    return [*sections, *(request_sections(made.request) if made.request else [])]


def text_at(where: str) -> str:
    """The line of a file that a problem names, cut when it is very long; what is there instead when it can't be read, ""
    where no line is named.
    """
    found = _PLACE.match(where)
    name, number = (found.group(1), int(found.group(2))) if found else (where, 1)
    path = expanded(name)
    if not path.is_file():
        return f"{where} can't be shown: it is not a line of a file." if found else ""
    try:
        raw = open_source(SourceFile(name, path), None)
        with raw:
            return _line(Stream(raw), number)
    except SourceFault as fault:
        return f"{where} can't be read: {fault.found.text}"


def _line(stream: Stream, number: int) -> str:
    """Line ``number`` of a stream, from 1."""
    at, kept = 1, b""
    while at <= number and (block := stream.read(1 << 18)):
        pieces = block.split(b"\n")
        if at <= number < at + len(pieces) and len(kept) < LINE_SHOWN:
            kept += pieces[number - at][: LINE_SHOWN - len(kept)]
        at += len(pieces) - 1
    return kept.decode("utf-8", "replace") if at >= number else f"The file has no line {number}."
