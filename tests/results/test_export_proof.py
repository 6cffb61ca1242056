"""Exports read back equal the answers: by the standard library always, by pandas and pyarrow in the slow form."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from export_lines import RESULT, given_cell, lines_of, said
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from result_lines import batch

from batchtui.results.export import export
from batchtui.results.field_columns import quoted
from batchtui.results.view import ResultSet

RESULTS = st.lists(RESULT, min_size=1, max_size=20)
BESIDE = ("answer", "tool_calls", "compaction", "stop_details", "error", "error_message")


@contextmanager
def stored(results: list[dict[str, Any]]) -> Iterator[tuple[Path, ResultSet, list[bytes]]]:
    """A batch whose results came in another order than its requests were sent."""
    folder = Path(tempfile.mkdtemp())
    lines = lines_of(results)
    try:
        view = batch(folder / "batch", lines[::-1], [f"r{number}" for number in range(len(lines))])
        yield folder, view, lines
        view.close()
    finally:
        shutil.rmtree(folder)


def value_of(key: str, found: str | None, wanted: Any) -> Any:
    """A cell as the value it stands for."""
    if key == "tool_calls":
        return json.loads(found) if found else []
    if key == "stop_details":
        return json.loads(found) if found else None
    if key == "answer" and isinstance(wanted, dict | list):
        return json.loads(found or "")
    return found or ("" if wanted is not None else None)


def check(rows: list[dict[str, Any]], results: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Whether rows hold what the results say; ``names`` are their columns."""
    assert [row[names["custom_id"]] for row in rows] == [f"r{number}" for number in range(len(results))]
    for row, result in zip(rows, results, strict=True):
        wanted = said(result)
        for key in BESIDE:
            if row[names["outcome"]] != "succeeded (invalid)" or key != "error_message":
                assert value_of(key, row[names[key]], wanted[key]) == wanted[key], key


def names_of(header: list[str]) -> dict[str, str]:
    """What our columns are called where a field has their name."""
    return {key: key if f"run.{key}" not in header else f"run.{key}" for key in ("custom_id", "outcome", *BESIDE)}


def flat(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The fields of an object: its leaves by path."""
    for key, value in found.items():
        if isinstance(value, dict) and value:
            yield from flat(value, (*path, key))
        else:
            yield (*path, key), value


def check_fields(row: dict[str, Any], result: dict[str, Any]) -> None:
    """Whether a row of the table of fields holds those of an answer that is one object and nothing else."""
    content = result.get("message", {}).get("content", [])
    if len(content) != 1 or content[0]["type"] not in ("text", "tool_use"):
        return
    block = content[0]
    try:
        found = block["input"] if block["type"] == "tool_use" else json.loads(block["text"])
    except ValueError:
        return
    if not isinstance(found, dict):
        return
    for path, value in flat(found):
        name = ".".join(map(quoted, path)).replace("\0", "\ufffd")
        names = [each for each in row if each == name or each.rpartition("_")[0] == name]
        held = [row[each] for each in names]
        if isinstance(value, list | dict):
            assert value in [json.loads(each) for each in held if isinstance(each, str) and each[:1] in "[{"]
        elif isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
            assert str(value) in held
        else:
            assert value in held


def by_the_standard_library(results: list[dict[str, Any]]) -> None:
    with stored(results) as (folder, view, lines):
        export(view, None, "jsonl", folder / "out.jsonl")
        assert (folder / "out.jsonl").read_bytes() == b"".join(lines)
        export(view, None, "csv", folder / "out.csv")
        with (folder / "out.csv").open(newline="", encoding="utf-8") as file:
            rows = [{key: given_cell(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
        check(rows, results, names_of([]))
        export(view, None, "csv", folder / "unfolded.csv", unfold=True)
        with (folder / "unfolded.csv").open(newline="", encoding="utf-8") as file:
            rows = [{key: given_cell(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
        check(rows, results, names_of(list(rows[0])))
        out = io.BytesIO()
        export(view, None, "json", out)
        texts = json.loads(out.getvalue())
        assert list(texts) == [f"r{number}" for number in range(len(results))]
        for text, result in zip(texts.values(), results, strict=True):
            wanted = said(result)["answer"]
            assert (json.loads(text) if isinstance(wanted, dict | list) else text) == wanted
        export(view, None, "sqlite", folder / "out.db")
        with closing(sqlite3.connect(folder / "out.db")) as database:
            database.row_factory = sqlite3.Row
            tables = {
                name: database.execute(f"SELECT * FROM {name} ORDER BY row_number") for name in ("answers", "fields")
            }
            held = {name: [dict(row) for row in cursor] for name, cursor in tables.items()}
        check(held["answers"], results, names_of([]))
        for row, result in zip(held["fields"], results, strict=True):
            check_fields(row, result)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(RESULTS)
def test_what_is_read_back_is_what_was_answered(results: list[dict[str, Any]]) -> None:
    by_the_standard_library(results)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=100, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(RESULTS)
def test_a_thousand_results_are_read_back_by_pandas_and_pyarrow(results: list[dict[str, Any]]) -> None:
    pandas = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    by_the_standard_library(results)
    with stored(results) as (folder, view, _):
        export(view, None, "csv", folder / "out.csv")
        frame = pandas.read_csv(folder / "out.csv", dtype=str, keep_default_na=False, engine="python")
        rows = [{key: given_cell(cell) for key, cell in row.items()} for row in frame.to_dict("records")]
        check(rows, results, names_of([]))
        export(view, None, "sqlite", folder / "out.db")
        with closing(sqlite3.connect(folder / "out.db")) as database:
            frame = pandas.read_sql("SELECT * FROM answers ORDER BY row_number", database)
        check(frame.astype(object).where(frame.notna(), None).to_dict("records"), results, names_of([]))
        export(view, None, "parquet", folder / "out.parquet", unfold=True)
        table = parquet.read_table(folder / "out.parquet")
        check(table.to_pylist(), results, names_of(table.column_names))
        same = pandas.read_parquet(folder / "out.parquet")
        assert list(same.columns) == table.column_names and len(same) == len(results)
