"""Where a key is named that works, or why it does not: a review's keys, the export's columns, tabs in the help."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

from textual.widgets import OptionList, Static

from batchtui.tui.dialogs import Choose
from batchtui.tui.help import HelpScreen
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.diff_view import DiffView
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.review import SAMPLE
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.opened_results import opened
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


async def test_a_batch_without_retries_is_compared_with_whole_runs(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    sent = [request("a", "x"), request("b", "y")]
    first = add_batch(service, sent, [line("a")], title="labels")
    retry = {"local_id": "20261122T110100Z-bbbbbb", "run": first.run, "attempt": 1}
    add_batch(service, sent[1:], [line("b")], title="labels", **retry)
    other = add_batch(service, sent, [line("a"), line("b")], title="other", local_id="20261122T110200Z-cccccc")
    async with opened(service, other.local_id) as (app, pilot, _):
        await pilot.press("equals_sign")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        shown = app.screen.query_one(OptionList)
        assert shown.option_count == 1 and "whole run: 2 batches" in str(shown.get_option_at_index(0).prompt)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        compared = app.screen
        await until(pilot, lambda: "usable 2 → 2" in words(compared, "#compare-sums"))
        assert "labels" in words(compared, "#compare-title") and "retry" not in words(compared, "#compare-title")
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: "in 0 → 0" not in words(compared, "#compare-sums"))
        compared.query_one(TabLine).choose("same")
        await until(pilot, lambda: compared.query_one(RowList).cursor_key is not None)
        await pilot.press("enter")
        view = compared.query_one(DiffView)
        await until(pilot, lambda: view.has_focus and not compared.query_one(RowList).display)
        await pilot.resize_terminal(140, 40)
        await until(pilot, lambda: compared.query_one(RowList).display and view.display)
        await until(pilot, lambda: "in 0 → 0" in words(compared, "#compare-sums"))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not compared.query_one(RowList).display and view.display)
        await pilot.press("escape")
        await until(pilot, lambda: compared.query_one(RowList).has_focus and not view.display)
