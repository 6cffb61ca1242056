"""The export dialog: columns by marks in a list, values instead of text, and no file replaced without a yes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from textual.widgets import Button, Static

from batchtui.tui.dialogs import Confirm
from batchtui.tui.results.column_choice import ColumnsScreen
from batchtui.tui.results.detail import Read, text_of
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.opened_results import opened
from tests.tui.waiting import until
from tests.tui.work import add_batch, make_service, request

CALL = {"type": "tool_use", "id": "t", "name": "file", "input": {"path": "a.txt"}}


def line(custom_id: str, content: list[object]) -> bytes:
    message = {"model": "m", "stop_reason": "end_turn", "content": content, "usage": {"input_tokens": 1}}
    return json.dumps({"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}).encode() + b"\n"


async def test_columns_are_marked_in_their_order_and_a_file_is_replaced_after_a_yes(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    said = [{"type": "text", "text": '{"label": "spam"}'}]
    both = [{"type": "text", "text": "Here it is."}, CALL]
    results = [line("b", both), line("a", said)]
    record = add_batch(service, [request("a", "x"), request("b", "y")], results)
    out = tmp_path / "out.csv"
    out.write_text("before")
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        export = app.screen
        await pilot.press("right", "right")
        await until(pilot, lambda: export.query_one(TabLine).chosen == "csv")
        await pilot.press("ctrl+k")
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        # The list is label, path, custom_id …, and a mark goes on to the next row.
        await pilot.press("down", "space", "space", "g", "space", "enter")
        await until(pilot, lambda: app.screen is export)
        await until(pilot, lambda: "3 chosen" in str(export.query_one("#export-options", Static).content))
        await pilot.press("ctrl+b")
        await until(pilot, lambda: "Excel: yes" in str(export.query_one("#export-options", Static).content))
        export.query_one(PathInput).value = str(out)
        export.query_one("#yes", Button).press()
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert out.read_text() == "before"
        await pilot.press("y")
        await until(pilot, lambda: app.screen is screen)
    rows = list(csv.reader(out.open(encoding="utf-8-sig", newline="")))
    assert rows == [["path", "custom_id", "label"], ["", "a", "spam"], ["a.txt", "b", ""]]
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")


def test_what_is_copied_holds_a_tool_call_beside_the_text(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    said = [{"type": "text", "text": "Here it is."}, CALL, {"type": "compaction", "content": "So far."}]
    record = add_batch(service, [request("a", "x")], [line("a", said)])
    view = service.open_results(record.local_id)
    found = text_of(Read(view.row(0), view.raw(0), None, "", ""), "markdown")
    assert found.startswith("Here it is.\n\n**Tool call: file**\n\n```json\n") and '"path": "a.txt"' in found
    assert found.endswith("So far.")


async def test_a_run_that_asked_for_values_is_offered_as_csv_first(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    asked = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    said = [{"type": "text", "text": '{"label": "spam"}'}]
    record = add_batch(service, [request("a", "x", output_config=asked)], [line("a", said)])
    async with opened(service, record.local_id) as (app, pilot, _):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        await until(pilot, lambda: app.screen.query_one(PathInput).value.endswith(".csv"))
        assert app.screen.query_one(TabLine).chosen == "csv"
        assert "field of JSON answers: yes" in str(app.screen.query_one("#export-options", Static).content)
