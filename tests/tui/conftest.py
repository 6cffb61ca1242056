"""Screens are tested in one time zone, with all signs, and no test passes over an error that a screen swallowed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

import pytest

from batchtui.present import symbols
from batchtui.service import Service, ServiceThread
from batchtui.tui.app import BatchtuiApp
from tests.tui import waiting

waiting.install()


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """UTC, Unicode signs, colours."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in ("NO_COLOR", "TMUX", "BATCHTUI_ASCII"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(symbols, "terminal_is_ascii", lambda: False)
    monkeypatch.setattr(symbols, "locale_is_ascii", lambda: False)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def loops_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The loop of each app's engine gives its three descriptors back once its thread has ended."""
    made: list[ServiceThread] = []
    begin = ServiceThread.__init__

    def counted(engine: ServiceThread, service: Service) -> None:
        begin(engine, service)
        made.append(engine)

    monkeypatch.setattr(ServiceThread, "__init__", counted)
    yield
    for engine in made:
        if not engine._thread.is_alive() and not engine._loop.is_running():
            engine._loop.close()


@pytest.fixture(autouse=True)
def bugs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Unexpected errors that the app outlived; a test that means them empties the list."""
    found: list[BaseException] = []
    report = BatchtuiApp.report_bug

    def noted(app: BatchtuiApp, error: BaseException) -> None:
        found.append(error)
        report(app, error)

    monkeypatch.setattr(BatchtuiApp, "report_bug", noted)
    yield found
    if found:
        raise found[0]


@pytest.fixture(autouse=True)
def one_sees_before_one_presses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of Pilot's comes when the screen is drawn, as a person's does; what is typed ahead has tests of its own."""
    press = BatchtuiApp._press_keys

    async def seen(app: BatchtuiApp, keys: Iterable[str]) -> None:
        for key in keys:
            end = time.monotonic() + waiting.PATIENCE
            while not app.typed.idle and app.is_running and time.monotonic() < end:
                await asyncio.sleep(0.002)
            await press(app, [key])

    monkeypatch.setattr(BatchtuiApp, "_press_keys", seen)
