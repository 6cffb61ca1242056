"""Title and note of a batch."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.tui import keys
from batchtui.tui.screens.base import BaseModal
from batchtui.tui.screens.modals import BACK, line_input


class EditModal(BaseModal[tuple[str, str] | None]):
    """Answers with (title, note), None when left."""

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding("ctrl+s", "save", "save", id="save", priority=True, tooltip="keep what was written"),
    ]

    def __init__(self, title: str, note: str, *, heading: str = "Title and note", hint: str = "") -> None:
        super().__init__()
        self._values = (safetext.line(title, 300), safetext.line(note, 2_000))
        self._heading, self._hint = heading, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self._heading, classes="title", markup=False)
            if self._hint:
                yield Static(self._hint, classes="said label", markup=False)
            yield Static("Title", classes="label", markup=False)
            yield line_input(self._values[0], placeholder="what this batch is called", id="title-text")
            yield Static("Note", classes="label next", markup=False)
            yield line_input(self._values[1], placeholder="anything worth remembering", id="note-text")
            yield Static("enter  next, save    ^s  save    esc  back", classes="hint", markup=False)

    def on_mount(self) -> None:
        self.query_one("#title-text").focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "title-text":
            self.query_one("#note-text").focus()
        else:
            self.action_save()

    def action_save(self) -> None:
        """Keep what was written."""
        title, note = self._written()
        self.dismiss((title.strip(), note.strip()))

    def action_leave(self) -> None:
        """Leave it as it was."""
        if self._written() != self._values:
            self.say_below("Title and note not saved.", advice=f"Press {self._save_key()} instead of Esc to save them.")
        self.dismiss(None)

    def _written(self) -> tuple[str, str]:
        return self.query_one("#title-text", Input).value, self.query_one("#note-text", Input).value

    def _save_key(self) -> str:
        return keys.true_key(self.service.config.keys, EditModal, "save")
