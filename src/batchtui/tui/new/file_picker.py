"""The file picker: a folder as a list with sizes and dates, one key away from its parent."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.tui.base import BaseModal
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import DIALOG_CSS
from batchtui.tui.typed_ahead import Opening
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.controls import line_input
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import ListedRows, MarksChanged, RowList, RowSelected

COLUMNS = (
    Column("name", "Name", 20, flex=1),
    Column("size", "Size", 9, align="right"),
    Column("changed", "Changed", 16, priority=1),
)
KEYS = ("files.take", "files.folder", "files.parent", "files.filter", "files.hidden")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a folder; ``size`` in bytes, ``changed`` in seconds since 1970."""

    path: str
    name: str
    folder: bool
    size: int = 0
    changed: float = 0.0


def read_folder(folder: Path) -> list[Entry]:
    """A folder's entries, folders first; raises OSError."""
    found: list[Entry] = []
    with os.scandir(folder) as entries:
        for each in entries:
            try:
                stat = each.stat()
                found.append(Entry(each.path, each.name, each.is_dir(), stat.st_size, stat.st_mtime))
            except OSError:
                found.append(Entry(each.path, each.name, False))
    return sorted(found, key=lambda entry: (not entry.folder, entry.name.lower()))


class FolderRows(ListedRows[Entry]):
    """A folder's entries as rows; the first leads to the parent."""

    def __init__(self, folder: Path, entries: Sequence[Entry], *, hidden: bool = False, words: str = "") -> None:
        seen = [entry for entry in entries if hidden or not entry.name.startswith(".")]
        wanted = [entry for entry in seen if words.lower() in entry.name.lower()]
        up = [] if folder.parent == folder or words else [Entry(str(folder.parent), "..", True)]
        super().__init__([*up, *wanted])

    def key(self, index: int) -> Hashable:
        """The path."""
        return self.rows[index].path

    def cells(self, index: int) -> Sequence[Cell]:
        """Name, size, date."""
        entry = self.rows[index]
        if entry.folder:
            return Text(safetext.line(entry.name, 300) + "/", style="accent"), "", ""
        changed = datetime.fromtimestamp(entry.changed, UTC).astimezone() if entry.changed else None
        return safetext.line(entry.name, 300), numbers.size(entry.size), f"{changed:%Y-%m-%d %H:%M}" if changed else ""


class FilePicker(BaseModal[list[str] | None]):
    """Dismisses with the chosen paths, None when nothing was chosen."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "file_picker.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "leave", "back", "back", "close without choosing"),
        bind("backspace,left", "parent", "parent", "files.parent", "parent folder"),
        bind("right", "enter", "open", "files.enter", "open the folder", show=False),
        bind("ctrl+s", "take", "choose", "files.take", "choose the marked files, or the one under the cursor"),
        bind("f", "folder", "whole folder", "files.folder", "choose this folder with all its files"),
        bind("full_stop", "hidden", "hidden", "files.hidden", "show or hide hidden files"),
        bind("slash", "filter", "filter", "files.filter", "filter names"),
    ]

    class Listed(Message):
        """A folder was read."""

        def __init__(self, folder: Path, entries: list[Entry], error: str) -> None:
            super().__init__()
            self.folder = folder
            self.entries = entries
            self.error = error

    def __init__(self, start: Path) -> None:
        super().__init__()
        self._folder = start.absolute()
        self._entries: list[Entry] = []
        self._hidden = False
        self._came_from: str | None = None
        self._trouble = ""
        """Why the folder that is shown can't be read, "" when it can."""
        self._opening: Opening | None = None

    def compose(self) -> ComposeResult:
        """Where we are, the list, what is marked."""
        with Vertical(id="files"):
            yield Static("", id="files-where", markup=False)
            yield line_input(placeholder="tickets", id="files-filter")
            yield RowList(COLUMNS, id="files-list")
            yield Static("", id="files-note", markup=False)
            yield KeyLine(KEYS, last=("back",))

    def on_mount(self) -> None:
        """Read the first folder."""
        self.query_one("#files-filter").display = False
        self.query_one(RowList).focus()
        self._open(self._folder)

    def _open(self, folder: Path) -> None:
        """Show a folder; keys wait for what is in it."""
        self._opening = self.tui.typed.opening()
        self._read(folder)

    @work(thread=True, exclusive=True, group="folder")
    def _read(self, folder: Path) -> None:
        try:
            self.post_message(self.Listed(folder, read_folder(folder), ""))
        except OSError as error:
            self.post_message(self.Listed(folder, [], error.strerror or str(error)))

    @on(Listed)
    def _listed(self, event: Listed) -> None:
        if self._opening is not None:
            self.tui.typed.over(self._opening)
        if event.error and self._came_from is not None:
            self._fail(event.folder, event.error)
            return
        # Of the first folder there is at least the way up.
        self._trouble = event.error
        self._came_from, self._folder, self._entries = str(self._folder), event.folder, event.entries
        self.query_one("#files-filter", Input).value = ""
        self.query_one("#files-where", Static).update(
            Content.styled(" " + safetext.line(str(event.folder), 300), "bold")
        )
        self._fill()
        self.query_one(RowList).move_to_key(self._came_from)
        self._say()

    def _fill(self) -> None:
        words = self.query_one("#files-filter", Input).value
        rows = FolderRows(self._folder, self._entries, hidden=self._hidden, words=words)
        self.query_one(RowList).set_source(rows, keep_cursor=bool(words))
        self.query_one(RowList).set_empty("No file matches the filter.\nPress Esc to show all." if words else "")

    @on(MarksChanged)
    def _say(self) -> None:
        marks = len(self.query_one(RowList).marks)
        if self._trouble and not marks:
            self._fail(self._folder, self._trouble)
            return
        text = (
            f" {numbers.plural(marks, 'file')} marked: {key_of('files.take')} chooses them"
            if marks
            else f" {self._hint()}"
        )
        self.query_one("#files-note", Static).update(Content.styled(text, "dim"))

    def _fail(self, folder: Path, error: str) -> None:
        said = f" {GLYPHS.refused} {error}: {safetext.line(str(folder), 200)}"
        self.query_one("#files-note", Static).update(Content.styled(said, "$text-error"))

    def _hint(self) -> str:
        if not self._entries:
            return "This folder is empty"
        if not self._hidden and all(entry.name.startswith(".") for entry in self._entries):
            return f"Only hidden files here: {key_of('files.hidden')} shows them"
        return f"{key_of('open')} chooses a file, {key_of('mark')} marks several"

    @on(RowSelected)
    def _opened(self, event: RowSelected) -> None:
        rows = self.query_one(RowList).source
        assert isinstance(rows, FolderRows)
        entry = rows.rows[event.index]
        if entry.folder:
            self._open(Path(entry.path))
        elif self.query_one(RowList).marks:
            self.action_take()
        else:
            self.dismiss([entry.path])

    def action_enter(self) -> None:
        """Into the folder under the cursor."""
        rows = self.query_one(RowList).source
        if isinstance(rows, FolderRows) and len(rows) and rows.rows[self.query_one(RowList).cursor].folder:
            self._open(Path(rows.rows[self.query_one(RowList).cursor].path))

    def action_parent(self) -> None:
        """To the folder above."""
        if self._folder.parent != self._folder:
            self._open(self._folder.parent)

    def action_take(self) -> None:
        """Take what is marked, or the row under the cursor."""
        chosen = self.query_one(RowList)
        taken = sorted(str(mark) for mark in chosen.marks) or ([str(chosen.cursor_key)] if chosen.cursor_key else [])
        if taken:
            self.dismiss(taken)

    def action_folder(self) -> None:
        """Take the folder itself."""
        self.dismiss([str(self._folder)])

    def action_hidden(self) -> None:
        """Show or hide hidden files."""
        self._hidden = not self._hidden
        self._fill()
        self._say()

    def action_filter(self) -> None:
        """Type letters of the name."""
        field = self.query_one("#files-filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#files-filter")
    def _typed(self) -> None:
        self._fill()

    @on(Input.Submitted, "#files-filter")
    def _typed_enter(self) -> None:
        self.query_one(RowList).focus()

    def action_leave(self) -> None:
        """Leave the filter first, then the picker."""
        field = self.query_one("#files-filter", Input)
        if field.display:
            field.value = ""
            field.display = False
            self.query_one(RowList).focus()
        else:
            self.dismiss(None)
