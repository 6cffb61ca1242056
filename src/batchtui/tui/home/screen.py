"""The home screen: every batch at a glance, drawn again only where it reads differently."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.schedule import LookState
from batchtui.domain.work import Progress
from batchtui.present import batch, numbers
from batchtui.present.checking import look_facts
from batchtui.present.symbols import GLYPHS
from batchtui.service import events
from batchtui.service.history_stats import usual_minutes
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.home.first_steps import first_steps
from batchtui.tui.home.model import SORTS, HomeModel, Line
from batchtui.tui.home.rows import HomeRows, chosen_columns
from batchtui.tui.messages import FilterLeft, FilterTyped, Happened
from batchtui.tui.widgets.cached_static import CachedStatic
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import HeaderClicked, MarksChanged, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from batchtui.tui.widgets.filter_line import FilterLine

WIDE = 110
"""From this width on the details stand beside the list."""
VAST = 160
"""From this width on the last weeks stand at the foot of the details."""
LIST, DETAILS = 82, (33, 44, 48)
"""Cells that the list has before the details get more, and those for text in the details: at least, at most (an ID in
one line), and where there are the last weeks.
"""
AROUND = 5
"""Cells of the details that hold no text: the border, what stands beside it and the scrollbar."""
TICK = 5.0
"""Seconds between redraws by the clock; only lines that read differently are written."""


class HomeScreen(BaseScreen[None]):
    """All batches of the data folder, by run; the bottom of the screens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("n", "new", "new", "new", "new batch: compose requests or import files"),
        bind("i", "import", "import", "import", "check and submit a file"),
        bind("enter", "open_row", "open", "open", "open results, or what needs attention"),
        bind("c", "act('cancel')", "cancel", "cancel", "cancel running batches"),
        bind("r", "act('retry')", "retry", "retry", "retry failed requests"),
        bind("a", "act('again')", "again", "again", "run again with another model, template or rows"),
        bind("b", "act('from_rows')", "new from answers", "from_rows", "new batch from a run's rows and their answers"),
        bind(
            "f",
            "act('fetch')",
            "download",
            "fetch",
            "download results again; they replace the ones on disk only if they hold more",
        ),
        bind("x", "act('export')", "export", "export", "export results to a file"),
        bind("slash", "filter", "filter", "filter", "filter by words, status:, model:, profile:, age<2d, cost>1"),
        bind("s", "sort", "sort", "sort", "sort by the next column"),
        bind("S", "reverse", "reverse", "reverse", "reverse sort order"),
        bind("e", "act('edit')", "edit", "edit", "edit title and note"),
        bind("d", "act('delete')", "delete", "delete", "delete here, at the API, or both"),
        bind("v", "details", "details", "details", "details of a batch"),
        bind("R", "refresh", "refresh", "refresh", "check all batches now"),
        bind("z", "fold", "fold", "fold", "fold or unfold a run"),
        bind("left,h", "fold(True)", "fold", "fold_run", "fold a run", show=False),
        bind("right,l", "fold(False)", "unfold", "unfold_run", "unfold a run", show=False),
        bind("y", "copy", "copy", "copy", "copy the batch's ID"),
        bind("o", "elsewhere", "other batches", "elsewhere", "other batches in this workspace"),
        bind("dollar_sign", "spending", "spending", "spending", "spending by day, month, model and profile"),
        bind("p", "act('profiles')", "profiles", "profiles", "switch profile"),
        bind("comma", "app.settings", "settings", "settings", "settings in config.toml"),
        bind("escape", "clear", "back", "back", "clear the message, the filter, the marks", show=False),
    ]
    KEY_LINE = (
        *("new", "import", "open", "cancel", "retry", "export", "filter", "sort", "edit", "delete", "details"),
        *("again", "from_rows", "refresh", "fold", "elsewhere", "spending", "profiles", "copy", "settings", "fetch"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.model = HomeModel()
        self._usual: dict[str, tuple[int, int] | None] = {}
        self._dirty = False
        self._minute: datetime | None = None
        self._filter_line: FilterLine | None = None
        self._details_width = DETAILS[0]
        self._trouble = ""
        """The error of the last failed check, taken off the screen once a check succeeds."""

    def compose(self) -> ComposeResult:
        columns = chosen_columns(self.service.config.screen.columns)
        self.rows = HomeRows(self.model, self.tui.now, self.usual, columns)
        self.rows.unchecked = self.unchecked
        # Before there are widgets, for all of which styles are looked up again when a class of the screen changes.
        with suppress(OSError):
            self.set_class(not self.service.history.root.exists(), "empty")
        yield CachedStatic(id="title")
        with Horizontal(id="middle"):
            yield RowList(columns, self.rows, id="batches")
            with Vertical(id="side"):
                with VerticalScroll(id="details", can_focus=False):
                    yield CachedStatic(id="facts-of")
                yield CachedStatic(id="days")
        yield CachedStatic(id="empty")
        yield Static("", id="rule", markup=False)
        yield StatusLine(id="status")
        yield KeyLine(self.KEY_LINE)

    def on_mount(self) -> None:
        self.batches.focus()
        self.reload()
        self.set_interval(TICK, self.tick)

    def on_resize(self) -> None:
        width = self.size.width
        self.set_class(width >= WIDE, "wide")
        self.set_class(width >= VAST, "vast")
        least, most, vast = DETAILS
        self._details_width = vast if width >= VAST else min(most, max(least, width - LIST - AROUND))
        self.query_one("#side").styles.width = self._details_width + AROUND
        self.query_one("#rule", Static).update(GLYPHS.rule * max(0, self.size.width - 2))
        self._draw_title()
        self._draw_details()
        self._draw_days()

    @property
    def batches(self) -> RowList:
        """The list of batches."""
        return self.query_one("#batches", RowList)

    @property
    def line(self) -> Line | None:
        """The row under the cursor."""
        index = self.batches.cursor
        return self.model.lines[index] if index < len(self.model.lines) else None

    def hidden_marks(self) -> list[Hashable]:
        """Marks on rows that the filter or a fold hides: no action touches those."""
        shown = {line.key for line in self.model.lines}
        return [key for key in self.batches.marks if key not in shown]

    @property
    def sending(self) -> bool:
        """True while something is being sent, or was confirmed and is not on record yet."""
        return self.service.submitting > 0 or any(
            r.status == "submitting" and r.intent_at is not None for r in self.model.records.values()
        )

    def usual(self, record: BatchRecord) -> tuple[int, int] | None:
        """How long batches like this took before, reckoned once until another ends."""
        if record.local_id not in self._usual:
            self._usual[record.local_id] = usual_minutes(self.model.records.values(), record)
        return self._usual[record.local_id]

    def unchecked(self, record: BatchRecord) -> datetime | Literal[False] | None:
        """How old what is known of a batch is that no poller looks after; False for one that is looked after."""
        if record.profile == self.service.profile.name and self.service.look_state().last_ok is None:
            return False  # Before the first check nobody knows more, and to ask would load the gateway.
        reach = self.service.reach(record)
        return False if reach.checked else reach.as_of

    # --- events of the service ----------------------------------------------------------------------------------------

    @on(Happened)
    def _happened(self, message: Happened) -> None:
        match message.event:
            case events.RecordChanged(record=record):
                self.model.records[record.local_id] = record
                if record.status == "ended":
                    self._usual.clear()
                self._redraw_soon()
            case events.RecordRemoved(local_id=local_id):
                self.model.records.pop(local_id, None)
                self._redraw_soon()
            case events.Transfer(local_id=local_id, progress=progress):
                self._show_transfer(local_id, progress)
            case events.Looked(state=look):
                self._show_look(look)
            case events.Trouble(message=words, advice=advice):
                self.say(words, advice=advice, level="bad")
            case events.Ended(record=record, late=True):
                name = safetext.line(record.title or record.local_id, 80)
                self.say(f"{name} ended while batchtui was closed.")

    def _redraw_soon(self) -> None:
        """Redraw once for all the changes that come together."""
        if not self._dirty:
            self._dirty = True
            self.set_timer(0.05, self.redraw)

    def _show_transfer(self, local_id: str, progress: Progress | None) -> None:
        if progress is None:
            self.rows.transfers.pop(local_id, None)
        else:
            self.rows.transfers[local_id] = progress
        self.batches.refresh_row(("batch", local_id))

    def _show_look(self, look: LookState) -> None:
        if not look.looking or look.last_ok is None:
            self._draw_status(look)
            self._draw_first_steps(look)
            self._draw_title()
        if look.blind_since is not None:
            if look.error != self._trouble and self.model.records and look.trouble in ("no key", "wrong key"):
                self.say(look.error, advice=look.advice, level="warn")
            self._trouble = look.error
        elif not look.looking:
            self.query_one(StatusLine).unsay(self._trouble)
            self._trouble = ""

    def left_waiting(self) -> list[BatchRecord]:
        """What waits from before and is sent once the service starts."""
        service, now = self.service, self.tui.now()
        due = [r for r in self.model.records.values() if batch.due_to_send(r, now)]
        return [r for r in due if service.context.mine(r) or service.others.can_reach(r)]

    def say_sent_too(self, records: Sequence[BatchRecord]) -> None:
        """Say what the start of the service sends."""
        if records:
            self.say(
                f"Left waiting earlier, sent now: {batch.with_cost(records)}",
                advice=f"Press {key_of('cancel')} on it to cancel.",
            )

    # --- rows ---------------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Take all records afresh from the service."""
        self.model.replace(self.service.records())
        self.rows.own_profile = self.service.profile.name
        aside = self.service.unreadable()
        if aside:
            more = f" and {len(aside) - 1} more" if aside[1:] else ""
            self.say(
                f"a record can't be read{more}: {aside[0][1]}", advice=f"it is kept at {aside[0][0]}", level="warn"
            )
        self.redraw()

    def redraw(self) -> None:
        """Arrange the rows again and draw what reads differently."""
        self._dirty = False
        self.rearrange()
        self._draw_status(self.service.look_state())

    def rearrange(self) -> None:
        """Filter and sort; a filter that can't be read is said and changes nothing."""
        self.model.arrange(self.tui.now())
        if self.model.filter_error is not None:
            self.fail(self.model.filter_error)
        self.set_class(not self.model.records, "empty")
        self._choose_columns()
        self._draw_first_steps(self.service.look_state())
        sort = None if self.model.sort == "attention" else self.model.sort
        self.batches.set_sort(sort, self.model.falling)
        self.batches.set_empty("No batch matches the filter.\nPress Esc to show all." if self.model.query else "")
        self.batches.reload()
        self._draw_title()
        self._draw_details()
        self._draw_days()

    def _choose_columns(self) -> None:
        several = len({record.profile for record in self.model.records.values()}) > 1
        columns = chosen_columns(self.service.config.screen.columns, several_profiles=several)
        if self.rows.take_columns(columns):
            self.batches.set_columns(columns)

    def tick(self) -> None:
        """The clock went on: ages, times left, the status line."""
        if not self.is_current:
            return
        minute = self.tui.now().replace(second=0, microsecond=0)
        if minute != self._minute:
            # With time alone a batch may come to need attention, or need it no more.
            self._minute = minute
            self.rearrange()
        else:
            self.batches.reload()
        self._draw_status(self.service.look_state())

    def go_to(self, record: BatchRecord) -> None:
        """Put the cursor on a batch, unfolding its run and dropping a filter that hides it."""
        if record.local_id not in self.model.records:
            self.model.records[record.local_id] = record
            self.rearrange()
        if self.model.find(("batch", record.local_id)) is None and self.model.query:
            self.drop_filter()
        self.model.fold(record.run, False)
        self.rearrange()
        self.batches.move_to_key(("batch", record.local_id))
        self.batches.focus()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _draw_title(self) -> None:
        now, own = self.tui.now(), self.service.profile.name
        records = self.model.records.values()
        mine = [r for r in records if r.profile == own]
        # What waits, is unconfirmed or not known does not run; what can't be checked may not run any more.
        running = sum(1 for r in records if batch.runs(r) and self.unchecked(r) is False)
        waiting = sum(1 for r in records if r.waiting)
        day = now - timedelta(days=1)
        ready = sum(1 for r in mine if r.ended_at is not None and r.ended_at > day and r.results == "stored")
        wanting = len(self.model.wanting(now))
        spent = sum((r.cost_usd for r in mine if r.cost_usd is not None), Decimal(0))
        facts: list[tuple[str, str]] = [(f"{running} running", "$text-primary")] if running else []
        facts += [(f"{waiting} waiting", "$foreground 80%")] if waiting else []
        needs = batch.needing(wanting)
        facts += [(needs, "bold $text-warning")] if wanting else []
        facts += [(f"{ready} ready", "$text-success")] if ready else []
        shown = numbers.at_least(numbers.usd(spent), any(map(batch.at_least, mine)))
        facts += [(shown, "$foreground 80%")] if spent else []
        trouble = {"no key": "no API key found", "wrong key": "API key not accepted"}
        if said := trouble.get(self.service.look_state().trouble):
            facts.insert(0, (said, "bold $text-warning"))
        self.query_one("#title", CachedStatic).show_text(_title(own, facts, self.size.width - 2), layout=False)
        self.tui.tell_title(running, wanting)

    def _draw_first_steps(self, look: LookState) -> None:
        if not self.model.records:
            self.query_one("#empty", CachedStatic).show_text(
                first_steps(look, demo=self.service.profile.name == "demo")
            )

    def _draw_status(self, look: LookState) -> None:
        own = self.service.profile.name
        idle = not any(r.active for r in self.model.records.values() if r.profile == own)
        facts, level = look_facts(look, self.tui.now(), idle=idle, refresh=key_of("refresh"))
        if self.model.sort != "attention" or self.model.reverse:
            facts += f" {GLYPHS.dot} sorted by {self.model.sort}{', reversed' if self.model.reverse else ''}"
        if self.model.query:
            shown = sum(len(g.records) for g in self.model.groups)
            facts += f" {GLYPHS.dot} /{self.model.query}: {shown} of {len(self.model.records)}"
        if self.batches.marks:
            hidden = len(self.hidden_marks())
            facts += f" {GLYPHS.dot} {len(self.batches.marks)} marked" + (f" ({hidden} hidden)" if hidden else "")
        self.query_one(StatusLine).tell(facts, level)

    def _draw_details(self) -> None:
        if not self.has_class("wide"):
            return
        if self.line is None:
            self.query_one("#facts-of", CachedStatic).show_text(Content())
            return
        from batchtui.tui.home import details

        text = details.of_line(self.line, self.tui.now(), self.usual, width=self._details_width)
        self.query_one("#facts-of", CachedStatic).show_text(text)

    def _draw_days(self) -> None:
        if self.has_class("vast") and self.model.records:
            from batchtui.tui.home import details

            days = details.last_weeks(list(self.model.records.values()), self.tui.now())
            self.query_one("#days", CachedStatic).show_text(days)

    @on(RowHighlighted)
    def _highlighted(self) -> None:
        self._draw_details()

    @on(MarksChanged)
    def _marked(self) -> None:
        self._draw_status(self.service.look_state())

    # --- filter, sort, fold -------------------------------------------------------------------------------------------

    @on(HeaderClicked)
    def _header(self, event: HeaderClicked) -> None:
        if event.column in SORTS:
            self.sort_by(event.column, reverse=self.model.sort == event.column and not self.model.reverse)

    @on(FilterTyped)
    def _query(self, event: FilterTyped) -> None:
        self.model.query = event.text
        self.query_one(StatusLine).dismiss()
        self.rearrange()
        self._draw_status(self.service.look_state())

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        self.query_one(KeyLine).show(("back",) if event.widget.id == "query" else self.KEY_LINE)

    @on(FilterLeft)
    def _query_done(self) -> None:
        self.batches.focus()

    async def action_filter(self) -> None:
        """Open the filter."""
        from batchtui.tui.widgets.filter_line import FilterLine

        if self._filter_line is None:
            hint = "words  status:running  model:sonnet  age<2d  cost>1"
            self._filter_line = FilterLine(hint, id="filtering")
            await self.mount(self._filter_line, before="#rule")
        self.add_class("filtering")
        self._filter_line.begin()

    def drop_filter(self) -> None:
        """Show everything again."""
        self.remove_class("filtering")
        self.model.query = ""
        if self._filter_line is not None:
            self._filter_line.clear()

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
        self.sort_by(SORTS[(SORTS.index(self.model.sort) + 1) % len(SORTS)], reverse=False)

    def action_reverse(self) -> None:
        """The other way round."""
        self.sort_by(self.model.sort, reverse=not self.model.reverse)

    def sort_by(self, column: str, *, reverse: bool) -> None:
        """Sort by a column."""
        self.model.sort, self.model.reverse = column, reverse
        self.rearrange()
        self._draw_status(self.service.look_state())

    def action_fold(self, folded: bool | None = None) -> None:
        """Fold or unfold the run under the cursor."""
        line = self.line
        if line is not None and self.model.fold(line.group.run, folded):
            run = line.group.run
            self.rearrange()
            self.batches.move_to_key(("run", run))
        elif line is not None and not line.group.several:
            self.say("This run has one batch: nothing to fold.")

    # --- opening ------------------------------------------------------------------------------------------------------

    @on(RowSelected)
    async def _selected(self, event: RowSelected) -> None:
        if self.line is not None and self.line.key == event.key:
            await self.action_open_row()

    def action_new(self) -> None:
        """Compose, or choose a source."""
        from batchtui.tui.new.screen import NewScreen

        self.app.push_screen(NewScreen())

    def action_import(self) -> None:
        """A source: the new batch begins with its path."""
        self.action_new()

    async def action_open_row(self) -> None:
        """Results where there are any, the question where there is one, the details otherwise."""
        line = self.line
        if line is None:
            return
        record = line.record
        if record is None:
            if any(r.results in ("stored", "partial") for r in line.records):
                self._open_results(line.records[0].local_id, run=True)
            else:
                self.action_fold()
        elif record.status == "unconfirmed" or record.unknown:
            self.action_act("resolve")
        elif record.status == "ended" and record.results != "gone":
            self._open_results(record.local_id, run=False)
        else:
            self._show_details(line)

    def _open_results(self, local_id: str, *, run: bool) -> None:
        from batchtui.tui.results.screen import ResultsScreen

        self.app.push_screen(ResultsScreen(local_id, run=run))

    def action_details(self) -> None:
        """The details of the row."""
        if self.line is not None:
            self._show_details(self.line)

    def _show_details(self, line: Line) -> None:
        from batchtui.tui.home.details_dialog import show_details

        run_task(self, show_details(self, line), opens=True)

    def action_elsewhere(self) -> None:
        """The other batches in this workspace."""
        from batchtui.tui.remote_batches import RemoteBatchesScreen

        self.app.push_screen(RemoteBatchesScreen())

    def action_spending(self) -> None:
        """What was spent."""
        from batchtui.tui.spending import SpendingModal

        self.app.push_screen(SpendingModal())

    # --- actions ------------------------------------------------------------------------------------------------------

    def chosen(self) -> list[BatchRecord]:
        """The batches an action means: the marked ones that can be seen, or those of the row under the cursor."""
        marks = self.batches.marks
        lines = [line for line in self.model.lines if line.key in marks] if marks else [self.line] if self.line else []
        names = dict.fromkeys(record.local_id for line in lines for record in line.records)
        return [self.model.records[name] for name in names if name in self.model.records]

    def only_mine(self, records: Sequence[BatchRecord]) -> list[BatchRecord]:
        """Those of the profile in use; when there are others, that is said and none is touched."""
        other = {r.profile for r in records if r.profile != self.service.profile.name}
        if not other:
            return list(records)
        names = ", ".join(sorted(safetext.line(name, 40) for name in other))
        self.say(
            f"the batch belongs to profile {names}",
            advice=f"press {key_of('profiles')} to switch profiles",
            level="warn",
        )
        return []

    def nothing(self, words: str, advice: str = "") -> None:
        """Say why a key does nothing here."""
        if self.batches.marks and len(self.hidden_marks()) == len(self.batches.marks):
            words, advice = "all marked batches are hidden", "clear the filter, or press esc to clear the marks"
        self.say(words, advice=advice, level="warn")

    def action_act(self, name: str) -> None:
        """Start an action of home/actions.py; the module is loaded at the first."""
        from batchtui.tui.home import actions

        actions.start(self, name)

    def action_copy(self) -> None:
        """Copy the API's id of the row's first batch, or the local one."""
        records = self.line.records if self.line else []
        if records:
            text = records[0].id or records[0].local_id
            self.app.copy_to_clipboard(text)
            self.say(
                f"Copied {safetext.line(text, 80)}", advice="If the clipboard is empty, the terminal blocks OSC 52."
            )

    def action_refresh(self) -> None:
        """Check all batches now; where the key was the trouble, with config.toml as it is by now."""
        run_task(self, self._refresh())

    async def _refresh(self) -> None:
        if self.service.look_state().trouble in ("no key", "wrong key"):
            self._trouble = ""
            await self.tui.reread_config()
            return
        look = await self.ask(self.service.refresh())
        if look.blind_since is not None:
            self.say(look.error, advice=look.advice, level="bad")
        else:
            with suppress(BatchtuiError):
                await self.ask(self.service.refresh_models())
        self._draw_status(look)


def _title(profile: str, facts: list[tuple[str, str]], width: int) -> Content:
    """The title line: the profile at the left, as many of the facts as there is room for at the right."""
    where = safetext.line(profile, 40)
    start = Content.assemble(("batchtui", "bold $text-primary"), (f" {GLYPHS.dot} {where}", "$foreground 80%"))
    room = width - 2 - cell_len(start.plain)
    while facts and sum(len(text) + 3 for text, _ in facts) - 3 > room:
        facts.pop()
    right: list[tuple[str, str] | str] = []
    for fact in facts:
        right += [f" {GLYPHS.dot} ", fact] if right else [fact]
    end = Content.assemble(*right)
    space = max(2, width - cell_len(start.plain) - cell_len(end.plain))
    return Content.assemble(start, " " * space, end)
