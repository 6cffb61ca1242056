"""A model's name typed by hand, with completion: Tab takes what is suggested, then moves on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.suggester import SuggestFromList
from textual.widgets import Input

from batchtui import safetext
from batchtui.tui.bindings import bind


class ModelInput(Input):
    """An Input for a model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("tab", "complete", "complete", "path.complete", "accept the suggestion, or next field", show=False),
    ]

    def __init__(self, *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self._known: tuple[str, ...] = ()
        self.cursor_blink = False

    def know(self, models: Sequence[str]) -> None:
        """The models that are suggested; a name that can't be shown as it is is none of them."""
        self._known = tuple(name for name in dict.fromkeys(models) if safetext.line(name, 100) == name)
        self.suggester = SuggestFromList(self._known)

    def action_complete(self) -> None:
        """Take the suggestion as it is shown; with nothing to take, move to the next field."""
        found = [name for name in self._known if self.value and name.startswith(self.value)]
        if not found or self.value in found:
            self.screen.focus_next()
            return
        self.value = found[0]
        self.cursor_position = len(self.value)
