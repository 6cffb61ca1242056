"""Results as rows of a row list: which tab shows which, and what their cells say."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress

from rich.text import Text

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.outcome import BY_NAME, CODES, FLAWS, SUCCEEDED, UNKNOWN, UNREADABLE, standing
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.results.view import ResultRow, Rows, View
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.tab_line import Tab

_COLUMNS = (
    Column("id", "Request", 12, max_width=30, flex=2),
    Column("outcome", "Outcome", 11),
    Column("why", "Stop / error", 15, max_width=21, flex=1, priority=2),
    Column("in", "In", 6, align="right", priority=4),
    Column("out", "Out", 6, align="right", priority=1),
    Column("cost", "Cost", 9, align="right", priority=5),
    Column("words", "Answer", 14, flex=6, priority=3),
)
_ATTEMPT = Column("attempt", "Attempt", 7, align="right", priority=6)
SORTS = ("file", "id", "outcome", "why", "in", "out", "cost", "words")
"""Sort keys in the order that ``s`` goes through them."""

_SHORT = {
    "usable": "ok",
    "cut_short": "cut",
    "invalid": "inv",
    "errored": "err",
    "canceled": "can",
    "expired": "exp",
    "missing": "miss",
}
OTHER = "other"
"""The tab of results of an unknown type and of lines that can't be read."""


def tabs(view: View) -> list[Tab]:
    """The outcome tabs with their counts, which add up; those of odd results and of requests that wait where there are any."""
    counts = view.counts()
    found = [Tab("all", "All", "all", counts["all"])]
    found += [Tab(name, BY_NAME[name].title, short, counts[name]) for name, short in _SHORT.items()]
    other, waiting = counts["unknown"] + counts["unreadable"], counts["waiting"]
    if other or waiting:
        found.append(Tab(OTHER, "Other", "oth", other))
    return [*found, Tab("waiting", "Waiting", "wait", waiting)] if waiting else found


def in_tab(view: View, tab: str, rows: Iterable[int] | None = None) -> Rows:
    """The rows of a tab, of ``rows`` or of the whole view, in their order."""
    chosen: Iterable[int] = range(len(view)) if rows is None else rows
    if tab == "all":
        return array("I", chosen)
    outcome, flaw = view.column("outcome"), view.column("cut")
    if tab in ("usable", "cut_short", "invalid"):
        wanted = {number for number in range(len(FLAWS)) if standing(SUCCEEDED, number).name == tab}
        return array("I", (row for row in chosen if outcome[row] == SUCCEEDED and flaw[row] in wanted))
    codes = {UNKNOWN, UNREADABLE} if tab == OTHER else {CODES[tab]}
    return array("I", (row for row in chosen if outcome[row] in codes))


def outcome_cell(row: ResultRow) -> Text:
    """An outcome with a sign of its own and a colour."""
    if row.cut_short:
        return Text(f"{GLYPHS.partial} cut short", style="warn")
    if row.invalid:
        return Text(f"{GLYPHS.warning} invalid", style="warn")
    sign, style = {
        "succeeded": (GLYPHS.good, "good"),
        "errored": (GLYPHS.refused, "bad"),
        "canceled": (GLYPHS.dash, "muted"),
        "expired": (GLYPHS.gone, "warn"),
        "missing": (GLYPHS.unconfirmed, "bad"),
        "waiting": (GLYPHS.dot, "muted"),
    }.get(row.outcome, (GLYPHS.warning, "warn"))
    return Text(f"{sign} {row.outcome}", style=style)


def why(row: ResultRow) -> str:
    """The stop reason of an answer, the type of an error."""
    found = row.stop_reason if row.outcome == "succeeded" else row.error
    if row.cut_short == "empty":
        found = "empty answer"
    return safetext.line("" if found == row.outcome else found.removesuffix("_error"), 60)


class ResultRows:
    """Some rows of a view, in an order; a row's key is its number in the view."""

    def __init__(self, view: View, rows: Rows) -> None:
        self.view = view
        self.rows = rows
        self._places: array[int] | None = None
        self._tries = _several_tries(view)

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, index: int) -> Hashable:
        """The row's number in the view."""
        return self.rows[index]

    def find(self, key: Hashable) -> int | None:
        """Where a row of the view is shown now."""
        if self._places is None:
            self._places = array("i", bytes(4 * len(self.view))) if len(self.view) else array("i")
            for place, row in enumerate(self.rows, 1):
                self._places[row] = place
        if not isinstance(key, int) or key >= len(self._places):
            return None
        return self._places[key] - 1 if self._places[key] else None

    def cells(self, index: int) -> Sequence[Cell]:
        """One cell a column of ``columns_for``."""
        number = self.rows[index]
        row = self.view.row(number)
        words = ""
        with suppress(BatchtuiError):
            words = safetext.line(self.view.first_words(number), 160)
        answered = row.outcome == "succeeded"
        cells = (
            safetext.line(row.custom_id, 80) or Text("(no id)", style="muted"),
            outcome_cell(row),
            why(row),
            numbers.tokens(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens) if answered else "",
            numbers.tokens(row.output_tokens) if answered else "",
            numbers.at_least(numbers.usd(row.cost_usd), row.at_least) if answered else "",
            Text(words, style="muted"),
        )
        return (*cells, str(row.attempt + 1)) if self._tries else cells

    def style(self, index: int) -> str:
        """Plain: the outcome cell carries the colour."""
        return ""


def columns_for(view: View) -> tuple[Column, ...]:
    """The columns; which try an answer is from only where there was more than one."""
    return (*_COLUMNS, _ATTEMPT) if _several_tries(view) else _COLUMNS


def _several_tries(view: View) -> bool:
    return any(view.attempt_of(member) for member in range(len(view.members)))
