"""Batches of a run that can't be read: rows stay themselves, and what can't be read says so in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_lines import PRICES, good, store

from batchtui.domain.errors import StoreError
from batchtui.results.row_places import MemberPlaces
from batchtui.results.run_view import open_run
from batchtui.results.storage import open_results


def test_lines_without_an_id_come_before_another_batch(tmp_path: Path) -> None:
    store(tmp_path / "0", [b"no result\n", b"nor this\n"], [])
    store(tmp_path / "1", [good("a", "one"), good("b", "two")], ["a", "b"])
    store(tmp_path / "2", [good("b", "newer")], ["b"])
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 1), (tmp_path / "2", 2)], PRICES)
    assert run.ids() == ["", "", "a", "b"]
    assert (run.row_of(1, 0), run.row_of(2, 0)) == (2, 3)
    assert [run.first_words(row) for row in (2, 3)] == ["one", "newer"]


def test_a_file_of_rows_that_is_gone_bad_is_a_store_error(tmp_path: Path) -> None:
    store(tmp_path, [good("a", "one")], ["a"])
    places = MemberPlaces(open_results(tmp_path, PRICES))
    (tmp_path / "ids.jsonl").unlink(missing_ok=True)
    (tmp_path / "ids.jsonl").mkdir()
    with pytest.raises(StoreError):
        places.line("a")
