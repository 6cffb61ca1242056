"""The line above the keys: when batches were last checked, and messages."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.present.symbols import GLYPHS
from batchtui.tui.widgets.cells import COLORS

FADES = 30.0
"""Seconds that a message of something that went well stays."""


class StatusLine(Vertical):
    """A message that stays (up to three lines, hidden when there is none) over a line of facts that ticks."""

    DEFAULT_CSS = """
    StatusLine { height: auto; max-height: 5; padding: 0 1; }
    StatusLine #said { height: auto; max-height: 4; display: none; }
    StatusLine #said.shown { display: block; }
    StatusLine #facts { height: 1; color: $foreground 60%; text-wrap: nowrap; text-overflow: ellipsis; }
    StatusLine:ansi #facts { color: ansi_default; text-style: dim; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: tuple[str, str, str] = ("", "", "")
        self._facts = ("", "")

    def compose(self) -> ComposeResult:
        yield Static("", id="said", markup=False)
        yield Static("", id="facts", markup=False)

    @property
    def said(self) -> str:
        """The message that stands there, "" for none."""
        return self._said[0]

    def say(self, message: str, *, advice: str = "", level: str = "info") -> None:
        """Show a message until it is replaced; an empty one hides the line."""
        said = (safetext.line(message, 600), safetext.line(advice, 400), level)
        if said == self._said:
            return
        self._said = said
        line = self.query_one("#said", Static)
        line.set_class(bool(message), "shown")
        sign = {"bad": GLYPHS.refused, "warn": GLYPHS.warning, "good": GLYPHS.good}.get(level, GLYPHS.dot)
        color = COLORS.get(level, "$text")
        parts: list[Content | tuple[str, str] | str] = [(f"{sign} ", color), (said[0], color)]
        if advice:
            parts += ["  → ", (said[1], "$foreground 80%")]
        line.update(Content.assemble(*parts) if message else "")
        if level == "good" and message:
            self.set_timer(FADES, lambda: self.unsay(message))

    def unsay(self, message: str) -> None:
        """Take this message away if it still stands there."""
        if message and self._said[0] == safetext.line(message, 600):
            self.say("")

    def dismiss(self) -> bool:
        """Take the message away; False when there was none."""
        shown = bool(self._said[0])
        self.say("")
        return shown

    def tell(self, facts: str, level: str = "info") -> None:
        """Show the line of facts; nothing is written when it says the same as before."""
        told = (safetext.line(facts, 400), level)
        if told != self._facts:
            self._facts = told
            content = Content.styled(told[0], COLORS[level]) if level != "info" else Content(told[0])
            self.query_one("#facts", Static).update(content, layout=False)
