"""The comparison screen: rows of two views side by side, and their answers line by line."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.work import Work
from batchtui.present import batch, numbers
from batchtui.present.cells import as_many, names_within
from batchtui.present.compared import CHANGES
from batchtui.present.scores import no_rows_shared, told_apart
from batchtui.present.symbols import GLYPHS
from batchtui.results.compare import Comparison, Totals, compare
from batchtui.results.view import ResultRow, Rows
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.progress import Progressed, progress_line, work_for
from batchtui.tui.results.diff_view import DiffView
from batchtui.tui.results.table_columns import id_cell
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import ListedRows, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import Tab, TabLine

COLUMNS = (
    Column("id", "Request", 12, max_width=30, flex=1),
    Column("kind", "Changed", 13),
    Column("left", "Before", 16, flex=1, priority=1),
    Column("right", "After", 16, flex=1),
    Column("tokens", "Out", 7, align="right", priority=3),
    Column("cost", "Cost", 10, align="right", priority=2),
)
WIDE, PAUSE = 110, 0.06


class PairRows(ListedRows[int]):
    """Pairs of a comparison for a row list; a row's key is its number."""

    def __init__(self, comparison: Comparison, rows: Rows) -> None:
        self.comparison = comparison
        super().__init__(rows)

    def key(self, index: int) -> Hashable:
        return self.rows[index]

    def cells(self, index: int) -> Sequence[Cell]:
        """Id, how it changed, both outcomes, differences of tokens and cost."""
        pair = self.comparison.pair(self.rows[index])
        change = CHANGES[pair.kind]
        left, right = pair.left, pair.right
        tokens = cost = ""
        if left is not None and right is not None:
            more = right.output_tokens - left.output_tokens
            tokens = f"{more:+,}" if more else "="
            if left.cost_usd is not None and right.cost_usd is not None:
                dearer = right.cost_usd - left.cost_usd
                cost = f"{'+' if dearer > 0 else '-'}{numbers.usd_request(abs(dearer))}" if dearer else "="
        kind = Text(f"{getattr(GLYPHS, change.sign)} {change.listed or change.word}", style=change.style)
        return id_cell(pair.custom_id), kind, _state(left), _state(right), tokens, cost


def _state(row: ResultRow | None) -> Cell:
    if row is None:
        return Text("not in it", style="muted")
    if row.good:
        return Text("usable", style="good")
    return Text(
        safetext.line((row.flaw or row.error or row.outcome).removesuffix("_error"), 40),
        style="warn" if row.flaw else "bad",
    )


def totals_line(totals: Totals, room: int, lacking: str = "") -> Content:
    """Both sides' sums, as many as ``room`` cells hold; ``lacking`` says which batches are not in them."""
    costs, paid = numbers.usd_and_paid(totals.cost_usd, totals.paid_usd)
    parts = [
        f"{numbers.count(totals.requests)} in both",
        f"usable {totals.good[0]:,} → {totals.good[1]:,}",
        *([lacking] if lacking else []),
        f"cost{' of these' if paid else ''} " + " → ".join(costs),
        *(["paid in all " + " → ".join(paid)] if paid else []),
        f"out {numbers.tokens(totals.output_tokens[0])} → {numbers.tokens(totals.output_tokens[1])}",
        f"in {numbers.tokens(totals.input_tokens[0])} → {numbers.tokens(totals.input_tokens[1])}",
    ]
    return Content(as_many(parts, "   ", room))


class CompareScreen(BaseScreen[None]):
    """Compares the batch ``left`` (before) with ``right`` (after), or with ``runs`` their whole runs."""

    CSS_PATH = "compare.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = ("open", "compare.field", "compare.swap", "compare.tab", "compare.next")
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "back", "back", "back", "back to the list, then leave"),
        bind("F", "field", "by field", "compare.field", "compare a field: agreement, kappa, a matrix"),
        bind("w", "swap", "swap sides", "compare.swap", "swap before and after"),
        bind("n", "step(1)", "next", "compare.next", "next request", show=False),
        bind("p", "step(-1)", "previous", "compare.previous", "previous request", show=False),
        *(bind(str(n), f"tab({n})", "", f"compare.tab{n}", f"tab {n}", show=False) for n in range(1, 9)),
    ]

    def __init__(self, left: str, right: str, *, runs: bool = False) -> None:
        super().__init__()
        self._sides = (left, right)
        self._runs = runs
        self._comparison: Comparison | None = None
        self._names: Sequence[str] = ()
        self._totals: Totals | None = None
        self._lacking = ""
        """Which batches of the two runs are not in the figures, in words; "" when all are."""
        self._work = Work()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="compare-title", markup=False)
        yield Static("", id="compare-sums", markup=False)
        yield TabLine(keys="compare.tab", id="compare-tabs")
        with Container(id="compare-body"):
            yield RowList(COLUMNS, id="compare-list")
            yield DiffView(id="compare-diff")
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        self._arrange_panes(self.app.size.width)
        run_task(self, self._compare())

    def _record(self, side: int) -> BatchRecord:
        return self.service.resolve(self._sides[side])

    async def _compare(self) -> None:
        self._work.stop()
        self._work = work_for(self)
        records = [self._record(n) for n in (0, 1)]
        self._names = told_apart([batch.name(r) if self._runs else batch.full_name(r) for r in records])
        members = [member for each in records for member in self.service.run_of(each)] if self._runs else []
        self._lacking = batch.not_included_words(members, run=True)
        self._say_title(self.app.size.width)
        comparison = await self.in_thread(self._read, self._work)
        if not self.is_attached:
            return
        self._comparison = comparison
        counts = comparison.counts()
        changed = sum(counts.values()) - counts["same"]
        tabs = [Tab("changed", "Changed", "chg", changed)]
        tabs += [Tab(name, change.label, change.short, counts[name]) for name, change in CHANGES.items()]
        self.query_one(TabLine).set_tabs(tabs)
        self._totals = await self.in_thread(comparison.totals)
        self._say_totals(self.app.size.width)
        self._select()
        if not self._totals.requests and len(comparison):
            self.say(no_rows_shared(), level="warn")
        elif not changed:
            self.say("No differences: all answers are the same.", level="good")

    def _read(self, work: Work) -> Comparison:
        left, right = (self.service.open_results(each, run=self._runs, work=work) for each in self._sides)
        return compare(left, right, work)

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        if self._comparison is None:
            self.query_one("#compare-sums", Static).update(progress_line(event.progress))

    @on(TabLine.Chosen)
    def _select(self) -> None:
        if self._comparison is not None:
            tab = self.query_one(TabLine).chosen
            rows = self._comparison.select(None if tab == "changed" else [tab])
            self.query_one(RowList).set_source(PairRows(self._comparison, rows))
            self.query_one(RowList).set_empty(self._nothing_in(tab))
            self.query_one(StatusLine).tell(
                f"{numbers.count(len(rows))} of {numbers.count(len(self._comparison))} shown"
            )
            self._show_soon()

    def _nothing_in(self, tab: str) -> str:
        """Why a tab shows no pair, and the key to one that does."""
        assert self._comparison is not None
        counts = self._comparison.counts()
        most = max(counts, key=lambda kind: counts[kind])
        if not counts[most]:
            return "Neither side has results."
        number = self.query_one(TabLine).ids.index(most) + 1
        none = "No answer changed." if tab == "changed" else CHANGES[tab].none
        return f"{none}\nPress {key_of(f'compare.tab{number}')} to show {CHANGES[most].label} ({counts[most]:,})."

    def action_tab(self, number: int) -> None:
        """The tab with this number."""
        self.query_one(TabLine).choose_number(number)

    def action_step(self, by: int) -> None:
        """The next or previous request."""
        self.query_one(RowList).action_move(by)

    def action_field(self) -> None:
        """Compare a field of both."""
        from batchtui.tui.results.compare_field import by_field

        if self._comparison is not None:
            records = self._record(0), self._record(1)
            run_task(self, by_field(self, self._comparison, records, self._lacking), opens=True)

    def action_swap(self) -> None:
        """Before becomes after."""
        self._sides = (self._sides[1], self._sides[0])
        self._comparison = None
        run_task(self, self._compare())

    @on(RowHighlighted)
    def _show_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, lambda: run_task(self, self._show()))

    async def _show(self) -> None:
        view = self.query_one(DiffView)
        key = self.query_one(RowList).cursor_key
        if self._comparison is None or not view.display:
            return
        if not isinstance(key, int):
            view.show("", [])
            return
        comparison = self._comparison
        lines = await self.in_thread(comparison.diff, key)
        if self.query_one(RowList).cursor_key == key:
            view.show(comparison.pair(key).custom_id, lines)

    @on(RowSelected)
    def _opened(self) -> None:
        view = self.query_one(DiffView)
        if not view.display:
            view.display = True
            self.query_one(RowList).display = False
            self._show_soon()
        view.focus()

    def action_back(self) -> None:
        """From the answers to the list, then leave."""
        listed = self.query_one(RowList)
        if self.query_one(DiffView).has_focus:
            self._arrange_panes(self.size.width, listed=True)
            listed.focus()
        elif not self.query_one(StatusLine).dismiss():
            self.dismiss(None)

    def on_resize(self, event: events.Resize) -> None:
        """The answers below the list where there is room, else on Enter."""
        self._arrange_panes(event.size.width)
        self._say_title(event.size.width)
        self._say_totals(event.size.width)
        self._show_soon()

    def _say_title(self, width: int) -> None:
        """Both names, of long ones the middle cut."""
        if self._names:
            words = "before ", "   after "
            one, other = names_within(self._names, width - 2 - len("".join(words)))
            title = Content.assemble((words[0], "dim"), (one, "bold"), (words[1], "dim"), (other, "bold"))
            self.query_one("#compare-title", Static).update(title)

    def _say_totals(self, width: int) -> None:
        if self._totals is not None:
            self.query_one("#compare-sums", Static).update(totals_line(self._totals, width - 2, self._lacking))

    def _arrange_panes(self, width: int, *, listed: bool = False) -> None:
        """Both panes where there is room, else the answers while they are read, unless the list is wanted."""
        view = self.query_one(DiffView)
        room = width >= WIDE or self.app.size.height >= 34
        reading = not room and view.has_focus and not listed
        view.display = room or reading
        self.query_one(RowList).display = not reading

    def on_unmount(self) -> None:
        """Stop what still reads."""
        self._work.stop()
