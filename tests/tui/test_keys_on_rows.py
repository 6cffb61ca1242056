"""A key acts on the row that was drawn under the cursor when it was typed, or on none."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Select, TextArea

from batchtui.tui.app import BatchtuiApp
from batchtui.tui.dialogs import Confirm
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.typed_ahead import PAUSE
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.home_data import furnish
from tests.tui.waiting import until
from tests.tui.work import make_app, make_service


def home_app(folder: Path) -> BatchtuiApp:
    service = make_service(folder)
    furnish(service)
    return make_app(service)


def first(app: BatchtuiApp) -> None:
    """The cursor on the running batch, which is not the last row."""
    app.home.go_to(next(each for each in app.service.records() if each.title == "news-summaries"))


def take_away(app: BatchtuiApp) -> None:
    """The batch under the cursor goes, as when another batchtui deletes it."""
    home = app.home
    assert home.line is not None and home.line.record is not None
    del home.model.records[home.line.record.local_id]
    home.redraw()


@pytest.mark.parametrize("key", ["space", "enter", "c", "v", "y"])
async def test_a_key_typed_before_another_row_came_under_the_cursor_does_nothing(tmp_path: Path, key: str) -> None:
    app = home_app(tmp_path)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.typed.idle)
        first(app)
        await until(pilot, lambda: app.typed.idle)
        read, before = app.typed.seen, app.home.batches.cursor_key
        take_away(app)
        assert app.home.batches.cursor_key != before
        app.typed.arrive(events.Key(key, " " if key == "space" else key), read)
        await until(pilot, lambda: app.typed.idle)
        assert isinstance(app.screen, HomeScreen)
        assert (app.home.batches.marks, app.clipboard) == (frozenset(), "")
        later = events.Key("space", " ")
        later.time += PAUSE  # Right behind the lost key it would be meant for what that key was to do.
        app.typed.arrive(later)
        await until(pilot, lambda: app.typed.idle and app.home.batches.marks)


async def test_a_key_follows_its_row_when_the_rows_change_places(tmp_path: Path) -> None:
    app = home_app(tmp_path)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.typed.idle)
        first(app)
        await until(pilot, lambda: app.typed.idle)
        read, before = app.typed.seen, app.home.batches.cursor_key
        place = app.home.batches.cursor
        app.home.sort_by("age", reverse=True)
        assert app.home.batches.cursor != place
        app.typed.arrive(events.Key("c", "c"), read)
        await until(pilot, lambda: app.typed.idle and isinstance(app.screen, Confirm))
        assert app.home.batches.cursor_key == before


async def test_a_click_meant_for_rows_that_changed_places_does_nothing(tmp_path: Path) -> None:
    app = home_app(tmp_path)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.typed.idle)
        read, before, y = app.typed.seen, app.home.batches.cursor_key, app.home.batches.region.y + 4
        app.home.sort_by("age", reverse=True)
        change = app.typed._change
        assert change > read
        for kind in (events.MouseDown, events.MouseUp):
            app.typed.arrive(kind(None, 1, y, 0, 0, 1, False, False, False, 1, y), read)
        await until(pilot, lambda: app.typed.idle)
        assert app.home.batches.cursor_key == before
        assert app.home.batches.marks == frozenset()


async def test_a_key_for_a_question_is_not_lost_when_rows_change_below_it(tmp_path: Path) -> None:
    app = home_app(tmp_path)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.typed.idle)
        first(app)
        await pilot.press("c")
        await until(pilot, lambda: app.typed.idle and isinstance(app.screen, Confirm))
        read = app.typed.seen
        take_away(app)
        app.typed.arrive(events.Key("n", "n"), read)
        await until(pilot, lambda: app.typed.idle)
        assert isinstance(app.screen, HomeScreen)


async def test_a_list_that_a_picker_drops_down_takes_no_key_typed_before_it_was_drawn(tmp_path: Path) -> None:
    app = home_app(tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("n")
        app.screen.query_one("#new-mode", TabLine).choose("write")
        await until(pilot, lambda: app.typed.idle and isinstance(app.screen.focused, TextArea))
        picker = app.screen.query_one("#form-model", Select)
        picker.set_options([(name, name) for name in ("one", "two", "three")])
        picker.value = "one"
        picker.focus()
        await until(pilot, lambda: app.typed.idle and app.screen.focused is picker)
        for key in ("enter", "down", "enter"):
            app.typed.arrive(events.Key(key, None), app.typed.seen)
        await until(pilot, lambda: app.typed.idle)
        assert (picker.expanded, picker.value) == (True, "one")
        for key in ("down", "enter"):
            app.typed.arrive(events.Key(key, None))
        await until(pilot, lambda: app.typed.idle)
        assert (picker.expanded, picker.value) == (False, "two")
