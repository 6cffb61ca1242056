"""What the tests wait with sees all that is drawn, behind a dialog too."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from tests.tui.test_every_size import text_of
from tests.tui.waiting import drawn, settled


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
