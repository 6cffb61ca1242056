"""F4 on the new screen closes open schemas, and is offered where that helps; likely costs stand in the plan."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
from textual.widgets import Input

from batchtui.tui.new.plan_summary import plan_lines
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.widgets.toggle import Toggle
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service, request


async def test_f4_closes_schemas_and_is_offered_only_then(tmp_path: Path) -> None:
    shape = {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    opened, plain = tmp_path / "open.jsonl", tmp_path / "plain.jsonl"
    fine = json.loads(request("a", "x"))
    fine["params"]["model"] = "claude-haiku-5-5"
    plain.write_text(json.dumps(fine))
    fine["params"]["output_config"] = {"format": shape}
    opened.write_text(json.dumps(fine))
    app = make_app(make_service(tmp_path / "data"))
    async with app.run_test(size=(100, 30)) as pilot:
        screen = NewScreen(path=str(plain))
        await app.push_screen(screen)
        await until(pilot, lambda: screen.plan is not None)
        assert screen.plan is not None and screen.plan.ok and not screen.closing_helps
        screen.query_one("#source-path", Input).value = str(opened)
        await screen.action_check()
        await until(pilot, lambda: screen.plan is not None and screen.plan.errors == 1)
        assert screen.closing_helps and screen.query_one("#source-close", Toggle).display
        await settled(pilot)
        await pilot.press("f4")
        await until(pilot, lambda: screen.plan is not None and screen.plan.ok)
        assert screen.query_one(SourceForm).close_schemas and screen.closing_helps
        assert [group.code for group in screen.plan.problems] == ["schema_closed"]
        estimate = msgspec.structs.replace(screen.plan.estimate, likely_usd=Decimal("3.10"))
        lines = plan_lines(msgspec.structs.replace(screen.plan, estimate=estimate))
        assert any("~$3.10 likely" in line.plain for line in lines)
