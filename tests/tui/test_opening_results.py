"""Results open by what is needed for their first rows, and show again what was chosen when they are opened anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.css.stylesheet import Stylesheet
from textual.widgets import Input

from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.results.search import Search
from batchtui.tui.widgets.row_list import RowList
from tests.tui.opened_results import opened, settled
from tests.tui.test_results import ids
from tests.tui.waiting import until
from tests.tui.work import add_batch, make_app, make_service, mixed


async def test_first_rows_need_neither_a_search_nor_stylesheets_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(tmp_path)
    record = add_batch(service, *mixed())
    done: list[str] = []
    monkeypatch.setattr(Search, "_run", lambda *_: done.append("searched"))
    app = make_app(service)
    async with app.run_test() as pilot:
        await pilot.pause()
        monkeypatch.setattr(Stylesheet, "reparse", lambda _: done.append("parsed"))
        screen = ResultsScreen(record.local_id)
        await app.push_screen(screen)
        await until(pilot, lambda: len(screen.query_one(RowList).source))
        assert ids(screen) == [json.loads(each)["custom_id"] for each in mixed()[0]]
        # The screen's own stylesheet holds all the same.
        assert screen.query_one("#results-title").size.height == 1
    assert not done


async def test_a_filter_a_tab_and_an_order_hold_when_results_are_opened_anew(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    record = add_batch(service, *mixed())
    async with opened(service, record.local_id) as (_, pilot, screen):
        await settled(pilot, screen)
        every = ids(screen)

        async def shown_anew() -> list[str]:
            await settled(pilot, screen)
            before, view = ids(screen), screen.view
            screen.open()
            await until(pilot, lambda: screen.view is not view)
            await settled(pilot, screen)
            assert ids(screen) == before
            return before

        assert await shown_anew() == every
        await pilot.press("S")
        assert await shown_anew() == every[::-1]
        await pilot.press("S", "2")
        usable = await shown_anew()
        assert 0 < len(usable) < len(every)
        await pilot.press("1")
        screen.query_one("#results-filter", Input).value = every[1]
        assert await shown_anew() == [every[1]]
