"""The line to type a text in that is looked for in the answer."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from batchtui.tui.results.detail import DetailPane
from batchtui.tui.widgets.controls import line_input


class TextFound(Message):
    """What is looked for in the answer is another text now, and the answer shows where it is."""


class FindLine(Horizontal):
    """Shown from ``begin`` to ``end``; posts TextFound as one types."""

    def __init__(self, detail: DetailPane) -> None:
        super().__init__(id="results-find-line")
        self._detail = detail
        self._input = line_input(placeholder="text in this answer", id="results-find")
        self.display = False

    def compose(self) -> ComposeResult:
        """What it is, and the text."""
        yield Static("find", id="results-find-sign", markup=False)
        yield self._input

    def begin(self) -> None:
        """Type from now on."""
        self.display = True
        self._input.focus()

    async def end(self) -> None:
        """Look for nothing any more, and go back to the answer."""
        self.display = False
        self._input.value = ""
        await self._look_for("")
        self._detail.answer.focus()

    async def _look_for(self, text: str) -> None:
        await self._detail.answer.find(text)
        self.call_after_refresh(self.post_message, TextFound())

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        event.stop()
        await self._look_for(event.value)

    @on(Input.Submitted)
    def _typing_over(self, event: Input.Submitted) -> None:
        event.stop()
        self._detail.answer.focus()
