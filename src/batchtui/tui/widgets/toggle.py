"""A switch on one line whose state is read by its shape: ``[x] Skip errors``."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import RenderResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from batchtui.tui.bindings import bind


class Toggle(Widget, can_focus=True):
    """Space, Enter or a click turns it; posts Changed."""

    DEFAULT_CSS = """
    Toggle { height: 1; width: auto; }
    Toggle:focus { text-style: reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("space,enter", "turn", "turn", "toggle.turn", "toggle", show=False),
    ]

    class Changed(Message):
        """It was turned."""

        def __init__(self, toggle: Toggle) -> None:
            super().__init__()
            self.toggle = toggle

        @property
        def control(self) -> Toggle:
            """The switch."""
            return self.toggle

    def __init__(self, label: str, *, id: str, tooltip: str = "") -> None:
        super().__init__(id=id, markup=False)
        self._words = label
        self.on = False
        self.tooltip = Content(tooltip) if tooltip else None

    def render(self) -> RenderResult:
        return Content(f"[{'x' if self.on else ' '}] {self._words}")

    def set(self, on: bool) -> None:
        """Turn it without a message."""
        if on != self.on:
            self.on = on
            self.refresh()

    def action_turn(self) -> None:
        """The other way."""
        self.set(not self.on)
        self.post_message(self.Changed(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_turn()
