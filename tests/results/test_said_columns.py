"""What we say of each request, as columns by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.results.field_columns import FIRST
from batchtui.results.names import RUN, run_column
from results.result_lines import batch, errored, expired, good


def test_each_name_is_a_column_and_an_unknown_one_is_none(tmp_path: Path) -> None:
    view = batch(tmp_path, [good("a"), errored("b"), expired("c")])
    columns = {key: run_column(view, key) for key in RUN}
    assert all(len(column.codes) == 3 for column in columns.values())

    def values(key: str) -> list[object]:
        column = columns[key]
        return [column.entries[code - FIRST] if code >= FIRST else None for code in column.codes]

    assert values("error") == [None, "overloaded_error", None]
    assert values("outcome") == ["succeeded", "errored", "expired"]
    for key in ("", "errors", "custom-id", "run.error"):
        with pytest.raises(KeyError):
            run_column(view, key)
