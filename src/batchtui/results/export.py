"""Results written out: streamed, whole or not at all, the original characters, one row a request."""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, TypeAlias

import msgspec

from batchtui import safetext
from batchtui.domain.errors import InputError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.row_match import in_source_order, with_skipped
from batchtui.results.skipped import SkippedRow
from batchtui.results.table import COST, NO_ANSWER, NOT_SENT, NUMBERS, TEXTS, Table
from batchtui.results.text import cell, read_answer
from batchtui.results.view import View
from batchtui.store import files

FORMATS = ("jsonl", "json", "csv", "markdown", "files", "parquet")
_PARQUET_ROWS = 2_000

_Tick = Callable[[int], None]
Items: TypeAlias = "Sequence[int | SkippedRow]"
"""Row numbers of a view, and among them what was skipped."""


def export(
    view: View,
    rows: Sequence[int] | None,
    format: str,
    dest: Path | BinaryIO,
    *,
    unfold: bool = False,
    all_rows: bool = False,
    work: Work = UNWATCHED,
) -> int:
    """Write rows (None: all, in the order of the source) to a file, an open binary file, or for ``files`` a new folder.

    jsonl holds the lines as received (in their own order when all are written; requests without a line have none),
    json ``{custom_id: text}``, the last of an id's lines, with null where there is no answer; csv, markdown and parquet
    a row a request.  ``unfold`` gives each field of answers that are JSON objects a column (csv, parquet).
    ``all_rows``, with ``rows`` None, writes every row of the source: also those skipped since they had errors, as
    *not sent*, and those without a result, as *no answer*.
    Returns how many rows were written.  Raises InputError, StoreError, and Stopped, after which ``dest`` is as it was.
    """
    if format not in FORMATS:
        raise InputError(f"unknown export format {format}", advice=f"one of {', '.join(FORMATS)}")
    chosen = _chosen(view, rows, format, all_rows)
    tick = _ticker(len(chosen), work)
    if format == "files":
        if not isinstance(dest, Path):
            raise InputError("one file per answer needs a folder to write to", advice="give one with -o FOLDER")
        return _write_files(view, chosen, dest, tick)
    how = _How(unfold, all_rows)
    writers: dict[str, Callable[[View, Items, IO[bytes], _Tick, _How], int]] = {
        "jsonl": _write_jsonl,
        "json": _write_json,
        "csv": _write_csv,
        "markdown": _write_markdown,
        "parquet": _write_parquet,
    }
    with _opened(dest) as out:
        return writers[format](view, chosen, out, tick, how)


def _chosen(view: View, rows: Sequence[int] | None, format: str, all_rows: bool) -> Items:
    """What is written, in its order."""
    if rows is not None:
        if all_rows:
            raise InputError("all rows can't be combined with a filter", advice="leave out the filter")
        return rows
    if all_rows:
        return with_skipped(view)
    return range(len(view)) if format == "jsonl" else in_source_order(view)


class _How(NamedTuple):
    unfold: bool
    every: bool
    """All rows of the source, answered or not."""


def _ticker(total: int, work: Work) -> _Tick:
    def tick(done: int) -> None:
        work.check("the export was stopped; nothing was written")
        work.tell("exporting", done, total, "requests")

    return tick


@contextmanager
def _opened(dest: Path | BinaryIO) -> Iterator[IO[bytes]]:
    """A file to write to: replaced when all is written, or written directly when it is no ordinary file."""
    if not isinstance(dest, Path):
        yield dest
        return
    special = dest.is_relative_to("/dev")
    with suppress(OSError):
        special = special or not stat.S_ISREG(dest.stat().st_mode)
    if dest.is_dir():
        raise InputError(f"{dest} is a folder", advice="give a file in that folder")
    if not special:
        with files.atomic(dest) as file:
            yield file
        return
    try:
        with dest.open("wb") as file:
            yield file
    except OSError as error:
        raise files.explain(error, f"can't write {dest}") from error


def _write_jsonl(view: View, rows: Items, out: IO[bytes], tick: _Tick, how: _How) -> int:
    written = 0
    for number, row in enumerate(rows):
        tick(number)
        line = _line_of(row) if isinstance(row, SkippedRow) else view.raw(row)
        if not line and how.every and isinstance(row, int):
            line = msgspec.json.encode({"custom_id": view.id(row), "result": {"type": "no_answer"}})
        if line:
            out.write(line)
            out.write(b"\n")
            written += 1
    return written


def _line_of(row: SkippedRow) -> bytes:
    """A line in the shape of a result, with what was skipped beside it."""
    return msgspec.json.encode({"custom_id": row.custom_id, "result": {"type": "not_sent"}, "skipped": row})


def _write_json(view: View, rows: Items, out: IO[bytes], tick: _Tick, how: _How) -> int:
    names = _names(view, rows)
    last = {name: number for number, name in enumerate(names)}
    written = 0
    out.write(b"{")
    for number, row in enumerate(rows):
        tick(number)
        if last[names[number]] != number:
            continue
        text = None if isinstance(row, SkippedRow) else read_answer(view.raw(row)).text
        pair = f"{json.dumps(names[number])}: {json.dumps(text, ensure_ascii=False)}"
        out.write((",\n" if written else "\n").encode() + pair.encode("utf-8", "replace"))
        written += 1
    out.write(b"\n}\n" if written else b"}\n")
    return written


def _names(view: View, rows: Items) -> list[str]:
    """What each row is called in an object; what was skipped takes no name that a request has."""
    sent = {view.id(row) for row in rows if isinstance(row, int)}
    return [
        (row.name if row.name not in sent else row.where)
        if isinstance(row, SkippedRow)
        else view.id(row) or f"(line {view.row(row).line})"
        for row in rows
    ]


_FORMULA = re.compile(r"[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
_PLAIN_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:[eE][+-]?\d+)?%?\Z")


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: what begins like one, and is no number, gets an apostrophe."""
    if text and _FORMULA.match(text) and not _PLAIN_NUMBER.match(text):
        return "'" + text
    return text


def _write_csv(view: View, rows: Items, out: IO[bytes], tick: _Tick, how: _How) -> int:
    table = _table(view, rows, how, tick)
    try:
        out.write(_csv_line(table.header))
        for number, row in enumerate(rows):
            tick(number)
            out.write(_csv_line(table.flat(row)))
    finally:
        table.close()
    return len(rows)


def _csv_line(cells: Sequence[str]) -> bytes:
    """A line of CSV (RFC 4180) that is safe for spreadsheets; the csv module takes five times as long over long texts."""
    return (",".join([_quoted(safe_cell(text)) for text in cells]) + "\r\n").encode("utf-8", "replace")


def _quoted(text: str) -> str:
    if '"' in text:
        text = text.replace('"', '""')
    elif not ("," in text or "\n" in text or "\r" in text or text[:1] == " " or text[-1:] == " "):
        return text
    return f'"{text}"'


def _table(view: View, rows: Items, how: _How, tick: _Tick) -> Table:
    table = Table(view, rows, unfold=how.unfold, every=how.every)
    if how.unfold:
        try:
            for number in table.find_fields():
                tick(number)
        except BaseException:
            table.close()
            raise
    return table


def _write_markdown(view: View, rows: Items, out: IO[bytes], tick: _Tick, how: _How) -> int:
    for number, row in enumerate(rows):
        tick(number)
        text = _not_sent(row) if isinstance(row, SkippedRow) else _markdown(view, row, how.every)
        out.write(text.encode("utf-8", "replace"))
    return len(rows)


def _not_sent(row: SkippedRow) -> str:
    return f"## {row.name}\n\n*{NOT_SENT} · {row.where}*\n\n{row.why}\n\n"


def _markdown(view: View, number: int, every: bool) -> str:
    row = view.row(number)
    raw = view.raw(number)
    answer = read_answer(raw)
    facts = (
        [NO_ANSWER]
        if every and not raw
        else [f"cut short: {row.cut_short}" if row.cut_short else "invalid" if row.invalid else row.outcome]
    )
    facts += [row.model] if row.model else []
    facts += [f"{row.tokens:,} tokens"] if row.tokens else []
    facts += [f"${row.cost_usd.normalize():f}"] if row.cost_usd else []
    body = (
        answer.text if answer.text is not None else ": ".join(part for part in (answer.error, answer.message) if part)
    )
    return f"## {row.custom_id or '(no id)'}\n\n*{' · '.join(facts)}*\n\n{(body or '').rstrip()}\n\n"


def _write_files(view: View, rows: Items, dest: Path, tick: _Tick) -> int:
    """One file per answer, and ``index.csv`` that names each request's file and outcome."""
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise InputError(f"{dest} is there already and is not empty", advice="give a folder that does not exist yet")
    if dest.absolute() == Path.cwd():
        raise InputError("the current folder can't be replaced", advice="give a folder that does not exist yet")
    temp = dest.with_name(f".{dest.name}.{secrets.token_hex(4)}.tmp")
    taken: set[str] = {"index.csv"}
    written = 0
    try:
        files.make_private_dir(dest.parent)
        files.make_private_dir(temp)
        with files.open_private(temp / "index.csv", "xb") as file:
            text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
            index = csv.writer(text, lineterminator="\r\n")
            index.writerow(["custom_id", "file", "outcome", "error"])
            for number, row_number in enumerate(rows):
                tick(number)
                if isinstance(row_number, SkippedRow):
                    index.writerow([safe_cell(each) for each in (row_number.name, "", NOT_SENT, row_number.why)])
                    continue
                row = view.row(row_number)
                answer = read_answer(view.raw(row_number))
                name = ""
                if answer.text is not None:
                    name = _file_name(row.custom_id, taken)
                    with files.open_private(temp / name, "xb") as one:
                        one.write(answer.text.encode("utf-8", "replace"))
                    written += 1
                why = f"{answer.error}: {answer.message}" if answer.message else answer.error
                state = row.flaw or row.outcome
                index.writerow([safe_cell(each) for each in (row.custom_id, name, state, why)])
            text.flush()
        temp.replace(dest)
        files.fsync_dir(dest.parent)
    except OSError as error:
        raise files.explain(error, f"can't write {dest}") from error
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    return written


def _file_name(custom_id: str, taken: set[str]) -> str:
    """A name made of the id, that no other has even where capitals don't count."""
    base = safetext.filename(custom_id)
    name, number = f"{base}.txt", 1
    while name.lower() in taken:
        number += 1
        name = f"{base}-{number}.txt"
    taken.add(name.lower())
    return name


def _write_parquet(view: View, rows: Items, out: IO[bytes], tick: _Tick, how: _How) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow, which is not installed", advice="pip install 'batchtui[parquet]', or export csv"
        ) from error
    table = _table(view, rows, how, tick)
    cost = pa.decimal128(24, 12)
    kinds = [
        *((name, pa.string()) for name in (*table.own, *TEXTS)),
        *((name, pa.int64()) for name in NUMBERS),
        (COST, cost),
        *((name, pa.string()) for name in table.unfolded),
    ]
    schema = pa.schema(kinds)
    try:
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for start in range(0, len(rows), _PARQUET_ROWS):
                columns: list[list[object]] = [[] for _ in kinds]
                for offset, row in enumerate(rows[start : start + _PARQUET_ROWS]):
                    tick(start + offset)
                    own, texts, numbers, dollars, fields = table.cells(row)
                    values = [*map(_or_none, own), *texts, *numbers, dollars, *map(_or_none, fields)]
                    for column, value in zip(columns, values, strict=True):
                        column.append(value.encode("utf-8", "replace").decode() if isinstance(value, str) else value)
                arrays = [pa.array(column, type=kind) for column, (_, kind) in zip(columns, kinds, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
    finally:
        table.close()
    return len(rows)


def _or_none(value: object) -> str | None:
    return None if value is None else cell(value)
