"""The home screen: every batch at a glance, drawn again only where it reads differently."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal, cast

from rich.cells import cell_len
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.schedule import LookState
from batchtui.present import batch, numbers
from batchtui.present.symbols import GLYPHS
from batchtui.service import events as service_events
from batchtui.service.history_stats import usual_minutes
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.home.model import SORTS, HomeModel, Key, Line
from batchtui.tui.home.rows import HomeRows, chosen_columns
from batchtui.tui.messages import FilterLeft, FilterTyped, Happened
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import HeaderClicked, MarksChanged, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine

WIDE = 110
"""From this width on the details stand beside the list."""
DETAILS = 38
"""Cells for text in the details pane."""
TICK = 5.0
"""Seconds between looks at the clock; only lines that read differently are written."""


class HomeView(BaseScreen[None]):
    """The desk: what it shows, and what happened to it."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = HomeModel()
        self._usual: dict[str, tuple[int, int] | None] = {}
        self._dirty = False
        self._minute: datetime | None = None
        self._title_shown: Content | None = None
        self._detail_shown: str = ""
        self._trouble = ""
        """Why the last look that failed did: not to be read any more once one works."""

    def compose(self) -> ComposeResult:
        columns = chosen_columns(self.service.config.screen.columns)
        self.rows = HomeRows(self.desk, self.tui.now, self.usual, columns)
        self.rows.unchecked = self.unchecked
        yield Static("", id="title", markup=False)
        with Horizontal(id="middle"):
            yield RowList(columns, self.rows, id="batches")
            with VerticalScroll(id="details", can_focus=False):
                yield Static("", id="facts-of", markup=False)
        yield Static("", id="empty", markup=False)
        yield Static("", id="rule", markup=False)
        yield StatusLine(id="status")
        yield KeyLine(self.KEY_LINE)

    def on_mount(self) -> None:
        self.batches.focus()
        self.reload()
        self.set_interval(TICK, self.tick)

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "wide")
        self.query_one("#rule", Static).update(GLYPHS.rule * max(0, self.size.width - 2))
        self._draw_title()
        self._draw_details()

    @property
    def batches(self) -> RowList:
        """The list of batches."""
        return self.query_one("#batches", RowList)

    @property
    def line(self) -> Line | None:
        """The row under the cursor."""
        index = self.batches.cursor
        return self.desk.lines[index] if index < len(self.desk.lines) else None

    def hidden_marks(self) -> list[Hashable]:
        """Marks on rows that the filter or a fold hides: no action touches those."""
        shown = {line.key for line in self.desk.lines}
        return [key for key in self.batches.marks if key not in shown]

    @property
    def sending(self) -> bool:
        """True while something is being sent, or was confirmed and is not on record yet."""
        return self.service.submitting > 0 or any(
            r.status == "submitting" and r.intent_at is not None for r in self.desk.records.values()
        )

    def usual(self, record: BatchRecord) -> tuple[int, int] | None:
        """How long batches like this took before, reckoned once until another ends."""
        if record.local_id not in self._usual:
            self._usual[record.local_id] = usual_minutes(self.desk.records.values(), record)
        return self._usual[record.local_id]

    def unchecked(self, record: BatchRecord) -> datetime | Literal[False] | None:
        """How old what is known of a batch is that no poller looks after; False for one that is looked after."""
        if record.profile == self.service.profile.name and self.service.look_state().last_ok is None:
            return False  # Before the first check nobody knows more, and to ask would load the gateway.
        reach = self.service.reach(record)
        return False if reach.checked else reach.as_of

    # --- what happened ----------------------------------------------------------------------------------------------

    @on(Happened)
    def _happened(self, message: Happened) -> None:
        event = message.event
        if isinstance(event, service_events.RecordChanged | service_events.RecordRemoved):
            if isinstance(event, service_events.RecordChanged):
                self.desk.records[event.record.local_id] = event.record
                if event.record.status == "ended":
                    self._usual.clear()
            else:
                self.desk.records.pop(event.local_id, None)
            if not self._dirty:
                self._dirty = True
                self.set_timer(0.05, self.redraw)
        elif isinstance(event, service_events.Transfer):
            if event.progress is None:
                self.rows.transfers.pop(event.local_id, None)
            else:
                self.rows.transfers[event.local_id] = event.progress
            self.batches.refresh_row(("batch", event.local_id))
        elif isinstance(event, service_events.Looked):
            if not event.state.looking or event.state.last_ok is None:
                self._draw_status(event.state)
            if event.state.blind_since is not None:
                self._trouble = event.state.error
            elif not event.state.looking:
                self.query_one(StatusLine).unsay(self._trouble)
        elif isinstance(event, service_events.Trouble):
            self.say(event.message, advice=event.advice, level="bad")
        elif isinstance(event, service_events.Ended) and event.late:
            self.say(
                f"{safetext.line(event.record.title or event.record.local_id, 80)} ended while batchtui was closed"
            )

    def reload(self) -> None:
        """Take all records afresh from the service."""
        self.desk.replace(self.service.records())
        self.rows.own_profile = self.service.profile.name
        aside = self.service.unreadable()
        if aside:
            more = f" and {len(aside) - 1} more" if aside[1:] else ""
            self.say(
                f"a record can't be read{more}: {aside[0][1]}", advice=f"it was left at {aside[0][0]}", level="warn"
            )
        self.redraw()

    def redraw(self) -> None:
        """Arrange the desk again and draw what reads differently."""
        self._dirty = False
        self.rearrange()
        self._draw_status(self.service.look_state())

    def rearrange(self) -> None:
        """Filter and sort; a filter that can't be read is said and changes nothing."""
        self.desk.arrange(self.tui.now())
        if self.desk.complaint is not None:
            self.fail(self.desk.complaint)
        self.set_class(not self.desk.records, "empty")
        if not self.desk.records:
            self.query_one("#empty", Static).update(_first_steps(self.service.profile.name == "demo"))
        sort = None if self.desk.sort == "attention" else self.desk.sort
        self.batches.set_sort(sort, self.desk.falling)
        self.batches.reload()
        self._draw_title()
        self._draw_details()

    def tick(self) -> None:
        """The clock went on: ages, times left, the line of facts."""
        if not self.is_current:
            return
        minute = self.tui.now().replace(second=0, microsecond=0)
        if minute != self._minute:
            # With time alone a batch may come to want the person, or not want them any more.
            self._minute = minute
            self.rearrange()
        else:
            self.batches.reload()
        self._draw_status(self.service.look_state())

    def go_to(self, record: BatchRecord) -> None:
        """Put the cursor on a batch, unfolding its run and dropping a filter that hides it."""
        if record.local_id not in self.desk.records:
            self.desk.records[record.local_id] = record
            self.rearrange()
        if self.desk.find(("batch", record.local_id)) is None and self.desk.query:
            self.drop_filter()
        self.desk.fold(record.run, False)
        self.rearrange()
        self.batches.move_to_key(("batch", record.local_id))
        self.batches.focus()

    def drop_filter(self) -> None:
        """Show everything again."""
        self.remove_class("filtering")
        self.desk.query = ""
        for line in self.query("#filtering"):
            line.clear()  # type: ignore[attr-defined]

    # --- drawing ----------------------------------------------------------------------------------------------------

    def _draw_title(self) -> None:
        now = self.tui.now()
        own = self.service.profile.name
        records = self.desk.records.values()
        mine = [r for r in records if r.profile == own]
        # What waits, is unconfirmed or not known does not run; what can't be checked may not run any more.
        running = sum(1 for r in records if batch.runs(r) and self.unchecked(r) is False)
        waiting = sum(1 for r in records if r.waiting)
        day = now - timedelta(days=1)
        ready = sum(1 for r in mine if r.ended_at is not None and r.ended_at > day and r.results == "stored")
        wanting = len(self.desk.wanting(now))
        spent = sum((r.cost_usd for r in mine if r.cost_usd is not None), Decimal(0))
        facts: list[tuple[str, str]] = [(f"{running} running", "$text-primary")] if running else []
        facts += [(f"{waiting} waiting", "$foreground 80%")] if waiting else []
        needs = f"{wanting} need{'s' if wanting == 1 else ''} attention"
        facts += [(needs, "bold $text-warning")] if wanting else []
        facts += [(f"{ready} ready", "$text-success")] if ready else []
        facts += [(f"{numbers.usd(spent)} so far", "$foreground 80%")] if spent else []
        where = safetext.line(own, 40)
        start = Content.assemble(("batchtui", "bold $text-primary"), (f" {GLYPHS.dot} {where}", "$foreground 80%"))
        room = self.size.width - 4 - cell_len(start.plain)
        while facts and sum(len(text) + 3 for text, _ in facts) - 3 > room:
            facts.pop()
        right: list[tuple[str, str] | str] = []
        for fact in facts:
            right += [f" {GLYPHS.dot} ", fact] if right else [fact]
        end = Content.assemble(*right)
        space = max(2, self.size.width - 2 - cell_len(start.plain) - cell_len(end.plain))
        title = Content.assemble(start, " " * space, end)
        if self._title_shown is None or title.markup != self._title_shown.markup:
            self._title_shown = title
            self.query_one("#title", Static).update(title, layout=False)
            self.tui.tell_title(running, wanting)

    def _draw_status(self, look: LookState) -> None:
        own = self.service.profile.name
        idle = not any(r.active for r in self.desk.records.values() if r.profile == own)
        facts, level = look_facts(look, self.tui.now(), idle=idle)
        if self.desk.sort != "attention" or self.desk.reverse:
            facts += f" {GLYPHS.dot} by {self.desk.sort}{', reversed' if self.desk.reverse else ''}"
        if self.desk.query:
            shown = sum(len(g.records) for g in self.desk.groups)
            facts += f" {GLYPHS.dot} /{self.desk.query}: {shown} of {len(self.desk.records)}"
        if self.batches.marks:
            hidden = len(self.hidden_marks())
            facts += f" {GLYPHS.dot} {len(self.batches.marks)} marked" + (f" ({hidden} hidden)" if hidden else "")
        self.query_one(StatusLine).tell(facts, level)

    def _draw_details(self) -> None:
        if not self.has_class("wide") or self.line is None:
            return
        from batchtui.tui.home import details

        text = details.of_line(self.line, self.tui.now(), self.usual, width=DETAILS)
        if text.markup != self._detail_shown:
            self._detail_shown = text.markup
            self.query_one("#facts-of", Static).update(text)

    @on(RowHighlighted)
    def _highlighted(self) -> None:
        self._draw_details()

    @on(MarksChanged)
    def _marked(self) -> None:
        self._draw_status(self.service.look_state())


def look_facts(look: LookState, now: datetime, *, idle: bool = False) -> tuple[str, str]:
    """The line of facts about looking, and its level; ``idle``: nothing is under way that needs a look."""
    coming = look.next_at is not None and look.next_at > now
    again = f", next in {numbers.words(look.next_at - now)}" if coming and look.next_at else ""
    if look.blind_since is not None:
        since = f"{look.blind_since.astimezone():%H:%M}"
        what = safetext.line(look.error or "the service can't be reached", 120)
        advice = f" ({safetext.line(look.advice, 120)})" if look.advice else ""
        return f"{GLYPHS.warning} blind since {since}{again}: {what}{advice}", "warn"
    if look.last_ok is None:
        waits = "nothing is under way; R looks at the service" if idle else "not looked yet"
        return ("looking for the first time" if look.looking else waits), "info"
    ago = now - look.last_ok
    return f"looked {'just now' if ago.total_seconds() < 5 else numbers.words(ago) + ' ago'}{again}", "info"


def _first_steps(demo: bool) -> Content:
    """What to do on an empty desk."""
    lines: list[tuple[str, str] | str] = [("No batches yet\n\n", "bold")]
    steps = [
        ("i", "import a file: checked and priced before anything is sent"),
        ("n", "compose a few requests by form"),
    ]
    steps += [("o", "batches of this workspace that were made elsewhere"), ("?", "all keys")]
    for key, what in steps:
        lines += [(f"  {key}", "bold $text-primary"), f"   {what}\n"]
    if not demo:
        lines += [("\nNo key?  batchtui demo  shows all of this on a built-in server, for free", "$foreground 60%")]
    return Content.assemble(*lines)


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


class HomeScreen(HomeLooking):
    """The desk, with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", id="new", tooltip="compose requests, or choose a source"),
        Binding("i", "import", "import", id="import", tooltip="check and submit a file"),
        Binding("enter", "open_row", "open", id="open", tooltip="results, or what the batch asks of you"),
        Binding("c", "cancel", "cancel", id="cancel", tooltip="cancel what is running"),
        Binding("r", "retry", "retry", id="retry", tooltip="send again what did not succeed"),
        Binding("f", "fetch", "fetch", id="fetch", tooltip="download results again; they replace only what holds less"),
        Binding("x", "export", "export", id="export", tooltip="write results to a file"),
        Binding("slash", "filter", "filter", id="filter", tooltip="words, status:, model:, profile:, age<2d, cost>1"),
        Binding("s", "sort", "sort", id="sort", tooltip="sort by the next column"),
        Binding("S", "reverse", "reverse", id="reverse", tooltip="sort the other way round"),
        Binding("e", "edit", "edit", id="edit", tooltip="change title and note"),
        Binding("d", "delete", "delete", id="delete", tooltip="delete here, at the service, or both"),
        Binding("v", "details", "details", id="details", tooltip="all facts of a batch"),
        Binding("R", "refresh", "refresh", id="refresh", tooltip="look at the service now"),
        Binding("z", "fold", "fold", id="fold", tooltip="fold or unfold a run"),
        Binding("left,h", "fold(True)", "fold", show=False, id="fold_run", tooltip="fold a run"),
        Binding("right,l", "fold(False)", "unfold", show=False, id="unfold_run", tooltip="unfold a run"),
        Binding("y", "copy", "copy", id="copy", tooltip="copy the batch's id"),
        Binding("o", "elsewhere", "elsewhere", id="elsewhere", tooltip="batches of the workspace made elsewhere"),
        Binding("dollar_sign", "spending", "spending", id="spending", tooltip="what was spent"),
        Binding("p", "profiles", "profiles", id="profiles", tooltip="as whom and where"),
        Binding("comma", "app.settings", "settings", id="settings", tooltip="what config.toml says, changed in place"),
        Binding("escape", "clear", "back", show=False, id="back", tooltip="drop the message, the filter, the marks"),
    ]
    KEY_LINE = (
        *("new", "import", "open", "cancel", "retry", "export", "filter"),
        *(
            "sort",
            "edit",
            "delete",
            "details",
            "refresh",
            "fold",
            "elsewhere",
            "spending",
            "profiles",
            "copy",
            "settings",
            "fetch",
        ),
    )

    @on(RowSelected)
    async def _selected(self, event: RowSelected) -> None:
        if self.line is not None and self.line.key == event.key:
            await self.action_open_row()

    def chosen(self) -> list[BatchRecord]:
        """The batches an action means: the marked ones that can be seen, or those of the row under the cursor."""
        found: dict[str, BatchRecord] = {}
        keys = self.batches.marks.difference(self.hidden_marks())
        if not self.batches.marks and self.line:
            keys = frozenset([self.line.key])
        for key in cast("Sequence[Key]", keys):
            for record in self._records_of(key):
                found[record.local_id] = record
        return list(found.values())

    def _records_of(self, key: Key) -> Sequence[BatchRecord]:
        kind, name = key
        if kind == "batch":
            return [self.desk.records[name]] if name in self.desk.records else []
        return next((g.records for g in self.desk.groups if g.run == name), [])

    def only_mine(self, records: Sequence[BatchRecord]) -> list[BatchRecord]:
        """Those of the profile in use; when there are others, that is said and none is touched."""
        other = {r.profile for r in records if r.profile != self.service.profile.name}
        if not other:
            return list(records)
        names = ", ".join(sorted(safetext.line(name, 40) for name in other))
        self.say(f"that belongs to profile {names}", advice="press p to switch to it first", level="warn")
        return []

    def nothing(self, words: str, advice: str = "") -> None:
        """Say why a key does nothing here."""
        if self.batches.marks and len(self.hidden_marks()) == len(self.batches.marks):
            words, advice = "all that is marked is hidden", "show it again, or press esc to drop the marks"
        self.say(words, advice=advice, level="warn")

    # --- opening ----------------------------------------------------------------------------------------------------

    def action_new(self) -> None:
        """Compose, or choose a source."""
        self._open_new(importing=False)

    def action_import(self) -> None:
        """Straight to the path of a file."""
        self._open_new(importing=True)

    def _open_new(self, importing: bool) -> None:
        from batchtui.tui.new.screen import NewScreen

        self.app.push_screen(NewScreen(importing=importing))

    async def action_open_row(self) -> None:
        """Results where there are any, the question where there is one, the facts otherwise."""
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
            self._settle(record)
        elif record.status == "ended" and record.results != "gone":
            self._open_results(record.local_id, run=False)
        else:
            self._read(line)

    def _open_results(self, local_id: str, *, run: bool) -> None:
        from batchtui.tui.results.screen import ResultsScreen

        self.app.push_screen(ResultsScreen(local_id, run=run))

    def action_details(self) -> None:
        """All facts of the row."""
        if self.line is not None:
            self._read(self.line)

    def _read(self, line: Line) -> None:
        from batchtui.tui.dialogs import Reading
        from batchtui.tui.home import details

        width = min(90, self.size.width * 9 // 10 - 8)
        self.app.push_screen(Reading("Details", details.of_line(line, self.tui.now(), self.usual, width=width)))

    def _settle(self, record: BatchRecord) -> None:
        from batchtui.tui.home.actions import settle, unknown

        run_task(self, (unknown if record.unknown else settle)(self, record), opens=True)

    # --- changing ---------------------------------------------------------------------------------------------------

    def action_cancel(self) -> None:
        """Cancel what runs."""
        from batchtui.tui.home.actions import cancel

        run_task(self, cancel(self, self.chosen()), opens=True)

    def action_retry(self) -> None:
        """Send again what did not succeed."""
        from batchtui.tui.home.actions import retry

        run_task(self, retry(self, self.chosen()), opens=True)

    def action_fetch(self) -> None:
        """Download results again."""
        from batchtui.tui.home.actions import fetch

        run_task(self, fetch(self, self.chosen()))

    def action_export(self) -> None:
        """Write results to a file."""
        from batchtui.tui.home.actions import export

        run_task(self, export(self, self.chosen(), self.line), opens=True)

    def action_delete(self) -> None:
        """Delete here, at the service, or both."""
        from batchtui.tui.home.actions import delete

        run_task(self, delete(self, self.chosen()), opens=True)

    def action_edit(self) -> None:
        """Change title and note."""
        from batchtui.tui.home.actions import edit

        run_task(self, edit(self, self.line.records if self.line else ()), opens=True)

    def action_profiles(self) -> None:
        """Choose as whom and where."""
        from batchtui.tui.home.actions import profiles

        run_task(self, profiles(self), opens=True)

    # --- looking ----------------------------------------------------------------------------------------------------

    @work(exit_on_error=False)
    async def action_refresh(self) -> None:
        """Look at the service now."""
        try:
            look = await self.ask(self.service.refresh())
        except BatchtuiError as error:
            self.fail(error)
            return
        if look.blind_since is not None:
            self.say(look.error, advice=look.advice, level="bad")
        self._draw_status(look)

    def action_elsewhere(self) -> None:
        """Batches of the workspace that were made elsewhere."""
        from batchtui.tui.remote_batches import ElsewhereScreen

        self.app.push_screen(ElsewhereScreen())

    def action_spending(self) -> None:
        """What was spent."""
        from batchtui.tui.spending import SpendingModal

        self.app.push_screen(SpendingModal())
