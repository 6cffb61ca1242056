"""Hostile schemas and places for results: bounded, and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchtui.domain.errors import InputError
from batchtui.results.answer_check import listed_at
from batchtui.results.export import format_of
from batchtui.results.export_job import there_already


def test_the_lists_of_a_schema_that_refers_to_itself_are_bounded() -> None:
    inner: dict[str, Any] = {name: {"$ref": "#/$defs/node"} for name in "abcdefgh"}
    node = {"type": "object", "properties": {**inner, "kind": {"enum": ["leaf", "Branch"]}}}
    found = listed_at({"$defs": {"node": node}, "$ref": "#/$defs/node"})
    assert found["kind",] == ["leaf", "Branch"]
    assert found["a", "h", "kind"] == ["leaf", "Branch"]
    assert 100 < len(found) < 20_000
    unions = {"$defs": {"u": {"anyOf": [{"$ref": "#/$defs/u"}] * 50}}, "$ref": "#/$defs/u"}
    assert listed_at(unions) == {}


def test_a_file_that_cannot_be_written_or_is_another_format_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't write"):
        there_already(tmp_path / ("n" * 300 + ".csv"))
    for name in ("out.xlsx", "out.csv.gz", "OUT.TSV"):
        with pytest.raises(InputError, match="not a format"):
            format_of(Path(name))
    assert format_of(Path("out.tsv"), "csv") == "csv"
    assert format_of(Path("out.txt")) == "jsonl"
