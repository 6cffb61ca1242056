"""What count writes as CSV reads back as what was answered."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from result_lines import batch, good

from batchtui.cli.place import Destination, write_table
from batchtui.present.counts import to_csv
from batchtui.results.column_counts import count
from batchtui.results.names import names_of

VALUES = ["a\u2028b", 'x\r\n"y"', "\x0b\x1b[31m", "=1+1", "tab\there"]


def test_values_with_separators_stay_whole(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    view = batch(tmp_path, [good(f"r{number}", json.dumps({"v": value})) for number, value in enumerate(VALUES)])
    write_table(Destination(None, "csv", replace=False), to_csv(count(view, names_of(view), "v")))
    rows = csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline=""))
    assert {row["value"]: row["rows"] for row in rows} == dict.fromkeys([*VALUES[:3], "'=1+1", VALUES[4]], "1")
