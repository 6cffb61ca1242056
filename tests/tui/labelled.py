"""Runs of tables with labels in the store: a column that is right, answers with fields."""

from __future__ import annotations

import json
from typing import Any

from batchtui.domain.batch import BatchRecord
from batchtui.service import Service
from tests.tui.work import add_batch, answered, failed, request

FIRST, SECOND = "20261122T110000Z-aaaaaa", "20261122T113000Z-bbbbbb"
LABELS = ("positive", "negative", "mixed")
ROWS = 40
SCHEMA = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": ["positive", "negative", "mixed"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
        "reason": {"type": "string"},
    },
    "required": ["sentiment", "urgency", "reason"],
    "additionalProperties": False,
}
ASKED = {
    "system": "You label customer feedback.",
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}
WORDS = ("positive", "negative", "mixed", "Positive")


def two_runs(service: Service) -> None:
    """Two runs over the same labelled rows; row 7 has no answer in the first."""
    for local_id, title, shift in ((FIRST, "labels", 5), (SECOND, "labels, new prompt", 8)):
        requests, lines, ids = [], [], []
        for n in range(ROWS):
            gold = LABELS[n % 3]
            name = f"r{n:02}"
            said = LABELS[(n + (n % shift == 0)) % 3]
            content = json.dumps({"tone": said, "reason": f"It says {said} in line {n % 4} of the text."})
            requests.append(request(name, f"Text {n}"))
            late = n == 7 and local_id == FIRST
            lines.append(
                failed(name, "api_error", "late") if late else answered(name, [{"type": "text", "text": content}])
            )
            row = {"gold_tone": gold, "text": f"Text {n}"}
            line = {"custom_id": name, "row_id": f"R{n:02}", "source": 1, "number": n + 2, "row": row}
            ids.append(json.dumps(line).encode() + b"\n")
        add_batch(service, requests, lines, local_id=local_id, title=title)
        (service.history.folder(local_id) / "ids.jsonl").write_bytes(b"".join(ids))


def labels(service: Service, rows: int = ROWS, paths: int = 0) -> BatchRecord:
    """A run of a table: own columns, answers with fields; row 2 is invalid, row 5 errored, row 7 truncated."""
    requests, results, ids = [], [], []
    for number in range(rows):
        name = f"R{number:04}"
        requests.append(request(name, f"Product: kettle\n\nThe kettle number {number} came late.", **ASKED))
        row = {"id": name, "stars": str(number % 5 + 1), "text": f"The kettle number {number} came late, and I waited."}
        ids.append(json.dumps({"custom_id": name, "id": name, "row": row}).encode() + b"\n")
        answer: dict[str, Any] = {
            "sentiment": WORDS[number % 4],
            "urgency": 7 if number == 2 else number % 5 + 1,
            "reason": f"Reason {number} is that the parcel came late, and nobody called about it.",
            **{f"path{n}": n for n in range(paths)},
        }
        text = [{"type": "text", "text": json.dumps(answer)}]
        if number == 5:
            results.append(failed(name, "overloaded_error", "Overloaded"))
        else:
            results.append(answered(name, text, stop="max_tokens" if number == 7 else "end_turn"))
    if paths:
        requests = [request(f"R{number:04}", "Say much.") for number in range(rows)]
    record = add_batch(service, requests, results)
    (service.history.folder(record.local_id) / "ids.jsonl").write_bytes(b"".join(ids))
    return record
