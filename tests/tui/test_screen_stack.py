"""Screens are left once, the palette always opens, and what is slow to open holds keys back until Escape calls it off."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key

from batchtui.tui.commands import Palette
from batchtui.tui.help import HelpScreen
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.widgets.row_list import RowList
from tests.tui.waiting import settled, until
from tests.tui.work import add_batch, make_app, make_service, mixed


async def test_a_screen_that_is_left_twice_takes_one_screen_away(tmp_path: Path) -> None:
    app = make_app(make_service(tmp_path))
    async with app.run_test() as pilot:
        await pilot.press("n")
        screen = app.screen
        assert isinstance(screen, NewScreen)
        for _ in range(3):
            screen.action_back()
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and app.typed.idle)
        screen.dismiss(None)
        assert [type(each) for each in app.screen_stack] == [HomeScreen]


async def test_a_screen_under_another_one_takes_nothing_away(tmp_path: Path) -> None:
    app = make_app(make_service(tmp_path))
    async with app.run_test() as pilot:
        await pilot.press("n")
        below = app.screen
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen)
        below.dismiss(None)
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert app.screen is below


async def test_the_palette_opens_again_after_any_number_of_escapes(tmp_path: Path) -> None:
    app = make_app(make_service(tmp_path))
    async with app.run_test() as pilot:
        for _ in range(3):
            await pilot.press("ctrl+p")
            assert isinstance(app.screen, Palette)
            for _ in range(4):
                app.typed.arrive(Key("escape", None))
            await until(pilot, lambda: app.typed.idle)
            assert isinstance(app.screen, HomeScreen)


async def test_keys_wait_for_what_is_slow_to_open_and_escape_calls_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(tmp_path)
    add_batch(service, *mixed())
    app = make_app(service)
    begun, go_on = threading.Event(), threading.Event()
    opened = service.open_results

    def slow(*given: Any, **named: Any) -> Any:
        begun.set()
        go_on.wait(120)
        return opened(*given, **named)

    monkeypatch.setattr(service, "open_results", slow)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.typed.idle and app.home.query_one(RowList).cursor_key)
        for key in ("x", "n"):
            app.typed.arrive(Key(key, key))
        await until(pilot, begun.is_set)
        assert isinstance(app.screen, HomeScreen)
        app.typed.arrive(Key("escape", None))
        await until(pilot, lambda: app.typed.idle)
        go_on.set()
        await settled(pilot)
        assert isinstance(app.screen, HomeScreen)
        go_on.clear()
        for key in ("x", "n"):
            app.typed.arrive(Key(key, key))
        go_on.set()
        await until(pilot, lambda: app.typed.idle)
        assert isinstance(app.screen, ExportScreen)
        assert len(app.screen_stack) == 2
