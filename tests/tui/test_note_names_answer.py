"""After a verdict the cursor is on the next answer: what is asked names the answer that it is about."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from batchtui.service import Service
from batchtui.tui.dialogs import Ask, Choose
from tests.tui.labelled import FIRST, two_runs
from tests.tui.opened_results import opened, settled
from tests.tui.waiting import until


async def _asked(pilot: Pilot[Any], kind: type[Screen[Any]]) -> str:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    screen = pilot.app.screen
    assert isinstance(screen, Ask | Choose)
    return screen._title


async def test_a_note_and_a_right_value_are_asked_for_by_the_answers_name(service: Service) -> None:
    two_runs(service)
    async with opened(service, FIRST) as (app, pilot, screen):
        await settled(pilot, screen)
        await pilot.press("plus")
        await _asked(pilot, Choose)  # Which field.
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and screen.cursor_row == 1)
        await pilot.press("t")
        assert await _asked(pilot, Ask) == "Note on r01"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("minus")
        assert (await _asked(pilot, Choose)).endswith(" of r01?")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
