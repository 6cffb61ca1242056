"""A message goes when what it speaks of is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from batchtui.domain.batch import BatchRecord
from batchtui.service import Service
from batchtui.tui.dialogs import Confirm, EditModal
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import on_demo, up_to_date
from tests.tui.waiting import until
from tests.tui.work import add_batch, failed, make_app, request


def said(home: HomeScreen) -> str:
    return home.query_one(StatusLine).said


async def test_a_form_that_was_closed_is_forgotten_once_one_is_submitted(tmp_path: Path) -> None:
    source = tmp_path / "source.jsonl"
    source.write_bytes(request("a", "hello"))
    async with on_demo(tmp_path, source) as (app, pilot, screen, _):
        screen.say_below("Form closed; no draft saved.", advice="Press n to start over.")
        screen.dismiss(None)
        await until(pilot, lambda: app.screen is app.home)
        assert said(app.home) == "Form closed; no draft saved."
        await app.push_screen(again := NewScreen(path=str(source)))
        await until(pilot, lambda: up_to_date(again))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen))
        await until(pilot, lambda: any(r.id for r in app.service.records()))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.home)
        assert said(app.home) == ""


async def test_a_title_that_was_not_saved_is_forgotten_once_one_is(service: Service) -> None:
    add_batch(service, [request("a", "x")], [failed("a", "overloaded_error", "Overloaded")])
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        for key, left in (("escape", "Title and note not saved."), ("ctrl+s", "")):
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, EditModal))
            app.screen.query_one("#title-text", Input).value = "other"
            await pilot.press(key)
            await until(pilot, lambda: app.screen is app.home)
            assert said(app.home) == left


async def test_a_retry_that_was_not_sent_is_forgotten_once_it_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-secret")
    record = add_batch(service, [request("a", "x")], [failed("a", "overloaded_error", "Overloaded")])

    async def sent(*_: object, **__: object) -> list[BatchRecord]:
        return [record]

    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        view = service.open_results(record.local_id)
        for sends in (False, True):
            app.push_screen(retry := RetryScreen(record, view, [0]))
            await until(pilot, lambda retry=retry: retry._plan is not None)
            if sends:
                monkeypatch.setattr(service, "submit", sent)
                await pilot.press("y")
                await until(pilot, lambda: isinstance(app.screen, UploadScreen))
                await until(pilot, lambda: app.screen._done is not None)
                await pilot.press("enter")
            else:
                retry.query_one("#retry-changes", Input).value = "max_tokens=9"
                await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.home)
            assert said(app.home) == ("" if sends else "Retry not sent; its changes were not saved")
        view.close()
