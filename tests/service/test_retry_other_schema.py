"""A retry that asks for another schema is checked by that one alone, and says so before it is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from batchtui.intake.answer_table import sent_schema, whole_schema
from batchtui.results.asked import SchemaPair
from batchtui.store.records import ANSWER
from tests.tui.work import add_batch, answered, make_service, request


def test_a_retry_says_that_bounds_of_another_schema_no_longer_apply(tmp_path: Path) -> None:
    whole = whole_schema({"mood": "string", "urgency": {"type": "integer", "minimum": 1, "maximum": 500}})
    sent = sent_schema(whole)
    asked = {"output_config": {"format": {"type": "json_schema", "schema": sent}}}
    service = make_service(tmp_path)
    results = [answered("a", [{"type": "text", "text": "{}"}])]
    record = add_batch(service, [request("a", "hello", **asked)], results, title="labels")
    kept = service.history.folder(record.local_id) / ANSWER
    kept.write_bytes(msgspec.json.encode([SchemaPair(sent, whole)]))
    changes: dict[str, tuple[dict[str, Any], bool]] = {
        "another schema": ({"output_config.format.schema.properties.mood.enum": json.dumps(["good", "bad"])}, True),
        "the same": ({"output_config.effort": "low"}, False),
        "none": ({"output_config": ""}, False),
    }
    with service.retry([record.local_id]) as again:
        rows = again.rows(custom_ids=["a"])
        for name, (change, said) in changes.items():
            lines = again.notes(rows, change).difference
            assert any("no longer apply" in line for line in lines) == said, name
