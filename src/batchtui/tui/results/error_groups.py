"""The dialog with results without a usable answer, grouped by how they ended, with what that means."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import PurePath
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.outcome import ErrorGroup
from batchtui.present import numbers
from batchtui.tui.base import BaseModal
from batchtui.tui.bindings import bind
from batchtui.tui.dialogs import DIALOG_CSS
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import ListedRows, RowHighlighted, RowList, RowSelected

COLUMNS = (
    Column("count", "Count", 7, align="right"),
    Column("kind", "Error", 12, max_width=30, flex=1),
    Column("retry", "Retry?", 14, priority=1),
    Column("message", "Message", 16, flex=3),
)
AGAIN = {
    "as_is": ("retry as is", "good"),
    "changed": ("needs a change", "warn"),
    "later": ("later", "warn"),
}


class GroupRows(ListedRows[ErrorGroup]):
    """Error groups as rows; ``answered`` says by a group's number how many of its requests a retry answered since."""

    def __init__(self, rows: Sequence[ErrorGroup], answered: Mapping[int, int]) -> None:
        super().__init__(rows)
        self._answered = answered

    def key(self, index: int) -> Hashable:
        return self.rows[index].number

    def cells(self, index: int) -> Sequence[Cell]:
        """Count, kind, whether sending again helps, message."""
        group = self.rows[index]
        words, style = AGAIN[group.retry]
        if self._answered.get(group.number) == group.count:
            words, style = "answered since", "muted"
        kind = Text(
            safetext.line(group.kind, 60).removesuffix("_error"), style="bad" if group.outcome == "errored" else "warn"
        )
        return numbers.count(group.count), kind, Text(words, style=style), safetext.line(group.message, 300)


class GroupsScreen(BaseModal[tuple[ErrorGroup, bool] | None]):
    """Dismisses with the group to show and whether it is to be sent again; None when left."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "error_groups.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("r", "retry", "retry", "retry", "retry this group"),
        bind("escape,E,q", "leave", "back", "back", "back to the list", key_display="esc"),
    ]

    def __init__(self, groups: Sequence[ErrorGroup], answered: Mapping[int, int]) -> None:
        super().__init__()
        self._groups = groups
        self._answered = answered

    def compose(self) -> ComposeResult:
        total = sum(group.count for group in self._groups)
        with Vertical(id="groups"):
            title = f"{numbers.plural(total, 'request')} without a usable answer in {numbers.plural(len(self._groups), 'group')}"
            yield Static(title, classes="title", markup=False)
            yield RowList(COLUMNS, GroupRows(self._groups, self._answered), id="groups-list")
            yield Static("", id="groups-meaning", markup=False)
            yield KeyLine(("open", "retry"), last=("back",))

    def on_mount(self) -> None:
        """The list has the keys."""
        self.query_one(RowList).focus()
        self._explain()

    @on(RowHighlighted)
    def _explain(self) -> None:
        place = self.query_one(RowList).cursor
        if place < len(self._groups):
            group = self._groups[place]
            title = (safetext.line(group.title, 500), "bold")
            text = Content.assemble(title, f"\n{group.meaning}\n", (self._advice(group), "$text-accent"))
            self.query_one("#groups-meaning", Static).update(text)

    def _advice(self, group: ErrorGroup) -> str:
        """What to do about a group, of which a retry may have answered requests since."""
        answered = self._answered.get(group.number, 0)
        if answered == group.count:
            return f"A retry has answered {'it' if answered == 1 else f'all {answered:,}'} since: nothing to retry."
        return (
            f"{group.advice} A retry has answered {numbers.of(answered, group.count)} since."
            if answered
            else group.advice
        )

    @on(RowSelected)
    def _selected(self, event: RowSelected) -> None:
        self.dismiss((self._groups[event.index], False))

    def action_retry(self) -> None:
        """Show the group under the cursor, and ask about sending it again."""
        place = self.query_one(RowList).cursor
        if place < len(self._groups):
            self.dismiss((self._groups[place], True))
