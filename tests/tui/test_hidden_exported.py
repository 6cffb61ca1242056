"""Exporting a run whose blind sample is not finished is allowed, and said."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Static

from batchtui.domain.batch import BatchRecord
from batchtui.service import Service
from batchtui.tui.results.export import ExportScreen
from tests.tui.hidden import SAID, hide
from tests.tui.labelled import labels
from tests.tui.picture import text_of
from tests.tui.waiting import settled, until
from tests.tui.work import add_batch, answered, make_app, make_service, request


def other(service: Service) -> BatchRecord:
    lines = [answered("a", [{"type": "text", "text": "x"}])]
    return add_batch(service, [request("a", "x")], lines, local_id="20261122T115000Z-bbbbbb")


async def test_homes_export_says_that_hidden_answers_are_exported(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    first = labels(service, 10)
    other(service)
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.home
        for hidden in (False, True):
            if hidden:
                hide(service.history.folder(first.local_id))
            home.batches.move_to_key(("batch", first.local_id))
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen))
            await settled(pilot)
            said = [str(each.content) for each in app.screen.query(Static)]
            assert (f"! {SAID}" in said) == hidden, text_of(app)
            if hidden:
                await pilot.resize_terminal(60, 20)
                app.screen.query_one("#yes").focus()
                await until(pilot, lambda: "Cancel" in text_of(app))  # A box that is too high is scrolled to its keys.
                await pilot.resize_terminal(80, 24)
            await pilot.press("escape")
            await settled(pilot)
        await pilot.press("asterisk", "x")
        await settled(pilot)
        said = [str(each.content) for each in app.screen.query(Static)]
        assert "Export the results of 2 batches to a folder" in said and f"! {SAID}." in "".join(said)
