"""Reads one source of any format and hands each request, or each row, on."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from batchtui.domain.batch import CUSTOM_ID
from batchtui.intake import json_errors
from batchtui.intake.chat import turns_column
from batchtui.intake.checker import Checker
from batchtui.intake.decoding import Decoded
from batchtui.intake.detect_format import BOM, DetectedFormat, classify
from batchtui.intake.encodings import Guess
from batchtui.intake.json_array import Elements, one_line
from batchtui.intake.openai import Translator
from batchtui.intake.options import FORMATS, IntakeOptions
from batchtui.intake.parquet import parquet_rows
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.row import ID_MADE, RunParts, as_json, column_id
from batchtui.intake.sources import Source, SourceFault, Stream, blocks, lines
from batchtui.intake.tables import csv_rows, named_once, text_row
from batchtui.intake.wording import kind_of, quoted

if TYPE_CHECKING:
    from batchtui.intake.run_rows import RunSource

RUN_KINDS = {
    "run answers": "rows of a run with its answers",
    "run rows": "rows of a run",
    "run requests": "requests of a run",
}
"""What a run was taken for, in words."""
Tick = Callable[[], None]
"""Called after each piece that was read: tells the progress, and raises Stopped."""
Handler = Callable[[bytes, int], None]


class Rows(Protocol):
    """What turns rows into requests."""

    def render(self, row: dict[str, Any], number: int) -> None:
        """Make a request of one row, or name what is wrong with it, at once or later."""
        ...

    def render_all(self, rows: Sequence[RunParts], numbers: Sequence[int]) -> None:
        """The same of rows of a run, each with its place."""
        ...

    def flush(self) -> None:
        """Be done with all rows given so far."""
        ...


class Reader:
    """Reads sources into a checker, rows through a template."""

    def __init__(self, options: IntakeOptions, checker: Checker, rows: Rows | None, tick: Tick) -> None:
        self._has_template = options.has_template
        self._checker = checker
        self._rows = rows
        self._tick = tick
        self._translator = Translator(options, lambda model: checker.facts_of(model).rules)
        self._made = 0
        self._header: list[str] | None = None
        self.kinds: dict[str, None] = {}
        """Formats met so far, in order."""
        self.readings: dict[str, None] = {}
        """What was detected of how sources are written and may be otherwise, each once."""

    @property
    def words(self) -> str:
        """What the sources were taken for."""
        return ", ".join([*(RUN_KINDS.get(kind) or FORMATS[kind] for kind in self.kinds), *list(self.readings)[:3]])

    def read(self, source: Source, stream: Stream, detected: DetectedFormat) -> None:
        """Read one source to its end; raises SourceFault when it can't be read further, and Stopped."""
        if detected.kind in ("parquet", "csv", "tsv", "text"):
            self._read_table(source, stream, detected)
            return
        if detected.encoding:
            stream = Stream(Decoded(stream, detected.encoding))
        if detected.layout == "lines":
            self._read_lines(source, stream, detected)
        else:
            self._read_elements(source, stream, detected)

    def read_run(self, run: RunSource, names: Collection[str] | None) -> None:
        """Read what is taken of a run, each stretch of its rows under the source they are from; raises SourceFault, StoreError.

        ``names`` are what a template may name of a row, None for all.
        """
        self.kinds[f"run {run.kind}"] = None
        if left_out := run.left_out_words():
            self._checker.problems.add(warning("rows_left_out", left_out), run.name)
        for mark, rows in run.stretches():
            self._checker.source(mark.name)
            if run.kind == "requests":
                for row in rows:
                    self._again(run, row)
                    self._tick()
            elif self._rows is None:
                raise _needs_template(run.columns)
            else:
                for chunk, made in run.blocks(rows, names):
                    self._rows.render_all(made, run.numbers(chunk))
                    self._tick()
            if self._rows is not None:
                self._rows.flush()
            self._checker.hashed(mark.sha256)

    def _again(self, run: RunSource, row: int) -> None:
        """A request of a run once more: under its own custom_id, or under a new one where it was made."""
        (number,), found = run.numbers([row]), run.request(row)
        if found is None:
            self._checker.report(error("request_gone", "its request is not on this machine"), number)
            return
        self._made += 1
        custom_id = found.custom_id or self._checker.free_id(found.row_id, self._made)[0]
        line = b'{"custom_id":"%s","params":%s}' % (custom_id.encode(), found.params)
        kept = None if found.own is None and custom_id == found.row_id else (found.row_id, found.own)
        self._checker.take(line, number, kept, betas=found.betas)

    def _read_lines(self, source: Source, stream: Stream, detected: DetectedFormat) -> None:
        checker = self._checker
        checker.source(source.name)
        self.kinds[detected.kind] = None
        if not detected.encoding and stream.peek().startswith(BOM):
            stream.read(len(BOM))
        if detected.kind == "native":
            self._read_blocks(stream)
            return
        handle = self._handler(detected.kind)
        for number, line in enumerate(lines(stream, checker.room, tick=self._tick), 1):
            if line is None:
                checker.too_large(number, None)
            else:
                handle(line, number)

    def _read_blocks(self, stream: Stream) -> None:
        number = 1
        for block in blocks(stream, self._checker.room, tick=self._tick):
            if block is None:
                self._checker.too_large(number, None)
                number += 1
            else:
                number += self._checker.take_block(block, number)

    def _read_elements(self, source: Source, stream: Stream, detected: DetectedFormat) -> None:
        checker = self._checker
        head = stream.peek()
        start = detected.start + (len(BOM) if head.startswith(BOM) else 0)
        counted = detected.layout == "array" and b"\n" not in head.strip()
        checker.source(source.name, counted=counted)
        self._beside(detected.others, source)
        skipped = stream.read(start) if start else b""
        elements = Elements(
            stream,
            checker.room,
            nested=detected.layout == "array",
            outer=int(not head.removeprefix(BOM).lstrip().startswith(b"[")),
            line=1 + skipped.count(b"\n"),
        )
        handle: Handler | None = None
        self._header = None
        item = 0
        for element, line in elements:
            if not element:
                self._tick()
                continue
            item += 1
            if element[:1] != b"{":
                if self._has_template and detected.kind in ("json", "rows"):
                    self._listed(element, item if counted else line)
                else:
                    checker.take(element, item if counted else line)
                continue
            if handle is None:
                kind = detected.kind if detected.kind != "json" else self._kind(element)
                self.kinds[kind if detected.kind != "json" or kind != "native" else "json"] = None
                handle = self._handler(kind)
            handle(one_line(element), item if counted else line)
        self._beside(elements.others, source)

    def _listed(self, element: bytes, number: int) -> None:
        """An element that is no object, as a row: a string is its ``text``, a list is the columns' names or their cells."""
        value, faults = json_errors.parse(element)
        self.kinds["rows"] = None
        if isinstance(value, str) and not faults and self._rows is not None:
            self._rows.render({"text": value}, number)
            return
        if isinstance(value, list) and not faults and self._rows is not None:
            if self._header is None:
                if value and all(isinstance(each, str) and each.strip() for each in value):
                    self._header = named_once(value, number, self._note)
                    return
                faults = [error("row", "the first list of the array must hold the names of the columns")]
            elif len(value) <= len(self._header):
                cells = value + [None] * (len(self._header) - len(value))
                self._rows.render(dict(zip(self._header, cells, strict=True)), number)
                return
            else:
                faults = [error("row", "a row has more cells than there are columns")]
        faults = faults or [error("row", f"a row must be an object of columns, not {kind_of(value)}")]
        for found in faults:
            self._checker.report(found, number)
        self._checker.leave_out(element, [found.text for found in faults], number)

    def _beside(self, names: Sequence[str], source: Source) -> None:
        """Say which keys of a body stand beside its requests."""
        if names:
            shown = ", ".join(map(quoted, names[:5]))
            what = f"only the requests are used, not {shown} beside them"
            self._checker.problems.add(warning("body_fields", what), source.name)

    def _kind(self, element: bytes) -> str:
        try:
            return classify(msgspec.json.decode(element), self._has_template)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return "native"

    def _handler(self, kind: str) -> Handler:
        if kind == "params":
            return self._params
        if kind == "openai":
            return self._openai
        if kind == "chat":
            return self._row if self._has_template else self._chat
        if kind == "rows":
            return self._row
        return self._checker.take

    def _params(self, line: bytes, number: int) -> None:
        line = line.strip()
        if not line:
            return
        if self._object(line, number) is None:
            return
        self._made += 1
        custom_id, _ = self._checker.free_id("", self._made)
        self._checker.take(b'{"custom_id":"%s","params":%s}' % (custom_id.encode(), line), number, given=line)

    def _object(self, line: bytes, number: int) -> dict[str, Any] | None:
        """The object of a line; None when it holds none, which is named, and the line left out."""
        value, faults = _read_object(line)
        if value is not None and not faults:
            return value
        for found in faults:
            self._checker.report(found, number)
        self._checker.leave_out(line, [found.text for found in faults], number)
        return None

    def _row_of(self, line: bytes, number: int) -> dict[str, Any] | None:
        """The row of a line, its keys that stand there twice named; None as for ``_object``."""
        row = self._object(line, number)
        if row is not None and _LONG_NUMBER.search(line):
            row = {name: _as_text(value) for name, value in row.items()}
        for found in _repeated(line, row) if row is not None else ():
            self._checker.report(found, number)
        return row

    def _openai(self, line: bytes, number: int) -> None:
        line = line.strip()
        if not line:
            return
        value, faults = json_errors.parse(line)
        made = None
        own = json_errors.looks_like_id(line)
        if value is not None and not faults:
            with _nested(faults):
                own, made, faults = self._translator.translate(value)
        self._take_translated(line, number, own, made, faults)

    def _take_translated(
        self,
        line: bytes,
        number: int,
        own: str,
        made: dict[str, Any] | None,
        faults: list[Found],
        row: dict[str, Any] | None = None,
    ) -> None:
        """Check what was translated, under its own id where the API takes it and else a near one, the own one kept."""
        checker = self._checker
        if made is not None and not any(found.level == "error" for found in faults):
            self._made += 1
            custom_id = own
            if row is not None or not CUSTOM_ID.match(own):
                custom_id, _ = checker.free_id(own, self._made)
            if own and own != custom_id:
                faults = [*faults, warning("id_made", ID_MADE, f"{quoted(own)} became {custom_id}")]
        else:
            custom_id = own
        for found in faults:
            checker.report(found, number, custom_id)
        errors = [found.text for found in faults if found.level == "error"]
        kept = (own, row) if row is not None or (own and own != custom_id) else None
        if made is None or errors:
            checker.leave_out(line, errors, number, custom_id, kept)
            return
        request = msgspec.json.encode({"custom_id": custom_id, "params": made})
        checker.take(request, number, kept, given=line)

    def _chat(self, line: bytes, number: int) -> None:
        line = line.strip()
        if not line:
            return
        row = self._row_of(line, number)
        if row is not None:
            self._converse(line, row, number)

    def _converse(self, line: bytes, row: dict[str, Any], number: int) -> None:
        """A row that holds turns as a request."""
        faults: list[Found] = []
        made: dict[str, Any] | None = None
        if turns_column(row):
            with _nested(faults):
                made, faults = self._translator.conversation(row)
        else:
            columns = ", ".join(map(quoted, list(row)[:12]))
            faults = [error("chat_turns", f"no column holds a list of turns; the columns: {columns}")]
        self._take_translated(line, number, column_id(row), made, faults, row)

    def _row(self, line: bytes, number: int) -> None:
        line = line.strip()
        if not line:
            return
        if self._rows is None:
            raise _needs_template(list(_read_object(line)[0] or {}))
        row = self._row_of(line, number)
        if row is not None:
            self._rows.render(row, number)

    def _read_table(self, source: Source, stream: Stream, detected: DetectedFormat) -> None:
        self._checker.source(source.name, counted=detected.kind == "parquet")
        self.kinds[detected.kind] = None
        if detected.kind == "text":
            if self._rows is None:
                raise SourceFault(
                    error(
                        "no_template_text",
                        "text files need a template (--template FILE.toml), where the text is {{ text }}",
                    )
                )
            self._rows.render(text_row(source, stream, detected, self._guessed), 1)
            self._tick()
            return
        rows = (
            parquet_rows(source, stream, self._note)
            if detected.kind == "parquet"
            else csv_rows(stream, detected, self._note, self._leave_out, self._guessed)
        )
        chat: bool | None = None
        for row, number in rows:
            if self._rows is not None:
                self._rows.render(row, number)
            else:
                if chat is None:
                    chat = self._is_chat(row)
                    self.kinds["chat"] = None
                self._converse(as_json(row), row, number)
            self._tick()

    def _is_chat(self, row: dict[str, Any]) -> bool:
        """True for a table with a column of turns, the only one that makes requests by itself; raises SourceFault."""
        if turns_column(row):
            return True
        raise _needs_template(list(row))

    def _leave_out(self, text: str, found: Found, number: int) -> None:
        """Name a row that can't be rendered, and keep it with what is left out."""
        if self._rows is not None:
            self._rows.flush()
        self._checker.report(found, number)
        self._checker.leave_out(text.encode("utf-8", "replace"), [found.text], number)

    def _guessed(self, found: Guess) -> None:
        self._checker.report(found.found, found.line)
        self.readings[f"encoding: {found.encoding} (detected)"] = None

    def _note(self, found: Found, number: int) -> None:
        self._checker.report(found, number)


def _needs_template(columns: Sequence[str]) -> SourceFault:
    """Why rows of these columns can't be read alone."""
    named = ", ".join(map(quoted, columns[:12])) or "none"
    what = f"rows need a template to become requests (--template FILE.toml); their columns: {named}"
    return SourceFault(error("no_template", what))


@contextmanager
def _nested(faults: list[Found]) -> Iterator[None]:
    """Name what is nested too deeply to be translated."""
    try:
        yield
    except RecursionError:
        faults.append(error("nested", "nested too deeply"))


def _read_object(line: bytes) -> tuple[dict[str, Any] | None, list[Found]]:
    """The object of a line, read quickly; with care, and with what is wrong, when that fails."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value, faults = json_errors.parse(line)
        return (value if isinstance(value, dict) else None), faults
    if not isinstance(value, dict):
        return None, [error("envelope", f"expected an object on each line, not {kind_of(value)}")]
    return value, []


_LONG_NUMBER = re.compile(rb"\d{19}")


def _as_text(value: Any) -> Any:
    """A value in which whole numbers too long for JSON encoders are texts."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return {name: _as_text(each) for name, each in value.items()} if isinstance(value, dict) else value


def _repeated(line: bytes, row: dict[str, Any]) -> list[Found]:
    """Warnings about keys of a row that stand there twice; quick where the quotes of the line are those of what was read."""
    if b"\\\\" not in line and line.count(b'"') - line.count(b'\\"') == 2 * _strings(row):
        return []
    _, faults = json_errors.parse(line)
    keys = [found.message.partition(" appears twice")[0] for found in faults if found.code == "duplicate_key"]
    return [warning("duplicate_key", f"{key} appears twice in one object: the last one is used") for key in keys]


def _strings(value: Any) -> int:
    """How many strings a value is written with, keys with them."""
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        return len(value) + sum(1 if each.__class__ is str else _strings(each) for each in value.values())
    return sum(map(_strings, value)) if isinstance(value, list) else 0
