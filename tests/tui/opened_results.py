"""The results screen for its tests, opened and searched to the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from batchtui.service import Service
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.row_list import RowList
from tests.tui.waiting import settled as resting
from tests.tui.waiting import until
from tests.tui.work import make_app

SMALL, WIDE = (80, 24), (120, 40)


@asynccontextmanager
async def opened(
    service: Service, local_id: str, size: tuple[int, int] = SMALL, *, run: bool = False
) -> AsyncIterator[tuple[BatchtuiApp, Pilot[Any], ResultsScreen]]:
    """The screen with its rows found and nothing under way."""
    app = make_app(service)
    async with app.run_test(size=size) as pilot:
        screen = ResultsScreen(local_id, run=run)
        await app.push_screen(screen)
        await until(
            pilot, lambda: len(screen.query_one(RowList).source) or screen.query_one("#results-message").display
        )
        yield app, pilot, screen


async def settled(pilot: Pilot[Any], screen: ResultsScreen) -> None:
    """The search is over and its rows are shown."""
    await until(pilot, lambda: not screen._search.running)
    await resting(pilot)
