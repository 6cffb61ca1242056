"""What count writes as CSV reads back as what was answered; what is counted twice is said."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from result_lines import batch, good

from batchtui.cli.place import Destination, write_table
from batchtui.cli.words import say_of_figures
from batchtui.present.counts import to_csv
from batchtui.results.column_counts import count
from batchtui.results.filter import parse_filter
from batchtui.results.names import names_of
from batchtui.results.search import select

VALUES = ["a\u2028b", 'x\r\n"y"', "\x0b\x1b[31m", "=1+1", "tab\there"]


def test_values_with_separators_stay_whole(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    view = batch(tmp_path, [good(f"r{number}", json.dumps({"v": value})) for number, value in enumerate(VALUES)])
    write_table(Destination(None, "csv", replace=False), to_csv(count(view, names_of(view), "v")))
    rows = csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline=""))
    assert {row["value"]: row["rows"] for row in rows} == dict.fromkeys([*VALUES[:3], "'=1+1", VALUES[4]], "1")


def test_results_that_came_twice_are_said_as_long_as_they_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    view = batch(tmp_path, [good("a"), good("b"), good("a")], ["a", "b"])
    assert (view.repeats(), view.repeats(select(view, parse_filter("-is:duplicate")))) == (1, 0)
    say_of_figures(["A note."], view.repeats())
    said = capsys.readouterr().err
    assert "A note." in said and "1 result was received twice and counted twice" in said
