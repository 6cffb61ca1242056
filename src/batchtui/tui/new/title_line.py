"""The title of the batch to be: as it is typed, or as it was given while nothing else is typed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from batchtui.tui.widgets.controls import line_input


class TitleLine(Horizontal):
    """A label and the line to type in."""

    DEFAULT_CSS = """
    TitleLine #new-name { width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="form-line")
        self._given = ""
        """The title that was given, not typed."""

    def compose(self) -> ComposeResult:
        yield Static("Title", classes="form-label", markup=False)
        yield line_input(placeholder="October evaluation", id="new-name")

    @property
    def title(self) -> str:
        """What stands in the line."""
        return self.query_one("#new-name", Input).value

    @title.setter
    def title(self, title: str) -> None:
        self.query_one("#new-name", Input).value = title

    @property
    def own(self) -> str:
        """The title that was typed; "" for the one that was given."""
        return self.title if self.title != self._given else ""

    def give(self, title: str) -> None:
        """Show a title in place of the one that was given before; one that was typed stays."""
        if self.title == self._given:
            self._given = self.title = title
