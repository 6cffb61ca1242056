"""Home's keys that only change what is seen: filter, sort, fold, marks, copy."""

from __future__ import annotations

from textual import events, on

from batchtui import safetext
from batchtui.tui.desk import SORTS
from batchtui.tui.messages import FilterLeft, FilterTyped
from batchtui.tui.screens.home_view import HomeView
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_source import HeaderClicked
from batchtui.tui.widgets.status_line import StatusLine


class HomeLooking(HomeView):
    """The desk, looked at this way or that."""

    @on(HeaderClicked)
    def _header(self, event: HeaderClicked) -> None:
        if event.column in SORTS:
            self.sort_by(event.column, reverse=self.desk.sort == event.column and not self.desk.reverse)

    @on(FilterTyped)
    def _query(self, event: FilterTyped) -> None:
        self.desk.query = event.text
        self.query_one(StatusLine).dismiss()
        self.rearrange()
        self._draw_status(self.service.look_state())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.query_one(KeyLine).show(("back",) if event.widget.id == "query" else self.KEY_LINE)

    @on(FilterLeft)
    def _query_done(self) -> None:
        self.batches.focus()

    async def action_filter(self) -> None:
        """Open the filter."""
        from batchtui.tui.widgets.filter_line import FilterLine

        if not self.query(FilterLine):
            hint = "words  status:running  model:sonnet  age<2d  cost>1"
            await self.mount(FilterLine(hint, id="filtering"), before="#rule")
        self.add_class("filtering")
        self.query_one(FilterLine).begin()

    def action_clear(self) -> None:
        """Escape takes away one thing at a time: the message, the filter, the marks."""
        if self.query_one(StatusLine).dismiss():
            return
        if self.has_class("filtering"):
            self.drop_filter()
            self.rearrange()
            self.batches.focus()
        elif self.batches.marks:
            self.batches.set_marks(())

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.sort_by(SORTS[(SORTS.index(self.desk.sort) + 1) % len(SORTS)], reverse=False)

    def action_reverse(self) -> None:
        """The other way round."""
        self.sort_by(self.desk.sort, reverse=not self.desk.reverse)

    def sort_by(self, column: str, *, reverse: bool) -> None:
        """Sort by a column."""
        self.desk.sort, self.desk.reverse = column, reverse
        self.rearrange()
        self._draw_status(self.service.look_state())

    def action_fold(self, folded: bool | None = None) -> None:
        """Fold or unfold the run under the cursor."""
        line = self.line
        if line is not None and self.desk.fold(line.group.run, folded):
            run = line.group.run
            self.rearrange()
            self.batches.move_to_key(("run", run))
        elif line is not None and not line.group.several:
            self.say("this batch is no run of several: there is nothing to fold")

    def action_copy(self) -> None:
        """Copy the service's id of the row, or the local one."""
        records = self.line.records if self.line else []
        if records:
            text = records[0].id or records[0].local_id
            self.app.copy_to_clipboard(text)
            self.say(
                f"copied {safetext.line(text, 80)}", advice="if nothing arrived, the terminal refuses the clipboard"
            )
