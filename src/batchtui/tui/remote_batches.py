"""The screen of other batches in this workspace: listed page by page, adopted with a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import RemoteBatch
from batchtui.domain.errors import BatchtuiError
from batchtui.present import batch as present_batch
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import EditModal
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine

COLUMNS = (
    Column("id", "Batch", 20, flex=1, max_width=40),
    Column("status", "Status", 11),
    Column("counts", "Outcomes", 16, flex=1, max_width=34),
    Column("requests", "Requests", 8, align="right", priority=1),
    Column("age", "Age", 4, align="right"),
    Column("created", "Created", 16, priority=2),
)
NEAR = 10
"""The next page is fetched when the cursor is this near the end."""


class RemoteRows:
    """Batches as the API lists them."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.batches: list[RemoteBatch] = []
        self._clock = clock

    def __len__(self) -> int:
        return len(self.batches)

    def key(self, index: int) -> Hashable:
        return self.batches[index].id

    def find(self, key: Hashable) -> int | None:
        return next((i for i, batch in enumerate(self.batches) if batch.id == key), None)

    def style(self, index: int) -> str:
        return "muted" if self.batches[index].archived_at else ""

    def cells(self, index: int) -> Sequence[Cell]:
        batch = self.batches[index]
        counts = batch.request_counts
        ended = batch.processing_status == "ended"
        sign = GLYPHS.ready if ended else GLYPHS.canceling if batch.processing_status == "canceling" else GLYPHS.running
        word = {"in_progress": "running"}.get(batch.processing_status, safetext.line(batch.processing_status, 20))
        found = [("succeeded", counts.succeeded, "good"), ("errored", counts.errored, "bad")]
        found += [("expired", counts.expired, "warn"), ("canceled", counts.canceled, "muted")]
        return [
            safetext.line(batch.id, 80),
            Text.assemble((f"{sign} ", "accent"), word),
            present_batch.counts_text([each for each in found if each[1]]),
            f"{counts.total:,}",
            numbers.short(self._clock() - batch.created_at) if batch.created_at else "",
            numbers.at(batch.created_at),
        ]


class RemoteBatchesScreen(BaseScreen[None]):
    """Enter adopts the batch under the cursor."""

    CSS_PATH = "remote_batches.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("a", "adopt", "adopt", "adopt", "adopt: track the batch here and download its results"),
        bind("m", "more", "more", "more", "load the next page"),
        bind("R", "again", "refresh", "refresh", "refresh the list"),
        bind("escape", "leave", "back", "back", "back to home"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows = RemoteRows(self._now)
        self._next: str | None = None
        self._asking = False
        self._turn = 0
        """Counts how often the list was begun anew: a page asked for before belongs to no list any more."""

    def _now(self) -> datetime:
        return self.tui.now()

    def compose(self) -> ComposeResult:
        yield Static("Other batches in this workspace", id="title", markup=False)
        yield RowList(COLUMNS, self.rows, id="remote")
        yield StatusLine()
        yield KeyLine(("adopt", "more", "refresh"), last=("help", "back"))

    def on_mount(self) -> None:
        rows = self.query_one(RowList)
        rows.focus()
        self.watch(rows, "scroll_y", self._scrolled, init=False)
        self.action_again()

    def action_again(self) -> None:
        """From the first page."""
        self.rows.batches.clear()
        self._next, self._asking = None, False
        self._turn += 1
        self._page()

    def action_more(self) -> None:
        """The next page, wherever the cursor is."""
        if self._next:
            self._page()
        elif not self._asking:
            self.say("No more batches.")

    def _page(self) -> None:
        run_task(self, self._read_page())

    async def _read_page(self) -> None:
        if self._asking:
            return
        self._asking, failed, turn = True, False, self._turn
        self._facts("checking the API")
        enough = len(self.rows) + 1
        try:
            while True:
                page, following = await self.ask(self.service.untracked(self._next))
                if turn != self._turn:
                    return
                self._next = following
                self.rows.batches += page
                if not self._next or len(self.rows) >= enough:
                    break
        except BatchtuiError as error:
            if turn != self._turn:
                return
            failed = True
            self.fail(error)
        finally:
            if turn == self._turn:
                self._asking = False
        if not self.is_attached:
            return
        self._show(failed=failed)
        if not failed and self._next and self._near_the_end():
            self._page()

    def _show(self, *, failed: bool) -> None:
        listed = self.query_one(RowList)
        listed.set_empty(
            ""
            if failed or self._next
            else f"Every batch in this workspace is tracked here.\nPress {key_of('refresh')} to refresh."
        )
        listed.reload()
        self._facts(self._so_far(failed=failed))

    def _so_far(self, *, failed: bool) -> str:
        shown = numbers.plural(len(self.rows), "batch", "batches")
        if failed:
            return f"{shown} so far; press {key_of('refresh')} to refresh"
        if not len(self.rows):
            return ""
        return shown + (", more when you scroll down" if self._next else "")

    def _facts(self, words: str) -> None:
        if self.is_attached:
            self.query_one(StatusLine).tell(words)

    def _near_the_end(self) -> bool:
        """Whether what is seen, or the cursor, is at the last rows that are here."""
        rows = self.query_one(RowList)
        bottom = round(rows.scroll_y) + rows.size.height - 1
        return bottom >= len(self.rows) or rows.cursor >= len(self.rows) - NEAR

    @on(RowHighlighted)
    def _moved(self) -> None:
        self._scrolled()

    def _scrolled(self) -> None:
        if self._next and self._near_the_end():
            self._page()

    @on(RowSelected)
    def _opened(self) -> None:
        self.action_adopt()

    def action_adopt(self) -> None:
        """Keep a record of the batch under the cursor."""
        run_task(self, self._adopt(), opens=True)

    async def _adopt(self) -> None:
        index = self.query_one(RowList).cursor
        if index >= len(self.rows):
            return
        remote = self.rows.batches[index]
        lead = "Its results are downloaded as usual. Its requests are not on this machine, so it can't be retried."
        answer = await self.app.push_screen_wait(EditModal("", "", heading="Adopt batch", lead=lead))
        if answer is None:
            return
        try:
            record = await self.ask(self.service.adopt(remote, *answer))
        except BatchtuiError as error:
            self.fail(error)
            return
        self.rows.batches = [batch for batch in self.rows.batches if batch.id != remote.id]
        self._show(failed=False)
        self._scrolled()
        self.say(f"Adopted {present_batch.name(record)}.", level="good")
