"""The counts screen: a column's values with bars and shares, numbers as a histogram, crossed with another column."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import PurePath
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.present import counts as present
from batchtui.present import numbers
from batchtui.present.cells import dot
from batchtui.results.column_counts import ColumnCounts, Counted, count_column
from batchtui.results.field_columns import FIRST
from batchtui.results.names import Name, ValueNames
from batchtui.results.spreadsheet import csv_line
from batchtui.results.view import Rows, View
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of, sign_of
from batchtui.tui.dialogs import Choose
from batchtui.tui.results.column_choice import SCOPE_WORDS
from batchtui.tui.results.heading import two_ended
from batchtui.tui.results.save_table import save_table
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column, lay_out
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import GAP, GUTTER, ListedRows, NoRows, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine

BAR = (10, 60)
"""Cells of the longest bar: at least, and where there is room."""
MOST_ACROSS = 40
"""A column of more different values is not crossed with."""
MOST_COLUMNS = 60
_CROSSED = ("outcome", "model", "stop_reason", "attempt")


class CountRows(ListedRows[Counted]):
    """Groups as rows; a cell each for value, rows, share, and the bar or the groups of the other column."""

    def __init__(self, counts: ColumnCounts, bar: int, *, shares: bool) -> None:
        self._counts = counts
        self._shares = shares
        self._bar = bar
        self._longest = present.longest(counts)
        super().__init__(counts.groups)

    def key(self, index: int) -> Hashable:
        """The group's kind and label."""
        group = self.rows[index].group
        return group.kind, group.label

    def cells(self, index: int) -> Sequence[Cell]:
        """Value, rows, share, bar."""
        counted = self.rows[index]
        aside = counted.group.kind not in ("value", "range")
        label: Cell = Text(present.label(counted.group, 200), style="muted" if aside else "")
        cells: list[Cell] = [label, numbers.count(counted.rows), present.share(counted.share)]
        if self._counts.by:
            places = range(min(len(counted.by), MOST_COLUMNS))
            return [*cells, *(self._beside(counted, place) for place in places)]
        return [
            *cells,
            Text(present.bar(counted.share / self._longest, self._bar), style="muted" if aside else "accent"),
        ]

    def _beside(self, counted: Counted, place: int) -> Cell:
        text = present.beside(counted, place, shares=self._shares)
        return text if counted.by[place] else Text(text, style="muted")


def columns_of(counts: ColumnCounts, width: int) -> list[Column]:
    """The columns of a list ``width`` cells wide."""
    widest = max((cell_len(present.label(each.group, 200)) for each in counts.groups[:500]), default=5)
    rows = max((len(numbers.count(each.rows)) for each in counts.groups), default=1)
    share = Column("share", "Share", 6, align="right")
    fixed = [Column("value", "Value", min(max(5, widest), 40, max(12, width // 3)))]
    fixed += [Column("rows", "Rows", max(5, rows), align="right"), share]
    if not counts.by:
        taken = GUTTER + 1 + sum(each.width + 2 for each in fixed)
        return [*fixed, Column("bar", "", max(BAR[0], min(BAR[1], width - taken)))]
    across = counts.across[:MOST_COLUMNS]
    return [
        *fixed,
        *(
            Column(f"by{place}", name, max(5, cell_len(name)), align="right", priority=1 + place)
            for place, name in enumerate(present.label(group, 14) for group in across)
        ),
    ]


class CountsScreen(BaseScreen[str | None]):
    """Dismisses with the filter of the bar that was chosen; None when left."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = "counts.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,q", "leave", "back", "back", "back to the list", key_display="esc"),
        bind("tab", "cross(1)", "by another", "counts.by", "cross with the next field"),
        bind("shift+tab", "cross(-1)", "by previous", "counts.by_previous", "cross with the field before", show=False),
        bind("right,l", "field(1)", "next field", "counts.next", "count the next field", key_display="→"),
        bind("left,h", "field(-1)", "previous", "counts.previous", "count the previous field", show=False),
        bind("number_sign", "choose", "field", "counts.choose", "choose what to count"),
        bind("percent_sign", "shares", "shares", "counts.shares", "switch between rows and shares"),
        bind("x", "export", "export", "export", "save the counts as CSV"),
    ]

    def __init__(
        self, view: View, names: ValueNames, name: Name, rows: Rows, *, whole: bool, lacking: str = ""
    ) -> None:
        """``lacking`` says which batches of the run are not in the counts."""
        super().__init__()
        self._lacking = lacking
        self._view = view
        self._names = names
        self._rows = None if whole else rows
        self._fields = self._countable()
        self.name_counted = name
        self.by: Name | None = None
        self.counts: ColumnCounts | None = None
        self._shares = False
        self._asked = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="counts-title", markup=False)
        yield Static("", id="counts-figures", markup=False)
        yield RowList((), id="counts-list")
        yield Static("", id="counts-note", markup=False)
        yield StatusLine()
        yield KeyLine(
            ("open", "counts.by", "counts.next", "counts.shares", "counts.choose", "export"), last=("help", "back")
        )

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        self.count()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Shares only where there is another column."""
        return action != "shares" or self.by is not None

    def count(self) -> None:
        """Count the chosen column, in a thread; a later call takes the place of one that still runs."""
        self._asked += 1
        run_task(self, self._count(self._asked))

    async def _count(self, asked: int) -> None:
        try:
            found = await self.in_thread(count_column, self._view, self._names, self.name_counted, self.by, self._rows)
        except BatchtuiError as error:
            self.fail(error)
            return
        if asked == self._asked:
            self.counts = found
            self._show()

    def _show(self) -> None:
        counts = self.counts
        if counts is None:
            return
        listed = self.query_one(RowList)
        self._title()
        figures = present.quartiles(counts.summary) if counts.summary is not None else ""
        self.query_one("#counts-figures", Static).update(Content(figures))
        self.query_one("#counts-figures").display = bool(figures)
        note = dot(self._lacking, present.respelled(counts))
        self.query_one("#counts-note", Static).update(Content(note))
        self.query_one("#counts-note").display = bool(note)
        columns = columns_of(counts, self.size.width)
        listed.set_columns(columns)
        rows = CountRows(counts, columns[-1].width, shares=self._shares)
        listed.set_source(rows if counts.groups else NoRows())
        listed.set_empty("There are no rows to count.\nPress Esc to go back and show other rows.")
        placed = lay_out(columns, self.size.width - GUTTER - 1, GAP)
        hidden = len(counts.across) - sum(place.column.key.startswith("by") for place in placed)
        more = f" · {numbers.plural(hidden, 'more column')}: {key_of('export')} exports all" if hidden > 0 else ""
        self.query_one(StatusLine).tell(f"{key_of('open')} shows these rows{more}" if counts.groups else "")
        self.refresh_bindings()

    def _title(self) -> None:
        counts = self.counts
        assert counts is not None
        left, by = present.title(counts), sign_of("counts.by")
        right = (
            f"by {safetext.line(counts.by, 40)} ({by} changes)" if counts.by else f"{by} crosses with another column"
        )
        self.query_one("#counts-title", Static).update(two_ended(left, right, self.size.width - 2))

    def on_resize(self) -> None:
        """The title and the widths go by the room."""
        self._show()

    @on(RowSelected)
    def _selected(self, event: RowSelected) -> None:
        if self.counts is not None and event.index < len(self.counts.groups):
            self.dismiss(self.counts.groups[event.index].group.filter)

    def _countable(self) -> list[Name]:
        run = [
            name
            for name in self._names.run
            if name.key in (*_CROSSED, "answer", "input_tokens", "output_tokens", "cost_usd")
        ]
        return [*self._names.answers, *self._names.own, *run]

    def action_field(self, by: int) -> None:
        """The next column or field."""
        fields = self._fields
        place = fields.index(self.name_counted) if self.name_counted in fields else -1
        self.name_counted = fields[(place + by) % len(fields)]
        if self.by == self.name_counted:
            self.by = None
        self.count()

    def action_cross(self, by: int) -> None:
        """By the next column that has few different values, or by none."""
        run_task(self, self._cross(by))

    async def _cross(self, by: int) -> None:
        found = await self.in_thread(self._next_across, by)
        if found == self.by:
            self.say("There is no column or field with few different values to cross with.")
            return
        self.by = found
        self.count()

    def _next_across(self, step: int) -> Name | None:
        ring: list[Name | None] = [None, *(name for name in self._fields if name != self.name_counted)]
        place = ring.index(self.by) if self.by in ring else 0
        for _ in ring:
            place = (place + step) % len(ring)
            name = ring[place]
            if name is None or self._few(name):
                return name
        return None

    def _few(self, name: Name) -> bool:
        if name.scope == "run" and name.key not in _CROSSED:
            return False
        codes = set(self._names.column(name).codes)
        return 1 < len(codes) <= MOST_ACROSS and all(code >= FIRST or code == 0 for code in codes)

    def action_shares(self) -> None:
        """Rows, or shares of a value's rows."""
        self._shares = not self._shares
        self._show()

    def action_choose(self) -> None:
        """Choose what to count from all columns and fields."""
        run_task(self, self._choose(), opens=True)

    async def _choose(self) -> None:
        choices = [(name.full, f"{safetext.line(name.bare, 60)}  ({SCOPE_WORDS[name.scope]})") for name in self._names]
        chosen = await self.app.push_screen_wait(Choose("Count", choices))
        if chosen is not None:
            self.name_counted = self._names.resolve(chosen)
            self.by = None if self.by == self.name_counted else self.by
            self.count()

    def action_export(self) -> None:
        """Save the counts as CSV."""
        counts = self.counts
        if counts is not None:
            name = safetext.filename(f"counts-{counts.name}{'-by-' + counts.by if counts.by else ''}")
            lines = [csv_line(row) for row in present.to_csv(counts)]
            run_task(self, save_table(self, "Save the counts as CSV", f"{name}.csv", lines), opens=True)
