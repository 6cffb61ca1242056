"""The line of the results' filter: how it is read, the rows it is within, and its words."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from batchtui.tui.messages import FilterLeft, FilterTyped
from batchtui.tui.results.search import Search
from batchtui.tui.widgets.controls import line_input

FILTER_HINT = "words, urgency>3, sentiment:negative, tokens>1000, error:overloaded, id:…"


class ResultsFilter(Horizontal):
    """Shown while it is typed in, holds words, or ``search`` is within some rows; posts FilterTyped and FilterLeft."""

    def __init__(self, search: Search) -> None:
        super().__init__(id="results-filter-line")
        self._search = search
        self._input = line_input(placeholder=FILTER_HINT, id="results-filter")
        self.display = False

    def compose(self) -> ComposeResult:
        """The sign, and the words."""
        yield Static("/", id="results-filter-sign", markup=False)
        yield self._input

    @property
    def value(self) -> str:
        """The filter as it was typed."""
        return self._input.value

    @value.setter
    def value(self, text: str) -> None:
        self._input.value = text

    @property
    def text(self) -> str:
        """The filter without space around it."""
        return self.value.strip()

    @property
    def typing(self) -> bool:
        """Whether it has the keys."""
        return self.screen.focused is self._input

    def begin(self) -> None:
        """Type from now on."""
        self.display = True
        self._input.placeholder = FILTER_HINT
        self._input.focus()

    def show_sign(self) -> None:
        """Show how the search stands, or hide where nothing is filtered."""
        filtering = self.typing or bool(self.value)
        self.query_one("#results-filter-sign", Static).update(Content(self._search.sign(filtering=filtering)))
        # What may be typed is told where it can be: not beside the name of a group or a sample.
        self._input.placeholder = FILTER_HINT if self.typing else ""
        self.display = self._search.narrowed or filtering

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(FilterTyped(event.value))

    @on(Input.Submitted)
    def _typing_over(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(FilterLeft())
