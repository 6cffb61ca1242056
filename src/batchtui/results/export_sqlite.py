"""SQLite: the source's rows, what came of each, and the fields of the answers, as three tables with the same row numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from batchtui.domain.errors import StoreError
from batchtui.results.export_job import ExportJob, placed
from batchtui.results.names import Scope
from batchtui.results.table import ExportColumn, Table, exact_float, flat_text, free_name
from batchtui.store import files

TABLES: dict[Scope, str] = {"row": "rows", "run": "answers", "answer": "fields"}
"""Tables by what their columns are of."""
KEY = "row_number"
_AT_ONCE = 500
"""Rows that are handed over together."""
_NAMES_ROOM = 400_000
"""Bytes of a table's column names: more are cut, as SQLite's statements are bounded."""
_CUT = 100
_TYPES = {"text": " TEXT"}
"""Only what keeps its values as they are."""


def write_sqlite(job: ExportJob, dest: Path, *, replace: bool) -> int:
    """Write a database in one transaction, whole or not at all.  Raises InputError, StoreError, Stopped."""
    table = job.table()
    try:
        with placed(dest, replace=replace) as temp:
            files.open_private(temp, "xb").close()
            with closing(sqlite3.connect(temp, isolation_level=None)) as database:
                # What is torn is thrown away: no journal is needed, and one sync comes at the end.
                database.execute("PRAGMA journal_mode = OFF")
                database.execute("PRAGMA synchronous = OFF")
                database.execute("BEGIN")
                _fill(job, table, database)
                database.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(
            f"can't write {dest}: {error}", advice="see that the disk has room and the folder can be written"
        ) from error
    finally:
        table.close()
    return len(job.rows)


def _fill(job: ExportJob, table: Table, database: sqlite3.Connection) -> None:
    inserts: list[tuple[str, list[int]]] = []
    for scope, name in TABLES.items():
        places = [number for number, column in enumerate(table.columns) if column.scope == scope]
        columns = [table.columns[place] for place in places]
        database.execute(f"CREATE TABLE {name} ({', '.join(_declared(columns))})")
        marks = ", ".join("?" * (1 + len(places)))
        inserts.append((f"INSERT INTO {name} VALUES ({marks})", places))  # noqa: S608
    for start in range(0, len(job.rows), _AT_ONCE):
        rows = []
        for offset, row in enumerate(job.rows[start : start + _AT_ONCE]):
            job.tick(start + offset)
            rows.append([_held(value) for value in table.values(row)])
        for statement, places in inserts:
            numbered = enumerate(rows, start + 1)
            database.executemany(statement, [(n, *(values[place] for place in places)) for n, values in numbered])


def _declared(columns: Sequence[ExportColumn]) -> list[str]:
    """The columns of a table as SQL, its key first; names that SQLite takes for the same get a number."""
    names = [
        (column.key or column.name).replace("\0", "\ufffd").encode("utf-8", "replace").decode() for column in columns
    ]
    if sum(len(name.encode()) for name in names) > _NAMES_ROOM:
        names = [name[:_CUT] for name in names]
    taken: set[str] = set()
    names = [free_name(name or "column", taken, fold=str.casefold) for name in names]
    kinds = [_TYPES.get(column.kind, "") for column in columns]
    key = f"{_quoted(free_name(KEY, taken, fold=str.casefold))} INTEGER PRIMARY KEY"
    return [key, *(f"{_quoted(name)}{kind}" for name, kind in zip(names, kinds, strict=True))]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _held(value: object) -> str | int | float | None:
    """A value as SQLite holds it: numbers that it can't hold exactly as text, true and false as 1 and 0, JSON as text."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, Decimal):
        near = exact_float(value)
        return str(value) if near is None else near
    return flat_text(value).encode("utf-8", "replace").decode()
