"""Results as rows of a row list: which tab shows which, and what their cells say."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress

from batchtui.domain.outcome import BY_NAME, CODES, FLAWS, SUCCEEDED, UNKNOWN, UNREADABLE, standing
from batchtui.results.view import Rows, View
from batchtui.tui.bindings import key_of
from batchtui.tui.results.table_columns import TableColumn, cells_of, usual_columns
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.tab_line import Tab

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
_NONE = {
    "usable": "No answer is usable.",
    "cut_short": "No answer is cut short.",
    "invalid": "No answer is invalid.",
    "errored": "No request errored.",
    "canceled": "No request was canceled.",
    "expired": "No request expired.",
    "missing": "No result is missing.",
    OTHER: "No result is of another kind.",
    "waiting": "No request is waiting for its result.",
}


def tabs(view: View) -> list[Tab]:
    """The outcome tabs with their counts, which add up; those of odd results and of requests that wait where there are any."""
    counts = view.counts()
    found = [Tab("all", "All", "all", counts["all"])]
    found += [Tab(name, BY_NAME[name].title, short, counts[name]) for name, short in _SHORT.items()]
    other, waiting = counts["unknown"] + counts["unreadable"], counts["waiting"]
    if other or waiting:
        found.append(Tab(OTHER, "Other", "oth", other))
    return [*found, Tab("waiting", "Waiting", "wait", waiting)] if waiting else found


def nothing_in(tab: str, within: str = "") -> str:
    """Why a tab shows no rows, and what to do; ``within`` says what rows had to be beside it: ``matches the filter``."""
    every = key_of("results.tab1")
    if not within:
        return f"{_NONE[tab]}\nPress {every} to show all results." if tab in _NONE else "There are no results."
    if tab not in _NONE:
        return f"No result {within}.\nPress Esc to show all results."
    return f"{_NONE[tab][:-1]} and {within}.\nPress Esc to show all of this tab, {every} for all tabs."


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


class ResultRows:
    """Some rows of a view, in an order; a row's key is its number in the view."""

    def __init__(self, view: View, rows: Rows, columns: Sequence[TableColumn] = ()) -> None:
        self.view = view
        self.rows = rows
        self.columns = columns or usual_columns(view)

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, index: int) -> Hashable:
        """The row's number in the view."""
        return self.rows[index]

    def find(self, key: Hashable) -> int | None:
        """Where a row of the view is shown now."""
        with suppress(ValueError):
            return self.rows.index(key) if isinstance(key, int) else None
        return None

    def cells(self, index: int) -> Sequence[Cell]:
        """One cell a column, read when it is drawn."""
        return cells_of(self.columns, self.view, self.rows[index])

    def style(self, index: int) -> str:
        """Plain: the outcome cell carries the color."""
        return ""
