"""The results screen: outcomes as tabs, the list, the request beside its answer."""

from __future__ import annotations

import threading
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.present import numbers
from batchtui.results.view import View
from batchtui.service import events as told
from batchtui.tui.base import Progressed, progress_poster, run_task
from batchtui.tui.dialogs import line_input
from batchtui.tui.messages import Happened
from batchtui.tui.new.plan_summary import progress_line
from batchtui.tui.results.actions import Hands
from batchtui.tui.results.detail import DetailPane, Mode, ShownResult, read
from batchtui.tui.results.heading import costs_line, nothing_yet, title_line
from batchtui.tui.results.listing import Listing
from batchtui.tui.results.rows import columns_for, tabs
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import MarksChanged, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import TabLine

WIDE = 110
"""From this width on the answer stands right of the list, in cells; narrower, Enter opens it."""
TALL = 40
"""From this height on a narrow screen shows it below the list."""
PAUSE = 0.06
"""Seconds the cursor rests before an answer is read, so that a held-down key reads none on its way."""


def _rows_by_id(view: View) -> dict[str, int]:
    return {name: row for row, name in enumerate(view.ids())}


class ResultsScreen(Hands, Listing):
    """Opens the results of the batch ``local_id``, or with ``run`` of its whole run."""

    CSS_PATH = "screen.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = (
        "open",
        "results.filter",
        "results.errors",
        "retry",
        "export",
        "results.raw",
        "results.markdown",
        "sort",
        "results.run",
        "results.compare",
        "copy",
        "results.pager",
        "results.case",
        "results.regex",
        "results.fetch",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "back",
            "back",
            id="back",
            tooltip="stop the search, close the answer, clear the filter, then leave",
        ),
        Binding(
            "slash",
            "filter",
            "filter",
            id="results.filter",
            tooltip="words, tokens>1000, stop:max_tokens, error:overloaded, id:…",
        ),
        Binding(
            "ctrl+t", "case", "case", show=False, id="results.case", tooltip="whether capitals matter in the filter"
        ),
        Binding(
            "ctrl+r",
            "regex",
            "regex",
            show=False,
            id="results.regex",
            tooltip="the filter's words as one regular expression",
        ),
        Binding("s", "sort", "sort", id="sort", tooltip="sort by the next column"),
        Binding("S", "reverse", "reverse", show=False, id="results.reverse", tooltip="turn the order round"),
        Binding("E", "groups", "errors", id="results.errors", tooltip="errors grouped, with what they mean"),
        Binding("r", "retry", "retry", id="retry", tooltip="send again what is marked, or all that is shown"),
        Binding("x", "export", "export", id="export", tooltip="write what is shown to a file"),
        Binding("y", "copy", "copy", id="copy", tooltip="copy the answer, control characters as signs"),
        Binding(
            "Y",
            "copy(True)",
            "copy raw",
            show=False,
            id="copy.raw",
            tooltip="copy the answer as received, with control characters",
        ),
        Binding("o", "pager", "pager", id="results.pager", tooltip="open request and answer in $PAGER"),
        Binding("O", "editor", "editor", show=False, id="results.editor", tooltip="open request and answer in $EDITOR"),
        Binding("m", "mode('plain')", "plain", id="results.markdown", tooltip="the text as Markdown, or plain"),
        Binding("v,J", "mode('raw')", "raw", key_display="v", id="results.raw", tooltip="the raw JSON, or the text"),
        Binding("u", "run", "run", id="results.run", tooltip="the whole run merged, or this batch alone"),
        Binding(
            "left_square_bracket",
            "older(1)",
            "older",
            show=False,
            id="results.older",
            tooltip="an older answer to the same request",
        ),
        Binding(
            "right_square_bracket",
            "older(-1)",
            "newer",
            show=False,
            id="results.newer",
            tooltip="back towards the answer that holds",
        ),
        Binding("n", "step(1)", "next", show=False, id="results.next", tooltip="the next answer of the list"),
        Binding(
            "p", "step(-1)", "previous", show=False, id="results.previous", tooltip="the previous answer of the list"
        ),
        Binding("equals_sign", "compare", "compare", id="results.compare", tooltip="compare with another batch or run"),
        Binding(
            "f",
            "fetch",
            "fetch results",
            id="results.fetch",
            tooltip="download the results again; they replace only what holds less",
        ),
        *(Binding(str(n), f"tab({n})", show=False, id=f"results.tab{n}", tooltip=f"tab {n}") for n in range(1, 10)),
    ]

    def __init__(self, local_id: str, *, run: bool = False) -> None:
        super().__init__()
        self.local_id = local_id
        self.run = run
        self.record: BatchRecord | None = None
        self.mode: Mode = "markdown"
        self._older = 0
        self._opening: threading.Event | None = None
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        """Title and costs, tabs, filter, list and answer, status, keys."""
        yield Static("", id="results-title", markup=False)
        yield Static("", id="results-costs", markup=False)
        yield TabLine(numbered=True, id="results-tabs")
        with Horizontal(id="results-filter-line"):
            yield Static("/", id="results-filter-sign", markup=False)
            yield line_input(
                placeholder="words, tokens>1000, stop:max_tokens, error:overloaded, id:…", id="results-filter"
            )
        with Container(id="results-body"):
            yield RowList((), id="results-list")
            yield DetailPane(id="results-detail")
        yield Static("", id="results-message", markup=False)
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    async def on_mount(self) -> None:
        """Open at once."""
        self.query_one("#results-filter-line").display = False
        self.query_one(RowList).focus()
        self._lay_out(self.app.size.width, self.app.size.height)
        self.open()

    # --- opening ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the results anew, stopping an opening that still runs."""
        if self._opening is not None:
            self._opening.set()
        self._opening = threading.Event()
        run_task(self, self._open(self._opening))

    async def _open(self, stop: threading.Event) -> None:
        try:
            self.record = self.service.resolve(self.local_id)
            self._say_head()
            view = await self.in_thread(
                self.service.open_results, self.local_id, run=self.run, progress=progress_poster(self), stop=stop
            )
        except BatchtuiError as error:
            if not stop.is_set():
                self._opened_nothing(error)
            return
        # Of the rows before, those that are marked and under the cursor are found again by their ids.
        rows_of = await self.in_thread(_rows_by_id, view) if self.view is not None else {}
        if stop.is_set() or not self.is_attached:
            return
        self.query_one(RowList).set_columns(columns_for(view))
        self.take_view(view, rows_of)
        self.query_one(TabLine).set_tabs(tabs(view))
        self.show_message("")
        self._say_head()
        self.select()
        self.refresh_bindings()

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        if self.view is None:
            self.show_message(progress_line(event.progress))

    def _opened_nothing(self, error: BatchtuiError) -> None:
        self.view = None
        if self.record is not None:
            self.show_message(nothing_yet(self.record, self.service.usual_minutes(self.record), error))
        else:
            self.fail(error)
        self.refresh_bindings()

    def show_message(self, text: str | Content) -> None:
        """Show a text in place of list and answer; an empty one brings them back."""
        said = self.query_one("#results-message", Static)
        said.display = bool(text)
        self.query_one("#results-body").display = not text
        said.update(text if isinstance(text, Content) else Content(safetext.block(text)))

    def _say_head(self) -> None:
        if self.record is not None:
            self.query_one("#results-title", Static).update(title_line(self.record, self.view, run=self.run))
            self.query_one("#results-costs", Static).update(
                costs_line(self._records(), self.view, self.app.size.width - 2)
            )

    def _records(self) -> list[BatchRecord]:
        """The batch, or all batches of its run while the run is shown."""
        assert self.record is not None
        run = self.record.run
        return [each for each in self.service.records() if each.run == run] if self.run else [self.record]

    @on(Happened)
    def _happened(self, message: Happened) -> None:
        event = message.event
        if (
            isinstance(event, told.Transfer)
            and event.local_id == self.local_id
            and self.view is None
            and event.progress
        ):
            self.show_message(f"Downloading the results: {numbers.size(event.progress.done)}")
        elif isinstance(event, told.RecordChanged) and event.record.local_id == self.local_id:
            before, self.record = self.record, event.record
            self._say_head()
            if before is not None and (before.results, before.status) != (event.record.results, event.record.status):
                self.open()

    # --- the answer -------------------------------------------------------------------------------------------------

    @on(RowHighlighted)
    def _highlighted(self) -> None:
        self._older = 0
        self.say_facts(searching=self._search.running)
        self.show_soon()

    @on(MarksChanged)
    def _marked(self) -> None:
        self.say_facts(searching=self._search.running)

    def show_soon(self) -> None:
        """Read and show the row under the cursor once the cursor rests."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(PAUSE, self._show)

    async def _show(self) -> None:
        if self.query_one(DetailPane).display:
            await self.show_now()

    async def show_now(self) -> None:
        """Read the row under the cursor and show it."""
        pane = self.query_one(DetailPane)
        if self.view is None:
            return
        key = self.query_one(RowList).cursor_key
        if not isinstance(key, int):
            await pane.show_nothing("Nothing here.")
            return
        shown = ShownResult(self.view, key, self._older)
        try:
            found = await self.in_thread(read, shown)
        except BatchtuiError as error:
            await pane.show_error(error)
            return
        if shown == ShownResult(self.view, self.query_one(RowList).cursor_key, self._older):  # type: ignore[arg-type]
            await pane.show(found, mode=self.mode)

    def action_mode(self, mode: Mode) -> None:
        """Markdown, plain or raw; the same key goes back."""
        self.mode = "markdown" if self.mode == mode else mode
        self.show_soon()

    def action_older(self, by: int) -> None:
        """An older or newer answer to the same request."""
        key = self.query_one(RowList).cursor_key
        if self.view is not None and isinstance(key, int):
            most = self.view.older_count(key)
            if not most:
                self.say(
                    "There is one answer to this request."
                    if self.run
                    else "There is one answer here: u shows the whole run."
                )
            self._older = max(0, min(most, self._older + by))
            self.show_soon()

    def action_step(self, by: int) -> None:
        """The next or previous row, wherever the focus is."""
        self.query_one(RowList).action_move(by)

    @on(RowSelected)
    def _selected(self) -> None:
        pane = self.query_one(DetailPane)
        if not pane.display:
            self.query_one("#results-body").add_class("opened")
            pane.display = True
            self.query_one(RowList).display = False
            self.show_soon()
        pane.answer.focus()

    def action_back(self) -> None:
        """One step back: the search, the filter line, the answer, the filter, the screen."""
        listed, pane = self.query_one(RowList), self.query_one(DetailPane)
        if self._search.running:
            self._search.keep()
        if self.query_one("#results-filter", Input).has_focus:
            listed.focus()
        elif self.query_one("#results-body").has_class("opened"):
            self.query_one("#results-body").remove_class("opened")
            self._lay_out(self.size.width, self.size.height)
            listed.focus()
        elif pane.answer.has_focus or self.query_one("#request").has_focus:
            listed.focus()
        elif self.query_one("#results-filter", Input).value or self._group is not None:
            self._group = None
            self.set_filter("", tab=self.query_one(TabLine).chosen)
        elif not self.query_one(StatusLine).dismiss():
            self.dismiss(None)

    def on_resize(self, event: events.Resize) -> None:
        """Right of the list, below it, or on Enter."""
        self._say_head()
        self._lay_out(event.size.width, event.size.height)

    def _lay_out(self, width: int, height: int) -> None:
        body = self.query_one("#results-body")
        beside, below = width >= WIDE, height >= TALL
        body.set_class(beside, "beside")
        opened = body.has_class("opened") and not (beside or below)
        body.set_class(opened, "opened")
        pane = self.query_one(DetailPane)
        shown = beside or below or opened
        if shown and not pane.display:
            self.show_soon()
        pane.display = shown
        self.query_one(RowList).display = not opened

    def on_unmount(self) -> None:
        """Stop what still runs for this screen."""
        self._search.stop()
        if self._opening is not None:
            self._opening.set()
