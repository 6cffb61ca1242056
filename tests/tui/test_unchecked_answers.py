"""The results screen says that a schema which was asked for checks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from batchtui.results import field_builder
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, make_app, make_service, request

LOCAL = "20261122T110000Z-aaaaaa"


async def test_answers_that_nothing_checked_are_said_above_the_results(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    odd = {"format": {"type": "json_schema", "schema": {"type": "nonsense"}}}
    answers = [answered(name, [{"type": "text", "text": "{}"}]) for name in ("a", "b")]
    add_batch(service, [request("a", "hello", output_config=odd), request("b", "hello")], answers, local_id=LOCAL)
    app = make_app(service)
    async with app.run_test(size=(120, 30)) as pilot:
        app.push_screen(screen := ResultsScreen(LOCAL))
        await until(pilot, lambda: screen.query("#results-title"))
        await until(pilot, lambda: "1 not checked" in str(screen.query_one("#results-title", Static).content))
        assert "the schema can't be compiled" in screen.query_one(StatusLine).said


async def test_fields_and_verdicts_that_are_left_out_are_said_once_rows_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_builder, "MAX_PATHS", 1)
    service = make_service(tmp_path)
    answers = [answered("a", [{"type": "text", "text": '{"k": 1, "z": 2}'}])]
    add_batch(service, [request("a", "hello")], answers, local_id=LOCAL)
    (service.history.folder(LOCAL) / "review.jsonl").write_bytes(b"torn\n\xff\n")
    app = make_app(service)
    async with app.run_test(size=(120, 30)) as pilot:
        app.push_screen(screen := ResultsScreen(LOCAL))
        await until(pilot, lambda: screen.query(StatusLine))
        await until(pilot, lambda: "2 lines of review.jsonl can't be read" in screen.query_one(StatusLine).said)
        assert "1 value of others is left out." in screen.query_one(StatusLine).said
