"""What count writes as CSV reads back as what was answered."""

from __future__ import annotations

import csv
import io
import json

from tests.cli.calling import Caller

VALUES = ["a\u2028b", 'x\r\n"y"', "\x0b\x1b[31m", "=1+1", "tab\there"]


def test_values_with_separators_stay_whole(call: Caller) -> None:
    call("submit", call.source(1), "--wait")
    results = next((call.folder / "data" / "batches").glob("*/results.jsonl"))
    line = json.loads(results.read_text())
    lines = []
    for number, value in enumerate(VALUES):
        line["custom_id"] = f"r{number}"
        line["result"]["message"]["content"] = [{"type": "text", "text": json.dumps({"v": value})}]
        lines.append(json.dumps(line) + "\n")
    results.write_text("".join(lines))
    said = call("count", "last", "v", "--format", "csv", "--only", "usable").out.decode()
    rows = csv.DictReader(io.StringIO(said, newline=""))
    assert {row["value"] for row in rows} == {*VALUES[:3], "'=1+1", VALUES[4]}
