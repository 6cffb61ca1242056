"""Where a key is named that works, or why it does not: a review's keys, the export's columns, tabs in the help."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

from textual.widgets import Static

from batchtui.tui.help import HelpScreen
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.review import SAMPLE
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.test_results import opened
from tests.tui.waiting import until
from tests.tui.work import add_batch, make_service, request


def line(custom_id: str) -> bytes:
    message = {"model": "m", "stop_reason": "end_turn", "content": [{"type": "text", "text": "x"}], "usage": {}}
    return json.dumps({"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}).encode() + b"\n"


def words(screen: Any, query: str, kind: type[Static] = Static) -> str:
    return str(screen.query_one(query, kind).content)


async def test_keys_are_named_where_they_work(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    record = add_batch(service, [request("a", "x"), request("b", "y")], [line("a"), line("b")])
    async with opened(service, record.local_id) as (app, pilot, screen):
        keys = screen.query_one("ResultsScreen > KeyLine", KeyLine)
        assert "+ right" not in str(keys.content)
        screen.show_rows(SAMPLE, array("I", [1]))
        await until(pilot, lambda: "+ right  - wrong  t note" in str(keys.content))
        await pilot.press("escape")
        await until(pilot, lambda: "+ right" not in str(keys.content))

        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        said = "".join(str(each.content) for each in app.screen.query(Static))
        assert "1 … 9" in said and "tab 4" not in said
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)

        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        assert app.screen.query_one(TabLine).chosen == "jsonl"
        await pilot.press("ctrl+k")
        await until(pilot, lambda: "choose one of them" in words(app.screen, "#export-said"))
