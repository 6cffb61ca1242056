"""The export dialog: format, place, a progress bar, and a stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, Stopped
from batchtui.domain.work import Work
from batchtui.paths import expanded
from batchtui.present import numbers
from batchtui.results.export import TABLES, ExportOptions
from batchtui.results.row_match import skipped_of
from batchtui.results.view import View
from batchtui.tui.base import BaseModal, Progressed, run_task, work_for
from batchtui.tui.dialogs import Confirm, button
from batchtui.tui.new.plan_summary import bar_text
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.tab_line import Tab, TabLine

FORMATS = {
    "jsonl": (".jsonl", "as received, byte for byte"),
    "json": (".json", "one object {custom_id: text}"),
    "csv": (".csv", "one row per request, source columns first; safe for spreadsheets"),
    "markdown": (".md", "for reading: one heading per request"),
    "files": ("", "a folder with one file per answer"),
    "parquet": (".parquet", "for data frames; needs pyarrow"),
}


class ExportScreen(BaseModal[str]):
    """Writes ``rows`` of a view; dismisses with a sentence that says what was written, "" when nothing was."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["../dialogs.tcss", "export.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="back", tooltip="stop the export, or leave"),
        Binding("enter", "write", "write", id="export.write", tooltip="export"),
        Binding(
            "ctrl+u",
            "unfold",
            "unfold JSON",
            id="export.unfold",
            tooltip="one column per field of JSON answers",
            priority=True,
        ),
        Binding(
            "ctrl+r",
            "all_rows",
            "all rows",
            id="export.all_rows",
            tooltip="include skipped rows (not sent) and rows without a result (no answer)",
            priority=True,
        ),
        Binding(
            "ctrl+o",
            "origin",
            "with origin",
            id="export.origin",
            tooltip="also the columns and fields of the runs it was made from",
            priority=True,
        ),
    ]

    def __init__(
        self, view: View, rows: Sequence[int], name: str, *, whole: bool, origins: Sequence[BatchRecord] = ()
    ) -> None:
        """``origins`` are the first batches of the runs it was made from."""
        super().__init__()
        self._origins = origins
        self._with_origin = False
        self._view = view
        self._rows = rows
        self._stem = name or "results"
        self._whole = whole
        self._unfold = False
        self._all_rows = False
        self._skipped = 0
        self._work: Work | None = None
        self._suggested = ""

    def compose(self) -> ComposeResult:
        """Format, place, what it is, progress."""
        with Vertical(classes="box wide"):
            what = "all " if self._whole else "the selected "
            yield Static(f"Export {what}{numbers.plural(len(self._rows), 'result')}", classes="title", markup=False)
            yield TabLine([Tab(name, name) for name in FORMATS], id="export-format")
            yield Static("", id="export-what", markup=False)
            yield Static("", id="export-rows", markup=False)
            yield PathInput(id="export-path")
            yield Static("", id="export-said", markup=False)
            with Horizontal(classes="buttons"):
                yield button("Cancel", id="no")
                yield button("Export", id="yes", variant="primary")

    def on_mount(self) -> None:
        """JSONL first, beside where batchtui was started."""
        self._suggest()
        self._show_rows()
        if self._whole:
            run_task(self, self._count_skipped())
        self.query_one(TabLine).focus()

    @on(TabLine.Chosen)
    def _suggest(self) -> None:
        format = self.query_one(TabLine).chosen
        ending, what = FORMATS[format]
        field = self.query_one(PathInput)
        if field.value == self._suggested:
            self._suggested = field.value = f"{self._stem}-results{ending}"
            field.cursor_position = len(field.value)
        unfold = (
            ""
            if format not in ("csv", "parquet")
            else f"   ctrl+u: one column per field of JSON answers: {'yes' if self._unfold else 'no'}"
        )
        if self._origins and format in TABLES:
            unfold += f"\nctrl+o: with the runs it was made from: {'yes' if self._with_origin else 'no'}"
        self.query_one("#export-what", Static).update(Content.styled(what + unfold, "dim"))

    async def _count_skipped(self) -> None:
        found = await self.in_thread(skipped_of, self._view)
        self._skipped = len(found)
        self._show_rows()

    def _show_rows(self) -> None:
        """What ctrl+r does, where everything is written: a choice of rows has no place for others."""
        if not (self._whole and self.is_attached):
            return
        skipped = f" ({numbers.plural(self._skipped, 'request')} with errors skipped)" if self._skipped else ""
        text = f"ctrl+r: include rows not sent or not answered: {'yes' if self._all_rows else 'no'}{skipped}"
        self.query_one("#export-rows", Static).update(Content.styled(text, "dim"))

    def action_all_rows(self) -> None:
        """Every row of the source, or those that were sent."""
        if self._whole:
            self._all_rows = not self._all_rows
            self._show_rows()

    def action_origin(self) -> None:
        """The columns of the runs it was made from too, or not."""
        self._with_origin = not self._with_origin
        self._suggest()

    def action_unfold(self) -> None:
        """One column per field of JSON answers, or not."""
        self._unfold = not self._unfold
        self._suggest()

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def action_write(self) -> None:
        """Write the file."""
        if self._work is None:
            run_task(self, self._agree(), opens=True)

    async def _agree(self) -> None:
        """Begin to write, over what is there already only after a yes."""
        dest = expanded(self.query_one(PathInput).value)
        format = self.query_one(TabLine).chosen
        there = format != "files" and await self.in_thread(dest.is_file)
        replace = Confirm(f"{dest} already exists", ["Replace the file?"], yes="Replace", grave=True)
        if (not there or await self.app.push_screen_wait(replace)) and self._work is None:
            self._work = work_for(self)
            run_task(self, self._write(dest, format, self._work))

    def _export(self, dest: Path, format: str, rows: Sequence[int] | None, work: Work) -> int:
        origins = self._origins if self._with_origin and format in TABLES else ()
        beside = self.service.besides(self._view, origins, work)
        how: ExportOptions = {"unfold": self._unfold, "all_rows": self._all_rows, "beside": beside}
        try:
            return self.service.export(self._view, rows, format, dest, work=work, **how)
        finally:
            for each in beside:
                each.close()

    async def _write(self, dest: Path, format: str, work: Work) -> None:
        try:
            rows = None if self._whole else self._rows
            written = await self.in_thread(self._export, dest, format, rows, work)
        except Stopped:
            self._say("Export stopped; nothing was written.")
        except BatchtuiError as error:
            self._say(f"{error}; {error.advice}" if error.advice else str(error), "$text-error")
        else:
            what = numbers.plural(written, "row") if self._all_rows else numbers.plural(written, "result")
            self.dismiss(f"Exported {what} to {dest}")
        finally:
            self._work = None

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        progress = event.progress
        done = f"{numbers.count(progress.done)} of {numbers.count(progress.total)}"
        self._say(f"{bar_text(progress.done, progress.total)} {done}  esc stops")

    def _say(self, text: str, style: str = "") -> None:
        if self.is_attached:
            self.query_one("#export-said", Static).update(Content.styled(safetext.block(text), style))

    @on(Button.Pressed, "#no")
    def action_leave(self) -> None:
        """Stop what is being written; with nothing to stop, leave."""
        if self._work is not None:
            self._work.stop()
        else:
            self.dismiss("")
