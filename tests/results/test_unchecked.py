"""A schema that can't be compiled checks nothing: the check of the requests says so, and the results do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import Caller, call
from tests.intake.helpers import codes, group, plan_for
from tests.intake.helpers import request as native
from tests.quick import hurry

from batchtui.present.batch import unchecked
from batchtui.results.answer_check import Schema
from batchtui.results.fields import check_answers
from batchtui.results.run_view import open_run
from batchtui.results.storage import open_results
from results.result_lines import PRICES, batch, good, line, message, request

__all__ = ["call"]
FINE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
ODD = {**FINE, "$schema": "https://schemas.example/none"}
"""The checks find no fault in it, and nobody knows its dialect."""


def asked(schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def tool(schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": "label", "description": "d", "input_schema": schema, **more}


def test_the_check_says_once_how_many_answers_will_not_be_checked(tmp_path: Path) -> None:
    forced = {"type": "tool", "name": "label"}
    requests = [
        *(native(f"n{n}", **asked(ODD)) for n in range(3)),
        native("fine", **asked(FINE)),
        native("strict", tools=[tool(ODD, strict=True)]),
        native("forced", tools=[tool(ODD)], tool_choice=forced),
        native("any", tools=[tool(ODD)], tool_choice={"type": "any"}),
        native("free", tools=[tool(ODD)]),
    ]
    plan = plan_for(tmp_path, *requests)
    assert plan.ok and codes(plan) == ["schema_unchecked"]
    found = group(plan, "schema_unchecked")
    assert (found.level, found.count) == ("warning", 6)
    assert "answers can't be checked" in found.message and "Unknown meta-schema" in found.message
    # What the API refuses anyway is said as that alone.
    assert "schema_unchecked" not in codes(plan_for(tmp_path, native("x", **asked({**ODD, "minProperties": 1}))))


def test_results_say_how_many_were_not_checked(tmp_path: Path) -> None:
    requests = [request("a", **asked(ODD)), request("b", **asked(FINE)), request("c", **asked(ODD)), request("d")]
    answers = [good("a", "no JSON"), good("b", '{"a": "x"}'), good("c", "cut", stop="max_tokens"), good("d", "x")]
    view = batch(tmp_path, answers, requests=requests)
    assert (view.unchecked.count, view.row(0).good) == (1, True)
    assert unchecked(view.unchecked).startswith(
        "1 answer not checked: the schema can't be compiled (Unknown meta-schema"
    )
    run = open_run([(tmp_path, 0)], PRICES)
    assert run.unchecked.count == 1
    run.close()
    # A schema given later checks these too.
    view = open_results(tmp_path, PRICES)
    check_answers(view, Schema(FINE))
    assert (view.unchecked.count, view.row(0).invalid, view.row(1).good, view.row(3).invalid) == (0, True, True, True)
    calls = [message("t", [{"type": "tool_use", "id": "1", "name": "label", "input": {"a": 1}}], stop="tool_use")]
    (tmp_path / "tools").mkdir()
    view = batch(tmp_path / "tools", calls, requests=[request("t", tools=[tool(ODD, strict=True)])])
    assert view.unchecked.count == 1
    assert batch(tmp_path / "tools", [line("t", "errored")], requests=[request("t", **asked(ODD))]).unchecked.count == 0


def test_the_verb_says_it(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    source = call.folder / "odd.jsonl"
    source.write_text("".join(json.dumps(native(f"{n}-demo-ok", **asked(ODD))) + "\n" for n in range(3)))
    assert "warning ×3" in call("check", source).out.decode()
    call("submit", source, "--wait", "--yes")
    said = call("results", "last")
    assert "warning: 3 answers not checked" in said.err and "--schema FILE" in said.err
