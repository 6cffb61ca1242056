"""Rows of Parquet files, their values as JSON and people write them."""

from __future__ import annotations

import base64
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from batchtui.intake.problems import error, warning
from batchtui.intake.sources import Source, SourceFault, Stream
from batchtui.intake.tables import Note, named_once
from batchtui.intake.wording import quoted

_BATCH = 512
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def parquet_rows(source: Source, stream: Stream, note: Note) -> Iterator[tuple[dict[str, Any], int]]:
    """The rows of a Parquet file, numbered from 1; a column that can't be read is left out and named.  Raises SourceFault."""
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
            names = named_once([str(name) for name in file.schema_arrow.names], 1, note)
            number = 0
            lost: set[str] = set()
            for batch in file.iter_batches(batch_size=_BATCH):
                columns = []
                for name, column in zip(names, batch.columns, strict=True):
                    values = _values(column)
                    if isinstance(values, str):
                        if name not in lost:
                            lost.add(name)
                            what = f"the column {quoted(name)} can't be read and is left out"
                            note(warning("parquet_column", what, values), number + 1)
                        continue
                    columns.append((name, values))
                for place in range(batch.num_rows):
                    number += 1
                    yield {name: values[place] for name, values in columns}, number
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as bad:
            raise SourceFault(error("parquet", "not a readable Parquet file", str(bad)[:200])) from bad


def _values(column: Any) -> list[Any] | str:
    """The values of a column; a text that says why when it can't be read."""
    import pyarrow

    try:
        return _converter(column.type)(column)
    except (pyarrow.ArrowException, ValueError, OverflowError, ImportError, TypeError, ArithmeticError) as bad:
        first = bad
    try:
        return [None if each is None else str(each) for each in column.cast(pyarrow.string()).to_pylist()]
    except (pyarrow.ArrowException, ValueError, OverflowError, ImportError, TypeError):
        return f"{column.type}: {str(first)[:120]}"


def _converter(kind: Any) -> Callable[[Any], list[Any]]:
    from pyarrow import types

    if types.is_timestamp(kind):
        return _instants
    if types.is_duration(kind) or types.is_time64(kind):
        return _clocks
    if types.is_map(kind):
        return lambda column: [None if value is None else plain(dict(value)) for value in column.to_pylist()]
    return lambda column: [plain(value) for value in column.to_pylist()]


def _instants(column: Any) -> list[Any]:
    """Points in time, with as many digits of a second as there are; those in a zone in that zone."""
    import pyarrow

    kind = column.type
    parts = _UNITS[kind.unit]
    if kind.unit != "ns":
        return [None if value is None else value.isoformat() for value in column.to_pylist()]
    ticks = column.cast(pyarrow.int64()).to_pylist()
    seconds = pyarrow.array([None if tick is None else tick // parts for tick in ticks], pyarrow.int64())
    whole = seconds.cast(pyarrow.timestamp("s", tz=kind.tz)).to_pylist()
    return [None if tick is None else _instant(at, tick % parts) for tick, at in zip(ticks, whole, strict=True)]


def _instant(whole: datetime, nanoseconds: int) -> str:
    text = whole.replace(microsecond=nanoseconds // 1000).isoformat()
    if nanoseconds % 1000 == 0:
        return text
    plain_text = whole.replace(microsecond=0).isoformat()
    return f"{plain_text[:19]}.{nanoseconds:09}{plain_text[19:]}"


def _clocks(column: Any) -> list[Any]:
    """Durations and times of day as hours, minutes and seconds."""
    import pyarrow

    parts = _UNITS[column.type.unit]
    width = 2 if pyarrow.types.is_time64(column.type) else 1
    ticks = column.cast(pyarrow.int64()).to_pylist()
    return [None if tick is None else _clock(tick, parts, width) for tick in ticks]


def _clock(ticks: int, parts: int, width: int) -> str:
    """``0:00:05``, ``-26:03:00.5``: hours are not taken together as days."""
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, rest = divmod(ticks, parts)
    fraction = f".{rest:0{len(str(parts)) - 1}}".rstrip("0") if rest else ""
    return f"{sign}{seconds // 3600:0{width}}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def plain(value: object) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _clock(value // timedelta(microseconds=1), 1_000_000, 1)
    if isinstance(value, bytes):
        return _bytes(value)
    return format(value, "f") if isinstance(value, Decimal) and value.is_finite() else str(value)


def _bytes(value: bytes) -> str:
    """Text where it is text, else base64, as requests hold images."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
