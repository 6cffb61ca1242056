"""Parquet, for data frames: the columns of a table, written in groups of rows."""

from __future__ import annotations

from typing import IO, Any

from batchtui.domain.errors import InputError
from batchtui.results.export_job import ExportJob
from batchtui.results.table import Kind, flat_text

_ROWS = 2_000
"""Of one group."""


def write_parquet(job: ExportJob, out: IO[bytes]) -> int:
    """Fields of one kind keep it, dollars are decimals; the source's columns and mixed fields are texts.  Null where absent."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow, which is not installed", advice="pip install 'batchtui[parquet]', or export csv"
        ) from error
    types: dict[Kind, Any] = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "money": pa.decimal128(24, 12),
    }
    table = job.table()
    kinds = [column.kind for column in table.columns]
    try:
        schema = pa.schema([(column.name, types.get(column.kind, pa.string())) for column in table.columns])
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for start in range(0, len(job.rows), _ROWS):
                columns: list[list[object]] = [[] for _ in kinds]
                for offset, row in enumerate(job.rows[start : start + _ROWS]):
                    job.tick(start + offset)
                    for column, kind, value in zip(columns, kinds, table.values(row), strict=True):
                        column.append(_held(value, kind))
                arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
    finally:
        table.close()
    return len(job.rows)


def _held(value: object, kind: Kind) -> object:
    """A value as its column takes it."""
    if value is None or kind in ("integer", "boolean", "money"):
        return value
    if kind == "number":
        return float(value)  # type: ignore[arg-type]
    text = value if isinstance(value, str) else flat_text(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
