"""The results screen: outcomes as tabs, the list, the request beside its answer."""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.outcome import ErrorGroup
from batchtui.domain.work import Work
from batchtui.present import batch, numbers
from batchtui.results.source_order import in_source_order
from batchtui.results.view import Rows, Unchecked, View
from batchtui.service import events as service_events
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.messages import FilterLeft, FilterTyped, Happened
from batchtui.tui.progress import Progressed, progress_line, work_for
from batchtui.tui.results import actions
from batchtui.tui.results.detail import DetailPane, Mode
from batchtui.tui.results.find_line import FindLine, TextFound
from batchtui.tui.results.heading import costs_line, nothing_yet, title_line
from batchtui.tui.results.results_filter import ResultsFilter
from batchtui.tui.results.review import SAMPLE, VALUE_WORDS, ReviewModel
from batchtui.tui.results.rows import ResultRows, nothing_in, tabs
from batchtui.tui.results.search import OnlyRows, RowsFound, Search
from batchtui.tui.results.table import TableModel
from batchtui.tui.results.table_columns import TableColumn, numeric, sorts, usual_columns
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import HeaderClicked, MarksChanged, NoRows, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import Tab, TabLine

if TYPE_CHECKING:
    from batchtui.tui.results.score import ScoreScreen

WIDE = 110
"""From this width on the answer stands right of the list, in cells; narrower, Enter opens it."""
TALL = 40
"""From this height on a narrow screen shows it below the list."""
MATRIX_WORDS = "matrix", "back to the score's matrix"
"""Label and tip of the key of a score among rows that are from one."""
_NEED_A_VIEW = frozenset(
    {
        "groups",
        "retry",
        "export",
        "from_rows",
        "copy",
        "pager",
        "editor",
        "compare",
        "filter",
        "sort",
        "reverse",
        "mode",
        "count",
        "columns",
        "score",
        "judge",
        "note",
        "sample",
    }
)


def _rows_by_id(view: View) -> dict[str, int]:
    return {name: row for row, name in enumerate(view.ids())}


class ResultsScreen(BaseScreen[None]):
    """Opens the results of the batch ``local_id``, or with ``run`` of its whole run."""

    CSS_PATH = "screen.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = (
        "open",
        "results.filter",
        "results.count",
        "results.columns",
        "retry",
        "export",
        "results.score",
        "results.sample",
        "again",
        "from_rows",
        "results.errors",
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
    REVIEW_KEYS: ClassVar[tuple[str, ...]] = ("review.right", "review.wrong", "review.note")
    TELLING_KEYS: ClassVar[frozenset[str]] = frozenset(
        ("results.count", "export", "results.score", "results.compare", "copy", "from_rows")
    )
    """Refused while what they would tell is hidden, and not in the key line then."""
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "back", "back", "back", "stop the search, close the answer, clear the filter, leave"),
        bind(
            "slash",
            "filter",
            "filter",
            "results.filter",
            "words, urgency>3, sentiment:negative, tokens>1000, error:overloaded, id:…; in an answer: find text",
        ),
        bind("ctrl+t", "case", "case", "results.case", "match case in the filter", show=False),
        bind("ctrl+r", "regex", "regex", "results.regex", "filter by a regular expression", show=False),
        bind("s", "sort", "sort", "sort", "sort by the next column"),
        bind("S", "reverse", "reverse", "results.reverse", "reverse sort order", show=False),
        bind("number_sign", "count", "count", "results.count", "count the values of a column or field"),
        bind("C", "columns", "columns", "results.columns", "choose, order and hide columns"),
        bind(
            "A", "score", "score", "results.score", "score a field against the right values, or go back to its matrix"
        ),
        bind("V", "sample", "review", "results.sample", "sample answers to review, or continue the sample"),
        bind("plus", "judge(True)", "right", "review.right", "review: right", show=False),
        bind("minus", "judge(False)", "wrong", "review.wrong", "review: wrong, with the right value", show=False),
        bind("t", "note", "note", "review.note", "review: a note on the answer", show=False),
        bind("E", "groups", "errors", "results.errors", "errors by group, with causes"),
        bind("r", "retry", "retry", "retry", "retry the marked requests, or all shown"),
        bind("x", "export", "export", "export", "export the results shown"),
        bind("a", "again", "again", "again", "run again with another model, template or rows"),
        bind(
            "b",
            "from_rows",
            "new from answers",
            "from_rows",
            "new batch from the marked rows and their answers, or from all shown",
        ),
        bind("y", "copy", "copy", "copy", "copy the answer, control characters as symbols"),
        bind(
            "Y",
            "copy(True)",
            "copy raw",
            "copy.raw",
            "copy the answer as received, with control characters",
            show=False,
        ),
        bind("o", "pager", "pager", "results.pager", "open request and answer in $PAGER"),
        bind("O", "editor", "editor", "results.editor", "open request and answer in $EDITOR", show=False),
        bind("m", "mode('plain')", "plain", "results.markdown", "switch between Markdown and plain text"),
        bind("v,J", "mode('raw')", "raw", "results.raw", "switch between raw JSON and text", key_display="v"),
        bind("u", "run", "run", "results.run", "switch between the whole run and this batch"),
        bind(
            "left_square_bracket",
            "older(1)",
            "older",
            "results.older",
            "an older answer to the same request",
            show=False,
        ),
        bind(
            "right_square_bracket",
            "older(-1)",
            "newer",
            "results.newer",
            "a newer answer to the same request",
            show=False,
        ),
        bind("n", "step(1)", "next", "results.next", "next answer, or next hit of a search in the answer", show=False),
        bind("N,p", "step(-1)", "previous", "results.previous", "previous answer, or previous hit", show=False),
        bind("equals_sign", "compare", "compare", "results.compare", "compare with another batch or run"),
        bind(
            "f",
            "fetch",
            "download results",
            "results.fetch",
            "download results again; they replace the ones on disk only if they hold more",
        ),
        *(bind(str(n), f"tab({n})", "", f"results.tab{n}", f"tab {n}", show=False) for n in range(1, 10)),
    ]

    def __init__(self, local_id: str, *, run: bool = False) -> None:
        super().__init__()
        self.local_id = local_id
        self.run = run
        self.record: BatchRecord | None = None
        self.view: View | None = None
        self._search = Search(self.post_message)
        self._filter = ResultsFilter(self._search)
        self._list = RowList((), id="results-list")
        self.detail = DetailPane(self._list, self._hides, id="results-detail")
        self._find = FindLine(self.detail)
        self.table = TableModel(self)
        self.reviewing = ReviewModel(self)
        self._columns: tuple[TableColumn, ...] = ()
        self._unchecked = Unchecked()
        self.columns: tuple[TableColumn, ...] = ()
        """The columns of the list, without the marks of the review."""
        self._opening = Work()
        self._keys_shown: tuple[tuple[str, ...], bool] = ((), False)
        """The keys of a review that the key line shows, and whether those of a hidden answer."""
        self._cursor_at: int | None = None
        """The row that the cursor was on in the view before, until it is found in this one."""

    def compose(self) -> ComposeResult:
        """Title and costs, tabs, filter, list and answer, status, keys."""
        yield Static("", id="results-title", markup=False)
        yield Static("", id="results-costs", markup=False)
        yield TabLine(keys="results.tab", id="results-tabs")
        yield self._filter
        yield self._find
        with Container(id="results-body"):
            yield self._list
            yield self.detail
        yield Static("", id="results-message", markup=False)
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    async def on_mount(self) -> None:
        """Open at once."""
        self._list.focus()
        self._lay_out(self.app.size.width, self.app.size.height)
        self.open()

    def on_unmount(self) -> None:
        """Stop what still runs for this screen."""
        self._search.stop()
        self._opening.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not offered."""
        if action == "fetch":
            return self.record is not None and self.record.id is not None and self.record.status == "ended"
        if action == "run":
            return self.record is not None and (self.run or len(self.run_records()) > 1)
        return self.view is not None or action not in _NEED_A_VIEW

    # --- opening ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the results anew, stopping an opening that still runs."""
        self._opening.stop()
        self._opening = work_for(self)
        run_task(self, self._open(self._opening))

    async def _open(self, work: Work) -> None:
        try:
            self.record = self.service.resolve(self.local_id)
            self._say_head()
            view, rows, found_tabs = await self.in_thread(self._read, work)
        except BatchtuiError as error:
            if not work.stopped:
                self._opened_nothing(error)
            return
        # Of the rows before, those that are marked and under the cursor are found again by their ids.
        rows_of = await self.in_thread(_rows_by_id, view) if self.view is not None else {}
        if work.stopped or not self.is_attached:
            return
        review = await self.reviewing.read(view)
        if work.stopped or not self.is_attached:
            return
        columns = self.columns if self.view is not None else usual_columns(view)
        self.reviewing.take(review)
        self._take_view(view, rows_of)
        self.show_columns(columns)
        self.query_one(TabLine).set_tabs(found_tabs)
        self.show_message("")
        self._say_head()
        self.select(every=rows)
        self.refresh_bindings()
        await self._drawn()
        await self.table.read(view, work)
        if not work.stopped and self.is_attached:
            await self.reviewing.find_field()
            self._list.reload()
            await self._say_notes(view)

    def _read(self, work: Work) -> tuple[View, Rows, list[Tab]]:
        """The results, all their rows in the order of the source, and their tabs.  For a thread; raises BatchtuiError."""
        view = self.service.open_results(self.local_id, run=self.run, work=work)
        return view, in_source_order(view), tabs(view)

    async def _drawn(self) -> None:
        """Wait until the rows are drawn, which reading beside it would hold up; no longer than a blink where nothing is."""
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(drawn.wait(), 0.3)

    def show_columns(self, columns: tuple[TableColumn, ...]) -> None:
        """Show the same rows by other columns."""
        self.columns = columns
        columns = self.reviewing.columns(columns)
        if columns == self._columns or self.view is None:
            return
        self._columns = columns
        self._list.set_columns([each.column for each in columns])
        self._list.set_source(ResultRows(self.view, self.rows, columns))
        self.say_facts()

    def _take_view(self, view: View, rows_of: Mapping[str, int]) -> None:
        """Show another view, the marks and the cursor on the requests they were on; ``rows_of`` are its rows by id."""
        before = self.view
        marks, at = (self.marked, self._list.cursor_key) if before is not None else ((), None)
        marked = [before.id(row) for row in marks if before is not None]
        self.view = view
        self._search.only = None
        self._show_keys()
        self._cursor_at = rows_of.get(before.id(at)) if before is not None and isinstance(at, int) else None
        # A number means another row from now on: none is to be taken for one of the view before.
        self._list.set_source(ResultRows(view, array("I"), self._columns), keep_cursor=False)
        self._list.set_marks(rows_of[name] for name in marked if name in rows_of)

    def _opened_nothing(self, error: BatchtuiError) -> None:
        self.view = None
        self._list.set_source(NoRows(), keep_cursor=False)
        if self.record is not None:
            self.show_message(nothing_yet(self.record, self.service.usual_minutes(self.record), error))
        else:
            self.fail(error)
        self.refresh_bindings()

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        if self.view is None:
            self.show_message(progress_line(event.progress))
        else:
            self.table.progressed(event.progress)

    @on(Happened)
    def _happened(self, message: Happened) -> None:
        event = message.event
        if (
            isinstance(event, service_events.Transfer)
            and event.local_id == self.local_id
            and self.view is None
            and event.progress
        ):
            self.show_message(f"Downloading the results: {numbers.size(event.progress.done)}")
        elif isinstance(event, service_events.RecordChanged) and event.record.local_id == self.local_id:
            before, self.record = self.record, event.record
            self._say_head()
            if before is not None and (before.results, before.status) != (event.record.results, event.record.status):
                self.open()
        elif isinstance(event, service_events.Ended) and self._is_retry(event.record):
            if self.run:
                self.open()
            else:
                self.say(
                    f"A retry of this run has ended. Press {key_of('results.run')} to show the whole run.",
                    level="good",
                )

    def _is_retry(self, record: BatchRecord) -> bool:
        """Whether a batch retries requests of the run that is looked at, and is not the one shown."""
        shown = self.record
        return shown is not None and record.run == shown.run and record.attempt > 0 and record.local_id != self.local_id

    def action_run(self) -> None:
        """The whole run merged, or this batch alone."""
        self.run = not self.run
        self.open()

    def run_records(self) -> list[BatchRecord]:
        """The batches of the run that is looked at, none before it is known."""
        return self.service.run_of(self.record) if self.record is not None else []

    @property
    def not_included(self) -> str:
        """Which batches of the run that is looked at are not in its figures, in words; "" when all are."""
        return batch.not_included_words(self.run_records(), run=True) if self.run else ""

    # --- what is said -----------------------------------------------------------------------------------------------

    def show_message(self, text: str | Content) -> None:
        """Show a text in place of list and answer; an empty one brings them back."""
        said = self.query_one("#results-message", Static)
        said.display = bool(text)
        self.query_one("#results-body").display = not text
        said.update(text if isinstance(text, Content) else Content(safetext.block(text)))

    def _say_head(self) -> None:
        if self.record is not None:
            records = self.run_records() if self.run else [self.record]
            room = self.app.size.width - 2
            self.query_one("#results-title", Static).update(self._title(self.record))
            self.query_one("#results-costs", Static).update(costs_line(records, self.view, room, self.not_included))

    def _title(self, record: BatchRecord) -> Content:
        room = self.app.size.width - 2
        return title_line(record, self.view, run=self.run, unchecked=self._unchecked, room=room)

    async def _say_notes(self, view: View) -> None:
        """Say once what is not as it seems: a schema that checks nothing, fields and verdicts that are left out."""
        with contextlib.suppress(BatchtuiError):
            self._unchecked = await self.in_thread(getattr, view, "unchecked")
        names = self.table.names
        words = [batch.unchecked(self._unchecked), self.reviewing.trouble, *(names.notes if names is not None else ())]
        said = " ".join(f"{each.rstrip('.')}." for each in words if each)
        if said and self.is_attached:
            self._say_head()
            self.say(said, level="warn")

    def say_facts(self) -> None:
        """Say where the cursor is, and what of how much is shown."""
        if self.view is None:
            return
        shown, order = len(self._list.source), self._search.order
        row, of = numbers.count(self._list.cursor + 1), numbers.count(shown)
        parts = [f"{of} of {numbers.count(len(self.view))} shown"]
        if shown:
            parts = [f"row {row} of {of}"] if self._sampled else [f"row {row}", *parts]
        parts += [f"{numbers.count(len(self._list.marks))} marked"] if self._list.marks else []
        titles = {each.sort: each.column.title.lower() for each in self._columns}
        by = safetext.line(titles.get(order.key, order.key), 30)
        parts += [f"sorted by {by}{', reversed' if order.reverse else ''}"] if order.key != "source" else []
        answer = self.detail.answer
        on, back = key_of("results.next"), key_of("results.previous")
        keys = f"{on} next, {back} previous" if answer.has_hits else "esc ends the search"
        parts += [f"{answer.found}, {keys}"] if answer.found else []
        parts += [self.table.reading] if self.table.reading else []
        parts += self.reviewing.facts(self.cursor_row)
        parts += ["searching, esc stops"] if self._search.running else []
        self.query_one(StatusLine).tell(" · ".join(parts))

    # --- which rows are shown ---------------------------------------------------------------------------------------

    @property
    def rows(self) -> Rows:
        """The rows that are shown, in their order."""
        source = self._list.source
        return source.rows if isinstance(source, ResultRows) else array("I")

    @property
    def cursor_row(self) -> int | None:
        """The row under the cursor, None when no row is shown."""
        key = self._list.cursor_key
        return key if isinstance(key, int) and self.view is not None else None

    @property
    def filter_text(self) -> str:
        """The filter as it was typed; "" while an error group is shown."""
        return "" if self._search.regex else self._filter.text

    @property
    def tab(self) -> str:
        """The chosen tab."""
        return self.query_one(TabLine).chosen

    @property
    def sorted_by(self) -> str:
        """The sort key of the rows shown."""
        return self._search.order.key

    @property
    def marked(self) -> frozenset[int]:
        """The rows that are marked."""
        return frozenset(row for row in self._list.marks if isinstance(row, int))

    def chosen_rows(self) -> list[int]:
        """What an action is meant for: the marked rows, or all that are shown; in the order of the view."""
        return sorted(self.marked or self.rows)

    def sampled_rows(self) -> Sequence[int]:
        """What a sample is drawn from: the chosen rows, but all of the view while a sample is what is shown."""
        return range(len(self.view)) if self._sampled and self.view is not None else self.chosen_rows()

    @property
    def _sampled(self) -> bool:
        """Whether the rows of a review sample are shown."""
        return self._search.only is not None and self._search.only.what == SAMPLE

    def select(self, *, among: Rows | None = None, every: Rows | None = None) -> None:
        """Find the rows of the tab, the filter and the order, or order those ``among``; they come as RowsFound messages.

        ``every`` are all rows in the order of the source, where these are known.
        """
        if self.view is not None:
            hidden = self.reviewing.hidden
            self._search.start(self.view, self.tab, self._filter.text, among, every=every, hidden=hidden)
            self._filter.show_sign()

    def on_descendant_focus(self) -> None:
        """The filter was begun or left."""
        self._filter.show_sign()

    @on(RowsFound)
    def _found(self, found: RowsFound) -> None:
        if self.view is None or found.number != self._search.number:
            return
        if found.problem:
            self.say(found.problem, level="warn")
        elif found.done and self.query_one(StatusLine).said:
            self.query_one(StatusLine).dismiss()
        order = self._search.order
        self._list.set_sort(None if order.key == "source" else order.key, order.reverse)
        self._list.set_source(ResultRows(self.view, found.rows, self._columns))
        self._list.set_empty(self._nothing_shown(found) if found.done and not found.rows else "")
        if self._cursor_at is not None and (self._list.move_to_key(self._cursor_at) or found.done):
            self._cursor_at = None
        self.say_facts()
        if not found.rows:
            self.detail.show_soon()

    def _nothing_shown(self, found: RowsFound) -> str:
        if found.problem:
            return "No results are shown: see the message below.\nPress Esc to clear the filter."
        within = "is among these rows" if self._search.narrowed else ""
        return nothing_in(self.tab, "matches the filter" if self._filter.text else within)

    @on(TabLine.Chosen)
    def _tab_chosen(self) -> None:
        self.select()

    def action_tab(self, number: int) -> None:
        """The tab with this number."""
        self.query_one(TabLine).choose_number(number)

    def action_filter(self) -> None:
        """Type a filter; in an answer, what to find there."""
        if self.detail.answer.has_focus:
            self._find.begin()
        else:
            self._filter.begin()

    @on(FilterTyped)
    def _filter_typed(self) -> None:
        self.select()

    @on(FilterLeft)
    def _filter_done(self) -> None:
        self._list.focus()

    @on(TextFound)
    def _text_found(self) -> None:
        self.say_facts()

    def set_filter(self, text: str, *, tab: str = "all") -> None:
        """Show what a filter lets through, in a tab."""
        self.query_one(TabLine).choose(tab, tell=False)
        if self._filter.value == text:
            self.select()
        self._filter.value = text
        self._list.focus()

    def show_group(self, group: ErrorGroup) -> None:
        """Show one error group's rows."""
        self._search.group = group
        self.set_filter("")

    def show_rows(self, what: str, rows: Rows, *, first: int | None = None, of: ScoreScreen | None = None) -> None:
        """Show some rows in their order, and say what they are; Escape shows all again.  ``of`` is the score they are from."""
        self._search.only = OnlyRows(what, rows, of)
        self._cursor_at = first
        self.set_filter("")
        self._show_keys()

    @property
    def scored(self) -> ScoreScreen | None:
        """The score that the rows shown are from, if they are from one."""
        return self._search.only.score if self._search.only is not None else None

    @property
    def words_here(self) -> Mapping[str, tuple[str, str]]:
        """Of an answer that is hidden both keys of the review ask for the value; from rows of a score one goes back to it."""
        words = dict.fromkeys(self.REVIEW_KEYS[:2], VALUE_WORDS) if self._at_hidden else {}
        return words | {"results.score": MATRIX_WORDS} if self.scored is not None else words

    @property
    def _at_hidden(self) -> bool:
        """Whether the answer under the cursor is hidden."""
        row = self.cursor_row
        return row is not None and self.reviewing.hides(row)

    def _show_keys(self) -> None:
        """First the keys of a review while its sample is shown, of two that ask for the same one; the key back to a score
        while its rows are.
        """
        right, wrong, note = self.REVIEW_KEYS
        blind = (right, note, "results.sample")
        review = () if not self._sampled else blind if self._at_hidden else (right, wrong, note)
        first = ("results.score",) if self.scored is not None else review
        if (first, self._at_hidden) != self._keys_shown:
            self._keys_shown = first, self._at_hidden
            refused = self.TELLING_KEYS if self._at_hidden else frozenset[str]()
            keys = (*first, *(each for each in self.KEY_LINE if each not in refused))
            self.query_one(KeyLine).show(tuple(dict.fromkeys(keys)))

    def move_to(self, row: int) -> None:
        """The cursor to a row that is shown."""
        self._list.move_to_key(row)

    def _hides(self, row: int) -> bool:
        return self.reviewing.hides(row)

    def verdict_given(self) -> None:
        """Show marks and answers as the review has them now."""
        self.show_columns(self.columns)
        self._list.reload()
        self._show_keys()
        self.say_facts()
        self.detail.show_soon()

    @property
    def filtered(self) -> bool:
        """Whether a filter or a group of errors is shown."""
        return bool(self._filter.text) or self._search.narrowed

    def action_again(self) -> None:
        """Make the run again."""
        run_task(self, actions.make_again(self), opens=True)

    def action_from_rows(self) -> None:
        """A new batch from the rows that are marked, or all that are shown, and their answers."""
        if not self.reviewing.refuses(self.chosen_rows()):
            run_task(self, actions.from_rows(self), opens=True)

    def action_case(self) -> None:
        """Whether capitals matter."""
        self._search.case = not self._search.case
        self.select()

    def action_regex(self) -> None:
        """Words, or one regular expression."""
        self._search.regex = not self._search.regex
        self.select()

    def action_sort(self) -> None:
        """By the next column."""
        keys, now = sorts(self._columns), self._search.order.key
        self._sort_by(keys[(keys.index(now) + 1) % len(keys)] if now in keys else "source")

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort_by(self._search.order.key)

    @on(HeaderClicked)
    def _header_clicked(self, event: HeaderClicked) -> None:
        if event.column in sorts(self._columns):
            self._sort_by(event.column)

    def _sort_by(self, key: str) -> None:
        """In another order; what a search has found, or kept when it was stopped, is not looked for anew."""
        self._search.sort_by(key, number=key in numeric(self._columns))
        self.select(among=None if self._search.running else self.rows)

    # --- the answer -------------------------------------------------------------------------------------------------

    @on(RowHighlighted)
    def _highlighted(self) -> None:
        self.say_facts()
        self._show_keys()
        self.detail.cursor_moved()

    @on(MarksChanged)
    def _marked(self) -> None:
        self.say_facts()

    def action_mode(self, mode: Mode) -> None:
        """Markdown, plain or raw; the same key goes back."""
        self.detail.turn(mode)

    def action_older(self, by: int) -> None:
        """An older or newer answer to the same request."""
        shown = self.detail.wanted()
        if shown is None:
            return
        if not shown.view.older_count(shown.row):
            whole = self.run
            self.say(
                "This request has one answer."
                if whole
                else f"This batch has one answer; {key_of('results.run')} shows the whole run."
            )
        self.detail.step_older(by)

    def action_step(self, by: int) -> None:
        """The next or previous hit while something is looked for in the answer, else the next or previous row."""
        if self.detail.answer.found:
            self.detail.answer.to_hit(by)
            self.say_facts()
            return
        self._list.action_move(by)

    @on(RowSelected)
    def _selected(self) -> None:
        if not self.detail.display:
            self.query_one("#results-body").add_class("opened")
            self.detail.display = True
            self._list.display = False
            self.detail.show_soon()
        self.detail.answer.focus()

    def action_back(self) -> None:
        """One step back: the search, the filter line, the answer, the filter, the screen."""
        if self._search.running:
            self._search.keep()
        if self._find.display:
            run_task(self, self._find.end())
        elif self._filter.typing:
            self._list.focus()
        elif self.query_one("#results-body").has_class("opened"):
            self.query_one("#results-body").remove_class("opened")
            self._lay_out(self.size.width, self.size.height)
            self._list.focus()
        elif self.detail.answer.has_focus or self.query_one("#request").has_focus:
            self._list.focus()
        elif self._filter.value or self._search.narrowed:
            self._search.widen()
            self.set_filter("", tab=self.tab)
            self._show_keys()
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
        shown = beside or below or opened
        if shown and not self.detail.display:
            self.detail.show_soon()
        self.detail.display = shown
        self._list.display = not opened

    # --- what leads elsewhere ---------------------------------------------------------------------------------------

    def action_groups(self) -> None:
        """Errors grouped, of the rows that are shown."""
        run_task(self, actions.show_groups(self), opens=True)

    def action_count(self) -> None:
        """Count the values of a column or field."""
        if not self.reviewing.refuses(self.rows):
            run_task(self, self.table.open_counts(), opens=True)

    def action_score(self) -> None:
        """Score a field against gold."""
        from batchtui.tui.results.score import score

        if not self.reviewing.refuses(self.rows):
            run_task(self, score(self), opens=True)

    def action_judge(self, right: bool) -> None:
        """Say that the answer under the cursor is right or wrong."""
        run_task(self, self.reviewing.judge(right), opens=True)

    def action_note(self) -> None:
        """Write a note on the answer under the cursor."""
        run_task(self, self.reviewing.note(), opens=True)

    def action_sample(self) -> None:
        """Draw a sample to review, or go on with it."""
        run_task(self, self.reviewing.sample(), opens=True)

    def action_columns(self) -> None:
        """Choose the columns of the list."""
        run_task(self, self.table.choose_columns(), opens=True)

    def action_retry(self) -> None:
        """Send again what is marked, or what is shown."""
        run_task(self, actions.retry(self), opens=True)

    def action_export(self) -> None:
        """Write what is shown, or marked, to a file."""
        if not self.reviewing.refuses(self.chosen_rows()):
            run_task(self, actions.export(self), opens=True)

    def action_copy(self, raw: bool = False) -> None:
        """Copy the answer, and keep it in a file for terminals that refuse; ``raw`` copies it as received."""
        raw = raw or self.service.config.screen.copy_raw
        shown = self.detail.wanted()
        if shown is None or not self.reviewing.refuses([shown.row]):
            run_task(self, actions.copy(self, shown, raw=raw))

    def action_pager(self) -> None:
        """Request and answer in $PAGER."""
        run_task(self, actions.open_in_pager(self, self.detail.wanted()), opens=True)

    def action_editor(self) -> None:
        """Request and answer in $EDITOR."""
        run_task(self, actions.open_in_editor(self, self.detail.wanted()), opens=True)

    def action_fetch(self) -> None:
        """Fetch the results now."""
        run_task(self, actions.fetch(self))

    def action_compare(self) -> None:
        """Choose another batch or run, and compare."""
        if self.view is not None and not self.reviewing.refuses(range(len(self.view))):
            run_task(self, actions.compare(self), opens=True)
