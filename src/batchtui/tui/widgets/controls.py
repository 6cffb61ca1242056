"""Textual's Button and Input as this app has them: one line high, and writing nothing to the terminal while nothing changes."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Button, Input


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
