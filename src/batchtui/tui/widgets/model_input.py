"""A model's name typed by hand, with completion: Tab takes what is suggested, then moves on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.suggester import SuggestFromList
from textual.widgets import Input

from batchtui import safetext
from batchtui.tui.bindings import bind
from batchtui.tui.widgets.path_input import common_start


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
        """Take as much as is certain, then the suggestion; with nothing to take, move to the next field."""
        found = [name for name in self._known if self.value and name.startswith(self.value)]
        start = common_start(found)
        if len(start) > len(self.value):
            taken = start
        elif found and self.value not in found:
            taken = found[0]
        else:
            self.screen.focus_next()
            return
        self.value = taken
        self.cursor_position = len(taken)
