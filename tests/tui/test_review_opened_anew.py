"""A review while its results are opened anew: hidden answers stay hidden, a verdict is on the answer that was asked about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from batchtui.results.review import Review, draw
from batchtui.results.view import View
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.dialogs import Ask, Choose
from batchtui.tui.results import review as review_model
from batchtui.tui.results.screen import ResultsScreen
from tests.tui.labelled import FIRST, ROWS, two_runs
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service

SAMPLE = [f"id:R{number:02}" for number in range(ROWS)]


@pytest.fixture
def app(tmp_path: Path) -> BatchtuiApp:
    """A batch whose results came in the other order than the requests: its rows have other numbers than those of its run."""
    service = make_service(tmp_path)
    two_runs(service)
    path = service.history.folder(FIRST) / "results.jsonl"
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    return make_app(service)


class Gate:
    """Holds calls up once it is shut."""

    def __init__(self, call: Callable[[View], list[str]]) -> None:
        self._call = call
        self._open = threading.Event()
        self._open.set()
        self.waiting = 0

    def __call__(self, view: View) -> list[str]:
        self.waiting += 1
        self._open.wait(60)
        self.waiting -= 1
        return self._call(view)

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Holds up what reads the identities of a view's rows."""
    found = Gate(review_model.identities)
    monkeypatch.setattr(review_model, "identities", found)
    yield found
    found.open()


async def opened(app: BatchtuiApp, pilot: Any) -> ResultsScreen:
    screen = ResultsScreen(FIRST)
    await app.push_screen(screen)
    await until(pilot, lambda: len(screen.rows) == ROWS)
    await settled(pilot)
    return screen


async def test_what_is_hidden_stays_hidden_until_the_new_view_is_shown(app: BatchtuiApp, gate: Gate) -> None:
    drawn = draw(SAMPLE, ROWS, at=datetime.now(UTC), field="tone", blind=True)
    Review(app.service.history.folder(FIRST)).begin(drawn)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        assert all(map(screen.reviewing.hides, screen.rows))
        gate.shut()
        view = screen.view
        screen.open()
        await until(pilot, lambda: gate.waiting)
        assert screen.view is view and all(map(screen.reviewing.hides, screen.rows))
        assert screen.reviewing.refuses(screen.rows)
        screen.action_run()  # The run instead, and then the batch again: the opening before counts no more.
        await until(pilot, lambda: gate.waiting > 1)
        screen.action_run()
        gate.open()
        await until(pilot, lambda: screen.view is not view)
        await settled(pilot)
        assert screen.view is not None and len(screen.view.members) == 1 and screen.reviewing._view is screen.view
        assert all(map(screen.reviewing.hides, screen.rows))


@pytest.mark.parametrize("key", ["minus", "t"])
async def test_a_verdict_is_on_the_answer_that_was_asked_about(app: BatchtuiApp, key: str) -> None:
    folder = app.service.history.folder(FIRST)
    Review(folder).begin(draw(SAMPLE[:1], 1, at=datetime.now(UTC), field="tone"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        assert screen.view is not None and screen.view.id(screen.rows[3]) == "r03" and screen.rows[3] != 3
        screen.move_to(screen.rows[3])
        await settled(pilot)
        await pilot.press(key)
        await settled(pilot)
        assert isinstance(app.screen, Choose | Ask)
        view = screen.view
        screen.action_run()
        await until(pilot, lambda: screen.view is not view)
        await settled(pilot)
        assert screen.view.id(screen.rows[3]) == "r03" and screen.rows[3] == 3
        await pilot.press(*("enter",) if key == "minus" else ("h", "enter"))
        await until(pilot, lambda: len(Review(folder)))
        await settled(pilot)
        (said,) = Review(folder).verdicts()
        assert (said.custom_id, said.row, said.verdict) == ("r03", "id:R03", "wrong" if key == "minus" else "")
        found = screen.reviewing.of(3)
        assert found == said and screen.cursor_row == 3
