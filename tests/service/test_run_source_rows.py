"""Which rows of a run become rows of the next: invalid and cut short answers only when they are asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batchtui.intake.options import IntakeOptions, RunChoice
from tests.tui.work import add_batch, answered, failed, make_service, request

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["good", "bad"]}},
    "required": ["mood"],
    "additionalProperties": False,
}
TEMPLATE = """
model = "claude-haiku-5-5"
max_tokens = 99
prompt = "{{ custom_id }}|{{ run.outcome }}|{{ run.error_message }}|{{ answer }}"
"""


def text(said: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": said}]


@pytest.mark.parametrize(
    ("only", "taken", "left"),
    [
        ((), ["fine"], "4 of 5 rows left out: 1 cut short, 2 invalid, 1 errored"),
        (("invalid",), ["odd", "prose"], "3 of 5 rows left out: 1 usable, 1 cut short, 1 errored"),
        (("usable", "invalid"), ["fine", "odd", "prose"], "2 of 5 rows left out: 1 cut short, 1 errored"),
        (("succeeded",), ["fine", "odd", "prose", "short"], "1 of 5 rows left out: 1 errored"),
    ],
)
def test_invalid_rows_are_left_out_and_counted_unless_asked_for(
    tmp_path: Path, only: tuple[str, ...], taken: list[str], left: str
) -> None:
    service = make_service(tmp_path)
    asked = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    names = ["fine", "odd", "prose", "short", "lost"]
    results = [
        answered("fine", text('{"mood": "good"}')),
        answered("odd", text('{"mood": "fair"}')),
        answered("prose", text("It is good.")),
        answered("short", text('{"mood": '), stop="max_tokens"),
        failed("lost", "overloaded_error", "Overloaded"),
    ]
    add_batch(service, [request(name, name, **asked) for name in names], results, title="labels")
    plan = service.plan(["run:labels"], IntakeOptions(template_text=TEMPLATE, choice=RunChoice(only=only)))
    assert plan.ok and plan.parts[0].path is not None
    lines = plan.parts[0].path.read_text().splitlines()
    said = [json.loads(each)["params"]["messages"][0]["content"].split("|") for each in lines]
    assert [each[0] for each in said] == taken
    assert left in [group.message for group in plan.problems]
    outcomes = {each[0]: each[1:3] for each in said}
    if "odd" in outcomes:
        assert outcomes["odd"] == ["succeeded (invalid)", 'mood is "fair", not one of "good", "bad"']
        assert next(each[3] for each in said if each[0] == "odd") == '{"mood": "fair"}'
    service.discard(plan)
