"""On the screen: what was skipped is named with its place, and an export can hold every row of the source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Static

from batchtui.domain.batch import BatchRecord
from batchtui.results.skipped import SkippedRow, line_of, read_skipped
from batchtui.service import Service
from batchtui.service.plan_commit import PlanCommitter
from batchtui.tui.home.details import of_batch
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import opened as composing
from tests.tui.opened_results import opened, settled
from tests.tui.waiting import until
from tests.tui.work import NOW, add_batch, make_service, mixed, request


def skipping(tmp_path: Path) -> tuple[Service, BatchRecord]:
    service = make_service(tmp_path)
    requests, results = mixed()
    record = add_batch(service, requests, results, skipped=1)
    row = SkippedRow(where="in.csv:3", source=1, number=3, row_id="seven", problems=["text is empty"], row={"t": "x"})
    service.skipped_path(record).write_bytes(line_of(row))
    return service, record


def rows_line(screen: ExportScreen) -> str:
    return str(screen.query_one("#export-rows", Static).content)


async def exporting(pilot: Pilot[Any], screen: ResultsScreen) -> ExportScreen:
    await pilot.press("x")
    await until(pilot, lambda: isinstance(pilot.app.screen, ExportScreen))
    assert isinstance(pilot.app.screen, ExportScreen)
    return pilot.app.screen


async def test_an_export_of_everything_can_hold_every_row(tmp_path: Path) -> None:
    service, record = skipping(tmp_path)
    async with opened(service, record.local_id) as (app, pilot, screen):
        export = await exporting(pilot, screen)
        await until(pilot, lambda: "1 request with errors skipped" in rows_line(export))
        assert "answered: no" in rows_line(export)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "answered: yes" in rows_line(export))
        export.query_one(PathInput).value = str(tmp_path / "out.jsonl")
        export.query_one("#yes", Button).press()
        await until(pilot, lambda: app.screen is screen)
        kinds = [json.loads(line)["result"]["type"] for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
        assert kinds.count("not_sent") == 1 and kinds.count("no_answer") == 1
        assert f"Exported {len(kinds)} rows" in screen.query_one(StatusLine).said


async def test_an_export_of_a_choice_has_no_other_rows(tmp_path: Path) -> None:
    service, record = skipping(tmp_path)
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("5")
        await settled(pilot, screen)
        export = await exporting(pilot, screen)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert rows_line(export) == ""
        export.query_one(PathInput).value = str(tmp_path / "out.jsonl")
        export.query_one("#yes", Button).press()
        await until(pilot, lambda: app.screen is screen)
        assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 6


def test_the_details_say_how_many_were_skipped_and_where_they_are(tmp_path: Path) -> None:
    _, record = skipping(tmp_path)
    shown = " ".join(of_batch(record, NOW, None, width=200).plain.split())
    assert f"Skipped 1 request with errors, not sent, kept in batches/{record.local_id}/skipped.jsonl" in shown


async def test_a_plan_from_the_screen_keeps_what_is_skipped(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    path = tmp_path / "bad.jsonl"
    path.write_bytes(request("fine", "x") + b'{"custom_id": "here", "params": {"modle": 1}}\n')
    async with composing(service, path) as (_, pilot, screen):
        first = screen.plan
        screen.query_one("#source-skip").focus()
        await pilot.press("space")
        await until(pilot, lambda: screen.plan is not None and screen.plan is not first)
        assert screen.plan is not None and screen.plan.ok
        [record] = PlanCommitter(service.context).commit(screen.plan, title="", note="", retry_of=None)
    [kept] = read_skipped(service.skipped_path(record))
    assert (record.skipped, kept.custom_id, kept.where) == (1, "here", f"{path}:2")
