"""Home: one key to each thing that can be done with a batch; each asks where it must, then asks the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from textual import on, work
from textual.binding import Binding, BindingType

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.tui import figures
from batchtui.tui.desk import Key, Line
from batchtui.tui.screens.home_looking import HomeLooking
from batchtui.tui.widgets.row_source import RowSelected


class HomeScreen(HomeLooking):
    """The desk, with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", id="new", tooltip="compose requests, or choose a source"),
        Binding("i", "import", "import", id="import", tooltip="check and submit a file"),
        Binding("enter", "open_row", "open", id="open", tooltip="results, or what the batch asks of you"),
        Binding("c", "cancel", "cancel", id="cancel", tooltip="cancel what is running"),
        Binding("r", "retry", "retry", id="retry", tooltip="send again what did not succeed"),
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
        ),
    )

    @on(RowSelected)
    async def _selected(self) -> None:
        await self.action_open_row()

    def _chosen(self) -> list[BatchRecord]:
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

    def _mine(self, records: Sequence[BatchRecord]) -> list[BatchRecord]:
        """Those of the profile in use; when there are others, that is said and none is touched."""
        other = {r.profile for r in records if r.profile != self.service.profile.name}
        if not other:
            return list(records)
        names = ", ".join(sorted(safetext.line(name, 40) for name in other))
        self.say(f"that belongs to profile {names}", advice="press p to switch to it first", level="warn")
        return []

    def _nothing(self, words: str, advice: str = "") -> None:
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
        from batchtui.tui.screens.new import NewScreen

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
        elif record.status == "unconfirmed":
            self._settle(record)
        elif record.status == "ended" and record.results != "gone":
            self._open_results(record.local_id, run=False)
        else:
            self._read(line)

    def _open_results(self, local_id: str, *, run: bool) -> None:
        from batchtui.tui.screens.results import ResultsScreen

        self.app.push_screen(ResultsScreen(local_id, run=run))

    def action_details(self) -> None:
        """All facts of the row."""
        if self.line is not None:
            self._read(self.line)

    def _read(self, line: Line) -> None:
        from batchtui.tui import details
        from batchtui.tui.screens.modals import Reading

        width = min(90, self.size.width * 9 // 10 - 8)
        self.app.push_screen(Reading("Details", details.of_line(line, self.tui.now(), self.usual, width=width)))

    @work(exit_on_error=False)
    async def _settle(self, record: BatchRecord) -> None:
        from batchtui.tui.screens.home_work import settle

        try:
            await settle(self, record)
        except BatchtuiError as error:
            self.fail(error)

    # --- changing ---------------------------------------------------------------------------------------------------

    @work(exit_on_error=False)
    async def action_cancel(self) -> None:
        """Cancel what runs."""
        from batchtui.tui.screens.home_work import names
        from batchtui.tui.screens.modals import Confirm

        chosen = self._chosen()
        running = [r for r in chosen if r.status == "in_progress" or r.waiting]
        if not running:
            self._nothing("nothing to cancel here", "only running batches can be canceled" if chosen else "")
            return
        if not self._mine(running):
            return
        open_requests = sum(r.counts.processing or r.requests - r.counts.done for r in running)
        lines = [
            f"{names(running)}",
            f"Up to {figures.plural(open_requests, 'request')} will have no answer.",
            "What is answered by then stays, and is paid for.",
            "A canceled batch can't be taken up again; what is missing can be sent anew with r.",
        ]
        title = f"Cancel {figures.plural(len(running), 'batch', 'batches')}?"
        if not await self.app.push_screen_wait(Confirm(title, lines, yes="Cancel it", no="No", grave=True)):
            return
        done = await self.ask(self.service.cancel([r.local_id for r in running]))
        self._report(done, "canceling")

    def _report(self, done: Mapping[str, object], word: str) -> None:
        """Say how many went well, and the first that did not."""
        errors = [error for error in done.values() if isinstance(error, BatchtuiError)]
        well = len(done) - len(errors)
        said = f"{word} {figures.plural(well, 'batch', 'batches')}" if well else ""
        if errors:
            failed = f"{figures.plural(len(errors), 'batch', 'batches')} not: {errors[0]}"
            self.say(f"{said}; {failed}" if said else failed, advice=errors[0].advice, level="bad")
        else:
            self.say(said, level="good")

    @work(exit_on_error=False)
    async def action_retry(self) -> None:
        """Send again what did not succeed."""
        from batchtui.tui.screens.home_work import retry_of

        chosen = [r for r in self._chosen() if r.status in ("ended", "refused")]
        if len({r.run for r in chosen}) > 1:
            self._nothing("these batches are of different runs", "retry one run at a time")
        elif not any(r.needs_retry or r.status == "refused" for r in chosen):
            self._nothing(
                *(("every request has a usable answer",) if chosen else ("nothing to retry: it has not ended",))
            )
        elif any(r.foreign for r in chosen):
            self._nothing("made elsewhere: its requests are not here", "import the file it was made from")
        elif not all(r.results == "stored" or r.status == "refused" for r in chosen):
            self._nothing(
                "its results are not stored yet", "press R to look again; what failed is known once they are here"
            )
        elif self._mine(chosen):
            try:
                await retry_of(self, chosen)
            except BatchtuiError as error:
                self.fail(error)

    @work(exit_on_error=False)
    async def action_export(self) -> None:
        """Write results to a file."""
        from batchtui.tui.screens.home_work import export_many, export_one

        line = self.line
        chosen = [r for r in self._chosen() if r.results in ("stored", "partial")]
        if not chosen:
            self._nothing("no stored results here", "they are fetched by themselves when the batch has ended")
            return
        whole_run = line is not None and line.record is None and not self.batches.marks
        try:
            if whole_run or len(chosen) == 1:
                await export_one(self, chosen[0], run=whole_run)
            elif len({r.profile for r in chosen}) > 1:
                self._nothing("these batches are of different profiles", "export those of one profile at a time")
            else:
                await export_many(self, chosen)
        except BatchtuiError as error:
            self.fail(error)

    @work(exit_on_error=False)
    async def action_delete(self) -> None:
        """Delete here, at the service, or both."""
        from batchtui.tui.screens.delete import ask_delete
        from batchtui.tui.screens.home_work import names

        chosen = self._chosen()
        if not chosen:
            return
        busy = [r for r in chosen if r.active and not r.waiting]
        if busy:
            self._nothing(f"{names(busy)} is still under way", "cancel it first, and wait until it has ended")
            return
        if not self._mine(chosen):
            return
        where = await self.app.push_screen_wait(ask_delete(chosen))
        if where in (None, "keep"):
            return
        here, there = where in ("here", "both"), where in ("there", "both")
        done = await self.ask(self.service.delete([r.local_id for r in chosen], here=here, there=there))
        self.batches.set_marks(())
        self._report(done, "deleted")

    @work(exit_on_error=False)
    async def action_edit(self) -> None:
        """Change title and note."""
        from batchtui.tui.screens.edit import EditModal

        chosen = self.line.records if self.line else []
        if not chosen:
            return
        shown = chosen[0]
        answer = await self.app.push_screen_wait(EditModal(shown.title, shown.note))
        if answer is None:
            return
        title, note = answer
        try:
            for record in chosen:
                # A batch of the run that was given words of its own keeps them.
                mine = title if record.title == shown.title else record.title
                await self.ask(
                    self.service.edit(
                        record.local_id, title=mine, note=note if record.note == shown.note else record.note
                    )
                )
        except BatchtuiError as error:
            self.fail(error)

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
        from batchtui.tui.screens.elsewhere import ElsewhereScreen

        self.app.push_screen(ElsewhereScreen())

    def action_spending(self) -> None:
        """What was spent."""
        from batchtui.tui.screens.spending import SpendingModal

        self.app.push_screen(SpendingModal())

    @work(exit_on_error=False)
    async def action_profiles(self) -> None:
        """Choose as whom and where."""
        from batchtui.tui.screens.modals import Choose
        from batchtui.tui.screens.profiles import profile_choices

        current = self.service.profile.name
        if self.service.is_demo:
            self._nothing("the demo is by itself, with a desk of its own", "batchtui opens yours, with your profiles")
            return
        name = await self.app.push_screen_wait(Choose("As whom?", profile_choices(self.service)))
        if name is None or name == current:
            return
        if self.sending:
            self._nothing("something is being sent", "switch when it has arrived")
            return
        try:
            await self.tui.switch_profile(name)
        except BatchtuiError as error:
            self.fail(error)
            return
        self.reload()
        self.say(f"now as profile {safetext.line(name, 40)}", level="good")
