"""The dialog that chooses columns of the list or an export, and their order: marks, numbered as they are set."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import PurePath
from typing import ClassVar, NamedTuple, TypeAlias

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from batchtui import safetext
from batchtui.results.names import Name
from batchtui.tui.base import BaseModal
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import DIALOG_CSS
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import ListedRows, MarksChanged, RowList, RowSelected

COLUMNS = (
    Column("place", "#", 5, align="right"),
    Column("name", "Column", 16, flex=3),
    Column("scope", "From", 8, flex=1, max_width=20),
)
SCOPE_WORDS = {"row": "source", "answer": "answer", "run": "request", "origin": "origin"}
"""What a name of each scope is of, in words."""


class OriginColumn(NamedTuple):
    """A column of a run that this one was made from, under that run's title."""

    full: str
    scope: str = "origin"

    @property
    def bare(self) -> str:
        """The name."""
        return self.full


Choosable: TypeAlias = Name | OriginColumn


class NameRows(ListedRows[Choosable]):
    """Names of columns as rows, with their places among the chosen."""

    def __init__(self, names: Sequence[Choosable], chosen: Sequence[str]) -> None:
        super().__init__(names)
        self._chosen = chosen

    def key(self, index: int) -> Hashable:
        """The name with its scope."""
        return self.rows[index].full

    def cells(self, index: int) -> Sequence[Cell]:
        """Its place among the chosen, the name, what it is of."""
        name = self.rows[index]
        place = str(self._chosen.index(name.full) + 1) if name.full in self._chosen else ""
        return Text(place, style="accent"), safetext.line(name.bare, 200), Text(SCOPE_WORDS[name.scope], style="muted")


class ColumnsScreen(BaseModal[list[str] | None]):
    """Dismisses with the chosen names in their order, none for the default columns; None when left."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "column_choice.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,q", "leave", "back", "back", "back, nothing changed", key_display="esc"),
        bind("less_than_sign", "shift(-1)", "left", "columns.left", "move the column to the left"),
        bind("greater_than_sign", "shift(1)", "right", "columns.right", "move the column to the right"),
    ]

    def __init__(
        self,
        names: Sequence[Choosable],
        chosen: Sequence[str],
        *,
        title: str = "Columns to export, in the order of the marks",
    ) -> None:
        super().__init__()
        self._title = title
        self._names = names
        self._chosen = list(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(id="columns"):
            yield Static(self._title, classes="title", markup=False)
            yield RowList(COLUMNS, NameRows(self._names, self._chosen), id="columns-list")
            yield Static("", id="columns-said", markup=False)
            yield KeyLine(("mark", "columns.left", "columns.right", "mark_all"), last=("back",))

    def on_mount(self) -> None:
        """The list has the keys."""
        listed = self.query_one(RowList)
        listed.set_marks(self._chosen)
        listed.focus()
        self._say()

    @on(MarksChanged)
    def _marked(self, event: MarksChanged) -> None:
        marks = event.marks
        kept = [name for name in self._chosen if name in marks]
        self._chosen = kept + [name.full for name in self._names if name.full in marks and name.full not in kept]
        self.query_one(RowList).set_source(NameRows(self._names, self._chosen))
        self._say()

    def _say(self) -> None:
        key = key_of("open")
        marked = f"{len(self._chosen)} of {len(self._names)} columns marked"
        said = (
            f"{marked}. Press {key} to apply." if self._chosen else f"No columns marked. Press {key} for the default."
        )
        self.query_one("#columns-said", Static).update(said)

    @on(RowSelected)
    def _selected(self) -> None:
        self.dismiss(self._chosen)

    def action_shift(self, by: int) -> None:
        """Move the chosen column under the cursor among the chosen ones."""
        listed = self.query_one(RowList)
        key = listed.cursor_key
        if key not in self._chosen or not isinstance(key, str):
            return
        place = self._chosen.index(key)
        self._chosen.remove(key)
        self._chosen.insert(max(0, place + by), key)
        listed.set_source(NameRows(self._names, self._chosen))
        self._say()
