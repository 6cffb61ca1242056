"""Results written out: streamed, whole or not at all, the original characters, one row a request, in the order of the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO, TypedDict

import msgspec

from batchtui.domain.errors import InputError, StoreError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.answer_parts import AnswerParts, ToolCall, parts_of
from batchtui.results.export_job import ExportJob, is_special, opened, ticker
from batchtui.results.field_builder import text_of
from batchtui.results.fields import ViewFields, view_fields
from batchtui.results.json_in_text import find_json
from batchtui.results.line_lenient import mend
from batchtui.results.row_places import places_of
from batchtui.results.skipped import SkippedRow
from batchtui.results.source_order import in_source_order, with_skipped
from batchtui.results.spreadsheet import BOM, csv_line
from batchtui.results.table import Items, JoinedColumns
from batchtui.results.text import read_answer
from batchtui.results.view import View

ENDINGS = {
    "jsonl": (".jsonl", ".ndjson"),
    "json": (".json",),
    "csv": (".csv",),
    "markdown": (".md", ".markdown"),
    "files": (),
    "parquet": (".parquet",),
    "sqlite": (".db", ".sqlite", ".sqlite3"),
}
"""Formats, and the endings of file names that mean them."""
FORMATS = tuple(ENDINGS)
_OTHER_ENDINGS = frozenset(
    {".xlsx", ".xls", ".ods", ".tsv", ".tab", ".gz", ".zst", ".zip", ".html", ".feather", ".arrow", ".xml", ".yaml"}
)
"""Endings of what is not written here: whoever gives one expects another file than would be made."""
TABLES = ("csv", "parquet", "sqlite")
"""Formats with columns."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


class ExportOptions(TypedDict, total=False):
    """How an export is written, as ``export`` takes it."""

    columns: Sequence[str]
    unfold: bool | None
    parsed: bool
    bom: bool
    all_rows: bool
    replace: bool
    note: Callable[[str], object]
    joined: Sequence[JoinedColumns]


def _nobody_hears(text: str) -> None:
    """For notes that nobody hears."""


def format_of(dest: Path | None, asked: str | None = None) -> str:
    """The format to write: what was asked for, else what the file's ending means, else jsonl.

    Raises InputError when the two contradict each other.
    """
    ending = dest.suffix.lower() if dest is not None and not is_special(dest) else ""
    told = next((name for name, endings in ENDINGS.items() if ending in endings), None) if ending else None
    if dest is not None and told is None and ending in _OTHER_ENDINGS and not asked:
        raise InputError(
            f"{ending} is not a format that results are written in",
            advice=f"name the file {_stem(dest)}.csv, or say the format with --format",
        )
    if asked and told and asked != told:
        raise InputError(
            f"{dest} ends like {told}, but the format asked for is {asked}",
            advice="leave out --format, or rename the file",
        )
    return asked or told or "jsonl"


def _stem(dest: Path) -> str:
    known = any(dest.stem.lower().endswith(each) for endings in ENDINGS.values() for each in endings)
    return Path(dest.stem).stem if known else dest.stem


def export(
    view: View,
    rows: Sequence[int] | None,
    format: str,
    dest: Path | BinaryIO,
    *,
    columns: Sequence[str] = (),
    unfold: bool | None = None,
    parsed: bool = False,
    bom: bool = False,
    all_rows: bool = False,
    replace: bool = True,
    note: Callable[[str], object] = _nobody_hears,
    joined: Sequence[JoinedColumns] = (),
    work: Work = UNWATCHED,
) -> int:
    """Write rows (None: all, in the order of the source) to a file, an open binary file, or for ``files`` a new folder.

    jsonl holds the lines as received (requests without a line have none), json ``{custom_id: text}``, the last of an id's
    lines, with null where there is no answer, and with ``parsed`` the values of answers that are JSON; csv, parquet and
    sqlite have named columns, which ``columns`` chooses; markdown is to read.  ``unfold`` says whether the fields of answers
    that are JSON are columns: when None they are in sqlite, and where requests ask for values.  ``all_rows``, with ``rows``
    None, writes every row of the source: also those skipped since they had errors, as *not sent*, and those without a
    result, as *no answer*.  ``bom`` is for csv.  ``joined`` are columns of other runs, for formats with
    columns.  ``note`` hears what was left out.
    Returns how many rows were written.  Raises InputError, also when ``dest`` is there and may not be replaced, StoreError,
    and Stopped, after which ``dest`` is as it was.
    """
    check_options(format, columns=columns, unfold=unfold, parsed=parsed, bom=bom, joined=joined)
    chosen = _chosen(view, rows, all_rows, format in TABLES)
    job = ExportJob(
        view=view,
        rows=chosen,
        tick=ticker(len(chosen), work),
        columns=columns,
        fields=_fields(view, format, columns, unfold, note, work),
        every=all_rows,
        parsed=parsed,
        bom=bom,
        joined=joined,
    )
    if format == "files":
        from batchtui.results.export_answers import write_files

        if not isinstance(dest, Path):
            raise InputError("one file per answer needs a folder to write to", advice="give one with -o FOLDER")
        return write_files(job, dest)
    if format == "sqlite":
        from batchtui.results.export_sqlite import write_sqlite

        if not isinstance(dest, Path) or is_special(dest):
            raise InputError("SQLite needs a file to write to", advice="give one with -o FILE")
        return write_sqlite(job, dest, replace=replace)
    with opened(dest, replace=replace) as out:
        return _writer(format)(job, out)


def _fields(
    view: View, format: str, columns: Sequence[str], unfold: bool | None, note: Callable[[str], object], work: Work
) -> ViewFields | None:
    """The fields of the answers where they are columns or may be named."""
    if format not in TABLES:
        return None
    if not columns and not (format == "sqlite" if unfold is None else unfold):
        from batchtui.results.asked import asks_for_values

        if unfold is False or not asks_for_values(view):
            return None
    found = view_fields(view, work)
    for each in found.notes:
        note(each)
    return found


def check_options(
    format: str, *, columns: object, unfold: bool | None, parsed: bool, bom: bool, joined: object = ()
) -> None:
    """Raise InputError for a format that there isn't, and for what a format has not."""
    if format not in FORMATS:
        raise InputError(f"unknown export format {format}", advice=f"one of {', '.join(FORMATS)}")
    for asked, option, has_it in (
        (columns, "--columns", TABLES),
        (unfold, "--unfold", TABLES),
        (parsed, "--parsed", ("json",)),
        (bom, "--bom", ("csv",)),
        (joined, "--with or --with-origin", TABLES),
    ):
        if asked and format not in has_it:
            raise InputError(f"{option} is not for {format}", advice=f"it is for {', '.join(has_it)}")


def _writer(format: str) -> Callable[[ExportJob, IO[bytes]], int]:
    """How a format is written to a stream; what is slow to import, only when it is used."""
    if format == "markdown":
        from batchtui.results.export_answers import write_markdown

        return write_markdown
    if format == "parquet":
        from batchtui.results.export_parquet import write_parquet

        return write_parquet
    return {"jsonl": _write_jsonl, "json": _write_json, "csv": _write_csv}[format]


def _chosen(view: View, rows: Sequence[int] | None, all_rows: bool, table: bool) -> Items:
    """What is written, in its order."""
    if rows is not None:
        if all_rows:
            raise InputError("all rows can't be combined with a filter", advice="leave out the filter")
        return rows
    if table:
        with suppress(StoreError):
            places_of(view)  # The rows' columns need them; the order then needs no look of its own.
    return with_skipped(view) if all_rows else in_source_order(view)


def _write_jsonl(job: ExportJob, out: IO[bytes]) -> int:
    written = 0
    for number, row in enumerate(job.rows):
        job.tick(number)
        line = _line_of(row) if isinstance(row, SkippedRow) else job.view.raw(row)
        if not line and job.every and isinstance(row, int):
            line = msgspec.json.encode({"custom_id": job.view.id(row), "result": {"type": "no_answer"}})
        if line:
            out.write(line)
            out.write(b"\n")
            written += 1
    return written


def _line_of(row: SkippedRow) -> bytes:
    """A line in the shape of a result, with what was skipped beside it."""
    return msgspec.json.encode({"custom_id": row.custom_id, "result": {"type": "not_sent"}, "skipped": row})


def _write_json(job: ExportJob, out: IO[bytes]) -> int:
    names = _names(job.view, job.rows)
    last = {name: number for number, name in enumerate(names)}
    written = 0
    out.write(b"{")
    for number, row in enumerate(job.rows):
        job.tick(number)
        if last[names[number]] != number:
            continue
        value = b"null" if isinstance(row, SkippedRow) else _value(job.view, row, job.parsed)
        out.write((",\n" if written else "\n").encode() + json.dumps(names[number]).encode() + b": " + value)
        written += 1
    out.write(b"\n}\n" if written else b"}\n")
    return written


def _value(view: View, row: int, parsed: bool) -> bytes:
    """A row's answer as JSON: its text, or the value that it holds."""
    line = view.raw(row)
    found = parsed_value(view, row, line) if parsed else None
    return found or json.dumps(read_answer(line).text, ensure_ascii=False).encode("utf-8", "replace")


def parsed_value(view: View, row: int, line: bytes) -> bytes | None:
    """The value that an answer is, as JSON; None when it is no more than text.

    It is the input of the call that was asked for, else the object or array in the text, else the inputs of all calls when
    there is no text.  Raises StoreError.
    """
    parts = parts_of(line)
    if parts is None:
        return None
    if isinstance(parts, str):
        parts = AnswerParts(parts, parts)
    wanted = view.wanted(row)
    main = wanted.main_call(parts.calls)
    if main:
        return _json(parts.calls[main - 1])
    with suppress(RecursionError, msgspec.MsgspecError, UnicodeError):
        value = find_json(text_of(parts, wanted))
        if value is not None:
            return _encode(value)
    if parts.text.strip() or not parts.calls:
        return None
    inputs = [_json(call) for call in parts.calls]
    return inputs[0] if len(inputs) == 1 else b"[" + b", ".join(inputs) + b"]"


def _json(call: ToolCall) -> bytes:
    return mend(bytes(call.input)).decode("utf-8", "replace").encode() or b"null"


def _names(view: View, rows: Items) -> list[str]:
    """What each row is called in an object; what was skipped takes no name that a request has."""
    sent = {view.id(row) for row in rows if isinstance(row, int)}
    return [
        (row.name if row.name not in sent else row.where)
        if isinstance(row, SkippedRow)
        else view.id(row) or f"(line {view.row(row).line})"
        for row in rows
    ]


def _write_csv(job: ExportJob, out: IO[bytes]) -> int:
    table = job.table()
    try:
        out.write((BOM if job.bom else b"") + csv_line(table.header))
        for number, row in enumerate(job.rows):
            job.tick(number)
            out.write(csv_line(table.flat(row)))
    finally:
        table.close()
    return len(job.rows)
