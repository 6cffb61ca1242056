"""The results' list as a table: names read beside the screen, the columns chosen and remembered, counts of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchtui.domain.errors import BatchtuiError
from batchtui.domain.work import Progress, Work
from batchtui.results.names import Name, ValueNames, names_of
from batchtui.results.view import View
from batchtui.store.shown_columns import remember, remembered
from batchtui.tui.progress import work_for
from batchtui.tui.results.table_columns import TableColumn, table_columns

if TYPE_CHECKING:
    from batchtui.tui.results.screen import ResultsScreen


class TableModel:
    """What a results screen knows of columns and fields; reading them holds no key back."""

    def __init__(self, screen: ResultsScreen) -> None:
        self._screen = screen
        self.names: ValueNames | None = None
        """The names of the view, once they are read."""
        self.reading = ""
        """How far the reading has come, in words; "" when nothing is read."""

    async def read(self, view: View, work: Work) -> None:
        """Read the names of a view, then show its columns; without effect once the work is stopped."""
        self.names = None
        try:
            names, columns = await self._screen.in_thread(self._read, view, work)
        except BatchtuiError as error:
            if not work.stopped:
                self._screen.fail(error)
            return
        finally:
            self.reading = ""
        if self._screen.view is view and self._screen.is_attached:
            self.names = names
            self._screen.show_columns(columns)
            self._screen.say_facts()

    def _read(self, view: View, work: Work) -> tuple[ValueNames, tuple[TableColumn, ...]]:
        names = names_of(view, work)
        return names, table_columns(view, names, remembered(self._screen.service.data, self._run))

    @property
    def _run(self) -> str:
        record = self._screen.record
        return record.run if record is not None else ""

    def progressed(self, progress: Progress) -> None:
        """Say how far the reading has come."""
        share = f" {min(1.0, progress.done / progress.total):.0%}" if progress.total else ""
        self.reading = f"{progress.stage}{share}"
        self._screen.say_facts()

    async def _names(self) -> tuple[View, ValueNames]:
        """The view that is shown and its names, read now where they are not yet.  Raises BatchtuiError."""
        view = self._screen.view
        assert view is not None
        names = await self._screen.in_thread(names_of, view, work_for(self._screen))
        return (view, names) if self._screen.view is view else await self._names()

    async def choose_columns(self) -> None:
        """Choose, order and hide columns, and remember them for the run."""
        from batchtui.tui.results.column_choice import ColumnsScreen

        _, names = await self._names()
        shown = [each.name for each in self._screen.columns]
        listed = sorted(names, key=lambda name: shown.index(name.full) if name.full in shown else len(shown))
        chosen: list[str] | None = await self._screen.app.push_screen_wait(
            ColumnsScreen(listed, shown, title="Columns of the list in the order of the marks, as many as fit")
        )
        if chosen is None or chosen == shown:
            return
        remember(self._screen.service.data, self._run, chosen)
        view, names = await self._names()
        self._screen.show_columns(await self._screen.in_thread(table_columns, view, names, chosen))

    async def open_counts(self) -> None:
        """Count the column that the rows are sorted by, else the first field, and filter by what is chosen there."""
        from batchtui.tui.results.counts import CountsScreen

        view, names = await self._names()
        rows, lacking = self._screen.rows, self._screen.not_included
        whole = len(rows) == len(view)
        screen = CountsScreen(view, names, self._first(names), rows, whole=whole, lacking=lacking)
        chosen: str | None = await self._screen.app.push_screen_wait(screen)
        if chosen is not None:
            kept = self._screen.filter_text
            self._screen.set_filter(f"{kept} {chosen}".strip() if kept else chosen, tab=self._screen.tab)

    def _first(self, names: ValueNames) -> Name:
        by = next((each.name for each in self._screen.columns if each.sort == self._screen.sorted_by), "")
        shown = [name for each in self._screen.columns if (name := names.find(each.name)) is not None]
        answers = [name for name in shown if name.scope == "answer"]
        own = [name for name in shown if name.scope == "row"]
        found = names.find(by) if by else None
        return found or next(iter((*answers, *own)), None) or names.resolve("run.outcome")
