"""The export dialog: format, place, a progress bar, and a stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, Stopped
from batchtui.domain.work import Work
from batchtui.paths import expanded
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.results.asked import asks_for_values
from batchtui.results.export import TABLES, ExportOptions
from batchtui.results.export_job import there_already
from batchtui.results.skipped import skipped_of
from batchtui.results.source_order import by_source
from batchtui.results.table import column_names
from batchtui.results.view import View
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import DIALOG_CSS, Dialog, ask_replace
from batchtui.tui.progress import Progressed, work_for
from batchtui.tui.results.column_choice import Choosable, ColumnsScreen, OriginColumn
from batchtui.tui.widgets.controls import button
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.tab_line import Tab, TabLine

FORMATS = {
    "jsonl": (".jsonl", "lines as received, byte for byte"),
    "json": (".json", "one object {custom_id: text}"),
    "csv": (".csv", "one row per request, source columns first; safe for spreadsheets"),
    "markdown": (".md", "for reading: one heading per request"),
    "files": ("", "a folder with one file per answer"),
    "parquet": (".parquet", "for data frames; needs pyarrow"),
    "sqlite": (".db", "a database: tables rows, answers and fields"),
}


class ExportScreen(Dialog[str]):
    """Writes ``rows`` of a view; dismisses with a sentence that says what was written, "" when nothing was."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "export.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "leave", "back", "back", "stop the export, or leave"),
        bind("enter", "write", "write", "export.write", "export"),
        bind(
            "ctrl+u",
            "unfold",
            "fields",
            "export.unfold",
            "CSV, Parquet: one column per field of JSON answers; JSON: values instead of text",
            priority=True,
        ),
        bind("ctrl+k", "columns", "columns", "export.columns", "choose and order the columns", priority=True),
        bind("ctrl+b", "bom", "BOM", "export.bom", "CSV: begin with a byte order mark, for Excel", priority=True),
        bind(
            "ctrl+r",
            "all_rows",
            "all rows",
            "export.all_rows",
            "include skipped rows (not sent) and rows without a result (no answer)",
            priority=True,
        ),
        bind(
            "ctrl+o",
            "origin",
            "with origin",
            "export.origin",
            "also the columns and fields of the runs this one was made from",
            priority=True,
        ),
    ]

    def __init__(
        self,
        view: View,
        rows: Sequence[int],
        name: str,
        *,
        whole: bool,
        values: bool = False,
        origins: Sequence[BatchRecord] = (),
        warning: str = "",
    ) -> None:
        """``values``: requests asked for values, which a table holds best; ``origins``: the runs it was made from."""
        super().__init__(
            f"Export {'all' if whole else 'the selected'} {numbers.plural(len(rows), 'result')}", wide=True
        )
        self._warning = warning
        self._origins = origins
        self._with_origin = False
        self._view = view
        self._rows = rows
        self._stem = name or "results"
        self._whole = whole
        self._formats = sorted(FORMATS, key=lambda name: name != "csv") if values else list(FORMATS)
        self._unfold = values
        self._parsed = False
        self._bom = False
        self._columns: list[str] = []
        self._of_origins: frozenset[str] = frozenset()
        """Names among those that could be chosen that are of the runs it was made from."""
        self._all_rows = False
        self._replace = False
        self._skipped = 0
        self._work: Work | None = None
        self._suggested = ""

    def body(self) -> ComposeResult:
        """What has to be known first, format, place, what it is, progress."""
        if self._warning:
            yield Static(Content.styled(f"{GLYPHS.warning} {self._warning}", "$text-warning"), markup=False)
        yield TabLine([Tab(name, name) for name in self._formats], id="export-format")
        yield Static("", id="export-what", markup=False)
        yield Static("", id="export-options", markup=False)
        yield Static("", id="export-rows", markup=False)
        yield PathInput(id="export-path")
        yield Static("", id="export-said", markup=False)
        with Horizontal(classes="buttons"):
            yield button("Cancel", id="no", action="leave")
            yield button("Export", id="yes", action="write", variant="primary")

    def on_mount(self) -> None:
        """JSONL first, CSV where there are fields, beside where batchtui was started."""
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
        self.query_one("#export-what", Static).update(Content.styled(what, "dim"))
        self.query_one("#export-options", Static).update(Content.styled("\n".join(self._options(format)), "dim"))

    def _options(self, format: str) -> list[str]:
        """The keys that change what is written in a format."""
        unfold = key_of("export.unfold")
        if format == "json":
            return [f"{unfold}: values of JSON answers instead of text: {_yes(self._parsed)}"]
        if format not in TABLES:
            return []
        many = f"{len(self._chosen)} chosen" if self._chosen else "default"
        lines = [f"{key_of('export.columns')}: columns: {many}"]
        if self._origins:
            lines.append(
                f"{key_of('export.origin')}: columns of the runs this one was made from: {_yes(self._with_origin)}"
            )
        if format != "sqlite" and not self._chosen:
            lines.append(f"{unfold}: one column per field of JSON answers: {_yes(self._unfold)}")
        return (
            [*lines, f"{key_of('export.bom')}: byte order mark for Excel: {_yes(self._bom)}"]
            if format == "csv"
            else lines
        )

    async def _count_skipped(self) -> None:
        found = await self.in_thread(skipped_of, self._view)
        self._skipped = len(found)
        self._show_rows()

    def _show_rows(self) -> None:
        """What the key of all rows does, where everything is written: a choice of rows has no place for others."""
        if not (self._whole and self.is_attached):
            return
        skipped = f" ({numbers.plural(self._skipped, 'request')} with errors skipped)" if self._skipped else ""
        text = f"{key_of('export.all_rows')}: include rows not sent or not answered: {_yes(self._all_rows)}{skipped}"
        self.query_one("#export-rows", Static).update(Content.styled(text, "dim"))

    def action_all_rows(self) -> None:
        """Every row of the source, or those that were sent."""
        if self._whole:
            self._all_rows = not self._all_rows
            self._show_rows()

    def action_origin(self) -> None:
        """The columns of the runs this one was made from too, or not."""
        self._with_origin = not self._with_origin
        self._suggest()

    def action_unfold(self) -> None:
        """Values of JSON answers instead of text, in the way of the format."""
        if self.query_one(TabLine).chosen == "json":
            self._parsed = not self._parsed
        else:
            self._unfold = not self._unfold
        self._suggest()

    def action_bom(self) -> None:
        """A byte order mark, or none."""
        self._bom = not self._bom
        self._suggest()

    def action_columns(self) -> None:
        """Choose the columns of formats that have some."""
        if self._work is not None:
            return
        if self.query_one(TabLine).chosen in TABLES:
            run_task(self, self._choose_columns(), opens=True)
        else:
            self._say("Only csv, parquet and sqlite have columns: choose one of them first.", "$text-warning")

    @property
    def _chosen(self) -> list[str]:
        """The chosen columns; those of the runs it was made from only while these are written too."""
        return [name for name in self._columns if self._with_origin or name not in self._of_origins]

    def _names(self) -> list[Choosable]:
        """The columns to choose from, for a thread; those of the runs it was made from where these are written too."""
        found: list[Choosable] = [*column_names(self._view)]
        if self._with_origin:
            origins = self.service.join_runs(self._view, self._origins)
            found += [OriginColumn(name) for each in origins for name, _, _ in each.columns]
            for each in origins:
                each.close()
        return found

    async def _choose_columns(self) -> None:
        try:
            names = await self.in_thread(self._names)
        except BatchtuiError as error:
            self._say(str(error), "$text-error")
            return
        chosen: list[str] | None = await self.app.push_screen_wait(ColumnsScreen(names, self._chosen))
        if chosen is not None:
            self._of_origins = frozenset(each.full for each in names if isinstance(each, OriginColumn))
            self._columns = chosen
            self._suggest()

    @on(Input.Submitted)
    def action_write(self) -> None:
        """Write the file."""
        if self._work is None:
            run_task(self, self._agree(), opens=True)

    async def _agree(self) -> None:
        """Begin to write, over what is there already only after a yes."""
        dest = expanded(self.query_one(PathInput).value)
        format = self.query_one(TabLine).chosen
        there = format != "files" and await self.in_thread(there_already, dest)
        if (not there or await self.app.push_screen_wait(ask_replace(dest))) and self._work is None:
            self._replace = there
            self._work = work_for(self)
            run_task(self, self._write(dest, format, self._work))

    def _export(self, dest: Path, format: str, rows: Sequence[int] | None, work: Work) -> int:
        origins = self._origins if self._with_origin and format in TABLES else ()
        joined = self.service.join_runs(self._view, origins, work)
        try:
            how: ExportOptions = {**self._how(format), "joined": joined}
            if joined and self._chosen and not self._of_origins:
                # They were chosen before the others were asked for.
                how["columns"] = [*self._chosen, *(name for each in joined for name, _, _ in each.columns)]
            return self.service.export(self._view, rows, format, dest, work=work, **how)
        finally:
            for each in joined:
                each.close()

    async def _write(self, dest: Path, format: str, work: Work) -> None:
        try:
            rows = None if self._whole else await self.in_thread(by_source, self._view, self._rows)
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

    def _how(self, format: str) -> ExportOptions:
        """The options that the format has."""
        how = ExportOptions(all_rows=self._all_rows, replace=self._replace)
        if format in TABLES:
            how["columns"] = self._chosen
            how["unfold"] = self._unfold
        return {**how, "bom": self._bom and format == "csv", "parsed": self._parsed and format == "json"}

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        progress = event.progress
        done = f"{numbers.count(progress.done)} of {numbers.count(progress.total)}"
        self._say(f"{numbers.bar(progress.done, progress.total, 20)} {done}  esc stops")

    def _say(self, text: str, style: str = "") -> None:
        if self.is_attached:
            self.query_one("#export-said", Static).update(Content.styled(safetext.block(text), style))

    def action_leave(self) -> None:
        """Stop what is being written; with nothing to stop, leave."""
        if self._work is not None:
            self._work.stop()
        else:
            self.dismiss("")


async def export_rows(
    screen: BaseScreen[None], view: View, rows: Sequence[int], record: BatchRecord, name: str, warning: str = ""
) -> None:
    """Ask how rows of a view are exported, write them, and say what was written; the question says ``warning`` first.
    Raises BatchtuiError.
    """
    origins = await screen.in_thread(screen.service.lineage.origins, record.run)
    values = await screen.in_thread(asks_for_values, view)
    dialog = ExportScreen(
        view, rows, name, whole=len(rows) == len(view), values=values, origins=origins, warning=warning
    )
    said = await screen.app.push_screen_wait(dialog)
    if said:
        screen.say(said, level="good")


def _yes(on: bool) -> str:
    return "yes" if on else "no"
