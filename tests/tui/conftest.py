"""Screens are tested in one time zone, with all signs, and no test passes over an error that a screen swallowed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import textual._doc
from textual.pilot import Pilot

from batchtui.present import symbols
from batchtui.service import Service, ServiceThread
from batchtui.tui.app import BatchtuiApp
from tests.tui import waiting
from tests.tui.new_form import TABLE
from tests.tui.work import make_service

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
    """The loop of each app's service thread gives its three descriptors back once its thread has ended."""
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


@pytest.fixture
def snap_sizes(snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """As ``snap_compare``, with the terminal of one app at several sizes: their pictures end in .svg, .1.svg, ….

    The app is started at the first size, ``run_before`` brings it to the picture, then keys are pressed.
    """

    def compare(
        app: BatchtuiApp,
        sizes: Sequence[tuple[int, int]],
        run_before: Callable[[Pilot[Any]], Awaitable[None]] = waiting.settled,
        press: Iterable[str] = (),
    ) -> bool:
        drawn: list[str] = []

        async def walk(pilot: Pilot[Any]) -> None:
            await run_before(pilot)
            await pilot.press(*press)
            for size in sizes:
                if size != app.size:
                    await pilot.resize_terminal(*size)
                await waiting.settled(pilot)
                drawn.append(app.export_screenshot(title=app.title, simplify=True))
            app.exit()

        app.run(headless=True, size=sizes[0], auto_pilot=walk)
        assert len(drawn) == len(sizes)
        for picture in drawn:
            monkeypatch.setattr(textual._doc, "take_svg_screenshot", lambda picture=picture, **_: picture)
            if not snap_compare(app):
                return False
        return True

    return compare


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service without a batch, a key or a network."""
    return make_service(tmp_path / "data")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two reviews as CSV."""
    path = tmp_path / "reviews.csv"
    path.write_text(TABLE)
    return path
