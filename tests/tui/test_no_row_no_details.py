"""Where a filter leaves no batch, nothing beside the list speaks of one, and no key does."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Static

from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.labelled import labels
from tests.tui.picture import text_of
from tests.tui.waiting import settled
from tests.tui.work import make_app, make_service


async def test_details_go_with_the_last_row_and_come_back(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    record = labels(service, 10)
    app = make_app(service)
    async with app.run_test(size=(120, 40)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await settled(pilot)
        facts = home.query_one("#facts-of", Static)
        assert record.local_id[:20] in str(facts.content)
        await pilot.press("slash", *"nowhere", "enter")
        await settled(pilot)
        assert "No batch matches the filter." in text_of(app) and not str(facts.content)
        await pilot.press("r")
        await settled(pilot)
        assert home.query_one(StatusLine).said == "nothing to retry here"
        await pilot.press("escape", "escape")
        await settled(pilot)
        assert record.local_id[:20] in str(facts.content)
