"""The errors of a batch, grouped, say which of its requests a retry answered since; those need no retry."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from batchtui.service import Service
from batchtui.tui.results.error_groups import GroupsScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.opened_results import opened, settled
from tests.tui.picture import text_of
from tests.tui.test_results_run import AGAIN, FIRST, WHOLE, service
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, request

__all__ = ["service"]
LAST = "20261122T114500Z-cccccc"


@pytest.fixture
def retried(service: Service, tmp_path: Path) -> Service:
    """Four cut short, of which a retry answered two, and one error, which another retry answered."""
    add_batch(service, [request("row-9", "x")], [answered("row-9", WHOLE)], local_id=LAST, run=FIRST, attempt=2)
    return service


async def test_a_group_says_what_a_retry_answered(retried: Service) -> None:
    async with opened(retried, FIRST) as (app, pilot, screen):
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        said = app.screen.query_one("#groups-meaning", Static)
        await until(pilot, lambda: "A retry has answered 2 of 4 (50%) since." in str(said.content))
        assert "needs a change" in text_of(app) and "answered since" in text_of(app) and "as is" not in text_of(app)
        await pilot.press("down")
        await until(pilot, lambda: "A retry has answered it since: nothing to retry." in str(said.content))
        await pilot.press("r")
        line = screen.query_one(StatusLine)
        await until(pilot, lambda: "A retry has answered 1 request since; mark rows with space" in line.said)
        assert app.screen is screen
        await pilot.press("escape", "2", "r")
        await until(pilot, lambda: "No request shown needs a retry; mark rows with space" in line.said)


@pytest.mark.parametrize("local_id", [AGAIN, LAST])
async def test_a_later_retry_alone_counts(retried: Service, local_id: str) -> None:
    async with opened(retried, local_id) as (app, pilot, screen):
        await settled(pilot, screen)
        await pilot.press("E")
        if local_id == LAST:
            await until(pilot, lambda: "Every request has a usable answer." in screen.query_one(StatusLine).said)
            return
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        await until(pilot, lambda: len(app.screen.query_one(RowList).source) == 1)
        assert "answered" not in text_of(app).replace("without a usable answer", "")
