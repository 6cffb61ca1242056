"""Rows of a table become requests: their template is compiled in another process, which renders them, and what it makes is
checked here.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from batchtui import plainfile
from batchtui.domain.plan import CheckedSource
from batchtui.intake import template_protocol as wire
from batchtui.intake.checker import Checker, Row
from batchtui.intake.options import IntakeOptions
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.row import ID_MADE, RunParts, RunRow, as_json, column_id, is_empty, name_in_template
from batchtui.intake.source_watch import checked_file
from batchtui.intake.sources import SourceFault, meant
from batchtui.intake.template_process import Died, TemplateProcess
from batchtui.intake.wording import quoted
from batchtui.safetext import line as safe

MAX_LIMIT_FAULTS = 5
"""Rows that ask for too much before the rest is left."""
MAX_DEATHS = 5
"""Times the process may come to its end with rows on their way."""
BLOCK = 128 * 1024
"""Bytes of rows that are given at once."""
BLOCK_ROWS = 256
AHEAD = 1 << 20
"""Bytes of rows that may be on their way."""
_ENCODE = msgspec.msgpack.Encoder().encode
MAX_TEMPLATE = 4_000_000
"""Bytes of a template file."""
_ABSENT: Any = object()
_NOT_ENCODED = (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError)
"""What is raised for a row that can't be written down."""
_Made: TypeAlias = tuple[bytes, int, Row]
"""A request made of a row, the row's place, and what is kept of it."""


def load_template(
    options: IntakeOptions, process: TemplateProcess | None = None, wait: Callable[[], None] = lambda: None
) -> tuple[TemplateProcess | None, list[tuple[str, Found]]]:
    """A process with the options' template; or what is wrong with it, each with its place.  Neither when there is none.

    ``process`` is used again when there is one; else the new one is the caller's to close.  ``wait`` is called while there
    is nothing to do, and may raise.  Raises StoreError when no process can be started.
    """
    if not options.has_template:
        return None, []
    text = options.template_text
    name = options.template_name if text is not None else str(options.template)
    if text is None:
        assert options.template is not None
        text, _, found = read_template(options.template)
        if found is not None:
            return None, [(name, found)]
    mine = process or TemplateProcess()
    try:
        mine.compile(text, wait, options.default_model or "", options.fallback_model or "")
        return mine, []
    except wire.BadTemplate as bad:
        _drop(mine, process)
        return None, [(f"{name}:{bad.line}" if bad.line else name, bad.found)]
    except BaseException:
        _drop(mine, process)
        raise


def _drop(mine: TemplateProcess, given: TemplateProcess | None) -> None:
    if mine is not given:
        mine.close()


def read_template(path: Path) -> tuple[str, CheckedSource | None, Found | None]:
    """A template's text with its file as it was read, or what is wrong with it."""
    try:
        fd, found = plainfile.open_fd(path)
        with os.fdopen(fd, "rb") as file:
            data = file.read(MAX_TEMPLATE + 1)
        if len(data) > MAX_TEMPLATE:
            what = f"too large for a template: more than {MAX_TEMPLATE // 1_000_000} MB"
            return "", None, error("template", what)
        return io.TextIOWrapper(io.BytesIO(data), "utf-8-sig").read(), checked_file(path, data, found), None
    except FileNotFoundError:
        return "", None, error("template", f"no such file{meant(path)}")
    except OSError as bad:
        return "", None, error("template", f"can't be read: {bad.strerror or bad}")
    except UnicodeDecodeError:
        return "", None, error("template", "not valid UTF-8: save the file as UTF-8")


def template_mark(text: str | None) -> str:
    """What a template's text is known by in records; "" without a template."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16] if text is not None else ""


class Renderer:
    """Makes a request of each row: params from the template, an id from it, from a column, or from the row's number.

    Rows are rendered in another process, some blocks ahead of what is checked here; ``flush`` waits for the last of them.
    """

    def __init__(self, template: TemplateProcess, checker: Checker, count: int = 0) -> None:
        self._template = template
        self._checker = checker
        self._count = count
        self._limits = 0
        self._deaths = 0
        self._block: list[_Sent] = []
        self._size = 0
        self._flying: deque[_Sent] = deque()
        self._in_flight = 0
        self._made: dict[str, _Made] = {}
        """Requests by their ids, not checked yet."""
        self._empty = EmptyCells(template.names, checker)

    def render(self, row: dict[str, Any] | RunParts, number: int) -> None:
        """Take one row; what is wrong with it or those before is named with the row's place.  Raises SourceFault."""
        self._count += 1
        try:
            raw = _encoded(row)
        except _NOT_ENCODED as bad:
            self.flush()
            self._empty.count(row, number)
            self._refuse(row, number, error("template_row", "the row can't be written as JSON", safe(str(bad), 120)))
            return
        self._block.append(_Sent(row, number, self._count, raw))
        self._size += len(raw)
        if self._size >= BLOCK or len(self._block) >= BLOCK_ROWS:
            self._send()

    def render_all(self, rows: Sequence[RunParts], numbers: Sequence[int]) -> None:
        """Take rows of a run, which were read together, each with its place.  Raises SourceFault."""
        try:
            raws = [_ENCODE(row.wire) for row in rows]
        except _NOT_ENCODED:
            for row, number in zip(rows, numbers, strict=True):
                self.render(row, number)
            return
        self._block += map(_Sent, rows, numbers, range(self._count + 1, self._count + 1 + len(rows)), raws)
        self._count += len(rows)
        self._size += sum(map(len, raws))
        if self._size >= BLOCK or len(self._block) >= BLOCK_ROWS:
            self._send()

    def flush(self) -> None:
        """Wait until all rows given so far are requests, or are named; raises SourceFault."""
        self._send()
        while self._flying:
            self._take()

    def finish(self) -> None:
        """All rows were given: say what is empty in them."""
        self._empty.tell()

    def one(self, row: dict[str, Any] | RunParts, number: int) -> tuple[bytes, str]:
        """The request of a single row, checked, and the row's own id; raises RowFault."""
        self._count += 1
        try:
            sent = _Sent(row, number, self._count, _encoded(row))
        except _NOT_ENCODED as bad:
            raise RowFault(error("template_row", "the row can't be written as JSON", safe(str(bad), 120))) from bad
        answer = self._alone(sent)
        if isinstance(answer, wire.Failed):
            raise RowFault(Found(answer.code, "error", answer.message, answer.detail))
        line, row_id, _ = self._request(sent, answer)
        self._say(answer, number)
        self._checker.take(line, number, betas=self._template.betas)
        return line, row_id

    # --- rows on their way ------------------------------------------------------------------------------------------

    def _send(self) -> None:
        block, self._block, self._size = self._block, [], 0
        if not block:
            return
        try:
            self._flying.extend(block)
            self._in_flight += sum([len(each.raw) for each in block])
            self._template.send(block[0].order, [each.raw for each in block], scoped=_scoped(block[0].row))
            while self._in_flight > AHEAD or (self._flying and self._template.answered):
                self._settle(self._template.answers())
        except Died as bad:
            self._find_guilty(bad)

    def _take(self) -> None:
        try:
            self._settle(self._template.answers())
        except Died as bad:
            self._find_guilty(bad)

    def _settle(self, answers: list[wire.Answer]) -> None:
        for answer in answers:
            if not self._flying or not isinstance(answer, wire.Made | wire.Failed):
                raise Died("breaks the renderer's replies")
            sent = self._flying.popleft()
            self._in_flight -= len(sent.raw)
            self._finish(sent, answer)
        self._place()

    def _find_guilty(self, bad: Died) -> None:
        """The process is gone: render what was on its way row by row, so that the one that ends it again is named."""
        self._deaths += 1
        if self._deaths > MAX_DEATHS:
            what = f"the template {bad}, in too many rows: the rest is not read"
            raise SourceFault(error("template_limit", what)) from bad
        self._restart()
        while self._flying:
            sent = self._flying.popleft()
            self._in_flight -= len(sent.raw)
            self._finish(sent, self._alone(sent))
        self._place()

    def _alone(self, sent: _Sent) -> wire.Made | wire.Failed:
        """The answer for a single row; when it ends the process, what it did, in which field, and a new process."""
        field = ""
        try:
            self._template.send(sent.order, [sent.raw], careful=True, scoped=_scoped(sent.row))
            while True:
                for answer in self._template.answers():
                    if isinstance(answer, wire.Entered):
                        field = answer.field
                    elif isinstance(answer, wire.Made | wire.Failed):
                        return answer
        except Died as bad:
            place = f" in {safe(field, 60)}" if field else ""
            self._restart()
            return wire.Failed("template_limit", f"the template {bad}{place}", "")

    def _restart(self) -> None:
        try:
            self._template.restart()
        except wire.BadTemplate as bad:
            raise SourceFault(bad.found) from bad

    # --- one row ----------------------------------------------------------------------------------------------------

    def _finish(self, sent: _Sent, answer: wire.Made | wire.Failed) -> None:
        if isinstance(answer, wire.Failed) or answer.empty:
            self._empty.count(sent.row, sent.number)
        if isinstance(answer, wire.Failed):
            self._refuse(sent.row, sent.number, Found(answer.code, "error", answer.message, answer.detail))
            return
        try:
            line, row_id, custom_id = self._request(sent, answer)
        except RowFault as bad:
            self._refuse(sent.row, sent.number, bad.found)
            return
        if row_id and row_id != custom_id:
            found = warning("id_made", ID_MADE, f"{quoted(row_id)} became {custom_id}")
            self._checker.report(found, sent.number, custom_id)
        if answer.said:
            self._say(answer, sent.number, custom_id)
        self._made[custom_id] = (line, sent.number, _kept(row_id, sent.row))

    def _say(self, answer: wire.Made, number: int, custom_id: str = "") -> None:
        for code, text in answer.said:
            self._checker.report(warning(code, text), number, custom_id)

    def _place(self) -> None:
        """Check and place the requests that were made since: all at once when none of them has a fault."""
        if not self._made:
            return
        made, self._made = [*self._made.values()], {}
        checker, betas = self._checker, self._template.betas
        if len(made) > 1:
            lines, numbers, rows = zip(*made, strict=True)
            if checker.take_rows(lines, numbers, rows, betas):
                return
        for line, number, row in made:
            given = as_json(row[1]) if checker.skipped.wanted else b""
            checker.take(line, number, row, given, betas)

    def _request(self, sent: _Sent, made: wire.Made) -> tuple[bytes, str, str]:
        """The request of a row as a JSON line, the row's own id (empty when it has none), and its custom_id."""
        row_id = made.custom_id if made.custom_id is not None else _own_id(sent.row)
        custom_id, _ = self._checker.free_id(row_id, sent.order)
        if custom_id in self._made:
            self._place()
            custom_id, _ = self._checker.free_id(row_id, sent.order)
        if b"\n" in made.params:
            raise RowFault(error("template_row", "the rendered request is not one line of JSON"))
        return b'{"custom_id":"%s","params":%s}' % (custom_id.encode(), made.params), row_id, custom_id

    def _refuse(self, row: dict[str, Any] | RunParts, number: int, found: Found) -> None:
        self._place()
        checker = self._checker
        checker.report(found, number)
        checker.leave_out(as_json(row), [found.text], number, row=_kept(_own_id(row), row))
        self._give_up_after(found)

    def _give_up_after(self, found: Found) -> None:
        """A template that always asks for too much would take hours over a large table."""
        self._limits += found.code == "template_limit"
        if self._limits >= MAX_LIMIT_FAULTS:
            raise SourceFault(
                error("template_limit", "the template takes too much in too many rows: the rest is not read")
            )


def _encoded(row: dict[str, Any] | RunParts) -> bytes:
    """A row as it is sent to the process; raises what msgspec raises for what can't be encoded."""
    return _ENCODE(row.wire if isinstance(row, RunParts) else row)


def _scoped(row: dict[str, Any] | RunParts) -> bool:
    return isinstance(row, RunParts) and row.scoped


def _own_id(row: dict[str, Any] | RunParts) -> str:
    return row.row_id if isinstance(row, RunParts) else column_id(row)


def _kept(row_id: str, row: dict[str, Any] | RunParts) -> Row:
    """What is kept of a row beside its request: a run's row keeps the id and the columns it had there."""
    return (row.row_id, row.columns) if isinstance(row, RunParts) else (row_id, row)


_SHOWN = 5


class EmptyCells:
    """Counts the rows in which a column that the template uses is empty."""

    def __init__(self, names: tuple[str, ...], checker: Checker) -> None:
        self._names = names
        self._checker = checker
        self._columns: dict[str, str] = {}
        """Names of the template that are no column's own, and the column each stands for."""
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}

    def count(self, given: dict[str, Any] | RunParts, number: int) -> None:
        """Look at a row of the present source, which has this place there."""
        row = RunRow(given) if isinstance(given, RunParts) else given
        for name in self._names:
            value = row.get(name, _ABSENT)
            if value is _ABSENT:
                value = row.get(self._column(name, row), _ABSENT)
            if is_empty(value):
                self._note(name if name in row else self._column(name, row), number)

    def _note(self, column: str, number: int) -> None:
        self._counts[column] = self._counts.get(column, 0) + 1
        places = self._first.setdefault(column, [])
        if len(places) < _SHOWN:
            places.append(self._checker.where(number))

    def _column(self, name: str, row: dict[str, Any]) -> str:
        """The column that the template calls by this name with underscores; the name itself when there is none."""
        known = self._columns.get(name, name)
        if known in row:
            return known
        if len(row) > 5_000:
            return name
        found = next((column for column in row if name_in_template(column) == name), name)
        if found != name:
            self._columns[name] = found
        return found

    def tell(self) -> None:
        """Say of each column in how many rows it is empty, and where first."""
        for column, count in self._counts.items():
            rows = "1 row" if count == 1 else f"{count:,} rows"
            first, *others = self._first[column]
            also = [place.rsplit(":", 1)[-1] if ":" in place else place for place in others]
            detail = f"also at {', '.join(also)}" + (" …" if count > _SHOWN else "") if also else ""
            self._checker.problems.add(warning("column_empty", f"{safe(column, 60)} is empty in {rows}", detail), first)


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """A row on its way to a request."""

    row: dict[str, Any] | RunParts
    number: int
    """Its place in the source."""
    order: int
    """Its number among all rows, from 1."""
    raw: bytes


class RowFault(Exception):
    """A row that makes no request; ``found`` says why."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.text)
        self.found = found
