"""Looks at sources and templates without making a plan: first rows, and single rows as requests."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from batchtui.domain.errors import Stopped
from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Problem
from batchtui.domain.work import UNWATCHED, Work
from batchtui.intake import detect_format
from batchtui.intake.checker import Checker, Row
from batchtui.intake.options import IntakeOptions
from batchtui.intake.problems import Problems
from batchtui.intake.readers import Reader
from batchtui.intake.renderer import Renderer, RowFault, load_template
from batchtui.intake.row import RunParts, RunRow
from batchtui.intake.sources import Source, SourceFault, Stream, expand, open_source
from batchtui.intake.template_process import TemplateProcess


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of the sources."""

    format: str = ""
    """What they hold, in words."""
    columns: tuple[str, ...] = ()
    """Of rows; empty for requests."""
    rows: tuple[dict[str, Any], ...] = ()
    """First rows as they are."""
    requests: tuple[bytes, ...] = ()
    """First requests as JSON lines, where the sources hold requests."""
    problems: tuple[Problem, ...] = ()


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """One row as a request."""

    request: bytes = b""
    """JSON line; empty when the row makes none."""
    row_id: str = ""
    problems: tuple[Problem, ...] = ()


def peek(
    sources: Sequence[str],
    options: IntakeOptions,
    *,
    prices: PriceTable,
    limit: int = 50,
    stdin: BinaryIO | None = None,
    at: str = "",
    work: Work = UNWATCHED,
) -> Peek:
    """The first ``limit`` rows or requests of the sources; what is wrong with them comes as problems.

    ``at`` is the place of one row or request, as a problem names it: only that one is kept.  Raises Stopped.
    """
    problems = Problems()
    catcher = _Catcher(options, prices, problems, limit) if not at else _OneCatcher(options, prices, problems, at)
    plain = msgspec.structs.replace(options, template=None, template_text=None)
    reader = Reader(
        options if options.has_template else plain, catcher, catcher, lambda: work.check("stopped while reading")
    )
    try:
        for run in options.runs.values():
            try:
                reader.read_run(run, None)
            except SourceFault as fault:
                problems.add(fault.found, run.name)
        for each in expand([each for each in sources if each not in options.runs], options.template):
            if isinstance(each, Source) and (not at or at.startswith(each.name)):
                _peek_one(each, options, reader, problems, stdin)
            elif not isinstance(each, Source):
                problems.add(each[1], each[0])
    except _Enough:
        pass
    columns = dict.fromkeys(name for row in catcher.rows for name in row)
    return Peek(
        format=reader.words,
        columns=tuple(columns),
        rows=tuple(catcher.rows),
        requests=tuple(catcher.lines),
        problems=tuple(problem for group in problems.groups() for problem in group.first),
    )


class Previewer:
    """Renders single rows, in one process that is kept from one to the next until ``close``; thread-safe.

    A row that is asked for while another is rendered puts an end to that one: only the last is wanted.
    """

    def __init__(self) -> None:
        self._process = TemplateProcess()
        self._busy = threading.Lock()
        self._asked = itertools.count(1)
        self._last = 0
        self._closed = False

    def preview(
        self, row: Mapping[str, Any], number: int, options: IntakeOptions, *, prices: PriceTable
    ) -> Preview | None:
        """A row through the options' template, checked like any request; ``number`` is the row's, from 1.

        None when another row was asked for meanwhile, or the previewer was closed.  Raises StoreError.
        """
        mine = self._last = next(self._asked)

        def wait() -> None:
            if self._closed or self._last != mine:
                raise Stopped("another row was requested")

        with self._busy:
            try:
                wait()
                return _preview(row, number, options, prices, self._process, wait)
            except Stopped:
                self._process.close()
                return None

    def close(self) -> None:
        """End the process, and what it renders."""
        self._closed = True
        with self._busy:
            self._process.close()


def _preview(
    row: Mapping[str, Any],
    number: int,
    options: IntakeOptions,
    prices: PriceTable,
    process: TemplateProcess,
    wait: Callable[[], None],
) -> Preview:
    problems = Problems()
    template, faults = load_template(options, process, wait)
    for where, found in faults:
        problems.add(found, where)
    line, row_id = b"", ""
    if template is not None:
        checker = Checker(options, prices, problems, None)
        checker.source("row")
        renderer = Renderer(template, checker, number - 1)
        try:
            line, row_id = renderer.one(row.parts if isinstance(row, RunRow) else dict(row), number)
        except (RowFault, SourceFault) as bad:
            checker.report(bad.found, number)
    return Preview(
        request=line, row_id=row_id, problems=tuple(problem for group in problems.groups() for problem in group.first)
    )


def _peek_one(
    source: Source, options: IntakeOptions, reader: Reader, problems: Problems, stdin: BinaryIO | None
) -> None:
    if source.path is not None and not source.path.is_file():
        return  # What a pipe gave a peek would be missing from the check.
    try:
        raw = open_source(source, stdin)
        try:
            stream = Stream(raw)
            head = stream.peek()
            if head.strip():
                reader.read(source, stream, detect_format.detect(stream, source.name, options))
        finally:
            if source.path is not None:
                raw.close()
    except SourceFault as fault:
        problems.add(fault.found, source.name)


class _Enough(Exception):
    """As many as were asked for."""


class _Catcher(Checker):
    """Keeps what it is given instead of checking it."""

    def __init__(self, options: IntakeOptions, prices: PriceTable, problems: Problems, limit: int) -> None:
        super().__init__(options, prices, problems, None)
        self._limit = limit
        self.rows: list[dict[str, Any]] = []
        self.lines: list[bytes] = []

    def render(self, row: dict[str, Any], number: int) -> None:
        self.rows.append(row)
        self._count()

    def render_all(self, rows: Sequence[RunParts], numbers: Sequence[int]) -> None:
        for row, number in zip(rows, numbers, strict=True):
            self.render(RunRow(row), number)

    def flush(self) -> None:
        """Rows are kept at once."""

    def take(
        self, line: bytes, number: int, row: Row | None = None, given: bytes | None = None, betas: tuple[str, ...] = ()
    ) -> None:
        if line.strip():
            self.lines.append(line.strip())
            self._count()

    def take_block(self, block: bytes, number: int) -> int:
        lines = block.split(b"\n")
        for each, line in enumerate(lines, number):
            self.take(line, each)
        return len(lines)

    def _count(self) -> None:
        if len(self.rows) + len(self.lines) >= self._limit:
            raise _Enough


_NUMBER = re.compile(r"(?::(\d+)|\[(\d+)\])\Z")


def number_at(where: str) -> int:
    """The number of the line or item that a place (``file:line``, ``file[item]``) names; 0 for none."""
    found = _NUMBER.search(where)
    return int(found.group(1) or found.group(2)) if found else 0


class _OneCatcher(_Catcher):
    """Keeps the row or request at one place."""

    def __init__(self, options: IntakeOptions, prices: PriceTable, problems: Problems, at: str) -> None:
        super().__init__(options, prices, problems, 1)
        self._at = at
        self._number = number_at(at)

    def render(self, row: dict[str, Any], number: int) -> None:
        if number == self._number and self.where(number) == self._at:
            super().render(row, number)

    def take(
        self, line: bytes, number: int, row: Row | None = None, given: bytes | None = None, betas: tuple[str, ...] = ()
    ) -> None:
        if number == self._number and self.where(number) == self._at:
            super().take(line, number)

    def take_block(self, block: bytes, number: int) -> int:
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        return super().take_block(block, number) if number <= self._number < number + lines else lines
