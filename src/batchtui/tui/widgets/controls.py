"""Textual's Button, Input and OptionList as this app has them: flat, quiet while nothing changes, with the keys of lists."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, Input, OptionList


class KeyedOptionList(OptionList):
    """An OptionList in which j, k, g and G move too, as in a RowList."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
    ]


def button(label: str, *, id: str, action: str = "", variant: str = "default") -> Button:
    """A flat button, one line high; in a dialog it does the action."""
    made = Button(Content(label), name=action, id=id, variant=variant, compact=True)  # type: ignore[arg-type]
    made.active_effect_duration = 0
    return made


def line_input(value: str = "", *, placeholder: str = "", id: str | None = None) -> Input:
    """A one-line Input that is quiet on the wire."""
    made = Input(value, placeholder=placeholder, id=id, compact=True, select_on_focus=False)
    made.cursor_blink = False
    return made
