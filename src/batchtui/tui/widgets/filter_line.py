"""A line to type a filter in; loaded when it is first asked for."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from batchtui.tui.messages import FilterLeft, FilterTyped
from batchtui.tui.widgets.controls import line_input


class FilterLine(Horizontal):
    """Posts FilterTyped as one types, and FilterLeft at Enter."""

    DEFAULT_CSS = """
    FilterLine { height: 1; padding: 0 1; }
    FilterLine #slash { width: 2; color: $text-primary; text-style: bold; }
    FilterLine #query { width: 1fr; height: 1; border: none; padding: 0; background: $background; }
    FilterLine:ansi #query { background: ansi_default; }
    """

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        yield Static("/", id="slash", markup=False)
        yield line_input(placeholder=self._placeholder, id="query")

    def begin(self) -> None:
        """Type from now on."""
        self.query_one("#query").focus()

    def clear(self) -> None:
        """Empty the line."""
        self.query_one("#query", Input).value = ""

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(FilterTyped(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(FilterLeft())
