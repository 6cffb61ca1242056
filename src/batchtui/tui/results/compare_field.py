"""The screen that compares a field of two runs: agreement, a matrix, the rows that differ, both texts by word."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.present import batch, numbers
from batchtui.present import scores as present
from batchtui.present.cells import dot, name_of
from batchtui.present.matrix import NOT_USABLE, Matrix
from batchtui.present.symbols import GLYPHS
from batchtui.results.compare import Comparison, diff_lines
from batchtui.results.field_columns import as_text
from batchtui.results.field_scores import Agreement, FieldComparison, agreements, compare_field
from batchtui.results.gold import Gold
from batchtui.results.names import Name, ValueNames, names_of
from batchtui.results.row_match import matched
from batchtui.results.spreadsheet import csv_line
from batchtui.results.view import Rows
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import Choose
from batchtui.tui.results.diff_view import DiffView
from batchtui.tui.results.matrix import MatrixView
from batchtui.tui.results.save_table import save_table
from batchtui.tui.results.score import choose_gold
from batchtui.tui.results.table_columns import id_cell, is_id_column
from batchtui.tui.widgets.answer_view import AnswerView, Section
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import ListedRows, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.sections import turn_sections
from batchtui.tui.widgets.status_line import StatusLine

_OWN = 3
"""Own columns of the rows that are shown beside both values."""
_CORRECT = {"both": "both", "left": "first", "right": "second", "neither": "neither", None: ""}


class FieldPairRows(ListedRows[int]):
    """Pairs of rows by their number."""

    def __init__(self, screen: FieldCompareScreen, rows: Rows) -> None:
        self._screen = screen
        super().__init__(rows)

    def key(self, index: int) -> Hashable:
        return self.rows[index]

    def cells(self, index: int) -> Sequence[Cell]:
        """Id, both values, which of the two is right, own columns."""
        return self._screen.cells(self.rows[index])


class FieldCompareScreen(BaseScreen[None]):
    """Compares a field of two views."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = ["score.tcss"]
    KEY_LINE: ClassVar[tuple[str, ...]] = ("matrix.open", "open", "field.switch", "field.gold", "field.all", "export")
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,q", "back", "back", "back", "back to the list, then leave", key_display="esc"),
        bind("tab", "switch", "matrix/rows", "field.switch", "matrix or rows"),
        bind("A", "gold", "gold", "field.gold", "which of the two is right, by a column or file"),
        bind("w", "all", "different rows", "field.all", "list all rows that differ"),
        bind("x", "export", "export", "export", "save the rows that differ as CSV"),
    ]

    def __init__(
        self,
        comparison: Comparison,
        records: tuple[BatchRecord, BatchRecord],
        names: tuple[ValueNames, ValueNames],
        field: Name,
        lacking: str = "",
    ) -> None:
        """``lacking`` says which batches of the runs are not in the figures."""
        super().__init__()
        self._lacking = lacking
        self._views = comparison.left, comparison.right
        self._records = records
        self._names = names
        self._field = field
        self._titles = present.told_apart([batch.full_name(each) for each in records])
        self.found: FieldComparison | None = None
        self._own = [(name, names[0].column(name)) for name in names[0].own]
        self._shown_own = [
            (name, column) for name, column in self._own[:40] if not is_id_column(comparison.left, column)
        ][:_OWN]

    def compose(self) -> ComposeResult:
        yield Static("", id="score-title", markup=False)
        yield Static("", id="score-figures", markup=False)
        yield MatrixView(id="score-matrix")
        with Container(id="compare-body"):
            yield RowList((), id="compare-list")
            yield AnswerView("request", id="compare-request")
            yield DiffView(id="compare-diff")
        yield Static("", id="score-notes", markup=False)
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    def on_mount(self) -> None:
        self._show_pair(False)
        self.query_one(MatrixView).focus()
        run_task(self, self._compare(None))

    async def _compare(self, gold: Gold | None) -> None:
        fields = self._field, self._names[1].resolve(self._field.full)
        self.found = await self.in_thread(compare_field, self._views, self._names, fields, gold)
        self._show()
        self.action_all()

    def on_resize(self) -> None:
        """The matrix goes by the room."""
        self._show()

    def _show(self) -> None:
        found = self.found
        if found is None:
            return
        figures, notes = present.comparison_figures(found, self._titles), present.comparison_notes(found)
        figures += [self._lacking] if self._lacking else []
        self.query_one("#score-title", Static).update(
            Content(present.comparison_title(found, self._titles)).stylize("bold")
        )
        self.query_one("#score-figures", Static).update(Content("\n".join(figures)))
        self.query_one("#score-notes", Static).update(Content("\n".join(notes)))
        self.query_one("#score-notes").display = bool(notes) and self.size.height >= 30
        room = max(5, (self.size.height - 4 - len(figures)) // 2)
        empty = Matrix(["No row is usable in both: there is no matrix."], [])
        drawn = present.comparison_matrix(found, self._titles, self.size.width - 2, room) if found.matrix else empty
        self.query_one(MatrixView).show(drawn)

    # --- rows -------------------------------------------------------------------------------------------------------

    def _list(self, rows: Rows, what: str, empty: str) -> None:
        listed = self.query_one(RowList)
        golden = self.found is not None and self.found.gold is not None
        listed.set_columns(_columns(self._titles, [name for name, _ in self._shown_own], gold=golden))
        listed.set_source(FieldPairRows(self, rows), keep_cursor=False)
        listed.set_empty(empty)
        self.query_one(StatusLine).tell(dot(what, numbers.plural(len(rows), "row")))

    def cells(self, number: int) -> list[Cell]:
        """A pair's cells."""
        assert self.found is not None
        row, other = self.found.pairs[number]
        left, right = self.found.left[row], self.found.right[other]
        cells: list[Cell] = [id_cell(self._views[0].id(row)), _value(left), _value(right)]
        if self.found.gold is not None:
            gold = self.found.gold.labels[row]
            cells += [safetext.line(gold or GLYPHS.dash, 60), _CORRECT[self.found.right_of(number)]]
        return [*cells, *(safetext.line(as_text(column[row])[:1_000], 160) for _, column in self._shown_own)]

    def action_all(self) -> None:
        """List all rows that differ."""
        if self.found is not None:
            empty = "No row differs: both runs gave the same values." if self.found.pairs else ""
            self._list(self.found.differing(), "rows that differ", empty)

    @on(MatrixView.Chosen)
    def _chosen(self, event: MatrixView.Chosen) -> None:
        if self.found is None:
            return
        spot = event.spot
        rows = self.found.select(spot.row, spot.column)
        one, other = present.short_names(self._titles, 24)
        what = f"{one} {name_of(spot.row)}, {other} {name_of(spot.column or '')}"
        self._list(rows, what, f"This cell has no rows.\nPress {key_of('field.all')} to list all rows that differ.")
        if rows:
            self.query_one(RowList).focus()

    @on(RowSelected)
    def _opened(self) -> None:
        self._show_pair(True)
        self.query_one(DiffView).focus()
        run_task(self, self._show_texts())

    def _show_pair(self, shown: bool) -> None:
        """One row's request with both texts, or the matrix and the list."""
        self.query_one(DiffView).display = self.query_one(AnswerView).display = shown
        self.query_one(RowList).display = self.query_one(MatrixView).display = not shown

    @on(RowHighlighted)
    def _moved(self) -> None:
        if self.query_one(DiffView).display:
            run_task(self, self._show_texts())

    async def _show_texts(self) -> None:
        number = self.query_one(RowList).cursor_key
        if not isinstance(number, int) or self.found is None:
            return
        row, other = self.found.pairs[number]
        one = self._names[0].column(self._field)
        two = self._names[1].column(self._names[1].resolve(self._field.full))
        texts = await self.in_thread(lambda: (as_text(one[row]), as_text(two[other])))
        lines = await self.in_thread(diff_lines, *texts)
        asked = await self.in_thread(lambda: turn_sections(self._views[0].request_raw(row)))
        gold = self.found.gold.labels[row] if self.found.gold is not None else None
        title = f"{GLYPHS.dot} gold {name_of(gold)}" if gold is not None else ""
        none = Section("", "The request is not on this machine.", "note")
        await self.query_one(AnswerView).show(asked or [none], title=title, markdown=False)
        self.query_one(DiffView).show(self._views[0].id(row), lines)

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_switch(self) -> None:
        """The keys to the matrix, or to the rows."""
        matrix, listed = self.query_one(MatrixView), self.query_one(RowList)
        if matrix.display and listed.display:
            (listed if matrix.has_focus else matrix).focus()

    def action_back(self) -> None:
        """From the texts to the list, then leave."""
        if self.query_one(DiffView).display:
            self._show_pair(False)
            self.query_one(RowList).focus()
        elif not self.query_one(StatusLine).dismiss():
            self.dismiss(None)

    def action_gold(self) -> None:
        """Choose gold, and count which of the two is right."""
        run_task(self, self._gold(), opens=True)

    async def _gold(self) -> None:
        gold = await choose_gold(self, self._views[0], self._names[0], self._field, self._records[0])
        if gold is not None:
            await self._compare(gold)

    def action_export(self) -> None:
        """Save the rows that differ as CSV."""
        if self.found is not None:
            name = f"differ-{safetext.filename(self.found.field)}.csv"
            run_task(self, save_table(self, "Save the rows that differ as CSV", name, self._lines()), opens=True)

    def _lines(self) -> Iterator[bytes]:
        assert self.found is not None
        for row in present.comparison_csv(self.found, self._views[0].id, self._own, self._titles):
            yield csv_line(row)


def _value(label: str | None) -> Cell:
    return Text(NOT_USABLE, style="muted") if label is None else safetext.line(label[:1_000], 160)


def _columns(titles: Sequence[str], own: Sequence[Name], *, gold: bool) -> list[Column]:
    found = [Column("id", "Request", 10, max_width=24, flex=1)]
    found += [Column(f"v{n}", title, 10, flex=2) for n, title in enumerate(present.short_names(titles, 20))]
    if gold:
        found += [Column("gold", "Gold", 8, flex=1), Column("correct", "Correct", 8)]
    return [
        *found,
        *(Column(f"own{n}", safetext.line(name.bare, 30), 10, flex=2, priority=n + 1) for n, name in enumerate(own)),
    ]


async def by_field(
    screen: BaseScreen[Any], comparison: Comparison, records: tuple[BatchRecord, BatchRecord], lacking: str = ""
) -> None:
    """Ask which field, each with its agreement, and compare it; ``lacking`` says which batches are not included."""
    views = comparison.left, comparison.right

    def read() -> tuple[tuple[ValueNames, ValueNames], list[tuple[int, int]], list[Agreement]]:
        names = names_of(views[0]), names_of(views[1])
        pairs = matched(*views)
        return names, pairs, agreements(views, names, pairs)

    names, pairs, found = await screen.in_thread(read)
    if not pairs:
        screen.say(present.no_rows_shared(), level="warn")
        return
    if not found:
        field: Name | None = names[0].resolve("run.answer")
    elif len(found) == 1:
        field = names[0].find(found[0].field)
    else:
        lines = present.agreement_lines(found)[1:]
        choices = [(each.field, line) for each, line in zip(found, lines, strict=True)]
        chosen = await screen.app.push_screen_wait(
            Choose("Compare which field?", choices, lines=present.agreement_lines(found)[:1])
        )
        field = names[0].find(chosen) if chosen is not None else None
    if field is not None:
        made = await screen.in_thread(FieldCompareScreen, comparison, records, names, field, lacking)
        await screen.app.push_screen(made)
