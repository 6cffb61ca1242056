"""A list without rows says in words what is empty, and what to do."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from batchtui.domain.batch import RemoteBatch
from batchtui.tui.dialogs import EditModal
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.new.file_picker import FilePicker
from batchtui.tui.remote_batches import RemoteBatchesScreen
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.counts import CountsScreen
from batchtui.tui.results.rows import nothing_in, tabs
from batchtui.tui.widgets.row_list import RowList
from tests.tui.labelled import labels
from tests.tui.picture import text_of
from tests.tui.test_results_table import opened
from tests.tui.waiting import settled, until
from tests.tui.work import NOW, make_app, make_service


async def test_the_results_say_what_a_tab_or_a_filter_does_not_hold(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    async with opened(service, labels(service, 10)) as (pilot, screen):
        await pilot.press("6")
        await settled(pilot)
        assert "No request was canceled." in text_of(pilot.app) and "Press 1 to show all results." in text_of(pilot.app)
        screen.set_filter("nowhere", tab="invalid")
        await settled(pilot)
        assert "No answer is invalid and matches the filter." in text_of(pilot.app)
        await pilot.press("1")
        await settled(pilot)
        assert "No result matches the filter." in text_of(pilot.app) and "Press Esc" in text_of(pilot.app)
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(pilot.app.screen, CountsScreen) and pilot.app.screen.counts is not None)
        await settled(pilot)
        assert "There are no rows to count." in text_of(pilot.app)
        await pilot.press("escape")
        await settled(pilot)
        screen.set_filter("", tab="all")
        await settled(pilot)
        assert "Press Esc" not in text_of(pilot.app)
        every = [nothing_in(tab.id, within) for tab in tabs(screen.view) for within in ("", "matches the filter")]  # type: ignore[arg-type]
        assert len(set(every)) == len(every)


async def test_a_search_in_an_answer_without_a_hit_says_how_it_ends(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    async with opened(service, labels(service, 10)) as (pilot, screen):
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("slash", *"xyzzy")
        await until(pilot, lambda: "no hit in this answer, esc ends the search" in text_of(pilot.app))
        assert "n next" not in text_of(pilot.app).splitlines()[-2]
        screen.query_one("#results-find", Input).value = "parcel"
        await until(pilot, lambda: ", n next, N previous" in text_of(pilot.app))


async def test_home_compare_and_the_file_picker_say_what_is_empty(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    record = labels(service, 10)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".hidden").write_text("x")
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("slash", *"nowhere")
        await settled(pilot)
        assert "No batch matches the filter." in text_of(app) and "Press Esc to show all." in text_of(app)
        home.drop_filter()
        home.redraw()
        assert "No batch" not in text_of(app)
        await app.push_screen(CompareScreen(record.local_id, record.local_id))
        await settled(pilot)
        await pilot.press("2")
        await settled(pilot)
        assert "No answer differs." in text_of(app) and "Press 6 to show Same (7)." in text_of(app)
        await app.push_screen(FilePicker(tmp_path / "here"))
        await until(pilot, lambda: "Only hidden files here" in text_of(app))
        await pilot.press("slash", *"nowhere")
        await until(pilot, lambda: "No file matches the filter." in text_of(app))
        assert not len(app.screen.query_one(RowList).source)


async def test_other_batches_are_not_said_to_be_all_tracked_before_the_last_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    async def untracked(after_id: str | None = None) -> Any:
        if after_id is not None:
            await asyncio.to_thread(go_on.wait, 120)
        name = f"msgbatch_{after_id or 'p0'}"
        return [RemoteBatch(id=name, processing_status="ended", created_at=NOW)], None if after_id else "p1"

    app = make_app(make_service(tmp_path))
    monkeypatch.setattr(app.service, "untracked", untracked)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RemoteBatchesScreen) and len(app.screen.rows) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EditModal))
        await pilot.press(*"one", "enter", "enter")
        await until(pilot, lambda: "Adopted one." in text_of(app))
        assert "is tracked here" not in text_of(app)
        go_on.set()
        await until(pilot, lambda: "msgbatch_p1" in text_of(app))
