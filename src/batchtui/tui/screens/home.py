"""Home: one key to each thing that can be done with a batch; each asks where it must, then asks the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from textual import on, work
from textual.binding import Binding, BindingType

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.tui.desk import Key, Line
from batchtui.tui.screens.doing import do
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
        elif record.status == "unconfirmed" or record.unknown:
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

    def _settle(self, record: BatchRecord) -> None:
        from batchtui.tui.screens.home_work import settle, unknown

        do(self, (unknown if record.unknown else settle)(self, record), opens=True)

    # --- changing ---------------------------------------------------------------------------------------------------

    def action_cancel(self) -> None:
        """Cancel what runs."""
        from batchtui.tui.screens.home_acts import cancel

        do(self, cancel(self, self.chosen()), opens=True)

    def action_retry(self) -> None:
        """Send again what did not succeed."""
        from batchtui.tui.screens.home_acts import retry

        do(self, retry(self, self.chosen()), opens=True)

    def action_fetch(self) -> None:
        """Download results again."""
        from batchtui.tui.screens.home_acts import fetch

        do(self, fetch(self, self.chosen()))

    def action_export(self) -> None:
        """Write results to a file."""
        from batchtui.tui.screens.home_acts import export

        do(self, export(self, self.chosen(), self.line), opens=True)

    def action_delete(self) -> None:
        """Delete here, at the service, or both."""
        from batchtui.tui.screens.home_acts import delete

        do(self, delete(self, self.chosen()), opens=True)

    def action_edit(self) -> None:
        """Change title and note."""
        from batchtui.tui.screens.home_acts import edit

        do(self, edit(self, self.line.records if self.line else ()), opens=True)

    def action_profiles(self) -> None:
        """Choose as whom and where."""
        from batchtui.tui.screens.home_acts import profiles

        do(self, profiles(self), opens=True)

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
