"""The list of the results screen: tabs, filter, order, and the rows they show."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from textual import on
from textual.content import Content
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.domain.outcome import ErrorGroup
from batchtui.present import numbers
from batchtui.results.view import Rows, View
from batchtui.tui.base import BaseScreen
from batchtui.tui.results.rows import SORTS, ResultRows
from batchtui.tui.results.search import Order, RowsFound, Search, Wanted
from batchtui.tui.widgets.row_list import HeaderClicked, RowList
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import TabLine


class Listing(BaseScreen[None]):
    """Finds and shows the rows; the answer beside them is the subclass's."""

    def __init__(self) -> None:
        super().__init__()
        self.view: View | None = None
        self._order = Order("file", False)
        self._case = self._regex = False
        self._group: ErrorGroup | None = None
        self._cursor_at: int | None = None
        """The row that the cursor was on in the view before, until it is found in this one."""
        self._search = Search(self.post_message)

    def take_view(self, view: View, rows_of: Mapping[str, int]) -> None:
        """Show another view, the marks and the cursor on the requests they were on; ``rows_of`` are its rows by id."""
        listed, before = self.query_one(RowList), self.view
        marks, at = (listed.marks, listed.cursor_key) if before is not None else ((), None)
        marked = [before.id(row) for row in marks if before is not None and isinstance(row, int)]
        self.view = self._search.view = view
        self._cursor_at = rows_of.get(before.id(at)) if before is not None and isinstance(at, int) else None
        # A number means another row from now on: none is to be taken for one of the view before.
        listed.set_source(ResultRows(view, array("I")), keep_cursor=False)
        listed.set_marks(rows_of[name] for name in marked if name in rows_of)

    def show_soon(self) -> None:
        """The row under the cursor is another one."""

    def select(self, *, among: Rows | None = None) -> None:
        """Find the rows of the tab, the filter and the order, or order those ``among``; they come as Found messages."""
        if self.view is not None:
            field = self.query_one("#results-filter", Input)
            wanted = Wanted(field.value.strip(), self._case, self._regex, self._group)
            self._search.start(self.query_one(TabLine).chosen, wanted, self._order, among)
            self._say_sign()

    def _say_sign(self) -> None:
        """What stands before the filter: how its words are read, and the error group it is within."""
        sign = "/" + ("Aa" if self._case else "") + (".*" if self._regex else "")
        group = f" {safetext.line(self._group.title, 40)} ·" if self._group is not None else ""
        self.query_one("#results-filter-sign", Static).update(Content(sign + group))
        shown = self._group is not None or bool(self.query_one("#results-filter", Input).value)
        line = self.query_one("#results-filter-line")
        line.display = shown or self.query_one("#results-filter", Input).has_focus

    def show_group(self, group: ErrorGroup) -> None:
        """Show one error group's rows."""
        self._group = group
        self.set_filter("")

    def action_case(self) -> None:
        """Whether capitals matter."""
        self._case = not self._case
        self.select()

    def action_regex(self) -> None:
        """Words, or one regular expression."""
        self._regex = not self._regex
        self.select()

    @on(RowsFound)
    def _found(self, found: RowsFound) -> None:
        if self.view is None or found.number != self._search.number:
            return
        if found.problem:
            self.say(found.problem, level="warn")
        elif found.done and self.query_one(StatusLine).said:
            self.query_one(StatusLine).dismiss()
        listed = self.query_one(RowList)
        listed.set_sort(None if self._order.key == "file" else self._order.key, self._order.reverse)
        listed.set_source(ResultRows(self.view, found.rows))
        if self._cursor_at is not None and (listed.move_to_key(self._cursor_at) or found.done):
            self._cursor_at = None
        self.say_facts(searching=not found.done)
        if not found.rows:
            self.show_soon()

    @property
    def rows(self) -> Rows:
        """The rows that are shown, in their order."""
        source = self.query_one(RowList).source
        return source.rows if isinstance(source, ResultRows) else array("I")

    def say_facts(self, *, searching: bool = False) -> None:
        """Say where the cursor is, and what of how much is shown."""
        if self.view is None:
            return
        listed = self.query_one(RowList)
        shown = len(listed.source)
        parts = [f"{numbers.count(shown)} of {numbers.count(len(self.view))} shown"]
        if shown:
            parts.insert(0, f"row {numbers.count(listed.cursor + 1)}")
        parts += [f"{numbers.count(len(listed.marks))} marked"] if listed.marks else []
        parts += [f"by {self._order.key}{' down' if self._order.reverse else ''}"] if self._order.key != "file" else []
        parts += ["searching, esc stops"] if searching else []
        self.query_one(StatusLine).tell(" · ".join(parts))

    @on(TabLine.Chosen)
    def _tab_chosen(self) -> None:
        self.select()

    def action_tab(self, number: int) -> None:
        """The tab with this number."""
        self.query_one(TabLine).choose_number(number)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one("#results-filter-line").display = True
        self.query_one("#results-filter", Input).focus()

    @on(Input.Changed, "#results-filter")
    def _filter_typed(self) -> None:
        self.select()

    @on(Input.Submitted, "#results-filter")
    def _filter_done(self) -> None:
        self.query_one(RowList).focus()

    def set_filter(self, text: str, *, tab: str = "all") -> None:
        """Show what a filter lets through, in a tab."""
        self.query_one(TabLine).choose(tab, tell=False)
        field = self.query_one("#results-filter", Input)
        if field.value == text:
            self.select()
        field.value = text
        self.query_one(RowList).focus()

    def action_sort(self) -> None:
        """By the next column."""
        self._sort_by(SORTS[(SORTS.index(self._order.key) + 1) % len(SORTS)])

    def action_reverse(self) -> None:
        """The other way round."""
        self._order = Order(self._order.key, not self._order.reverse)
        self._again()

    @on(HeaderClicked)
    def _header_clicked(self, event: HeaderClicked) -> None:
        if event.column == self._order.key:
            self.action_reverse()
        elif event.column in SORTS:
            self._sort_by(event.column)

    def _sort_by(self, key: str) -> None:
        self._order = Order(key, key in ("in", "out", "cost"))
        self._again()

    def _again(self) -> None:
        """In another order; what a search has found, or kept when it was stopped, is not looked for anew."""
        self.select(among=None if self._search.running else self.rows)
