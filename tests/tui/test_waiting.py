"""What the tests wait with sees all that is drawn, behind a dialog too, and ends pauses only where nothing else goes on."""

from __future__ import annotations

import asyncio
import itertools
import threading

import pytest
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from tests.tui import waiting
from tests.tui.picture import text_of
from tests.tui.waiting import drawn, settled, until


class Plain(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("before", id="text")


class Dialog(ModalScreen[None]):
    CSS = "Dialog { align: center middle; } #dialog { width: 10; height: 3; }"

    def compose(self) -> ComposeResult:
        yield Static("dialog", id="dialog")


async def test_what_changes_behind_a_dialog_is_waited_for() -> None:
    app = Plain()
    async with app.run_test(size=(40, 12)) as pilot:
        text = app.screen.query_one("#text", Static)
        await app.push_screen(Dialog())
        await settled(pilot)
        for said in ("one", "two\nlines", "three"):
            text.update(said)
            await drawn(app)
            assert [line for line in text_of(app).split("\n") if line.strip(" ")][:-1] == said.split("\n")


async def test_pauses_end_in_turn_and_none_while_something_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LONG", 2_000.0)
    app, said, held = Plain(), [], threading.Event()
    async with app.run_test() as pilot:
        app.set_timer(900, lambda: said.append("second"))
        app.set_timer(800, lambda: said.append("first"))
        await settled(pilot)
        assert said == ["first", "second"]
        work = asyncio.get_running_loop().run_in_executor(None, held.wait)
        app.set_timer(700, lambda: said.append("third"))
        looks = itertools.count()
        await until(pilot, lambda: next(looks) > 20)
        assert said == ["first", "second"]
        held.set()
        await work
        await until(pilot, lambda: len(said) == 3)
