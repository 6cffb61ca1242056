"""Two sources with the same bytes: each row of one run matches its own row of the other, never one row twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_lines import batch, good

from batchtui.results.compare import compare
from batchtui.results.row_ids import SourceMark, row_line, source_line
from batchtui.results.row_match import match
from batchtui.results.view import ResultSet

ROWS = 3


def made(folder: Path, mark: str, own: str, copies: int) -> ResultSet:
    """A batch made from the same file so many times, whose rows have ids of their own or none."""
    rows = [(source, number) for source in range(1, copies + 1) for number in range(2, 2 + ROWS)]
    names = [f"{mark}-{place:06}" for place in range(1, len(rows) + 1)]
    opened = batch(folder, [good(name, "same") for name in names], names)
    lines = [
        row_line(name, own and f"{own}{number}", source, number, {"n": number})
        for name, (source, number) in zip(names, rows, strict=True)
    ]
    lines += [source_line(SourceMark(source, f"{source}.csv", "f" * 64)) for source in range(1, copies + 1)]
    (folder / "ids.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return opened


@pytest.mark.parametrize("own", ["t-", ""], ids=["own ids", "no ids"])
def test_a_file_given_twice_matches_row_by_row(tmp_path: Path, own: str) -> None:
    left, right = made(tmp_path / "l", "aaaaaa", own, 2), made(tmp_path / "r", "bbbbbb", own, 2)
    assert match(left, right) == [*range(2 * ROWS)]
    assert compare(left, right).counts()["same"] == 2 * ROWS


@pytest.mark.parametrize("own", ["t-", ""], ids=["own ids", "no ids"])
def test_no_row_is_matched_twice_by_a_file_given_once(tmp_path: Path, own: str) -> None:
    left, right = made(tmp_path / "l", "aaaaaa", own, 2), made(tmp_path / "r", "bbbbbb", own, 1)
    found = match(left, right)
    assert found == [*range(ROWS), *[-1] * ROWS]
    assert [row for row in match(right, left) if row >= 0] == [*range(ROWS)]


def test_templates_that_make_other_ids_match_a_file_given_twice_by_its_places(tmp_path: Path) -> None:
    left, right = made(tmp_path / "l", "aaaaaa", "v1-", 2), made(tmp_path / "r", "bbbbbb", "v2-", 2)
    assert match(left, right) == [*range(2 * ROWS)]
