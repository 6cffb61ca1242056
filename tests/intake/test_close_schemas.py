"""Open schemas are named with what closes them, and closed where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from batchtui.intake.schema_rules import check_schema, close_params
from tests.intake.helpers import plan_for, request, staged

OPEN: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}, "b": {"$ref": "#/$defs/b"}},
    "required": ["a", "b"],
    "$defs": {"b": {"anyOf": [{"type": ["object", "null"], "additionalProperties": True}, {"type": "string"}]}},
}


def asked(**tool: Any) -> dict[str, Any]:
    return request(
        "a",
        output_config={"format": {"type": "json_schema", "schema": OPEN}},
        tools=[{"name": "f", "input_schema": {"type": "object", "properties": {}}, **tool}],
    )


def test_an_open_schema_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, asked())
    (group,) = [each for each in plan.problems if each.code == "schema_open"]
    assert "--close-schemas" in group.message and not plan.ok


def test_schemas_are_closed_at_any_depth_and_only_those_that_the_api_obeys(tmp_path: Path) -> None:
    requests = [asked(strict=True), {**asked(), "custom_id": "b"}]
    plan = plan_for(tmp_path, *requests, close_schemas=True, staging=tmp_path / "s")
    assert plan.ok
    assert [(each.code, each.count) for each in plan.problems] == [("schema_closed", 2)]
    for sent, strict in zip(staged(plan), (True, False), strict=True):
        params = sent["params"]
        assert not check_schema(params["output_config"]["format"]["schema"], "x").problems
        tool = params["tools"][0]["input_schema"]
        assert ("additionalProperties" in tool) == strict


def test_what_is_closed_or_no_schema_stays_as_it_is() -> None:
    for params in (
        {},
        {"output_config": 5, "tools": "x"},
        {"output_config": {"format": {"schema": {"type": "object", "additionalProperties": False}}}},
        {"output_config": {"format": {"schema": 5}}, "tools": [5, {"strict": True}]},
    ):
        before = json.dumps(params)
        assert not close_params(params) and json.dumps(params) == before
